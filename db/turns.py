"""Taking turns: what only one of all processes may do at a time, and that another one goes on with when it dies."""

import asyncio
import logging
from collections.abc import Callable, Coroutine

from db.database import Database, DatabaseUnavailable, Tx

logger = logging.getLogger(__name__)

_ASK_SECONDS = 1.0
_BEAT_SECONDS = 3.0  # well below idle_in_transaction_session_timeout, which frees the turn of a process that hangs
_ANSWER_SECONDS = 6.0


async def take_turns(
    database: Database, number: int, work: Callable[[], Coroutine[object, object, None]], waits: Callable[[], None]
) -> None:
    """Runs `work` in one of all processes, until cancelled or until it ends. The others wait, are told so by `waits`,
    and take over within seconds when that process ends, dies or hangs. `number` names what is done.

    The turn is an advisory lock of a transaction that stays open on a connection of its own, so it holds behind a
    pooler in transaction mode too, where a session's lock would outlive its owner. While the database is away nobody
    can be asked, and who has the turn keeps it.
    """
    turn, reachable = _Turn(number, work, waits), True
    try:
        while not turn.over:
            try:
                async with database.outside() as connection:
                    reachable = True
                    await turn.have(connection)
            except DatabaseUnavailable as error:
                if reachable:  # a connection that was cut is made again at once
                    logger.warning("whose turn it is cannot be asked", extra={"turn": number, "reason": str(error)})
                else:
                    await turn.rest(_ASK_SECONDS)
                reachable = False
        turn.result()
    finally:
        await turn.end()


class _Turn:
    def __init__(
        self, number: int, work: Callable[[], Coroutine[object, object, None]], waits: Callable[[], None]
    ) -> None:
        self._number = number
        self._work = work
        self._waits = waits
        self._running: asyncio.Task[None] | None = None

    @property
    def over(self) -> bool:
        """The work has ended by itself."""
        return self._running is not None and self._running.done()

    def result(self) -> None:
        """Raises what the work ended with."""
        if self._running is not None:
            self._running.result()

    async def have(self, connection: Tx) -> None:
        """Waits for the turn, and works until the work ends or the turn is lost. Raises DatabaseUnavailable."""
        while True:
            await connection.execute("BEGIN", timeout=_ANSWER_SECONDS)
            if await self._mine(connection):
                break
            await connection.execute("ROLLBACK", timeout=_ANSWER_SECONDS)
            await self.end()
            self._waits()
            await asyncio.sleep(_ASK_SECONDS)
        if self._running is None:
            self._running = asyncio.create_task(self._work())
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _: lost.set())
        try:
            while not self.over:
                await self.rest(_BEAT_SECONDS, lost)
                await connection.execute("SELECT 1", timeout=_ANSWER_SECONDS)
        except asyncio.CancelledError:
            await self.end()  # what runs is finished before anybody else may begin
            raise
        await connection.execute("ROLLBACK", timeout=_ANSWER_SECONDS)

    async def _mine(self, connection: Tx) -> bool:
        asked = connection.fetchval("SELECT pg_try_advisory_xact_lock($1)", self._number, timeout=_ANSWER_SECONDS)
        return bool(await asked)

    async def rest(self, seconds: float, lost: asyncio.Event | None = None) -> None:
        """Until the work ends or its turn is `lost`, but not longer than `seconds`."""
        if self._running is None:
            await asyncio.sleep(seconds)
            return
        waiting = asyncio.create_task(lost.wait()) if lost else None
        try:
            wanted = {self._running, waiting} if waiting else {self._running}
            await asyncio.wait(wanted, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if waiting:
                waiting.cancel()

    async def end(self) -> None:
        """Ends the work, if there is any, and waits until it has ended."""
        if self._running is None or self._running.done():
            return
        running, self._running = self._running, None
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
