"""Deposits: from the wish to the link, and from a provider's word to the balance.

Whoever brings the word (a webhook, the poller, a player's "check payment"), it goes through `apply`, and the ledger
takes each payment once.
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import assert_never

from db import ledger as accounts
from db import operations, reconciliation
from db.database import Database, Tx
from db.models import Language, Operation, OperationStatus, Player, ProviderName
from db.money import AmountProblem, InvalidAmount, Money
from db.outbox import Notice
from services import ledger
from services.errors import (
    AmountTooLarge,
    AmountTooPrecise,
    AmountTooSmall,
    DepositNotFound,
    NotAnAmount,
    ProviderError,
    ProviderRefused,
    ProviderRejected,
    ProviderUnavailable,
    ProviderUnknown,
    RulesNotAccepted,
)
from services.outbox import Outbox, argument
from services.providers import Checkout, Order, Payment, PaymentProvider, PaymentState, Reason

logger = logging.getLogger(__name__)

# A provider's page stays open for an hour: Stripe wants 30 minutes to 24 hours from the call, YooKassa gives one.
LIFETIME = timedelta(minutes=60)
# A link may be asked for again with the same key until Stripe would refuse the hour as too short (30 minutes left).
CREATE_WINDOW = timedelta(minutes=25)
FIRST_CHECK = timedelta(seconds=60)
AFTER_UNKNOWN = timedelta(seconds=5)
# A player in a chat is not kept waiting longer; the poller goes on with the same key.
PATIENCE = 10.0
CHECK_PAUSE = timedelta(seconds=3)
POLL_BATCH = 20

_DESCRIPTION = {Language.RU: "Пополнение №{}", Language.EN: "Deposit #{}"}

OPEN = (OperationStatus.CREATED, OperationStatus.PENDING, OperationStatus.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Offer:
    """What a player may choose: one provider in one currency."""

    provider: ProviderName
    label: str
    currency: str
    presets: tuple[Money, ...]
    minimum: Money
    maximum: Money


@dataclass(frozen=True, slots=True)
class _Range:
    minimum: int
    maximum: int
    presets: tuple[int, ...]


# Minor units per currency.
_RANGES: Mapping[str, _Range] = {
    "USD": _Range(1_00, 100_000_00, (10_00, 25_00, 50_00, 100_00)),
    "EUR": _Range(1_00, 100_000_00, (10_00, 25_00, 50_00, 100_00)),
    "RUB": _Range(10_00, 350_000_00, (500_00, 1_000_00, 2_500_00, 5_000_00)),
}


class Problem(StrEnum):
    """Why a payment cannot simply be credited; the words of recon_item.problem."""

    UNKNOWN_PAYMENT = "unknown_payment"
    AMOUNT_DIFFERS = "amount_differs"
    CURRENCY_DIFFERS = "currency_differs"
    PAID_TWICE = "paid_twice"


@dataclass(frozen=True, slots=True)
class Deposits:
    database: Database
    outbox: Outbox
    providers: Mapping[ProviderName, PaymentProvider]

    def offers(self) -> list[Offer]:
        return [
            self.offer(name, currency) for name, provider in self.providers.items() for currency in provider.currencies
        ]

    def offer(self, name: ProviderName, currency: str) -> Offer:
        """Raises ProviderUnavailable when the provider is not set up or does not take the currency."""
        provider = self.providers.get(name)
        if provider is None or currency not in provider.currencies:
            raise ProviderUnavailable(provider.label if provider else name)
        amounts = _RANGES[currency]
        return Offer(
            provider=name,
            label=provider.label,
            currency=currency,
            presets=tuple(Money(minor, currency) for minor in amounts.presets),
            minimum=Money(amounts.minimum, currency),
            maximum=Money(amounts.maximum, currency),
        )

    def parse(self, name: ProviderName, currency: str, text: str) -> Money:
        """Reads an amount as typed. Raises NotAnAmount, AmountTooPrecise, AmountTooSmall, AmountTooLarge."""
        offer = self.offer(name, currency)
        try:
            amount = Money.parse(text, currency)
        except InvalidAmount as error:
            match error.problem:
                case AmountProblem.NOT_A_NUMBER:
                    raise NotAnAmount(offer.presets[-1]) from error
                case AmountProblem.TOO_PRECISE:
                    raise AmountTooPrecise(offer.presets[-1]) from error
                case AmountProblem.NOT_POSITIVE:
                    raise AmountTooSmall(offer.minimum) from error
                case AmountProblem.TOO_LARGE:
                    raise AmountTooLarge(offer.maximum) from error
                case _:
                    assert_never(error.problem)
        self._check_amount(offer, amount)
        return amount

    @staticmethod
    def _check_amount(offer: Offer, amount: Money) -> None:
        if amount < offer.minimum:
            raise AmountTooSmall(offer.minimum)
        if amount > offer.maximum:
            raise AmountTooLarge(offer.maximum)

    async def start(
        self, player: Player, name: ProviderName, amount: Money, *, request_key: str, return_url: str
    ) -> Operation:
        """Makes a deposit and its payment link, once per `request_key` (a double tap gets the same one).

        `return_url` is where the provider sends the player back; the operation's id is appended to it.
        Status `pending` comes with `pay_url`; `unknown` means that the provider has not answered yet and the link will
        follow through the outbox. Raises RulesNotAccepted, AmountTooSmall, AmountTooLarge, ProviderUnavailable,
        ProviderRefused.
        """
        if player.accepted_at is None:
            raise RulesNotAccepted
        self._check_amount(self.offer(name, amount.currency), amount)
        provider = self.providers[name]
        async with self.database.transaction() as tx:
            await accounts.open_wallet(tx, player.id, amount.currency)
            operation = await operations.create_deposit(
                tx,
                player_id=player.id,
                language=player.language,
                provider=name,
                amount=amount,
                request_key=request_key,
                return_url=return_url,
                lifetime=LIFETIME,
                first_check=FIRST_CHECK,
            )
        if operation.status is not OperationStatus.CREATED:
            if operation.status is OperationStatus.FAILED:
                raise ProviderRefused(provider.label)
            return operation
        try:
            async with asyncio.timeout(PATIENCE):
                checkout = await provider.create(_order(operation))
        except (ProviderUnknown, TimeoutError) as error:
            logger.warning("provider has not answered", extra={"operation": operation.id, "reason": str(error)})
            async with self.database.connection() as tx:
                return await operations.outcome_unknown(tx, operation.id, next_check=AFTER_UNKNOWN)
        except ProviderRejected as error:
            logger.error("provider refused", extra={"operation": operation.id, "reason": error.reason})
            async with self.database.transaction() as tx:
                await self._close(tx, operation, None, OperationStatus.FAILED, Reason.OTHER, actor="player")
            raise ProviderRefused(provider.label) from error
        return await self._opened(operation, checkout)

    async def _opened(self, operation: Operation, checkout: Checkout) -> Operation:
        async with self.database.connection() as tx:
            return await operations.opened(tx, operation.id, ref=checkout.ref, url=checkout.url, next_check=FIRST_CHECK)

    async def shown(self, player: Player, operation_id: int, message_id: int) -> Operation:
        """Remembers the chat message that shows the link, so that it can say later how the payment ended."""
        async with self.database.transaction() as tx:
            await self._own(tx, player, operation_id)
            return await operations.show_in(tx, operation_id, message_id)

    async def check(self, player: Player, operation_id: int) -> Operation:
        """Asks the provider now (at most every three seconds) and applies what it says. Raises DepositNotFound."""
        async with self.database.transaction() as tx:
            operation = await self._own(tx, player, operation_id)
            if (
                operation.status not in OPEN
                or operation.provider_ref is None
                or operation.provider not in self.providers
                or not await operations.claim_check(tx, operation.id, pause=CHECK_PAUSE)
            ):
                return operation
        try:
            async with asyncio.timeout(PATIENCE):
                payment = await self.providers[operation.provider].fetch(operation.provider_ref)
        except (ProviderError, TimeoutError) as error:
            logger.warning("provider could not be asked", extra={"operation": operation.id, "reason": str(error)})
            return operation
        if payment is not None:
            await self._apply_now(payment, actor="check")
        async with self.database.connection() as tx:
            return await self._own(tx, player, operation_id)

    @staticmethod
    async def _own(tx: Tx, player: Player, operation_id: int) -> Operation:
        operation = await operations.get(tx, operation_id)
        if operation is None or operation.player_id != player.id:
            raise DepositNotFound
        return operation

    async def poll(self) -> None:
        """Asks the providers about deposits open for a while; finds what a lost webhook would have said."""
        async with self.database.connection() as tx:
            due = await operations.claim_due(tx, POLL_BATCH)
        await asyncio.gather(*(self._poll_one(operation, chat_id) for operation, chat_id in due))

    async def _poll_one(self, operation: Operation, chat_id: int) -> None:
        provider = self.providers.get(operation.provider)
        if provider is None:
            return
        age = datetime.now(UTC) - operation.created_at
        try:
            if operation.provider_ref is not None:
                payment = await provider.fetch(operation.provider_ref)
                if payment is not None:
                    await self._apply_now(payment, actor="poller")
                elif age > LIFETIME:
                    await self._give_up(operation, chat_id, OperationStatus.EXPIRED, Reason.NOT_PAID_IN_TIME)
            elif age > CREATE_WINDOW:
                # The link was never shown, so nobody can have paid.
                await self._give_up(operation, chat_id, OperationStatus.FAILED, Reason.PROVIDER_UNAVAILABLE)
            else:
                await self._finish_opening(provider, operation, chat_id)
        except ProviderError as error:
            logger.warning("provider could not be asked", extra={"operation": operation.id, "reason": error.reason})

    async def _finish_opening(self, provider: PaymentProvider, operation: Operation, chat_id: int) -> None:
        """The link that a timeout or a crash withheld: asked for again with the same key, then sent."""
        try:
            checkout = await provider.create(_order(operation))
        except ProviderRejected:
            await self._give_up(operation, chat_id, OperationStatus.FAILED, Reason.OTHER)
            return
        async with self.database.transaction() as tx:
            operation = await operations.opened(
                tx, operation.id, ref=checkout.ref, url=checkout.url, next_check=FIRST_CHECK
            )
            if operation.status is OperationStatus.PENDING:
                await self.outbox.tell(
                    tx, self._notice(operation, chat_id, "deposit-link-ready", url=operation.pay_url or "")
                )
        self.outbox.wake()

    async def _give_up(self, operation: Operation, chat_id: int, status: OperationStatus, reason: str) -> None:
        async with self.database.transaction() as tx:
            found = await operations.lock(tx, operation.provider, public_id=operation.public_id, refs=())
            if found is not None and found[0].status in OPEN:
                await self._close(tx, found[0], chat_id, status, reason, actor="poller")
        self.outbox.wake()

    async def _apply_now(self, payment: Payment, *, actor: str) -> None:
        async with self.database.transaction() as tx:
            await self.apply(tx, payment, actor=actor)
        self.outbox.wake()

    async def apply(self, tx: Tx, payment: Payment, *, actor: str) -> None:
        """Books what a provider says about a payment. Repeating it, in any order and at the same time, changes nothing.

        `payment` must be proven: a signed event, or the provider's own answer.
        """
        if not payment.ours:
            logger.warning("payment of another shop or mode", extra={"payment": payment.payment_ref})
            return
        refs = [ref for ref in (payment.session_ref, payment.payment_ref) if ref is not None]
        found = await operations.lock(tx, payment.provider, public_id=payment.order_id, refs=refs)
        match payment.state:
            case PaymentState.SUCCEEDED:
                await self._credit(tx, found, payment, actor)
            case PaymentState.CANCELLED | PaymentState.EXPIRED | PaymentState.FAILED | PaymentState.PENDING:
                if found is not None and found[0].status in OPEN:
                    await self._not_paid(tx, *found, payment, actor)
            case _:
                assert_never(payment.state)

    async def _credit(self, tx: Tx, found: tuple[Operation, int] | None, payment: Payment, actor: str) -> None:
        payment_ref = payment.payment_ref
        if payment_ref is None:
            raise ValueError("a payment that succeeded has a reference")
        if found is None:
            await self._suspend(tx, None, payment_ref, payment, Problem.UNKNOWN_PAYMENT, actor)
            return
        operation, chat_id = found
        if operation.status in (OperationStatus.COMPLETED, OperationStatus.REVIEW):
            if operation.payment_ref != payment_ref:
                await self._suspend(tx, operation, payment_ref, payment, Problem.PAID_TWICE, actor)
            return
        if payment.amount is None or payment.amount.currency != operation.amount.currency:
            problem = Problem.CURRENCY_DIFFERS
        elif payment.amount != operation.amount:
            problem = Problem.AMOUNT_DIFFERS
        else:
            await ledger.deposit(
                tx, operation, payment.amount, payment_ref=payment_ref, at=payment.occurred_at, actor=actor
            )
            balance = await operations.complete(
                tx,
                operation.id,
                payment_ref=payment_ref,
                received=payment.amount,
                completed_at=payment.occurred_at,
                actor=actor,
            )
            news = self._notice(operation, chat_id, "deposit-credited", balance=balance)
            await self.outbox.tell(tx, news, *self._closing(operation, chat_id, "deposit-closed-paid"))
            return
        await self._suspend(tx, operation, payment_ref, payment, problem, actor)
        await operations.review(tx, operation.id, payment_ref=payment_ref, actor=actor)
        received = payment.amount if payment.amount is not None else "—"
        await self.outbox.tell(
            tx,
            self._notice(operation, chat_id, "deposit-in-review", received=received),
            *self._closing(operation, chat_id, "deposit-closed-review"),
        )

    async def _suspend(
        self,
        tx: Tx,
        operation: Operation | None,
        payment_ref: str,
        payment: Payment,
        problem: Problem,
        actor: str,
    ) -> None:
        """Keeps money that fits no operation: in suspense, as an item to settle, and before the admins' eyes."""
        if await reconciliation.has_item(tx, payment.provider, payment_ref):
            return
        journal_id = None
        if payment.amount is not None:
            journal_id = await ledger.suspense(
                tx,
                payment.provider,
                payment.amount,
                payment_ref=payment_ref,
                at=payment.occurred_at,
                actor=actor,
            )
        await reconciliation.open_item(
            tx,
            provider=payment.provider,
            payment_ref=payment_ref,
            problem=problem,
            operation_id=operation.id if operation else None,
            journal_id=journal_id,
            received=payment.amount,
            expected=operation.amount if operation else None,
        )
        await self.outbox.tell_admins(
            tx,
            f"admin-odd-money:{payment.provider}:{payment_ref}",
            "admin-odd-money",
            provider=self.providers[payment.provider].label,
            payment=payment_ref,
            amount=payment.amount if payment.amount is not None else "—",
            problem=problem,
        )

    async def _not_paid(self, tx: Tx, operation: Operation, chat_id: int, payment: Payment, actor: str) -> None:
        match payment.state:
            case PaymentState.EXPIRED:
                reason = operation.reason or payment.reason or Reason.NOT_PAID_IN_TIME
                await self._close(tx, operation, chat_id, OperationStatus.EXPIRED, reason, actor=actor)
            case PaymentState.CANCELLED:
                reason = payment.reason or operation.reason or Reason.OTHER
                await self._close(tx, operation, chat_id, OperationStatus.FAILED, reason, actor=actor)
            case PaymentState.FAILED:
                # The page is still open and the next card may do.
                await operations.note_decline(tx, operation.id, payment.reason or Reason.OTHER)
            case _:
                pass

    async def _close(
        self,
        tx: Tx,
        operation: Operation,
        chat_id: int | None,
        status: OperationStatus,
        reason: str,
        *,
        actor: str,
    ) -> None:
        await operations.close(tx, operation.id, status, reason=reason, actor=actor)
        if chat_id is None:
            return
        notices = self._closing(operation, chat_id, "deposit-closed-failed", reason=reason)
        if status is OperationStatus.FAILED:
            notices = [self._notice(operation, chat_id, "deposit-failed", reason=reason), *notices]
        await self.outbox.tell(tx, *notices)

    def _closing(self, operation: Operation, chat_id: int, text_id: str, **arguments: Money | str) -> list[Notice]:
        """The message with the link says from now on how it ended."""
        if operation.message_id is None:
            return []
        return [self._notice(operation, chat_id, text_id, edits=operation.message_id, **arguments)]

    def _notice(
        self,
        operation: Operation,
        chat_id: int,
        text_id: str,
        *,
        edits: int | None = None,
        **arguments: Money | str,
    ) -> Notice:
        shown: dict[str, Money | str | int] = {
            "id": operation.id,
            "provider": self.providers[operation.provider].label,
            "amount": operation.amount,
            **arguments,
        }
        return Notice(
            f"{text_id}:{operation.id}",
            chat_id,
            text_id,
            {name: argument(value) for name, value in shown.items()},
            edits=edits,
            priority=0,
        )


def _order(operation: Operation) -> Order:
    """Everything the provider is told comes from our row, so that a repeated call is the same call."""
    return Order(
        id=operation.public_id,
        amount=operation.amount,
        description=_DESCRIPTION[operation.language].format(operation.id),
        language=operation.language,
        return_url=f"{operation.return_url}{operation.id}",
        expires_at=operation.expires_at,
        player_id=operation.player_id,
    )
