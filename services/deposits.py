"""Deposits: from a player's wish to a payment link, and asking a provider how it went."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from db import ledger as accounts
from db import operations
from db.database import Database, Tx
from db.models import OPEN, Language, Operation, OperationStatus, Player, ProviderName
from db.money import Money
from services import words
from services.cards import Cards
from services.errors import (
    AmountTooLarge,
    AmountTooSmall,
    CardNotFound,
    DepositNotFound,
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
# A charge of a kept card may have taken money: it is repeated as long as providers remember a key, which is 24 hours.
CHARGE_WINDOW = timedelta(hours=23)
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
        amount = words.amount(text, example=offer.presets[-1], minimum=offer.minimum, maximum=offer.maximum)
        self._check_amount(offer, amount)
        return amount

    @staticmethod
    def _check_amount(offer: Offer, amount: Money) -> None:
        if amount < offer.minimum:
            raise AmountTooSmall(offer.minimum)
        if amount > offer.maximum:
            raise AmountTooLarge(offer.maximum)

    async def start(
        self,
        player: Player,
        name: ProviderName,
        amount: Money,
        *,
        request_key: str,
        return_url: str,
        keep_card: bool = False,
        payment_method_id: int | None = None,
    ) -> Operation:
        """Makes a deposit and its payment link, or charges a kept card; once per `request_key`, so that a double tap
        gets the same one.

        `return_url` is where the provider sends the player back; the operation's id is appended to it. `keep_card`: the
        card that pays is kept for later. `payment_method_id`: one of the player's kept cards, charged without a page.

        Status `pending` comes with `pay_url`, where the player pays, or where the bank wants a kept card confirmed;
        without one a charge is on its way. `unknown` means that the provider has not answered yet: what follows comes
        through the outbox. A charge also ends as `completed`, or as `failed` with its reason. Raises RulesNotAccepted,
        AmountTooSmall, AmountTooLarge, TooManyOpenDeposits, CardNotFound, CardExpired, ProviderUnavailable,
        ProviderRefused.
        """
        if player.accepted_at is None:
            raise RulesNotAccepted
        self._check_amount(self.offer(name, amount.currency), amount)
        async with self.database.transaction() as tx:
            # Counted first: what is found open of a twin of this wish is found as this wish then.
            opened = await operations.count_open(tx, player.id)
            operation = await operations.of_wish(tx, player.id, request_key)
            if operation is None:
                if payment_method_id is not None:
                    await self._check_card(tx, player, name, payment_method_id)
                if opened >= OPEN_LIMIT:
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
                    save_method=keep_card and payment_method_id is None,
                    payment_method_id=payment_method_id,
                )
        if operation.status is OperationStatus.CREATED:
            operation = await self._first_try(operation)
        if operation.status is OperationStatus.FAILED and operation.payment_method_id is None:
            raise ProviderRefused(self.providers[operation.provider].label)
        return operation

    async def _check_card(self, tx: Tx, player: Player, name: ProviderName, method_id: int) -> None:
        card = await self.cards.check(tx, player.id, method_id)
        if card.provider is not name:
            raise CardNotFound

    async def _first_try(self, operation: Operation) -> Operation:
        try:
            async with asyncio.timeout(PATIENCE):
                answer = await self._ask(operation)
        except (ProviderUnknown, TimeoutError) as error:
            logger.warning("provider has not answered", extra={"operation": operation.id, "reason": str(error)})
            async with self.database.connection() as tx:
                return await operations.outcome_unknown(tx, operation.id, next_check=AFTER_UNKNOWN)
        except ProviderRejected as error:
            logger.error("provider refused", extra={"operation": operation.id, "reason": error.reason})
            return await self._refused(operation)
        async with self.database.transaction() as tx:
            operation = await self._answered(tx, operation, answer, actor="player")
        self.outbox.wake()
        return operation

    async def _refused(self, operation: Operation) -> Operation:
        """Who waits for a link is told by the refusal itself; a charge ends as every charge does, with a message."""
        if operation.payment_method_id is not None:
            await self._give_up(operation, OperationStatus.FAILED, Reason.OTHER, actor="player")
        else:
            async with self.database.connection() as tx:
                await operations.close(tx, operation.id, OperationStatus.FAILED, reason=Reason.OTHER, actor="player")
        async with self.database.connection() as tx:
            return await operations.get(tx, operation.id) or operation

    async def _ask(self, operation: Operation) -> Checkout | Payment:
        """What the provider makes of an operation: how the charge of its kept card goes, or the page to pay on.

        Repeated, it is the same call with the same key. Raises ProviderRejected, ProviderUnknown.
        """
        provider = self.providers[operation.provider]
        by_card = operation.payment_method_id is not None
        customer = None
        if by_card or operation.save_method:
            customer = await self.cards.customer_ref(operation.provider, operation.player_id)
        order = _order(operation, customer)
        if by_card:
            payment = await provider.charge(order, await self.cards.card_ref(operation))
            if payment is not None:
                return payment
            if datetime.now(UTC) - operation.created_at > CREATE_WINDOW:
                raise ProviderRejected("too late for a page")
        return await provider.create(order)

    async def _answered(self, tx: Tx, operation: Operation, answer: Checkout | Payment, *, actor: str) -> Operation:
        """Keeps what the provider calls it, and books what a charge has come to."""
        if isinstance(answer, Checkout):
            return await operations.opened(tx, operation.id, ref=answer.ref, url=answer.url, next_check=FIRST_CHECK)
        if answer.payment_ref is not None:
            await operations.opened(tx, operation.id, ref=answer.payment_ref, url=None, next_check=FIRST_CHECK)
        await self.payments.apply(tx, replace(answer, order_id=operation.public_id), actor=actor)
        return await operations.get(tx, operation.id) or operation

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
                    await self._give_up(operation, OperationStatus.EXPIRED, Reason.NOT_PAID_IN_TIME, actor="poller")
            elif age > (CREATE_WINDOW if operation.payment_method_id is None else CHARGE_WINDOW):
                # A link was never shown, so nobody can have paid; a charge has its webhook and the provider's lists.
                await self._give_up(operation, OperationStatus.FAILED, Reason.PROVIDER_UNAVAILABLE, actor="poller")
            else:
                await self._finish_opening(operation)
        except ProviderError as error:
            logger.warning("provider could not be asked", extra={"operation": operation.id, "reason": error.reason})

    async def _finish_opening(self, operation: Operation) -> None:
        """What a timeout or a crash withheld: asked for again with the same key. A link is sent."""
        try:
            answer = await self._ask(operation)
        except ProviderRejected:
            await self._give_up(operation, OperationStatus.FAILED, Reason.OTHER, actor="poller")
            return
        async with self.database.transaction() as tx:
            operation = await self._answered(tx, operation, answer, actor="poller")
            if isinstance(answer, Checkout) and operation.status is OperationStatus.PENDING:
                text_id = "deposit-link-ready" if operation.payment_method_id is None else "deposit-bank-asks"
                link = self.payments.notice(operation, text_id, {"url": operation.pay_url or ""}, shows=operation.id)
                await self.outbox.tell(tx, link)
        self.outbox.wake()

    async def _give_up(self, operation: Operation, status: OperationStatus, reason: str, *, actor: str) -> None:
        async with self.database.transaction() as tx:
            current = await operations.lock(tx, operation.provider, public_id=operation.public_id, refs=())
            if current is not None and current.status in OPEN:
                await self.payments.close(tx, current, status, reason, actor=actor)
        self.outbox.wake()

    async def _apply(self, payment: Payment, *, actor: str) -> None:
        async with self.database.transaction() as tx:
            await self.payments.apply(tx, payment, actor=actor)
        self.outbox.wake()


def _order(operation: Operation, customer: str | None) -> Order:
    """Everything the provider is told comes from our row, so that a repeated call is the same call."""
    return Order(
        id=operation.public_id,
        amount=operation.amount,
        description=_DESCRIPTION[operation.language].format(operation.id),
        language=operation.language,
        return_url=f"{operation.return_url}{operation.id}",
        expires_at=operation.expires_at,
        player_id=operation.player_id,
        keep_card=operation.save_method,
        customer_ref=customer,
    )
