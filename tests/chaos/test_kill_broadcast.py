"""kill -9 at every await of a broadcast: begun, fed, paused, resumed, stopped, ended; each followed by a start."""

import asyncio
import json
import os
import re
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

import pytest

from bot.app import BULK_SENDERS
from db.database import Tx
from handlers.admin.callbacks import BroadcastDraft, BroadcastSwitch, DraftStep, SwitchStep
from sandbox import Person
from tests.chaos.awaits import chosen, points, recorded
from tests.chaos.house import House, findings, time_passes, until
from tests.chaos.test_kill import SECONDS, all_rested

CROWD = 16
SILENCE = 3.0
DEEDS = re.compile(r"services/broadcasts\.py:|bot/sender\.py:show_progress")
MAKES_WORK = {"services/broadcasts.py": "db/broadcasts.py:start", "bot/sender.py": "db/broadcasts.py:start"}
EXPECTED = (
    *("services/broadcasts.py:start", "db/broadcasts.py:start", "db/audit.py:write", "services/broadcasts.py:_feed"),
    *("db/broadcasts.py:walk", "services/broadcasts.py:_switch", "db/broadcasts.py:hold", "db/broadcasts.py:release"),
    *("db/broadcasts.py:drop", "services/broadcasts.py:_end", "db/broadcasts.py:end", "db/outbox.py:add"),
    *("db/broadcasts.py:to_show", "db/broadcasts.py:showed"),
)


@dataclass
class Case:
    """Two broadcasts, one after the other: the first is paused and goes on, the second is paused and stopped."""

    house: House
    boss: Person
    number: int
    shown: bool
    """It is over only when the admin's message says so too, which takes some seconds."""

    async def whole(self) -> None:
        async with self.house.books() as books:  # its own: what it does goes on while others look
            await self._one(books, 2 * self.number, SwitchStep.RESUME)
            await self._one(books, 2 * self.number + 1, SwitchStep.STOP)

    async def _one(self, books: Tx, number: int, then: SwitchStep) -> None:
        nonce = f"n{number:07}"
        draft: dict[str, object] = {
            "draft": nonce,
            "text": words(number),
            "entities": [],
            "photo": None,
            "button": None,
        }
        await books.execute(
            "INSERT INTO fsm_state (key, data) VALUES ($1, $2) ON CONFLICT (key)"
            " DO UPDATE SET state = NULL, data = excluded.data, updated_at = now()",
            f"42:{self.boss.id}:{self.boss.id}:::default",
            json.dumps(draft),
        )
        find = "SELECT id, state, ended_at FROM broadcast WHERE request_key = $1"

        async def state() -> str:
            row = await books.fetchrow(find, f"{self.boss.id}:{nonce}")
            return "" if row is None else "ended" if row["ended_at"] else str(row["state"])

        await self._insists(BroadcastDraft(nonce=nonce, step=DraftStep.SEND).pack(), state, "")
        broadcast = int(await books.fetchval(find, f"{self.boss.id}:{nonce}"))
        await self._insists(BroadcastSwitch(broadcast=broadcast, step=SwitchStep.PAUSE).pack(), state, "sending")
        await self._insists(BroadcastSwitch(broadcast=broadcast, step=then).pack(), state, "paused")

        async def over() -> bool:
            return await state() == "ended" and self.heard(broadcast) >= 1 + self.shown

        await until(over, SECONDS)

    async def _insists(self, data: str, state: Callable[[], Awaitable[str]], old: str) -> None:
        """Presses again when nothing has changed for long."""

        async def changed() -> bool:
            return await state() != old

        async with asyncio.timeout(SECONDS):
            while not await changed():
                self.boss.press(data, self.boss.shown[0])
                try:
                    await until(changed, SILENCE)
                except TimeoutError:
                    continue

    def heard(self, broadcast: int) -> int:
        """How many messages tell of the end: the report, and by and by the one with the bar."""
        told = (message.text for message in self.boss.shown)
        return sum(f"Рассылка № {broadcast}:" in text and "Заняло" in text for text in told)


