"""What an update is about. MagicData is awaited, where a bare F costs a trip to a thread for every update."""

from typing import Any

from aiogram import F
from aiogram.enums import ChatType
from aiogram.filters import MagicData, StateFilter
from aiogram.types import Message, TelegramObject

private = MagicData(F.event_chat.type == ChatType.PRIVATE)
rules_not_accepted = MagicData(F.player.accepted_at.is_(None))
turned_away = MagicData(F.closed & (F.rights.len() == 0))
"""The house is closed, and who writes has no right of the staff."""


def said(message: Message) -> str:
    """What aiogram looks for commands in."""
    return (message.text or message.caption or "").lstrip()


def is_command(event: TelegramObject) -> bool:
    """Any command, known or not."""
    return isinstance(event, Message) and said(event).startswith("/")


async def command(event: TelegramObject) -> bool:
    """The same as a filter."""
    return is_command(event)


class Answer(StateFilter):
    """What is sent when this was asked for. A command is no answer."""

    async def __call__(self, obj: TelegramObject, raw_state: str | None = None) -> bool | dict[str, Any]:
        return not is_command(obj) and await super().__call__(obj, raw_state)
