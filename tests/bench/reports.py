"""What reports cost: python -m tests.bench.reports [movements]

A table of a million movements and documents of a thousand and ten thousand, made by the service as the bot makes them,
while somebody else asks for a balance all the time: seconds, memory, and how long the others waited.
"""

import asyncio
import resource
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from db import players
from db.database import Database, Tx
from db.embedded import Embedded
from db.models import Language, Player, ReportFormat
from handlers import pictures
from handlers.texts import Texts
from services.outbox import Outbox
from services.periods import Period
from services.reports import Include, Reports
from services.staff import Staff
from services.statements import Statements
from services.vault import Vault
from services.wallets import Wallets

MOSCOW = ZoneInfo("Europe/Moscow")
# A past written straight into the tables: posting a million movements one by one would take minutes, and it is reading
# that is measured. Every tenth is a deposit with its operation, the others are bets, placed and settled in turn.
PAST = """
    WITH line AS (
      SELECT g AS seq, CASE WHEN g % 10 = 1 THEN 'deposit' WHEN g % 2 = 0 THEN 'bet_placed'
          WHEN g % 3 = 0 THEN 'bet_won' ELSE 'bet_lost' END AS kind,
          now() - interval '300 days' * (1 - g / $2::bigint::float) AS at
        FROM generate_series(1, $2::bigint) g
    ), moved AS (
      SELECT *,
          CASE kind WHEN 'deposit' THEN 10000 WHEN 'bet_placed' THEN -100 WHEN 'bet_won' THEN 190 ELSE 0 END
            AS available,
          CASE WHEN kind = 'bet_placed' THEN 100 WHEN kind LIKE 'bet%' THEN -100 ELSE 0 END AS bets FROM line
    ), journal AS (
      INSERT INTO ledger_journal (id, idempotency_key, kind, user_id, entity_type, entity_id, actor, metadata,
          effective_at, created_at, xact_id)
        OVERRIDING SYSTEM VALUE
        SELECT $3::bigint + seq, 'bench:' || $1::bigint || ':' || seq, kind::ledger_kind, $1::bigint,
            CASE kind WHEN 'deposit' THEN 'operation' END, CASE kind WHEN 'deposit' THEN $3::bigint + seq END,
            'bench', '{}', at, at, pg_current_xact_id() FROM moved
    ), operation AS (
      INSERT INTO wallet_operations (operation_id, user_id, operation_type, provider, currency, exponent, amount_minor,
          received_minor, status, payment_ref, request_key, actor, completed_at, expires_at)
        OVERRIDING SYSTEM VALUE
        SELECT $3::bigint + seq, $1::bigint, 'deposit', 'stripe', 'USD', 2, 10000, 10000, 'completed',
            'pi_' || $1::bigint || '_' || seq, 'bench-' || seq, 'bench', at, at FROM moved WHERE kind = 'deposit'
    ), summed AS (
      SELECT *, sum(available) OVER (ORDER BY seq) AS balance, sum(bets) OVER (ORDER BY seq) AS held FROM moved
    ), entry AS (
      INSERT INTO ledger_entry (journal_id, account_id, amount_minor, wallet_seq, balance_after, available_after)
        SELECT $3::bigint + seq, ($1::bigint * 100 + 1) * 100 + 1, available, seq, balance, balance FROM summed
          WHERE available <> 0
        UNION ALL
        SELECT $3::bigint + seq, ($1::bigint * 100 + 1) * 100 + 2, bets, seq, held, balance FROM summed WHERE bets <> 0
    )
    UPDATE users_balance SET seq = $2::bigint, available_minor = (SELECT balance FROM summed ORDER BY seq DESC LIMIT 1),
        last_transaction = now() WHERE user_id = $1::bigint
"""


@dataclass
class Watch:
    """Memory and patience while something is made."""

    seconds: float = 0.0
    grown: float = 0.0
    """Megabytes."""
    lags: list[float] = field(default_factory=list)
    """How much later than asked for the loop woke up, in milliseconds."""
    answers: list[float] = field(default_factory=list)
    """How long a balance took, in milliseconds."""

    def __str__(self) -> str:
        lag, answer = sorted(self.lags), sorted(self.answers)
        return (
            f"{self.seconds:6.2f} s, memory +{self.grown:.0f} MB, loop late by {lag[len(lag) // 2]:.1f} ms"
            f" (99 %: {lag[int(len(lag) * 0.99)]:.0f}, most: {lag[-1]:.0f}),"
            f" a balance in {answer[len(answer) // 2]:.1f} ms (99 %: {answer[int(len(answer) * 0.99)]:.0f})"
        )


