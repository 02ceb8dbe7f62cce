"""Statistics counted by hand, the morning's summary, and alerts that are told once."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from db import signals
from db.models import CasinoEventKind, Conversion, Counters, Headcount, Language, Player, ProviderName, Role, Turnover
from db.money import CasinoMoney, Money
from services.insights import SPANS, WEEKS, Insights
from services.periods import Named, Period
from tests.life import Life
from tests.past import Past
from tests.shop import ADMIN, SECOND_ADMIN, Shop

NOW = datetime(2026, 4, 15, 12, tzinfo=UTC)  # a Wednesday, 15:00 in Moscow
TODAY = date(2026, 4, 15)
BERLIN = ZoneInfo("Europe/Berlin")


def moscow(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+03:00")


async def deposited(shop: Shop, player: int, deposits: Sequence[tuple[datetime, int]]) -> None:
    """Through Stripe, in cents."""
    past = Past(somebody(player), NOW, first_operation=1000 * player)
    for at, minor in deposits:
        past.deposit(minor, at=at)
    await past.book(shop.database)


def somebody(player: int) -> Player:
    return Player(player, 5000 + player, Language.RU, None, None, None, news=True, signals=True)


async def failed(shop: Shop, player: int, at: datetime, status: str = "failed") -> None:
    async with shop.database.owner() as owner, owner.transaction():
        await owner.execute("SET LOCAL session_replication_role = replica")
        await owner.execute(
            """
            WITH made AS (
              INSERT INTO wallet_operations (user_id, operation_type, provider, currency, exponent, amount_minor,
                  status, request_key, actor, created_at, expires_at)
                VALUES ($1, 'deposit', 'stripe', 'USD', 2, 100, $2::operation_status, gen_random_uuid()::text, 'test',
                  $3, $3)
                RETURNING *)
            INSERT INTO audit_log (user_id, actor, action, status, amount_minor, currency, entity_type, entity_id,
                details)
              SELECT user_id, actor, operation_type, status, amount_minor, currency, 'operation', operation_id,
                  jsonb_build_object('provider', provider) FROM made
            """,
            player,
            status,
            at,
        )


async def due(shop: Shop) -> None:
    while await shop.bookkeeping.work():
        pass


async def arguments(shop: Shop, text_id: str, chat_id: int = ADMIN) -> list[dict[str, object]]:
    async with shop.database.connection() as tx:
        rows = await tx.fetch(
            "SELECT arguments FROM outbox WHERE text_id = $1 AND chat_id = $2 ORDER BY id", text_id, chat_id
        )
    return [row["arguments"] for row in rows]


# ---- figures


async def test_an_empty_business_is_counted_too(shop: Shop) -> None:
    overview = await shop.insights.overview(NOW)
    assert overview.counters == Counters(0, 0, 0, 0)
    assert overview.headcounts == [Headcount(days, 0, 0, 0, 0) for days in SPANS]
    assert overview.alerts == []
    for name in Named:
        days = await shop.insights.attendance(Period(name), NOW)
        assert 1 <= len(days) <= 366
        assert {(day.new, day.active) for day in days} == {(0, 0)}
        takings = await shop.insights.takings(Period(name), NOW)
        assert (takings.turnover, takings.returned) == ([], [])
        (casino,) = await shop.insights.casinos(Period(name), NOW)
        assert (casino.title, casino.first, casino.repeated, casino.unclaimed) == ("1Win", 0, 0, 0)
        assert casino.linked == casino.overall == Conversion("1win", 0, 0, 0)
    for registered in (False, True):
        for casino_deposits in (False, True):
            weeks = await shop.insights.cohorts(NOW, registered=registered, casino=casino_deposits)
            assert [(week.size, sum(week.deposited)) for week in weeks] == [(0, 0)] * WEEKS


async def test_the_four_counters_say_what_is_said_to_each_player(shop: Shop) -> None:
    life = Life(shop.database)
    nobody, member, depositor, both, left, odd = [await life.came(NOW) for _ in range(6)]
    for player in (member, both, odd):
        await life.joined(player)
    await life.joined(left, member=False)
    for player in (depositor, both, both, left):
        await life.reported(player, "deposit", NOW, "100")
    await life.reported(odd, "deposit", NOW, problem="amount-missing")
    await life.reported(nobody, "registration", NOW)
    await life.reported(nobody, "win", NOW, "5")
    await life.reported(None, "deposit", NOW, "100")
    for channel, opened in ((True, 1), (False, 3)):
        insights = replace(shop.insights, channel=channel)
        counters = (await insights.overview(NOW)).counters
        assert counters == Counters(users=6, subscribed=3, signals_open=opened, deposited=3)
        async with shop.database.connection() as tx:
            told = [await signals.access(tx, player, channel=channel) for player in range(nobody, odd + 1)]
        assert sum(one.open for one in told) == opened
        assert sum(one.deposited for one in told) == 3


async def test_players_are_counted_by_the_days_of_the_time_zone(shop: Shop) -> None:
    life = Life(shop.database)
    await life.came(moscow("2026-04-15 00:00"), wrote=[TODAY])
    await life.came(moscow("2026-04-14 23:59:59"), wrote=[date(2026, 4, 14), TODAY])
    await life.came(moscow("2026-04-09 00:00"), wrote=[date(2026, 4, 9), date(2026, 4, 10)])
    await life.came(moscow("2026-04-08 23:59"), wrote=[date(2026, 4, 8), date(2026, 4, 2)])
    await life.came(moscow("2026-03-17 00:00"), wrote=[date(2026, 3, 17)])
    await life.came(moscow("2026-03-16 23:59"), wrote=[date(2026, 3, 16), date(2026, 2, 15), date(2026, 2, 14)])
    await life.came(moscow("2026-02-14 23:59"), wrote=[date(2026, 2, 14)])
    assert (await shop.insights.overview(NOW)).headcounts == [
        Headcount(1, new=1, new_before=1, active=2, active_before=1),
        Headcount(7, new=3, new_before=1, active=3, active_before=1),
        Headcount(30, new=5, new_before=1, active=5, active_before=1),
    ]
    days = {day.day: (day.new, day.active) for day in await shop.insights.attendance(Period(Named.WEEK), NOW)}
    assert list(days) == [date(2026, 4, day) for day in range(9, 16)]
    assert days[date(2026, 4, 9)] == (1, 1)
    assert days[date(2026, 4, 10)] == (0, 1)
    assert days[date(2026, 4, 14)] == (1, 1)
    assert days[TODAY] == (1, 2)
    assert sum(new for new, _ in days.values()) == 3


async def test_a_day_of_23_hours_and_one_of_25_begin_and_end_at_midnight(shop: Shop) -> None:
    """Berlin's clocks were changed on 29 March 2026, and on 25 October."""
    life, insights = Life(shop.database), replace(shop.insights, timezone=BERLIN)
    for day, first, last in (
        ("2026-03-29", "2026-03-29T00:00+01:00", "2026-03-29T23:59+02:00"),
        ("2026-10-25", "2026-10-25T00:00+02:00", "2026-10-25T23:59+01:00"),
    ):
        before, inside = datetime.fromisoformat(first), datetime.fromisoformat(last)
        for at in (before - timedelta(minutes=1), before, inside, inside + timedelta(minutes=1)):
            await life.came(at)
        overview = await insights.overview(inside)
        assert (overview.headcounts[0].new, overview.headcounts[0].new_before) == (3, 1)  # it has no end yet
        days = {one.day: one.new for one in await insights.attendance(Period(Named.WEEK), inside)}
        assert days[date.fromisoformat(day)] == 2
        weeks = await insights.cohorts(inside, registered=False, casino=True)
        assert weeks[-1].size == 3  # a Sunday: what came a minute later is of the next week
        assert weeks[-1].week == date.fromisoformat(day) - timedelta(days=6)