def words(number: int) -> str:
    return f"Новость {number:03}"


@pytest.mark.skipif(os.environ.get("CHAOS") != "all", reason="half a minute: test_broadcast kills too; make chaos")
async def test_killed_at_every_await_of_a_broadcast(house: House) -> None:
    world, notes = house.world, house.folder / "waits"
    process = await house.opens(record=str(notes))
    boss = world.person(900, "Редактор")
    await boss.says("/start")
    await boss.sees("18")
    async with house.books() as books:
        await books.execute(
            "INSERT INTO users (telegram_id, name, language, accepted_at)"
            " SELECT 10000 + n, 'Игрок', 'ru', now() FROM generate_series(1, $1::int) n",
            CROWD,
        )
        crowd = [world.person(10_001 + number, "Игрок") for number in range(CROWD)]
        marks = [len(recorded(notes))]
        await until(partial(all_rested, notes, marks[0]))
        for number in range(2):
            marks.append(len(recorded(notes)))
            await Case(house, boss, number, shown=True).whole()
        waits = recorded(notes)
        idle, once, again = (waits[begin:end] for begin, end in zip(marks, [*marks[1:], None], strict=True))
        found = points(idle, once + again, MAKES_WORK)
        assert [part for part in EXPECTED if not any(part in point.at for point in found)] == []
        always = {wait.place for wait in once} & {wait.place for wait in again}
        mine = [point for point in found if DEEDS.search(point.at)]
        assert len(mine) >= 30, mine
        mine = chosen(mine)
        process.send(signal.SIGKILL)  # the database lives on, as it does each time
        assert await process.ended() == -signal.SIGKILL
        missed: list[str] = []
        for number, point in enumerate(mine, start=2):
            await time_passes(books)
            process = await house.starts(at=point.at, after=point.after)
            wish = asyncio.create_task(Case(house, boss, number, shown="show" in point.at).whole())
            end = asyncio.create_task(process.ended(SECONDS))
            await asyncio.wait([wish, end], return_when=asyncio.FIRST_COMPLETED)
            if not end.done():
                missed.append(point.at)
                process.send(signal.SIGKILL)
            assert await end == -signal.SIGKILL, process.log.read_text()
            assert await findings(books) == [], point
            await time_passes(books)
            process = await house.starts()
            await wish
            process.send(signal.SIGKILL)
            assert await process.ended() == -signal.SIGKILL
        await _prove(books, boss, crowd, cases=2 + len(mine), kills=2 * len(mine) + 1)
    # Whether there is something new to show, and whether a message is on its way, is a matter of moments.
    assert [at for at in set(missed) & always if "show" not in at and not at.endswith("streams.py:read")] == []


async def _prove(books: Tx, boss: Person, crowd: list[Person], *, cases: int, kills: int) -> None:
    """What went on reached everybody, what was stopped nobody twice; its author was told of each, and the audit log has
    every deed once."""
    assert await books.fetchval("SELECT count(*) FROM broadcast WHERE ended_at IS NULL") == 0
    extra = 0
    for person in crowd:
        for number in range(2 * cases):
            got = sum(message.text == words(number) for message in person.shown)
            assert got or number % 2, f"{person.id} did not get {words(number)}"
            extra += max(0, got - 1)
    assert extra <= kills * BULK_SENDERS
    deeds = await books.fetch(
        "SELECT array_agg(status ORDER BY log_id) AS deeds FROM audit_log WHERE action = 'broadcast'"
        " GROUP BY entity_id ORDER BY entity_id"
    )
    assert [row["deeds"] for row in deeds] == [
        ["started", "paused", "resumed" if number % 2 == 0 else "stopped", "ended"] for number in range(2 * cases)
    ]
    assert await books.fetchval("SELECT max(n) FROM (SELECT count(*) AS n FROM outbox GROUP BY dedupe_key) x") == 1
