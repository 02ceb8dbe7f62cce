"""A provider hangs, or its answer gets lost: the player gets clear words, and in the end there is one payment."""

import asyncio

from sandbox import Fault
from tests.chaos.house import House
from tests.chaos.players import Deposit, links, player


async def test_a_provider_that_does_not_answer_makes_one_payment(house: House) -> None:
    world = house.world
    process = await house.opens()
    anna, ben = [await player(world, number) for number in range(2)]
    world.faults.add("stripe", "POST /v1/checkout/sessions", Fault.HANG)
    world.faults.add("yookassa", "POST /v3/payments", Fault.LOST)
    waiting = [
        Deposit(world, anna, "stripe", 10_00, anna.shown[0]),
        Deposit(world, ben, "yookassa", 10_00, ben.shown[0]),
    ]
    await asyncio.gather(*(deposit.asked_in_vain() for deposit in waiting))
    assert (len(world.stripe.sessions), len(world.yookassa.payments)) == (0, 1)
    world.faults.clear()
    await asyncio.gather(*(deposit.linked_later() for deposit in waiting))
    await asyncio.gather(*(deposit.paid_and_told() for deposit in waiting))
    assert (len(world.stripe.sessions), len(world.yookassa.payments)) == (1, 1)
    await house.proven(process)


async def test_a_provider_that_hangs_holds_up_nobody_elses_money(house: House) -> None:
    world = house.world
    process = await house.opens()
    waiting = await links(world, 12)
    stripe = [deposit for deposit in waiting if deposit.provider == "stripe"]
    yookassa = [deposit for deposit in waiting if deposit.provider == "yookassa"]
    world.faults.add("yookassa", "*", Fault.HANG)
    await asyncio.gather(*(deposit.paid() for deposit in yookassa))
    assert {attempt.status for attempt in world.deliveries.log} == {200}
    await asyncio.gather(*(deposit.paid_and_told() for deposit in stripe))
    async with house.books() as books:
        assert await books.fetchval("SELECT count(*) FROM webhook_inbox WHERE rereads AND state = 'queued'") == 12
    world.faults.clear()
    await asyncio.gather(*(step for deposit in yookassa for step in (deposit.told(), deposit.closed())))
    await house.proven(process)