async def test_money_is_added_up_by_provider_and_currency_and_attempts_that_ended_are_counted(shop: Shop) -> None:
    life = Life(shop.database)
    anna = await life.came(moscow("2026-01-01 00:00"))
    past = Past(somebody(anna), moscow("2026-04-15 10:00"))
    past.deposit(100_00, at=moscow("2026-02-01 10:00"))
    past.deposit(10_00, at=moscow("2026-04-14 23:59"))
    past.deposit(10_01, at=moscow("2026-04-15 00:00"))
    past.deposit(20_00)
    past.deposit(500_00, "RUB")
    past.withdraw(15_00)
    past.withdraw(5_00, paid=False)
    past.withdraw(5_00, paid=None)
    await past.book(shop.database)
    await failed(shop, anna, moscow("2026-04-15 09:00"))
    await failed(shop, anna, moscow("2026-04-15 09:00"), "expired")
    await failed(shop, anna, moscow("2026-04-15 09:00"), "pending")
    await failed(shop, anna, moscow("2026-04-01 09:00"))

    def usd(kind: str, provider: str, count: int, minor: int, ended: int, succeeded: int) -> Turnover:
        return Turnover(kind, provider, count, Money(minor, "USD"), ended, succeeded)

    rubles = Turnover("deposit", "stripe", 1, Money(500_00, "RUB"), 1, 1)
    paid_out = usd("withdrawal", "manual", 1, 15_00, 2, 1)
    today = (await shop.insights.takings(Period(Named.TODAY), NOW)).turnover
    assert today == [rubles, usd("deposit", "stripe", 2, 30_01, 4, 2), paid_out]
    assert today[1].total.average(2) == Money(15_01, "USD")
    week = (await shop.insights.takings(Period(Named.WEEK), NOW)).turnover
    assert week == [rubles, usd("deposit", "stripe", 3, 40_01, 5, 3), paid_out]
    month = (await shop.insights.takings(Period(Named.THIRTY_DAYS), NOW)).turnover
    assert month == [rubles, usd("deposit", "stripe", 3, 40_01, 6, 3), paid_out]
    ever = (await shop.insights.takings(Period(Named.ALL), NOW)).turnover
    assert ever == [rubles, usd("deposit", "stripe", 4, 140_01, 7, 4), paid_out]


