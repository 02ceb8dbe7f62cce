"""The sender's turns: whose they are, and that a flood is waited out to its end."""

import asyncio
import time

from bot.sender import FLOOD_MARGIN, Lane, Limits


async def goes(limits: Limits, lane: Lane, name: str, times: int, order: list[str]) -> None:
    """A sender that has always something to send."""
    for _ in range(times):
        async with lane.gate:
            await limits.turn(lane)
            limits.take(lane)
            order.append(name)


async def test_what_goes_to_many_waits_while_anything_else_wants_to_go() -> None:
    limits, order = Limits(), list[str]()
    await asyncio.gather(
        *(goes(limits, limits.bulk, "many", 2, order) for _ in range(4)),
        *(goes(limits, limits.urgent, "one", 2, order) for _ in range(4)),
    )
    assert order.count("many") == 8
    assert "many" not in order[order.index("one") : order.index("one") + 8], order


async def test_a_flood_is_waited_out_by_everybody_and_even_by_who_waits_already() -> None:
    limits = Limits()
    for _ in range(2):  # after a rest, two may go at once
        limits.take(limits.urgent)
    waiting = [
        asyncio.create_task(goes(limits, lane, "", 1, [])) for lane in (limits.urgent, limits.bulk, limits.urgent)
    ]
    await asyncio.sleep(0)
    limits.flooded(0.1)
    until = limits.paused_until
    limits.flooded(0.0)
    assert limits.paused_until == until, "a shorter one does not end it"
    assert until - time.monotonic() > FLOOD_MARGIN
    for task in asyncio.as_completed(waiting):
        await task
        assert time.monotonic() >= until


async def test_a_chat_may_have_some_at_once_and_then_waits() -> None:
    limits = Limits()
    assert [limits.chat_delay(1) for _ in range(3)] == [0, 0, 0]
    assert 0 < limits.chat_delay(1) <= 1
    assert limits.chat_delay(2) == 0
