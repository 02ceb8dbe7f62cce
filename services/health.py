"""Health: whether the records can be reached, and how long anything has been waiting."""

from collections.abc import Callable
from dataclasses import dataclass

from db import inbox, jobs, outbox
from db.database import Database
from services.errors import TemporarilyUnavailable


@dataclass(frozen=True, slots=True)
class Report:
    database: bool
    telegram: str
    """`ok`, `standby` (another process receives the updates), `starting` or `unreachable`."""
    inbox: float
    outbox: float
    jobs: float
    """Ages of the oldest waiting row in seconds."""


@dataclass(frozen=True, slots=True)
class Health:
    database: Database
    telegram: Callable[[], str]

    async def report(self) -> Report:
        try:
            async with self.database.connection() as tx:
                return Report(
                    database=True,
                    telegram=self.telegram(),
                    inbox=await inbox.oldest_age(tx),
                    outbox=await outbox.oldest_age(tx),
                    jobs=await jobs.oldest_age(tx),
                )
        except TemporarilyUnavailable:
            return Report(database=False, telegram=self.telegram(), inbox=0, outbox=0, jobs=0)
