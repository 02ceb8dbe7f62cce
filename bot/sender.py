"""Sends what waits in the outbox, within Telegram's limits and through its failures.

Telegram has no idempotency key: a crash between "sent" and "marked" repeats that one message.
"""

import asyncio
import logging
import random
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta

from aiogram import Bot
from aiogram.exceptions import (
    TelegramAPIError,
    TelegramBadRequest,
    TelegramEntityTooLarge,
    TelegramForbiddenError,
    TelegramMigrateToChat,
    TelegramNetworkError,
    TelegramNotFound,
    TelegramRetryAfter,
    TelegramServerError,
    TelegramUnauthorizedError,
)
from aiogram.types import FSInputFile, LinkPreviewOptions, Message

from db.models import Language, Report
from db.outbox import Claimed
from handlers import keyboards
from handlers.notices import render
from handlers.texts import Texts, Translate
from services.documents import Progress
from services.errors import TemporarilyUnavailable
from services.outbox import Outbox
from services.reports import Document, Reports

logger = logging.getLogger(__name__)

# https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this: 30 a second overall, one a second
# in a chat with short bursts allowed. The figures are a courtesy; what counts is to obey retry_after.
PER_SECOND = 25.0
CHAT_BURST = 3.0
CHATS_REMEMBERED = 10_000
# https://core.telegram.org/bots/api#senddocument: a bot's file may have 50 MB, with what goes around it.
LARGEST_FILE = 49 * 2**20
UPLOAD_SECONDS = 300
RENEW_SECONDS = 20.0
PROGRESS_SECONDS = 2.0


@dataclass
class Limits:
    """When the next message may go out, overall and in one chat. Times are of time.monotonic()."""

    next_at: float = 0.0
    paused_until: float = 0.0
    _chats: OrderedDict[int, tuple[float, float]] = field(default_factory=OrderedDict)

    async def pause_over(self) -> None:
        """Waits for the end of the flood that Telegram complained about."""
        await asyncio.sleep(max(0.0, self.paused_until - time.monotonic()))

    async def turn(self) -> None:
        now = time.monotonic()
        self.next_at = max(self.next_at, now) + 1 / PER_SECOND
        await asyncio.sleep(self.next_at - 1 / PER_SECOND - now)

    def chat_delay(self, chat_id: int) -> float:
        """Seconds until this chat may get one more message; 0 takes its turn."""
        now = time.monotonic()
        left, since = self._chats.pop(chat_id, (CHAT_BURST, now))
        left = min(CHAT_BURST, left + now - since)
        delay = max(0.0, 1 - left)
        self._chats[chat_id] = (left if delay else left - 1, now)
        if len(self._chats) > CHATS_REMEMBERED:
            self._chats.popitem(last=False)
        return delay


class LeaseLost(Exception):
    """The database was away for so long that another sender has the message now."""


