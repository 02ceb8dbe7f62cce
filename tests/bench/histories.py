"""What long histories cost: pages, statistics and documents of players among ten million movements.

Made by the services as the bot makes them, while somebody else asks for a balance all the time.
"""

import asyncio
import random
import resource
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo

from db import players
from db.database import Database
from db.models import Language, Player, ReportFormat
from handlers.texts import Texts
from services.outbox import Outbox
from services.periods import Period
from services.reports import Include, Reports
from services.staff import Staff
from services.statements import Statements
from services.vault import Vault
from services.wallets import Wallets
from tests.bench.figures import Figure, percentile
from tests.bench.stage import add_players, staged

MOSCOW = ZoneInfo("Europe/Moscow")
MOVEMENTS, HEAVY, USUAL = 10_000_000, 1_000_000, 500
"""In all, of one player, and of most of them."""
CHUNK = 50_000
"""Movements written by one statement."""
WRITERS = 2
ASKED = 300
# A past written straight into the tables: posting millions of movements one by one would take an hour, and reading is
# what is measured. Every tenth is a deposit with its operation, the others are bets, placed and settled in turn.
PAST = """
    WITH line AS (
      SELECT player, seq, player * 10000000 + seq AS id, CASE WHEN seq % 10 = 1 THEN 'deposit' WHEN seq % 2 = 0
          THEN 'bet_placed' WHEN seq % 3 = 0 THEN 'bet_won' ELSE 'bet_lost' END AS kind,
          now() - interval '300 days' * (1 - seq / $2::float) AS at
        FROM unnest($1::bigint[]) AS player, generate_series(1, $2::bigint) AS seq
    ), moved AS (
      SELECT *,
          CASE kind WHEN 'deposit' THEN 10000 WHEN 'bet_placed' THEN -100 WHEN 'bet_won' THEN 190 ELSE 0 END
            AS available,
          CASE WHEN kind = 'bet_placed' THEN 100 WHEN kind LIKE 'bet%' THEN -100 ELSE 0 END AS bets FROM line
    ), journal AS (
      INSERT INTO ledger_journal (id, idempotency_key, kind, user_id, entity_type, entity_id, actor, metadata,
          effective_at, created_at, xact_id)
        OVERRIDING SYSTEM VALUE
        SELECT id, 'bench:' || id, kind::ledger_kind, player, CASE kind WHEN 'deposit' THEN 'operation' END,
            CASE kind WHEN 'deposit' THEN id END, 'bench', '{}', at, at, pg_current_xact_id() FROM moved
    ), operation AS (
      INSERT INTO wallet_operations (operation_id, user_id, operation_type, provider, currency, exponent, amount_minor,
          received_minor, status, payment_ref, request_key, actor, completed_at, expires_at)
        OVERRIDING SYSTEM VALUE
        SELECT id, player, 'deposit', 'stripe', 'USD', 2, 10000, 10000, 'completed', 'pi_' || id, 'bench-' || id,
            'bench', at, at FROM moved WHERE kind = 'deposit'
    ), summed AS (
      SELECT *, sum(available) OVER lines AS balance, sum(bets) OVER lines AS held FROM moved
        WINDOW lines AS (PARTITION BY player ORDER BY seq)
    ), entry AS (
      INSERT INTO ledger_entry (journal_id, account_id, amount_minor, wallet_seq, balance_after, available_after)
        SELECT id, (player * 100 + 1) * 100 + 1, available, seq, balance, balance FROM summed WHERE available <> 0
        UNION ALL
        SELECT id, (player * 100 + 1) * 100 + 2, bets, seq, held, balance FROM summed WHERE bets <> 0
    )
    UPDATE wallet SET seq = $2::bigint, available_minor = s.balance, last_transaction = now()
      FROM summed s WHERE user_id = s.player AND s.seq = $2 AND currency = 'USD'
"""


@dataclass
class Watch:
    """Memory and patience while something is made."""

    seconds: float = 0.0
    grown: float = 0.0
    """Megabytes."""
    answers: list[float] = field(default_factory=list)
    """How long a balance took, in milliseconds."""


