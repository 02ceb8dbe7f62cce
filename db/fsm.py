"""Dialogs: the question a player was asked last, and what is needed to understand the answer."""

from collections.abc import Mapping
from datetime import timedelta

from db.database import Tx

LIFETIME = timedelta(hours=24)
"""An older question is forgotten: what is typed today is not the answer to it."""


async def get_state(tx: Tx, key: str) -> str | None:
    state = await tx.fetchval(
        "SELECT state FROM fsm_state WHERE key = $1 AND updated_at > now() - $2::interval", key, LIFETIME
    )
    return None if state is None else str(state)


async def get_data(tx: Tx, key: str) -> dict[str, object]:
    data = await tx.fetchval(
        "SELECT data FROM fsm_state WHERE key = $1 AND updated_at > now() - $2::interval", key, LIFETIME
    )
    return dict(data or {})


async def set_state(tx: Tx, key: str, state: str | None) -> None:
    await tx.execute(
        """
        INSERT INTO fsm_state AS f (key, state) VALUES ($1, $2)
          ON CONFLICT (key) DO UPDATE SET state = excluded.state, updated_at = now(),
            data = CASE WHEN f.updated_at > now() - $3::interval THEN f.data ELSE '{}' END
        """,
        key,
        state,
        LIFETIME,
    )


async def set_data(tx: Tx, key: str, data: Mapping[str, object]) -> None:
    await tx.execute(
        """
        INSERT INTO fsm_state AS f (key, data) VALUES ($1, $2)
          ON CONFLICT (key) DO UPDATE SET data = excluded.data, updated_at = now(),
            state = CASE WHEN f.updated_at > now() - $3::interval THEN f.state END
        """,
        key,
        dict(data),
        LIFETIME,
    )


async def update_data(tx: Tx, key: str, data: Mapping[str, object]) -> dict[str, object]:
    """Adds to the data, and answers all of it."""
    merged = await tx.fetchval(
        """
        INSERT INTO fsm_state AS f (key, data) VALUES ($1, $2)
          ON CONFLICT (key) DO UPDATE SET updated_at = now(),
            data = CASE WHEN f.updated_at > now() - $3::interval THEN f.data ELSE '{}' END || excluded.data,
            state = CASE WHEN f.updated_at > now() - $3::interval THEN f.state END
          RETURNING data
        """,
        key,
        dict(data),
        LIFETIME,
    )
    return dict(merged)
