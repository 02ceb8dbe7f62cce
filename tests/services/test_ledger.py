"""What the database itself promises about money, whatever the program does."""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress

import asyncpg
import pytest

from db import ledger
from db.database import Database
from db.ledger import (
    KeyReused,
    LedgerRefusal,
    Malformed,
    NotBalanced,
    NotReversible,
    Overdraft,
    Posting,
    UnknownAccount,
    WalletNotOpen,
)

PLAYER = 1
AVAILABLE, HELD, STRIPE = "player:1:available:USD", "player:1:withdrawals:USD", "provider:stripe:USD"


async def open_player(database: Database, telegram_id: int = 1001, *currencies: str) -> int:
    async with database.transaction() as tx:
        player = await tx.fetchval(
            "INSERT INTO users (telegram_id, language) VALUES ($1, 'en') RETURNING id", telegram_id
        )
        for currency in currencies or ("USD",):
            await ledger.open_wallet(tx, player, currency)
    return int(player)


async def post(
    database: Database, key: str, kind: str, legs: Mapping[str, int], reverses: int | None = None
) -> Posting:
    async with database.transaction() as tx:
        return await ledger.post(tx, key=key, kind=kind, legs=legs, actor="test", reverses=reverses)


async def deposit(database: Database, minor: int, key: str = "deposit:1") -> Posting:
    return await post(database, key, "deposit", {AVAILABLE: minor, STRIPE: -minor})


async def wallet(database: Database) -> Mapping[str, int]:
    async with database.connection() as tx:
        row = await tx.fetchrow("SELECT * FROM wallet WHERE user_id = 1 AND currency = 'USD'")
    assert row is not None
    return dict(row)


async def findings(database: Database) -> list[str]:
    async with database.transaction() as tx:
        return [f"{finding.rule}: {finding.detail}" for finding in await ledger.verify(tx, timeout=60)]


@pytest.fixture(autouse=True)
async def books_are_sound_afterwards(database: Database) -> AsyncIterator[None]:
    yield
    assert await findings(database) == []


async def test_200_concurrent_copies_of_one_posting_count_once(database: Database) -> None:
    await open_player(database)
    postings = await asyncio.gather(*(deposit(database, 50_00) for _ in range(200)))
    assert sum(not posting.replayed for posting in postings) == 1
    assert len({posting.journal_id for posting in postings}) == 1
    assert (await wallet(database))["available_minor"] == 50_00


async def test_50_concurrent_holds_of_100_from_1000_accept_exactly_10(database: Database) -> None:
    await open_player(database)
    await deposit(database, 1000_00)

    async def hold(number: int) -> bool:
        try:
            await post(database, f"wd:{number}:hold", "withdrawal_hold", {AVAILABLE: -100_00, HELD: 100_00})
        except Overdraft:
            return False
        return True

    assert sum(await asyncio.gather(*map(hold, range(50)))) == 10
    left = await wallet(database)
    assert (left["available_minor"], left["withdrawals_minor"]) == (0, 1000_00)


async def test_random_movements_of_many_at_once_stay_sound(database: Database) -> None:
    players = [await open_player(database, 1001 + number, "USD", "EUR") for number in range(4)]
    chance = random.Random(7)

    async def move(number: int) -> None:
        player, currency = chance.choice(players), chance.choice(("USD", "EUR"))
        available, bets = f"player:{player}:available:{currency}", f"player:{player}:bets:{currency}"
        amount = chance.choice((1, 99, 100, 12_345))
        kind, legs = chance.choice(
            (
                ("deposit", {available: amount, f"provider:stripe:{currency}": -amount}),
                ("bet_placed", {available: -amount, bets: amount}),
                ("bet_won", {bets: -amount, available: 2 * amount, f"house:{currency}": -amount}),
                ("bet_lost", {bets: -amount, f"house:{currency}": amount}),
                ("refund", {available: -amount, f"provider:stripe:{currency}": amount}),
                (
                    "exchange",
                    {
                        f"player:{player}:available:USD": -amount,
                        "fx:USD": amount,
                        f"player:{player}:available:EUR": amount,
                        "fx:EUR": -amount,
                    },
                ),
            )
        )
        for _ in range(2):  # everything twice
            with suppress(Overdraft):
                await post(database, f"move:{number}", kind, legs)

    await asyncio.gather(*map(move, range(300)))
    async with database.transaction() as tx:
        assert await ledger.seal(tx, 1000) > 50


