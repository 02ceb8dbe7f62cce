"""The inbox: verify, then store, then act. A delivery is answered once it is stored; acting on it can be repeated."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address
from uuid import UUID

from db import audit, inbox, operations, payment_methods, returns
from db.database import Database, Tx
from db.inbox import Event, Outcome
from db.models import ProviderName
from services.casinos import Casinos
from services.errors import (
    DeliveryRejected,
    DoorClosed,
    ProviderError,
    ProviderUnknown,
    TemporarilyUnavailable,
)
from services.outbox import Outbox
from services.payments import Payments
from services.providers import (
    CardChange,
    Concern,
    Delivery,
    Dispute,
    News,
    Payment,
    PaymentProvider,
    Refund,
    Verified,
)
from services.staff import Right

logger = logging.getLogger(__name__)

# Longer than a provider's answer may take (25 s), so that an event is not worked on twice at the same time.
LEASE = timedelta(seconds=30)
KEPT_HEADERS = ("content-type", "user-agent", "stripe-signature")
BODY_AGE = timedelta(days=90)
SAMPLE_SECONDS = 60.0
# As long as YooKassa itself would repeat: an outage of the provider's is no reason to give an event up.
PATIENCE = timedelta(days=1)
BATCH = 16
CASINO = "casino:"
"""Begins a programme's name among the sources of deliveries."""
NOBODY = (-1, "", 0)


class _OneByOne(Exception):
    """These events cannot be acted on together."""


