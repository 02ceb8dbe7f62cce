"""The history shows each movement once whichever way it is read, and its sums are those of the ledger."""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import asyncpg
import pytest

from db import wallets
from db.models import Asked, Movement, Player, ProviderName, Span, Summary
from db.money import Money
from db.wallets import Selection, wallet_number
from services.errors import NotFound
from services.periods import Named, Period
from services.wallets import PAGE, Filter, Kind, Status
from tests.past import Past, year
from tests.shop import Shop

NOW = datetime.now(UTC)


async def walked(shop: Shop, player: Player, selection: Selection, limit: int) -> tuple[list[Movement], list[Movement]]:
    """Everything from the newest to the oldest, and from there back."""
    down: list[Movement] = []
    up: list[Movement] = []
    async with shop.database.connection() as tx:
        page = await wallets.history(tx, player.id, selection, before=None, after=None, limit=limit)
        assert page.newer is None
        down.extend(page.items)
        while page.older is not None:
            page = await wallets.history(tx, player.id, selection, before=page.older, after=None, limit=limit)
            down.extend(page.items)
        up.extend(reversed(page.items))
        while page.newer is not None:
            page = await wallets.history(tx, player.id, selection, before=None, after=page.newer, limit=limit)
            up.extend(reversed(page.items))
    return down, up


async def test_each_of_thousands_of_movements_is_shown_once_in_both_directions_and_with_filters(
    shop: Shop, many: int
) -> None:
    anna = await shop.player()
    await year(anna, many, ends=NOW).book(shop.database)
    ben = await shop.player(1002)
    await replace_first(Past(ben, NOW - timedelta(days=3), first_operation=90_000)).book(shop.database)
    async with shop.database.connection() as tx:
        rows = await tx.fetch(
            "SELECT transaction_id, currency, transaction_type, created_at, provider FROM balance_transactions"
            " WHERE user_id = $1 ORDER BY transaction_id DESC, currency",
            anna.id,
        )
    everything = [tuple(row) for row in rows]
    since, until = NOW - timedelta(days=200), NOW - timedelta(days=100)
    cases: list[tuple[Selection, int, Callable[[tuple[Any, ...]], bool]]] = [
        (Selection(), 97, lambda _: True),
        (Selection(only=wallets.BETS), 50, lambda row: row[2].startswith("bet_")),
        (Selection(currency="RUB"), 40, lambda row: row[1] == "RUB"),
        (Selection(provider="stripe"), 8, lambda row: row[4] == "stripe"),
        (Selection(since=since, until=until), 30, lambda row: since <= row[3] < until),
        (
            Selection(without=(*wallets.DEPOSITS, *wallets.WITHDRAWALS, *wallets.BETS), currency="EUR", since=since),
            8,
            lambda row: row[2] in ("bonus_added", "exchange") and row[1] == "EUR" and row[3] >= since,
        ),
    ]
    for selection, limit, wanted in cases:
        down, up = await walked(shop, anna, selection, limit)
        expected = [row[:2] for row in everything if wanted(row)]
        assert [(one.journal_id, one.amount.currency) for one in down] == expected, selection
        assert sorted(up, key=key, reverse=True) == sorted(down, key=key, reverse=True)
        assert len(up) == len(down)


def key(movement: Movement) -> tuple[int, str]:
    return movement.journal_id, movement.amount.currency


def replace_first(past: Past) -> Past:
    """A few movements of somebody else."""
    past.deposit(10_00)
    past.bet(1_00, 0)
    return past


async def test_new_movements_do_not_shift_the_pages(shop: Shop) -> None:
    anna = await shop.player()
    past = Past(anna, NOW - timedelta(days=1))
    for _ in range(PAGE + 3):
        past.deposit(1_00)
    await past.book(shop.database)
    first = (await shop.wallets.history(anna)).page
    more = Past(anna, NOW, first_operation=5000)
    more.deposit(7_00)
    await more.book(shop.database)
    second = (await shop.wallets.history(anna, before=first.older)).page
    assert [one.journal_id for one in moved([*first.items, *second.items])] == list(range(PAGE + 3, 0, -1))
    newest = (await shop.wallets.history(anna, after=first.newer or PAGE + 3)).page
    assert [one.amount for one in moved(newest.items)] == [Money(7_00, "USD")]


def moved(items: Sequence[Movement | Asked]) -> list[Movement]:
    return [one for one in items if isinstance(one, Movement)]


async def demo(shop: Shop) -> Player:
    """The requirements' example with sums that fit: 25 settled bets, 250.00 in open ones, 4,750.00 to spend."""
    anna = await shop.player()
    past = Past(anna, NOW - timedelta(days=20))
    past.deposit(8535_00)
    past.withdraw(5000_00)
    for number in range(25):
        past.at += timedelta(hours=1)
        if number == 15:
            past.at = NOW - timedelta(days=5)
        past.bet(95_00, 240_00 if number < 16 else 0)
    past.bet(50_00, None)
    past.bet(100_00, None, open_=True)
    past.bet(150_00, None, open_=True)
    await past.book(shop.database)
    return anna


