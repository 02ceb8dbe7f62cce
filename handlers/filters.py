"""What an update is about. MagicData is awaited, where a bare F costs a trip to a thread for every update."""

from typing import Any

from aiogram import F
from aiogram.enums import ChatType
from aiogram.filters import MagicData, StateFilter
from aiogram.types import Message, TelegramObject

private = MagicData(F.event_chat.type == ChatType.PRIVATE)
command = MagicData(F.event.text.startswith("/"))
"""Any command, known or not."""
rules_not_accepted = MagicData(F.player.accepted_at.is_(None))
turned_away = MagicData(F.closed & (F.rights.len() == 0))
"""The house is closed, and who writes has no right of the staff."""


class Answer(StateFilter):
    """What is sent when this was asked for. A command is no answer."""

    async def __call__(self, obj: TelegramObject, raw_state: str | None = None) -> bool | dict[str, Any]:
        if isinstance(obj, Message) and (obj.text or obj.caption or "").startswith("/"):
            return False
        return await super().__call__(obj, raw_state)
