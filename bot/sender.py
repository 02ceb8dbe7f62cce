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

from bot.workers import POLL_SECONDS
from db.models import BroadcastText, Language, Report
from db.outbox import BULK, URGENT, Claimed
from handlers import keyboards
from handlers.admin.broadcasts import show
from handlers.broadcasts import deliver
from handlers.notices import render
from handlers.texts import Texts, Translate
from services.broadcasts import Broadcasts
from services.documents import Progress
from services.errors import TemporarilyUnavailable
from services.outbox import Outbox
from services.reports import Document, Reports

logger = logging.getLogger(__name__)

# https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this: 30 a second overall, one a second
# in a chat with short bursts allowed. The figures are a courtesy; what counts is to obey retry_after.
PER_SECOND = 25.0
BULK_PER_SECOND = 20.0
"""Of all that, what goes to many at once may use so much: there is always room for money."""
YIELD_SECONDS = 0.01
"""What goes to many at once takes a turn only when nothing else wants it."""
FLOOD_MARGIN = 0.1
"""After a flood everything rests a little longer than Telegram says, so that what it refused is due again by then."""
CHAT_BURST = 3.0
CHATS_REMEMBERED = 10_000
CONTENTS_REMEMBERED = 10
# https://core.telegram.org/bots/api#senddocument: a bot's file may have 50 MB, with what goes around it.
LARGEST_FILE = 49 * 2**20
UPLOAD_SECONDS = 300
RENEW_SECONDS = 20.0
PROGRESS_SECONDS = 2.0


@dataclass
class Lane:
    """Messages of some priorities, which go out one after another. Whose turn it is claims the most urgent one then.

    One message wakes many senders: until `vain_until` they need not look for what one of them has just looked for in
    vain, unless the outbox's bell rang or a message was done with since; `vain` is how often both had happened then.
    """

    priorities: range
    per_second: float
    yields: float = 0.0
    next_at: float = 0.0
    done: int = 0
    vain: tuple[int, int] | None = None
    vain_until: float = 0.0
    gate: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass
