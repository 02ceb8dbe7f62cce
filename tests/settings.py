"""What a bot is told that is to stand before a sandbox as before the real Telegram, Stripe and YooKassa."""

from sandbox import Sandbox


def settings(world: Sandbox) -> dict[str, str]:
    return {
        "TELEGRAM_TOKEN": world.bot_token,
        "TELEGRAM_API_URL": world.telegram_url,
        "STRIPE_SECRET_KEY": world.stripe_key,
        "STRIPE_WEBHOOK_SECRET": world.stripe_webhook_secret,
        "STRIPE_API_URL": world.stripe_url,
        "YOOKASSA_SHOP_ID": world.yookassa_shop,
        "YOOKASSA_SECRET_KEY": world.yookassa_key,
        "YOOKASSA_API_URL": world.yookassa_url,
        "YOOKASSA_NETWORKS": "127.0.0.0/8",
        "ADMIN_IDS": "900",
    }
