"""The inbox: verify, then store, then act. A delivery is answered once it is stored; acting on it can be repeated."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from uuid import UUID

from db import audit, inbox, operations, payment_methods, returns
from db.database import Database, Tx
from db.inbox import Event, Outcome, Received
from db.models import Operation, ProviderName
from services.casinos import Casinos
from services.errors import (
    DeliveryRejected,
    DoorClosed,
    ProviderError,
    ProviderUnknown,
    TemporarilyUnavailable,
)
from services.intake import Intake
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
from services.providers.casino import CasinoReport
from services.staff import Right

logger = logging.getLogger(__name__)

# Longer than a provider's answer may take (25 s), so that an event is not worked on twice at the same time.
LEASE = timedelta(seconds=30)
KEPT_HEADERS = ("content-type", "user-agent", "stripe-signature")
BODY_AGE = timedelta(days=90)
SAMPLE_SECONDS = 60.0
FLOODS = 10
"""Senders told of in an hour: more are a flood from everywhere, and its messages would be another."""
# As long as YooKassa itself would repeat: an outage of the provider's is no reason to give an event up.
PATIENCE = timedelta(days=1)
BATCH = 32
CASINO = "casino:"
"""Begins a programme's name among the sources of deliveries."""
NOWHERE = -1


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
    _intake: Intake = field(default_factory=Intake)
    _sampled: dict[tuple[str, str], float] = field(default_factory=dict)
    _flooding: dict[IPv4Address | IPv6Address | IPv6Network, str] = field(default_factory=dict)
    """Senders told of, and in which hour."""

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

    async def try_postback(self, delivery: Delivery) -> CasinoReport:
        """The same in the sandbox for a postback that nobody has to prove; answers what it says.

        Raises DoorClosed and DeliveryMalformed.
        """
        casino = next(iter(self.casinos.programmes.values()), None)
        if casino is None:
            raise DoorClosed
        verified = casino.trust(delivery)
        await self._store(f"{CASINO}{casino.name}", verified, delivery, self.arrived_postback)
        return casino.read(verified.kept or b"")

    async def _verified(self, source: str, verify: Callable[[Delivery], Verified], delivery: Delivery) -> Verified:
        try:
            return verify(delivery)
        except DeliveryRejected as error:
            await self._sample(source, delivery, error)
            raise

    async def _store(self, source: str, verified: Verified, delivery: Delivery, arrived: asyncio.Event) -> None:
        concerns_us = verified.concern is not Concern.NONE
        new = await self._intake.store(
            self.database,
            Received(
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
            ),
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

    async def flooded(self, sender: IPv4Address | IPv6Address | IPv6Network) -> None:
        """Somebody sends more unproven deliveries than anybody may. Noted and told once an hour for each sender; for
        all its other deliveries the database is not asked anything."""
        hour = datetime.now(UTC).strftime("%Y-%m-%dT%H")
        for past in [one for one, told in self._flooding.items() if told != hour]:
            del self._flooding[past]
        if sender in self._flooding or len(self._flooding) >= FLOODS:
            return
        self._flooding[sender] = hour
        last = len(self._flooding) == FLOODS
        remote = sender.network_address if isinstance(sender, IPv6Network) else sender
        try:
            async with self.database.transaction() as tx:
                await audit.write(tx, actor="webhook", action="flood", status="rejected", remote=remote)
                await self.outbox.tell_admins(
                    tx,
                    Right.HEALTH,
                    f"admin-forged:{sender}:{hour}",
                    "admin-forged",
                    address=str(sender),
                    more=int(last),
                )
        except TemporarilyUnavailable:
            self._flooding.pop(sender, None)  # the hour may have passed meanwhile
            logger.warning("flood could not be told", extra={"remote": str(sender)})
        self.outbox.wake()

    async def act(self, batch: int = BATCH) -> bool:
        """Acts on due events that are believed as they are, several in one transaction: found, booked, told, done.

        False: there are no more for now. When one of several fails, none of them has happened: they are taken singly.
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
        return len(events) == batch

    async def _act_on_payments(self, tx: Tx, batch: int, events: list[Event]) -> None:
        """Fills `events` with what it takes, so that it is known also when this fails."""
        events.extend(await inbox.next_events(tx, list(self.providers), batch))
        await self._book(tx, [(event, self.providers[ProviderName(event.source)].read(event.body)) for event in events])

    async def _book(self, tx: Tx, read: Sequence[tuple[Event, News | None]]) -> None:
        if not read:
            return
        locked, ordered = await self._in_order(tx, read)
        told = [(news, f"webhook:{event.source}") for event, news in ordered if news is not None and news.ours]
        await self.payments.apply_all(tx, told, locked)
        await inbox.finish(tx, [_outcome(event, news) for event, news in read])

    async def _act_on_postbacks(self, tx: Tx, batch: int, events: list[Event]) -> None:
        await self.casinos.take_turn(tx)
        events.extend(await inbox.next_events(tx, [f"{CASINO}{name}" for name in self.casinos.programmes], batch))
        if not events:
            return
        for event in events:
            programme = self.casinos.programmes[event.source.removeprefix(CASINO)]
            await self.casinos.apply(tx, programme.read(event.body), delivery_id=event.id)
        await inbox.finish(tx, [Outcome(event.id, ignored=False) for event in events])

    async def _in_order(
        self, tx: Tx, read: Sequence[tuple[Event, News | None]]
    ) -> tuple[Mapping[UUID | None, Operation], Sequence[tuple[Event, News | None]]]:
        """Locks what the events name. Answers the operations by our ids, and the events with what they say in the
        order in which every worker takes players and their wallets."""
        taken_back = [
            (news.provider, news.payment_ref)
            for _, news in read
            if isinstance(news, Refund | Dispute) and news.payment_ref is not None
        ]
        orders = [news.order_id for _, news in read if isinstance(news, Payment) and news.order_id is not None]
        locked = await operations.lock_in_order(tx, orders, taken_back)
        places: dict[UUID | tuple[ProviderName, str], int] = {}
        for place, operation in enumerate(locked):
            places[operation.public_id] = place
            if operation.payment_ref is not None:
                places[operation.provider, operation.payment_ref] = place
        if len(read) > 1 and not places.keys() >= set(taken_back):
            raise _OneByOne  # an operation found later would be locked out of order
        customers = [
            news.customer_ref for _, news in read if isinstance(news, CardChange) and news.customer_ref is not None
        ]
        if len(read) > 1 and (taken_back or customers):
            # What takes money back decides by what there is, and a card's keeping by which there are: players are
            # locked too, before any of their wallets.
            owners = await returns.players_of_payments(tx, taken_back) if taken_back else {}
            holders = await payment_methods.players_of(tx, customers) if customers else []
            await returns.lock_players(tx, [*owners.values(), *holders])

        def place_of(pair: tuple[Event, News | None]) -> int:
            match pair[1]:
                case Payment(order_id=UUID() as order):
                    return places.get(order, NOWHERE)
                case Refund(payment_ref=str() as ref) | Dispute(payment_ref=str() as ref):
                    return places.get((ProviderName(pair[0].source), ref), NOWHERE)
                case _:
                    return NOWHERE

        return {operation.public_id: operation for operation in locked}, sorted(read, key=place_of)

    async def act_rereading(self, batch: int = BATCH) -> bool:
        """Acts on due events that do not prove all they say: the provider is asked first, about several at once and
        with no transaction open, and what it has answered meanwhile is booked together. False: none due."""
        async with self.database.connection() as tx:
            events = await inbox.lease_events(tx, list(self.providers), LEASE, batch)
        asked = {
            asyncio.create_task(self.providers[ProviderName(event.source)].look(event.body)): event for event in events
        }
        waiting = set(asked)
        try:
            while waiting:
                answered, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                await self._act_on_answers([(asked[task], task) for task in answered])
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*asked, return_exceptions=True)
        return bool(events)

    async def _act_on_answers(self, answers: Sequence[tuple[Event, asyncio.Task[list[News]]]]) -> None:
        together: list[tuple[Event, News | None]] = []
        for event, task in answers:
            if isinstance(error := task.exception(), Exception):
                await self._put_off(event, error)
            elif len(news := task.result()) > 1:
                await self._act_on_several(event, news)
            else:
                together.append((event, news[0] if news else None))
        if together:
            await self._act_together(together)
        self.outbox.wake()

    async def _act_together(self, read: Sequence[tuple[Event, News | None]]) -> None:
        try:
            async with self.database.transaction() as tx:
                ours = await inbox.lock_leased(tx, [event for event, _ in read])
                await self._book(tx, [(event, news) for event, news in read if event.id in ours])
        except Exception as error:
            if len(read) > 1:
                for one in read:
                    await self._act_together([one])
            elif isinstance(error, TemporarilyUnavailable):
                raise
            else:
                await self._put_off(read[0][0], error)

    async def _act_on_several(self, event: Event, news: Sequence[News]) -> None:
        """Each in a transaction of its own, so that none holds locks that another one comes to in another order."""
        try:
            for item in news:
                async with self.database.transaction() as tx:
                    if await inbox.lock_leased(tx, [event]):
                        if item.ours:
                            await self.payments.apply(tx, item, actor=f"webhook:{event.source}")
                        if item is news[-1]:
                            await inbox.finish(tx, [_outcome(event, *news)])
        except TemporarilyUnavailable:
            raise
        except Exception as error:
            await self._put_off(event, error)

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
                    f"admin-dead-delivery:{event.id}:{event.replays}",
                    "admin-dead-delivery",
                    provider=event.source,
                    id=event.id,
                    error=reason,
                )

    def wake(self) -> None:
        """To be called after the commit of who made something due again."""
        for arrived in (self.arrived, self.arrived_rereading, self.arrived_postback):
            arrived.set()

    async def forget_bodies(self, tx: Tx) -> None:
        await inbox.empty_old_bodies(tx, BODY_AGE)


def _outcome(event: Event, *news: News | None) -> Outcome:
    ours = any(item is not None and item.ours for item in news)
    return Outcome(event.id, ignored=not ours, note=None if ours else "nothing of ours")
