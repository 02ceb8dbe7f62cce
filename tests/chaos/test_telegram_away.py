"""Telegram hangs, stumbles or refuses: money comes in all the same, and is told as soon as it can be."""

import asyncio

from sandbox import Fault
from tests.chaos.house import House, until
from tests.chaos.players import Deposit, links


async def test_telegram_hangs_and_nothing_else_does(house: House) -> None:
    world, log = house.world, house.world.deliveries.log
    process = await house.opens()
    waiting = await links(world, 10)
    await asyncio.gather(*(deposit.paid_and_told() for deposit in waiting[:10]))
    usual = sorted(attempt.milliseconds for attempt in log)
    before = len(log)
    said = [len(deposit.person.shown) for deposit in waiting]
    world.faults.add("telegram", "*", Fault.HANG)
    await asyncio.gather(*(deposit.paid() for deposit in waiting[10:]))
    await house.credits(20)
    # It still hangs: what was done since then was done without it.
    assert [len(deposit.person.shown) for deposit in waiting] == said
    assert {(attempt.attempt, attempt.status) for attempt in list(log)[before:]} == {(1, 200)}
    meanwhile = sorted(attempt.milliseconds for attempt in list(log)[before:])
    assert meanwhile[len(meanwhile) // 2] < 5 * usual[len(usual) // 2] + 50
    world.faults.clear()
    await asyncio.gather(*(step for deposit in waiting[10:] for step in (deposit.told(), deposit.closed())))
    await house.proven(process)


async def test_each_chat_is_told_in_order_through_all_of_telegrams_failures(house: House) -> None:
    world = house.world
    process = await house.opens()
    waiting = await links(world, 6)
    first, second = waiting[::2], waiting[1::2]
    for fault in (Fault.TOO_MANY(retry_after=1), Fault.ERROR, Fault.RESET, Fault.GARBAGE, Fault.LOST):
        world.faults.add("telegram", "sendMessage", fault, times=1)
    world.faults.add("telegram", "editMessageText", Fault.LOST, times=1)
    await asyncio.gather(*(deposit.paid() for deposit in first))
    await house.credits(6)
    await asyncio.gather(*(deposit.paid() for deposit in second))
    await asyncio.gather(*(step for deposit in waiting for step in (deposit.told(), deposit.closed())))
    for earlier, later in zip(first, second, strict=True):
        told = [message.text for message in earlier.person.shown if "Зачислено" in message.text]
        amounts = [next(deposit.amount for deposit in (earlier, later) if deposit.amount in text) for text in told]
        assert list(dict.fromkeys(amounts)) == [earlier.amount, later.amount]
    assert not world.faults.rules
    # The message whose answer was lost came twice; no JSON is no answer of Telegram's.
    await house.proven(process, repeats=1, errors_allowed=["ClientDecodeError"])


async def test_who_blocked_the_bot_is_given_up_and_nobody_else(house: House) -> None:
    world = house.world
    process = await house.opens()
    waiting = await links(world, 2)
    anna, others = waiting[0].person, waiting[2:]
    anna.blocked = True  # and the update that tells of it is lost
    await asyncio.gather(*(deposit.paid() for deposit in waiting))
    await asyncio.gather(*(step for deposit in others for step in (deposit.told(), deposit.closed())))

    async def given_up() -> bool:
        async with house.books() as books:
            states = await books.fetchval("SELECT array_agg(DISTINCT state) FROM outbox WHERE chat_id = $1", anna.id)
            marked = await books.fetchval("SELECT bot_blocked_at FROM users WHERE telegram_id = $1", anna.id)
        return bool(states == ["dead"] and marked)

    await until(given_up)
    await anna.says("/menu")
    menu = await anna.sees("Главное меню")
    deposit = Deposit(world, anna, "stripe", 20_00, menu)
    await deposit.whole()
    await house.proven(process, deaf=[anna.id])
