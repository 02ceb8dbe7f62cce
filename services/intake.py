"""The intake: deliveries that arrive at the same time are stored in one transaction, and each is answered after it.

A commit waits for the disk, so under load this is what decides how many can be answered.
"""

import asyncio
from dataclasses import dataclass, field

from db import inbox
from db.database import Database
from db.inbox import Received
from services.errors import TemporarilyUnavailable

AT_ONCE = 64


@dataclass(slots=True)
class Intake:
    _waiting: list[tuple[Received, asyncio.Future[bool]]] = field(default_factory=list)
    _writing: asyncio.Task[None] | None = None

    async def store(self, database: Database, received: Received) -> bool:
        """True when the delivery is new, False when it is a repeated one. Raises TemporarilyUnavailable: not stored."""
        stored: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((received, stored))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write(database))
        return await stored

    async def _write(self, database: Database) -> None:
        while self._waiting:
            together, self._waiting = self._waiting[:AT_ONCE], self._waiting[AT_ONCE:]
            await _store(database, together)


async def _store(database: Database, together: list[tuple[Received, asyncio.Future[bool]]]) -> None:
    try:
        async with database.connection() as tx:
            new = await inbox.store(tx, [received for received, _ in together])
    except Exception as error:
        if len(together) > 1 and not isinstance(error, TemporarilyUnavailable):
            for one in together:  # what cannot be stored must not keep the others out
                await _store(database, [one])
            return
        for _, stored in together:
            if not stored.done():
                stored.set_exception(error)
        return
    for received, stored in together:
        if not stored.done():  # who asked may have gone
            stored.set_result(received.key in new)