async def test_what_went_back_is_told_beside_what_came(shop: Shop) -> None:
    anna = await shop.player()
    await shop.deposited(anna, Money(50_00, "USD"))
    async with shop.database.connection() as tx:
        payment = await tx.fetchval("SELECT payment_ref FROM wallet_operations")
    await shop.world.stripe.refund(payment, 20_00, webhook="never")
    await shop.reconciliation.run(ProviderName.STRIPE, datetime.now(UTC) - timedelta(days=1), actor="test")
    takings = await shop.insights.takings(Period(Named.TODAY), datetime.now(UTC))
    assert [(one.kind, one.provider, one.count, one.total) for one in takings.returned] == [
        ("refund", "stripe", 1, Money(20_00, "USD"))
    ]
    assert takings.turnover[0].total == Money(50_00, "USD")


async def test_a_casinos_reports_are_added_up_by_currency_and_first_deposits_told_from_repeated(shop: Shop) -> None:
    life = Life(shop.database)
    old, new, slow, late = [await life.came(moscow("2026-01-01 00:00")) for _ in range(4)]
    await life.linked(old, moscow("2026-02-01 00:00"))
    await life.linked(new, moscow("2026-04-10 00:00"))
    await life.linked(slow, moscow("2026-04-10 00:00"))
    await life.linked(late, moscow("2026-04-12 00:00"))
    await life.linked(old, moscow("2026-04-12 00:00"), programme="second")
    for player in (new, slow):
        await life.reported(player, "registration", moscow("2026-04-10 00:00"))
    await life.reported(old, "deposit", moscow("2026-02-02 00:00"), "1000")
    await life.reported(old, "deposit", moscow("2026-04-09 00:00"), "500.50")
    await life.reported(old, "deposit", moscow("2026-04-13 00:00"), "10", "KZT", programme="second")
    await life.reported(new, "deposit", moscow("2026-04-11 00:00"), "300")
    await life.reported(new, "deposit", moscow("2026-04-11 00:01"), "7.25", "EUR")
    await life.reported(late, "deposit", moscow("2026-04-01 00:00"), "40")  # it had waited for its player
    await life.reported(new, "deposit", moscow("2026-04-12 00:00"), "9999", problem="amount-odd")
    await life.reported(new, "unknown", moscow("2026-04-12 00:00"), problem="event-unknown")
    await life.reported(None, "deposit", moscow("2026-04-12 00:00"), "777")
    await life.reported(None, "registration", moscow("2026-04-12 00:00"))
    await life.reported(new, "withdrawal", moscow("2026-04-14 00:00"), "100")
    await life.reported(new, "win", moscow("2026-04-14 00:00"), "60")
    await life.reported(new, "win", moscow("2026-04-14 00:00"), "40")

    first, second = await shop.insights.casinos(Period(Named.WEEK), NOW)
    assert (first.title, second.title) == ("1Win", "second")  # the second is in no settings any more
    assert [(one.kind, one.count, one.total) for one in first.turnover] == [
        (CasinoEventKind.DEPOSIT, 1, CasinoMoney(Decimal("7.25"), "EUR")),
        (CasinoEventKind.DEPOSIT, 2, CasinoMoney(Decimal("800.50"), "RUB")),
        (CasinoEventKind.REGISTRATION, 2, None),
        (CasinoEventKind.WIN, 2, CasinoMoney(Decimal(100), "RUB")),
        (CasinoEventKind.WITHDRAWAL, 1, CasinoMoney(Decimal(100), "RUB")),
    ]
    assert (first.count(CasinoEventKind.DEPOSIT), first.first, first.repeated) == (3, 1, 2)
    assert first.linked == Conversion("1win", registered=3, deposited=2, repeated=1)
    assert first.overall == Conversion("1win", registered=4, deposited=3, repeated=2)
    assert first.unclaimed == 2
    assert (second.first, second.repeated, second.unclaimed) == (1, 0, 0)
    assert second.linked == second.overall == Conversion("second", 1, 1, 0)
    ever, _ = await shop.insights.casinos(Period(Named.ALL), NOW)
    assert (ever.count(CasinoEventKind.DEPOSIT), ever.first, ever.repeated) == (5, 3, 2)
    assert ever.linked == ever.overall == first.overall
    today, _ = await shop.insights.casinos(Period(Named.TODAY), NOW)
    assert (today.turnover, today.first, today.linked) == ([], 0, Conversion("1win", 0, 0, 0))