@asynccontextmanager
async def _beside(work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Runs `work` until the block ends."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@dataclass(frozen=True)
class Sender:
    bot: Bot
    outbox: Outbox
    reports: Reports
    texts: Texts
    default_language: Language
    base_url: str
    limits: Limits = field(default_factory=Limits)

    async def work(self) -> bool:
        """Sends the next message that is due. False: none."""
        await self.limits.pause_over()
        message = await self.outbox.claim()
        if message is None:
            return False
        delay = self.limits.chat_delay(message.chat_id)
        if delay:
            await self.outbox.put_off(message, "one message a second", timedelta(seconds=delay))
            return True
        await self.limits.turn()
        try:
            shown_as = await self._send(message)
        except TelegramAPIError as error:
            await self._failed(message, error)
        except Exception as error:
            # A text that cannot be rendered, or an answer that is none of Telegram's: mended before it is too old.
            logger.exception("message cannot be sent", extra={"outbox_id": message.id})
            await self._try_later(message, type(error).__name__)
        else:
            await self.outbox.sent(message, shown_as)
        return True

    async def _send(self, message: Claimed) -> int | None:
        if message.report is not None:
            return await self._send_report(message, await self.reports.get(message.report))
        rendered = render(
            message.text_id,
            message.arguments,
            self.texts.translator(message.language or self.default_language),
        )
        if message.edits is None:
            sent = await self.bot.send_message(message.chat_id, rendered.text, reply_markup=rendered.reply_markup)
            return sent.message_id
        await self.bot.edit_message_text(
            rendered.text,
            chat_id=message.chat_id,
            message_id=message.edits,
            reply_markup=rendered.reply_markup,
        )
        return message.edits

    async def _send_report(self, message: Claimed, report: Report) -> int:
        """Makes the document now, shows how far it is, and sends it. What was cut off is made again."""
        t = self.texts.translator(report.language)
        progress = Progress()
        async with (
            _beside(self._keep(message)),
            _beside(self._show(message, progress, t)),
            self.reports.written(report, t.plain, progress) as document,
        ):
            if not await self.outbox.renew(message):
                raise LeaseLost
            sent = await self._upload(message, report, document, t)
        await self._say(message, t("report-done"))
        return sent.message_id

    async def _upload(self, message: Claimed, report: Report, document: Document, t: Translate) -> Message:
        link = f"{self.base_url}/reports/{self.reports.token(report)}"
        if document.size <= LARGEST_FILE:
            name, _ = self.reports.file_name(report, t.plain)
            caption = t("report-ready", link=link, until=report.expires_at)
            with suppress(TelegramEntityTooLarge):
                return await self.bot.send_document(
                    message.chat_id,
                    FSInputFile(document.path, name),
                    caption=caption,
                    reply_markup=keyboards.report(t),
                    request_timeout=UPLOAD_SECONDS,
                )
        size = f"{document.size / 2**20:.0f}"
        return await self.bot.send_message(
            message.chat_id,
            t("report-large", link=link, until=report.expires_at, size=size),
            reply_markup=keyboards.report(t),
            link_preview_options=LinkPreviewOptions(is_disabled=True),  # which would fetch it
        )

    async def _keep(self, message: Claimed) -> None:
        """Nobody else takes the message meanwhile, however long it takes."""
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            with suppress(TemporarilyUnavailable):
                await self.outbox.renew(message)

    async def _show(self, message: Claimed, progress: Progress, t: Translate) -> None:
        """Tells in the player's own message how far a long report is."""
        told = None
        while True:
            await asyncio.sleep(PROGRESS_SECONDS)
            if progress.percent != told:
                told = progress.percent
                await self._say(message, t("report-progress", percent=told))

    async def _say(self, message: Claimed, text: str) -> None:
        """Into the message that was left waiting, if there is one still."""
        if message.edits is not None:
            with suppress(TelegramAPIError):
                await self.bot.edit_message_text(text, chat_id=message.chat_id, message_id=message.edits)

    async def _failed(self, message: Claimed, error: TelegramAPIError) -> None:
        reason = type(error).__name__
        match error:
            case TelegramRetryAfter():
                wait = error.retry_after + random.random()
                self.limits.paused_until = max(self.limits.paused_until, time.monotonic() + wait)
                await self.outbox.put_off(message, reason, timedelta(seconds=wait))
            case TelegramForbiddenError():
                await self.outbox.unreachable(message.chat_id, reason)
            case TelegramMigrateToChat():
                await self.outbox.moved(message.chat_id, error.migrate_to_chat_id)
            case TelegramBadRequest() | TelegramNotFound() if message.edits is not None and message.report is None:
                # The message is gone, too old, or says so already: there is nothing left to change.
                await self.outbox.sent(message, message.edits)
            case TelegramNetworkError() | TelegramServerError() | TelegramUnauthorizedError():
                logger.warning("Telegram cannot be reached", extra={"reason": reason, "outbox_id": message.id})
                await self._try_later(message, reason)
            case _:
                logger.error("message refused", extra={"reason": reason, "outbox_id": message.id})
                await self.outbox.give_up(message, reason)

    async def _try_later(self, message: Claimed, reason: str) -> None:
        backoff = min(2.0 ** min(message.attempts, 9), 300.0) * (0.8 + random.random() * 0.4)
        await self.outbox.put_off(message, reason, timedelta(seconds=backoff))
