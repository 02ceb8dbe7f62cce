"""Loops that drain work: when they end."""

import asyncio

import pytest

from bot import workers


async def test_who_works_when_told_to_stop_waits_for_no_more_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "POLL_SECONDS", 3600.0)
    stopping, arrived, working, finish = (asyncio.Event() for _ in range(4))

    async def work() -> bool:
        working.set()
        await finish.wait()
        return False

    async def nothing() -> bool:
        return False

    busy = asyncio.create_task(workers.drain(work, stopping, arrived))
    idle = asyncio.create_task(workers.drain(nothing, stopping, arrived))
    await working.wait()
    stopping.set()
    arrived.set()
    await idle  # which has cleared what would wake the other one
    finish.set()
    await asyncio.wait_for(busy, 10)
