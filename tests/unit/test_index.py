"""Routers that are asked only for what they may know: who else is, in which order, and who never is."""

from datetime import UTC, datetime
from typing import Any

import pytest
from aiogram import Bot, F, Router
from aiogram.dispatcher.event.bases import UNHANDLED
from aiogram.enums import ChatMemberStatus
from aiogram.filters import Command, MagicData, StateFilter
from aiogram.filters.callback_data import CallbackData
from aiogram.fsm.state import State
from aiogram.types import CallbackQuery, Chat, ChatMemberLeft, ChatMemberUpdated, Message, TelegramObject, User

from handlers.filters import Answer
from handlers.index import IndexedRouter

ANNA, CHAT = User(id=1, is_bot=False, first_name="Anna"), Chat(id=1, type="private")
BOT = Bot("1:" + "a" * 35)
BOT._me = User(id=2, is_bot=True, first_name="Looseline", username="looseline_bot")


# In no group: of groups there are only the bot's.
AMOUNT, NAME = State("amount", "Asked"), State("name", "Asked")


class Door(CallbackData, prefix="d"):
    number: int


class Window(CallbackData, prefix="w"):
    number: int


def message(**content: Any) -> Message:
    return Message(message_id=1, date=datetime.now(UTC), chat=CHAT, from_user=ANNA, **content)


def press(data: str | None) -> CallbackQuery:
    return CallbackQuery(id="1", from_user=ANNA, chat_instance="1", data=data)


@pytest.fixture
def visited() -> list[str]:
    """The routers that were asked and had something to try, in their order."""
    return []


@pytest.fixture
def root(visited: list[str]) -> IndexedRouter:
    def room(name: str, *filters: Any, kind: str = "message", within: type[Router] = Router) -> Router:
        async def note(event: TelegramObject) -> bool:
            visited.append(name)
            return True

        async def handle(event: TelegramObject) -> object:
            return UNHANDLED

        router = within(name=name)
        router.observers[kind].register(handle, note, *filters)
        return router

    locked = IndexedRouter(name="locked")
    locked.message.filter(MagicData(F.rights))
    locked.include_routers(room("locked pay", Command("pay")), room("locked name", Answer(NAME)))
    root = IndexedRouter(name="root")
    root.include_routers(
        room("first", F.text),
        room("pay", Command("pay", "give", ignore_case=True)),
        locked,
        room("amount", Answer(AMOUNT)),
        room("any state", StateFilter(AMOUNT)),
        room("pay too", Command("pay")),
        room("door", Door.filter(), kind="callback_query"),
        room("window", Window.filter(F.number > 1), kind="callback_query"),
        room("any button", F.data, kind="callback_query"),
        room("member", F.chat, kind="chat_member"),
    )
    return root


@pytest.mark.parametrize(
    ("event", "data", "asked"),
    [
        (message(text="/pay"), {}, ["first", "pay", "any state", "pay too"]),
        (message(text="/PAY@looseline_bot 5"), {}, ["first", "pay", "any state", "pay too"]),
        (message(text="/give\n5"), {}, ["first", "pay", "any state"]),
        (message(caption="/pay"), {}, ["first", "pay", "any state", "pay too"]),
        (message(text="/pay"), {"raw_state": "Asked:amount"}, ["first", "pay", "any state", "pay too"]),
        (message(text="/pay"), {"rights": {1}}, ["first", "pay", "locked pay", "any state", "pay too"]),
        (message(text=" \n/pay"), {"raw_state": "Asked:amount"}, ["first", "pay", "any state", "pay too"]),
        (message(caption="/pay"), {"raw_state": "Asked:amount"}, ["first", "pay", "any state", "pay too"]),
        (message(text="/stay"), {"rights": {1}}, ["first", "any state"]),
        (message(text="/"), {"rights": {1}}, ["first", "any state"]),
        (message(text="pay"), {"rights": {1}}, ["first", "any state"]),
        (message(text="5"), {"raw_state": "Asked:amount"}, ["first", "amount", "any state"]),
        (message(), {"raw_state": "Asked:amount"}, ["first", "amount", "any state"]),
        (message(text="Anna"), {"raw_state": "Asked:name"}, ["first", "any state"]),
        (message(text="Anna"), {"raw_state": "Asked:name", "rights": {1}}, ["first", "locked name", "any state"]),
        (press("d:1"), {}, ["door", "any button"]),
        (press("w:1"), {}, ["window", "any button"]),
        (press("d"), {}, ["door", "any button"]),
        (press("x:1"), {}, ["any button"]),
        (press(None), {}, ["any button"]),
    ],
)
async def test_asked_are_those_who_may_know_it_in_their_order(
    root: IndexedRouter, visited: list[str], event: Message | CallbackQuery, data: dict[str, Any], asked: list[str]
) -> None:
    kind = "message" if isinstance(event, Message) else "callback_query"
    given = {"raw_state": None, "rights": set(), "bot": BOT} | data
    assert await root.propagate_event(kind, event, **given) is UNHANDLED
    assert visited == asked


async def test_what_else_telegram_tells_goes_to_all_who_listen(root: IndexedRouter, visited: list[str]) -> None:
    left = ChatMemberLeft(status=ChatMemberStatus.LEFT, user=ANNA)
    moved = ChatMemberUpdated(
        chat=CHAT, from_user=ANNA, date=datetime.now(UTC), old_chat_member=left, new_chat_member=left
    )
    await root.propagate_event("chat_member", moved, bot=BOT)
    assert visited == ["member"]


@pytest.mark.parametrize("kind", ["handler", "outer middleware"])
async def test_what_would_never_be_asked_is_refused(root: IndexedRouter, kind: str) -> None:
    async def nothing(*_: Any) -> None: ...

    if kind == "handler":
        root.message.register(nothing)
    else:
        root.message.outer_middleware(nothing)
    with pytest.raises(ValueError, match="root"):
        await root.propagate_event("message", message(text="5"), raw_state=None)
