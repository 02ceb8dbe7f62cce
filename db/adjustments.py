"""Corrections by hand: proposed by one admin, posted or declined by the same one or by another."""

from datetime import timedelta

from asyncpg import Record

from db.database import Tx, present
from db.models import Adjustment, AdjustmentStatus
from db.money import Money

_COLUMNS = "id, user_id, currency, amount_minor, reason, status, proposed_by, decided_by, created_at"


def _adjustment(row: Record) -> Adjustment:
    return Adjustment(
        id=row["id"],
        player_id=row["user_id"],
        amount=Money(row["amount_minor"], row["currency"]),
        reason=row["reason"],
        status=AdjustmentStatus(row["status"]),
        proposed_by=row["proposed_by"],
        decided_by=row["decided_by"],
        created_at=row["created_at"],
    )


async def propose(
    tx: Tx, player_id: int, amount: Money, *, reason: str, request_key: str, admin: int
) -> Adjustment | None:
    """A new correction, which moves nothing yet; None when this wish has been written down before."""
    row = await tx.fetchrow(
        f"""
        INSERT INTO adjustment (user_id, currency, amount_minor, reason, request_key, proposed_by)
          VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (request_key) DO NOTHING RETURNING {_COLUMNS}
        """,
        player_id,
        amount.currency,
        amount.minor,
        reason,
        request_key,
        admin,
    )
    return None if row is None else _adjustment(row)


async def wished(tx: Tx, request_key: str) -> Adjustment:
    """What was written down for this wish. A statement of its own: it sees what a twin has just committed."""
    row = await tx.fetchrow(f"SELECT {_COLUMNS} FROM adjustment WHERE request_key = $1", request_key)
    return _adjustment(present(row))


async def lock(tx: Tx, adjustment_id: int) -> Adjustment | None:
    row = await tx.fetchrow(f"SELECT {_COLUMNS} FROM adjustment WHERE id = $1 FOR NO KEY UPDATE", adjustment_id)
    return None if row is None else _adjustment(row)


async def decide(tx: Tx, adjustment_id: int, status: AdjustmentStatus, *, admin: int) -> Adjustment:
    """Ends a correction that is locked and still only proposed."""
    row = await tx.fetchrow(
        "UPDATE adjustment SET status = $2, decided_by = $3, decided_at = clock_timestamp()"
        f" WHERE id = $1 AND status = 'proposed' RETURNING {_COLUMNS}",
        adjustment_id,
        status,
        admin,
    )
    return _adjustment(present(row))


async def posted_since(tx: Tx, player_id: int, currency: str, period: timedelta) -> Money:
    """How much one admin alone gave and took in this last while, both counted up."""
    minor = await tx.fetchval(
        "SELECT coalesce(sum(abs(amount_minor)), 0)::bigint FROM adjustment WHERE user_id = $1 AND currency = $2"
        " AND status = 'posted' AND decided_by = proposed_by AND decided_at > now() - $3::interval",
        player_id,
        currency,
        period,
    )
    return Money(minor, currency)


async def waiting(tx: Tx, *, player_id: int | None = None, limit: int) -> list[Adjustment]:
    """Corrections that wait for another admin, oldest first; of one player or of all."""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM adjustment WHERE status = 'proposed' AND ($1::bigint IS NULL OR user_id = $1)"
        " ORDER BY id LIMIT $2",
        player_id,
        limit,
    )
    return [_adjustment(row) for row in rows]


async def count_waiting(tx: Tx) -> int:
    return int(await tx.fetchval("SELECT count(*) FROM adjustment WHERE status = 'proposed'"))
