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
    work: Callable[[], Awaitable[bool]], stopping: asyncio.Event, arrived: asyncio.Event | None = None
) -> None:
    """Calls `work` while it finds something, then waits to be told or for the next poll. What runs is finished."""
    while not stopping.is_set():
        try:
            if await work():
                continue
        except TemporarilyUnavailable:
            logger.warning("the database cannot be reached", extra={"work": work.__qualname__})
        except Exception:
            # The row has been put off; the loop must outlive any bug in one piece of work.
            logger.exception("work failed", extra={"work": work.__qualname__})
        if stopping.is_set():  # said while `work` ran; another loop may have cleared since what was to wake us
            break
        with suppress(TimeoutError):
            async with asyncio.timeout(POLL_SECONDS):
                await (arrived or stopping).wait()
        if arrived is not None:
            arrived.clear()