async def test_cohorts_are_of_iso_weeks_and_a_player_counts_once_in_each(shop: Shop) -> None:
    """NOW is in the week of 13 April; the first of eight began on 23 February."""
    life = Life(shop.database)
    early = await life.came(moscow("2026-02-22 23:59"))
    monday, sunday = await life.came(moscow("2026-02-23 00:00")), await life.came(moscow("2026-03-01 23:59"))
    newest = await life.came(moscow("2026-04-13 00:00"))
    await life.linked(early, moscow("2026-03-02 00:00"))
    await life.linked(monday, moscow("2026-03-02 12:00"))
    await life.linked(monday, moscow("2026-04-14 12:00"), programme="second")
    for at in ("2026-02-23 00:00", "2026-02-25 12:00", "2026-03-02 00:00", "2026-04-13 09:00"):
        await life.reported(monday, "deposit", moscow(at), "10")
    await life.reported(sunday, "deposit", moscow("2026-02-20 00:00"), "10")  # before the first word: its first week
    await life.reported(early, "deposit", moscow("2026-03-05 00:00"), "10")
    await life.reported(newest, "deposit", moscow("2026-04-14 00:00"), "10", problem="amount-odd")
    await deposited(shop, newest, [(moscow("2026-04-15 00:00"), 10_00)])
    await deposited(shop, sunday, [(moscow("2026-03-09 00:00"), 10_00), (moscow("2026-03-10 00:00"), 5_00)])

    weeks = await shop.insights.cohorts(NOW, registered=False, casino=True)
    assert [week.week for week in weeks] == [date(2026, 2, 23) + timedelta(weeks=number) for number in range(8)]
    assert [week.size for week in weeks] == [2, 0, 0, 0, 0, 0, 0, 1]
    assert weeks[0].deposited == [2, 1, 0, 0, 0, 0, 0, 1]
    assert [len(week.deposited) for week in weeks] == [8, 7, 6, 5, 4, 3, 2, 1]
    assert weeks[7].deposited == [0]
    here = await shop.insights.cohorts(NOW, registered=False, casino=False)
    assert here[0].deposited == [0, 0, 1, 0, 0, 0, 0, 0]
    assert here[7].deposited == [1]
    registered = await shop.insights.cohorts(NOW, registered=True, casino=True)
    assert [week.size for week in registered] == [0, 2, 0, 0, 0, 0, 0, 0]  # by the first account, not the second
    assert registered[1].deposited == [2, 0, 0, 0, 0, 0, 1]


