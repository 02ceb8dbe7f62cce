"""Sends what waits in the outbox, within Telegram's limits and through its failures.

Telegram has no idempotency key: a crash between "sent" and "marked" repeats that one message.
"""

import asyncio
import logging
import random
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import timedelta

from aiogram import Bot
from aiogram.exceptions import (
    TelegramAPIError,
    TelegramBadRequest,
    TelegramForbiddenError,
    TelegramMigrateToChat,
    TelegramNetworkError,
    TelegramNotFound,
    TelegramRetryAfter,
    TelegramServerError,
    TelegramUnauthorizedError,
)

from db.models import Language
from db.outbox import Claimed
from handlers.notices import render
from handlers.texts import Texts
from services.outbox import Outbox

logger = logging.getLogger(__name__)

# https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this: 30 a second overall, one a second
# in a chat with short bursts allowed. The figures are a courtesy; what counts is to obey retry_after.
PER_SECOND = 25.0
CHAT_BURST = 3.0
CHATS_REMEMBERED = 10_000


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


@dataclass(frozen=True)
class Sender:
    bot: Bot
    outbox: Outbox
    texts: Texts
    default_language: Language
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
            case TelegramBadRequest() | TelegramNotFound() if message.edits is not None:
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
