"""What a player is in the middle of, kept in PostgreSQL: it survives a restart, and all processes see it."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from weakref import WeakValueDictionary

from aiogram.fsm.state import State
from aiogram.fsm.storage.base import BaseEventIsolation, BaseStorage, StateType, StorageKey

from db import fsm
from db.database import Database


class PgStorage(BaseStorage):
    def __init__(self, database: Database) -> None:
        self._database = database

    async def set_state(self, key: StorageKey, state: StateType = None) -> None:
        async with self._database.connection() as tx:
            await fsm.set_state(tx, row(key), state.state if isinstance(state, State) else state)

    async def get_state(self, key: StorageKey) -> str | None:
        async with self._database.connection() as tx:
            return await fsm.get_state(tx, row(key))

    async def set_data(self, key: StorageKey, data: Mapping[str, Any]) -> None:
        async with self._database.connection() as tx:
            await fsm.set_data(tx, row(key), data)

    async def get_data(self, key: StorageKey) -> dict[str, Any]:
        async with self._database.connection() as tx:
            return await fsm.get_data(tx, row(key))

    async def update_data(self, key: StorageKey, data: Mapping[str, Any]) -> dict[str, Any]:
        async with self._database.connection() as tx:
            return await fsm.update_data(tx, row(key), data)

    async def close(self) -> None:
        """Who opened the database closes it."""


def row(key: StorageKey) -> str:
    """Where a dialog is kept."""
    parts = (
        key.bot_id,
        key.chat_id,
        key.user_id,
        key.thread_id or "",
        key.business_connection_id or "",
        key.destiny,
    )
    return ":".join(str(part) for part in parts)


class OneAtATime(BaseEventIsolation):
    """One player's updates run one after another. A lock that nobody holds or waits for is forgotten."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[StorageKey, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def lock(self, key: StorageKey) -> AsyncIterator[None]:
        lock = self._locks.get(key)
        if lock is None:
            lock = self._locks[key] = asyncio.Lock()
        async with lock:
            yield

    async def close(self) -> None:
        """Nothing is kept."""
