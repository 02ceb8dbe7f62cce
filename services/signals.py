"""Signals: an admin's picks, who may see them, and the whole record beside each."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from db.database import Database
from services.outbox import Outbox
from services.providers.casino import Programme

Membership = Callable[[int], Awaitable[bool | None]]
"""Asks Telegram whether this Telegram id is in the channel; None: it does not say now."""


@dataclass(frozen=True, slots=True)
class Signals:
    database: Database
    outbox: Outbox
    programmes: Mapping[str, Programme]
    membership: Membership | None
    """None: no channel has to be joined."""
    timezone: ZoneInfo
