"""Players: one row per Telegram account."""

from datetime import date, datetime

from asyncpg import Record

from db.database import Tx, present
from db.fsm import LIFETIME
from db.models import (
    Language,
    OperationLine,
    OperationStatus,
    Page,
    Player,
    Profile,
    Role,
    Visit,
)
from db.money import Money
from db.pages import page

_COLUMNS = "id, telegram_id, language, accepted_at, username, frozen_at, news_off_at, signals_off_at"


def _player(row: Record) -> Player:
    return Player(
        row["id"],
        row["telegram_id"],
        Language(row["language"]),
        row["accepted_at"],
        row["username"],
        row["frozen_at"],
        row["news_off_at"] is None,
        row["signals_off_at"] is None,
    )


_VISIT = f"""
    {_COLUMNS}, (SELECT s.role FROM staff s WHERE s.telegram_id = users.telegram_id) AS role,
    (SELECT h.closed_at IS NOT NULL FROM house h) AS closed,
    (SELECT f.state FROM fsm_state f WHERE f.key = $5 AND f.updated_at > now() - $6::interval) AS asked
"""


async def visit(
    tx: Tx, telegram_id: int, username: str | None, name: str, language: Language, today: date, dialog: str
) -> Visit:
    """The player behind a Telegram account, made at the first word. Writes only what changed, never the language."""
    row = await tx.fetchrow(
        f"SELECT {_VISIT} FROM users WHERE telegram_id = $1 AND username IS NOT DISTINCT FROM $2 AND name = $3"
        " AND seen_on >= $4 AND bot_blocked_at IS NULL",
        telegram_id,
        username,
        name,
        today,
        dialog,
        LIFETIME,
    )
    if row is None:
        row = await tx.fetchrow(
            f"""
            INSERT INTO users (telegram_id, username, name, seen_on, language) VALUES ($1, $2, $3, $4, $7)
            ON CONFLICT (telegram_id) DO UPDATE
              SET username = excluded.username, name = excluded.name, bot_blocked_at = NULL, updated_at = now(),
                  seen_on = greatest(users.seen_on, excluded.seen_on)
            RETURNING {_VISIT}
            """,
            telegram_id,
            username,
            name,
            today,
            dialog,
            LIFETIME,
            language,
        )
        await tx.execute(
            "INSERT INTO activity (day, user_id) VALUES ($1, $2) ON CONFLICT DO NOTHING", today, present(row)["id"]
        )
    row = present(row)
    return Visit(_player(row), None if row["role"] is None else Role(row["role"]), row["closed"], row["asked"])


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


async def set_news(tx: Tx, player_id: int, *, on: bool) -> Player:
    row = await tx.fetchrow(
        "UPDATE users SET news_off_at = CASE WHEN NOT $2 THEN coalesce(news_off_at, now()) END, updated_at = now()"
        f" WHERE id = $1 RETURNING {_COLUMNS}",
        player_id,
        on,
    )
    return _player(present(row))