async def test_a_week_that_holds_the_turn_of_the_year_is_one(shop: Shop) -> None:
    life, now = Life(shop.database), moscow("2027-01-03 12:00")
    for at in ("2026-12-27 23:59", "2026-12-28 00:00", "2026-12-31 23:59", "2027-01-01 00:00"):
        await life.came(moscow(at))
    weeks = await shop.insights.cohorts(now, registered=False, casino=True)
    assert [(week.week, week.size) for week in weeks[-2:]] == [(date(2026, 12, 21), 1), (date(2026, 12, 28), 3)]


# ---- the morning


async def test_the_summary_of_yesterday_is_told_once_to_who_may_see_it(shop: Shop) -> None:
    life = Life(shop.database)
    await shop.desk.grant(ADMIN, 910, Role.EDITOR)
    await shop.desk.grant(ADMIN, 911, Role.SUPPORT)
    anna = await life.came(moscow("2026-04-14 08:00"), wrote=[date(2026, 4, 13), date(2026, 4, 14), TODAY])
    await life.came(moscow("2026-04-13 08:00"), wrote=[date(2026, 4, 14)])
    await life.came(moscow("2026-04-15 08:00"), wrote=[TODAY])
    await deposited(shop, anna, [(moscow("2026-04-14 00:00"), 10_00), (moscow("2026-04-14 23:59"), 5_50)])
    await life.reported(anna, "registration", moscow("2026-04-14 09:00"))
    await life.reported(anna, "deposit", moscow("2026-04-14 10:00"), "1000.5")
    await life.reported(anna, "deposit", moscow("2026-04-15 00:00"), "1")
    nine = moscow("2026-04-15 09:00")
    await asyncio.gather(*(shop.insights.schedule(nine + timedelta(hours=hour)) for hour in (0, 0, 0, 1, 14)))
    await asyncio.gather(due(shop), due(shop))
    assert [await shop.told(admin) for admin in (ADMIN, SECOND_ADMIN)] == [["admin-summary"]] * 2
    assert (await shop.told(910))[-1:] == ["admin-summary"]
    assert "admin-summary" not in await shop.told(911)
    (said,) = await arguments(shop, "admin-summary")
    assert said == {
        "day": "14.04.2026",
        "new": 1,
        "new_before": 1,
        "active": 2,
        "active_before": 1,
        "deposits": "15.50\u00a0USD (2)",
        "withdrawals": "—",
        "registrations": 1,
        "casino": "1\u00a0000.50\u00a0RUB (1)",
        "waiting": 0,
        "items": 0,
        "deliveries": 0,
        "messages": 0,
        "alerts": 0,
    }
    await shop.insights.schedule(nine + timedelta(days=1))
    await due(shop)
    assert await shop.told(ADMIN) == ["admin-summary"] * 2


async def test_the_day_of_a_summary_is_that_of_the_time_zone(shop: Shop) -> None:
    tokyo = replace(shop.insights, timezone=ZoneInfo("Pacific/Auckland"))
    await tokyo.schedule(datetime(2026, 4, 14, 21, 0, tzinfo=UTC))  # nine in the morning of the 15th there
    async with shop.database.connection() as tx:
        assert await tx.fetchval("SELECT dedupe_key FROM job") == "summary:2026-04-15"


# ---- alerts


def every(gap: timedelta, first: datetime, last: datetime) -> list[datetime]:
    times = []
    while first <= last:
        times.append(first)
        first += gap
    return times


async def watched(insights: Insights, since: datetime, until: datetime) -> None:
    for at in every(timedelta(minutes=5), since, until):
        await insights.watch(at)


LAST = NOW - timedelta(hours=7)
REGULAR = every(timedelta(minutes=30), LAST - timedelta(days=4), LAST)


async def awake(shop: Shop, since: datetime) -> None:
    """Somebody has watched since then, the last time just now."""
    async with shop.database.owner() as owner:
        await owner.execute("UPDATE house SET watched_since = $1, watched_at = $2", since, NOW)


