"""kill -9 at every await of a withdrawal's way: asked for, approved, sent, or rejected; each followed by a start."""

import asyncio
import re
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import pytest

from db import ledger, players
from db.database import Database, Tx
from db.embedded import Embedded
from db.models import MethodKind
from sandbox import Message, Person
from services.methods import Methods
from services.outbox import Outbox
from services.staff import Staff
from services.vault import Vault
from tests.chaos.awaits import chosen, points, recorded
from tests.chaos.house import House, findings, time_passes, until
from tests.chaos.players import player
from tests.chaos.test_kill import MAKES_WORK, SECONDS, all_rested

ADMIN = 900
KEY = "a-key-that-only-the-tests-of-chaos-have"
HAD, ASKED = 100_00, 30_00
SILENCE = 5.0
DEEDS = re.compile(r"services/withdrawals\.py:(request|approve|sent|reject):")
PAID = (
    *("handlers/withdrawals.py:withdraw", "services/withdrawals.py:request", "services/withdrawals.py:_request"),
    *("db/withdrawals.py:create", "services/ledger.py:hold_withdrawal", "db/outbox.py:add"),
    *("handlers/admin/withdrawals.py:approve", "services/withdrawals.py:approve", "db/withdrawals.py:agree"),
    *("services/withdrawals.py:_order", "services/withdrawals.py:_answered", "db/withdrawals.py:move"),
    *("handlers/admin/withdrawals.py:sent", "services/withdrawals.py:sent", "services/ledger.py:pay_withdrawal"),
    "db/withdrawals.py:complete",
)
REJECTED = (
    *("handlers/admin/withdrawals.py:reject", "services/withdrawals.py:reject", "services/withdrawals.py:_give_back"),
    "services/ledger.py:release_withdrawal",
)


@dataclass
class Payee:
    """A player with money and a verified method, and the admin who decides."""

    person: Person
    boss: Person
    method: int

    async def asks(self) -> int:
        """Until it is told that the money is held; answers the withdrawal's number."""
        data = f"wd:USD:{self.method}:{ASKED}:abcdefgh"
        told = await self._insists(
            lambda: self.person.press(data, self.person.shown[0]), self.person, "Деньги отложены"
        )
        number = re.search(r"№ (\d+)", told.text)
        assert number
        return int(number[1])

    async def paid(self) -> None:
        number = await self.asks()
        await self.is_paid(number, f"REF-{number:06}")

    async def is_paid(self, number: int, reference: str) -> None:
        approves = partial(self.boss.press, f"ww:{number}:a", self.boss.shown[0])
        await self._insists(approves, self.person, f"№ {number} одобрен")
        await self._says(f"ww:{number}:s", "Под каким номером", reference, number, reference)

    async def rejected(self) -> None:
        number = await self.asks()
        await self._says(f"ww:{number}:r", "Почему отклонён", "Не подходит", number, f"№ {number} на")

    async def _says(self, button: str, question: str, answer: str, number: int, heard: str) -> None:
        """Asked and answered until the player hears of it."""

        def answers() -> object:
            return asyncio.create_task(self._answers(button, question, answer, number))

        await self._insists(answers, self.person, heard)

    async def _answers(self, button: str, question: str, answer: str, number: int) -> None:
        self.boss.press(button, self.boss.shown[0])
        asked = self.boss.wait_for(lambda message: question in message.text and f"№ {number}" in message.text, SILENCE)
        try:
            await asked
        except AssertionError:
            return  # the process was killed, or it has been decided already
        await self.boss.says(answer)

    async def _insists(self, act: Callable[[], object], person: Person, words: str) -> Message:
        """Acts again when nothing is heard for long: a press may be answered with a word about trouble."""
        async with asyncio.timeout(SECONDS):
            while True:
                act()
                heard = await person.telegram.bell.until(
                    lambda: next((m for m in person.shown if words in m.text and "Зачислено" not in m.text), None),
                    SILENCE,
                )
                if heard is not None:
                    return heard


Flow = Callable[[Payee], Coroutine[None, None, None]]


@asynccontextmanager
async def hands(house: House) -> AsyncIterator[tuple[Database, Methods]]:
    """The services beside the process, to give players what the test does not kill."""
    async with Database.open(Embedded(house.data).owner_dsn("looseline")) as database:
        yield database, Methods(database, Outbox(database, Staff(database, [ADMIN])), Vault([KEY]), timedelta(0))


