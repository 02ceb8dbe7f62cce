"""How updates come in: long polling that survives anything, or Telegram's webhook."""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from aiogram import Bot, Dispatcher
from aiogram.exceptions import (
    AiogramError,
    ClientDecodeError,
    TelegramConflictError,
    TelegramNetworkError,
    TelegramRetryAfter,
    TelegramServerError,
    TelegramUnauthorizedError,
)
from aiogram.methods import TelegramMethod
from aiogram.types import Update
from aiogram.types.update import UpdateTypeLookupError
from pydantic import ValidationError

logger = logging.getLogger(__name__)

LONG_POLL = 25
GLANCE = 0.2
"""How long the older half of the running handlers is waited for at most, in seconds, before the next look."""
LONGEST_PAUSE = 30.0
DRAIN_SECONDS = 3.0
CONFIRM_SECONDS = 2
INTRODUCTION_SECONDS = 30.0
_UNREADABLE = re.compile("[\x00\ud800-\udfff]")
"""What JSON can say and PostgreSQL or UTF-8 cannot: NUL, and halves of characters."""


Polling = Callable[[], Coroutine[Any, Any, None]]


class GetRawUpdates(TelegramMethod[list[dict[str, Any]]]):
    """Updates as Telegram wrote them: one that aiogram cannot read must not keep back the others, for ever.

    https://core.telegram.org/bots/api#getupdates
    """

    __returning__ = list[dict[str, Any]]
    __api_method__ = "getUpdates"

    offset: int | None = None
    limit: int | None = None
    timeout: int | None = None
    allowed_updates: list[str] | None = None


