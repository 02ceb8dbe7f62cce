"""Deliveries that arrive at the same time are stored together, and each has its own answer."""

import asyncio
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from ipaddress import ip_address

import asyncpg
import pytest

from db.inbox import Received
from services.errors import TemporarilyUnavailable
from services.intake import AT_ONCE, Intake
from tests.shop import Shop

DELIVERY = Received(
    source="stripe",
    event_id="evt_1",
    event_type="charge.updated",
    payment_ref=None,
    rereads=False,
    concerns_us=False,
    headers={"content-type": "application/json"},
    body=b"{}",
    remote=ip_address("::1"),
    verified_by="test",
)


async def test_a_crowd_of_deliveries_is_stored_once_each_and_repeats_are_counted(shop: Shop) -> None:
    events = [replace(DELIVERY, event_id=f"evt_{number}") for number in range(3 * AT_ONCE)]
    intakes = [Intake(), Intake()]  # as two processes would
    answers = await asyncio.gather(
        *(intakes[turn % 2].store(shop.database, event) for turn, event in enumerate(events * 4))
    )
    async with shop.database.connection() as tx:
        rows = await tx.fetch("SELECT event_id, deliveries FROM webhook_inbox")
    assert {row["event_id"]: row["deliveries"] for row in rows} == {event.event_id: 4 for event in events}
    assert not any(await asyncio.gather(*(intakes[0].store(shop.database, event) for event in events)))
    assert any(answers)


async def test_one_that_cannot_be_stored_keeps_no_other_out(shop: Shop) -> None:
    intake = Intake()
    answers = await asyncio.gather(
        intake.store(shop.database, DELIVERY),
        intake.store(shop.database, replace(DELIVERY, event_id="evt_2", event_type="\0")),
        intake.store(shop.database, replace(DELIVERY, event_id="evt_3")),
        return_exceptions=True,
    )
    assert answers[0] is True
    assert isinstance(answers[1], asyncpg.PostgresError)
    assert answers[2] is True


async def test_a_repeated_one_that_somebody_works_on_keeps_no_other_out(shop: Shop) -> None:
    async with AsyncExitStack() as connections:
        for _ in range(4):  # all that the pool has so far
            tx = await connections.enter_async_context(shop.database.connection())
            await tx.execute("SET lock_timeout = '100ms'")
    intake = Intake()
    await intake.store(shop.database, DELIVERY)
    async with shop.database.transaction() as tx:
        await tx.execute("SELECT FROM webhook_inbox FOR UPDATE")
        repeated, *others = await asyncio.gather(
            intake.store(shop.database, DELIVERY),
            *(intake.store(shop.database, replace(DELIVERY, event_id=f"evt_{number}")) for number in range(2, 6)),
            return_exceptions=True,
        )
    assert isinstance(repeated, TemporarilyUnavailable)
    assert others == [True] * 4


async def test_while_the_database_is_away_nobody_waits_for_those_before(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("db.database._ACQUIRE_SECONDS", 0.1)
    intake = Intake()
    async with AsyncExitStack() as connections:
        with suppress(TemporarilyUnavailable):
            while True:  # there is none left
                await connections.enter_async_context(shop.database.connection())
        deliveries = [replace(DELIVERY, event_id=f"evt_{number}") for number in range(3 * AT_ONCE)]
        asked = [asyncio.create_task(intake.store(shop.database, one)) for one in deliveries]
        await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.sleep(0)
        assert all(isinstance(one.exception(), TemporarilyUnavailable) for one in asked if one.done())
        assert all(one.done() for one in asked)
    assert await intake.store(shop.database, DELIVERY)


async def test_who_stops_waiting_is_stored_all_the_same(shop: Shop) -> None:
    intake = Intake()
    gone = asyncio.create_task(intake.store(shop.database, DELIVERY))
    await asyncio.sleep(0)
    gone.cancel()
    assert await intake.store(shop.database, replace(DELIVERY, event_id="evt_2"))
    assert not await intake.store(shop.database, DELIVERY)
