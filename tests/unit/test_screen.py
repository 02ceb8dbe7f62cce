"""Where answers appear, and what becomes of them when Telegram refuses."""

from collections.abc import AsyncGenerator
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest
from aiogram import Bot, Dispatcher
from aiogram.client.session.base import BaseSession
from aiogram.exceptions import TelegramBadRequest
from aiogram.methods import AnswerCallbackQuery, EditMessageText, GetMe, SendMessage, TelegramMethod
from aiogram.methods.base import TelegramType
from aiogram.types import CallbackQuery, InlineKeyboardMarkup, Message, TelegramObject, Update, User

from bot.middlewares import install
from db.models import Language
from handlers.router import create_router
from handlers.screen import Screen
from handlers.texts import Texts
from services.players import Players

ANNA = {"id": 1001, "is_bot": False, "first_name": "Анна"}
PRIVATE = {"id": 1001, "type": "private", "first_name": "Анна"}
GROUP = {"id": -1001, "type": "supergroup", "title": "Друзья"}
MESSAGE = {"message_id": 7, "date": 1_700_000_000, "chat": PRIVATE, "from": ANNA, "text": "/menu"}


class Telegram(BaseSession):
    """Takes what it is told, or refuses it with the words given for the method."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[TelegramMethod[Any]] = []
        self.refusals: dict[type[TelegramMethod[Any]], str] = {}

    async def make_request(
        self, bot: Bot, method: TelegramMethod[TelegramType], timeout: int | None = None
    ) -> TelegramType:
        self.told.append(method)
        if words := self.refusals.get(type(method)):
            raise TelegramBadRequest(method=method, message=f"Bad Request: {words}")
        answer: Any = True
        if isinstance(method, GetMe):
            answer = User(id=42, is_bot=True, first_name="Looseline", username="looseline_bot")
        elif isinstance(method, SendMessage):
            answer = Message.model_validate({**MESSAGE, "message_id": 100 + len(self.told)})
        return cast(TelegramType, answer)

    async def close(self) -> None: ...

    async def stream_content(self, *args: Any, **kwargs: Any) -> AsyncGenerator[bytes, None]:
        raise NotImplementedError
        yield b""


@pytest.fixture
def telegram() -> Telegram:
    return Telegram()


@pytest.fixture
def bot(telegram: Telegram) -> Bot:
    return Bot("42:TEST", session=telegram)


def pressed(message: dict[str, Any] | None = MESSAGE) -> dict[str, Any]:
    query = {"id": "1", "from": ANNA, "chat_instance": "1", "data": "o:menu:0", "message": message}
    return {name: value for name, value in query.items() if value is not None}


def screen(bot: Bot, event: type[TelegramObject], raw: dict[str, Any]) -> Screen:
    made = event.model_validate(raw, context={"bot": bot})
    assert isinstance(made, Message | CallbackQuery)
    return Screen(bot, made)


async def test_what_is_shown_second_replaces_what_was_shown_first(bot: Bot, telegram: Telegram) -> None:
    shown = screen(bot, Message, MESSAGE)
    assert await shown.show("one") == await shown.show("two") == 101
    assert [type(method) for method in telegram.told] == [SendMessage, EditMessageText]


async def test_a_pressed_button_changes_its_message_and_is_answered_once(bot: Bot, telegram: Telegram) -> None:
    shown = screen(bot, CallbackQuery, pressed())
    assert await shown.show("one") == 7
    await shown.show("two")
    await shown.toast("late")
    assert [type(method) for method in telegram.told] == [
        EditMessageText,
        AnswerCallbackQuery,
        EditMessageText,
    ]


async def test_a_message_worth_keeping_is_kept(bot: Bot, telegram: Telegram) -> None:
    shown = screen(bot, CallbackQuery, pressed())
    shown.below()
    assert await shown.show("one") != 7
    assert isinstance(telegram.told[0], SendMessage)


@pytest.mark.parametrize("message", [{"message_id": 7, "date": 0, "chat": PRIVATE}, None])
async def test_a_message_too_old_to_be_changed_is_answered_below(
    bot: Bot, telegram: Telegram, message: dict[str, Any] | None
) -> None:
    shown = screen(bot, CallbackQuery, pressed(message))
    await shown.show("one")
    assert isinstance(telegram.told[0], SendMessage)
    assert telegram.told[0].chat_id == 1001
    assert isinstance(telegram.told[1], AnswerCallbackQuery)


@pytest.mark.parametrize(
    ("words", "sent_anew"),
    [
        ("message is not modified: specified new message content is exactly the same", False),
        ("message to edit not found", True),
        ("message can't be edited", True),
        ("there is no text in the message to edit", True),
    ],
)
async def test_a_message_that_cannot_be_changed_is_sent_anew(
    bot: Bot, telegram: Telegram, words: str, sent_anew: bool
) -> None:
    telegram.refusals[EditMessageText] = words
    await screen(bot, CallbackQuery, pressed()).show("one")
    assert any(isinstance(method, SendMessage) for method in telegram.told) is sent_anew


async def test_a_press_that_is_too_old_to_be_answered_is_no_error(bot: Bot, telegram: Telegram) -> None:
    telegram.refusals[AnswerCallbackQuery] = "query is too old and response timeout expired"
    await screen(bot, CallbackQuery, pressed()).show("one")


async def test_a_toast_is_plain_and_short(bot: Bot, telegram: Telegram) -> None:
    await screen(bot, CallbackQuery, pressed()).toast("1 &lt; 2 " + "х" * 300)
    answer = telegram.told[0]
    assert isinstance(answer, AnswerCallbackQuery)
    assert answer.text
    assert answer.text.startswith("1 < 2 ")
    assert len(answer.text) == 200


@pytest.fixture
def dispatcher() -> Dispatcher:
    """Without a database: whoever asks for a player here fails."""
    texts = Texts(timezone=ZoneInfo("UTC"), default=Language.RU)
    dispatcher = Dispatcher(disable_fsm=True, texts=texts)
    install(dispatcher, Players(None, None, Language.RU, ZoneInfo("UTC")), texts)  # type: ignore[arg-type]
    dispatcher.include_router(create_router())
    return dispatcher


@pytest.mark.parametrize("text", ["/balance", "/start@looseline_bot", "/deposit@Looseline_bot 5"])
async def test_in_a_group_a_command_is_answered_with_the_way_to_the_private_chat(
    bot: Bot, telegram: Telegram, dispatcher: Dispatcher, text: str
) -> None:
    message = {**MESSAGE, "chat": GROUP, "text": text}
    await dispatcher.feed_update(bot, Update.model_validate({"update_id": 1, "message": message}))
    answer = telegram.told[-1]
    assert isinstance(answer, SendMessage)
    assert answer.text == "О деньгах я говорю только в личном чате."
    assert isinstance(answer.reply_markup, InlineKeyboardMarkup)
    assert answer.reply_markup.inline_keyboard[0][0].url == "https://t.me/looseline_bot"


@pytest.mark.parametrize("text", ["hello", "/balance@other_bot", "/somebody_elses_command", "500"])
async def test_in_a_group_nothing_else_is_answered(
    bot: Bot, telegram: Telegram, dispatcher: Dispatcher, text: str
) -> None:
    message = {**MESSAGE, "chat": GROUP, "text": text}
    await dispatcher.feed_update(bot, Update.model_validate({"update_id": 1, "message": message}))
    assert not any(isinstance(method, SendMessage) for method in telegram.told)


async def test_a_button_in_a_group_is_answered_and_shows_nothing(
    bot: Bot, telegram: Telegram, dispatcher: Dispatcher
) -> None:
    query = pressed({**MESSAGE, "chat": GROUP})
    await dispatcher.feed_update(bot, Update.model_validate({"update_id": 1, "callback_query": query}))
    assert [type(method) for method in telegram.told] == [AnswerCallbackQuery]
