"""Health: whether the records can be reached, how long anything has been waiting, and who was heard of."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from db import desk, health, inbox, jobs, outbox
from db.database import Database
from db.health import BooksKept, Heard
from services.errors import TemporarilyUnavailable

LATELY_DAYS = 7


@dataclass(frozen=True, slots=True)
class Report:
    database: bool
    telegram: str
    """`ok`, `standby` (another process receives the updates), `starting` or `unreachable`."""
    inbox: float
    outbox: float
    jobs: float
    """Ages of the oldest waiting row in seconds."""
    maintenance: bool
    """The house is closed: players are asked to come back later."""


@dataclass(frozen=True, slots=True)
class Checkup:
    """What an admin is told."""

    report: Report
    heard: Sequence[Heard]
    books: BooksKept


@dataclass(frozen=True, slots=True)
class Health:
    database: Database
    telegram: Callable[[], str]
    sources: Sequence[str] = ()
    """Who delivers: payment providers and `casino:` programmes."""
    since: datetime = field(default_factory=lambda: datetime.now(UTC))
    """When this process began."""

    async def report(self) -> Report:
        try:
            async with self.database.connection() as tx:
                return Report(
                    database=True,
                    telegram=self.telegram(),
                    inbox=await inbox.oldest_age(tx),
                    outbox=await outbox.oldest_age(tx),
                    jobs=await jobs.oldest_age(tx),
                    maintenance=await desk.closed_at(tx) is not None,
                )
        except TemporarilyUnavailable:
            return Report(database=False, telegram=self.telegram(), inbox=0, outbox=0, jobs=0, maintenance=False)

    async def checkup(self) -> Checkup:
        """For the chat, where nobody looks who does not reach the database."""
        report = await self.report()
        async with self.database.connection() as tx:
            return Checkup(report, await health.heard(tx, self.sources, LATELY_DAYS), await health.books_kept(tx))
