"""Handlers get what they ask for by name: every name and its type must be what is given."""

import inspect
from collections.abc import Iterator
from types import NoneType, UnionType
from typing import Any, get_args, get_type_hints

from aiogram import Bot
from aiogram.dispatcher.event.handler import HandlerObject
from aiogram.filters import CommandObject
from aiogram.filters.callback_data import CallbackData
from aiogram.fsm.context import FSMContext
from aiogram.types import CallbackQuery, ChatMemberUpdated, ErrorEvent, Message, User

from bot.app import Services
from db.models import Player
from handlers.router import create_router
from handlers.screen import Screen
from handlers.texts import Texts, Translate
from services.health import Health
from services.staff import Right

EVENTS = {
    "message": Message,
    "callback_query": CallbackQuery,
    "my_chat_member": ChatMemberUpdated,
    "chat_member": ChatMemberUpdated,
    "error": ErrorEvent,
}
GIVEN: dict[str, Any] = {
    **get_type_hints(Services),
    "player": Player,
    "t": Translate,
    "texts": Texts,
    "screen": Screen,
    "state": FSMContext,
    "bot": Bot,
    "event_from_user": User,
    "raw_state": str,
    "command": CommandObject,
    "admin_ids": tuple[int, ...],
    "rights": frozenset[Right],
    "closed": bool,
    "return_url": str,
    "health": Health,
}


def handlers() -> Iterator[tuple[str, HandlerObject]]:
    for router in create_router().chain_tail:
        for event, observer in router.observers.items():
            for handler in observer.handlers:
                yield event, handler


def members(annotation: Any) -> set[Any]:
    return set(get_args(annotation)) if isinstance(annotation, UnionType) else {annotation}


def test_every_handler_asks_only_for_what_it_is_given() -> None:
    for event, handler in handlers():
        hints = get_type_hints(handler.callback)
        first, *others = inspect.signature(handler.callback).parameters
        assert EVENTS[event] in members(hints[first]), handler.callback
        for name in others:
            if name == "callback_data":
                assert issubclass(hints[name], CallbackData), handler.callback
                wanted = {filter_.callback.callback_data for filter_ in handler.filters or []}  # type: ignore[attr-defined]
                assert wanted == {hints[name]}, handler.callback
            else:
                assert members(hints[name]) - {NoneType} == {GIVEN[name]}, f"{handler.callback}: {name}"


def test_every_handler_is_awaited() -> None:
    for _, handler in handlers():
        assert inspect.iscoroutinefunction(handler.callback), handler.callback
        for filter_ in handler.filters or []:
            assert filter_.awaitable, f"{handler.callback}: aiogram runs {filter_.callback} in a thread"


def test_routers_can_be_made_again() -> None:
    assert create_router() is not create_router()
