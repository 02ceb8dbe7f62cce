"""Several processes on one database: one of them polls Telegram, and another goes on when that one is gone."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from functools import partial

import aiohttp
import pytest

from bot.app import POLLING
from db.embedded import Embedded
from sandbox import Person
from tests.chaos.house import House, Process, free_port, until
from tests.chaos.players import links
from tests.chat.people import grown_up


@pytest.fixture
async def server(house: House) -> AsyncIterator[Embedded]:
    server = await Embedded.start(house.data)
    yield server
    await house.swept()  # a process that is stopped would keep its connections
    await server.stop()


async def telegram(port: str) -> str:
    """What a process says of its updates."""
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/health") as response:
        return str((await response.json())["telegram"])


async def opened_on(house: House, server: Embedded) -> tuple[Process, str]:
    """One more process on this database, on a port of its own."""
    port = house.settings["PORT"] = str(free_port())
    house.settings["DATABASE_URL"] = server.owner_dsn("looseline")
    return await house.opens(), port


async def answered(person: Person) -> float:
    """How long an answer takes, which comes once."""
    began, before = time.monotonic(), len(person.shown)
    await person.says("/balance")
    await person.sees("Баланс", timeout=30)
    seconds = time.monotonic() - began
    await asyncio.sleep(0.3)
    assert len(person.shown) == before + 1
    return seconds


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL, signal.SIGSTOP])
async def test_one_polls_and_another_takes_over_when_it_ends(
    house: House, server: Embedded, end: signal.Signals
) -> None:
    first, one = await opened_on(house, server)
    anna = await grown_up(house.world)
    second, other = await opened_on(house, server)
    await until(lambda: telegram_is(other, "standby"))
    assert await telegram(one) == "ok"
    for _ in range(3):
        assert await answered(anna) < 3
    first.send(end)
    # Who hangs keeps its turn until PostgreSQL loses patience with it: after 15 seconds.
    assert await answered(anna) < (25 if end is signal.SIGSTOP else 8)
    await until(lambda: telegram_is(other, "ok"))
    if end is signal.SIGSTOP:
        first.send(signal.SIGCONT)
        await until(lambda: telegram_is(one, "standby"))
        assert await answered(anna) < 3
        await house.closes(first)
    else:
        await first.ended()
    house.world.bot_url = f"http://127.0.0.1:{other}"
    (deposit, *_) = await links(house.world, 1)
    await deposit.paid_and_told()
    await house.proven(second, errors_allowed=["another process polls"])


async def telegram_is(port: str, status: str) -> bool:
    return await telegram(port) == status


async def test_whose_connection_is_cut_asks_again_and_only_one_polls(house: House, server: Embedded) -> None:
    _, one = await opened_on(house, server)
    anna = await grown_up(house.world)
    second, other = await opened_on(house, server)
    for _ in range(3):
        await until(partial(cut, house))
        assert await answered(anna) < 12
        await until(lambda: one_polls(one, other))
    await house.closes(house.processes[0])
    await house.proven(second, errors_allowed=["another process polls"])


async def one_polls(*ports: str) -> bool:
    return sorted([await telegram(port) for port in ports]) == ["ok", "standby"]


async def cut(house: House) -> bool:
    """Ends the connection of the process whose turn it is. False: it is nobody's at this moment."""
    async with house.books() as books:
        return bool(
            await books.fetchval(
                "SELECT bool_or(pg_terminate_backend(pid)) FROM pg_locks WHERE locktype = 'advisory' AND classid = 0"
                " AND objid = $1 AND granted",
                POLLING,
            )
        )