async def test_a_source_that_falls_silent_is_told_once_whatever_restarts_and_once_when_it_speaks(shop: Shop) -> None:
    life = Life(shop.database)
    await life.delivered("stripe", REGULAR)
    await life.delivered("casino:1win", every(timedelta(minutes=30), LAST - timedelta(days=4), NOW))
    await awake(shop, NOW - timedelta(days=10))
    restarted = replace(shop.insights)
    await asyncio.gather(*(shop.insights.watch(NOW) for _ in range(4)), *(restarted.watch(NOW) for _ in range(4)))
    await restarted.watch(NOW + timedelta(minutes=5))
    assert await shop.told(ADMIN) == ["admin-source-silent"]
    (said,) = await arguments(shop, "admin-source-silent")
    assert said == {"source": "Stripe", "since": {"at": LAST.isoformat()}, "minutes": 30, "casino": 0}
    (alert,) = (await shop.insights.overview(NOW)).alerts
    assert (alert.kind, alert.subject, alert.since) == ("silence", "stripe", LAST)
    await life.delivered("stripe", [NOW + timedelta(minutes=7)])
    later = NOW + timedelta(minutes=10)
    await asyncio.gather(*(shop.insights.watch(later) for _ in range(4)))
    assert await shop.told(ADMIN) == ["admin-source-silent", "admin-source-heard"]
    assert (await shop.insights.overview(NOW)).alerts == []


async def test_a_second_silence_is_told_again(shop: Shop) -> None:
    life = Life(shop.database)
    await life.delivered("yookassa", REGULAR)
    await awake(shop, NOW - timedelta(days=10))
    await shop.insights.watch(NOW)
    again = NOW + timedelta(minutes=5)
    await life.delivered("yookassa", [again])
    await watched(shop.insights, again + timedelta(minutes=5), again + timedelta(hours=8))
    assert await shop.told(ADMIN) == ["admin-source-silent", "admin-source-heard", "admin-source-silent"]


@pytest.mark.parametrize(
    ("times", "told"),
    [
        (every(timedelta(minutes=30), LAST - timedelta(days=4), LAST), True),
        (every(timedelta(minutes=30), LAST - timedelta(days=4), LAST + timedelta(hours=1, minutes=1)), False),
        (every(timedelta(hours=1), LAST - timedelta(days=4), LAST), False),  # ten times its gap are ten hours
        (every(timedelta(minutes=5), LAST - timedelta(hours=10), LAST), False),  # lively, but on two days only
        (every(timedelta(hours=5), LAST - timedelta(days=3), LAST), False),  # 15 deliveries are no traffic
        (every(timedelta(minutes=30), LAST - timedelta(days=40), LAST - timedelta(days=10)), False),
        ([], False),
    ],
)
async def test_only_who_is_heard_regularly_can_be_missed(shop: Shop, times: list[datetime], told: bool) -> None:
    await Life(shop.database).delivered("stripe", times)
    await awake(shop, NOW - timedelta(days=10))
    await shop.insights.watch(NOW)
    assert await shop.told(ADMIN) == (["admin-source-silent"] if told else [])


async def test_while_nobody_listened_nobody_was_silent(shop: Shop) -> None:
    """The bot was away for seven hours: the providers repeat what they had to say, and have six hours for it."""
    await Life(shop.database).delivered("stripe", REGULAR)
    async with shop.database.owner() as owner:
        await owner.execute("UPDATE house SET watched_since = $1, watched_at = $2", NOW - timedelta(days=10), LAST)
    await watched(shop.insights, NOW, NOW + timedelta(hours=6))
    assert await shop.told(ADMIN) == []
    await shop.insights.watch(NOW + timedelta(hours=6, minutes=5))
    assert await shop.told(ADMIN) == ["admin-source-silent"]


async def test_an_alert_about_a_source_that_is_no_more_in_the_settings_ends_in_silence(shop: Shop) -> None:
    await Life(shop.database).delivered("stripe", REGULAR)
    await awake(shop, NOW - timedelta(days=10))
    await shop.insights.watch(NOW)
    without = replace(shop.insights, sources={"yookassa": "YooKassa"})
    await without.watch(NOW + timedelta(minutes=5))
    assert await shop.told(ADMIN) == ["admin-source-silent"]
    assert (await without.overview(NOW)).alerts == []