def resident() -> int:
    """Bytes of memory of this process, as Linux counts them."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


@asynccontextmanager
async def watching(wallets: Wallets, player: Player) -> AsyncIterator[Watch]:
    watch, before = Watch(), resident()

    async def late() -> None:
        while True:
            begun = time.monotonic()
            await asyncio.sleep(0.005)
            watch.lags.append((time.monotonic() - begun - 0.005) * 1000)
            watch.grown = max(watch.grown, (resident() - before) / 2**20)

    async def asking() -> None:
        while True:
            begun = time.monotonic()
            await wallets.balances(player)
            watch.answers.append((time.monotonic() - begun) * 1000)
            await asyncio.sleep(0.02)

    tasks = [asyncio.create_task(late()), asyncio.create_task(asking())]
    begun = time.monotonic()
    try:
        yield watch
        watch.seconds = time.monotonic() - begun
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def with_past(database: Database, telegram_id: int, movements: int) -> Player:
    async with database.connection() as tx:
        player = (
            await players.visit(tx, telegram_id, None, f"Игрок {telegram_id}", Language.RU, datetime.now(UTC).date())
        ).player
        await tx.execute("SELECT wallet_open($1, 'USD')", player.id)
    async with database.owner() as owner, owner.transaction():
        await write(owner, player.id, movements)
    return player


async def write(owner: Tx, player_id: int, movements: int) -> None:
    await owner.execute("SET LOCAL statement_timeout = 0")
    await owner.execute("SET LOCAL session_replication_role = replica")
    await owner.execute("SET LOCAL work_mem = '256MB'")
    await owner.execute(PAST, player_id, movements, player_id * 10_000_000, timeout=3600)


async def main(movements: int) -> None:
    texts = Texts(timezone=MOSCOW, default=Language.RU)
    words = texts.translator(Language.RU).plain
    with tempfile.TemporaryDirectory(prefix="looseline-bench-") as folder:
        data = Path(folder)
        data.chmod(0o755)
        embedded = await Embedded.start(data)
        try:
            async with Database.open(embedded) as database:
                outbox, wallets = Outbox(database, Staff(database, [])), Wallets(database, MOSCOW)
                reports = Reports(database, outbox, Statements(database, MOSCOW), Vault(["bench"]), MOSCOW)
                sizes = {1001: 1_000, 1002: 10_000, 1003: movements}
                made = {number: await with_past(database, number, size) for number, size in sizes.items()}
                other = await with_past(database, 1004, 10)
                async with database.owner() as owner:
                    await owner.execute("VACUUM ANALYZE")
                for name, number, form in (
                    ("document, the first one", 1001, ReportFormat.PDF),
                    ("document", 1001, ReportFormat.PDF),
                    ("document", 1002, ReportFormat.PDF),
                    ("table", 1002, ReportFormat.CSV),
                    ("table", 1003, ReportFormat.CSV),
                ):
                    report = await reports.request(
                        made[number], form, Period(), Include(), request_key=f"{number}{form}"
                    )
                    async with watching(wallets, other) as watch, reports.written(report, words) as document:
                        size = document.size / 2**20
                    print(f"{name} of {sizes[number]:,}: {watch}, {size:.1f} MB")
                for name in ("the first picture", "a picture"):
                    course = await wallets.course(made[1002], "USD")
                    async with watching(wallets, other) as watch:
                        await pictures.course(course, texts.translator(Language.RU))
                    print(f"{name}: {watch}")
                for what, work in (
                    ("a page of the history", lambda: wallets.history(made[1003])),
                    ("statistics of everything", lambda: wallets.statistics(made[1003], Period())),
                    ("statistics of 30 days", lambda: wallets.statistics(made[1003], Period("t"))),
                ):
                    begun = time.monotonic()
                    await work()
                    print(f"{what} of {movements:,}: {(time.monotonic() - begun) * 1000:.0f} ms")
        finally:
            await embedded.stop()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000))
