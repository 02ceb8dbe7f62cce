"""The desk: how much waits for somebody on the staff, and whether the house is open."""

from collections.abc import Sequence
from datetime import datetime

from db.database import Tx, present
from db.models import Waiting


async def waiting(tx: Tx, providers: Sequence[str]) -> Waiting:
    """Everything in one round trip; each count is that of an index which holds only what waits."""
    row = await tx.fetchrow(
        """
        SELECT
          (SELECT count(*) FROM wallet_operations WHERE operation_type = 'withdrawal'
              AND status IN ('review', 'approved', 'sending', 'unknown')) AS withdrawals,
          (SELECT count(*) FROM withdrawal_methods WHERE verification_status = 'pending' AND is_active) AS methods,
          (SELECT count(*) FROM recon_item WHERE state = 'open') AS items,
          (SELECT count(*) FROM returned_payment WHERE owed_minor > 0) AS debts,
          (SELECT count(*) FROM adjustment WHERE status = 'proposed') AS corrections,
          (SELECT coalesce(sum((SELECT r.differences FROM recon_run r WHERE r.provider = p AND r.finished_at IS NOT NULL
              ORDER BY r.id DESC LIMIT 1)), 0) FROM unnest($1::text[]) AS p) AS differences,
          (SELECT count(*) FROM webhook_inbox WHERE state = 'dead') AS deliveries,
          (SELECT count(*) FROM outbox WHERE state = 'dead' AND let_go_at IS NULL AND broadcast_id IS NULL) AS messages,
          (SELECT count(*) FROM casino_event WHERE problem IS NOT NULL AND seen_at IS NULL) AS reports,
          (SELECT count(*) FROM signal WHERE result IS NULL AND starts_at <= now()) AS signals,
          (SELECT count(*) FROM broadcast WHERE ended_at IS NULL) AS broadcasts,
          (SELECT count(*) FROM alert WHERE closed_at IS NULL) AS alerts,
          (SELECT closed_at FROM house) AS closed_at
        """,
        list(providers),
    )
    return Waiting(**present(row))


async def closed_at(tx: Tx) -> datetime | None:
    """Since when the house is closed for maintenance; None: it is open."""
    since: datetime | None = await tx.fetchval("SELECT closed_at FROM house")
    return since


async def close(tx: Tx, *, by: int) -> datetime | None:
    """Since when the house is closed; None: it was closed already."""
    since: datetime | None = await tx.fetchval(
        "UPDATE house SET closed_at = clock_timestamp(), closed_by = $1 WHERE closed_at IS NULL RETURNING closed_at", by
    )
    return since


async def reopen(tx: Tx) -> datetime | None:
    """Since when the house was closed; None: it was open."""
    since: datetime | None = await tx.fetchval("SELECT closed_at FROM house FOR UPDATE")
    if since is not None:
        await tx.execute("UPDATE house SET closed_at = NULL, closed_by = NULL")
    return since