def resident() -> int:
    """Bytes of memory of this process, as Linux counts them."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


@asynccontextmanager
async def watching(wallets: Wallets, player: Player) -> AsyncIterator[Watch]:
    watch, before = Watch(), resident()

    async def weighing() -> None:
        while True:
            await asyncio.sleep(0.005)
            watch.grown = max(watch.grown, (resident() - before) / 2**20)

    async def asking() -> None:
        while True:
            begun = time.monotonic()
            await wallets.balances(player)
            watch.answers.append((time.monotonic() - begun) * 1000)
            await asyncio.sleep(0.02)

    tasks = [asyncio.create_task(weighing()), asyncio.create_task(asking())]
    begun = time.monotonic()
    try:
        yield watch
        watch.seconds = time.monotonic() - begun
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def write(database: Database, people: list[int], movements: int) -> None:
    """Gives each of these players so many movements."""
    at_once = max(1, CHUNK // movements)
    chunks = [people[at : at + at_once] for at in range(0, len(people), at_once)]

    async def writer() -> None:
        async with database.owner() as owner:
            await owner.execute("SET statement_timeout = 0")
            await owner.execute("SET session_replication_role = replica")  # neither triggers nor foreign keys
            await owner.execute("SET work_mem = '256MB'")
            while chunks:
                await owner.execute(PAST, chunks.pop(), movements, timeout=3600)

    await asyncio.gather(*(writer() for _ in range(WRITERS)))


async def measure(scale: float) -> list[Figure]:
    heavy, most = round(HEAVY * scale), round(MOVEMENTS * scale)
    async with staged(durable=False) as stage:
        database = stage.database
        async with database.owner() as owner:
            await owner.execute("ALTER SYSTEM SET max_wal_size = '8GB'")
            await owner.execute("SELECT pg_reload_conf()")
        first, second, other, *crowd = await add_players(database, 3 + (most - heavy - 10_000) // USUAL)
        await write(database, [first], heavy)
        await write(database, [second], 10_000)
        await write(database, [other, *crowd], USUAL)
        async with database.owner() as owner:
            await owner.execute("VACUUM ANALYZE")
            await owner.execute("SELECT wallet_checkpoints(1000000)")
        wallets = Wallets(database, MOSCOW)
        usual = [await _player(database, number) for number in random.Random(0).sample(crowd, min(ASKED, len(crowd)))]
        long, tenth, asking = [await _player(database, number) for number in (first, second, other)]
        return [
            *await _read(wallets, f"a player of {heavy:,} movements among {most:,}", [long] * ASKED),
            *await _read(wallets, f"a player of {USUAL:,} movements among {most:,}", usual),
            *await _documents(database, wallets, {heavy: long, 10_000: tenth}, asking),
        ]


async def _player(database: Database, number: int) -> Player:
    async with database.connection() as tx:
        profile = await players.profile(tx, number)
    assert profile is not None
    return profile.player


async def _read(wallets: Wallets, what: str, people: list[Player]) -> list[Figure]:
    whole, month = Period(), Period("t")

    async def deep(player: Player) -> object:
        """A page from somewhere in the middle."""
        return await wallets.history(player, before=player.id * 10_000_000 + random.randrange(8, USUAL))

    works: dict[str, tuple[Callable[[Player], Awaitable[object]], float]] = {
        "the newest page": (wallets.history, 10),
        "an older page": (deep, 10),
        "statistics of everything": (lambda player: wallets.statistics(player, whole), 20),
        "statistics of 30 days": (lambda player: wallets.statistics(player, month), 20),
    }
    figures = []
    for name, (work, most) in works.items():
        took = []
        for player in people:
            begun = time.perf_counter()
            await work(player)
            took.append((time.perf_counter() - begun) * 1000)
        figures.append(Figure(f"{what}: {name}, p99", percentile(took, 99), "ms", at_most=most))
    return figures


async def _documents(database: Database, wallets: Wallets, made: dict[int, Player], other: Player) -> list[Figure]:
    (large, heavy), (small, tenth) = made.items()
    outbox = Outbox(database, Staff(database, []))
    reports = Reports(database, outbox, Statements(database, MOSCOW), Vault(["bench"]), MOSCOW)
    words = Texts(timezone=MOSCOW, default=Language.RU).translator(Language.RU).plain
    figures = []
    # The first document of a process has the library for it imported.
    for player, form, size, aim in (
        (other, ReportFormat.PDF, USUAL, None),
        (tenth, ReportFormat.PDF, small, 2.0),
        (heavy, ReportFormat.CSV, large, 15.0),
    ):
        report = await reports.request(player, form, Period(), Include(), request_key=f"{player.id}{form}")
        async with watching(wallets, other) as watch, reports.written(report, words):
            pass
        what = f"{form.upper()} of {size:,} movements"
        late = Figure(f"{what}: a balance of somebody else's meanwhile, p99", percentile(watch.answers, 99), "ms")
        if aim is not None:
            figures += [
                Figure(what, watch.seconds, "s", at_most=aim),
                Figure(f"{what}: memory growth", watch.grown, "MB", at_most=50),
                late,
            ]
    return figures
