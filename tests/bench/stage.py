"""Where things are measured: a PostgreSQL of its own, the outside world, and the bot, each a real process."""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from db.database import Database
from db.embedded import Embedded

ROOT = Path(__file__).parent.parent.parent
TOKEN, STRIPE_SECRET, SHOP, POSTBACK_TOKEN = "42:BENCH", "whsec_bench", "100500", "bench-postback"


@dataclass(frozen=True, slots=True)
class Program:
    """One that said READY."""

    process: asyncio.subprocess.Process
    address: str
    seconds: float
    """How long that took it."""

    @property
    def resident(self) -> float:
        """Megabytes of memory, as Linux counts them."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGESIZE") / 2**20

    def begin(self) -> None:
        """Says the word that it waits for."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")

    async def says(self) -> Any:
        """The next line it says, which is JSON."""
        assert self.process.stdout is not None
        return json.loads(await self.process.stdout.readline())


@asynccontextmanager
async def program(folder: Path, *arguments: str, **settings: str) -> AsyncIterator[Program]:
    """A Python program from the moment it says READY until the end of the block. What it complains of is in `log`."""
    began = time.perf_counter()
    with (folder / "log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, *arguments),
            env={"PYTHONPATH": str(ROOT), "PATH": os.defpath, **settings},
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            limit=2**26,
        )
    assert process.stdout is not None
    try:
        words = (await process.stdout.readline()).decode().split()
        assert words[:1] == ["READY"], f"{arguments} did not start:\n{(folder / 'log').read_text()[-3000:]}"
        yield Program(process, words[-1], time.perf_counter() - began)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


@dataclass(frozen=True, slots=True)
class Stage:
    folder: Path
    embedded: Embedded
    database: Database
    outside: Program

    def bot(self, *arguments: str, **settings: str) -> AbstractAsyncContextManager[Program]:
        """The bot before this world, run as `arguments` say."""
        usual = {
            "TELEGRAM_TOKEN": TOKEN,
            "TELEGRAM_API_URL": self.outside.address,
            "STRIPE_SECRET_KEY": "sk_test_bench",
            "STRIPE_WEBHOOK_SECRET": STRIPE_SECRET,
            "STRIPE_API_URL": self.outside.address,
            "YOOKASSA_SHOP_ID": SHOP,
            "YOOKASSA_SECRET_KEY": "test_bench",
            "YOOKASSA_API_URL": f"{self.outside.address}/v3",
            "YOOKASSA_NETWORKS": "127.0.0.0/8",
            "POSTBACK_TOKEN": POSTBACK_TOKEN,
            "DATABASE_URL": self.embedded.owner_dsn("looseline"),
            "PORT": "0",
        }
        return program(self.folder, *(arguments or ("-m", "bot")), **usual | settings)

    async def tell(self, command: str, **arguments: Any) -> Any:
        """Has the outside world do something."""
        return await tell(self.outside, command, **arguments)


async def tell(world: Program, command: str, **arguments: Any) -> Any:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{world.address}/control/{command}", json=arguments) as response,
    ):
        assert response.status == 200, await response.text()
        return await response.json()


@asynccontextmanager
async def staged(*, durable: bool = True) -> AsyncIterator[Stage]:
    """Without `durable` nothing that is written can be measured."""
    with tempfile.TemporaryDirectory(prefix="looseline-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        embedded = await Embedded.start(folder, durable=durable)
        try:
            async with Database.open(embedded) as database, database.owner() as owner:
                await owner.execute("ALTER SYSTEM SET track_commit_timestamp = on")
        finally:
            await embedded.stop()
        embedded = await Embedded.start(folder, durable=durable)
        try:
            async with (
                Database.open(embedded) as database,
                program(folder, "-m", "tests.bench.outside") as outside,
            ):
                yield Stage(folder, embedded, database, outside)
        finally:
            await embedded.stop()


async def add_players(database: Database, count: int) -> list[int]:
    """So many players who have accepted the rules, wrote today and have wallets; the same ones each time. Answers their
    numbers."""
    async with database.owner() as owner:
        await owner.execute(
            "INSERT INTO users (telegram_id, name, username, language, accepted_at, seen_on)"
            " SELECT 10000 + n, 'Игрок', 'player' || 10000 + n, 'ru', now(), (now() AT TIME ZONE 'Europe/Moscow')::date"
            " FROM generate_series(1, $1::int) n ON CONFLICT DO NOTHING",
            count,
        )
        rows = await owner.fetch(
            "SELECT id, wallet_open(id, 'USD'), wallet_open(id, 'RUB') FROM users ORDER BY id LIMIT $1", count
        )
    return [row["id"] for row in rows]
