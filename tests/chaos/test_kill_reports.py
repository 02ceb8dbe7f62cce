"""kill -9 at every await of a report's way into the chat and of the monthly statements, each followed by a start."""

import asyncio
import csv
import io
import re
import signal
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from db import players
from db.database import Database, Tx
from db.embedded import Embedded
from db.models import Player
from handlers.callbacks import Export
from sandbox import Person
from tests.chaos.awaits import Point, chosen, points, recorded
from tests.chaos.house import House, findings, time_passes, until
from tests.chaos.players import player
from tests.chaos.test_kill import MAKES_WORK, SECONDS, all_rested
from tests.past import Past

SILENCE = 5.0
FORMATS = ("csv", "pdf")
LAST_MONTH = datetime.now(UTC).replace(day=15, hour=12, minute=0, second=0, microsecond=0) - timedelta(days=30)
DEEDS = re.compile(r"handlers/reports\.py:make|services/reports\.py:|bot/sender\.py:")
EXPECTED = (
    *("handlers/reports.py:make", "services/reports.py:known", "services/reports.py:request", "db/wallets.py:spans"),
    *("db/reports.py:add", "db/audit.py:write", "db/outbox.py:add", "db/outbox.py:claim", "services/reports.py:get"),
    *("services/reports.py:_write_csv", "db/reports.py:csv", "services/reports.py:_write_pdf", "db/reports.py:lines"),
    *("db/outbox.py:renew", "bot/sender.py:_upload", "bot/sender.py:_say", "db/outbox.py:sent"),
)
OF_THE_MONTH = (
    *("services/statements.py:make", "services/statements.py:_over", "db/statements.py:first_movement"),
    *("db/statements.py:make", "db/jobs.py:finish"),
)


@dataclass
class Reader:
    """A player with three movements of last month."""

    person: Person
    profile: Player

    async def whole(self) -> None:
        """A table and a paper, one after the other."""
        for format_ in FORMATS:
            wish = Export.unpack(f"ex:a:{format_}:7:abcdefgh").pack()
            async with asyncio.timeout(SECONDS):
                while not self.files()[format_]:
                    self.person.press(wish, self.person.shown[0])  # again when nothing came for long: the same wish
                    await self.person.telegram.bell.until(lambda: self.files()[format_] or None, SILENCE)  # noqa: B023

    def files(self) -> Counter[str]:
        return Counter(message.file.name.rpartition(".")[2] for message in self.person.shown if message.file)


async def reader(house: House, person: Person) -> Reader:
    """What happened last month is booked beside the process."""
    async with Database.open(Embedded(house.data).owner_dsn("looseline")) as database:
        async with database.connection() as tx:
            profile = await players.with_telegram_id(tx, person.id)
        assert profile
        past = Past(profile.player, LAST_MONTH, first_operation=1000 + 10 * profile.player.id)
        past.deposit(100_00)
        past.bet(30_00, 0)
        await past.book(database)
    return Reader(person, profile.player)


async def test_killed_at_every_await_of_a_report(house: House) -> None:
    world, notes = house.world, house.folder / "waits"
    process = await house.opens(record=str(notes))
    readers = [await reader(house, await player(world, number)) for number in range(2)]
    marks = [len(recorded(notes))]
    await until(partial(all_rested, notes, marks[0]))
    for each in readers:
        marks.append(len(recorded(notes)))
        await each.whole()
        async with house.books() as books:
            await until(partial(_is_quiet, books))
    waits = recorded(notes)
    idle, once, again = (waits[begin:end] for begin, end in zip(marks, [*marks[1:], None], strict=True))
    found = points(idle, once + again, MAKES_WORK)
    assert [part for part in EXPECTED if not any(part in point.at for point in found)] == []
    mine = [point for point in found if DEEDS.search(point.at)]
    assert len(mine) >= 30, mine
    mine = chosen(mine)
    people = await asyncio.gather(*(player(world, number) for number in range(2, 2 + len(mine))))
    later = [await reader(house, person) for person in people]
    process.send(signal.SIGKILL)  # the database lives on, as it does each time
    assert await process.ended() == -signal.SIGKILL

    always = {wait.place for wait in once} & {wait.place for wait in again}
    missed: list[str] = []
    due = {each.person.id: Counter(FORMATS) for each in readers}
    async with house.books() as books:
        for each, point in zip(later, mine, strict=True):
            wish = asyncio.create_task(each.whole())
            if not await _killed(house, books, point, wish):
                missed.append(point.at)
            # What Telegram has and we did not note comes once more; nothing else does.
            unnoted = await _unnoted(books, each)
            due[each.person.id] = Counter(FORMATS) + Counter(f for f in each.files() if f in unnoted)
            await time_passes(books)
            process = await house.opens()
            await wish
            await until(partial(_is_quiet, books))
            process.send(signal.SIGKILL)
            assert await process.ended() == -signal.SIGKILL
        assert {each.person.id: each.files() for each in [*readers, *later]} == due
        await _prove_reports(books, [*readers, *later])
    assert [at for at in set(missed) & always if not at.endswith("streams.py:read")] == []