class Limits:
    """When the next message may go out, overall, in a lane, and in one chat. Times are of time.monotonic()."""

    urgent: Lane = field(default_factory=lambda: Lane(URGENT, PER_SECOND))
    bulk: Lane = field(default_factory=lambda: Lane(BULK, BULK_PER_SECOND, YIELD_SECONDS))
    next_at: float = 0.0
    paused_until: float = 0.0
    _chats: OrderedDict[int, tuple[float, float]] = field(default_factory=OrderedDict)

    async def turn(self, lane: Lane) -> None:
        """Waits until a message of this lane may go out. The lane's gate is held."""
        while True:  # another message, or a flood, may have come between
            wait = max(self.paused_until, lane.next_at, self.next_at + lane.yields) - time.monotonic()
            if wait <= 0:
                return
            await asyncio.sleep(wait)

    def take(self, lane: Lane) -> None:
        """A message goes out now. That its turn came a little late does not make all later ones late."""
        now = time.monotonic()
        self.next_at = max(self.next_at + 1 / PER_SECOND, now)
        lane.next_at = max(lane.next_at + 1 / lane.per_second, now)

    def flooded(self, seconds: float) -> None:
        """Telegram wants to hear nothing for so long."""
        wait = seconds + FLOOD_MARGIN * (1 + random.random())
        self.paused_until = max(self.paused_until, time.monotonic() + wait)

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
    """It took so long that another sender has the message now, or its chat is gone: nothing is left to do here."""


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
    broadcasts: Broadcasts
    texts: Texts
    default_language: Language
    base_url: str
    limits: Limits = field(default_factory=Limits)
    _contents: OrderedDict[int, BroadcastText] = field(default_factory=OrderedDict)

    async def work(self) -> bool:
        """Sends the next message that is due, one of those that must not wait behind many. False: none."""
        return await self._work(self.limits.urgent)

    async def work_in_bulk(self) -> bool:
        """The same of those that go to many at once."""
        return await self._work(self.limits.bulk)

    async def _work(self, lane: Lane) -> bool:
        async with lane.gate:
            if lane.vain == (self.outbox.added.rings, lane.done) and time.monotonic() < lane.vain_until:
                return False
            await self.limits.turn(lane)
            happened = self.outbox.added.rings, lane.done
            message = await self.outbox.claim(lane.priorities)
            if message is None:
                lane.vain, lane.vain_until = happened, time.monotonic() + POLL_SECONDS / 2
                return False
            delay = self.limits.chat_delay(message.chat_id)
            if not delay:
                self.limits.take(lane)
        if delay:
            await self.outbox.put_off(message, "one message a second", timedelta(seconds=delay))
            return True
        try:
            shown_as = await self._send(message)
        except TelegramAPIError as error:
            await self._failed(message, error)
        except TemporarilyUnavailable as error:  # a document is made from the records
            await self._try_later(message, type(error).__name__)
        except LeaseLost:
            logger.warning("message is not ours any more", extra={"outbox_id": message.id})
        except Exception as error:
            # A text that cannot be rendered, or an answer that is none of Telegram's: mended before it is too old.
            logger.exception("message cannot be sent", extra={"outbox_id": message.id})
            await self._try_later(message, type(error).__name__)
        else:
            await self.outbox.sent(message, shown_as)
        lane.done += 1  # what waited behind it in its chat can go now
        return True

    async def show_progress(self) -> bool:
        """Brings an admin's message about a broadcast up to date. False: there is nothing new to show."""
        found = await self.broadcasts.next_to_show()
        if found is None:
            return False
        progress, language = found
        shown = show(self.texts.translator(language or self.default_language), progress)
        async with self.limits.bulk.gate:
            await self.limits.turn(self.limits.bulk)
            self.limits.take(self.limits.bulk)
        try:
            await self.bot.edit_message_text(
                shown.text,
                chat_id=progress.broadcast.created_by,
                message_id=progress.broadcast.message_id,
                reply_markup=shown.reply_markup,
            )
        except TelegramRetryAfter as error:
            self.limits.flooded(error.retry_after)
            return True
        except (TelegramNetworkError, TelegramServerError, TelegramUnauthorizedError):
            return True
        except TelegramAPIError:
            pass  # it says so already, or it is gone
        await self.broadcasts.showed(progress)
        return True

    async def _send(self, message: Claimed) -> int | None:
        if message.report is not None:
            return await self._send_report(message, await self.reports.get(message.report))
        t = self.texts.translator(message.language or self.default_language)
        if message.broadcast is not None:
            sent = await deliver(self.bot, message.chat_id, await self._content(message.broadcast), t)
            return sent.message_id
        rendered = render(message.text_id, message.arguments, t)
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

    async def _content(self, broadcast_id: int) -> BroadcastText:
        content = self._contents.get(broadcast_id)
        if content is None:
            content = self._contents[broadcast_id] = await self.broadcasts.content(broadcast_id)
            if len(self._contents) > CONTENTS_REMEMBERED:
                self._contents.popitem(last=False)
        return content

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
                self.limits.flooded(error.retry_after)
                await self.outbox.put_off(message, reason, timedelta(seconds=error.retry_after))
            case TelegramForbiddenError():
                await self.outbox.unreachable(message.chat_id, "blocked")
            case TelegramBadRequest() if "chat not found" in error.message:
                # Somebody known by a number alone, like an admin of the settings who never wrote to the bot.
                await self.outbox.unreachable(message.chat_id, "never wrote")
            case TelegramMigrateToChat():
                await self.outbox.moved(message.chat_id, error.migrate_to_chat_id)
            case TelegramBadRequest() | TelegramNotFound() if message.edits is not None and message.report is None:
                # The message is gone, too old, or says so already: there is nothing left to change.
                await self.outbox.sent(message, message.edits)
            case TelegramNetworkError() | TelegramServerError() | TelegramUnauthorizedError():
                logger.warning("Telegram cannot be reached", extra={"reason": reason, "outbox_id": message.id})
                await self._try_later(message, reason)
            case _ if message.broadcast is not None:
                await self.outbox.give_up(message, reason)  # its author is told how many
            case _:
                logger.error("message refused", extra={"reason": reason, "outbox_id": message.id})
                await self.outbox.give_up(message, reason)

    async def _try_later(self, message: Claimed, reason: str) -> None:
        backoff = min(2.0 ** min(message.attempts, 9), 300.0) * (0.8 + random.random() * 0.4)
        await self.outbox.put_off(message, reason, timedelta(seconds=backoff))
