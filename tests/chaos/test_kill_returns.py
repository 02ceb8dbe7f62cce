"""kill -9 at every await of a refund, a dispute and a decision about odd money, each followed by a start."""

import asyncio
import signal
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from db.database import Tx
from handlers.admin.callbacks import ConfirmRefund, Decision, SettleItem
from sandbox import Message, Person
from tests.chaos.awaits import chosen, points, recorded
from tests.chaos.house import House, findings, time_passes, until
from tests.chaos.players import Deposit, player
from tests.chaos.test_kill import MAKES_WORK, SECONDS, all_rested

SILENCE = 5.0
REFUNDED, DISPUTED, SHORT = 3_00, 2_00, 1_00
OURS = ("services/returns.py", "services/reconciliation.py")
EXPECTED = (
    *("handlers/admin/money.py:refund", "services/returns.py:give_back", "services/returns.py:_refundable"),
    *("services/returns.py:request", "services/returns.py:ask", "stripe.py:refund", "services/returns.py:apply"),
    *("services/returns.py:_book", "services/ledger.py:take_back", "db/returns.py:booked", "db/outbox.py:add"),
    *("services/returns.py:_freeze", "handlers/admin/money.py:credit", "services/reconciliation.py:credit"),
    *("services/ledger.py:release", "services/reconciliation.py:_end_operation", "db/reconciliation.py:settle"),
)


@dataclass
class Payer:
    """A player with one deposit that is credited and one that came short, and the admin who decides."""

    house: House
    person: Person
    boss: Person
    minor: int
    """Of the credited deposit; the other is of 100 more, and came short."""

    async def pays(self) -> None:
        """Before anything is killed."""
        first, second = (
            Deposit(self.house.world, self.person, "stripe", minor, message, SECONDS)
            for minor, message in zip((self.minor, self.minor + 100_00), self.person.shown[:2], strict=True)
        )
        await first.whole()
        await second.asked()
        await self.house.world.stripe.pay(self._session(self.minor + 100_00), amount=self.minor + 100_00 - SHORT)
        await self.person.wait_for(lambda message: "ждали" in message.text, SECONDS, old=True)

    def _session(self, minor: int) -> str:
        sessions = self.house.world.stripe.sessions
        (ref,) = [ref for ref, session in sessions.items() if session["amount_total"] == minor]
        return ref

    async def whole(self) -> None:
        """An admin refunds a part, a bank takes another back, and an admin credits what came short."""
        async with self.house.books() as books:
            operation = await books.fetchval(
                "SELECT operation_id FROM wallet_operations WHERE amount_minor = $1", self.minor
            )
            item = await books.fetchval(
                "SELECT i.id FROM recon_item i JOIN wallet_operations o USING (operation_id) WHERE o.amount_minor = $1",
                self.minor + 100_00,
            )
        refund = ConfirmRefund(operation=operation, minor=REFUNDED, nonce="abcdefgh").pack()
        await self._insists(lambda: self.boss.press(refund, self.boss.shown[0]), "Возврат 3.00")
        await self.house.world.stripe.dispute(self._session(self.minor), DISPUTED)
        await self._insists(lambda: None, "Банк отозвал ваш платёж 2.00")
        credit = SettleItem(item=item, decision=Decision.CREDIT).pack()
        await self._insists(lambda: self.boss.press(credit, self.boss.shown[0]), f"Зачислено {self._short()}")

    def _short(self) -> str:
        return f"{(self.minor + 100_00 - SHORT) / 100:.2f}"

    async def _insists(self, act: Callable[[], object], words: str) -> Message:
        """Acts again when nothing is heard for long: a press may be answered with a word about trouble."""
        async with asyncio.timeout(SECONDS):
            while True:
                act()
                heard = await self.person.telegram.bell.until(
                    lambda: next((m for m in self.person.shown if words in m.text.replace("\u00a0", " ")), None),
                    SILENCE,
                )
                if heard is not None:
                    return heard

    def told(self, words: str) -> int:
        return sum(words in message.text.replace("\u00a0", " ") for message in self.person.shown)


