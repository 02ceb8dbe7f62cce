"""How updates come in: long polling that survives anything, or Telegram's webhook."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
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
from aiogram.methods import GetUpdates
from aiogram.types import Update
from pydantic import ValidationError

logger = logging.getLogger(__name__)

LONG_POLL = 25
GLANCE = 0.2
"""How long a finished batch is waited for before the next look at Telegram, in seconds."""
LONGEST_PAUSE = 30.0
DRAIN_SECONDS = 3.0
INTRODUCTION_SECONDS = 30.0


@dataclass
class Receiver:
    """Hands updates to the dispatcher. `introduce` is called once, as soon as Telegram answers at all; `on_ready` when
    updates are known to arrive."""

    bot: Bot
    dispatcher: Dispatcher
    introduce: Callable[[], Awaitable[None]]
    on_ready: Callable[[], None]
    status: str = "starting"
    _announced: bool = False
    _introduced: asyncio.Event = field(default_factory=asyncio.Event)
    _running: dict[int, asyncio.Task[None]] = field(default_factory=dict)

    async def poll(self) -> None:
        """Polls until cancelled, then lets the running handlers finish.

        An update is confirmed only after its handler has ended, so a crash has it delivered again: `offset` is the
        oldest unfinished update, and what comes again because of it is known by its number.
        """
        await self._insist(self.introduce)
        self._introduced.set()
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
                        GetUpdates(offset=offset, timeout=patience, allowed_updates=allowed),
                        request_timeout=LONG_POLL + 10,
                    )
                except AiogramError as error:
                    pause = await self._wait_out(error, pause)
                    continue
                self._is_ready()
                pause = 1.0
                for update in updates:
                    if update.update_id not in self._running and update.update_id not in finished:
                        self._running[update.update_id] = asyncio.create_task(self._handle(update))
                    offset = max(offset or 0, update.update_id + 1)
                if self._running:
                    done, _ = await asyncio.wait(self._running.values(), timeout=GLANCE)
                    for number in [number for number, task in self._running.items() if task in done]:
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

    async def _handle(self, update: Update) -> None:
        try:
            await self.dispatcher.feed_update(self.bot, update)
        except Exception:
            logger.exception("update could not be handled", extra={"update_id": update.update_id})

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
        try:
            parsed = Update.model_validate(update, context={"bot": self.bot})
        except ValidationError:
            logger.warning("update of an unknown shape", extra={"update_id": update["update_id"]})
            return
        await self.dispatcher.feed_update(self.bot, parsed)

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
        self.status = "ok"
        if not self._announced:
            self._announced = True
            self.on_ready()
