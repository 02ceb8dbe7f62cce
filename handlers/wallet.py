"""What a player has, currency by currency."""

from aiogram import F, Router
from aiogram.filters import Command
from aiogram.types import CallbackQuery, Message

from db.models import Player, Wallet
from handlers import keyboards
from handlers.callbacks import Open, Place
from handlers.screen import Screen
from handlers.texts import Translate
from services.wallets import Wallets


def create_router() -> Router:
    router = Router(name="wallet")
    router.message.register(balance, Command("balance", ignore_case=True))
    router.callback_query.register(balance, Open.filter(F.place == Place.BALANCE))
    return router


async def balance(
    event: Message | CallbackQuery, screen: Screen, player: Player, wallets: Wallets, t: Translate
) -> None:
    opened = await wallets.balances(player)
    text = "\n\n".join([t("balance"), *(_wallet(t, wallet) for wallet in opened)]) if opened else t("balance-empty")
    await screen.show(text, keyboards.balance(t))


def _wallet(t: Translate, wallet: Wallet) -> str:
    return t(
        "balance-wallet",
        available=wallet.available,
        in_bets=wallet.in_bets,
        in_withdrawals=wallet.in_withdrawals,
        deposited=wallet.deposited,
        withdrawn=wallet.withdrawn,
    )
