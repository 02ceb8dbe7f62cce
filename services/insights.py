"""Insights: how the business goes, in numbers, and what should alarm somebody."""

from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from db.database import Database
from services.outbox import Outbox


@dataclass(frozen=True, slots=True)
class Insights:
    database: Database
    outbox: Outbox
    sources: Sequence[str]
    """Who should be heard of: payment providers and `casino:` programmes."""
    timezone: ZoneInfo
