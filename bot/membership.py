"""The channel that opens the signals: who is in it, as Telegram says, and where it is joined."""

import logging
from dataclasses import dataclass, field

from aiogram import Bot
from aiogram.exceptions import AiogramError

from handlers.signals import is_member

logger = logging.getLogger(__name__)

# Somebody waits for the answer, and what Telegram said last serves too.
SECONDS = 5


@dataclass
class Channel:
    bot: Bot
    channel_id: int
    _link: str | None = field(default=None, init=False)
    _failing: bool = field(default=False, init=False)
    """Said once in the log until it works again."""

    async def has(self, telegram_id: int) -> bool | None:
        """https://core.telegram.org/bots/api#getchatmember: sure to work only for an administrator of the channel."""
        try:
            member = await self.bot.get_chat_member(self.channel_id, telegram_id, request_timeout=SECONDS)
        except AiogramError as error:
            self._failed(error)
            return None
        self._failing = False
        return is_member(member)

    async def link(self) -> str | None:
        if self._link is None:
            try:
                chat = await self.bot.get_chat(self.channel_id, request_timeout=SECONDS)
            except AiogramError as error:
                self._failed(error)
                return None
            self._link = chat.invite_link or (f"https://t.me/{chat.username}" if chat.username else None)
        return self._link

    def _failed(self, error: AiogramError) -> None:
        if not self._failing:
            self._failing = True
            logger.error(
                "Telegram does not say who is in the channel: is the bot an administrator of it?",
                extra={"channel_id": self.channel_id, "reason": str(error)},
            )
