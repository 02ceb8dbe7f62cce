"""The audit log: who did what. Added to, never changed."""

from collections.abc import Mapping
from datetime import timedelta
from ipaddress import IPv4Address, IPv6Address

from asyncpg import Record

from db.database import Tx
from db.models import AuditLine, Page
from db.money import CURRENCIES, Money
from db.pages import page


async def write(
    tx: Tx,
    *,
    actor: str,
    action: str,
    status: str,
    user_id: int | None = None,
    entity: tuple[str, int] | None = None,
    amount: Money | None = None,
    remote: IPv4Address | IPv6Address | None = None,
    user_agent: str | None = None,
    details: Mapping[str, object] | None = None,
) -> None:
    """`actor`: `player`, `admin:<telegram id>`, `webhook:stripe`…; `entity`: what it was done to, like
    `("adjustment", 7)`; `details` are kept for ever, so never anything secret."""
    entity_type, entity_id = entity or (None, None)
    await tx.execute(
        "INSERT INTO audit_log (actor, action, status, user_id, entity_type, entity_id, amount_minor, currency,"
        " ip_address, user_agent, details) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        actor,
        action,
        status,
        user_id,
        entity_type,
        entity_id,
        None if amount is None else amount.minor,
        None if amount is None else amount.currency,
        remote,
        user_agent,
        dict(details or {}),
    )


async def noted(tx: Tx, *, actor: str, action: str, user_id: int, within: timedelta) -> bool:
    """Whether the same was written of the same player not long ago."""
    return bool(
        await tx.fetchval(
            "SELECT true FROM audit_log WHERE user_id = $1 AND actor = $2 AND action = $3"
            " AND created_at > now() - $4::interval LIMIT 1",
            user_id,
            actor,
            action,
            within,
        )
    )


_COLUMNS = "log_id, actor, action, status, amount_minor, currency, entity_type, entity_id, details, created_at"


def _line(row: Record) -> AuditLine:
    known = row["amount_minor"] is not None and row["currency"] in CURRENCIES
    return AuditLine(
        id=row["log_id"],
        actor=row["actor"],
        action=row["action"],
        status=row["status"],
        amount=Money(row["amount_minor"], row["currency"]) if known else None,
        entity_type=row["entity_type"],
        entity_id=row["entity_id"],
        details=row["details"],
        at=row["created_at"],
    )


async def of_player(tx: Tx, player_id: int, *, before: int | None, after: int | None, limit: int) -> Page[AuditLine]:
    """What was done by a player and to one, newest first, a page by key."""
    rows = await tx.fetch(
        f"""
        SELECT {_COLUMNS} FROM audit_log WHERE user_id = $1 AND log_id {"<" if after is None else ">"} $2
          ORDER BY log_id {"DESC" if after is None else "ASC"} LIMIT $3
        """,
        player_id,
        after if after is not None else before if before is not None else 2**63 - 1,
        limit + 1,
    )
    return page([_line(row) for row in rows], [row["log_id"] for row in rows], before=before, after=after, limit=limit)


async def of_entity(tx: Tx, entity_type: str, entity_id: int, limit: int) -> list[AuditLine]:
    """What was done to one thing, in the order in which it was; of a long story its end."""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM audit_log WHERE entity_type = $1 AND entity_id = $2 ORDER BY log_id DESC LIMIT $3",
        entity_type,
        entity_id,
        limit,
    )
    return [_line(row) for row in reversed(rows)]
