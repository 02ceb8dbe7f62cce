"""Staff: whom the owners let into the admins' rooms."""

from collections.abc import Sequence

from db.database import Tx
from db.models import Language, Role


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
