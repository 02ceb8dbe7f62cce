"""What an update is about. MagicData is awaited, where a bare F costs a trip to a thread for every update."""

from aiogram import F
from aiogram.enums import ChatType
from aiogram.filters import MagicData

private = MagicData(F.event_chat.type == ChatType.PRIVATE)
command = MagicData(F.event.text.startswith("/"))
"""Any command, known or not."""
rules_not_accepted = MagicData(F.player.accepted_at.is_(None))
turned_away = MagicData(F.closed & (F.rights.len() == 0))
"""The house is closed, and who writes has no right of the staff."""
