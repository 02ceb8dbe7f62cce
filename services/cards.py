"""Cards: what a player pays with again, kept at the provider."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from db import audit, payment_methods, players
from db.database import Database, Tx
from db.models import Operation, PaymentMethod, Player, ProviderName
from services.errors import CardExpired, CardNotFound, ProviderError
from services.providers import Card, CardChange, Payment, PaymentProvider

logger = logging.getLogger(__name__)

# More cards than anybody has; a screen shows no more.
SHOWN = 20
FORGET_BATCH = 20
# When a provider that could not be told of a removed card is told again.
FORGET_PAUSE = timedelta(minutes=10)
# A player in a chat is not kept waiting longer; the timetable goes on.
PATIENCE = 10.0

_TYPES = ("card", "wallet", "bank_account")


def expired(card: PaymentMethod, now: datetime) -> bool:
    """A card is good to the end of the month that stands on it."""
    if card.exp_year is None or card.exp_month is None:
        return False
    return (now.year, now.month) > (card.exp_year, card.exp_month)


@dataclass(frozen=True, slots=True)
class Cards:
    database: Database
    providers: Mapping[ProviderName, PaymentProvider]

    async def list(self, player: Player) -> Sequence[PaymentMethod]:
        """What the player can pay with, the default first; expired cards are among them."""
        async with self.database.connection() as tx:
            return await payment_methods.active(tx, player.id, SHOWN)

    async def usable_at(self, player: Player, name: ProviderName) -> Sequence[PaymentMethod]:
        """The player's cards that can pay through this provider now, the default first."""
        now = datetime.now(UTC)
        return [card for card in await self.list(player) if card.provider is name and not expired(card, now)]

    async def get(self, player: Player, method_id: int) -> PaymentMethod:
        """One of the player's cards. Raises CardNotFound."""
        async with self.database.connection() as tx:
            return await self._own(tx, player.id, method_id)

    async def usable(self, player: Player, method_id: int) -> PaymentMethod:
        """One of the player's cards, to pay with. Raises CardNotFound, CardExpired."""
        async with self.database.connection() as tx:
            return await self.check(tx, player.id, method_id)

    async def check(self, tx: Tx, player_id: int, method_id: int) -> PaymentMethod:
        """The same in a transaction of the caller's."""
        card = await self._own(tx, player_id, method_id)
        if expired(card, datetime.now(UTC)):
            raise CardExpired
        return card

    @staticmethod
    async def _own(tx: Tx, player_id: int, method_id: int) -> PaymentMethod:
        card = await payment_methods.get(tx, method_id, player_id=player_id)
        if card is None:
            raise CardNotFound
        return card

    async def make_default(self, player: Player, method_id: int) -> PaymentMethod:
        """The card is offered first from now on. Raises CardNotFound."""
        async with self.database.transaction() as tx:
            await players.lock(tx, player.id)
            await self._own(tx, player.id, method_id)
            await payment_methods.make_default(tx, player.id, method_id)
            return await self._own(tx, player.id, method_id)

    async def remove(self, player: Player, method_id: int) -> None:
        """Gives a card up: here at once, at its provider now or as soon as that can be reached. Raises CardNotFound."""
        async with self.database.transaction() as tx:
            await players.lock(tx, player.id)
            card = await payment_methods.get(tx, method_id, player_id=player.id, removed=True)
            if card is None:
                raise CardNotFound
            if not await self._drop(tx, card, actor="player", forget=True):
                return  # pressed twice
        try:
            async with asyncio.timeout(PATIENCE):
                await self._forget(card)
        except TimeoutError:
            logger.warning("a removed card is not yet given up at its provider", extra={"method": card.id})

    async def forget_due(self) -> None:
        """Tells providers of removed cards of which they could not be told before."""
        while True:
            async with self.database.connection() as tx:
                due = await payment_methods.claim_forgotten(tx, list(self.providers), FORGET_BATCH, pause=FORGET_PAUSE)
            await asyncio.gather(*(self._forget(card) for card in due))
            if len(due) < FORGET_BATCH:
                return

    async def _forget(self, card: PaymentMethod) -> None:
        provider = self.providers.get(card.provider)
        if provider is None:
            return
        try:
            await provider.forget(card.provider_ref)
        except ProviderError as error:
            logger.warning(
                "a removed card is not yet given up at its provider", extra={"method": card.id, "reason": error.reason}
            )
            return
        async with self.database.connection() as tx:
            await payment_methods.forgotten(tx, card.id)

    async def customer_ref(self, name: ProviderName, player_id: int) -> str | None:
        """The provider's record of a player, to which kept cards belong; made once, where there is such a thing.

        Raises ProviderRejected, ProviderUnknown.
        """
        if name is not ProviderName.STRIPE:
            return await self.providers[name].customer(player_id)
        async with self.database.connection() as tx:
            known = await payment_methods.customer(tx, player_id)
        if known is not None:
            return known
        made = await self.providers[name].customer(player_id)
        if made is None:
            return None
        async with self.database.transaction() as tx:
            return await payment_methods.keep_customer(tx, player_id, made)

    async def card_ref(self, operation: Operation) -> str:
        """What the kept card of an operation is at its provider, given up or not: a repeated call is the same call."""
        if operation.payment_method_id is None:
            raise ValueError("the operation is not by a kept card")
        async with self.database.connection() as tx:
            card = await payment_methods.get(
                tx, operation.payment_method_id, player_id=operation.player_id, removed=True
            )
        if card is None:
            raise LookupError("a card of an operation is never deleted")
        return card.provider_ref

    async def paid(self, tx: Tx, operation: Operation, payment: Payment) -> None:
        """A deposit was paid: its kept card was used, or the card that it was to keep is kept.

        To be called before money moves: the player's row is locked before the wallet.
        """
        if operation.payment_method_id is not None:
            await payment_methods.used(tx, operation.payment_method_id, payment.occurred_at)
        elif operation.save_method and payment.card is not None:
            await self.kept(tx, operation, payment.card)

    async def kept(self, tx: Tx, operation: Operation, card: Card) -> None:
        """The provider has kept the card with which a deposit was paid, as the player wished."""
        await players.lock(tx, operation.player_id)
        await self._keep(tx, operation.player_id, operation.provider, card)

    async def apply(self, tx: Tx, change: CardChange) -> None:
        """A card was kept, changed or withdrawn at the provider. Repeating it, in any order, changes nothing.

        What cannot be a player's is left alone: a card of a customer we do not know.
        """
        if change.kept:
            player_id = await self._whose(tx, change)
            if player_id is not None:
                await self._keep(tx, player_id, change.provider, change.card)
            return
        known = await payment_methods.find(tx, change.provider, change.card.ref)
        if known is not None:
            await players.lock(tx, known.player_id)
            await self._drop(tx, known, actor=f"webhook:{change.provider}", forget=False)
            await payment_methods.forgotten(tx, known.id)
            return
        player_id = await self._whose(tx, change)
        if player_id is not None and change.card.payment_type in _TYPES:
            await payment_methods.never_keep(
                tx,
                player_id=player_id,
                provider=change.provider,
                provider_ref=change.card.ref,
                payment_type=change.card.payment_type,
            )

    @staticmethod
    async def _whose(tx: Tx, change: CardChange) -> int | None:
        """The player behind the provider's customer, locked."""
        return None if change.customer_ref is None else await payment_methods.player_of(tx, change.customer_ref)

    async def revoked(self, tx: Tx, operation: Operation) -> None:
        """The bank or the provider says that the kept card of an operation pays nothing any more."""
        if operation.payment_method_id is None:
            return
        await players.lock(tx, operation.player_id)
        card = await payment_methods.get(tx, operation.payment_method_id, player_id=operation.player_id, removed=True)
        if card is not None:
            await self._drop(tx, card, actor=f"provider:{operation.provider}", forget=True)

    async def _keep(self, tx: Tx, player_id: int, provider: ProviderName, card: Card) -> None:
        """With the player's row locked."""
        if card.payment_type not in _TYPES:
            return
        method_id = await payment_methods.keep(
            tx,
            player_id=player_id,
            provider=provider,
            provider_ref=card.ref,
            payment_type=card.payment_type,
            brand=card.brand[:30] if card.brand else None,
            last4=card.last4 if card.last4 and _four_digits(card.last4) else None,
            exp_month=card.exp_month if card.exp_month in range(1, 13) else None,
            exp_year=card.exp_year if card.exp_year in range(2000, 2201) else None,
        )
        if method_id is None:
            return
        await audit.write(
            tx,
            actor=f"provider:{provider}",
            action="card",
            status="kept",
            user_id=player_id,
            entity=("payment_method", method_id),
        )
        older = await payment_methods.older_twin(tx, method_id)
        if older is not None:
            await payment_methods.deactivate(tx, player_id, older.id, forget=True)
            if older.is_default:
                await payment_methods.make_default(tx, player_id, method_id)
        await payment_methods.see_to_default(tx, player_id)

    @staticmethod
    async def _drop(tx: Tx, card: PaymentMethod, *, actor: str, forget: bool) -> bool:
        """With the player's row locked. False: it was given up before."""
        if not await payment_methods.deactivate(tx, card.player_id, card.id, forget=forget):
            return False
        await payment_methods.see_to_default(tx, card.player_id)
        await audit.write(
            tx,
            actor=actor,
            action="card",
            status="removed",
            user_id=card.player_id,
            entity=("payment_method", card.id),
        )
        return True


def _four_digits(text: str) -> bool:
    return len(text) == 4 and text.isascii() and text.isdecimal()