async def test_what_waits_longer_than_ten_minutes_is_told_once_an_hour_at_most(shop: Shop) -> None:
    now = datetime.now(UTC)
    async with shop.database.owner() as owner:
        await owner.execute(
            "INSERT INTO job (kind, dedupe_key, run_at, created_at) VALUES ('x', 'x', 'infinity', now())"
        )
        await owner.execute(
            "INSERT INTO outbox (dedupe_key, chat_id, text_id, arguments, priority, run_at, created_at) VALUES"
            " ('a', 1, 'menu', '{}', 0, 'infinity', now() - interval '11 min'),"
            " ('b', 1, 'menu', '{}', 9, 'infinity', now() - interval '2 days')"
        )
    await asyncio.gather(*(shop.insights.watch(now) for _ in range(4)))
    assert [said["queue"] for said in await arguments(shop, "admin-queue-stuck")] == ["messages"]
    await Life(shop.database).delivered("stripe", [now - timedelta(minutes=30)])
    async with shop.database.owner() as owner:
        await owner.execute("UPDATE webhook_inbox SET state = 'queued', run_at = 'infinity'")
        await owner.execute("UPDATE job SET created_at = now() - interval '11 min'")
    await shop.insights.watch(now)
    assert {said["queue"] for said in await arguments(shop, "admin-queue-stuck")} == {"messages", "inbox", "jobs"}
    async with shop.database.owner() as owner:
        await owner.execute("UPDATE webhook_inbox SET state = 'done'")
        await owner.execute("UPDATE job SET state = 'done'")
        await owner.execute("UPDATE outbox SET state = 'sent'")
    await shop.insights.watch(now)
    assert (await shop.insights.overview(now)).alerts == []
    async with shop.database.owner() as owner:
        await owner.execute("UPDATE job SET state = 'queued'")
    await shop.insights.watch(now)
    assert len((await shop.insights.overview(now)).alerts) == 1
    assert len(await arguments(shop, "admin-queue-stuck")) == 3


async def registered(life: Life, at: datetime, accounts: int, deposited: int, late: int = 0) -> None:
    """So many accounts on one day; so many of them with a deposit in time, others with one that came too late."""
    for number in range(accounts):
        player = await life.came(at)
        await life.linked(player, at)
        if number < deposited:
            await life.reported(player, "deposit", at + timedelta(days=2, hours=23), "10")
        elif number < deposited + late:
            await life.reported(player, "deposit", at + timedelta(days=3), "10")


@pytest.mark.parametrize(
    ("recent", "before", "told"),
    [
        ((20, 4, 5), (40, 20, 0), True),  # 20 % after 50 %
        ((20, 5, 5), (40, 20, 0), False),  # half is not below half
        ((19, 0, 0), (40, 20, 0), False),  # too few to tell
        ((20, 0, 0), (19, 19, 0), False),
        ((20, 0, 0), (40, 0, 0), False),  # it was never better
    ],
)
async def test_registrations_without_deposits_are_told_once_a_day(
    shop: Shop, recent: tuple[int, int, int], before: tuple[int, int, int], told: bool
) -> None:
    life = Life(shop.database)
    await registered(life, moscow("2026-04-05 00:00"), *recent)  # the first of the seven days
    await registered(life, moscow("2026-04-04 23:00"), *before)
    await registered(life, moscow("2026-04-12 00:00"), 25, 0)  # their three days are not over
    await registered(life, moscow("2026-03-07 23:00"), 25, 25)  # before the 28 days
    await shop.insights.schedule(NOW)
    await due(shop)
    await shop.insights.schedule(NOW)
    await due(shop)
    assert await shop.told(ADMIN) == (["admin-conversion-fell", "admin-summary"] if told else ["admin-summary"])
    assert [one.subject for one in (await shop.insights.overview(NOW)).alerts] == (["casino:1win"] if told else [])
    assert (await arguments(shop, "admin-summary"))[0]["alerts"] == int(told)
    if told:
        (said,) = await arguments(shop, "admin-conversion-fell")
        assert said == {"source": "1Win", "bound": 20, "paid": 4, "bound_before": 40, "paid_before": 20}
        await shop.insights.schedule(NOW + timedelta(days=9))  # those three weeks on are the recent ones now
        await due(shop)
        assert (await shop.insights.overview(NOW)).alerts == []
