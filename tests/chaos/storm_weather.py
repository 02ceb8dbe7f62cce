"""What goes wrong in the storm: processes and the database are killed, the outside fails, somebody forges."""

import asyncio
import hashlib
import hmac
import json
import os
import random
import signal
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import aiohttp
import asyncpg

from db.database import APP_ROLE
from sandbox import Fault, Sandbox
from sandbox.stripe import told
from tests.chaos.house import House, Process, free_port, until
from tests.chaos.storm_books import Notes

OUTSIDER = "127.0.0.2"
"""An address that is not among YooKassa's."""
HUGE = b'{"type": "notification", "object": "' + b"x" * 5_000_000 + b'"}'
READY_SECONDS = 90.0
REFUSED = "The database cannot be reached"
"""What a process says that ends because of it."""


@dataclass
class Fleet:
    """Bots on one database, each on a port of its own, which are killed and restarted in turn."""

    house: House
    notes: Notes
    chance: random.Random
    size: int
    settings: dict[str, str] = field(default_factory=dict)
    """Beside the house's own."""
    ports: list[int] = field(default_factory=list)
    running: list[Process] = field(default_factory=list)
    ready: list["asyncio.Task[None]"] = field(default_factory=list)
    up: asyncio.Event = field(default_factory=asyncio.Event)
    """Some process is ready."""
    over: asyncio.Event = field(default_factory=asyncio.Event)
    turning: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while some process is another one."""

    async def open(self) -> None:
        self.ports = [free_port() for _ in range(self.size)]
        for place in range(self.size):
            self.running.append(await self._start(place))
            self.ready.append(asyncio.create_task(self._announced(place)))
        await asyncio.gather(*self.ready)

    async def _start(self, place: int) -> Process:
        own = self.house.settings
        self.house.settings = own | self.settings | {"PORT": str(self.ports[place])}
        try:
            return await self.house.starts()
        finally:
            self.house.settings = own

    async def _announced(self, place: int) -> None:
        """Until a process is ready. One that finds no database says so and ends, and its supervisor starts it again."""
        while True:
            process = self.running[place]
            try:
                await process.ready(READY_SECONDS)
            except AssertionError:
                if REFUSED not in process.log.read_text():
                    raise
                await asyncio.sleep(0.3)
                async with self.turning:
                    await process.ended()
                    self.notes.struck["starts without a database"] += 1
                    self.running[place] = await self._start(place)
            else:
                self.up.set()
                return

    def address(self) -> str:
        """Somebody's, be it there or not."""
        return f"http://127.0.0.1:{self.chance.choice(self.ports)}"

    async def strike(self, place: int, pause: float) -> None:
        """Ends a process a moment after all are ready, or while it starts, and starts it again."""
        if self.chance.random() < 0.9:
            await asyncio.gather(*self.ready)
        await asyncio.sleep(pause)
        async with self.turning:
            process, ready = self.running[place], self.ready[place]
            gentle = self.chance.random() < 0.08 and ready.done()
            ready.cancel()
            await asyncio.wait([ready])
            if self.size == 1:
                self.up.clear()
            process.send(signal.SIGTERM if gentle else signal.SIGKILL)
            code = await process.ended(20)
            self.notes.struck["graceful stops" if gentle else "kills"] += 1
            if code != (0 if gentle else -signal.SIGKILL) and REFUSED not in process.log.read_text():
                self.notes.found.append(f"a process ended with {code}:\n{process.log.read_text()[-2000:]}")
            self.running[place] = await self._start(place)
            self.ready[place] = asyncio.create_task(self._announced(place))

    async def rage(self, mean: float) -> None:
        """Kills one after another in turn, until it is over; what was killed last is started again all the same."""
        place = 0
        while not self.over.is_set():
            await self.strike(place, self.chance.uniform(0.1, 2 * mean))
            place = (place + 1) % self.size

    async def close(self) -> None:
        await asyncio.gather(*self.ready)
        for process in self.running:
            process.send(signal.SIGTERM)
        for process in self.running:
            if (code := await process.ended(30)) != 0:
                self.notes.found.append(f"a process that was asked to stop ended with {code}")
        self.up.clear()


