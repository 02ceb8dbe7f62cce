"""Every movement of a player's money, page by page, newest first."""

from aiogram import F, Router
from aiogram.filters import Command
from aiogram.types import CallbackQuery, Message

from db.models import Movement, Page, Player
from handlers import keyboards
from handlers.callbacks import Open, Place, Turn
from handlers.screen import Screen
from handlers.texts import Translate, signed
from services.wallets import Wallets


def create_router() -> Router:
    router = Router(name="history")
    router.message.register(newest, Command("history", ignore_case=True))
    router.callback_query.register(newest, Open.filter(F.place == Place.HISTORY))
    router.callback_query.register(turn, Turn.filter())
    return router


async def newest(
    event: Message | CallbackQuery, screen: Screen, player: Player, wallets: Wallets, t: Translate
) -> None:
    page = await wallets.history(player)
    await _show(screen, t, page, empty="history-empty")


async def turn(
    query: CallbackQuery, callback_data: Turn, screen: Screen, player: Player, wallets: Wallets, t: Translate
) -> None:
    page = await wallets.history(player, before=callback_data.before, after=callback_data.after)
    await _show(screen, t, page, empty="history-page-empty")


async def _show(screen: Screen, t: Translate, page: Page[Movement], *, empty: str) -> None:
    lines = [_line(t, movement) for movement in page.items]
    await screen.show("\n".join([t("history"), "", *lines]) if lines else t(empty), keyboards.history(t, page))


def _line(t: Translate, movement: Movement) -> str:
    return t(
        "history-line",
        at=movement.at,
        kind=movement.kind,
        provider=movement.provider or "none",
        amount=signed(movement.amount),
        after=movement.after,
    )
