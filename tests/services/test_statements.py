"""Monthly statements: one for each wallet's month, without a gap or an overlap, whatever the clock does."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from db.models import Month, Player
from services.errors import NotFound
from services.periods import Period
from services.statements import Statements
from services.statistics import statistics
from tests.past import Past, moment, year
from tests.shop import Shop


async def made(shop: Shop, now: datetime | None = None) -> None:
    """A tick, and the jobs it makes due."""
    await shop.statements.schedule(now or datetime.now(UTC))
    while await shop.bookkeeping.work():
        pass


async def rows(shop: Shop, columns: str) -> list[tuple[Any, ...]]:
    async with shop.database.connection() as tx:
        found = await tx.fetch(f"SELECT {columns} FROM monthly_statements ORDER BY user_id, currency, year, month")
    return [tuple(row) for row in found]


async def test_a_month_ends_at_midnight_of_the_settings_zone(shop: Shop) -> None:
    anna = await shop.player()
    past = Past(anna, moment("2025-10-05"))
    past.deposit(100_00)
    past.deposit(1_00, at=moment("2025-10-31 20:59:59.999999"))  # in Moscow it is three hours later
    past.deposit(2_00, at=moment("2025-10-31 21:00:00"))
    await past.book(shop.database)
    await made(shop)
    assert await rows(shop, "year, month, first_seq, last_seq, opening_minor, closing_minor") == [
        (2025, 10, 1, 2, 0, 101_00),
        (2025, 11, 3, 3, 101_00, 103_00),
    ]


async def test_a_month_is_made_on_the_1st_and_not_before(shop: Shop) -> None:
    anna = await shop.player()
    past = Past(anna, moment("2025-10-05"))
    past.deposit(100_00)
    await past.book(shop.database)
    await made(shop, moment("2025-10-31 20:59:59"))
    assert await rows(shop, "month") == []
    await made(shop, moment("2025-10-31 21:00:00"))
    assert await rows(shop, "month") == [(10,)]
    async with shop.database.connection() as tx:
        assert await tx.fetchval("SELECT dedupe_key FROM job") == "statements:2025-10"
    now = datetime.now(UTC)
    with pytest.raises(ValueError, match="not over"):
        async with shop.database.transaction() as tx:
            await shop.statements.make(tx, f"{now:%Y-%m}")


async def test_twins_and_repeated_ticks_make_each_statement_once(shop: Shop) -> None:
    anna = await shop.player()
    await year(anna, 300, ends=moment("2026-03-10")).book(shop.database)
    await asyncio.gather(*(made(shop) for _ in range(5)))
    once = await rows(shop, "statement_id, currency, year, month, first_seq, last_seq")
    assert once

    async def again() -> int:
        async with shop.database.transaction() as tx:
            return await shop.statements.make(tx, "2026-02")

    assert await asyncio.gather(*(again() for _ in range(5))) == [0] * 5
    assert await rows(shop, "statement_id, currency, year, month, first_seq, last_seq") == once


async def test_months_that_nobody_was_awake_for_are_caught_up_in_any_order(shop: Shop) -> None:
    anna = await shop.player()
    past = Past(anna, moment("2025-01-10"))
    past.deposit(10_00)
    past.deposit(20_00, at=moment("2025-02-10"))
    past.deposit(40_00, at=moment("2025-05-10"))
    await past.book(shop.database)
    async with shop.database.transaction() as tx:
        assert await shop.statements.make(tx, "2025-06") == 3
        assert await shop.statements.make(tx, "2025-01") == 0
    expected = [(1, 1, 1, 0, 10_00), (2, 2, 2, 10_00, 30_00), (5, 3, 3, 30_00, 70_00)]
    assert await rows(shop, "month, first_seq, last_seq, opening_minor, closing_minor") == expected
    await made(shop)
    assert await rows(shop, "month, first_seq, last_seq, opening_minor, closing_minor") == expected


async def test_what_commits_after_midnight_is_in_one_statement_and_no_gap_is_left(shop: Shop) -> None:
    """The booking time is taken before the wallet is waited for, so times and numbers may cross midnight crosswise."""
    anna = await shop.player()
    past = Past(anna, moment("2025-10-05"))
    past.deposit(100_00)
    past.deposit(1_00, at=moment("2025-10-31 21:00:00.4"))
    past.deposit(2_00, at=moment("2025-10-31 20:59:59.9"))  # began earlier, came second
    await past.book(shop.database)
    await made(shop, moment("2025-11-01"))
    assert await rows(shop, "month, first_seq, last_seq") == [(10, 1, 3)]
    late = Past(anna, moment("2025-10-31 20:59:58"), first_operation=2000)
    late.deposit(4_00)  # as late as can be: the statement is made already
    late.deposit(8_00, at=moment("2025-11-20"))
    await late.book(shop.database)
    await made(shop, moment("2025-12-02"))
    assert await rows(shop, "month, first_seq, last_seq, opening_minor, closing_minor") == [
        (10, 1, 3, 0, 103_00),
        (11, 4, 5, 103_00, 115_00),
    ]


@pytest.mark.parametrize(
    ("zone", "last_of_the_month", "first_of_the_next", "month"),
    [
        ("Europe/Berlin", "2024-03-31 21:59:59", "2024-03-31 22:00:00", 3),  # summer time began that morning
        ("Europe/Berlin", "2024-10-31 22:59:59", "2024-10-31 23:00:00", 10),  # and ended four days before
        ("Africa/Cairo", "2024-10-31 21:59:59", "2024-10-31 22:00:00", 10),  # clocks go back at that very midnight
        ("America/Santiago", "2024-09-01 03:59:59", "2024-09-01 04:00:00", 8),
        ("Asia/Kolkata", "2024-02-29 18:29:59", "2024-02-29 18:30:00", 2),  # a leap day, and half an hour
        ("UTC", "2024-02-29 23:59:59", "2024-03-01 00:00:00", 2),
        ("Pacific/Kiritimati", "2024-02-29 09:59:59", "2024-02-29 10:00:00", 2),
        ("UTC", "2025-12-31 23:59:59", "2026-01-01 00:00:00", 12),
    ],
)
async def test_months_end_right_in_every_zone_and_on_every_calendar(
    shop: Shop, zone: str, last_of_the_month: str, first_of_the_next: str, month: int
) -> None:
    anna = await shop.player()
    past = Past(anna, moment(last_of_the_month))
    past.deposit(1_00)
    past.deposit(2_00, at=moment(first_of_the_next))
    await past.book(shop.database)
    statements = Statements(shop.database, ZoneInfo(zone))
    await statements.schedule(datetime.now(UTC))
    async with shop.database.transaction() as tx:
        await statements.make(tx, "2026-10")
    assert await rows(shop, "month, closing_minor") == [(month, 1_00), (month % 12 + 1, 3_00)]


async def test_a_year_of_statements_is_the_wallet(shop: Shop) -> None:
    anna = await shop.player()
    ends = moment("2026-10-31 20:00:00")
    await year(anna, 1500, ends=ends).book(shop.database)
    await made(shop)
    for currency in ("USD", "RUB", "EUR", "USDT"):
        async with shop.database.connection() as tx:
            sums = await tx.fetchrow(
                "SELECT sum(total_deposits), sum(total_withdrawals), sum(total_bets), sum(total_wins),"
                " sum(total_losses), (array_agg(closing_balance ORDER BY year DESC, month DESC))[1],"
                " sum(transaction_count)"
                " FROM monthly_statements WHERE currency = $1",
                currency,
            )
            wallet = await tx.fetchrow(
                "SELECT total_deposited, total_withdrawn, total_bet, total_won, total_lost, balance, seq"
                " FROM users_balance JOIN wallet USING (user_id, currency) WHERE currency = $1",
                currency,
            )
        assert tuple(sums or ()) == tuple(wallet or ())


async def test_a_statement_says_what_the_statistics_of_its_month_say(shop: Shop) -> None:
    anna = await shop.player()
    await year(anna, 800, ends=moment("2026-10-20")).book(shop.database)
    await made(shop)
    period = Period("260901260930")
    found = {one.currency: one for one in await shop.wallets.statistics(anna, period)}
    async with shop.database.connection() as tx:
        stated = await tx.fetch("SELECT * FROM monthly_statements WHERE year = 2026 AND month = 9")
    assert len(stated) == 4
    for row in stated:
        one = found[row["currency"]]
        assert row["net_profit"] == one.net.major
        assert row["roi_percent"] == one.roi
        assert row["win_rate_percent"] == one.win_rate
        assert row["bets_count"] == one.bets
        assert row["opening_balance"] == one.summary.opening.major
        assert row["closing_balance"] == one.summary.closing.major
        statement = await shop.statements.get(anna, row["statement_id"])
        assert statistics(statement.summary).roi == one.roi
        assert statement.summary == one.summary


async def test_the_samples_of_the_requirements_give_their_roi(shop: Shop) -> None:
    """Table 7: 180 of 2500 is 7.2 %, −549.50 of 800 is −68.69 %, 980 of 5000 is 19.6 %."""
    anna = await shop.player()
    past = Past(anna, moment("2025-12-02"))
    past.deposit(10_000_00)
    past.bet(2500_00, 2680_00)
    past.deposit(10_000_00, "EUR")
    past.bet(800_00, 250_50, "EUR")
    past.deposit(10_000_00, "RUB")
    past.bet(5000_00, 5980_00, "RUB")
    await past.book(shop.database)
    await made(shop)
    found = await rows(shop, "currency, total_bets::text, net_profit::text, roi_percent::text, win_rate_percent::text")
    assert found == [
        ("EUR", "800.00", "-549.50", "-68.69", "100.00"),
        ("RUB", "5000.00", "980.00", "19.60", "100.00"),
        ("USD", "2500.00", "180.00", "7.20", "100.00"),
    ]


async def test_a_bet_taken_back_in_a_later_month_changes_no_statement(shop: Shop) -> None:
    anna = await shop.player()
    past = Past(anna, moment("2025-10-05"))
    past.deposit(100_00)
    past.bet(10_00, 30_00)
    await past.book(shop.database)
    await made(shop, moment("2025-11-02"))
    before = await rows(shop, "*")
    later = Past(anna, moment("2025-11-05"), first_operation=2000, postings=list(past.postings))
    later.take_back(f"bet:{anna.id}-1:settle")
    later.postings = later.postings[-1:]
    await later.book(shop.database)
    await made(shop, moment("2025-12-02"))
    assert (await rows(shop, "*"))[0] == before[0]
    assert await rows(shop, "month, won_count, net_profit::text, roi_percent") == [
        (10, 1, "20.00", 200),
        (11, -1, "-20.00", None),
    ]


async def test_statements_are_listed_by_whole_months_and_only_to_their_player(shop: Shop) -> None:
    anna, ben = await shop.player(), await shop.player(1002)
    await year(anna, 600, ends=moment("2026-10-31")).book(shop.database)
    await made(shop)
    seen: list[Month] = []
    found, older = await shop.statements.months(anna)
    while True:
        seen.extend(found)
        months = [(one.year, one.month) for one in found]
        assert months == sorted(months, reverse=True)
        if older is None:
            break
        found, older = await shop.statements.months(anna, before=older)
    assert len(seen) == len({one.statement_id for one in seen}) == len(await rows(shop, "1"))
    assert await shop.statements.months(ben) == ([], None)
    with pytest.raises(NotFound):
        await shop.statements.get(ben, seen[0].statement_id)


async def test_a_statement_cannot_be_changed_and_a_changed_one_is_found(shop: Shop) -> None:
    anna = await shop.player()
    past = Past(anna, moment("2025-10-05"))
    past.deposit(100_00)
    past.deposit(100_00, at=moment("2025-11-05"))
    await past.book(shop.database)
    await made(shop)
    for change in (
        "UPDATE monthly_statements SET closing_minor = closing_minor + 1",
        "DELETE FROM monthly_statements",
        "TRUNCATE monthly_statements CASCADE",
    ):
        async with shop.database.owner() as owner:
            with pytest.raises(asyncpg.PostgresError, match="only added to"):
                await owner.execute(change)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with shop.database.connection() as tx:
                await tx.execute(change)
    for column in ("closing_minor", "opening_minor", "deposits_minor", "wins_minor", "last_seq", "turnover_minor"):
        async with shop.database.owner() as owner:
            await owner.execute("SET session_replication_role = replica")
            await owner.execute(f"UPDATE monthly_statements SET {column} = {column} + 1 WHERE month = 11")
            found = {finding.rule for finding in await shop.bookkeeping.verify()}
            assert found, column
            assert all(rule.startswith("statement") for rule in found)
            await owner.execute(f"UPDATE monthly_statements SET {column} = {column} - 1 WHERE month = 11")


async def test_the_place_of_a_moment_is_found_in_any_wallet(shop: Shop) -> None:
    anna: Player = await shop.player()
    past = year(anna, 400, ends=moment("2026-06-01"), currencies=("USD",))
    await past.book(shop.database)
    async with shop.database.connection() as tx:
        booked = [
            row["created_at"]
            for row in await tx.fetch("SELECT created_at FROM balance_transactions ORDER BY wallet_seq")
        ]
        wallet = anna.id * 100 + 1
        for nth in (0, 1, 57, 200, 399):
            for shift in (timedelta(0), timedelta(microseconds=1)):
                at = booked[nth] + shift
                expected = max((seq for seq, one in enumerate(booked, start=1) if one < at), default=0)
                assert await tx.fetchval("SELECT wallet_seq_before($1, $2)", wallet, at) == expected
        assert await tx.fetchval("SELECT wallet_seq_before($1, 'infinity')", wallet) == len(booked)
        assert await tx.fetchval("SELECT wallet_seq_before($1, '-infinity')", wallet) == 0
        assert await tx.fetchval("SELECT wallet_seq_before(99999, now())") == 0
