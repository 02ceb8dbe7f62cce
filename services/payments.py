"""Payments: what a provider says is booked here, and only here.

Whoever brings the word (a webhook, the poller, a player's "check payment"), it goes through `apply`, and the ledger
takes each payment once.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never
from uuid import UUID

from db import operations, reconciliation
from db.database import Tx
from db.models import OPEN, Operation, OperationStatus, Paid
from db.money import Money
from db.outbox import Notice
from services import ledger
from services.cards import Cards
from services.outbox import Outbox, argument
from services.providers import CardChange, Dispute, News, Payment, PaymentState, Reason, Refund
from services.returns import Returns
from services.staff import Right

logger = logging.getLogger(__name__)


class Problem(StrEnum):
    """Why a payment cannot simply be credited; the words of recon_item.problem."""

    UNKNOWN_PAYMENT = "unknown_payment"
    AMOUNT_DIFFERS = "amount_differs"
    CURRENCY_DIFFERS = "currency_differs"
    PAID_TWICE = "paid_twice"


@dataclass(frozen=True, slots=True)
class Payments:
    outbox: Outbox
    cards: Cards
    returns: Returns

    async def apply(self, tx: Tx, news: News, *, actor: str) -> None:
        """Books what a provider says. Repeating it, in any order and at the same time, changes nothing.

        `news` must be proven: a signed event, or the provider's own answer.
        """
        if not news.ours:
            logger.warning("news of another shop or mode", extra={"provider": news.provider})
            return
        match news:
            case Payment():
                await self._payment(tx, news, actor)
            case Refund() | Dispute():
                await self.returns.apply(tx, news, actor=actor)
            case CardChange():
                await self.cards.apply(tx, news)
            case _:
                assert_never(news)

    async def apply_all(
        self, tx: Tx, told: Sequence[tuple[News, str]], locked: Mapping[UUID | None, Operation]
    ) -> None:
        """The same for several with their actors, in the order in which every worker takes wallets. `locked` are the
        operations they name: what is plainly paid is credited together, in a few round trips for all."""
        untouched = dict(locked)
        paid: dict[UUID | None, Paid] = {}
        for news, actor in told:
            if isinstance(news, Payment) and news.ours and news.state is PaymentState.SUCCEEDED and not news.card:
                if news.order_id in paid and paid[news.order_id].payment_ref == news.payment_ref:
                    continue  # another word about the same payment
                operation = untouched.pop(news.order_id, None)
                if operation is not None and (plain := _plainly_paid(operation, news, actor)):
                    paid[news.order_id] = plain
                    continue
            await self._credit(tx, list(paid.values()))
            paid.clear()
            if isinstance(news, Payment) and news.order_id is None:
                untouched.clear()  # found by a reference it may be any of them
            await self.apply(tx, news, actor=actor)
        await self._credit(tx, list(paid.values()))

    async def _payment(self, tx: Tx, payment: Payment, actor: str) -> None:
        refs = [ref for ref in (payment.session_ref, payment.payment_ref) if ref is not None]
        operation = await operations.lock(tx, payment.provider, public_id=payment.order_id, refs=refs)
        match payment.state:
            case PaymentState.SUCCEEDED:
                await self._succeeded(tx, operation, payment, actor)
            case _ if operation is not None and not _waited_for(operation, payment):
                pass
            case PaymentState.EXPIRED if operation is not None and operation.status in OPEN:
                reason = operation.reason or payment.reason or Reason.NOT_PAID_IN_TIME
                await self.close(tx, operation, OperationStatus.EXPIRED, reason, actor=actor)
            case PaymentState.CANCELLED if operation is not None and operation.status in OPEN:
                reason = payment.reason or operation.reason or Reason.OTHER
                await self.close(tx, operation, OperationStatus.FAILED, reason, actor=actor)
            case PaymentState.FAILED if operation is not None and operation.status in OPEN:
                await self._declined(tx, operation, payment.reason or Reason.OTHER, payment, actor)
            case PaymentState.EXPIRED | PaymentState.CANCELLED | PaymentState.FAILED | PaymentState.PENDING:
                pass  # nothing to learn: not ours to wait for, or it has ended another way
            case _:
                assert_never(payment.state)

    async def _declined(self, tx: Tx, operation: Operation, reason: Reason, payment: Payment, actor: str) -> None:
        if operation.payment_method_id is not None and operation.provider_ref == payment.payment_ref:
            await self.close(tx, operation, OperationStatus.FAILED, reason, actor=actor)  # a kept card, and no page
        else:  # the page is still open and the next card may do
            await operations.note_decline(tx, operation.id, reason)

    async def _succeeded(self, tx: Tx, operation: Operation | None, payment: Payment, actor: str) -> None:
        if payment.payment_ref is None:
            raise ValueError("a payment that succeeded has a reference")
        if operation is None:
            await self._suspend(tx, None, payment, payment.payment_ref, Problem.UNKNOWN_PAYMENT, actor)
        elif operation.status in (OperationStatus.COMPLETED, OperationStatus.REVIEW):
            if operation.payment_ref != payment.payment_ref:
                await self._suspend(tx, operation, payment, payment.payment_ref, Problem.PAID_TWICE, actor)
            else:  # a later word may know the card that the first one left out
                await self.cards.paid(tx, operation, payment)
        elif operation.status is OperationStatus.CANCELLED and await reconciliation.has_item(
            tx, payment.provider, payment.payment_ref
        ):
            pass  # it came once, and an admin has decided
        elif payment.amount is None or payment.amount.currency != operation.amount.currency:
            await self._review(tx, operation, payment, payment.payment_ref, Problem.CURRENCY_DIFFERS, actor)
        elif payment.amount != operation.amount:
            await self._review(tx, operation, payment, payment.payment_ref, Problem.AMOUNT_DIFFERS, actor)
        else:
            await self.cards.paid(tx, operation, payment)
            await self._credit(tx, [Paid(operation, payment.payment_ref, payment.occurred_at, actor)])

    async def _credit(self, tx: Tx, paid: Sequence[Paid]) -> None:
        if not paid:
            return
        await ledger.deposits(tx, paid)
        balances = await operations.complete(tx, paid)
        notices: list[Notice] = []
        for one in paid:
            balance = balances[one.operation.id]
            notices.append(self.notice(one.operation, "deposit-credited", {"balance": balance}))
            notices.extend(self._closing(one.operation, "deposit-closed-paid"))
        await self.outbox.tell(tx, *notices)

    async def _review(
        self, tx: Tx, operation: Operation, payment: Payment, payment_ref: str, problem: Problem, actor: str
    ) -> None:
        """Money came, but not what was asked for: an admin decides."""
        await self._suspend(tx, operation, payment, payment_ref, problem, actor)
        await operations.review(tx, operation.id, payment_ref=payment_ref, actor=actor)
        await self.outbox.tell(
            tx,
            self.notice(operation, "deposit-in-review", {"received": payment.amount or "—"}),
            *self._closing(operation, "deposit-closed-review"),
        )

    async def _suspend(
        self,
        tx: Tx,
        operation: Operation | None,
        payment: Payment,
        payment_ref: str,
        problem: Problem,
        actor: str,
    ) -> None:
        """Keeps money that fits no operation: in suspense, as an item to settle, and before the admins' eyes."""
        if await reconciliation.has_item(tx, payment.provider, payment_ref):
            return
        journal_id = None
        if payment.amount is not None:
            journal_id = await ledger.suspense(
                tx, payment.provider, payment.amount, payment_ref=payment_ref, at=payment.occurred_at, actor=actor
            )
        number = await reconciliation.open_item(
            tx,
            provider=payment.provider,
            payment_ref=payment_ref,
            problem=problem,
            operation_id=operation.id if operation else None,
            journal_id=journal_id,
            received=payment.amount,
            expected=operation.amount if operation else None,
        )
        if number is None:
            return
        await self.outbox.tell_admins(
            tx,
            Right.MONEY,
            f"admin-odd-money:{payment.provider}:{payment_ref}",
            "admin-odd-money",
            provider=payment.provider,
            payment=payment_ref,
            amount=payment.amount or "—",
            problem=problem,
            id=number,
        )

    async def close(self, tx: Tx, operation: Operation, status: OperationStatus, reason: str, *, actor: str) -> None:
        """Ends an operation that was not paid. A failure is told; a page that ran out only says so where it stood."""
        await operations.close(tx, operation.id, status, reason=reason, actor=actor)
        if reason == Reason.PERMISSION_REVOKED:
            await self.cards.revoked(tx, operation)
        notices = self._closing(operation, "deposit-closed-failed", reason=reason)
        if status is OperationStatus.FAILED:
            text_id = "deposit-failed" if operation.payment_method_id is None else "deposit-card-failed"
            notices = [self.notice(operation, text_id, {"reason": reason}), *notices]
        await self.outbox.tell(tx, *notices)

    def _closing(self, operation: Operation, text_id: str, **arguments: Money | str) -> list[Notice]:
        """The message with the link says from now on how it ended."""
        if operation.message_id is None:
            return []
        return [self.notice(operation, text_id, arguments, edits=operation.message_id)]

    def notice(
        self,
        operation: Operation,
        text_id: str,
        arguments: Mapping[str, Money | str],
        *,
        edits: int | None = None,
        shows: int | None = None,
    ) -> Notice:
        """News of an operation for its player, once for each text."""
        shown: dict[str, Money | str | int] = {
            "id": operation.id,
            "provider": operation.provider,
            "amount": operation.amount,
            **arguments,
        }
        return Notice(
            f"{text_id}:{operation.id}",
            operation.chat_id,
            text_id,
            {name: argument(value) for name, value in shown.items()},
            edits=edits,
            shows=shows,
            priority=0,
        )


def _plainly_paid(operation: Operation, payment: Payment, actor: str) -> Paid | None:
    """Exactly what was asked for, nothing happened before, and no card is in it."""
    if (
        payment.payment_ref is None
        or payment.amount != operation.amount
        or payment.provider is not operation.provider
        or operation.status not in OPEN
        or operation.payment_method_id is not None
    ):
        return None
    return Paid(operation, payment.payment_ref, payment.occurred_at, actor)


def _waited_for(operation: Operation, payment: Payment) -> bool:
    """Whether the end of this payment, or a decline, is news of the operation. A charge of a kept card that the bank
    wanted confirmed is given up and leaves its own events behind, while the page made in its place waits to be paid."""
    if operation.payment_method_id is None:
        return True
    if operation.provider_ref is None:
        return payment.payment_ref is None  # refused before it was made: only the charge's own answer says that
    return operation.provider_ref in (payment.session_ref, payment.payment_ref)
