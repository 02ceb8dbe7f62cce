"""A bot as a real process on a DATA_DIR of its own: to start, to kill, to start again, and to prove afterwards."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg

from db import proof
from db.database import Tx
from db.embedded import Embedded
from sandbox import Message, Person, Sandbox
from sandbox.deliveries import Webhook
from tests.chaos.awaits import ROOT


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
            start_new_session=True,  # Ctrl-C is for the tests; their end is the nursery's, and it takes its children along
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

    async def proven(self, process: Process, *, repeats: int = 0) -> None:
        """What was paid is credited to who paid it, and told; nothing else is. Then the process ends, and the books
        are verified. `repeats`: how many messages may have come twice."""
        async with self.books() as books:
            await until(partial(_is_quiet, books))
            assert await credited(books) == taken(self.world)
            owed = await books.fetch(
                "SELECT code, -sum(amount_minor) AS owed FROM ledger_entry JOIN ledger_account"
                " ON id = account_id WHERE kind = 'provider' GROUP BY code"
            )
            assert {row["code"]: row["owed"] for row in owed} == {
                f"provider:{provider}:{currency}": minor
                for provider, party in (("stripe", self.world.stripe), ("yookassa", self.world.yookassa))
                for currency, minor in party.taken().items()
            }
            await self._kept(books)
            await self._told(books, repeats)
        await self.closes(process)
        verify = await self.starts("verify")
        assert (await verify.ended(60), verify.said) == (0, "0 findings\n")

    async def _kept(self, books: Tx) -> None:
        """Whatever was answered 200 is in the inbox, and acted on."""
        rows = await books.fetch("SELECT provider, event_type, body, state FROM webhook_inbox")
        bodies = {(row["provider"], row["event_type"]): b"" for row in rows}
        for row in rows:
            assert row["state"] in ("done", "ignored")
            bodies[row["provider"], row["event_type"]] += row["body"]
        for attempt in self.world.deliveries.log:
            if attempt.status == 200:
                assert attempt.subject.encode() in bodies.get((attempt.provider, attempt.event), b""), attempt

    async def _told(self, books: Tx, repeats: int) -> None:
        rows = await books.fetch(
            "SELECT operation_id, telegram_id FROM wallet_operations JOIN users ON id = user_id"
            " WHERE status = 'completed'"
        )
        for row in rows:
            person = self.world.telegram.people[row["telegram_id"]]
            told = [m for m in person.shown if "Зачислено" in m.text and m.text.endswith(f": {row['operation_id']}")]
            assert told, f"nobody told {person.first_name} of {row['operation_id']}:\n{person.transcript()}"
            repeats -= len(told) - 1
        assert repeats >= 0

    async def swept(self) -> None:
        """Ends what a test has left running, and shows what was out of the ordinary."""
        for process in self.processes:
            if not process.out.at_eof():
                process.send(signal.SIGKILL)
                await process.ended()
            for line in process.complaints("WARNING", "ERROR", "CRITICAL"):
                sys.stdout.write(f"{process.log.name}: {line}\n")
        if left := self.postmaster():
            os.kill(left, signal.SIGQUIT)
            await until(lambda: self.postmaster() is None)

    def postmaster(self) -> int | None:
        """The bundled database's process."""
        try:
            pid = int((self.data / "postgres" / "postmaster.pid").read_text().partition("\n")[0])
            os.kill(pid, 0)
        except (FileNotFoundError, ProcessLookupError):
            return None
        return pid

    @asynccontextmanager
    async def books(self) -> AsyncIterator[Tx]:
        """The database as its owner sees it."""
        address = self.settings.get("DATABASE_URL") or Embedded(self.data).owner_dsn("looseline")
        connection = await asyncpg.connect(address, timeout=10)
        try:
            yield connection
        finally:
            await connection.close()


async def until(check: Callable[[], bool | Awaitable[bool]], seconds: float = 30) -> None:
    """Looks again and again until it is so."""
    async with asyncio.timeout(seconds):
        while not (answer if isinstance(answer := check(), bool) else await answer):
            await asyncio.sleep(0.02)  # other processes set no events here


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
        "UPDATE wallet_operations SET next_check_at = now() + interval '1 h' WHERE next_check_at IS NOT NULL"
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


# What a player does

CURRENCIES = {"stripe": "USD", "yookassa": "RUB"}


def shown(provider: str, minor: int) -> str:
    return f"{minor / 100:.2f}\u00a0{CURRENCIES[provider]}"


def wish(provider: str, minor: int) -> str:
    """What the button of an amount carries. An amount that nobody else chose names the deposit from now on."""
    return f"p:{provider}:{CURRENCIES[provider]}:{minor}:{provider[0]}{minor:07}"


async def asks(person: Person, provider: str, minor: int, on: Message | None = None, seconds: float = 30) -> Message:
    """Presses the button of an amount and waits for the link, which takes the place of the button."""
    message = on or person.shown[-1]
    person.press(wish(provider, minor), message)
    amount = shown(provider, minor)
    await _shows(person, message, lambda now: amount in now.text and has_link(now), wish(provider, minor), seconds)
    return message


async def closed(person: Person, message: Message, provider: str, minor: int, seconds: float = 30) -> None:
    """Waits until the message that showed the link says how it ended."""
    amount = shown(provider, minor)
    words = "оплачено и зачислено"
    await _shows(person, message, lambda now: amount in now.text and words in now.text, wish(provider, minor), seconds)


async def _shows(person: Person, message: Message, check: Callable[[Message], bool], data: str, seconds: float) -> None:
    """Presses again whenever the bot says that it has to be done again."""
    seen = 0

    def changed(now: Message) -> bool:
        return now is message and now.changed > seen and (check(now) or "база данных" in now.text)

    while not check(await person.wait_for(changed, seconds, old=True)):
        seen = message.changed
        person.press(data, message)


def has_link(message: Message) -> bool:
    return any(button.url for button in message.buttons)


async def pays(world: Sandbox, provider: str, minor: int, webhook: Webhook = "now") -> None:
    """Pays the one page there is for this amount; returns when its notices have been delivered once."""
    if provider == "stripe":
        (ref,) = [ref for ref, session in world.stripe.sessions.items() if session["amount_total"] == minor]
        await world.stripe.pay(ref, webhook)
    else:
        value = f"{minor / 100:.2f}"
        (ref,) = [ref for ref, payment in world.yookassa.payments.items() if payment["amount"]["value"] == value]
        await world.yookassa.pay(ref, webhook)


async def told(person: Person, provider: str, minor: int, seconds: float = 30) -> Message:
    return await person.wait_for(
        lambda message: "Зачислено" in message.text and f" {shown(provider, minor)} " in message.text, seconds, old=True
    )


async def deposits(
    world: Sandbox, person: Person, provider: str, minor: int, on: Message | None = None, seconds: float = 30
) -> None:
    """The whole way."""
    message = await asks(person, provider, minor, on, seconds)
    await pays(world, provider, minor)
    await told(person, provider, minor, seconds)
    await closed(person, message, provider, minor, seconds)