async def test_the_balance_is_what_can_be_spent_and_what_lies_in_open_bets(shop: Shop) -> None:
    """getBalance 1, 3 and 4: 5000 in all, 4750 to spend, 250 in bets, and every rate."""
    anna = await demo(shop)
    wallet = await shop.wallet(anna, "USD")
    assert wallet.available == Money(4750_00, "USD")
    assert wallet.in_bets == Money(250_00, "USD")
    assert wallet.available + wallet.in_bets == Money(5000_00, "USD")
    assert wallet.bet == Money(2625_00, "USD")
    (found,) = await shop.wallets.statistics(anna, Period())
    assert found.summary.deposited == wallet.deposited == Money(8535_00, "USD")
    assert found.summary.withdrawn == wallet.withdrawn == Money(5000_00, "USD")
    assert found.placed == wallet.bet
    assert found.summary.turnover == Money(2375_00, "USD")
    assert found.summary.won == wallet.won == Money(3840_00, "USD")
    assert found.summary.lost == wallet.lost == Money(855_00, "USD")
    assert found.net == Money(1465_00, "USD")
    assert found.win_rate == Decimal("64.00")
    assert found.roi == Decimal("61.68")
    assert found.payback == Decimal("161.68")
    assert (found.summary.bets_won, found.summary.bets_lost, found.summary.bets_void) == (16, 9, 1)


async def test_somebody_unknown_has_no_balance_and_no_history(shop: Shop) -> None:
    """getBalance 2."""
    nobody = replace(await shop.player(), id=404)
    assert await shop.wallets.balances(nobody) == []
    assert await shop.wallets.statistics(nobody, Period()) == []
    assert (await shop.wallets.history(nobody)).page.items == []
    with pytest.raises(NotFound):
        await shop.wallets.story(nobody, Status.DONE, 1)
    with pytest.raises(NotFound):
        await shop.wallets.course(nobody, "USD")


async def test_pending_operations_are_told_apart_and_are_not_money_yet(shop: Shop) -> None:
    """getBalance 3: what waits to be paid in is not in the balance, what waits to be paid out is not in it any more."""
    anna = await shop.player()
    past = Past(anna, NOW - timedelta(days=1))
    past.deposit(5000_00)
    past.withdraw(250_00, paid=None)
    await past.book(shop.database)
    await shop.asks(anna, ProviderName.STRIPE)
    (found,) = await shop.wallets.statistics(anna, Period())
    assert found.pending_deposits == Money(50_00, "USD")
    assert found.pending_withdrawals == Money(250_00, "USD")
    assert (await shop.wallet(anna, "USD")).available == Money(4750_00, "USD")
    assert found.roi is None
    assert found.win_rate is None


async def test_a_very_large_balance_keeps_every_cent(shop: Shop) -> None:
    """getBalance 5."""
    anna = await shop.player()
    past = Past(anna, NOW - timedelta(days=1))
    past.deposit(999_999_99)
    past.deposit(9_000_000_000_000_000_00, "RUB")
    await past.book(shop.database)
    assert str((await shop.wallet(anna, "USD")).available) == "999 999.99 USD".replace(" ", "\u00a0")
    found = await shop.wallets.statistics(anna, Period())
    assert {one.summary.closing.plain for one in found} == {"999999.99", "9000000000000000.00"}


async def test_bets_and_money_are_one_history(shop: Shop) -> None:
    """getBetHistory 1, 2, 3, 4, 6 and 7."""
    anna = await demo(shop)
    bets = Filter(kind=Kind.BETS)
    found = await shop.wallets.history(anna, bets)
    assert found.total == 25 * 2 + 2 + 2
    down, _ = await walked(shop, anna, Selection(only=("bet_won",)), PAGE)
    assert len(down) == 16
    week = Period(Named.WEEK)
    (recent,) = await shop.wallets.statistics(anna, week)
    assert (recent.summary.bets_won, recent.summary.bets_lost) == (1, 9)
    assert recent.net == Money(240_00 - 950_00, "USD")
    assert recent.roi == Decimal("-74.74")
    assert (await shop.wallets.history(anna, replace(bets, period=week))).total == 10 * 2 + 2 + 2
    everything, _ = await walked(shop, anna, Selection(), PAGE)
    assert len(everything) == 54 + 3
    assert sum(one.amount.minor for one in everything) == (await shop.wallet(anna, "USD")).available.minor
    for newer, older in pairwise(everything):
        assert newer.before == older.after