@dataclass
class Receiver:
    """Hands updates to the dispatcher. `introduce` is called once, as soon as Telegram answers at all; `on_ready` when
    updates are known to arrive, or to arrive at another process. `take_turns` runs the polling, in one of all processes
    at a time, and calls the other function while it is another one's turn."""

    bot: Bot
    dispatcher: Dispatcher
    introduce: Callable[[], Awaitable[None]]
    on_ready: Callable[[], None]
    take_turns: Callable[[Polling, Callable[[], None]], Awaitable[None]]
    status: str = "starting"
    _announced: bool = False
    _introduced: asyncio.Event = field(default_factory=asyncio.Event)
    _running: dict[int, asyncio.Task[None]] = field(default_factory=dict)

    async def poll(self) -> None:
        """Polls whenever it is this process's turn, until cancelled. Telegram lets only one poll at a time."""
        await self._insist(self.introduce)
        self._introduced.set()
        await self.take_turns(self._poll, self._stand_by)

    async def _poll(self) -> None:
        """Polls until cancelled, then lets the running handlers finish.

        An update is confirmed only after its handler has ended, so a crash has it delivered again: `offset` is the
        oldest unfinished update, and what comes again because of it is known by its number.
        """
        offset: int | None = None
        finished: set[int] = set()
        allowed = self.dispatcher.resolve_used_update_types()
        pause = 1.0
        try:
            while True:
                # The first question only asks whether updates can be had.
                patience = LONG_POLL if self._announced and not self._running else 0
                try:
                    updates = await self.bot(
                        GetRawUpdates(offset=offset, timeout=patience, allowed_updates=allowed),
                        request_timeout=LONG_POLL + 10,
                    )
                except AiogramError as error:
                    pause = await self._wait_out(error, pause)
                    continue
                self._is_ready()
                pause = 1.0
                for update in updates:
                    number: int = update["update_id"]
                    if number not in self._running and number not in finished:
                        self._running[number] = asyncio.create_task(self._handle(update))
                    offset = max(offset or 0, number + 1)
                if self._running:
                    # The older half: while the others are answered, the next ones come.
                    older = list(self._running.values())[: -(-len(self._running) // 2)]
                    await asyncio.wait(older, timeout=GLANCE)
                    for number in [number for number, task in self._running.items() if task.done()]:
                        del self._running[number]
                        finished.add(number)
                if self._running:
                    offset = min(self._running)
                    finished = {number for number in finished if number > offset}
                elif finished:
                    offset = max(offset or 0, max(finished) + 1)
                    finished.clear()
        finally:
            await self._drain()
            cut_off = [number for number, task in self._running.items() if task.cancelled()]
            ended = max([offset or 0, *(number + 1 for number in (*self._running, *finished))])
            self._running.clear()  # what was cut off comes again, here or to the process whose turn it is then
            await self._confirm(min(cut_off, default=ended))

    async def _confirm(self, offset: int) -> None:
        """What was handled is not given to anybody else. Asked for one update, which stays with Telegram."""
        with suppress(AiogramError):
            await self.bot(GetRawUpdates(offset=offset, limit=1, timeout=0), request_timeout=CONFIRM_SECONDS)

    async def _handle(self, update: dict[str, Any]) -> None:
        try:
            await self._dispatch(update)
        except Exception:
            logger.exception("update could not be handled", extra={"update_id": update["update_id"]})

    async def _dispatch(self, update: dict[str, Any]) -> None:
        """Hands an update to its handler; what a newer Bot API has brought and we do not know is let go."""
        try:
            parsed = Update.model_validate(_readable(update), context={"bot": self.bot})
            parsed.event_type  # noqa: B018  looked up here, where not finding it can be answered
        except (ValidationError, UpdateTypeLookupError, RecursionError):
            logger.warning("update of an unknown shape", extra={"update_id": update["update_id"]})
            return
        await self.dispatcher.feed_update(self.bot, parsed)

    async def _drain(self) -> None:
        if self._running:
            _, late = await asyncio.wait(self._running.values(), timeout=DRAIN_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def serve_webhook(self, url: str, secret: str) -> None:
        """Tells Telegram where to deliver, until it has understood; then the web app receives through `feed`."""
        await self._insist(self.introduce)
        self._introduced.set()
        allowed = self.dispatcher.resolve_used_update_types()

        async def subscribe() -> None:
            await self.bot.set_webhook(url, secret_token=secret, allowed_updates=allowed)

        await self._insist(subscribe)
        self._is_ready()

    async def _insist(self, call: Callable[[], Awaitable[None]]) -> None:
        """Repeats a call until Telegram has answered it."""
        pause = 1.0
        while True:
            try:
                return await call()
            except AiogramError as error:
                pause = await self._wait_out(error, pause)

    async def feed(self, update: dict[str, Any]) -> None:
        """Handles an update that came by webhook. Raises TimeoutError while Telegram has not introduced us yet."""
        async with asyncio.timeout(INTRODUCTION_SECONDS):
            await self._introduced.wait()
        await self._dispatch(update)

    async def _wait_out(self, error: AiogramError, pause: float) -> float:
        """Waits as long as the error asks for; answers the next pause."""
        match error:
            case TelegramRetryAfter():
                logger.warning("Telegram asks to wait", extra={"seconds": error.retry_after})
                await asyncio.sleep(error.retry_after)
                return pause
            case TelegramConflictError():
                logger.error("another process polls with this token; only one may")
            case TelegramUnauthorizedError():
                logger.error("Telegram does not know this token: check TELEGRAM_TOKEN")
            case TelegramNetworkError() | TelegramServerError() | ClientDecodeError():
                # The last one is an answer that is none of Telegram's: the error page of something in between.
                logger.warning("Telegram cannot be reached", extra={"reason": type(error).__name__})
            case _:
                logger.error("Telegram refused", extra={"reason": type(error).__name__})
        self.status = "unreachable"
        await asyncio.sleep(pause)
        return min(pause * 2, LONGEST_PAUSE)

    def _is_ready(self) -> None:
        self._stands("ok")

    def _stand_by(self) -> None:
        self._stands("standby")

    def _stands(self, status: str) -> None:
        self.status = status
        if not self._announced:
            self._announced = True
            self.on_ready()


def _readable(value: Any) -> Any:
    match value:
        case str():
            return _UNREADABLE.sub("\ufffd", value)
        case list():
            return [_readable(item) for item in value]
        case dict():
            return {key: _readable(item) for key, item in value.items()}
        case _:
            return value
