"""Loops that drain the inbox, the outbox and the jobs. Work is in rows, so a loop can stop or die at any moment."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

from services.errors import TemporarilyUnavailable

logger = logging.getLogger(__name__)

POLL_SECONDS = 1.0
"""How long a row may wait when nobody was told about it: after a restart, a pause, or another process's commit."""


async def drain(
    work: Callable[[], Awaitable[bool]],
    stopping: asyncio.Event,
    arrived: asyncio.Event | None = None,
    *,
    first: float = 0,
) -> None:
    """Calls `work` while it finds something, then waits to be told or for the next poll. What runs is finished.

    `first` is how many seconds it waits before it looks of itself for the first time.
    """
    patience = first
    while True:
        # Stopping may have been said while `work` ran, and another loop may have cleared what was to wake us.
        if patience and not stopping.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    await (arrived or stopping).wait()
            if arrived is not None:
                arrived.clear()
        if stopping.is_set():
            return
        patience = POLL_SECONDS
        try:
            if await work():
                patience = 0
        except TemporarilyUnavailable:
            logger.warning("the database cannot be reached", extra={"work": work.__qualname__})
        except Exception:
            # The row has been put off; the loop must outlive any bug in one piece of work.
            logger.exception("work failed", extra={"work": work.__qualname__})
