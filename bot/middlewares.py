"""What surrounds every update: who writes, in which language, how often; and no button stays unanswered."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from aiogram import BaseMiddleware, Bot, Dispatcher
from aiogram.client.session.middlewares.base import BaseRequestMiddleware, NextRequestMiddlewareType
from aiogram.enums import ChatType
from aiogram.exceptions import TelegramNetworkError, TelegramRetryAfter, TelegramServerError
from aiogram.fsm.middleware import FSMContextMiddleware
from aiogram.methods import Response, TelegramMethod
from aiogram.methods.base import TelegramType
from aiogram.types import Chat, TelegramObject, Update, User

from bot import logs
from bot.fsm import row
from handlers.screen import Screen
from handlers.texts import Texts, Translate
from services.players import Players
from services.staff import rights

# No person reaches this by hand; a program does, and pays with a pause.
BURST = 60.0
PER_SECOND = 5.0
PAUSE = 3.0
UNFINISHED = 5
"""How much one person may have in the works: Telegram hands out at most a hundred unfinished updates, for everybody."""
REMEMBERED = 10_000
RETRY_PAUSES = (0.5, 2.0)
LONGEST_WAIT = 10
"""Longer than this, in seconds, no player waits for an answer."""

Handler = Callable[[TelegramObject, dict[str, Any]], Awaitable[Any]]

_replying: ContextVar[bool] = ContextVar("replying", default=False)


def install(dispatcher: Dispatcher, players: Players, texts: Texts) -> None:
    """Expects a dispatcher made with disable_fsm=True: `Recognize` does its work.

    A flood is stopped before it costs a query. All change `data` in place, so the error handlers, which stand outside,
    see what was learned until the error.
    """
    outer = dispatcher.update.outer_middleware
    outer(Prepare(texts))
    outer(Throttle())
    outer(Recognize(dispatcher.fsm, players, texts))


class Prepare(BaseMiddleware):
    """Gives every update a language, a screen for the answer and its number in the log. Needs no database."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts

    async def __call__(self, handler: Handler, event: TelegramObject, data: dict[str, Any]) -> Any:
        if not isinstance(event, Update):
            raise TypeError("stands around whole updates")
        user: User | None = data.get("event_from_user")
        data["t"] = self._texts.guess(user.language_code if user else None)
        with logs.bind(update_id=event.update_id):
            # In a group nobody is told anything, not even that something failed; a button must be answered.
            answered = event.callback_query or (event.message if _is_private(data) else None)
            if answered is None:
                return await handler(event, data)
            screen = data["screen"] = Screen(data["bot"], answered)
            replying = _replying.set(True)
            try:
                result = await handler(event, data)
                await screen.toast()  # whatever was done, no button spins on
            finally:
                _replying.reset(replying)
            return result


class Turn(Enum):
    GO = auto()
    PAUSE = auto()
    """Too fast, for the first time since the last pause."""
    WAIT = auto()


@dataclass
class Bucket:
    """One person's pace: a burst, then a steady rate. Times are of the same clock, in seconds."""

    since: float
    tokens: float = BURST
    paused_until: float = 0.0
    running: int = 0
    t: Translate | None = None
    """The language last spoken with this person."""

    def take(self, now: float) -> Turn:
        if now < self.paused_until:
            return Turn.WAIT
        self.tokens = min(BURST, self.tokens + (now - self.since) * PER_SECOND)
        self.since = now
        if self.tokens < 1:
            self.paused_until = now + PAUSE
            return Turn.PAUSE
        self.tokens -= 1
        return Turn.GO


