"""Staff: whom the owners let into the admins' rooms."""

from collections.abc import Sequence
from datetime import datetime

from asyncpg import Record

from db.database import Tx
from db.models import Language, Member, Role


async def role(tx: Tx, telegram_id: int) -> Role | None:
    granted = await tx.fetchval("SELECT role FROM staff WHERE telegram_id = $1", telegram_id)
    return None if granted is None else Role(granted)


async def with_roles(tx: Tx, roles: Sequence[Role]) -> list[int]:
    rows = await tx.fetch("SELECT telegram_id FROM staff WHERE role = ANY($1)", list(roles))
    return [row["telegram_id"] for row in rows]


async def languages(tx: Tx, owners: Sequence[int]) -> dict[int, tuple[Role | None, Language | None]]:
    """Everybody in the table and these owners: the role granted, and the language of those who are players."""
    rows = await tx.fetch(
        """
        SELECT telegram_id, s.role, u.language FROM staff s FULL JOIN unnest($1::bigint[]) AS o (telegram_id)
            USING (telegram_id) LEFT JOIN users u USING (telegram_id) ORDER BY telegram_id
        """,
        list(owners),
    )
    return {
        row["telegram_id"]: (
            None if row["role"] is None else Role(row["role"]),
            None if row["language"] is None else Language(row["language"]),
        )
        for row in rows
    }


async def lock(tx: Tx) -> None:
    """Until the end of the transaction nobody else changes who may do what."""
    await tx.execute("LOCK TABLE staff IN SHARE ROW EXCLUSIVE MODE")


async def grant(tx: Tx, telegram_id: int, role: Role, *, by: int) -> datetime:
    """Answers since when."""
    granted_at: datetime = await tx.fetchval(
        """
        INSERT INTO staff (telegram_id, role, granted_by, granted_at) VALUES ($1, $2, $3, clock_timestamp())
          ON CONFLICT (telegram_id) DO UPDATE
            SET role = excluded.role, granted_by = excluded.granted_by, granted_at = excluded.granted_at
          RETURNING granted_at
        """,
        telegram_id,
        role,
        by,
    )
    return granted_at


async def revoke(tx: Tx, telegram_id: int) -> datetime | None:
    """Answers since when it had been granted; None: it was not."""
    granted_at: datetime | None = await tx.fetchval(
        "DELETE FROM staff WHERE telegram_id = $1 RETURNING granted_at", telegram_id
    )
    return granted_at


_MEMBER = """
    telegram_id, s.role, s.granted_by, s.granted_at, u.id AS player_id, coalesce(u.name, '') AS name, u.username,
    u.language
"""


def _member(row: Record, owners: Sequence[int]) -> Member:
    in_settings = row["telegram_id"] in owners
    granted = None if row["role"] is None else Role(row["role"])
    return Member(
        telegram_id=row["telegram_id"],
        role=Role.OWNER if in_settings else granted,
        in_settings=in_settings,
        player_id=row["player_id"],
        name=row["name"],
        username=row["username"],
        language=None if row["language"] is None else Language(row["language"]),
        granted_by=row["granted_by"],
        granted_at=row["granted_at"],
    )


async def members(tx: Tx, owners: Sequence[int]) -> list[Member]:
    """Everybody who has a role: these owners first, then by role."""
    rows = await tx.fetch(
        f"""
        SELECT {_MEMBER} FROM unnest($1::bigint[]) AS o (telegram_id) FULL JOIN staff s USING (telegram_id)
            LEFT JOIN users u USING (telegram_id)
          ORDER BY o.telegram_id IS NULL, array_position('{{owner,cashier,support,editor}}', s.role), telegram_id
        """,
        list(owners),
    )
    return [_member(row, owners) for row in rows]


async def member(tx: Tx, owners: Sequence[int], telegram_id: int) -> Member:
    """Anybody, also who has no role and never wrote to the bot."""
    (row,) = await tx.fetch(
        f"""
        SELECT {_MEMBER} FROM unnest(ARRAY[$1::bigint]) AS o (telegram_id) LEFT JOIN staff s USING (telegram_id)
            LEFT JOIN users u USING (telegram_id)
        """,
        telegram_id,
    )
    return _member(row, owners)