async def test_operations_are_found_by_status(shop: Shop) -> None:
    """getBetHistory 5: what waits and what did not go through has no movement, and is listed all the same."""
    anna = await shop.player()
    open_ = await shop.asks(anna, ProviderName.STRIPE)
    paid = await shop.asks(anna, ProviderName.YOOKASSA)
    await shop.receives(ProviderName.YOOKASSA, await shop.pays(paid))
    await shop.works()
    waiting = (await shop.wallets.history(anna, Filter(status=Status.WAITING))).page.items
    assert [one.id for one in waiting if isinstance(one, Asked)] == [open_.id]
    assert (await shop.wallets.history(anna, Filter(status=Status.FAILED))).page.items == []
    assert (await shop.wallets.history(anna, Filter(Kind.BETS, Status.WAITING))).page.items == []
    (done,) = moved((await shop.wallets.history(anna)).page.items)
    assert done.entity_id == paid.id
    assert (await shop.wallets.history(anna, Filter(provider=ProviderName.STRIPE))).page.items == []
    assert (await shop.wallets.history(anna, Filter(provider=ProviderName.YOOKASSA))).total == 1
    story = await shop.wallets.story(anna, Status.DONE, done.journal_id)
    assert story.request
    assert story.request.id == paid.id
    assert story.request.reference == paid.provider_ref
    assert story.happened_at is not None
    assert (await shop.wallets.story(anna, Status.WAITING, open_.id)).movements == []
    ben = await shop.player(1002)
    for status, number in ((Status.DONE, done.journal_id), (Status.WAITING, open_.id)):
        with pytest.raises(NotFound):
            await shop.wallets.story(ben, status, number)


async def test_a_settlement_taken_back_counts_as_none(shop: Shop) -> None:
    anna = await shop.player()
    past = Past(anna, NOW - timedelta(days=2))
    past.deposit(100_00)
    past.bet(10_00, 30_00)
    past.take_back(f"bet:{anna.id}-1:settle")
    past.bets += 1
    past.settle(past.bets, 10_00, 0)
    await past.book(shop.database)
    (found,) = await shop.wallets.statistics(anna, Period())
    assert (found.summary.bets_won, found.summary.bets_lost) == (0, 1)
    assert found.net == Money(-10_00, "USD")
    assert found.roi == Decimal("-100.00")
    assert found.summary.closing == Money(90_00, "USD")


async def test_the_course_of_a_balance_is_each_days_last_word(shop: Shop) -> None:
    anna = await shop.player()
    past = Past(anna, NOW - timedelta(days=500))
    past.deposit(100_00)
    past.at = NOW - timedelta(days=40)
    past.deposit(50_00)
    past.withdraw(30_00)
    past.at = NOW - timedelta(days=10)
    past.bet(20_00, 0)
    await past.book(shop.database)
    course = await shop.wallets.course(anna, "USD")
    assert course.opening == Money(100_00, "USD")
    assert [(day.closing.minor, day.came.minor, day.went.minor) for day in course.days] == [
        (120_00, 50_00, 30_00),
        (100_00, 0, 0),
    ]


async def test_sums_of_long_histories_are_noted_once_and_say_what_the_movements_say(shop: Shop) -> None:
    anna = await shop.player()
    await year(anna, 2_600, ends=NOW, currencies=("USD",)).book(shop.database)
    wallet = wallet_number(anna.id, "USD")
    chance = random.Random(7)

    async def sums(span: Span) -> Summary:
        async with shop.database.connection() as tx:
            return await wallets.totals(tx, anna.id, span)

    async with shop.database.connection() as tx:
        last = await tx.fetchval("SELECT seq FROM wallet WHERE id = $1", wallet)
    starts = [1, 2, 999, 1000, 1001, 2001, *(chance.randint(1, last) for _ in range(6))]
    spans = [Span("USD", first, chance.choice([last, chance.randint(first - 1, last)])) for first in starts]
    before = [await sums(span) for span in spans]
    await asyncio.gather(*(shop.bookkeeping.checkpoint() for _ in range(4)))
    assert [await sums(span) for span in spans] == before
    async with shop.database.connection() as tx:
        noted = await tx.fetch("SELECT seq FROM wallet_checkpoint WHERE wallet = $1 ORDER BY seq", wallet)
        assert [row["seq"] for row in noted] == list(range(1000, last + 1, 1000))
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await tx.execute("INSERT INTO wallet_checkpoint SELECT * FROM wallet_sums($1, 3000)", wallet)
    async with shop.database.owner() as owner:
        await owner.execute("SET session_replication_role = replica")
        for column in ("deposited", "lost", "bets_void"):
            await owner.execute(f"UPDATE wallet_checkpoint SET {column} = {column} + 1 WHERE seq = 1000")
            assert {finding.rule for finding in await shop.bookkeeping.verify()} == {
                "checkpoint is what the ledger says"
            }
            await owner.execute(f"UPDATE wallet_checkpoint SET {column} = {column} - 1 WHERE seq = 1000")
