"""The intake: deliveries that arrive at the same time are stored in one transaction, and each is answered after it.

A commit waits for the disk, so under load this is what decides how many can be answered.
"""

import asyncio
from collections.abc import Sequence
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
            try:
                await _store(database, together)
            except TemporarilyUnavailable as error:
                # While the database is away nobody waits as long again for each crowd that came before.
                _refuse([*together, *self._waiting], error)
                self._waiting = []


async def _store(database: Database, together: Sequence[tuple[Received, asyncio.Future[bool]]]) -> None:
    """Raises TemporarilyUnavailable when trying again at once makes no sense."""
    try:
        async with database.connection() as tx:
            new = await inbox.store(tx, [received for received, _ in together])
    except Exception as error:
        if isinstance(error, TemporarilyUnavailable) and not error.passing:
            raise
        keys = dict.fromkeys(received.key for received, _ in together)
        if len(keys) > 1:
            # What cannot be stored, or is a repeated one that somebody works on for long, must not keep the others out.
            for key in keys:
                await _store(database, [one for one in together if one[0].key == key])
            return
        _refuse(together, error)
        return
    for received, stored in together:
        if not stored.done():  # who asked may have gone
            stored.set_result(received.key in new)


def _refuse(together: Sequence[tuple[Received, asyncio.Future[bool]]], error: Exception) -> None:
    for _, stored in together:
        if not stored.done():
            stored.set_exception(error)
