"""The only place from which money moves. Each movement has one key, named after the money object it is about."""

from datetime import datetime

from db import ledger
from db.database import Tx
from db.models import Operation, ProviderName
from db.money import Money


def payment_key(provider: ProviderName, payment_ref: str) -> str:
    """One key for a provider's payment, wherever its money goes: to a player or to suspense, but once."""
    return f"deposit:{provider}:{payment_ref}"


def _named(provider: ProviderName, payment_ref: str) -> dict[str, object]:
    """The payment under its provider's own word for it."""
    return {"payment_intent" if provider is ProviderName.STRIPE else "payment": payment_ref}


async def deposit(tx: Tx, operation: Operation, *, payment_ref: str, at: datetime, actor: str) -> None:
    """A provider took a player's money, as much as was asked for: the player has it, the provider owes it."""
    amount = operation.amount
    await ledger.post(
        tx,
        key=payment_key(operation.provider, payment_ref),
        kind="deposit",
        legs={
            f"player:{operation.player_id}:available:{amount.currency}": amount.minor,
            f"provider:{operation.provider}:{amount.currency}": -amount.minor,
        },
        actor=actor,
        entity_type="operation",
        entity_id=operation.id,
        effective_at=at,
        metadata=_named(operation.provider, payment_ref),
    )


async def suspense(
    tx: Tx, provider: ProviderName, received: Money, *, payment_ref: str, at: datetime, actor: str
) -> int:
    """A provider took money that fits no operation: kept apart until an admin decides. Answers the journal's id."""
    posting = await ledger.post(
        tx,
        key=payment_key(provider, payment_ref),
        kind="suspense",
        legs={
            f"suspense:{received.currency}": received.minor,
            f"provider:{provider}:{received.currency}": -received.minor,
        },
        actor=actor,
        effective_at=at,
        metadata=_named(provider, payment_ref),
    )
    return posting.journal_id
