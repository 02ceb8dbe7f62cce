"""What may go wrong on the way to a server, chosen by tests, seeded where chance is involved."""

import asyncio
import json
import random
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import ClassVar

from aiohttp import web
from aiohttp.typedefs import Handler

REFUSALS = json.loads((Path(__file__).parent / "shapes" / "refusals.json").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Fault:
    """One kind of trouble; call it to change its numbers: `Fault.TOO_MANY(retry_after=7)`."""

    kind: str
    seconds: float = 1.0
    retry_after: int = 1

    TOO_MANY: ClassVar["Fault"]
    FORBIDDEN: ClassVar["Fault"]
    ERROR: ClassVar["Fault"]
    GARBAGE: ClassVar["Fault"]
    HANG: ClassVar["Fault"]
    RESET: ClassVar["Fault"]
    LOST: ClassVar["Fault"]
    LOST_500: ClassVar["Fault"]
    SLOW: ClassVar["Fault"]
    TRUNCATED: ClassVar["Fault"]
    DRIP: ClassVar["Fault"]

    def __call__(self, *, seconds: float | None = None, retry_after: int | None = None) -> "Fault":
        return replace(
            self,
            seconds=self.seconds if seconds is None else seconds,
            retry_after=self.retry_after if retry_after is None else retry_after,
        )


KINDS = (
    "TOO_MANY",
    "FORBIDDEN",
    "ERROR",
    "GARBAGE",
    "HANG",
    "RESET",
    "LOST",
    "LOST_500",
    "SLOW",
    "TRUNCATED",
    "DRIP",
)
for _kind in KINDS:
    setattr(Fault, _kind, Fault(_kind))


@dataclass
class Rule:
    server: str
    where: str
    fault: Fault
    times: int | None
    chance: float


class Faults:
    """The rules in force, the counted calls, and the middleware that applies one to the other."""

    def __init__(self, seed: int = 0) -> None:
        self.rules: list[Rule] = []
        self.calls: Counter[tuple[str, str]] = Counter()
        self._random = random.Random(seed)
        self._released = asyncio.Event()

    def add(self, server: str, where: str, fault: Fault, *, times: int | None = None, chance: float = 1.0) -> None:
        """Troubles the next `times` matching calls (None: until cleared) with this chance."""
        self.rules.append(Rule(server, where, fault, times, chance))

    def clear(self) -> None:
        """Ends all trouble; whatever hangs is cut off now."""
        self.rules.clear()
        self._released.set()
        self._released = asyncio.Event()

    def take(self, server: str, where: str) -> Fault | None:
        for rule in self.rules:
            if rule.server == server and fnmatchcase(where, rule.where) and self._random.random() < rule.chance:
                if rule.times is not None:
                    rule.times -= 1
                    if rule.times <= 0:
                        self.rules.remove(rule)
                return rule.fault
        return None

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        server, where = place(request)
        if not server:
            return await handler(request)
        self.calls[server, where] += 1
        fault = self.take(server, where)
        released = self._released
        match fault.kind if fault else None:
            case "TOO_MANY" | "FORBIDDEN" | "ERROR" | "GARBAGE" if fault:
                return refusal(server, fault)
            case "HANG":
                await released.wait()
                return cut(request)
            case "RESET":
                return cut(request)
            case "LOST":
                await handler(request)
                return cut(request)
            case "LOST_500":
                await handler(request)
                return refusal(server, Fault.ERROR)
            case "SLOW" if fault:
                await pause(released, fault.seconds)
                return await handler(request)
            case "TRUNCATED" | "DRIP" if fault:
                return await self._spoil(request, await handler(request), fault, released)
            case _:
                return await handler(request)

    async def _spoil(
        self, request: web.Request, answer: web.StreamResponse, fault: Fault, released: asyncio.Event
    ) -> web.StreamResponse:
        body = answer.body if isinstance(answer, web.Response) and isinstance(answer.body, bytes) else b""
        spoiled = web.StreamResponse(status=answer.status, headers={"Content-Type": answer.content_type})
        spoiled.content_length = len(body)
        await spoiled.prepare(request)
        if fault.kind == "TRUNCATED":
            await spoiled.write(body[: len(body) // 2])
            if request.transport is not None:
                request.transport.close()
            return spoiled
        for index in range(len(body)):
            await spoiled.write(body[index : index + 1])
            await pause(released, fault.seconds)
        return spoiled


async def pause(released: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(released.wait(), seconds)


def place(request: web.Request) -> tuple[str, str]:
    """Which server a request is for and how rules name the call; "" for what is not the outside world."""
    path = request.path
    if path.startswith("/bot"):
        return "telegram", path.rpartition("/")[2]
    if path.startswith("/v1/"):
        return "stripe", f"{request.method} {path}"
    if path.startswith("/v3/"):
        return "yookassa", f"{request.method} {path}"
    return "", path


def cut(request: web.Request) -> web.Response:
    """Ends the connection without an answer; what is returned is never sent."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def refusal(server: str, fault: Fault) -> web.Response:
    """The answer each service gives when it is overloaded, forbidding or broken."""
    if fault.kind == "GARBAGE":
        html = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
        return web.Response(status=502, text=html, content_type="text/html")
    status = {"TOO_MANY": 429, "FORBIDDEN": 403, "ERROR": 500}[fault.kind]
    body, headers = dict(REFUSALS[server][str(status)]), {}
    if status == 429:
        headers["Retry-After"] = str(fault.retry_after)
        if server == "telegram":
            body["parameters"] = {"retry_after": fault.retry_after}
    return web.json_response(body, status=status, headers=headers)