async def test_killed_at_every_await_of_a_refund_a_dispute_and_a_decision(house: House) -> None:
    world, notes = house.world, house.folder / "waits"
    process = await house.opens(record=str(notes))
    boss = world.person(900, "Кассир")
    await boss.says("/start")
    await boss.sees("18")
    payers = [Payer(house, await player(world, number), boss, 10_00 + number) for number in range(2)]
    for payer in payers:
        await payer.pays()
    marks = [len(recorded(notes))]
    await until(partial(all_rested, notes, marks[0]))
    for payer in payers:
        marks.append(len(recorded(notes)))
        await payer.whole()
    waits = recorded(notes)
    idle, once, again = (waits[begin:end] for begin, end in zip(marks, [*marks[1:], None], strict=True))
    found = points(idle, once + again, MAKES_WORK)
    assert [part for part in EXPECTED if not any(part in point.at for point in found)] == []
    mine = [point for point in found if any(part in point.at for part in OURS)]
    assert len(mine) >= 30, mine
    mine = chosen(mine)
    people = await asyncio.gather(*(player(world, number) for number in range(2, 2 + len(mine))))
    later = [Payer(house, person, boss, 10_00 + number) for number, person in enumerate(people, start=2)]
    for payer in later:
        await payer.pays()
    process.send(signal.SIGKILL)  # the database lives on, as it does each time
    assert await process.ended() == -signal.SIGKILL

    missed: set[str] = set()
    async with house.books() as books:
        async with asyncio.TaskGroup() as wishes:  # the next process goes on with what the last one left
            for payer, point in zip(later, mine, strict=True):
                await _time_passes(books)
                process = await house.starts(at=point.at, after=point.after)
                wish = wishes.create_task(payer.whole())
                end = wishes.create_task(process.ended(SECONDS))
                await asyncio.wait([wish, end], return_when=asyncio.FIRST_COMPLETED)
                if not end.done():
                    missed.add(point.at)
                    process.send(signal.SIGKILL)
                assert await end == -signal.SIGKILL, process.log.read_text()
                assert await findings(books) == [], point
            await _time_passes(books)
            process = await house.opens()
        await until(partial(_quiet, books), 5 * SECONDS)  # one chat hears of everything, one message a second
        await _prove(house, books, [*payers, *later], kills=len(mine))
    # What comes after the last message is reached only if the others were slow.
    assert len(missed) <= len(mine) // 4, missed
    await house.closes(process)


async def _time_passes(books: Tx) -> None:
    await time_passes(books)
    await books.execute("UPDATE returned_payment SET next_check_at = now() WHERE next_check_at IS NOT NULL")


async def _quiet(books: Tx) -> bool:
    return not await books.fetchval(
        "SELECT EXISTS (SELECT FROM outbox WHERE state = 'queued')"
        " OR EXISTS (SELECT FROM webhook_inbox WHERE state = 'queued')"
    )


async def _prove(house: House, books: Tx, payers: list[Payer], *, kills: int) -> None:
    """Each refund, dispute and decision happened once, here and at the provider; each was told, and told twice only
    where a kill came between Telegram's answer and its note of it."""
    assert await findings(books) == []
    rows = await books.fetch(
        "SELECT telegram_id, available_minor, frozen_at IS NOT NULL AS frozen FROM users"
        " JOIN wallet b ON b.user_id = users.id WHERE currency = 'USD'"
    )
    has = {row["telegram_id"]: (row["available_minor"], row["frozen"]) for row in rows}
    due = {payer.person.id: (2 * payer.minor + 100_00 - SHORT - REFUNDED - DISPUTED, True) for payer in payers}
    assert has == due
    counts = await books.fetch("SELECT kind, state, count(*) FROM returned_payment GROUP BY 1, 2 ORDER BY 1")
    assert [tuple(row) for row in counts] == [
        ("dispute", "booked", len(payers)),
        ("refund", "booked", len(payers)),
    ]
    assert sum(money for money, _ in has.values()) == house.world.stripe.taken()["USD"]
    assert not await books.fetchval("SELECT count(*) FROM recon_item WHERE state = 'open'")
    repeats = 0
    for payer in payers:
        for words in ("Возврат 3.00", "Банк отозвал ваш платёж 2.00", f"Зачислено {payer._short()}"):
            told = payer.told(words)
            assert told, f"{words}: {payer.person.transcript()}"
            repeats += told - 1
    assert repeats <= kills
