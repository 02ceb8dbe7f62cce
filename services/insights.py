"""Insights: how the business goes, in numbers, and what should alarm somebody.

A player is whoever wrote to the bot. Days and weeks are those of TIMEZONE; a week is ISO's and begins on Monday.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from db import desk, inbox, insights, jobs
from db.database import Database, Tx
from db.models import (
    Alert,
    Attendance,
    CasinoEventKind,
    CasinoTurnover,
    Cohort,
    Conversion,
    Counters,
    Headcount,
    ReturnTurnover,
    Turnover,
)
from db.money import CasinoMoney, Money
from services.inbox import CASINO
from services.outbox import Outbox
from services.periods import Period, midnight
from services.staff import Right

SUMMARY = "summary"
"""The job that tells a day's summary."""
SPANS = (1, 7, 30)
"""Days."""
WEEKS = 8
LONGEST = 366
"""Days in one picture."""

# A source that is heard regularly has at least so many deliveries, on so many days, within this time.
LISTENED = timedelta(days=7)
REGULAR = 20
REGULAR_DAYS = 3
# It is silent after the longer of six hours and ten times the average time between two of its deliveries.
SILENCE = timedelta(hours=6)
GAPS = 10
# Nobody listened while nobody watched for longer than this.
PAUSE = timedelta(minutes=15)
STUCK = timedelta(minutes=10)
"""What waits in a queue longer than this waits for a person."""

# A registration has three days to become a deposit; seven days of registrations are compared with the 28 before them.
PATIENCE = timedelta(days=3)
RECENT_DAYS, BEFORE_DAYS = 7, 28
ENOUGH = 20


@dataclass(frozen=True, slots=True)
class Overview:
    counters: Counters
    channel: bool
    """There is a channel that has to be joined."""
    headcounts: Sequence[Headcount]
    """Of the SPANS."""
    alerts: Sequence[Alert]


@dataclass(frozen=True, slots=True)
class Takings:
    turnover: Sequence[Turnover]
    returned: Sequence[ReturnTurnover]


@dataclass(frozen=True, slots=True)
class CasinoFigures:
    """What one programme reported of our players in a period."""

    title: str
    turnover: Sequence[CasinoTurnover]
    first: int
    """Of the deposits, those that were their player's first."""
    linked: Conversion
    """Of the players linked in the period."""
    overall: Conversion
    unclaimed: int
    """Events that wait for their player, now and not in the period."""

    def count(self, kind: CasinoEventKind) -> int:
        return sum(one.count for one in self.turnover if one.kind is kind)

    @property
    def repeated(self) -> int:
        """Deposits that were not their player's first."""
        return self.count(CasinoEventKind.DEPOSIT) - self.first