async def _killed(house: House, books: Tx, point: Point, wish: "asyncio.Task[None]") -> bool:
    """Whether it came to where it was to be killed; if not, it is killed when all is done."""
    await time_passes(books)
    process = await house.starts(at=point.at, after=point.after)
    end = asyncio.create_task(process.ended(SECONDS))
    await asyncio.wait([wish, end], return_when=asyncio.FIRST_COMPLETED)
    await asyncio.wait([end], timeout=2)  # what comes after the last message
    came = end.done()
    if not came:
        process.send(signal.SIGKILL)
    assert await end == -signal.SIGKILL, process.log.read_text()
    assert await findings(books) == [], point
    return came


async def _unnoted(books: Tx, each: Reader) -> set[str]:
    """The formats of the reports that are not marked as sent."""
    rows = await books.fetch(
        "SELECT format FROM report r JOIN outbox o USING (report_id) WHERE r.user_id = $1 AND o.state = 'queued'",
        each.profile.id,
    )
    return {row["format"] for row in rows}


async def _is_quiet(books: Tx) -> bool:
    return not await books.fetchval(
        "SELECT EXISTS (SELECT FROM outbox WHERE state = 'queued') OR EXISTS (SELECT FROM job WHERE state = 'queued')"
    )


async def _prove_reports(books: Tx, readers: list[Reader]) -> None:
    """Each was asked for once, written into the audit log once, and says the same each time it came."""
    assert await findings(books) == []
    reports = await books.fetch("SELECT user_id, format, count(*) FROM report GROUP BY 1, 2")
    assert {tuple(row) for row in reports} == {(each.profile.id, f, 1) for each in readers for f in FORMATS}
    assert await books.fetchval("SELECT count(*) FROM audit_log WHERE action = 'export'") == 2 * len(readers)
    for each in readers:
        tables = {m.file.data for m in each.person.shown if m.file and m.file.name.endswith(".csv")}
        (table,) = tables
        rows = list(csv.DictReader(io.StringIO(table.decode("utf-8-sig"))))
        assert [row["Сумма"] for row in rows] == ["100.00", "-30.00", "0.00"]
        papers = [m.file.data for m in each.person.shown if m.file and m.file.name.endswith(".pdf")]
        assert all(paper.startswith(b"%PDF") and paper.rstrip().endswith(b"%%EOF") for paper in papers)


async def test_killed_at_every_await_of_the_monthly_statements(house: House) -> None:
    world, notes = house.world, house.folder / "waits"
    process = await house.opens(record=str(notes))
    readers = [await reader(house, await player(world, 0))]
    async with house.books() as books:
        marks = [len(recorded(notes))]
        await until(partial(all_rested, notes, marks[0]))
        marks.append(len(recorded(notes)))
        await _month_is_over(books)
        await until(partial(_is_quiet, books))
        await until(partial(all_rested, notes, marks[1]))
        waits = recorded(notes)
        idle, busy = waits[marks[0] : marks[1]], waits[marks[1] :]
        found = [point for point in points(idle, busy, {}) if "services/bookkeeping.py:work" in point.at]
        assert [part for part in OF_THE_MONTH if not any(part in point.at for point in found)] == []
        # The way out of the transaction is one that it takes without work, too: there, after the work.
        done = next(number for number, wait in enumerate(busy) if "db/jobs.py:finish" in wait.place)
        its = (wait for wait in busy[done:] if wait.task == busy[done].task)
        commit = next(wait for wait in its if "db/jobs.py:finish" not in wait.place)
        assert "services/bookkeeping.py:work" in commit.place, commit
        mine = [*chosen([p for p in found if "services/statements.py" in p.at or "db/jobs.py:finish" in p.at])]
        mine.append(Point(commit.place, busy[done].place))
        people = await asyncio.gather(*(player(world, number) for number in range(1, 1 + len(mine))))
        process.send(signal.SIGKILL)  # the database lives on, as it does each time
        assert await process.ended() == -signal.SIGKILL
        for person, point in zip(people, mine, strict=True):
            readers.append(await reader(house, person))
            await _month_is_over(books)
            process = await house.starts(at=point.at, after=point.after)
            assert await process.ended(SECONDS) == -signal.SIGKILL, process.log.read_text()
            assert await findings(books) == [], point
            process = await house.starts()
            await until(partial(_is_quiet, books))
            await _prove_statements(books, readers)
            process.send(signal.SIGKILL)
            assert await process.ended() == -signal.SIGKILL
        process = await house.opens()
    await house.closes(process)


async def _month_is_over(books: Tx) -> None:
    """As the timetable makes it due, and once more for those who came later."""
    await books.execute("DELETE FROM job WHERE kind = 'statements'")
    await books.execute(
        "INSERT INTO job (kind, dedupe_key) VALUES ('statements', $1)", f"statements:{LAST_MONTH:%Y-%m}"
    )


async def _prove_statements(books: Tx, readers: list[Reader]) -> None:
    """Each wallet has one of that month, with its three movements in it."""
    assert await findings(books) == []
    rows = await books.fetch(
        "SELECT user_id, currency, year, month, first_seq, last_seq, opening_minor, closing_minor, deposits_minor,"
        " losses_minor FROM monthly_statements ORDER BY user_id"
    )
    of = (LAST_MONTH.year, LAST_MONTH.month, 1, 3, 0, 70_00, 100_00, 30_00)
    assert [tuple(row) for row in rows] == [
        (each.profile.id, "USD", *of) for each in sorted(readers, key=lambda one: one.profile.id)
    ]
