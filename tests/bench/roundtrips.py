"""Stands between the bot and PostgreSQL and counts how often it asks and waits for an answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from tests.bench.stage import Stage

SOCKET = ".s.PGSQL.5432"
WAITS = b"SQH"  # Sync, Query, Flush: https://www.postgresql.org/docs/current/protocol-message-formats.html


@dataclass
class Counter:
    trips: int = 0

    async def questions(self, ours: asyncio.StreamReader, server: asyncio.StreamWriter) -> None:
        # The first message has no type.
        length = await ours.readexactly(4)
        server.write(length + await ours.readexactly(int.from_bytes(length) - 4))
        while True:
            head = await ours.readexactly(5)
            self.trips += head[0] in WAITS
            server.write(head + await ours.readexactly(int.from_bytes(head[1:]) - 4))


async def _answers(server: asyncio.StreamReader, ours: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await server.read(2**16):
            ours.write(data)
    ours.close()


@asynccontextmanager
async def counted(stage: Stage) -> AsyncIterator[tuple[Counter, str]]:
    """The counter, and the database's address by way of it."""
    counter = Counter()
    real = parse_qs(urlsplit(stage.embedded.owner_dsn("looseline")).query)["host"][0]
    folder = stage.folder / "counted"
    folder.mkdir(exist_ok=True)

    async def joined(ours: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        server, on = await asyncio.open_unix_connection(f"{real}/{SOCKET}")
        answers = asyncio.create_task(_answers(server, back))
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await counter.questions(ours, on)
        on.close()
        await answers

    proxy = await asyncio.start_unix_server(joined, folder / SOCKET)
    try:
        yield counter, f"postgresql://postgres@/looseline?host={folder}"
    finally:
        proxy.close()