@dataclass
class Ground:
    """The database shakes."""

    house: House
    notes: Notes
    chance: random.Random

    async def rage(self, mean: float) -> None:
        """Until it is cancelled; every kind once before any comes again."""
        while True:
            kinds: list[Callable[[], Awaitable[None]]] = [self.stops, self.cuts, self.freezes, self.stalls, self.fills]
            self.chance.shuffle(kinds)
            for kind in kinds:
                await asyncio.sleep(self.chance.uniform(0.3, 1.7) * mean)
                with self.notes.away(), suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
                    await kind()

    async def stops(self) -> None:
        """Immediate stop of the server; whose server it is brings it back."""
        first = self.house.postmaster()
        if first is None:
            return
        self.notes.struck["immediate stops of PostgreSQL"] += 1
        os.kill(first, signal.SIGQUIT)
        await until(lambda: self.house.postmaster() not in (None, first), 60)

    async def cuts(self) -> None:
        """Some sessions end."""
        for _ in range(self.chance.randint(1, 5)):
            async with self.house.books() as books:
                ended = await books.fetchval(
                    "SELECT count(pg_terminate_backend(pid)) FROM (SELECT pid FROM pg_stat_activity"
                    " WHERE usename = $1 ORDER BY random() LIMIT $2) some",
                    APP_ROLE,
                    self.chance.randint(1, 6),
                )
            self.notes.struck["sessions ended"] += ended
            await asyncio.sleep(self.chance.uniform(0, 0.3))

    async def freezes(self) -> None:
        """All of the server stands still."""
        first, others = await self._processes()
        await self._freeze([first, *others], self.chance.uniform(0.5, 5))
        self.notes.struck["freezes of PostgreSQL"] += 1

    async def stalls(self) -> None:
        """Some sessions stand still, perhaps with locks."""
        _, others = await self._processes()
        await self._freeze(self.chance.sample(others, min(3, len(others))), self.chance.uniform(0.5, 4))
        self.notes.struck["freezes of sessions"] += 1

    async def fills(self) -> None:
        """Nobody else gets a connection."""
        async with self.house.books() as books, AsyncExitStack() as stack:
            name = await books.fetchval("SELECT current_setting('unix_socket_directories')")
            place = await books.fetchval("SELECT current_setting('data_directory')") if name == "." else name
            with suppress(asyncpg.PostgresError, TimeoutError):
                for _ in range(200):
                    one = await asyncpg.connect(user=APP_ROLE, database="looseline", host=place, timeout=3)
                    stack.push_async_callback(one.close, timeout=3)
            await asyncio.sleep(self.chance.uniform(0.5, 3))
        self.notes.struck["exhaustions of connections"] += 1

    async def _processes(self) -> tuple[int, list[int]]:
        async with self.house.books() as books:
            rows = await books.fetch("SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
        first = self.house.postmaster()
        if first is None:
            raise ConnectionRefusedError
        return first, [row["pid"] for row in rows]

    async def _freeze(self, pids: Iterable[int], seconds: float) -> None:
        pids = list(pids)
        try:
            _send(signal.SIGSTOP, pids)
            await asyncio.sleep(seconds)
        finally:
            _send(signal.SIGCONT, pids)


def _send(number: signal.Signals, pids: Iterable[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


@dataclass
class Weather:
    """Providers and Telegram fail in every way they have."""

    world: Sandbox
    notes: Notes
    chance: random.Random

    async def rage(self, mean: float) -> None:
        try:
            while True:
                await asyncio.sleep(self.chance.uniform(0.3, 1.7) * mean)
                await self._one()
        finally:
            self.world.faults.clear()

    async def _one(self) -> None:
        server = self.chance.choice(("telegram", "stripe", "yookassa"))
        places = {
            "telegram": ("sendMessage", "editMessageText", "answerCallbackQuery", "getUpdates", "sendDocument", "*"),
            "stripe": ("POST /v1/checkout/sessions", "POST /v1/payment_intents", "GET *", "*"),
            "yookassa": ("POST /v3/payments", "GET /v3/payments/*", "*"),
        }
        faults = [Fault.TOO_MANY(retry_after=1), Fault.ERROR, Fault.GARBAGE, Fault.RESET, Fault.SLOW(seconds=2.0)]
        faults += [Fault.LOST, Fault.LOST_500, Fault.HANG, Fault.TRUNCATED]
        fault, place = self.chance.choice(faults), self.chance.choice(places[server])
        times = self.chance.randint(1, 12)
        if server == "telegram" and fault.kind in ("LOST", "LOST_500", "TRUNCATED", "SLOW", "HANG"):
            self.notes.lost_answers += times  # it came, and we were not told
        self.world.faults.add(server, place, fault, times=times, chance=self.chance.uniform(0.2, 1.0))
        self.notes.struck[f"faults of {server}"] += 1
        await asyncio.sleep(self.chance.uniform(0.2, 3))
        self.world.faults.clear()


@dataclass
class Forger:
    """Sends what nobody entitled sent. Nothing of it may be answered 200 but what YooKassa's own network could send,
    of which nothing is believed."""

    world: Sandbox
    notes: Notes
    chance: random.Random
    address: Callable[[], str]

    async def rage(self, per_second: float) -> None:
        outside = aiohttp.TCPConnector(local_addr=(OUTSIDER, 0), limit=20)
        timeout = aiohttp.ClientTimeout(total=20)
        async with (
            aiohttp.ClientSession(timeout=timeout) as near,
            aiohttp.ClientSession(connector=outside, timeout=timeout) as far,
            asyncio.TaskGroup() as group,
        ):
            while True:
                await asyncio.sleep(self.chance.expovariate(per_second))
                group.create_task(self._one(near, far))

    async def _one(self, near: aiohttp.ClientSession, far: aiohttp.ClientSession) -> None:
        what, session, path, body, headers, may_pass = self._forged(near, far)
        with suppress(aiohttp.ClientError, TimeoutError, OSError):
            async with session.post(f"{self.address()}{path}", data=BytesIO(body), headers=headers) as answer:
                self.notes.hostile[str(answer.status)] += 1
                if answer.status >= 500:
                    self.notes.failed(answer.status, f"forged: {what}")
                elif answer.status == 200 and not may_pass:
                    self.notes.found.append(f"forged and answered 200: {what}")

    def _forged(
        self, near: aiohttp.ClientSession, far: aiohttp.ClientSession
    ) -> tuple[str, aiohttp.ClientSession, str, bytes, dict[str, str], bool]:
        """What it is, from where, where to, what it says, how it is proven, and whether 200 is right."""
        match self.chance.randrange(4):
            case 0:
                return self._casino(near)
            case 1:
                return self._yookassa(near, far)
            case _:
                return self._stripe(near)

    def _stripe(
        self, near: aiohttp.ClientSession
    ) -> tuple[str, aiohttp.ClientSession, str, bytes, dict[str, str], bool]:
        body = self._paid()
        good = self.world.stripe.sign(body)["Stripe-Signature"]
        old = int(time.time()) - 3600
        changed = body.replace(b'"amount_total": ', b'"amount_total": 9').replace(b'"usd"', b'"eur"')
        kinds: dict[str, tuple[bytes, dict[str, str]]] = {
            "no signature": (body, {}),
            "an empty signature": (body, {"Stripe-Signature": ""}),
            "an old signature": (body, {"Stripe-Signature": _signature(old, body, self.world.stripe_webhook_secret)}),
            "another key's signature": (body, {"Stripe-Signature": _signature(int(time.time()), body, "whsec_other")}),
            "a changed body": (changed, {"Stripe-Signature": good}),
            "another's body": (self._paid(), {"Stripe-Signature": good[:-1] + ("0" if good[-1] != "0" else "1")}),
            "a form": (b"payload=" + body, {"Stripe-Signature": good}),
            "a huge body": (HUGE, {"Stripe-Signature": good}),
        }
        what = self.chance.choice(list(kinds))
        return f"Stripe, {what}", near, "/api/webhook/stripe", *kinds[what], False

    def _paid(self) -> bytes:
        """An event that would credit somebody, were it true."""
        sessions = self.world.stripe.sessions
        intent = f"pi_{self.chance.getrandbits(64):x}"
        session = {
            "id": f"cs_test_{intent}",
            "object": "checkout.session",
            "amount_total": 10_000,
            "currency": "usd",
            "created": int(time.time()),
            "livemode": False,
            "mode": "payment",
            "metadata": {},
            "client_reference_id": None,
        }
        if sessions:
            session = {**sessions[self.world.stripe.newest()]}
        return self.world.stripe.notice(
            told(
                "checkout.session.completed",
                {**session, "payment_intent": intent, "payment_status": "paid", "status": "complete"},
            )
        ).body

    def _yookassa(
        self, near: aiohttp.ClientSession, far: aiohttp.ClientSession
    ) -> tuple[str, aiohttp.ClientSession, str, bytes, dict[str, str], bool]:
        path = "/api/webhook/yookassa"
        waiting = [
            (ref, payment)
            for ref, payment in list(self.world.yookassa.payments.items())[-20:]
            if payment["status"] == "succeeded"
        ]
        thing: dict[str, Any] = {"id": "2d000000-000f-5000-8000-000000000000", "metadata": {}}
        if waiting:
            thing = dict(self.chance.choice(waiting)[1])
        thing |= {"status": "succeeded", "paid": True, "amount": {"value": "999999.00", "currency": "USD"}}
        thing["recipient"] = {"account_id": "999", "gateway_id": "1"}
        thing = {key: value for key, value in thing.items() if not key.startswith("_")}
        body = json.dumps({"type": "notification", "event": "payment.succeeded", "object": thing}).encode()
        spoofed = {"X-Forwarded-For": "127.0.0.1", "CF-Connecting-IP": "127.0.0.1"}
        match self.chance.randrange(5):
            case 0:
                return "YooKassa, from elsewhere", far, path, body, {}, False
            case 1:
                return "YooKassa, from elsewhere in disguise", far, path, body, spoofed, False
            case 2:
                return "YooKassa, a form", near, path, b"event=payment.succeeded&object=1", {}, False
            case 3:
                return "YooKassa, a huge body", near, path, HUGE, {}, False
            case _:
                return "YooKassa, ten times the amount in another shop's name", near, path, body, {}, True

    def _casino(
        self, near: aiohttp.ClientSession
    ) -> tuple[str, aiohttp.ClientSession, str, bytes, dict[str, str], bool]:
        token = self.chance.choice(("wrong", self.world.postback_token[:-1], f"{self.world.postback_token}x", "%00"))
        what = f"event=deposit&user_id=1&amount=1000000&transaction_id=forged-{self.chance.getrandbits(60)}"
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        path = self.chance.choice((f"/postback/1win/{token}", f"/postback/other/{self.world.postback_token}"))
        return "a postback to a wrong address", near, path, what.encode(), form, False


def _signature(at: int, body: bytes, secret: str) -> str:
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"
