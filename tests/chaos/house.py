"""Bots as real processes, each with a DATA_DIR, and what the tests do with them: open, kill, wait, prove."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

from db.embedded import Embedded
from sandbox import Person, Sandbox
from tests.chaos.awaits import ROOT


@dataclass
class Process:
    """A bot that runs, or has run."""

    nursery: "Nursery"
    pid: int
    out: asyncio.StreamReader
    log: Path
    said: str = ""

    async def ready(self, seconds: float = 30) -> None:
        async with asyncio.timeout(seconds):
            while "READY" not in self.said:
                line = await self.out.readline()
                assert line, f"ended before it was ready:\n{self.log.read_text()}"
                self.said += line.decode()

    async def ended(self, seconds: float = 15) -> int:
        """Waits for the end; answers the exit code, -9 for a kill."""
        async with asyncio.timeout(seconds):
            self.said += (await self.out.read()).decode()
        return self.nursery.wait(self.pid)

    def send(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def errors(self) -> list[str]:
        """What it complained about, bug or not; warnings are not complaints."""
        lines = self.log.read_text().splitlines()
        return [line for line in lines if not line.startswith("{") or json.loads(line)["level"] in ("ERROR", "CRITICAL")]


class Nursery:
    """See `tests.chaos.nursery`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._started = 0
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.nursery", str(theirs.fileno())], cwd=ROOT, pass_fds=[theirs.fileno()]
        )
        theirs.close()

    def close(self) -> None:
        self._socket.close()
        self._process.wait(30)

    def _ask(self, order: dict[str, object], files: Iterable[int] = ()) -> int:
        socket.send_fds(self._socket, [json.dumps(order).encode()], list(files))
        return int(self._socket.recv(100))

    async def start(self, settings: dict[str, str], *arguments: str, **watched: str | None) -> Process:
        self._started += 1
        log = self._folder / f"{self._started}.log"
        ours, theirs = os.pipe()
        with log.open("wb") as errors:
            order = {"settings": settings, "arguments": arguments, "folder": str(self._folder), **watched}
            pid = self._ask(order, [theirs, errors.fileno()])
        os.close(theirs)
        return Process(self, pid, await _reader(ours), log)

    def wait(self, pid: int) -> int:
        return self._ask({"wait": pid})


async def _reader(pipe: int) -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(pipe, "rb", 0)
    )
    return reader
