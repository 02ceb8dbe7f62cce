"""A bot as a real process on a DATA_DIR of its own: to start, to kill, to start again, and to prove afterwards."""

import asyncio
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg

from db import proof
from db.database import Tx
from db.embedded import Embedded
from sandbox import Sandbox
from tests import secrecy
from tests.chaos.awaits import ROOT
from tests.settings import settings


@dataclass
class Process:
    """A bot that runs, or has run."""

    pid: int
    out: asyncio.StreamReader
    log: Path
    wait: Callable[[], Awaitable[int]]
    said: str = ""

    async def ready(self, seconds: float = 30) -> None:
        async with asyncio.timeout(seconds):
            while "READY" not in self.said:
                line = await self.out.readline()
                assert line, f"it ended before it was ready:\n{self.log.read_text()}"
                self.said += line.decode()

    async def ended(self, seconds: float = 15) -> int:
        """Waits for the end; answers the exit code, or minus the number of the signal that killed it."""
        async with asyncio.timeout(seconds):
            self.said += (await self.out.read()).decode()
            return await self.wait()

    def send(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def complaints(self, *levels: str) -> list[str]:
        """The lines of its log that are of these levels, or of no level at all."""
        lines = self.log.read_text().splitlines()
        return [line for line in lines if not line.startswith("{") or json.loads(line)["level"] in levels]


class Nursery:
    """See `tests.chaos.nursery`."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.nursery", str(theirs.fileno())],
            cwd=ROOT,
            pass_fds=[theirs.fileno()],
            start_new_session=True,  # Ctrl-C is for the tests; the nursery ends with them, and ends its children
        )
        theirs.close()

    def close(self) -> None:
        self._socket.close()
        self._process.wait(30)

    async def start(
        self, settings: Mapping[str, str], log: Path, arguments: Iterable[str], **watched: str | None
    ) -> Process:
        ours, theirs = os.pipe()
        with log.open("wb") as errors:
            order = {"settings": settings, "arguments": list(arguments), "folder": str(log.parent), **watched}
            pid = self._ask(order, [theirs, errors.fileno()])
        os.close(theirs)
        out = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(out), os.fdopen(ours, "rb", 0)
        )

        async def wait() -> int:
            return self._ask({"wait": pid})  # it is over already: its standard output is closed

        return Process(pid, out, log, wait)

    def _ask(self, order: dict[str, Any], files: Iterable[int] = ()) -> int:
        socket.send_fds(self._socket, [json.dumps(order).encode()], list(files))
        return int(self._socket.recv(100))


async def run(settings: Mapping[str, str], log: Path, arguments: Iterable[str]) -> Process:
    """`python -m bot` as a person starts it, imports and all."""
    with log.open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bot", *arguments),
            env={"PYTHONPATH": str(ROOT), "PATH": os.defpath, **settings},
            cwd=log.parent,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
        )
    assert process.stdout
    return Process(process.pid, process.stdout, log, process.wait)


@dataclass
class House:
    folder: Path
    world: Sandbox
    nursery: Nursery
    settings: dict[str, str]
    processes: list[Process] = field(default_factory=list)
    direct: str | None = None
    """The database's address when something stands between it and the bots."""

    @property
    def data(self) -> Path:
        return Path(self.settings["DATA_DIR"])

    async def starts(self, *arguments: str, **watched: str | None) -> Process:
        """Does not wait until it is ready."""
        process = await self.nursery.start(self.settings, self._log(), arguments, **watched)
        self.processes.append(process)
        return process

    async def runs(self, *arguments: str) -> Process:
        """The same without the nursery."""
        process = await run(self.settings, self._log(), arguments)
        self.processes.append(process)
        return process

    def _log(self) -> Path:
        return self.folder / f"{len(self.processes)}.log"

    async def opens(self, **watched: str | None) -> Process:
        process = await self.starts(**watched)
        await process.ready()
        return process

    async def closes(self, process: Process) -> None:
        process.send(signal.SIGTERM)
        assert await process.ended(10) == 0

    async def health(self) -> tuple[int, str]:
        async with aiohttp.ClientSession() as session, session.get(f"{self.world.bot_url}/health") as response:
            return response.status, (await response.json())["status"]

    async def credits(self, deposits: int) -> None:
        """Waits until so many are credited."""
        async with self.books() as books:

            async def done() -> bool:
                count = "SELECT count(*) FROM wallet_operations WHERE status = 'completed'"
                return bool(await books.fetchval(count) == deposits)

            await until(done)

    async def proven(
        self, process: Process, *, repeats: int = 0, deaf: Collection[int] = (), errors_allowed: Collection[str] = ()
    ) -> None:
        """What was paid is credited to who paid it, and told; nothing else is. Then the process ends, and the books
        are verified. `repeats`: how many messages may have come twice; `deaf`: whom nothing can be told."""
        async with self.books() as books:
            await until(partial(_is_quiet, books))
            has, paid = await credited(books), taken(self.world)
            assert has == paid, f"credited {has}, taken {paid}"
            owed = {
                row["code"]: row["owed"]
                for row in await books.fetch(
                    "SELECT code, -sum(amount_minor) AS owed FROM ledger_entry JOIN ledger_account"
                    " ON id = account_id WHERE kind = 'provider' GROUP BY code"
                )
            }
            kept = {
                f"provider:{provider}:{currency}": minor
                for provider, party in (("stripe", self.world.stripe), ("yookassa", self.world.yookassa))
                for currency, minor in party.taken().items()
            }
            assert owed == kept, f"providers owe {owed}, and keep {kept}"
            await self._kept(books)
            await self._told(books, repeats, deaf)
        await self.closes(process)
        verify = await self.starts("verify")
        assert await verify.ended(60) == 0, verify.said
        assert verify.said == "0 findings\n"
        errors = [line for each in self.processes for line in each.complaints("ERROR", "CRITICAL")]
        unexpected = [line for line in errors if not any(words in line for words in errors_allowed)]
        assert not unexpected, unexpected

    async def _kept(self, books: Tx) -> None:
        """Whatever was answered 200 is in the inbox, and acted on."""
        rows = await books.fetch(
            "SELECT replace(provider, 'casino:', '') AS provider, event_type, body, state FROM webhook_inbox"
        )
        bodies = {(row["provider"], row["event_type"]): b"" for row in rows}
        for row in rows:
            assert row["state"] in ("done", "ignored"), row
            bodies[row["provider"], row["event_type"]] += row["body"]
        for attempt in self.world.deliveries.log:
            if attempt.status == 200:
                assert attempt.subject.encode() in bodies.get((attempt.provider, attempt.event), b""), attempt

    async def _told(self, books: Tx, repeats: int, deaf: Collection[int]) -> None:
        rows = await books.fetch(
            "SELECT operation_id, telegram_id FROM wallet_operations JOIN users ON id = user_id"
            " WHERE status = 'completed' AND telegram_id <> ALL($1)",
            list(deaf),
        )
        for row in rows:
            person = self.world.telegram.people[row["telegram_id"]]
            told = [m for m in person.shown if "Зачислено" in m.text and m.text.endswith(f": {row['operation_id']}")]
            assert told, f"nobody told {person.first_name} of {row['operation_id']}:\n{person.transcript()}"
            repeats -= len(told) - 1
        assert repeats >= 0, f"{-repeats} messages too many"

    async def swept(self) -> None:
        """Ends what a test has left running, and shows what was out of the ordinary."""
        for process in self.processes:
            if not process.out.at_eof():
                process.send(signal.SIGKILL)
                await process.ended()
            for line in process.complaints("WARNING", "ERROR", "CRITICAL"):
                sys.stdout.write(f"{process.log.name}: {line}\n")
        await until(self._names_its_server)
        if left := self.postmaster():
            os.kill(left, signal.SIGQUIT)
            await until(lambda: self.postmaster() is None)
        self._kept_quiet()

    def _kept_quiet(self) -> None:
        """Nothing that was written anywhere, or said to anybody, was a secret."""
        secrecy.keep(value for name, value in self.settings.items() if name.endswith(("_TOKEN", "_SECRET", "_KEY")))
        for process in self.processes:
            for written in (process.log.read_text(), process.said):
                assert not (found := secrecy.revealed(written)), f"{found} in {process.log.name}"
        if (server := self.data / "postgres.log").exists():
            assert not (found := secrecy.revealed(server.read_text())), f"{found} in {server.name}"
        secrecy.keeps_quiet(self.world)

    def _names_its_server(self) -> bool:
        """Its pid file, if there is one, is not just being written."""
        try:
            return bool((self.data / "postgres" / "postmaster.pid").read_text())
        except FileNotFoundError:
            return True

    def postmaster(self) -> int | None:
        """The bundled database's process."""
        try:
            pid = int((self.data / "postgres" / "postmaster.pid").read_text().partition("\n")[0])
            os.kill(pid, 0)
        except (FileNotFoundError, ProcessLookupError, ValueError):  # the last: just being written
            return None
        return pid

    @asynccontextmanager
    async def books(self) -> AsyncIterator[Tx]:
        """The database as its owner sees it."""
        address = self.direct or self.settings.get("DATABASE_URL") or Embedded(self.data).owner_dsn("looseline")
        connection = await asyncpg.connect(address, timeout=10)
        try:
            yield connection
        finally:
            await connection.close()


@contextmanager
def furnish(nursery: Nursery) -> Iterator[Path]:
    """A DATA_DIR that was used once: making one takes seconds, copying it does not."""
    folder = _folder()

    async def use() -> None:
        process = await nursery.start({"DATA_DIR": str(folder / "data")}, folder / "log", ["verify"])
        assert (await process.ended(60), process.said) == (0, "0 findings\n"), process.log.read_text()

    try:
        asyncio.run(use())
        yield folder / "data"
    finally:
        shutil.rmtree(folder)


@asynccontextmanager
async def housed(nursery: Nursery, furnished: Path, world: Sandbox) -> AsyncIterator[House]:
    """A house of its own in this world."""
    folder = _folder()
    data = folder / "data"
    subprocess.run(["cp", "-a", furnished, data], check=True)
    port = free_port()
    world.bot_url = f"http://127.0.0.1:{port}"
    house = House(
        folder,
        world,
        nursery,
        {
            **settings(world),
            "DATA_DIR": str(data),
            "PORT": str(port),
        },
    )
    try:
        yield house
    finally:
        await house.swept()
        shutil.rmtree(folder)


def _folder() -> Path:
    # Not pytest's own folder: the database's account must be able to pass through.
    folder = Path(tempfile.mkdtemp(prefix="looseline-chaos-"))
    folder.chmod(0o755)
    return folder


def free_port() -> int:
    """Below the ports that connections are given, so that it is still free after a restart."""
    while True:
        port = random.randrange(20_000, 32_000)
        with suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port


async def until(check: Callable[[], bool | Awaitable[bool]], seconds: float = 30) -> None:
    """Looks again and again until it is so."""
    async with asyncio.timeout(seconds):
        while not (answer if isinstance(answer := check(), bool) else await answer):  # noqa: ASYNC110  of other processes
            await asyncio.sleep(0.02)


async def _is_quiet(books: Tx) -> bool:
    return not await books.fetchval(
        "SELECT EXISTS (SELECT FROM webhook_inbox WHERE state = 'queued')"
        " OR EXISTS (SELECT FROM outbox WHERE state = 'queued')"
    )


async def time_passes(books: Tx) -> None:
    """Every lease is over and every pause. But the poller stays away: what a webhook brought must not need it."""
    await books.execute("UPDATE webhook_inbox SET run_at = now() WHERE state = 'queued'")
    await books.execute("UPDATE outbox SET run_at = now() WHERE state = 'queued'")
    await books.execute(
        "UPDATE wallet_operations SET next_check_at = now() + interval '1 h', checked_at = NULL"
        " WHERE next_check_at IS NOT NULL"
    )


async def findings(books: Tx) -> list[str]:
    async with books.transaction():
        return [f"{found.rule}: {found.detail}" for found in await proof.verify(books)]


async def credited(books: Tx) -> Counter[tuple[int, str]]:
    rows = await books.fetch(
        "SELECT user_id, currency, sum(amount_minor)::bigint AS minor"
        " FROM ledger_entry JOIN ledger_account ON id = account_id WHERE kind = 'available' GROUP BY 1, 2"
    )
    return Counter({(row["user_id"], row["currency"]): row["minor"] for row in rows})


def taken(world: Sandbox) -> Counter[tuple[int, str]]:
    """What the providers took, by player and currency."""
    money: Counter[tuple[int, str]] = Counter()
    for intent in world.stripe.intents.values():
        if intent["status"] == "succeeded":
            money[int(intent["metadata"]["player_id"]), intent["currency"].upper()] += intent["amount_received"]
    for payment in world.yookassa.payments.values():
        if payment["status"] == "succeeded":
            minor = int(payment["amount"]["value"].replace(".", ""))
            money[int(payment["metadata"]["player_id"]), payment["amount"]["currency"]] += minor
    return money
