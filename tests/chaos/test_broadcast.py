"""A broadcast under flood limits, with random refusals, kills and a pause: everybody once, and money does not wait.

`make test` sends to few; CHAOS=all to five thousand, which takes minutes, and prints the figures.
"""

import asyncio
import os
import re
import signal
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from functools import partial

from bot.app import BULK_SENDERS
from db.database import Tx
from sandbox import Fault, Person
from tests.chaos.house import House, time_passes, until
from tests.chaos.players import Deposit, links

ALL = os.environ.get("CHAOS") == "all"
CHATS, PAYERS = (5_000, 100) if ALL else (110, 4)
KILLS = 3
SECONDS = 900.0
WORDS = "Новые матчи"
FIRST = 10_000


@dataclass
class Money:
    """Deposits that are paid one after another while the bot is up, and when their news were read."""

    deposits: list[Deposit]
    pause: float
    up: asyncio.Event = field(default_factory=asyncio.Event)
    read: dict[int, float] = field(default_factory=dict)
    """When, by the operation's number."""

    async def flow(self) -> None:
        async with asyncio.TaskGroup() as payments:
            for deposit in self.deposits:
                await self.up.wait()
                payments.create_task(self._pay(deposit))
                await asyncio.sleep(self.pause)

    async def _pay(self, deposit: Deposit) -> None:
        await deposit.paid()
        words = f"Зачислено {deposit.amount} "
        told = await deposit.person.wait_for(lambda message: words in message.text, SECONDS, old=True)
        self.read[int(re.findall(r"\d+", told.text)[-1])] = time.time()


async def test_everybody_gets_a_broadcast_once_through_three_kills_and_money_goes_first(house: House) -> None:
    world = house.world
    process = await house.opens()
    money = Money(await links(world, PAYERS), CHATS / 20 / (2 * PAYERS + 1))
    boss = world.person(900, "Редактор")
    async with house.books() as books:
        crowd = await gather(house, books)
        for person in crowd[::50]:
            person.blocked = True  # and the update that tells of it is lost
        everybody = [*crowd, *{deposit.person.id: deposit.person for deposit in money.deposits}.values()]
        living = [person for person in everybody if not person.blocked]
        await begins(boss, len(everybody))
        world.telegram.limits = True
        world.faults.add("telegram", "sendMessage", Fault.TOO_MANY(retry_after=1), chance=0.01)
        await boss.presses("Отправить")
        began = time.time()
        kills: list[float] = []
        money.up.set()
        async with asyncio.TaskGroup() as group:
            group.create_task(money.flow())
            for number in range(1, KILLS + 1):
                await until(partial(reached, books, len(everybody) * number // (KILLS + 1)), SECONDS)
                if number == KILLS:
                    await boss.presses("Пауза")
                    await boss.sees("на паузе")
                money.up.clear()
                process.send(signal.SIGKILL)
                kills.append(time.time())
                assert await process.ended() == -signal.SIGKILL
                process = await house.opens()
                await time_passes(books)
                money.up.set()
            await goes_on(house, books, boss)
        await until(partial(ended, books), SECONDS)
        lasted = time.time() - began
        report = await boss.wait_for(lambda message: "Заняло" in message.text, old=True)
        assert f"Доставлено: {len(living)}\n" in report.text
        assert f"Заблокировали бота: {len(everybody) - len(living)}\n" in report.text
        assert "Не удалось: 0\n" in report.text
        copies = Counter(sum(WORDS in message.text for message in person.shown) for person in living)
        assert not copies[0], f"{copies[0]} got nothing"
        twice = sum((count - 1) * people for count, people in copies.items())
        assert twice <= KILLS * BULK_SENDERS
        deaf = [person.id for person in everybody if person.blocked]
        marked = "SELECT array_agg(telegram_id ORDER BY telegram_id) FROM users WHERE bot_blocked_at IS NOT NULL"
        assert await books.fetchval(marked) == deaf
        assert not any(WORDS in message.text for person in crowd[::50] for message in person.shown)
        waits = await waited(books, money, kills)
    world.telegram.limits = False
    world.faults.clear()
    p99 = waits[-1 - len(waits) // 100]
    sys.stdout.write(
        f"broadcast to {len(everybody)} in {lasted:.0f} s, {KILLS} kills, {twice} came twice; {len(waits)} messages"
        f" about money waited {waits[len(waits) // 2]:.2f} s (median), {p99:.2f} s (p99), {waits[-1]:.2f} s (longest)\n"
    )
    if ALL:
        assert p99 < 2
    await house.proven(process, repeats=KILLS, deaf=deaf)


async def gather(house: House, books: Tx) -> list[Person]:
    """So many players who never had to say anything."""
    await books.execute(
        "INSERT INTO users (telegram_id, name, language, accepted_at, seen_on)"
        " SELECT n, 'Игрок', 'ru', now(), current_date FROM generate_series($1::int, $2::int) n",
        FIRST,
        FIRST + CHATS - 1,
    )
    return [house.world.person(FIRST + number, "Игрок") for number in range(CHATS)]


async def begins(boss: Person, count: int) -> None:
    """Up to the last tap."""
    await boss.says("/broadcast")
    await boss.sees("Пришлите сообщение")
    await boss.says(WORDS)
    await boss.sees(f"подходят: {count}")
    await boss.presses("Посмотреть")
    await boss.sees("Так её увидят")


async def goes_on(house: House, books: Tx, boss: Person) -> None:
    """What was paused before a kill is paused after it, and goes on when its author says so."""

    async def rests() -> bool:
        return not await books.fetchval(
            "SELECT EXISTS (SELECT FROM outbox WHERE broadcast_id IS NOT NULL AND state = 'queued')"
        )

    await until(rests)
    assert await books.fetchval("SELECT count(*) FROM outbox WHERE state = 'held'")
    await boss.says("/broadcast")
    await boss.presses("№ 1")
    await boss.sees("на паузе")
    await boss.presses("Продолжить")
    await boss.sees("идёт")


async def reached(books: Tx, count: int) -> bool:
    sent = await books.fetchval("SELECT count(*) FROM outbox WHERE broadcast_id IS NOT NULL AND state = 'sent'")
    return bool(sent >= count)


async def ended(books: Tx) -> bool:
    return bool(await books.fetchval("SELECT ended_at IS NOT NULL FROM broadcast"))


async def waited(books: Tx, money: Money, kills: list[float]) -> list[float]:
    """Seconds from the commit of each message about money until it was read, in order; without those that were on
    their way when the bot was killed."""
    rows = await books.fetch(
        "SELECT split_part(dedupe_key, ':', 2)::int AS operation, extract(epoch FROM created_at)::float AS at"
        " FROM outbox WHERE dedupe_key LIKE 'deposit-credited:%'"
    )
    written = {row["operation"]: row["at"] for row in rows}
    assert set(written) == set(money.read)
    return sorted(
        read - written[operation]
        for operation, read in money.read.items()
        if not any(written[operation] <= killed <= read for killed in kills)
    )
