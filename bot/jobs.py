"""The timetable. APScheduler is only the clock: what is due is in rows, so a tick may be missed, doubled or overlap."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from services.bookkeeping import Bookkeeping
from services.deposits import Deposits
from services.errors import TemporarilyUnavailable

logger = logging.getLogger(__name__)


def timetable(deposits: Deposits, bookkeeping: Bookkeeping, timezone: ZoneInfo) -> AsyncIOScheduler:
    scheduler = AsyncIOScheduler(
        timezone=timezone, job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
    )

    def tick(work: Callable[[], Awaitable[None]], trigger: str, **when: Any) -> None:
        async def run() -> None:
            try:
                await work()
            except TemporarilyUnavailable:
                logger.warning("tick missed: the database cannot be reached", extra={"work": str(work)})
            except asyncio.CancelledError:
                logger.info("tick cut off: the process ends", extra={"work": str(work)})

        scheduler.add_job(run, trigger, **when)

    def period(kind: str, form: str) -> Callable[[], Awaitable[None]]:
        async def schedule() -> None:
            await bookkeeping.schedule(kind, datetime.now(UTC).strftime(form))

        return schedule

    for name in deposits.providers:
        tick(partial(deposits.poll, name), "interval", seconds=5)
    tick(bookkeeping.seal, "interval", seconds=60)
    tick(period("verify", "%Y-%m-%dT%H"), "cron", minute=7)
    tick(period("head", "%Y-%m-%d"), "cron", hour=9)
    tick(period("retention", "%Y-%m-%d"), "cron", hour=4)
    return scheduler