WRONG: list[tuple[Mapping[str, int], type[LedgerRefusal]]] = [
    ({AVAILABLE: 100}, Malformed),
    ({}, Malformed),
    ({AVAILABLE: 100, STRIPE: -99}, NotBalanced),
    ({AVAILABLE: 0, STRIPE: 0}, NotBalanced),
    ({AVAILABLE: 100, "provider:stripe:EUR": -100}, NotBalanced),
    ({AVAILABLE: 100, STRIPE: -50, "provider:stripe:EUR": -50}, NotBalanced),
    ({AVAILABLE: 100, "provider:nobody:USD": -100}, UnknownAccount),
    ({"player:1:available:XXX": 100, STRIPE: -100}, UnknownAccount),
    ({"player:1:pocket:USD": 100, STRIPE: -100}, UnknownAccount),
    ({"player:1:available:EUR": 100, "provider:stripe:EUR": -100}, WalletNotOpen),
    ({"player:999:available:USD": 100, STRIPE: -100}, WalletNotOpen),
    ({AVAILABLE: -1, STRIPE: 1}, Overdraft),
    ({AVAILABLE: 2**63, STRIPE: -(2**63)}, Malformed),
]


async def test_a_posting_that_is_wrong_is_refused_and_changes_nothing(database: Database) -> None:
    await open_player(database)
    for legs, refusal in WRONG:
        with pytest.raises(refusal):
            await post(database, "key", "deposit", legs)
    async with database.connection() as tx:
        assert await tx.fetchval("SELECT count(*) FROM ledger_journal") == 0
    assert (await wallet(database))["seq"] == 0


async def test_an_overflow_is_refused_and_not_rounded(database: Database) -> None:
    await open_player(database)
    await deposit(database, 2**63 - 1)
    with pytest.raises(Malformed):
        await deposit(database, 1, "deposit:2")


async def test_a_key_means_one_movement_for_ever(database: Database) -> None:
    await open_player(database)
    first = await deposit(database, 100)
    async with database.transaction() as tx:  # another actor with other remarks tells of the same movement
        again = await ledger.post(
            tx, key="deposit:1", kind="deposit", legs={STRIPE: -100, AVAILABLE: 100}, actor="other", metadata={"a": 1}
        )
    assert again == Posting(first.journal_id, replayed=True)
    with pytest.raises(KeyReused):
        await deposit(database, 101)
    with pytest.raises(KeyReused):
        await post(database, "deposit:1", "bonus_added", {AVAILABLE: 100, STRIPE: -100})


async def test_a_reversal_is_exact_and_happens_once_and_takes_totals_back(database: Database) -> None:
    await open_player(database)
    first = await deposit(database, 100)
    back = {AVAILABLE: -100, STRIPE: 100}
    with pytest.raises(NotReversible):
        await post(database, "rev:x", "reversal", {AVAILABLE: -99, STRIPE: 99}, first.journal_id)
    with pytest.raises(NotReversible):
        await post(database, "rev:x", "reversal", back)
    with pytest.raises(NotReversible):
        await post(database, "rev:x", "adjustment", back, first.journal_id)
    reversal = await post(database, "rev:1", "reversal", back, first.journal_id)
    left = await wallet(database)
    assert (left["available_minor"], left["deposited_minor"]) == (0, 0)
    await deposit(database, 100, "deposit:2")
    with pytest.raises(NotReversible):
        await post(database, "rev:2", "reversal", back, first.journal_id)
    with pytest.raises(NotReversible):
        await post(database, "rev:3", "reversal", {AVAILABLE: 100, STRIPE: -100}, reversal.journal_id)


