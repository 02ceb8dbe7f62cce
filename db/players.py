"""Players: one row per Telegram account."""

from asyncpg import Record

from db.database import Tx, present
from db.models import Language, Player

_COLUMNS = "id, telegram_id, language, accepted_at, username, frozen_at"


def _player(row: Record) -> Player:
    return Player(
        row["id"],
        row["telegram_id"],
        Language(row["language"]),
        row["accepted_at"],
        row["username"],
        row["frozen_at"],
    )


async def meet(tx: Tx, telegram_id: int, username: str | None, name: str, language: Language) -> Player:
    """The player behind a Telegram account, made at the first word. Writes only what changed, never the language."""
    row = await tx.fetchrow(
        f"SELECT {_COLUMNS} FROM users WHERE telegram_id = $1 AND username IS NOT DISTINCT FROM $2 AND name = $3"
        " AND bot_blocked_at IS NULL",
        telegram_id,
        username,
        name,
    )
    if row is None:
        row = await tx.fetchrow(
            f"""
            INSERT INTO users (telegram_id, username, name, language) VALUES ($1, $2, $3, $4)
            ON CONFLICT (telegram_id) DO UPDATE
              SET username = excluded.username, name = excluded.name, bot_blocked_at = NULL, updated_at = now()
            RETURNING {_COLUMNS}
            """,
            telegram_id,
            username,
            name,
            language,
        )
    return _player(present(row))


async def accept_rules(tx: Tx, player_id: int) -> Player:
    row = await tx.fetchrow(
        "UPDATE users SET accepted_at = coalesce(accepted_at, now()), updated_at = now()"
        f" WHERE id = $1 RETURNING {_COLUMNS}",
        player_id,
    )
    return _player(present(row))


async def set_language(tx: Tx, player_id: int, language: Language) -> Player:
    row = await tx.fetchrow(
        f"UPDATE users SET language = $2, updated_at = now() WHERE id = $1 RETURNING {_COLUMNS}",
        player_id,
        language,
    )
    return _player(present(row))


async def keep_start_link(tx: Tx, player_id: int, link: str) -> None:
    """Keeps what came with the first /start; later links do not replace it."""
    await tx.execute("UPDATE users SET start_link = $2 WHERE id = $1 AND start_link IS NULL", player_id, link)


async def mark_blocked(tx: Tx, telegram_id: int, *, blocked: bool) -> None:
    await tx.execute(
        "UPDATE users SET bot_blocked_at = CASE WHEN $2 THEN coalesce(bot_blocked_at, now()) END"
        " WHERE telegram_id = $1",
        telegram_id,
        blocked,
    )
