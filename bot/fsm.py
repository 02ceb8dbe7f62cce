"""What a player is in the middle of, kept in PostgreSQL: it survives a restart, and all processes see it."""

from collections.abc import Mapping
from typing import Any

from aiogram.fsm.state import State
from aiogram.fsm.storage.base import BaseStorage, StateType, StorageKey

from db import fsm
from db.database import Database


class PgStorage(BaseStorage):
    def __init__(self, database: Database) -> None:
        self._database = database

    async def set_state(self, key: StorageKey, state: StateType = None) -> None:
        async with self._database.connection() as tx:
            await fsm.set_state(tx, _key(key), state.state if isinstance(state, State) else state)

    async def get_state(self, key: StorageKey) -> str | None:
        async with self._database.connection() as tx:
            return await fsm.get_state(tx, _key(key))

    async def set_data(self, key: StorageKey, data: Mapping[str, Any]) -> None:
        async with self._database.connection() as tx:
            await fsm.set_data(tx, _key(key), data)

    async def get_data(self, key: StorageKey) -> dict[str, Any]:
        async with self._database.connection() as tx:
            return await fsm.get_data(tx, _key(key))

    async def update_data(self, key: StorageKey, data: Mapping[str, Any]) -> dict[str, Any]:
        async with self._database.connection() as tx:
            return await fsm.update_data(tx, _key(key), data)

    async def close(self) -> None:
        """Who opened the database closes it."""


def _key(key: StorageKey) -> str:
    parts = (
        key.bot_id,
        key.chat_id,
        key.user_id,
        key.thread_id or "",
        key.business_connection_id or "",
        key.destiny,
    )
    return ":".join(str(part) for part in parts)
