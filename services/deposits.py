"""Deposits: from a player's wish to a payment link, and asking a provider how it went."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import assert_never

from db import ledger as accounts
from db import operations
from db.database import Database, Tx
from db.models import OPEN, Language, Operation, OperationStatus, Player, ProviderName
from db.money import AmountProblem, InvalidAmount, Money
from services.cards import Cards
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
    TooManyOpenDeposits,
)
from services.outbox import Outbox
from services.payments import Payments
from services.providers import Checkout, Order, Payment, PaymentProvider, Reason

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
OPEN_LIMIT = 10

_DESCRIPTION = {Language.RU: "Пополнение №{}", Language.EN: "Deposit #{}"}


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


@dataclass(frozen=True, slots=True)
class Deposits:
    database: Database
    outbox: Outbox
    payments: Payments
    cards: Cards
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
        follow through the outbox. Raises RulesNotAccepted, AmountTooSmall, AmountTooLarge, TooManyOpenDeposits,
        ProviderUnavailable, ProviderRefused.
        """
        if player.accepted_at is None:
            raise RulesNotAccepted
        self._check_amount(self.offer(name, amount.currency), amount)
        provider = self.providers[name]
        async with self.database.transaction() as tx:
            if await operations.count_open(tx, player.id) >= OPEN_LIMIT:
                raise TooManyOpenDeposits(OPEN_LIMIT)
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
                await operations.close(tx, operation.id, OperationStatus.FAILED, reason=Reason.OTHER, actor="player")
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
            await self._apply(payment, actor="check")
        async with self.database.connection() as tx:
            return await self._own(tx, player, operation_id)

    @staticmethod
    async def _own(tx: Tx, player: Player, operation_id: int) -> Operation:
        operation = await operations.get(tx, operation_id)
        if operation is None or operation.player_id != player.id:
            raise DepositNotFound
        return operation

    async def poll(self, name: ProviderName) -> None:
        """Asks a provider about deposits open for a while; finds what a lost webhook would have said."""
        while True:
            async with self.database.connection() as tx:
                due = await operations.claim_due(tx, name, POLL_BATCH)
            await asyncio.gather(*(self._poll_one(self.providers[name], operation) for operation in due))
            if len(due) < POLL_BATCH:
                return

    async def _poll_one(self, provider: PaymentProvider, operation: Operation) -> None:
        age = datetime.now(UTC) - operation.created_at
        try:
            if operation.provider_ref is not None:
                payment = await provider.fetch(operation.provider_ref)
                if payment is not None:
                    await self._apply(payment, actor="poller")
                elif age > LIFETIME:
                    await self._give_up(operation, OperationStatus.EXPIRED, Reason.NOT_PAID_IN_TIME)
            elif age > CREATE_WINDOW:
                # The link was never shown, so nobody can have paid.
                await self._give_up(operation, OperationStatus.FAILED, Reason.PROVIDER_UNAVAILABLE)
            else:
                await self._finish_opening(provider, operation)
        except ProviderError as error:
            logger.warning("provider could not be asked", extra={"operation": operation.id, "reason": error.reason})

    async def _finish_opening(self, provider: PaymentProvider, operation: Operation) -> None:
        """The link that a timeout or a crash withheld: asked for again with the same key, then sent."""
        try:
            checkout = await provider.create(_order(operation))
        except ProviderRejected:
            await self._give_up(operation, OperationStatus.FAILED, Reason.OTHER)
            return
        async with self.database.transaction() as tx:
            operation = await operations.opened(
                tx, operation.id, ref=checkout.ref, url=checkout.url, next_check=FIRST_CHECK
            )
            if operation.status is OperationStatus.PENDING:
                link = self.payments.notice(
                    operation, "deposit-link-ready", {"url": operation.pay_url or ""}, shows=operation.id
                )
                await self.outbox.tell(tx, link)
        self.outbox.wake()

    async def _give_up(self, operation: Operation, status: OperationStatus, reason: str) -> None:
        async with self.database.transaction() as tx:
            current = await operations.lock(tx, operation.provider, public_id=operation.public_id, refs=())
            if current is not None and current.status in OPEN:
                await self.payments.close(tx, current, status, reason, actor="poller")
        self.outbox.wake()

    async def _apply(self, payment: Payment, *, actor: str) -> None:
        async with self.database.transaction() as tx:
            await self.payments.apply(tx, payment, actor=actor)
        self.outbox.wake()


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