async def set_signals(tx: Tx, player_id: int, *, on: bool) -> Player:
    row = await tx.fetchrow(
        "UPDATE users SET signals_off_at = CASE WHEN NOT $2 THEN coalesce(signals_off_at, now()) END,"
        f" updated_at = now() WHERE id = $1 RETURNING {_COLUMNS}",
        player_id,
        on,
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


async def lock(tx: Tx, player_id: int) -> Player | None:
    """The player as the row says now, locked until the end of the transaction: who decides by sums over a player's
    wallets or operations does it under this lock, and after that of the operation."""
    row = await tx.fetchrow(f"SELECT {_COLUMNS} FROM users WHERE id = $1 FOR NO KEY UPDATE", player_id)
    return None if row is None else _player(row)


async def freeze(tx: Tx, player_id: int, reason: str) -> datetime | None:
    """Since when nothing goes out any more; None: the player is frozen already, for the reason given then."""
    frozen_at: datetime | None = await tx.fetchval(
        "UPDATE users SET frozen_at = clock_timestamp(), frozen_reason = $2, updated_at = now()"
        " WHERE id = $1 AND frozen_at IS NULL RETURNING frozen_at",
        player_id,
        reason,
    )
    return frozen_at


async def unfreeze(tx: Tx, player_id: int) -> bool:
    """False: the player is not frozen."""
    return bool(
        await tx.fetchval(
            "UPDATE users SET frozen_at = NULL, frozen_reason = NULL, updated_at = now()"
            " WHERE id = $1 AND frozen_at IS NOT NULL RETURNING true",
            player_id,
        )
    )


_PROFILE = f"{_COLUMNS}, name, frozen_reason, bot_blocked_at, created_at"


def _profile(row: Record) -> Profile:
    return Profile(_player(row), row["name"], row["frozen_reason"], row["bot_blocked_at"], row["created_at"])


async def profile(tx: Tx, player_id: int) -> Profile | None:
    row = await tx.fetchrow(f"SELECT {_PROFILE} FROM users WHERE id = $1", player_id)
    return None if row is None else _profile(row)


async def named(tx: Tx, username: str, limit: int) -> list[Profile]:
    """Whoever has or had this @name when last seen, in any spelling; names change hands, so there may be several."""
    rows = await tx.fetch(
        f"SELECT {_PROFILE} FROM users WHERE lower(username) = lower($1) ORDER BY updated_at DESC, id LIMIT $2",
        username,
        limit,
    )
    return [_profile(row) for row in rows]


async def with_telegram_id(tx: Tx, telegram_id: int) -> Profile | None:
    row = await tx.fetchrow(f"SELECT {_PROFILE} FROM users WHERE telegram_id = $1", telegram_id)
    return None if row is None else _profile(row)


async def of_operation(tx: Tx, operation_id: int) -> Profile | None:
    """Whose deposit or withdrawal it is."""
    row = await tx.fetchrow(
        f"SELECT {_PROFILE} FROM users WHERE id = (SELECT user_id FROM wallet_operations WHERE operation_id = $1)",
        operation_id,
    )
    return None if row is None else _profile(row)


_OPERATION = """
    o.operation_id, o.user_id, o.operation_type, o.amount_minor, o.received_minor, o.currency, o.status, o.provider,
    o.provider_ref, o.payment_ref, o.reason, o.comment, o.note, o.created_at, o.completed_at,
    (SELECT m.masked FROM withdrawal_methods m WHERE m.method_id = o.withdrawal_method_id) AS method
"""


def _operation(row: Record) -> OperationLine:
    received = row["received_minor"]
    return OperationLine(
        id=row["operation_id"],
        player_id=row["user_id"],
        kind=row["operation_type"],
        amount=Money(row["amount_minor"], row["currency"]),
        received=None if received is None else Money(received, row["currency"]),
        status=OperationStatus(row["status"]),
        provider=row["provider"],
        provider_ref=row["provider_ref"],
        payment_ref=row["payment_ref"],
        reason=row["reason"],
        comment=row["comment"],
        note=row["note"],
        method=row["method"],
        created_at=row["created_at"],
        completed_at=row["completed_at"],
    )


async def operations(
    tx: Tx, player_id: int, *, before: int | None, after: int | None, limit: int
) -> Page[OperationLine]:
    """A player's deposits and withdrawals, newest first, a page by key."""
    rows = await tx.fetch(
        f"""
        SELECT {_OPERATION} FROM wallet_operations o
          WHERE o.user_id = $1 AND o.operation_id {"<" if after is None else ">"} $2
          ORDER BY o.operation_id {"DESC" if after is None else "ASC"} LIMIT $3
        """,
        player_id,
        after if after is not None else before if before is not None else 2**63 - 1,
        limit + 1,
    )
    lines = [_operation(row) for row in rows]
    return page(lines, [line.id for line in lines], before=before, after=after, limit=limit)


async def operation(tx: Tx, operation_id: int) -> OperationLine | None:
    row = await tx.fetchrow(f"SELECT {_OPERATION} FROM wallet_operations o WHERE o.operation_id = $1", operation_id)
    return None if row is None else _operation(row)


async def count_operations(tx: Tx, player_id: int) -> list[tuple[str, OperationStatus, int]]:
    """How many deposits and withdrawals a player has in each status."""
    rows = await tx.fetch(
        "SELECT operation_type, status, count(*) AS count FROM wallet_operations WHERE user_id = $1"
        " GROUP BY 1, 2 ORDER BY 1, 2",
        player_id,
    )
    return [(row["operation_type"], OperationStatus(row["status"]), row["count"]) for row in rows]


async def debts(tx: Tx, player_id: int) -> list[Money]:
    """What a player owes us, by currency."""
    rows = await tx.fetch(
        "SELECT currency, sum(owed_minor)::bigint AS owed FROM returned_payment WHERE user_id = $1 AND owed_minor > 0"
        " GROUP BY currency ORDER BY currency",
        player_id,
    )
    return [Money(row["owed"], row["currency"]) for row in rows]
