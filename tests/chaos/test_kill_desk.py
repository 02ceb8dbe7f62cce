"""kill -9 at every await of what admins do to a player: propose, agree, freeze, lift; each followed by a start."""

import asyncio
import json
import re
import signal
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from db.database import Tx
from handlers.admin.callbacks import ConfirmCorrection, DecideCorrection, Unfreeze
from sandbox import Person
from tests.chaos.awaits import chosen, points, recorded
from tests.chaos.house import House, findings, time_passes, until
from tests.chaos.players import player
from tests.chaos.test_kill import CLOCKS, MAKES_WORK, SECONDS, all_rested

GIVEN = 20_000_00
SILENCE = 5.0
DEEDS = re.compile(r"services/adjustments\.py:(propose|agree|_)|services/players\.py:(freeze|unfreeze|_)")
EXPECTED = (
    *("services/adjustments.py:propose", "db/adjustments.py:propose", "services/adjustments.py:_ask_others"),
    *("services/adjustments.py:agree", "db/adjustments.py:lock", "services/ledger.py:adjustment", "db/ledger.py:post"),
    *("db/adjustments.py:decide", "db/audit.py:write", "db/outbox.py:add", "services/players.py:freeze"),
    *("db/players.py:lock", "db/players.py:freeze", "services/players.py:unfreeze", "db/players.py:unfreeze"),
)
TOLD = ("зачислено", "остановлены", "снова доступны")


@dataclass
class Case:
    """A player, and the two admins who decide."""

    house: House
    person: Person
    olga: Person
    pavel: Person

    async def whole(self) -> None:
        async with self.house.books() as books:  # its own: what it does goes on while others look
            await self._whole(books)

    async def _whole(self, books: Tx) -> None:
        number = int(await books.fetchval("SELECT id FROM users WHERE telegram_id = $1", self.person.id))
        nonce = f"n{number:07}"
        wish = {"player": number, "currency": "USD", "minor": GIVEN, "reason": "Goodwill", "nonce": nonce}
        await self._asked(books, self.olga, None, wish)
        find = partial(books.fetchval, "SELECT id FROM adjustment WHERE user_id = $1", number)
        while (proposed := await find()) is None:
            self.olga.press(ConfirmCorrection(nonce=nonce).pack(), self.olga.shown[0])
            for _ in range(50):
                await asyncio.sleep(0.1)
                if await find() is not None:
                    break
        agree = DecideCorrection(adjustment=proposed, agree=True).pack()
        await self._insists(lambda: self.pavel.press(agree, self.pavel.shown[0]), TOLD[0])
        await self._asked(books, self.olga, "Typing:admin_freeze", {"player": number})
        await self._insists(lambda: self.olga.write("Check"), TOLD[1])
        lift = Unfreeze(player=number, sure=True).pack()
        await self._insists(lambda: self.pavel.press(lift, self.pavel.shown[0]), TOLD[2])

    async def _asked(self, books: Tx, admin: Person, state: str | None, data: dict[str, object]) -> None:
        """The question that was just asked in an admin's chat, or the button that was just shown."""
        await books.execute(
            "INSERT INTO fsm_state (key, state, data) VALUES ($1, $2, $3) ON CONFLICT (key)"
            " DO UPDATE SET state = excluded.state, data = excluded.data, updated_at = now()",
            f"42:{admin.id}:{admin.id}:::default",
            state,
            json.dumps(data),
        )

    async def _insists(self, act: Callable[[], object], words: str) -> None:
        """Acts again when the player hears nothing for long."""
        async with asyncio.timeout(SECONDS):
            while True:
                act()
                if await self.person.telegram.bell.until(lambda: self.heard(words) or None, SILENCE):
                    return

    def heard(self, words: str) -> int:
        return sum(words in message.text for message in self.person.shown)


async def test_killed_at_every_await_of_what_admins_do(house: House) -> None:
    house.settings["ADMIN_IDS"] = "900,901"
    world, notes = house.world, house.folder / "waits"
    process = await house.opens(record=str(notes))
    olga, pavel = world.person(900, "Olga"), world.person(901, "Pavel")
    for admin in (olga, pavel):
        await admin.says("/start")
        await admin.sees("18")
    async with house.books() as books:
        cases = [Case(house, await player(world, number), olga, pavel) for number in range(2)]
        marks = [len(recorded(notes))]
        await until(partial(all_rested, notes, marks[0]))
        for case in cases:
            marks.append(len(recorded(notes)))
            await case.whole()
        waits = recorded(notes)
        idle, once, again = (waits[begin:end] for begin, end in zip(marks, [*marks[1:], None], strict=True))
        found = points(idle, once + again, MAKES_WORK)
        assert [part for part in EXPECTED if not any(part in point.at for point in found)] == []
        mine = [point for point in found if DEEDS.search(point.at) and not point.at.startswith(CLOCKS)]
        assert len(mine) >= 30, mine
        mine = chosen(mine)
        people = await asyncio.gather(*(player(world, number) for number in range(2, 2 + len(mine))))
        cases += [Case(house, person, olga, pavel) for person in people]
        process.send(signal.SIGKILL)  # the database lives on, as it does each time
        assert await process.ended() == -signal.SIGKILL
        missed = [
            point.at
            for case, point in zip(cases[2:], mine, strict=True)
            if not await killed(house, books, case, point.at)
        ]
        await time_passes(books)
        process = await house.opens()
        await until(partial(_quiet, books))
        await _prove(books, cases, kills=2 * len(mine))
    assert not missed
    await house.closes(process)


async def killed(house: House, books: Tx, case: Case, at: str) -> bool:
    """Whether it could be killed there. Then it is started again, and all is done."""
    await time_passes(books)
    process = await house.starts(at=at, after=None)
    wish = asyncio.create_task(case.whole())
    end = asyncio.create_task(process.ended(SECONDS))
    await asyncio.wait([wish, end], return_when=asyncio.FIRST_COMPLETED)
    was = end.done()
    if not was:
        process.send(signal.SIGKILL)
    assert await end == -signal.SIGKILL, process.log.read_text()
    assert await findings(books) == [], at
    await time_passes(books)
    process = await house.starts()
    await wish
    process.send(signal.SIGKILL)
    assert await process.ended() == -signal.SIGKILL
    return was


async def _quiet(books: Tx) -> bool:
    return not await books.fetchval("SELECT EXISTS (SELECT FROM outbox WHERE state = 'queued')")


async def _prove(books: Tx, cases: list[Case], *, kills: int) -> None:
    """Each was corrected once, frozen once and unfrozen once; told of each, and twice only where a kill came between
    Telegram's answer and its note of it; and the audit log has every deed once, with who did it."""
    assert await findings(books) == []
    rows = await books.fetch(
        "SELECT telegram_id, available_minor, frozen_at, (SELECT array_agg(actor || ' ' || status ORDER BY log_id)"
        " FROM audit_log WHERE user_id = u.id AND action IN ('adjustment', 'freeze')) AS deeds"
        " FROM users u JOIN wallet b ON b.user_id = u.id"
    )
    deeds = ["admin:900 proposed", "admin:901 posted", "admin:900 frozen", "admin:901 lifted"]
    assert {row["telegram_id"]: tuple(row)[1:] for row in rows} == {
        case.person.id: (GIVEN, None, deeds) for case in cases
    }
    assert all(case.heard(words) for case in cases for words in TOLD)
    assert sum(case.heard(words) - 1 for case in cases for words in TOLD) <= kills
    assert await books.fetchval("SELECT max(n) FROM (SELECT count(*) AS n FROM outbox GROUP BY dedupe_key) x") == 1
