"""Brings the providers' notices to the bot: at once, late, many times or never, and again until taken."""

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple, get_args

import aiohttp
from yarl import URL

Webhook = Literal["now", "late", "many", "never"]
WEBHOOKS: tuple[Webhook, ...] = get_args(Webhook)


class Raw(NamedTuple):
    """A notice as it goes over the wire, for tests that deliver by themselves."""

    event: str
    body: bytes
    headers: dict[str, str]
    method: str = "POST"
    path: str = ""  # below the bot's address, with the query


@dataclass(frozen=True)
class Attempt:
    provider: str
    event: str
    subject: str
    attempt: int
    status: int | None  # None: no answer
    milliseconds: int
    at: float
    answer: str = ""  # the beginning of the body


@dataclass(frozen=True)
class Notice:
    provider: str
    event: str
    subject: str  # the id of the payment it is about
    body: bytes
    sign: Callable[[bytes], dict[str, str]]  # anew at each attempt, as signatures carry the time
    method: str = "POST"
    path: str | None = None  # None: where the provider's webhooks go
    heard: Callable[[Attempt], None] | None = None  # told of each attempt

    @property
    def raw(self) -> Raw:
        typed = {"Content-Type": "application/json"} if self.body else {}
        path = f"/api/webhook/{self.provider}" if self.path is None else self.path
        return Raw(self.event, self.body, typed | self.sign(self.body), self.method, path)

    def taken(self, status: int | None) -> bool:
        """Whether the sender is content. Stripe is with any 2xx, YooKassa with 200 alone."""
        if status is None:
            return False
        if self.provider in ("stripe", "yookassa"):
            return status == 200 or (200 <= status < 300 and self.provider == "stripe")
        # Postbacks are repeated when they did not get through, and not when they were refused
        return status < 500 and status not in (408, 429)


class Deliveries:
    """A real provider repeats for days; here the pauses are short, so that a person sees it happen."""

    def __init__(self, target: Callable[[], str | None], tell: Callable[[dict[str, Any]], None], seed: int = 0) -> None:
        self.log: deque[Attempt] = deque(maxlen=2000)
        self.late_seconds = 5.0
        self.shuffle = False
        self.first_pause, self.longest_pause, self.attempts = 0.2, 5.0, 200
        self._target, self._tell = target, tell
        self._random = random.Random(seed)
        self._tasks: set[asyncio.Task[None]] = set()
        self._session: aiohttp.ClientSession | None = None

    def post(self, notices: Sequence[Notice], webhook: Webhook, copies: int) -> list[asyncio.Future[None]]:
        """Starts the deliveries; each future is done when the first attempt of one has ended."""
        if webhook == "never":
            return []
        chosen = list(notices) * (copies if webhook == "many" else 1)
        if self.shuffle:
            self._random.shuffle(chosen)
        firsts = []
        for notice in chosen:
            first: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            firsts.append(first)
            task = asyncio.create_task(self._deliver(notice, self.late_seconds if webhook == "late" else 0, first))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return [] if webhook == "late" else firsts

    async def drained(self) -> None:
        """Waits until nothing is on its way any more, late and repeated ones included."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def stop(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    async def _deliver(self, notice: Notice, delay: float, first: asyncio.Future[None]) -> None:
        try:
            await asyncio.sleep(delay)
            pause = self.first_pause
            for number in range(1, self.attempts + 1):
                taken = await self._try(notice, number)
                if not first.done():
                    first.set_result(None)
                if taken:
                    return
                await asyncio.sleep(pause)
                pause = min(pause * 2, self.longest_pause)
        finally:
            first.cancel()

    async def _try(self, notice: Notice, number: int) -> bool:
        if self._session is None:
            # Thousands at once wait here for a connection, and that wait is not the bot's
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(sock_connect=20, sock_read=20))
        began, status, answer = time.monotonic(), None, b""
        if (target := self._target()) is None:
            return False
        raw = notice.raw
        url = URL(f"{target.rstrip('/')}{raw.path}", encoded=True)
        with suppress(aiohttp.ClientError, TimeoutError):
            async with self._session.request(
                raw.method, url, data=raw.body or None, headers=raw.headers, skip_auto_headers=["Content-Type"]
            ) as response:
                status = response.status
                answer = (await response.read())[:200]
        spent = round((time.monotonic() - began) * 1000)
        about = (notice.provider, notice.event, notice.subject)
        attempt = Attempt(*about, number, status, spent, time.time(), answer.decode(errors="replace"))
        self.log.append(attempt)
        if notice.heard is not None:
            notice.heard(attempt)
        self._tell({"delivery": asdict(attempt)})
        return notice.taken(status)
