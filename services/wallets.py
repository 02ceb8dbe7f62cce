"""Wallets: what a player has, every movement that made it so, and what it all comes to."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from db import wallets
from db.database import Database
from db.models import Asked, Day, Movement, Page, Player, ProviderName, Story, Wallet
from db.money import Money
from db.wallets import BETS, DEPOSITS, FAILED, WAITING, WITHDRAWALS, Selection
from services.errors import NotFound
from services.periods import Period, midnight
from services.statistics import Statistics, statistics

PAGE = 8
COUNTED = wallets.COUNTED


class Kind(StrEnum):
    ALL = "a"
    DEPOSITS = "d"
    WITHDRAWALS = "w"
    BETS = "b"
    OTHER = "o"


class Status(StrEnum):
    DONE = "d"
    """Money has moved."""
    WAITING = "w"
    FAILED = "f"
    """It did not go through."""


@dataclass(frozen=True, slots=True)
class Filter:
    """What of the history a player wants to see."""

    kind: Kind = Kind.ALL
    status: Status = Status.DONE
    provider: ProviderName | None = None
    currency: str | None = None
    period: Period = field(default_factory=Period)


@dataclass(frozen=True, slots=True)
class Found:
    """A page of the history: movements, or operations for which none was made."""

    page: Page[Movement] | Page[Asked]
    total: int | None
    """On all pages; COUNTED means "that many or more", None that it was not counted."""


@dataclass(frozen=True, slots=True)
class Course:
    """How a balance went: what it was at first, and each day on which money moved."""

    since: date
    until: date
    opening: Money
    days: Sequence[Day]


_KINDS = {
    Kind.ALL: Selection(),
    Kind.DEPOSITS: Selection(only=DEPOSITS),
    Kind.WITHDRAWALS: Selection(only=WITHDRAWALS),
    Kind.BETS: Selection(only=BETS),
    Kind.OTHER: Selection(without=(*DEPOSITS, *WITHDRAWALS, *BETS)),
}
_OPERATIONS: dict[Kind, tuple[str, ...]] = {
    Kind.ALL: ("deposit", "withdrawal"),
    Kind.DEPOSITS: ("deposit",),
    Kind.WITHDRAWALS: ("withdrawal",),
    Kind.BETS: (),
    Kind.OTHER: (),
}
_STATUSES = {Status.WAITING: WAITING, Status.FAILED: FAILED}


@dataclass(frozen=True, slots=True)
class Wallets:
    database: Database
    timezone: ZoneInfo

    async def balances(self, player: Player) -> list[Wallet]:
        """The player's wallets by currency; none before the first deposit was asked for."""
        async with self.database.connection() as tx:
            return await wallets.balances(tx, player.id)

    def period(self, text: str) -> Period:
        """Own dates as they were typed. Raises NotAPeriod."""
        return Period.parse(text, datetime.now(UTC).astimezone(self.timezone).date())

    async def history(
        self,
        player: Player,
        wanted: Filter = Filter(),
        *,
        before: int | None = None,
        after: int | None = None,
    ) -> Found:
        """A page, newest first: the newest, or those before or after a key (a journal's id, or an operation's)."""
        since, until = wanted.period.bounds(datetime.now(UTC), self.timezone)
        selection = replace(
            _KINDS[wanted.kind], provider=wanted.provider, currency=wanted.currency, since=since, until=until
        )
        async with self.database.connection() as tx:
            if wanted.status is Status.DONE:
                movements = await wallets.history(tx, player.id, selection, before=before, after=after, limit=PAGE)
                return Found(movements, await wallets.count(tx, player.id, selection))
            operations = await wallets.asked(
                tx,
                player.id,
                selection,
                _OPERATIONS[wanted.kind],
                _STATUSES[wanted.status],
                before=before,
                after=after,
                limit=PAGE,
            )
            return Found(operations, None)

    async def story(self, player: Player, status: Status, key: int) -> Story:
        """Everything that is known of one line of the history. Raises NotFound, also for another player's."""
        async with self.database.connection() as tx:
            if status is Status.DONE:
                story = await wallets.story(tx, player.id, key)
            else:
                story = await wallets.story_asked(tx, player.id, key)
        if story is None:
            raise NotFound
        return story

    async def statistics(self, player: Player, period: Period) -> list[Statistics]:
        """For each wallet in which money ever moved."""
        since, until = period.bounds(datetime.now(UTC), self.timezone)
        async with self.database.connection() as tx:
            spans = await wallets.spans(tx, player.id, since, until)
            found = [await wallets.totals(tx, player.id, span) for span in spans]
            pending = await wallets.pending(tx, player.id)
        return [statistics(summary, pending.get(summary.currency)) for summary in found]

    async def course(self, player: Player, currency: str) -> Course:
        """The last twelve months of a wallet, this month in them. Raises NotFound when nothing ever moved in it."""
        today = datetime.now(UTC).astimezone(self.timezone).date()
        since = today.replace(year=today.year - 1, day=1)
        since = since.replace(month=since.month + 1) if since.month < 12 else date(today.year, 1, 1)
        async with self.database.connection() as tx:
            spans = await wallets.spans(tx, player.id, midnight(since, self.timezone), None)
            span = next((one for one in spans if one.currency == currency), None)
            if span is None:
                raise NotFound
            opening = await wallets.available(tx, player.id, currency, span.first - 1)
            days = await wallets.days(tx, player.id, span, self.timezone.key)
        if span.first == 1 and days:  # a young wallet's picture begins with it
            since = max(since, days[0].day.replace(day=1))
        return Course(since, today, opening, days)
