"""kill -9 at every await between a player's wish and the message that tells of the money, each followed by a start."""

import asyncio
import signal
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from sandbox import Person, Sandbox
from tests.chaos.awaits import points, recorded
from tests.chaos.house import House, deposits, findings, time_passes, until
from tests.chat.people import grown_up


async def player(world: Sandbox, number: int) -> Person:
    """With two messages, so that two deposits do not share one."""
    person = await grown_up(world, 1000 + number, f"Игрок {number}")
    await person.says("/menu")
    await person.sees("Главное меню")
    return person


async def pays_both_ways(world: Sandbox, person: Person, number: int) -> None:
    """Two deposits at once; the last of their messages has to wait its turn."""
    first, second = person.shown[-2:]
    async with asyncio.TaskGroup() as both:
        both.create_task(deposits(world, person, "stripe", 10_00 + number, first, 120))
        both.create_task(deposits(world, person, "yookassa", 10_00 + number, second, 120))


@pytest.mark.parametrize("half", [0, 1])
async def test_killed_at_every_await_and_started_again(house: House, half: int) -> None:
    import time

    T0 = time.time()
    world, notes = house.world, house.folder / "waits"
    process = await house.opens(record=str(notes))
    people = [await player(world, number) for number in range(2)]
    start = len(recorded(notes))
    await until(partial(_all_rested, notes, start))
    rested = len(recorded(notes))
    await pays_both_ways(world, people[0], 0)
    between = len(recorded(notes))
    await pays_both_ways(world, people[1], 1)
    waits = recorded(notes)
    idle, once, again = waits[start:rested], waits[rested:between], waits[between:]
    always = {point.at for point in points(idle, once)} & {point.at for point in points(idle, again)}
    mine = points(idle, once + again)[half::2]
    people += await asyncio.gather(*(player(world, number) for number in range(2, 2 + len(mine))))
    process.send(signal.SIGKILL)  # the database lives on, as it always does
    assert await process.ended() == -signal.SIGKILL

    print("recorded", time.time() - T0)
    missed: list[str] = []
    async with house.books() as books, asyncio.TaskGroup() as wishes:
        for number, point in enumerate(mine, start=2):
            await time_passes(books)
            process = await house.starts(at=point.at, after=point.after)
            wish = wishes.create_task(pays_both_ways(world, people[number], number))
            end = wishes.create_task(process.ended(60))
            await asyncio.wait([wish, end], return_when=asyncio.FIRST_COMPLETED)
            if not end.done():
                missed.append(point.at)
                process.send(signal.SIGKILL)
            assert await end == -signal.SIGKILL, process.log.read_text()
            t = time.time()
            assert await findings(books) == [], point.at
            print(f"{time.time() - T0:.2f} {time.time() - t:.2f}", "READY" in process.said, point)
        await time_passes(books)
        process = await house.opens()
    print(len(mine), len(always), missed, time.time() - T0)
    await house.proven(process, repeats=len(mine))


async def _all_rested(notes: Path, start: int) -> bool:
    """Every loop found nothing to do, twice."""
    rests = [wait.task for wait in recorded(notes)[start:] if "bot/workers.py:drain" in wait.place]
    return len(rests) > 0 and min(Counter(rests).values()) >= 2
