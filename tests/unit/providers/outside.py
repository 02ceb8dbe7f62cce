"""A provider's server with its worst days on order, and payloads bent in every place."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from aiohttp import web

from db.money import Money
from services.providers import Order

Json = dict[str, Any]

FIXTURES = Path(__file__).parents[2] / "fixtures"
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
ORDER_ID = UUID("6f1c7a52-3c1d-4e7a-9d7f-0b9f5a1c2d3e")


def payload(name: str) -> Json:
    value = json.loads((FIXTURES / name).read_text())
    assert isinstance(value, dict)
    return value


def payloads(folder: str) -> list[str]:
    return sorted(f"{folder}/{path.name}" for path in (FIXTURES / folder).iterdir())


def order(amount: Money, **changes: Any) -> Order:
    values: Json = {
        "id": ORDER_ID,
        "amount": amount,
        "description": "Пополнение №71",
        "language": "ru",
        "return_url": "https://t.me/example_bot?start=paid_71",
        "expires_at": NOW + timedelta(hours=1),
        "player_id": 42,
    }
    return Order(**(values | changes))


@dataclass(frozen=True)
class Call:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Reply:
    """An answer of the server's own choosing."""

    status: int
    body: bytes
    location: str = ""

    @classmethod
    def json(cls, status: int, value: object) -> "Reply":
        return cls(status, json.dumps(value).encode())


# What can become of a call: an answer, or lost (the effect without the answer), reset, hang, truncated, drip.
Fate = Reply | str


class Outside:
    """Makes one thing per idempotency key with `make`. Calls use up `fates` one by one, then meet `fate`."""

    def __init__(self, make: Callable[[Call], Json]) -> None:
        self.make = make
        self.made: dict[str, bytes] = {}
        self.calls: list[Call] = []
        self.fates: list[Fate] = []
        self.fate: Fate | None = None
        self.url = ""

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        call = Call(
            request.method,
            request.path_qs,
            {name.lower(): value for name, value in request.headers.items()},
            await request.read(),
        )
        self.calls.append(call)
        fate = self.fates.pop(0) if self.fates else self.fate
        if isinstance(fate, Reply):
            headers = {"Location": fate.location} if fate.location else {}
            return web.Response(status=fate.status, body=fate.body, headers=headers)
        if fate in ("reset", "hang"):
            await asyncio.sleep(3600 if fate == "hang" else 0)
            return self._cut(request)
        key = call.headers.get("idempotency-key") or call.headers.get("idempotence-key") or call.path
        answer = self.made.setdefault(key, json.dumps(self.make(call)).encode())
        if fate == "lost":
            return self._cut(request)
        if fate is None:
            return web.Response(body=answer)
        response = web.StreamResponse()
        response.content_length = len(answer)
        await response.prepare(request)
        if fate == "truncated":
            await response.write(answer[: len(answer) // 2])
            return self._cut(request)
        assert fate == "drip"
        for index in range(len(answer)):
            await response.write(answer[index : index + 1])
            await asyncio.sleep(0.05)
        return response

    @staticmethod
    def _cut(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.close()
        return web.Response()


@asynccontextmanager
async def running(make: Callable[[Call], Json]) -> AsyncIterator[Outside]:
    outside = Outside(make)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", outside._handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    outside.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield outside
    finally:
        await runner.cleanup()


ODD: tuple[object, ...] = (
    None, True, "", "x", "\x00", "\ud800", "5000", 0, -1, 1.5, 10**30, [], ["x"], {}, {"id": "x"},
)  # fmt: skip


def bent(value: Json) -> Iterator[Json]:
    """The payload with each of its values in turn replaced by odd ones, or gone."""
    for path in _paths(value):
        for odd in ODD:
            copy = deepcopy(value)
            _parent(copy, path)[path[-1]] = odd
            yield copy
        copy = deepcopy(value)
        del _parent(copy, path)[path[-1]]
        yield copy


def _paths(value: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if not isinstance(value, dict | list):
        return
    for key, child in value.items() if isinstance(value, dict) else enumerate(value):
        yield (*path, key)
        yield from _paths(child, (*path, key))


def _parent(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path[:-1]:
        value = value[key]
    return value
