"""Sends requests made beforehand, so many at a time, each connection its next one as soon as the last is answered.

    python -m tests.bench.generator FILE ADDRESS IN_FLIGHT

A process of its own, so that nobody else's work is in its loop. Says READY when it is connected, begins with the first
line of its input, and says how it went. FILE: requests as they go over the wire, each behind its length in four bytes.
"""

import asyncio
import gc
import json
import re
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import uvloop

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class Connection(asyncio.Protocol):
    """One request at a time; `answered` is called with the status of each, 0 when there will be no answer."""

    def __init__(self, answered: Callable[["Connection", int], None]) -> None:
        self._answered = answered
        self._received = b""
        self._transport: asyncio.Transport | None = None
        self._waits = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # which uvloop's own is, in all but name

    def send(self, request: bytes) -> None:
        assert self._transport is not None
        self._waits = True
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head = self._received.find(b"\r\n\r\n")
        if head < 0:
            return
        length = LENGTH.search(self._received, 0, head)
        assert length, self._received
        if len(self._received) >= head + 4 + int(length[1]):
            status, self._received, self._waits = int(self._received[9:12]), b"", False
            self._answered(self, status)

    def connection_lost(self, error: Exception | None) -> None:
        if self._waits:
            self._answered(self, 0)


async def connected(address: str, count: int, answered: Callable[[Connection, int], None]) -> list[Connection]:
    loop, url = asyncio.get_running_loop(), urlsplit(address)
    place = (url.hostname or "", url.port or 0)
    made = [await loop.create_connection(lambda: Connection(answered), *place) for _ in range(count)]
    return [connection for _, connection in made]


def written(requests: Sequence[bytes], path: Path) -> Path:
    path.write_bytes(b"".join(len(request).to_bytes(4) + request for request in requests))
    return path


def _read(path: Path) -> list[bytes]:
    data, at, requests = path.read_bytes(), 0, []
    while at < len(data):
        end = at + 4 + int.from_bytes(data[at : at + 4])
        requests.append(data[at + 4 : end])
        at = end
    return requests


async def main(file: str, address: str, in_flight: int) -> None:
    requests = _read(Path(file))
    sent, took = [0.0] * len(requests), [0.0] * len(requests)
    waiting: dict[Connection, int] = {}
    refused: list[int] = []
    rest = iter(range(len(requests)))
    over = asyncio.Event()

    def go_on(connection: Connection) -> None:
        number = next(rest, None)
        if number is not None:
            waiting[connection] = number
            sent[number] = time.perf_counter()
            connection.send(requests[number])
        elif not waiting:
            over.set()

    def answered(connection: Connection, status: int) -> None:
        number = waiting.pop(connection)
        took[number] = time.perf_counter() - sent[number]
        if status != 200:
            refused.append(status)
        if not status:
            sys.exit("a connection was lost")
        go_on(connection)

    connections = await connected(address, in_flight, answered)
    gc.freeze()
    gc.disable()
    sys.stdout.write("READY\n")
    sys.stdout.flush()
    sys.stdin.readline()
    clock = time.time() - time.perf_counter()
    for connection in connections:
        go_on(connection)
    await over.wait()
    ended = clock + max(map(float.__add__, sent, took))
    json.dump({"sent": [clock + at for at in sent], "took": took, "ended": ended, "refused": refused}, sys.stdout)
    sys.stdout.write("\n")


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