@dataclass(frozen=True, slots=True)
class Insights:
    database: Database
    outbox: Outbox
    sources: Mapping[str, str]
    """Who should be heard of, with the names people know them by: payment providers and `casino:` programmes."""
    timezone: ZoneInfo
    channel: bool
    """There is a channel that has to be joined before signals open."""

    def title(self, source: str) -> str:
        """The name people know a source by."""
        return self.sources.get(source, source.removeprefix(CASINO))

    # ---- pages: each is read in a snapshot, which locks nothing

    async def overview(self, now: datetime) -> Overview:
        """How many players there are, and how many came and wrote lately."""
        today = self._day(now)
        async with self.database.snapshot() as tx:
            return Overview(
                await insights.counters(tx, channel=self.channel),
                self.channel,
                [
                    await insights.headcount(
                        tx,
                        days,
                        today=today,
                        since=self._midnight(today - timedelta(days=days - 1)),
                        before=self._midnight(today - timedelta(days=2 * days - 1)),
                    )
                    for days in SPANS
                ],
                await insights.open_alerts(tx),
            )

    async def alerts(self) -> Sequence[Alert]:
        """What somebody should look into, oldest first."""
        async with self.database.connection() as tx:
            return await insights.open_alerts(tx)

    async def attendance(self, period: Period, now: datetime) -> Sequence[Attendance]:
        """Each day of a period up to today, at most the last year of it."""
        today = self._day(now)
        first, after = period.days(today)
        last = today if after is None else after - timedelta(days=1)
        earliest = last - timedelta(days=LONGEST - 1)
        first = earliest if first is None else max(first, earliest)
        async with self.database.snapshot() as tx:
            return await insights.attendance(tx, first, last, since=self._midnight(first), zone=self.timezone.key)

    async def takings(self, period: Period, now: datetime) -> Takings:
        """What came in and went out here, by provider and currency; nothing is converted."""
        bounds = period.bounds(now, self.timezone)
        async with self.database.snapshot() as tx:
            return Takings(await insights.turnover(tx, *bounds), await insights.returns(tx, *bounds))

    async def casinos(self, period: Period, now: datetime) -> list[CasinoFigures]:
        """What each programme reported of our players; also those no more in the settings."""
        bounds = period.bounds(now, self.timezone)
        async with self.database.snapshot() as tx:
            turnover = await insights.casino_turnover(tx, *bounds)
            first = await insights.first_deposits(tx, *bounds)
            overall = {one.programme: one for one in await insights.conversions(tx, None, None)}
            linked = overall
            if any(bounds):
                linked = {one.programme: one for one in await insights.conversions(tx, *bounds)}
            unclaimed = await insights.unclaimed(tx)
        known = [source.removeprefix(CASINO) for source in self.sources if source.startswith(CASINO)]
        found = {*(one.programme for one in turnover), *overall, *unclaimed}
        return [
            CasinoFigures(
                title=self.title(f"{CASINO}{name}"),
                turnover=[one for one in turnover if one.programme == name],
                first=first.get(name, 0),
                linked=linked.get(name, Conversion(name, 0, 0, 0)),
                overall=overall.get(name, Conversion(name, 0, 0, 0)),
                unclaimed=unclaimed.get(name, 0),
            )
            for name in dict.fromkeys([*known, *sorted(found)])
        ]

    async def cohorts(self, now: datetime, *, registered: bool, casino: bool) -> Sequence[Cohort]:
        """The last WEEKS weeks, the present one among them, oldest first.

        `registered`: players by the week in which their first account at a casino was linked, else in which they wrote
        to the bot for the first time. `casino`: who paid in at a casino, else here.
        """
        today = self._day(now)
        first = today - timedelta(days=today.weekday(), weeks=WEEKS - 1)
        async with self.database.snapshot() as tx:
            return await insights.cohorts(
                tx,
                first,
                WEEKS,
                since=self._midnight(first),
                zone=self.timezone.key,
                registered=registered,
                casino=casino,
            )

    # ---- the morning

    async def schedule(self, now: datetime) -> None:
        """Makes the summary due, once for each day of TIMEZONE."""
        async with self.database.connection() as tx:
            await jobs.add(tx, SUMMARY, f"{SUMMARY}:{self._day(now).isoformat()}")

    async def summarize(self, tx: Tx, day: str) -> None:
        """Tells everybody with the right to statistics what the day before `day` (`2026-11-20`) brought."""
        today = date.fromisoformat(day)
        yesterday = today - timedelta(days=1)
        since, until = self._midnight(yesterday), self._midnight(today)
        await self._compare_conversion(tx, today)
        before, last = await insights.attendance(
            tx,
            yesterday - timedelta(days=1),
            yesterday,
            since=self._midnight(yesterday - timedelta(days=1)),
            zone=self.timezone.key,
        )
        turnover = await insights.turnover(tx, since, until)
        casino = await insights.casino_turnover(tx, since, until)
        waiting = await desk.waiting(tx, [source for source in self.sources if not source.startswith(CASINO)])
        await self.outbox.tell_admins(
            tx,
            Right.STATS,
            f"admin-summary:{day}",
            "admin-summary",
            day=yesterday.strftime("%d.%m.%Y"),
            new=last.new,
            new_before=before.new,
            active=last.active,
            active_before=before.active,
            deposits=_sums((one.total, one.count) for one in turnover if one.kind == "deposit"),
            withdrawals=_sums((one.total, one.count) for one in turnover if one.kind == "withdrawal"),
            registrations=sum(one.count for one in casino if one.kind is CasinoEventKind.REGISTRATION),
            casino=_casino_sums(one for one in casino if one.kind is CasinoEventKind.DEPOSIT),
            waiting=waiting.withdrawals,
            items=waiting.items,
            deliveries=waiting.deliveries,
            messages=waiting.messages,
            alerts=waiting.alerts,
        )

    async def _compare_conversion(self, tx: Tx, today: date) -> None:
        """The gap between registrations and deposits, once a day for each programme.

        Looked at are the seven days of registrations whose three days are over: from ten days ago to three days ago.
        Told when there were 20 of them or more, and in the 28 days before 20 or more as well, and the share that
        had a deposit within three days of being linked fell below half of what it was in those 28 days.
        """
        until = today - PATIENCE
        since = until - timedelta(days=RECENT_DAYS)
        before = since - timedelta(days=BEFORE_DAYS)
        for programme, (bound, paid, bound_before, paid_before) in await insights.deposited_within(
            tx, PATIENCE, before=self._midnight(before), since=self._midnight(since), until=self._midnight(until)
        ):
            subject = f"{CASINO}{programme}"
            enough = bound >= ENOUGH and bound_before >= ENOUGH
            if not enough or 2 * paid * bound_before >= paid_before * bound:
                await insights.end_alert(tx, "conversion", subject)
                continue
            await insights.raise_alert(tx, "conversion", subject, self._midnight(since))
            await self.outbox.tell_admins(
                tx,
                Right.STATS,
                f"admin-conversion-fell:{programme}:{today.isoformat()}",
                "admin-conversion-fell",
                source=self.title(subject),
                bound=bound,
                paid=paid,
                bound_before=bound_before,
                paid_before=paid_before,
            )

    # ---- the watch

    async def watch(self, now: datetime) -> None:
        """Looks for what should alarm somebody. To be called every five minutes; may be missed, doubled or overlap."""
        async with self.database.connection() as tx:
            awake = await insights.watched(tx, now, pause=PAUSE)
            ages = {
                "inbox": await inbox.oldest_age(tx),
                "messages": await insights.money_message_age(tx),
                "jobs": await jobs.oldest_age(tx),
            }
            alerts = {(one.kind, one.subject): one for one in await insights.open_alerts(tx)}
        for queue, age in ages.items():
            await self._measure(queue, now - timedelta(seconds=age), now, told=("queue", queue) in alerts)
        silent = {subject: one for (kind, subject), one in alerts.items() if kind == "silence"}
        for source in {**self.sources, **silent}:
            await self._listen(source, silent.get(source), awake, now)
        self.outbox.wake()

    async def _measure(self, queue: str, since: datetime, now: datetime, *, told: bool) -> None:
        stuck = now - since > STUCK
        if stuck is told:
            return
        async with self.database.transaction() as tx:
            if not stuck:
                await insights.end_alert(tx, "queue", queue)
            elif await insights.raise_alert(tx, "queue", queue, since) is not None:
                hour = now.astimezone(UTC).strftime("%Y-%m-%dT%H")  # a queue that starts and stops is told once an hour
                await self.outbox.tell_admins(
                    tx, Right.HEALTH, f"admin-queue-stuck:{queue}:{hour}", "admin-queue-stuck", queue=queue, since=since
                )

    async def _listen(self, source: str, told: Alert | None, awake: datetime, now: datetime) -> None:
        """Tells when a source with regular traffic falls silent, once, and when it speaks again.

        Silence begins with the last delivery, but not before `awake`: while we were away nobody could be heard.
        """
        if told is not None:
            await self._listen_again(source, told)
            return
        if awake > now - SILENCE:
            return
        async with self.database.connection() as tx:
            if await insights.heard(tx, source, now - SILENCE) is not None:
                return
            rhythm = await insights.rhythm(tx, source, now - LISTENED)
        if rhythm.deliveries < REGULAR or rhythm.days < REGULAR_DAYS or rhythm.first is None or rhythm.last is None:
            return
        gap = (rhythm.last - rhythm.first) / (rhythm.deliveries - 1)
        since = max(rhythm.last, awake)
        if now - since <= max(SILENCE, GAPS * gap):
            return
        async with self.database.transaction() as tx:
            number = await insights.raise_alert(tx, "silence", source, rhythm.last)
            if number is not None:
                await self.outbox.tell_admins(
                    tx,
                    Right.HEALTH,
                    f"admin-source-silent:{number}",
                    "admin-source-silent",
                    source=self.title(source),
                    since=rhythm.last,
                    minutes=max(1, round(gap.total_seconds() / 60)),
                    casino=int(source.startswith(CASINO)),
                )

    async def _listen_again(self, source: str, told: Alert) -> None:
        async with self.database.transaction() as tx:
            at = await insights.heard(tx, source, told.since)
            gone = source not in self.sources
            if (at is None and not gone) or await insights.end_alert(tx, "silence", source) is None or at is None:
                return
            await self.outbox.tell_admins(
                tx,
                Right.HEALTH,
                f"admin-source-heard:{told.id}",
                "admin-source-heard",
                source=self.title(source),
                since=told.since,
                at=at,
            )

    def _day(self, now: datetime) -> date:
        return now.astimezone(self.timezone).date()

    def _midnight(self, day: date) -> datetime:
        return midnight(day, self.timezone)


def _sums(amounts: Iterable[tuple[Money, int]]) -> str:
    """`1 500.00 RUB (3), 50.00 USD (1)`: how much and how often, by currency."""
    totals: dict[str, Money] = {}
    counts: defaultdict[str, int] = defaultdict(int)
    for total, count in amounts:
        totals[total.currency] = totals[total.currency] + total if total.currency in totals else total
        counts[total.currency] += count
    return ", ".join(f"{totals[code]} ({counts[code]})" for code in sorted(totals) if counts[code]) or "—"


def _casino_sums(reported: Iterable[CasinoTurnover]) -> str:
    """The same of what casinos reported."""
    amounts: defaultdict[str, Decimal] = defaultdict(Decimal)
    counts: defaultdict[str, int] = defaultdict(int)
    for one in reported:
        if one.total is not None:
            amounts[one.total.currency] += one.total.amount
            counts[one.total.currency] += one.count
    return ", ".join(f"{CasinoMoney(amounts[code], code)} ({counts[code]})" for code in sorted(amounts)) or "—"
