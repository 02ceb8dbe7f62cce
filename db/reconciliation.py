"""Reconciliation items: money that fits no operation, open until an admin settles it."""

from db.database import Tx
from db.models import ProviderName
from db.money import Money


async def open_item(
    tx: Tx,
    *,
    provider: ProviderName,
    payment_ref: str,
    problem: str,
    operation_id: int | None,
    journal_id: int | None,
    received: Money | None,
    expected: Money | None,
) -> bool:
    """False when this payment already has its item."""
    return bool(
        await tx.fetchval(
            """
            INSERT INTO recon_item (provider, provider_ref, problem, operation_id, journal_id,
                currency, provider_minor, ledger_minor)
              VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (provider, provider_ref) DO NOTHING RETURNING true
            """,
            provider,
            payment_ref,
            problem,
            operation_id,
            journal_id,
            received.currency if received else None,
            received.minor if received else None,
            expected.minor if expected else None,
        )
    )


async def has_item(tx: Tx, provider: ProviderName, payment_ref: str) -> bool:
    return bool(
        await tx.fetchval(
            "SELECT true FROM recon_item WHERE provider = $1 AND provider_ref = $2", provider, payment_ref
        )
    )
