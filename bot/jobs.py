"""The timetable. APScheduler is only the clock: what is due is in rows, so a tick may be missed, doubled or overlap."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from services.bookkeeping import Bookkeeping
from services.deposits import Deposits
from services.errors import TemporarilyUnavailable
from services.insights import Insights
from services.reconciliation import Reconciliation
from services.statements import Statements
from services.withdrawals import Withdrawals

logger = logging.getLogger(__name__)

# How far back providers' lists are compared with the ledger: each hour, and each night.
RECENT = timedelta(days=3)
DISTANT = timedelta(days=35)


def timetable(
    deposits: Deposits,
    withdrawals: Withdrawals,
    reconciliation: Reconciliation,
    statements: Statements,
    bookkeeping: Bookkeeping,
    insights: Insights,
    timezone: ZoneInfo,
) -> AsyncIOScheduler:
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
    tick(withdrawals.resume, "interval", seconds=15)
    tick(withdrawals.remind, "interval", minutes=5)
    tick(deposits.cards.forget_due, "interval", seconds=60)
    tick(reconciliation.returns.tick, "interval", seconds=5)
    for name in reconciliation.providers:
        tick(partial(reconciliation.by_timetable, name, RECENT), "cron", minute=23)
        tick(partial(reconciliation.by_timetable, name, DISTANT), "cron", hour=3, minute=41)
    # On the 1st at 00:10; the other hours catch up with a month that nobody was awake for.
    tick(lambda: statements.schedule(datetime.now(UTC)), "cron", minute=10)
    tick(bookkeeping.seal, "interval", seconds=60)
    tick(bookkeeping.checkpoint, "interval", minutes=10)
    tick(bookkeeping.tally, "interval", seconds=60)
    tick(period("verify", "%Y-%m-%dT%H"), "cron", minute=7)
    tick(period("head", "%Y-%m-%d"), "cron", hour=9)
    # At nine; the hours after it catch up with a morning that nobody was awake for.
    tick(lambda: insights.schedule(datetime.now(UTC)), "cron", hour="9-23", minute=0)
    tick(lambda: insights.watch(datetime.now(UTC)), "interval", minutes=5)
    tick(period("retention", "%Y-%m-%d"), "cron", hour=4)
    return scheduler