@dataclass(frozen=True, slots=True)
class Inbox:
    database: Database
    outbox: Outbox
    payments: Payments
    providers: Mapping[ProviderName, PaymentProvider]
    casinos: Casinos
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    """Set after a commit that stored something new: the workers of `act` need not wait for their next poll."""
    arrived_rereading: asyncio.Event = field(default_factory=asyncio.Event)
    """The same for `act_rereading`."""
    arrived_postback: asyncio.Event = field(default_factory=asyncio.Event)
    """The same for `act_on_postbacks`."""
    _sampled: dict[tuple[str, str], float] = field(default_factory=dict)

    async def accept(
        self, name: ProviderName, body: bytes, headers: Mapping[str, str], remote: IPv4Address | IPv6Address
    ) -> None:
        """Verifies and stores a delivery; a repeated one is only counted. `headers` have lower-case names.

        Raises DoorClosed and DeliveryRejected; nothing is stored then.
        """
        provider = self.providers.get(name)
        if provider is None:
            raise DoorClosed(name)
        delivery = Delivery(body, headers, remote, received_at=datetime.now(UTC))
        verified = await self._verified(name, provider.verify, delivery)
        asks = verified.concern is Concern.ASK
        await self._store(name, verified, delivery, self.arrived_rereading if asks else self.arrived)

    async def accept_postback(self, programme: str, delivery: Delivery) -> None:
        """The same for what a casino's programme (`1win`) reports."""
        casino = self.casinos.programmes.get(programme)
        if casino is None:
            raise DoorClosed(programme)
        source = f"{CASINO}{programme}"
        await self._store(
            source, await self._verified(source, casino.verify, delivery), delivery, self.arrived_postback
        )

    async def _verified(self, source: str, verify: Callable[[Delivery], Verified], delivery: Delivery) -> Verified:
        try:
            return verify(delivery)
        except DeliveryRejected as error:
            await self._sample(source, delivery, error)
            raise

    async def _store(self, source: str, verified: Verified, delivery: Delivery, arrived: asyncio.Event) -> None:
        concerns_us = verified.concern is not Concern.NONE
        async with self.database.connection() as tx:
            new = await inbox.store(
                tx,
                source=source,
                event_id=verified.event_id,
                event_type=verified.event_type,
                payment_ref=verified.payment_ref,
                rereads=verified.concern is Concern.ASK,
                concerns_us=concerns_us,
                headers={name: value for name, value in delivery.headers.items() if name in KEPT_HEADERS},
                body=delivery.body if verified.kept is None else verified.kept,
                remote=delivery.remote,
                verified_by=verified.verified_by,
            )
        if new and concerns_us:
            arrived.set()

    async def _sample(self, source: str, delivery: Delivery, error: DeliveryRejected) -> None:
        """Anybody can send rubbish, so only one example a minute of each kind is kept, and never its body."""
        kind = (source, error.reason)
        now = time.monotonic()
        if now - self._sampled.get(kind, -SAMPLE_SECONDS) < SAMPLE_SECONDS:
            return
        self._sampled[kind] = now
        try:
            async with self.database.connection() as tx:
                await audit.write(
                    tx,
                    actor=f"webhook:{source}",
                    action="delivery",
                    status="rejected",
                    remote=delivery.remote,
                    user_agent=delivery.headers.get("user-agent", "")[:200],
                    details={"reason": error.reason, "bytes": len(delivery.body)},
                )
        except TemporarilyUnavailable:
            logger.warning("rejected delivery could not be noted", extra={"source": source})

    async def act(self, batch: int = BATCH) -> bool:
        """Acts on due events that are believed as they are, several in one transaction: found, booked, told, done.

        False: none due. When one of several fails, nothing of them has happened, and they are taken singly.
        """
        return await self._act(self._act_on_payments, batch)

    async def act_on_postbacks(self, batch: int = BATCH) -> bool:
        """The same for what casinos report."""
        return await self._act(self._act_on_postbacks, batch)

    async def _act(self, work: Callable[[Tx, int, list[Event]], Awaitable[None]], batch: int) -> bool:
        events: list[Event] = []
        try:
            async with self.database.transaction() as tx:
                await work(tx, batch, events)
        except Exception as error:
            if len(events) > 1:
                return await self._act(work, 1)
            if not events or isinstance(error, TemporarilyUnavailable):
                raise
            await self._put_off(events[0], error)
        if events:
            self.outbox.wake()
        return bool(events)

    async def _act_on_payments(self, tx: Tx, batch: int, events: list[Event]) -> None:
        """Fills `events` with what it takes, so that it is known also when this fails."""
        events.extend(await inbox.next_events(tx, list(self.providers), batch))
        ordered = await self._in_order(tx, events)
        await inbox.finish(tx, [await self._act_on(tx, event, news) for event, news in ordered])

    async def _act_on_postbacks(self, tx: Tx, batch: int, events: list[Event]) -> None:
        await self.casinos.take_turn(tx)
        events.extend(await inbox.next_events(tx, [f"{CASINO}{name}" for name in self.casinos.programmes], batch))
        for event in events:
            programme = self.casinos.programmes[event.source.removeprefix(CASINO)]
            await self.casinos.apply(tx, programme.read(event.body), delivery_id=event.id)
        await inbox.finish(tx, [Outcome(event.id, ignored=False) for event in events])

    async def _in_order(self, tx: Tx, events: Sequence[Event]) -> list[tuple[Event, News | None]]:
        """Events with what they say, in the order in which every worker takes players and their wallets."""
        read = [(event, self.providers[ProviderName(event.source)].read(event.body)) for event in events]
        if len(read) == 1:
            return read
        taken_back = [
            (news.provider, news.payment_ref)
            for _, news in read
            if isinstance(news, Refund | Dispute) and news.payment_ref is not None
        ]
        orders = [news.order_id for _, news in read if isinstance(news, Payment) and news.order_id is not None]
        places = await operations.lock_in_order(tx, orders, taken_back)
        if not places.keys() >= set(taken_back):
            raise _OneByOne  # an operation found later would be locked out of order
        customers = [
            news.customer_ref for _, news in read if isinstance(news, CardChange) and news.customer_ref is not None
        ]
        if taken_back or customers:
            # What takes money back decides by what there is, and a card's keeping by which there are: players are
            # locked too, before any of their wallets.
            owners = await returns.players_of_payments(tx, taken_back) if taken_back else {}
            holders = await payment_methods.players_of(tx, customers) if customers else []
            await returns.lock_players(tx, [*owners.values(), *holders])

        def place(pair: tuple[Event, News | None]) -> tuple[int, str, int]:
            match pair[1]:
                case Payment(order_id=UUID() as order):
                    return places.get(order, NOBODY)
                case Refund(payment_ref=str() as ref) | Dispute(payment_ref=str() as ref):
                    return places[ProviderName(pair[0].source), ref]
                case _:
                    return NOBODY

        return sorted(read, key=place)

    async def act_rereading(self) -> bool:
        """Acts on the next event that does not prove all it says: the provider is asked first, with no transaction
        open. False: none due."""
        async with self.database.connection() as tx:
            event = await inbox.lease_event(tx, list(self.providers), LEASE)
        if event is None:
            return False
        try:
            news = await self.providers[ProviderName(event.source)].look(event.body)
            # Each in a transaction of its own, so that none holds locks that another one comes to in another order.
            for item in news[:-1]:
                async with self.database.transaction() as tx:
                    if await inbox.lock_leased(tx, event):
                        await self._act_on(tx, event, item)
            async with self.database.transaction() as tx:
                if await inbox.lock_leased(tx, event):
                    last = await self._act_on(tx, event, *news[-1:])
                    ignored = not any(item.ours for item in news)
                    await inbox.finish(tx, [replace(last, ignored=ignored, note=last.note if ignored else None)])
        except TemporarilyUnavailable:
            raise
        except Exception as error:
            await self._put_off(event, error)
        self.outbox.wake()
        return True

    async def _act_on(self, tx: Tx, event: Event, *news: News | None) -> Outcome:
        ours = [item for item in news if item is not None and item.ours]
        for item in ours:
            await self.payments.apply(tx, item, actor=f"webhook:{event.source}")
        return Outcome(event.id, ignored=not ours, note=None if ours else "nothing of ours")

    async def _put_off(self, event: Event, error: Exception) -> None:
        """Counts the failure and tries again later; the last failure is brought before the admins."""
        reason = error.reason if isinstance(error, ProviderError) else type(error).__name__
        expected = isinstance(error, ProviderUnknown)
        logger.log(
            logging.WARNING if expected else logging.ERROR,
            "delivery could not be acted on",
            extra={"delivery_id": event.id, "reason": reason},
            exc_info=None if expected else error,
        )
        async with self.database.transaction() as tx:
            if await inbox.put_off(tx, event, reason, patience=PATIENCE if expected else timedelta(0)):
                await self.outbox.tell_admins(
                    tx,
                    Right.LETTERS,
                    f"admin-dead-delivery:{event.id}",
                    "admin-dead-delivery",
                    provider=event.source,
                    id=event.id,
                    error=reason,
                )

    async def forget_bodies(self, tx: Tx) -> None:
        await inbox.empty_old_bodies(tx, BODY_AGE)