async def test_twins_of_a_reversal_are_one_and_another_one_comes_too_late(database: Database) -> None:
    await open_player(database)
    for number in range(10):
        first = await deposit(database, 100, f"deposit:{number}")
        back = {AVAILABLE: -100, STRIPE: 100}
        twins = await asyncio.gather(
            *(post(database, f"rev:{number}", "reversal", back, first.journal_id) for _ in range(6)),
            post(database, f"other:{number}", "reversal", back, first.journal_id),
            return_exceptions=True,
        )
        done = {twin.journal_id for twin in twins if isinstance(twin, Posting)}
        assert len(done) == 1
        assert all(isinstance(twin, Posting | NotReversible) for twin in twins)
    assert (await wallet(database))["available_minor"] == 0


async def test_totals_are_kept_by_kind_and_read_in_major_units(database: Database) -> None:
    await open_player(database)
    bets = "player:1:bets:USD"
    await deposit(database, 1000_00)
    await post(database, "bet:1", "bet_placed", {AVAILABLE: -100_00, bets: 100_00})
    await post(database, "bet:1:settle", "bet_won", {bets: -100_00, AVAILABLE: 185_00, "house:USD": -85_00})
    await post(database, "wd:1", "withdrawal_hold", {AVAILABLE: -50_00, HELD: 50_00})
    await post(database, "wd:1:end", "withdrawal_paid", {HELD: -50_00, "payout:USD": 50_00})
    async with database.owner() as owner:
        row = await owner.fetchrow(
            "SELECT balance::text, total_deposited::text, total_bet::text, total_won::text, total_withdrawn::text"
            " FROM users_balance"
        )
        assert row is not None
        assert tuple(row) == ("1035.00", "1000.00", "100.00", "185.00", "50.00")
        with pytest.raises(asyncpg.PostgresError):  # for reading only, also for the owner
            await owner.execute("UPDATE users_balance SET balance = 1")


async def test_history_is_closed_to_the_owner_too(database: Database) -> None:
    await open_player(database)
    posting = await deposit(database, 100)
    async with database.owner() as owner:
        for table in ("ledger_journal", "ledger_entry", "audit_log"):
            await owner.execute("INSERT INTO audit_log (actor, action, status) VALUES ('a', 'b', 'c')")
            for statement in (f"DELETE FROM {table}", f"TRUNCATE {table} CASCADE"):
                with pytest.raises(asyncpg.PostgresError) as refused:
                    await owner.execute(statement)
                assert refused.value.sqlstate == "LB004"
        with pytest.raises(asyncpg.PostgresError) as refused:
            await owner.execute("UPDATE ledger_entry SET amount_minor = amount_minor * 2")
        assert refused.value.sqlstate == "LB004"
        for sqlstate, journal, accounts, amounts in (
            ("LB003", posting.journal_id, (112, 113), (5, -5)),  # late lines
            ("LB003", 999_999, (111, 112), (5, -5)),  # no such journal
        ):
            with pytest.raises(asyncpg.PostgresError) as refused:
                await owner.execute(
                    "INSERT INTO ledger_entry (journal_id, account_id, amount_minor)"
                    " SELECT $1, * FROM unnest($2::bigint[], $3::bigint[])",
                    journal,
                    list(accounts),
                    list(amounts),
                )
            assert refused.value.sqlstate == sqlstate


async def test_the_chart_of_accounts_is_the_same_on_both_sides(database: Database) -> None:
    async with database.connection() as tx:
        rows = await tx.fetch("SELECT id, code FROM ledger_account")
        assert rows
        for row in rows:
            assert ledger.account_number(row["code"]) == row["id"]
        names = {row["name"]: row["number"] for row in await tx.fetch("SELECT name, number FROM ledger_chart")}
    assert names == ledger.PLAYERS_CHART | ledger.OUR_CHART


async def test_sealing_from_two_places_makes_one_chain(database: Database) -> None:
    await open_player(database)
    for number in range(20):
        await deposit(database, 100, f"deposit:{number}")

    async def seal() -> int:
        async with database.transaction() as tx:
            return await ledger.seal(tx, 7)

    assert sum(await asyncio.gather(*(seal() for _ in range(4)))) == 20
    async with database.connection() as tx:
        head = await ledger.head(tx)
    assert (head.seq, head.journals) == (20, 20)
