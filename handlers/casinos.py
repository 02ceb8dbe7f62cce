"""A player's place at a casino: the link to register by, the account, and what the casino has told of it."""

from aiogram import F, Router
from aiogram.types import CallbackQuery, InlineKeyboardButton, InlineKeyboardMarkup

from db.models import CasinoEvent, Page, Player
from handlers import keyboards
from handlers.callbacks import CasinoHistory, Open, OpenCasinoPlace, Place
from handlers.keyboards import button, rows
from handlers.screen import Screen
from handlers.texts import Translate
from services.casinos import CasinoPlace, Casinos


def create_router() -> Router:
    router = Router(name="casinos")
    router.callback_query.register(places, Open.filter(F.place == Place.CASINO))
    router.callback_query.register(place, OpenCasinoPlace.filter())
    router.callback_query.register(history, CasinoHistory.filter())
    return router


async def places(query: CallbackQuery, screen: Screen, player: Player, casinos: Casinos, t: Translate) -> None:
    found = await casinos.places(player)
    if len(found) == 1:
        await _show(screen, t, found[0])
    else:
        listed = [[button(one.title, OpenCasinoPlace(programme=one.programme))] for one in found]
        await screen.show(t("casinos" if found else "casinos-none"), rows(*listed, [_menu(t)]))


async def place(
    query: CallbackQuery,
    callback_data: OpenCasinoPlace,
    screen: Screen,
    player: Player,
    casinos: Casinos,
    t: Translate,
) -> None:
    await _show(screen, t, await casinos.place(player, callback_data.programme))


async def _show(screen: Screen, t: Translate, shown: CasinoPlace) -> None:
    if shown.account is not None:
        told = t("casino-linked-account", account=shown.account.casino_id, at=shown.account.bound_at)
    else:
        told = t("casino-not-linked" if shown.url else "casino-no-link", title=shown.title)
    text = "\n\n".join([t("casino", title=shown.title), told, t("casino-money", title=shown.title), t("signal-footer")])
    await screen.show(text, _place(t, shown))


def _place(t: Translate, shown: CasinoPlace) -> InlineKeyboardMarkup:
    return rows(
        [keyboards.register(t, shown.title, shown.url)] if shown.url else [],
        [button(t("button-casino-events"), CasinoHistory(programme=shown.programme))],
        [button(t("button-signals"), Open(place=Place.SIGNALS)), _menu(t)],
    )


async def history(
    query: CallbackQuery,
    callback_data: CasinoHistory,
    screen: Screen,
    player: Player,
    casinos: Casinos,
    t: Translate,
) -> None:
    programme = callback_data.programme
    page = await casinos.history(player, programme, before=callback_data.before, after=callback_data.after)
    lines = [
        t("casino-event", kind=event.kind, at=event.occurred_at, amount=str(event.amount or "none"))
        for event in page.items
    ]
    title = t("casino-events", title=casinos.title(programme))
    await screen.show("\n".join([title, "", *(lines or [t("casino-events-none")])]), _turns(t, programme, page))


def _turns(t: Translate, programme: str, page: Page[CasinoEvent]) -> InlineKeyboardMarkup:
    turns = []
    if page.newer is not None:
        turns.append(button(t("button-newer"), CasinoHistory(programme=programme, after=page.newer)))
    if page.older is not None:
        turns.append(button(t("button-older"), CasinoHistory(programme=programme, before=page.older)))
    return rows(turns, [button(t("button-back"), OpenCasinoPlace(programme=programme)), _menu(t)])


def _menu(t: Translate) -> InlineKeyboardButton:
    return button(t("button-menu"), Open(place=Place.MENU))


def told(t: Translate) -> InlineKeyboardMarkup:
    """Under news of a casino, which stay as they are."""
    signals = button(t("button-signals"), Open(place=Place.SIGNALS, below=True))
    return rows([signals, button(t("button-menu"), Open(place=Place.MENU, below=True))])