class Throttle(BaseMiddleware):
    """Answers who writes too fast once per pause; a button pressed meanwhile gets a toast each time."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.people: OrderedDict[int, Bucket] = OrderedDict()

    async def __call__(self, handler: Handler, event: TelegramObject, data: dict[str, Any]) -> Any:
        user: User | None = data.get("event_from_user")
        if user is None or not isinstance(event, Update) or not (event.message or event.callback_query):
            return await handler(event, data)
        bucket = self.bucket(user.id)
        turn = bucket.take(self._clock())
        if turn is Turn.GO and bucket.running < UNFINISHED:
            bucket.running += 1
            try:
                return await handler(event, data)
            finally:
                bucket.running -= 1
                bucket.t = data["t"]
        t = bucket.t or data["t"]
        screen: Screen | None = data.get("screen")
        if screen is not None and not screen.answered:
            await screen.toast(t("slow-down"), alert=True)
        elif screen is not None and turn is Turn.PAUSE:
            await screen.show(t("slow-down"))
        return None

    def bucket(self, user_id: int) -> Bucket:
        bucket = self.people.pop(user_id, None) or Bucket(self._clock())
        self.people[user_id] = bucket
        if len(self.people) > REMEMBERED:
            self.people.popitem(last=False)
        return bucket


class Recognize(BaseMiddleware):
    """Knows the player who writes and what the player was asked last, and speaks the language the player has chosen.

    All of it is read in one query, when the player's earlier updates are done: a language just chosen or rules just
    accepted hold for the next one.
    """

    def __init__(self, fsm: FSMContextMiddleware, players: Players, texts: Texts) -> None:
        self._fsm = fsm
        self._players = players
        self._texts = texts

    async def __call__(self, handler: Handler, event: TelegramObject, data: dict[str, Any]) -> Any:
        user: User | None = data.get("event_from_user")
        state = self._fsm.resolve_event_context(data["bot"], data)
        visits = "screen" in data and _is_private(data)  # blocking the bot is no visit
        if state is None or user is None:
            return None if visits else await handler(event, data)  # said by nobody: there is nobody to answer
        async with self._fsm.events_isolation.lock(state.key):
            if not visits:
                return await handler(event, data)
            visit = await self._players.visit(
                user.id,
                username=user.username,
                name=user.full_name,
                language_code=user.language_code,
                dialog=row(state.key),
            )
            player = data["player"] = visit.player
            data["state"], data["raw_state"] = state, visit.asked
            data["rights"], data["closed"] = rights(visit.role), visit.closed
            data["t"] = self._texts.translator(player.language)
            with logs.bind(player_id=player.id):
                return await handler(event, data)


def _is_private(data: dict[str, Any]) -> bool:
    chat: Chat | None = data.get("event_chat")
    return chat is not None and chat.type == ChatType.PRIVATE


class RetryReplies(BaseRequestMiddleware):
    """Repeats an answer that Telegram did not take; the outbox remembers what it sends and repeats by itself.

    The message may appear twice when only Telegram's word was lost: better than an answer that never comes.
    """

    async def __call__(
        self,
        make_request: NextRequestMiddlewareType[TelegramType],
        bot: Bot,
        method: TelegramMethod[TelegramType],
    ) -> Response[TelegramType]:
        for pause in RETRY_PAUSES if _replying.get() else ():
            try:
                return await make_request(bot, method)
            except TelegramRetryAfter as error:
                if error.retry_after > LONGEST_WAIT:
                    raise
                await asyncio.sleep(error.retry_after)
            except (TelegramNetworkError, TelegramServerError):
                await asyncio.sleep(pause)
        return await make_request(bot, method)


class KeepShapes(BaseRequestMiddleware):
    """Holds the models of Telegram's answers, such as Response[Message]. pydantic forgets one that nobody holds, and
    aiogram would have it made anew for many an answer: a tenth of what a command cost."""

    def __init__(self) -> None:
        self._kept: dict[type[TelegramMethod[Any]], object] = {}

    async def __call__(
        self,
        make_request: NextRequestMiddlewareType[TelegramType],
        bot: Bot,
        method: TelegramMethod[TelegramType],
    ) -> Response[TelegramType]:
        if type(method) not in self._kept:
            self._kept[type(method)] = Response.__class_getitem__(method.__returning__)
        return await make_request(bot, method)