async def payee(house: House, person: Person, boss: Person) -> Payee:
    async with hands(house) as (database, methods):
        async with database.connection() as tx:
            profile = await players.with_telegram_id(tx, person.id)
        assert profile
        met = profile.player
        method = await methods.add(met, MethodKind.CARD, None, f"4242 token_{met.id:06}")
        await methods.verify(ADMIN, method.id)
        async with database.transaction() as tx:
            await ledger.open_wallet(tx, met.id, "USD")
            await ledger.post(
                tx,
                key=f"test:{met.id}",
                kind="bonus_added",
                legs={f"player:{met.id}:available:USD": HAD, "bonus:USD": -HAD},
                actor="test",
            )
    return Payee(person, boss, method.id)


@pytest.mark.parametrize(
    ("flow", "expected", "ended"), [(Payee.paid, PAID, "completed"), (Payee.rejected, REJECTED, "cancelled")]
)
async def test_killed_at_every_await_of_a_withdrawal(
    house: House, flow: Flow, expected: tuple[str, ...], ended: str
) -> None:
    house.settings |= {"ENCRYPTION_KEY": KEY, "METHOD_COOLING_HOURS": "0", "ADMIN_IDS": str(ADMIN)}
    world, notes = house.world, house.folder / "waits"
    process = await house.opens(record=str(notes))
    boss = world.person(ADMIN, "Кассир")
    await boss.says("/start")
    await boss.sees("18")
    payees = [await payee(house, await player(world, number), boss) for number in range(2)]
    marks = [len(recorded(notes))]
    await until(partial(all_rested, notes, marks[0]))
    for each in payees:
        marks.append(len(recorded(notes)))
        await flow(each)
    waits = recorded(notes)
    idle, once, again = (waits[begin:end] for begin, end in zip(marks, [*marks[1:], None], strict=True))
    found = points(idle, once + again, MAKES_WORK)
    assert [part for part in expected if not any(part in point.at for point in found)] == []
    mine = [point for point in found if DEEDS.search(point.at)]
    if ended == "cancelled":  # the first half of the way is the same as of the other
        mine = [point for point in mine if "services/withdrawals.py:reject" in point.at]
    assert len(mine) >= 9, mine
    mine = chosen(mine)
    people = await asyncio.gather(*(player(world, number) for number in range(2, 2 + len(mine))))
    payees += [await payee(house, person, boss) for person in people]
    process.send(signal.SIGKILL)  # the database lives on, as it does each time
    assert await process.ended() == -signal.SIGKILL

    missed: set[str] = set()
    async with house.books() as books:
        for each, point in zip(payees[2:], mine, strict=True):
            await time_passes(books)
            process = await house.starts(at=point.at, after=point.after)
            wish = asyncio.create_task(flow(each))
            end = asyncio.create_task(process.ended(SECONDS))
            await asyncio.wait([wish, end], return_when=asyncio.FIRST_COMPLETED)
            if not end.done():
                missed.add(point.at)
                process.send(signal.SIGKILL)
            assert await end == -signal.SIGKILL, process.log.read_text()
            assert await findings(books) == [], point
            await time_passes(books)
            process = await house.starts()
            await wish
            process.send(signal.SIGKILL)
            assert await process.ended() == -signal.SIGKILL
        await time_passes(books)
        process = await house.opens()
        await until(partial(_quiet, books))
        await _prove(books, payees, ended, kills=2 * len(mine))
    assert not missed
    await house.closes(process)


async def _quiet(books: Tx) -> bool:
    return not await books.fetchval("SELECT EXISTS (SELECT FROM outbox WHERE state = 'queued')")


async def _prove(books: Tx, payees: list[Payee], ended: str, *, kills: int) -> None:
    """Each asked once, and it ended once; each step was told, and told twice only where a kill came between Telegram's
    answer and its note of it."""
    assert await findings(books) == []
    rows = await books.fetch(
        "SELECT telegram_id, status::text, count(*) OVER (PARTITION BY user_id) AS wishes, available_minor,"
        " withdrawals_minor, withdrawn_minor FROM wallet_operations JOIN users ON id = user_id"
        " JOIN wallet USING (user_id) WHERE operation_type = 'withdrawal'"
    )
    gone = ASKED if ended == "completed" else 0
    found = {row["telegram_id"]: tuple(row)[1:] for row in rows}
    assert found == {each.person.id: (ended, 1, HAD - gone, 0, gone) for each in payees}
    repeats = 0
    steps = ("Деньги отложены", "одобрен", "Номер платежа") if ended == "completed" else ("Деньги отложены", "отклонён")
    for each in payees:
        for step in steps:
            told = sum(step in message.text for message in each.person.shown)
            assert told, f"{step}: {each.person.transcript()}"
            repeats += told - 1
    assert repeats <= kills
