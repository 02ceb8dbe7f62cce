"""Statements: each wallet's month, made once when it is over and the same for ever."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from db import jobs, statements
from db.database import Database, Tx
from db.models import Month, Player, Statement
from services.errors import NotFound
from services.periods import month_begins, next_month

JOB = "statements"
PAGE = 12


@dataclass(frozen=True, slots=True)
class Statements:
    database: Database
    timezone: ZoneInfo

    async def schedule(self, now: datetime) -> None:
        """Makes a job due for every month that is over, once for each: also for those nobody was awake for."""
        async with self.database.transaction() as tx:
            for year, month in await self._over(tx, now):
                await jobs.add(tx, JOB, f"{JOB}:{year}-{month:02}")

    async def make(self, tx: Tx, period: str) -> int:
        """Makes the statements of a month (`2026-10`), and of months before it that have none; answers how many.

        Raises ValueError for a month that is not over.
        """
        year, month = map(int, period.split("-"))
        over = await self._over(tx, await tx.fetchval("SELECT now()"))
        due = [one for one in over if one <= (year, month)]
        if (year, month) not in over:
            raise ValueError("this month is not over, or nothing had begun in it")
        ends = [month_begins(*next_month(*one), self.timezone) for one in due]
        return await statements.make(tx, [year for year, _ in due], [month for _, month in due], ends)

    async def _over(self, tx: Tx, now: datetime) -> Sequence[tuple[int, int]]:
        """The months from the first movement to the last one that has ended."""
        first = await statements.first_movement(tx)
        if first is None:
            return []
        began = first.astimezone(self.timezone)
        months, at = [], (began.year, began.month)
        while month_begins(*next_month(*at), self.timezone) <= now:
            months.append(at)
            at = next_month(*at)
        return months

    async def months(self, player: Player, *, before: int | None = None) -> tuple[Sequence[Month], int | None]:
        """A page of whole months, the newest first, and the key to what comes before it (year * 12 + month)."""
        async with self.database.connection() as tx:
            found = await statements.months(tx, player.id, before=before, limit=PAGE + 1)
        if len(found) <= PAGE:
            return found, None
        cut = found[-1].year * 12 + found[-1].month
        kept = [one for one in found if one.year * 12 + one.month > cut]
        return kept, cut + 1

    async def get(self, player: Player, statement_id: int) -> Statement:
        """Raises NotFound, also for another player's."""
        async with self.database.connection() as tx:
            found = await statements.get(tx, player.id, statement_id)
        if found is None:
            raise NotFound
        return found
