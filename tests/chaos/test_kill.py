"""kill -9 at every await between a player's wish and the message that tells of the money, each followed by a start."""

import asyncio
import signal
from collections import Counter
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from zlib import crc32

import pytest

from sandbox import Person, Sandbox
from tests.chaos.awaits import points, recorded
from tests.chaos.house import House, asks, closed, deposits, findings, pays, time_passes, told, until
from tests.chat.people import grown_up

Flow = Callable[[Sandbox, Person, int], Coroutine[None, None, None]]

SECONDS = 60.0
MAKES_WORK = {
    "services/inbox.py:act": "services/inbox.py:accept",
    "bot/sender.py": "db/outbox.py:add",
}
# Some of the awaits that must be among those found.
BY_WEBHOOK = (
    *("handlers/deposits.py:_pay", "services/deposits.py:start", "db/operations.py:create_deposit"),
    *(
        "stripe.py:create",
        "yookassa.py:create",
        "yookassa.py:fetch",
        "db/operations.py:opened",
        "db/operations.py:show_in",
    ),
    *("services/inbox.py:accept", "db/inbox.py:store", "services/inbox.py:act:", "services/inbox.py:act_rereading:"),
    *("db/inbox.py:lock_leased", "db/operations.py:lock", "db/ledger.py:post", "db/operations.py:complete"),
    *("db/outbox.py:add", "db/inbox.py:finish", "db/outbox.py:claim", "bot/sender.py:_send", "db/outbox.py:sent"),
)
BY_BUTTON = (
    "services/deposits.py:check",
    "stripe.py:fetch",
    "db/ledger.py:post",
    "db/operations.py:complete",
    "db/outbox.py:add",
)


async def by_webhook(world: Sandbox, person: Person, number: int) -> None:
    """Two deposits at once; the last of their messages has to wait its turn."""
    first, second = person.shown[:2]
    async with asyncio.TaskGroup() as both:
        both.create_task(deposits(world, person, "stripe", 10_00 + number, first, SECONDS))
        both.create_task(deposits(world, person, "yookassa", 10_00 + number, second, SECONDS))


async def by_button(world: Sandbox, person: Person, number: int) -> None:
    """The webhook is lost, and the player presses until the bot has asked."""
    minor = 10_00 + number
    opened = await asks(person, "stripe", minor, None, SECONDS)
    check = opened.buttons[1].data
    assert check
    await pays(world, "stripe", minor, "never")
    news = asyncio.create_task(told(person, "stripe", minor, SECONDS))
    while not news.done():
        person.press(check, opened)
        await asyncio.wait([news], timeout=1)
    await news
    await closed(person, opened, "stripe", minor, SECONDS)


@pytest.mark.parametrize("half", [0, 1])
async def test_killed_at_every_await_of_a_deposit(house: House, half: int) -> None:
    await killed_everywhere(house, by_webhook, BY_WEBHOOK, lambda at: crc32(at.encode()) % 2 == half)


async def test_killed_at_every_await_of_a_check(house: House) -> None:
    await killed_everywhere(house, by_button, BY_BUTTON, lambda at: "deposits.py:check" in at)


async def killed_everywhere(house: House, flow: Flow, expected: tuple[str, ...], wanted: Callable[[str], bool]) -> None:
    """Lists the awaits of a flow; then, at each that is wanted, a process that works for all players is killed."""
    world, notes = house.world, house.folder / "waits"
    process = await house.opens(record=str(notes))
    people = [await player(world, number) for number in range(2)]
    marks = [len(recorded(notes))]
    await until(partial(all_rested, notes, marks[0]))
    for number, person in enumerate(people):
        marks.append(len(recorded(notes)))
        await flow(world, person, number)
    waits = recorded(notes)
    idle, once, again = (waits[begin:end] for begin, end in zip(marks, [*marks[1:], None], strict=True))
    found = points(idle, once + again, MAKES_WORK)
    assert [part for part in expected if not any(part in point.at for point in found)] == []
    always = {wait.place for wait in once} & {wait.place for wait in again}
    mine = [point for point in found if wanted(point.at) and not point.at.startswith("bot/jobs.py")]  # the clock
    people = await asyncio.gather(*(player(world, number) for number in range(2, 2 + len(mine))))
    process.send(signal.SIGKILL)  # the database lives on, as it does each time
    assert await process.ended() == -signal.SIGKILL

    missed: set[str] = set()
    async with house.books() as books, asyncio.TaskGroup() as wishes:
        for number, (person, point) in enumerate(zip(people, mine, strict=True), start=2):
            await time_passes(books)
            process = await house.starts(at=point.at, after=point.after)
            wish = wishes.create_task(flow(world, person, number))
            end = wishes.create_task(process.ended(SECONDS))
            await asyncio.wait([wish, end], return_when=asyncio.FIRST_COMPLETED)
            if not end.done():
                missed.add(point.at)
                process.send(signal.SIGKILL)
            assert await end == -signal.SIGKILL, process.log.read_text()
            assert await findings(books) == [], point
        await time_passes(books)
        process = await house.opens()
    # A message is put off only if the others were quick.
    assert [at for at in missed & always if "put_off" not in at] == []
    async with house.books() as books:
        actors = await books.fetchval(
            "SELECT array_agg(DISTINCT actor) FROM wallet_operations WHERE status = 'completed'"
        )
    assert set(actors) == ({"check"} if flow is by_button else {"webhook:stripe", "webhook:yookassa"})
    await house.proven(process, repeats=len(mine))
    assert [line for process in house.processes for line in process.complaints("ERROR", "CRITICAL")] == []


async def player(world: Sandbox, number: int) -> Person:
    """With two messages to press on, so that two deposits do not share one."""
    person = await grown_up(world, 1000 + number, f"Игрок {number}")
    await person.says("/menu")
    await person.sees("Главное меню")
    return person


async def all_rested(notes: Path, begin: int) -> bool:
    """Every loop has found nothing to do, twice."""
    rests = Counter(wait.task for wait in recorded(notes)[begin:] if "bot/workers.py:drain" in wait.place)
    return bool(rests) and min(rests.values()) >= 2
