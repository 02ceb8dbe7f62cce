"""All routers in their order, and what holds for every message and button."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from aiogram import Bot, Router
from aiogram.exceptions import TelegramBadRequest
from aiogram.filters import Command
from aiogram.fsm.context import FSMContext
from aiogram.types import CallbackQuery, Message, TelegramObject

from handlers import (
    broadcasts,
    cards,
    casinos,
    deposits,
    errors,
    filters,
    history,
    keyboards,
    maintenance,
    methods,
    reports,
    settings,
    signals,
    start,
    wallet,
    withdrawals,
)
from handlers import help as help_page
from handlers.admin import router as admin
from handlers.admin.callbacks import SkipNote
from handlers.callbacks import Open
from handlers.commands import CASINO_COMMANDS, COMMANDS
from handlers.index import IndexedRouter
from handlers.screen import Screen
from handlers.texts import Translate
from services.destinations import refuse_bare_card_number
from services.signals import Signals
from services.staff import Right


def create_router() -> Router:
    router = IndexedRouter(name="root")
    router.message.middleware(leave_flow)
    router.callback_query.middleware(leave_flow)
    router.callback_query.middleware(keep_message)
    chat = IndexedRouter(name="chat")
    chat.message.filter(filters.private)
    chat.callback_query.filter(filters.private)
    chat.include_routers(
        maintenance.create_gate(),
        start.create_router(),
        settings.create_router(),
        broadcasts.create_router(),
        help_page.create_router(),
        admin.create_router(),
        start.create_gate(),
        start.create_menu_router(),
        wallet.create_router(),
        deposits.create_router(),
        cards.create_router(),
        methods.create_router(),
        withdrawals.create_router(),
        history.create_router(),
        reports.create_router(),
        signals.create_router(),
        casinos.create_router(),
        _create_last(),
    )
    router.include_routers(errors.create_router(), signals.create_channel_router(), chat, _create_elsewhere())
    return router


def _create_last() -> Router:
    """What nobody else understood."""
    router = Router(name="last")
    router.message.register(unknown_command, filters.command)
    router.message.register(unknown_message)
    return router


def _create_elsewhere() -> Router:
    """Groups, where money is not talked about, and buttons that lead nowhere."""
    router = Router(name="elsewhere")
    players = Command("start", *COMMANDS, *CASINO_COMMANDS, ignore_case=True)
    router.message.register(only_private, ~filters.private, players)
    router.callback_query.register(stale)
    return router


async def leave_flow(
    handler: Callable[[TelegramObject, dict[str, Any]], Awaitable[Any]],
    event: TelegramObject,
    data: dict[str, Any],
) -> Any:
    """A command or a button is no answer to a question: what is typed later must not land in it any more."""
    typed = isinstance(event, Message) and not filters.is_command(event)
    answers = isinstance(data.get("callback_data"), SkipNote)  # a button that is an answer
    if data.get("raw_state") is not None and not typed and not answers:
        state: FSMContext = data["state"]
        await state.clear()
    return await handler(event, data)


async def keep_message(
    handler: Callable[[TelegramObject, dict[str, Any]], Awaitable[Any]],
    event: TelegramObject,
    data: dict[str, Any],
) -> Any:
    opened = data.get("callback_data")
    if isinstance(opened, Open) and opened.below:
        screen: Screen = data["screen"]
        screen.below()
    return await handler(event, data)


async def unknown_command(
    message: Message, screen: Screen, signals: Signals, rights: frozenset[Right], t: Translate
) -> None:
    await screen.show(t("unknown-command"), keyboards.menu(t, casinos=signals.casinos, staff=bool(rights)))


async def unknown_message(
    message: Message, screen: Screen, signals: Signals, rights: frozenset[Right], t: Translate
) -> None:
    refuse_bare_card_number(message.text or message.caption or "")
    await screen.show(t("unknown-message"), keyboards.menu(t, casinos=signals.casinos, staff=bool(rights)))


async def only_private(message: Message, bot: Bot, t: Translate) -> None:
    username = (await bot.me()).username or ""
    with suppress(TelegramBadRequest):  # there are groups where the bot may read and not write
        await message.reply(t("only-private"), reply_markup=keyboards.private(t, username))


async def stale(query: CallbackQuery, screen: Screen, t: Translate) -> None:
    await screen.toast(t("stale-button"), alert=True)
