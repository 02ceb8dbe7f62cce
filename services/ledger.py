"""The only place from which money moves. Each movement has one key, named after the money object it is about."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from db import ledger
from db.database import Tx
from db.models import Adjustment, Paid, ProviderName, ReturnedPayment, Withdrawal
from db.money import Money


def payment_key(provider: ProviderName, payment_ref: str) -> str:
    """One key for a provider's payment, wherever its money goes: to a player or to suspense, but once."""
    return f"deposit:{provider}:{payment_ref}"


def _named(provider: ProviderName, payment_ref: str) -> dict[str, object]:
    """The payment under its provider's own word for it."""
    return {"payment_intent" if provider is ProviderName.STRIPE else "payment": payment_ref}


async def deposits(tx: Tx, paid: Sequence[Paid]) -> None:
    """Providers took players' money, as much as was asked for: the players have it, the providers owe it."""
    await ledger.transfer(
        tx,
        "deposit",
        "operation",
        [
            ledger.Transfer(
                key=payment_key(one.operation.provider, one.payment_ref),
                giver=f"provider:{one.operation.provider}:{one.operation.amount.currency}",
                taker=f"player:{one.operation.player_id}:available:{one.operation.amount.currency}",
                minor=one.operation.amount.minor,
                actor=one.actor,
                entity_id=one.operation.id,
                effective_at=one.at,
                metadata=_named(one.operation.provider, one.payment_ref),
            )
            for one in paid
        ],
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


async def adjustment(tx: Tx, correction: Adjustment, *, actor: str) -> None:
    """An admin gives (plus) or takes (minus) what the player may spend; the wallet must be open."""
    amount = correction.amount
    await ledger.post(
        tx,
        key=f"adjustment:{correction.id}",
        kind="adjustment",
        legs={
            f"player:{correction.player_id}:available:{amount.currency}": amount.minor,
            f"adjustment:{amount.currency}": -amount.minor,
        },
        actor=actor,
        entity_type="adjustment",
        entity_id=correction.id,
        description=correction.reason,
    )


async def hold_withdrawal(tx: Tx, withdrawal: Withdrawal, *, actor: str) -> None:
    """A player asks for money: it is set aside at once. Raises Overdraft or WalletNotOpen."""
    player = f"player:{withdrawal.player_id}"
    await _withdrawal(tx, withdrawal, "hold", "withdrawal_hold", f"{player}:available", f"{player}:withdrawals", actor)


async def release_withdrawal(tx: Tx, withdrawal: Withdrawal, *, actor: str) -> None:
    """It was rejected or did not go through: what was set aside can be spent again."""
    player = f"player:{withdrawal.player_id}"
    await _withdrawal(
        tx, withdrawal, "end", "withdrawal_release", f"{player}:withdrawals", f"{player}:available", actor
    )


async def pay_withdrawal(tx: Tx, withdrawal: Withdrawal, *, actor: str) -> None:
    """It was sent: what was set aside is the player's no more."""
    player = f"player:{withdrawal.player_id}"
    await _withdrawal(tx, withdrawal, "end", "withdrawal_paid", f"{player}:withdrawals", "payout", actor)


async def _withdrawal(tx: Tx, withdrawal: Withdrawal, step: str, kind: str, giver: str, taker: str, actor: str) -> None:
    amount = withdrawal.amount
    await ledger.post(
        tx,
        key=f"withdrawal:{withdrawal.id}:{step}",
        kind=kind,
        legs={f"{giver}:{amount.currency}": -amount.minor, f"{taker}:{amount.currency}": amount.minor},
        actor=actor,
        entity_type="operation",
        entity_id=withdrawal.id,
    )


def return_key(returned: ReturnedPayment) -> str:
    """One key for a refund or a dispute, whoever tells of it and however often."""
    return f"{returned.kind}:{returned.provider}:{returned.ref}"


async def take_back(
    tx: Tx, returned: ReturnedPayment, *, player_id: int | None, taken: int, owed: int, suspended: int, actor: str
) -> None:
    """A provider's money went back to the payer: out of the player's wallet, as a debt, or out of suspense (minor
    units, together the whole amount)."""
    await _return(tx, returned, return_key(returned), 1, player_id, taken, owed, 0, suspended, actor)


async def give_back(tx: Tx, returned: ReturnedPayment, *, actor: str) -> None:
    """A refund failed or a dispute was won: everything goes to where it was taken from."""
    await _return(
        tx,
        returned,
        f"{return_key(returned)}:undo",
        -1,
        returned.player_id,
        returned.taken.minor,
        returned.owed.minor,
        returned.forgiven.minor,
        returned.suspended.minor,
        actor,
    )


async def _return(
    tx: Tx,
    returned: ReturnedPayment,
    key: str,
    sign: int,
    player_id: int | None,
    taken: int,
    owed: int,
    forgiven: int,
    suspended: int,
    actor: str,
) -> None:
    currency = returned.amount.currency
    legs = {
        f"provider:{returned.provider}:{currency}": returned.amount.minor,
        f"player:{player_id}:available:{currency}": -taken,
        f"receivable:{currency}": -owed,
        f"adjustment:{currency}": -forgiven,
        f"suspense:{currency}": -suspended,
    }
    await ledger.post(
        tx,
        key=key,
        kind=_RETURNS[returned.kind],
        legs={code: sign * minor for code, minor in legs.items() if minor},
        actor=actor,
        **_about(returned),
        metadata={**_named(returned.provider, returned.payment_ref), returned.kind: returned.ref},
    )


_RETURNS = {"refund": "refund", "dispute": "chargeback"}


def _about(returned: ReturnedPayment) -> dict[str, Any]:
    """What a returned payment's movements belong to in the histories: the deposit, when there was one."""
    if returned.operation_id is not None:
        return {"entity_type": "operation", "entity_id": returned.operation_id}
    return {"entity_type": "returned_payment", "entity_id": returned.id}


async def collect(tx: Tx, returned: ReturnedPayment, player_id: int, minor: int, *, actor: str) -> None:
    """A player pays (a part of) a debt with money that is there now."""
    currency = returned.amount.currency
    await ledger.post(
        tx,
        key=f"debt:{returned.id}:{returned.owed.minor}",
        kind=_RETURNS[returned.kind],
        legs={f"player:{player_id}:available:{currency}": -minor, f"receivable:{currency}": minor},
        actor=actor,
        **_about(returned),
    )


async def forgive(tx: Tx, returned: ReturnedPayment, *, actor: str) -> None:
    """We bear what is still owed."""
    currency = returned.amount.currency
    await ledger.post(
        tx,
        key=f"debt:{returned.id}:forgiven",
        kind="adjustment",
        legs={f"receivable:{currency}": returned.owed.minor, f"adjustment:{currency}": -returned.owed.minor},
        actor=actor,
        **_about(returned),
    )


async def release(
    tx: Tx,
    provider: ProviderName,
    payment_ref: str,
    amount: Money,
    *,
    key: str,
    player_id: int,
    operation_id: int | None,
    actor: str,
) -> None:
    """Money in suspense has found its player."""
    await ledger.post(
        tx,
        key=key,
        kind="suspense_released",
        legs={
            f"suspense:{amount.currency}": -amount.minor,
            f"player:{player_id}:available:{amount.currency}": amount.minor,
        },
        actor=actor,
        entity_type="operation" if operation_id is not None else None,
        entity_id=operation_id,
        metadata=_named(provider, payment_ref),
    )
