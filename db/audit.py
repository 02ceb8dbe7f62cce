"""The audit log: who did what. Added to, never changed."""

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address

from db.database import Tx


async def write(
    tx: Tx,
    *,
    actor: str,
    action: str,
    status: str,
    user_id: int | None = None,
    remote: IPv4Address | IPv6Address | None = None,
    user_agent: str | None = None,
    details: Mapping[str, object] | None = None,
) -> None:
    await tx.execute(
        "INSERT INTO audit_log (actor, action, status, user_id, ip_address, user_agent, details)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7)",
        actor,
        action,
        status,
        user_id,
        remote,
        user_agent,
        dict(details or {}),
    )
