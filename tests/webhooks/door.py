"""The web app as the bot serves it, on the services of a test."""

import hashlib
import hmac
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestClient

from bot.app import serve
from db.models import Language
from handlers.texts import Texts
from services.health import Health
from services.inbox import Inbox
from services.metrics import Metrics
from tests.shop import MOSCOW, Shop
from webhooks.address import Network
from webhooks.app import create_app

Door = TestClient[Any, Any]
TEXTS = Texts(timezone=MOSCOW, default=Language.RU)


def stripe_signature(body: bytes, secret: str) -> str:
    """Of any bytes, also of those that are no text. https://docs.stripe.com/webhooks#verify-manually"""
    now = int(time.time())
    return f"t={now},v1={hmac.new(secret.encode(), b'%d.' % now + body, hashlib.sha256).hexdigest()}"


async def no_updates(update: dict[str, Any]) -> None:
    raise AssertionError("closed in polling mode")


def application(
    shop: Shop,
    *,
    inbox: Inbox | None = None,
    proxies: Sequence[Network] = (),
    telegram: str = "ok",
    metrics_token: str | None = None,
    telegram_secret: str | None = None,
    feed_update: Callable[[dict[str, Any]], Awaitable[None]] = no_updates,
    sandbox: bool = False,
) -> web.Application:
    return create_app(
        inbox=inbox or shop.inbox,
        health=Health(shop.database, lambda: telegram),
        proxies=proxies,
        telegram_secret=telegram_secret,
        feed_update=feed_update,
        reports=shop.reports,
        speak=lambda language: TEXTS.translator(language).plain,
        metrics=Metrics(shop.database, lambda: telegram),
        metrics_token=metrics_token,
        sandbox=sandbox,
    )


@asynccontextmanager
async def listening(app: web.Application) -> AsyncIterator[int]:
    """The app on a socket as the bot opens it; gives the port."""
    runner, port = await serve(app, "127.0.0.1", 0)
    try:
        yield port
    finally:
        await runner.cleanup()
