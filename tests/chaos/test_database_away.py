"""PostgreSQL goes away under load: what cannot be kept is not accepted, and in the end everything has arrived once."""

import asyncio
import os
import signal
from collections.abc import Iterable
from contextlib import suppress
from itertools import islice

import pytest

from db.embedded import Embedded
from tests.chaos.house import House, time_passes, until
from tests.chaos.players import CURRENCIES, Deposit, links, player


@pytest.mark.parametrize("outage", ["stopped", "frozen", "killed"])
async def test_the_database_goes_away_under_load(house: House, outage: str) -> None:
    """`stopped`: `pg_ctl stop -m immediate`, until somebody starts it. `frozen`: nothing refuses, nothing answers.
    `killed`: the bundled server, which the bot brings back by itself."""
    world, log = house.world, house.world.deliveries.log
    server = None
    if outage != "killed":
        server = await Embedded.start(house.data)
        house.settings["DATABASE_URL"] = server.owner_dsn("looseline")
    process = await house.opens()
    waiting = await links(world, 8)
    paying = iter(waiting)
    latecomer = await player(world, 8)
    guard = None
    async with asyncio.TaskGroup() as group:

        def more(count: int) -> None:
            for deposit in islice(paying, count):
                group.create_task(deposit.paid_and_told())

        more(6)
        await until(lambda: any(attempt.status == 200 for attempt in log))
        pids = await servers(house)
        match outage:
            case "stopped":
                send(signal.SIGQUIT, pids[:1])
            case "frozen":
                send(signal.SIGSTOP, pids)
            case _:
                send(signal.SIGKILL, pids[:1])
        more(5)
        for provider, message in zip(CURRENCIES, latecomer.shown[:2], strict=True):
            group.create_task(Deposit(world, latecomer, provider, 20_00, message).whole())
        await until(lambda: any(attempt.status == 503 for attempt in log))
        if outage != "killed":
            assert await house.health() == (503, "failing")
        match outage:
            case "stopped":
                assert server
                guard = asyncio.create_task(server.keep_running())
            case "frozen":
                send(signal.SIGCONT, pids)
            case _:
                pass  # it comes by itself
        more(5)

        async def recovered() -> bool:
            return (await house.health())[0] == 200

        await until(recovered)
        async with house.books() as books:
            await time_passes(books)  # what was taken into work when the answer got lost waits for its lease
    assert {attempt.status for attempt in log} == {200, 503}, "the door always answers"
    await house.proven(process, repeats=8, errors_allowed=["embedded database is gone"])
    if guard is not None:
        guard.cancel()
    if server is not None:
        await server.stop()


async def servers(house: House) -> list[int]:
    """The database's processes, its first one first."""
    async with house.books() as books:
        others = await books.fetch("SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
    first = house.postmaster()
    assert first
    return [first, *(row["pid"] for row in others)]


def send(number: signal.Signals, pids: Iterable[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
