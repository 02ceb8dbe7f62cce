"""Statements: each wallet's month, made once and the same for ever."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from db.database import Database


@dataclass(frozen=True, slots=True)
class Statements:
    database: Database
    timezone: ZoneInfo
