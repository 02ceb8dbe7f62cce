"""Returns: refunds and disputes, booked against the payment they take back, and the debts they leave."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5

from db import audit, operations, players, reconciliation, returns
from db.database import Database, Tx
from db.models import (
    OddItem,
    Operation,
    OperationStatus,
    Page,
    ProviderName,
    ReturnedPayment,
    ReturnState,
    Settlement,
)
from db.money import Money
from db.outbox import Notice
from db.returns import Debtor, Holder
from services import ledger
from services.errors import (
    AlreadyDecided,
    NotFound,
    NothingThere,
    OwnMoney,
    ProviderError,
    ProviderRejected,
    ProviderUnavailable,
    ProviderUnknown,
    RefundTooLarge,
)
from services.outbox import Outbox, argument
from services.providers import Dispute, PaymentProvider, Refund, RefundOrder
from services.staff import Right

logger = logging.getLogger(__name__)

# How far a provider's word has got. Words come in any order, and only a higher one is news.
_RANK = {
    "requested": 0,
    "rejected": 0,
    "pending": 1,
    "succeeded": 2,
    "failed": 3,
    "inquiry": 1,
    "open": 2,
    "lost": 3,
    "won": 4,
}
# Stripe takes a refund's money when it is made and gives it back when it fails:
# https://docs.stripe.com/refunds#failed-refunds. Until a refund has failed its money is spent.
_TAKES = ("pending", "succeeded", "open", "lost")
_DISPUTED = "dispute"
_OWES = "debt"

# An admin's screen is not kept waiting longer; the timetable goes on with the same id.
PATIENCE = 10.0
AFTER_REQUEST = timedelta(seconds=15)
UNBOOKED = timedelta(seconds=5)
PENDING = timedelta(minutes=1)
ODD = timedelta(hours=1)
# Providers remember an idempotency key for 24 hours; after that a repeated call would be another refund.
REPEATABLE = timedelta(hours=20)
# As far back as the nightly comparison of lists looks.
WAITS = timedelta(days=35)
BATCH = 20
PAGE = 6
_NAMES = UUID("5d0f0b5e-6c1b-4f6e-9a56-0d7c2f3b9b11")


@dataclass(frozen=True, slots=True)
class Refundable:
    """A deposit that can be given back."""

    operation: Operation
    maximum: Money
    """What is left of it and what the player has now, whichever is less."""


@dataclass(frozen=True, slots=True)
class Returns:
    database: Database
    outbox: Outbox
    providers: Mapping[ProviderName, PaymentProvider]

    async def apply(self, tx: Tx, news: Refund | Dispute, *, actor: str) -> None:
        """Books a refund or a dispute as far as it has got. Repeating it, in any order, changes nothing.

        Of a payment that is not booked yet it is noted, and booked by `tick` once the payment is.
        """
        if news.payment_ref is None or news.amount is None:
            await self._tell_odd(tx, news.provider, news.ref, news.amount)
            return
        case = await _Case.lock(tx, news.provider, news.payment_ref, news.amount.currency)
        row, new = await returns.take_note(
            tx,
            kind="refund" if isinstance(news, Refund) else "dispute",
            provider=news.provider,
            ref=news.ref,
            request_id=news.request_id if isinstance(news, Refund) else None,
            payment_ref=news.payment_ref,
            operation_id=case.operation.id if case.operation else None,
            amount=news.amount,
            provider_state=news.state,
            occurred_at=news.occurred_at,
        )
        if row.payment_ref != news.payment_ref:
            # It was said to be of another payment: whose money it is would be a guess.
            await self._tell_odd(tx, news.provider, news.ref, news.amount)
            return
        if isinstance(news, Refund) and news.request_id not in (None, row.public_id):
            await returns.superseded(tx, news.request_id, row.id)
        before = None if new else row.provider_state
        if before is None or _RANK[news.state] > _RANK[before]:
            row = replace(row, provider_state=news.state, occurred_at=news.occurred_at)
            await returns.says(tx, row.id, news.state, news.occurred_at)
        await self._follow(tx, case, row, before, actor)

    async def _follow(self, tx: Tx, case: "_Case", row: ReturnedPayment, before: str | None, actor: str) -> None:
        """Brings the books to where the provider's word is."""
        takes, moved_on = row.provider_state in _TAKES, row.provider_state != before
        # A refund that we took for refused and that was made after all is booked like any other.
        unbooked = row.state is ReturnState.NOTED or (row.state is ReturnState.UNDONE and before == "rejected")
        if takes and unbooked:
            await self._book(tx, case, row, actor, first=moved_on)
        elif not takes and row.state is ReturnState.BOOKED:
            await self._undo(tx, case, row, actor)
        elif moved_on:
            if row.provider_state in ("failed", "won") and row.state is ReturnState.NOTED:
                await returns.undone(tx, row.id)
                await self._keep(tx, case, row)
            if row.kind == "dispute":
                await self._tell_dispute(tx, row)
                if row.provider_state == "lost" and case.debtor and row.player_id:
                    await self._tell_player(tx, case.debtor, row, "return-lost")
            elif row.provider_state == "failed":
                await self._tell_failed(tx, row)
            if row.provider_state == "succeeded":
                await returns.check_again(tx, row.id, None)
            await self._audit(tx, row, actor)

    async def _book(self, tx: Tx, case: "_Case", row: ReturnedPayment, actor: str, *, first: bool) -> None:
        if case.holder is None:
            await returns.check_again(tx, row.id, UNBOOKED if first else _waits(row))
            if first:
                await self._audit(tx, row, actor)
            return
        others = await returns.returned_so_far(tx, row.provider, row.kind, row.payment_ref, row.id)
        whole = case.holder.amount
        if whole.currency != row.amount.currency or others + row.amount.minor > whole.minor:
            # Perhaps another one fails and makes room; until then somebody has to see it.
            if first:
                await self._freeze(tx, case, row, actor)
            await self._tell_odd(tx, row.provider, row.ref or "", row.amount)
            await returns.check_again(tx, row.id, _waits(row) and ODD)
            return
        suspended = min(case.suspended.minor, row.amount.minor) if case.suspended else 0
        rest = row.amount.minor - suspended
        theirs = case.debtor if case.holder.player_id is not None else None
        taken = min(theirs.available.minor, rest) if theirs else 0
        split = {"taken": taken, "owed": rest - taken, "suspended": suspended}
        player_id = theirs.id if theirs and rest else None
        await ledger.take_back(tx, row, player_id=player_id, **split, actor=actor)
        operation_id = case.holder.operation_id
        await returns.booked(tx, row.id, player_id=player_id, operation_id=operation_id, **split)
        await returns.check_again(tx, row.id, PENDING if row.provider_state == "pending" else None)
        currency = row.amount.currency
        row = replace(row, player_id=player_id, owed=Money(rest - taken, currency), taken=Money(taken, currency))
        await self._settle_emptied(tx, case, row, suspended, actor)
        await self._freeze(tx, case, row, actor)
        if theirs and rest:
            owing = "-owing" if row.owed else ""
            text_id = f"return-refunded{owing}" if row.kind == "refund" else f"return-disputed{owing}"
            await self._tell_player(tx, theirs, row, text_id)
        if row.kind == "dispute":
            await self._tell_dispute(tx, row)
        elif row.requested_by is None or row.owed:
            await self._tell_admins(tx, f"admin-refund-booked:{row.id}", "admin-refund-booked", row)
        await self._audit(tx, row, actor)

    async def _freeze(self, tx: Tx, case: "_Case", row: ReturnedPayment, actor: str) -> None:
        """A disputed payment or a debt stops what goes out, until an admin lifts it."""
        if case.debtor is None or (row.kind == "refund" and not row.owed):
            return
        reason = _DISPUTED if row.kind == "dispute" else _OWES
        if await players.freeze(tx, case.debtor.id, f"{reason}: {row.provider} {row.payment_ref}") is not None:
            await audit.write(
                tx,
                actor=actor,
                action="freeze",
                status="frozen",
                user_id=case.debtor.id,
                entity=("returned_payment", row.id),
                details={"reason": reason},
            )

    async def _settle_emptied(self, tx: Tx, case: "_Case", row: ReturnedPayment, suspended: int, actor: str) -> None:
        """When the last of the money in suspense has gone back, there is nothing left to decide."""
        if not suspended or case.item is None or case.suspended is None or suspended < case.suspended.minor:
            return
        await reconciliation.settle(tx, case.item.id, Settlement.SENT_BACK, actor=actor)
        operation = case.operation
        if operation is not None and operation.status is OperationStatus.REVIEW:
            await operations.close(tx, operation.id, OperationStatus.CANCELLED, reason="sent-back", actor=actor)
            shown = {"id": operation.id, "provider": operation.provider, "amount": argument(row.amount)}
            await self.outbox.tell(
                tx,
                Notice(f"deposit-sent-back:{operation.id}", operation.chat_id, "deposit-sent-back", shown, priority=0),
            )

    async def _undo(self, tx: Tx, case: "_Case", row: ReturnedPayment, actor: str) -> None:
        await ledger.give_back(tx, row, actor=actor)
        await returns.undone(tx, row.id)
        await self._keep(tx, case, row)
        if case.debtor and row.player_id == case.debtor.id:
            await self._tell_player(tx, case.debtor, row, "return-undone")
        if row.kind == "dispute":
            await self._tell_dispute(tx, row)
        else:
            await self._tell_failed(tx, row)
        await self._audit(tx, row, actor)

    async def _keep(self, tx: Tx, case: "_Case", row: ReturnedPayment) -> None:
        """Money that was on its way out of suspense stays there after all: somebody has to decide again."""
        if case.item is None or case.item.settled is None:
            return
        if await reconciliation.in_suspense(tx, row.provider, row.payment_ref):
            await reconciliation.reopen(tx, case.item.id)

    # ---- refunds that we ask for

    async def refundable(self, operation_id: int) -> Refundable:
        """What of a player's deposit could be given back now. Raises NotFound, NothingThere."""
        async with self.database.transaction() as tx:
            return await self._refundable(tx, operation_id)

    async def _refundable(self, tx: Tx, operation_id: int) -> Refundable:
        found = await operations.get(tx, operation_id)
        if found is None or found.status is not OperationStatus.COMPLETED or found.payment_ref is None:
            raise NotFound
        case = await _Case.lock(tx, found.provider, found.payment_ref, found.amount.currency)
        holder, debtor = case.holder, case.debtor
        if holder is None or holder.player_id != found.player_id or debtor is None or case.suspended:
            raise NothingThere
        currency = holder.amount.currency
        left = holder.amount.minor - await returns.going_back(tx, found.provider, found.payment_ref)
        has = debtor.available.minor - await returns.promised(tx, debtor.id, currency)
        maximum = Money(max(min(left, has), 0), currency)
        if not maximum:
            raise NothingThere
        return Refundable(found, maximum)

    async def give_back(self, admin_id: int, operation_id: int, minor: int, *, key: str) -> ReturnedPayment:
        """Has a provider give (a part of) a player's deposit back, in minor units of its currency, once per `key`.

        As far as the player has that money now. Raises NotFound, NothingThere, RefundTooLarge, ProviderUnavailable.
        """
        actor = await self.outbox.staff.actor(admin_id, Right.MONEY)
        public_id = uuid5(_NAMES, f"refund:{operation_id}:{key}")
        async with self.database.transaction() as tx:
            found = await operations.get(tx, operation_id)
            if found is None:
                raise NotFound
            await operations.lock(tx, found.provider, public_id=found.public_id, refs=())
            known = await returns.requested(tx, public_id)
            if known is not None:
                return known
            refundable = await self._refundable(tx, operation_id)
            operation = refundable.operation
            amount = Money(minor, refundable.maximum.currency)
            if not 0 < minor <= refundable.maximum.minor:
                raise RefundTooLarge(refundable.maximum)
            row = await self.request(
                tx,
                public_id,
                operation.provider,
                operation.payment_ref or "",
                amount,
                operation_id=operation.id,
                player_id=operation.player_id,
                actor=actor,
            )
        return await self.ask(row)

    async def request(
        self,
        tx: Tx,
        public_id: UUID,
        provider: ProviderName,
        payment_ref: str,
        amount: Money,
        *,
        operation_id: int | None,
        player_id: int | None,
        actor: str,
    ) -> ReturnedPayment:
        """Writes down a refund for an admin; to be followed by `ask` after the commit. Raises ProviderUnavailable."""
        if provider not in self.providers:
            raise ProviderUnavailable(provider)
        row = await returns.request(
            tx,
            public_id=public_id,
            provider=provider,
            payment_ref=payment_ref,
            operation_id=operation_id,
            player_id=player_id,
            amount=amount,
            requested_by=actor,
            next_check=AFTER_REQUEST,
        )
        await self._audit(tx, row, actor)
        return row

    async def ask(self, row: ReturnedPayment) -> ReturnedPayment:
        """Asks the provider for a refund that was written down, and books its answer. Answers how it stands then."""
        order = RefundOrder(row.public_id, row.payment_ref, row.amount, f"Возврат №{row.id} / Refund #{row.id}")
        answer: Refund | None = None
        try:
            async with asyncio.timeout(PATIENCE):
                answer = await self.providers[row.provider].refund(order)
        except (ProviderUnknown, TimeoutError) as error:
            logger.warning("refund is not answered", extra={"returned_payment": row.id, "reason": str(error)})
        except ProviderRejected as error:
            logger.error("refund was refused", extra={"returned_payment": row.id, "reason": error.reason})
            await self._refuse(row, error.reason, actor="timetable")
        else:
            async with self.database.transaction() as tx:
                await self.apply(tx, replace(answer, request_id=row.public_id), actor=row.requested_by or "timetable")
        self.outbox.wake()
        async with self.database.connection() as tx:
            known = await returns.named(tx, row.provider, row.kind, answer.ref) if answer is not None else None
            return known or await returns.get(tx, row.id) or row

    async def give_up(self, admin_id: int, returned_id: int) -> ReturnedPayment:
        """An admin has seen that the provider did not make a refund whose outcome was unknown. Raises NotFound,
        AlreadyDecided."""
        actor = await self.outbox.staff.actor(admin_id, Right.MONEY)
        async with self.database.connection() as tx:
            row = await returns.get(tx, returned_id)
        if row is None:
            raise NotFound
        if row.provider_state != "requested" or datetime.now(UTC) - row.created_at < REPEATABLE:
            raise AlreadyDecided(row.provider_state)
        if not await self._refuse(row, "given up", actor=actor):
            raise AlreadyDecided("resolved")
        self.outbox.wake()
        return replace(row, state=ReturnState.UNDONE, provider_state="rejected")

    async def _refuse(self, row: ReturnedPayment, reason: str, *, actor: str) -> bool:
        """False: something else has been heard of it meanwhile."""
        async with self.database.transaction() as tx:
            case = await _Case.lock(tx, row.provider, row.payment_ref, row.amount.currency)
            current = await returns.lock(tx, row.id)
            if current is None or current.provider_state != "requested" or current.state is not ReturnState.NOTED:
                return False
            await returns.refused(tx, row.id)
            await self._keep(tx, case, current)
            await self._tell_admins(tx, f"admin-refund-refused:{row.id}", "admin-refund-refused", row)
            current = replace(current, state=ReturnState.UNDONE, provider_state="rejected")
            await self._audit(tx, current, actor, reason=reason)
            return True

    async def tick(self) -> None:
        """Goes on with what waits: refunds not answered or not ended, and returns of payments that were not booked."""
        while True:
            async with self.database.connection() as tx:
                due = await returns.claim_due(tx, list(self.providers), BATCH)
            for row in due:
                await self._look_again(row)
            if due:
                self.outbox.wake()
            if len(due) < BATCH:
                return

    async def _look_again(self, row: ReturnedPayment) -> None:
        try:
            if row.ref is None:
                if datetime.now(UTC) - row.created_at < REPEATABLE:
                    await self.ask(row)
                else:
                    await self._stop_asking(row)
                return
            if row.kind == "refund" and row.provider_state == "pending":
                answer = await self.providers[row.provider].fetch_refund(row.ref)
                if answer is not None:
                    async with self.database.transaction() as tx:
                        await self.apply(tx, answer, actor="poller")
        except ProviderError as error:
            logger.warning("refund could not be asked about", extra={"id": row.id, "reason": error.reason})
        if row.state is ReturnState.NOTED:
            async with self.database.transaction() as tx:
                case = await _Case.lock(tx, row.provider, row.payment_ref, row.amount.currency)
                current = await returns.lock(tx, row.id)
                if current is not None and current.state is ReturnState.NOTED and current.provider_state in _TAKES:
                    await self._book(tx, case, current, "poller", first=False)

    async def _stop_asking(self, row: ReturnedPayment) -> None:
        async with self.database.transaction() as tx:
            await returns.check_again(tx, row.id, None)
            await self._tell_admins(tx, f"admin-refund-unanswered:{row.id}", "admin-refund-unanswered", row)

    # ---- debts

    async def debts(self, *, after: int | None = None, before: int | None = None) -> Page[ReturnedPayment]:
        """What players owe us, oldest first."""
        async with self.database.connection() as tx:
            return await returns.debts(tx, after=after, before=before, size=PAGE)

    async def count_debts(self) -> int:
        async with self.database.connection() as tx:
            return await returns.count_debts(tx)

    async def get(self, returned_id: int) -> ReturnedPayment:
        """Raises NotFound."""
        async with self.database.connection() as tx:
            row = await returns.get(tx, returned_id)
        if row is None:
            raise NotFound
        return row

    async def collect(self, admin_id: int, returned_id: int, owed_minor: int) -> ReturnedPayment:
        """Takes from the player what is there now, at most the debt. `owed_minor`: the debt that the admin saw.

        Raises NotFound, AlreadyDecided (it is another one by now), NothingThere.
        """
        actor = await self.outbox.staff.actor(admin_id, Right.MONEY)
        async with self.database.transaction() as tx:
            row, debtor = await self._debt(tx, returned_id, owed_minor)
            minor = min(row.owed.minor, debtor.available.minor) if debtor else 0
            if debtor is None or not minor:
                raise NothingThere
            await ledger.collect(tx, row, debtor.id, minor, actor=actor)
            await returns.collected(tx, row.id, minor)
            amount = Money(minor, row.amount.currency)
            after = replace(row, owed=row.owed - amount, taken=row.taken + amount)
            await self._decided(tx, after, debtor, "collected", amount, actor, row.owed)
        self.outbox.wake()
        return after

    async def forgive(self, admin_id: int, returned_id: int, owed_minor: int) -> ReturnedPayment:
        """We bear the debt. `owed_minor`: the debt that the admin saw. Raises NotFound, AlreadyDecided, OwnMoney."""
        actor = await self.outbox.staff.actor(admin_id, Right.MONEY)
        async with self.database.transaction() as tx:
            row, debtor = await self._debt(tx, returned_id, owed_minor)
            if debtor is not None and debtor.chat_id == admin_id:
                raise OwnMoney
            await ledger.forgive(tx, row, actor=actor)
            await returns.forgiven(tx, row.id)
            after = replace(row, owed=Money(0, row.amount.currency), forgiven=row.forgiven + row.owed)
            await self._decided(tx, after, debtor, "forgiven", row.owed, actor, row.owed)
        self.outbox.wake()
        return after

    async def _debt(self, tx: Tx, returned_id: int, owed_minor: int) -> tuple[ReturnedPayment, Debtor | None]:
        seen = await returns.get(tx, returned_id)
        if seen is None:
            raise NotFound
        debtor = await returns.lock_player(tx, seen.player_id, seen.amount.currency) if seen.player_id else None
        row = await returns.lock(tx, returned_id)
        if row is None:
            raise NotFound
        if not row.owed or row.owed.minor != owed_minor:
            raise AlreadyDecided("resolved")
        return row, debtor

    async def _decided(
        self,
        tx: Tx,
        row: ReturnedPayment,
        debtor: Debtor | None,
        word: str,
        amount: Money,
        actor: str,
        owed_before: Money,
    ) -> None:
        if debtor is not None:
            text_id = "return-collected" if word == "collected" else "return-forgiven"
            await self._tell_player(tx, debtor, row, text_id, f":{owed_before.minor}", amount)
        await audit.write(
            tx,
            actor=actor,
            action="debt",
            status=word,
            user_id=row.player_id,
            entity=("returned_payment", row.id),
            amount=amount,
        )

    # ---- telling

    async def _tell_player(
        self,
        tx: Tx,
        player: Debtor,
        row: ReturnedPayment,
        text_id: str,
        nth: str = "",
        amount: Money | None = None,
    ) -> None:
        shown: dict[str, Money | str | int] = {
            "provider": row.provider,
            "amount": amount or row.amount,
            "taken": row.taken,
            "owed": row.owed,
        }
        arguments = {name: argument(value) for name, value in shown.items()}
        key = f"{text_id}:{row.id}{nth}"
        await self.outbox.tell(tx, Notice(key, player.chat_id, text_id, arguments, priority=0))

    async def _tell_admins(self, tx: Tx, key: str, text_id: str, row: ReturnedPayment) -> None:
        await self.outbox.tell_admins(
            tx,
            Right.MONEY,
            key,
            text_id,
            provider=row.provider,
            payment=row.payment_ref,
            amount=row.amount,
            owed=row.owed,
            status=row.provider_state,
            id=row.id,
        )

    async def _tell_dispute(self, tx: Tx, row: ReturnedPayment) -> None:
        await self._tell_admins(tx, f"admin-dispute:{row.id}:{row.provider_state}", "admin-dispute", row)

    async def _tell_failed(self, tx: Tx, row: ReturnedPayment) -> None:
        await self._tell_admins(tx, f"admin-refund-failed:{row.id}", "admin-refund-failed", row)

    async def _tell_odd(self, tx: Tx, provider: ProviderName, ref: str, amount: Money | None) -> None:
        """A return that cannot be booked: an item to settle."""
        difference = reconciliation.Difference(
            ref,
            "missing_in_ledger",
            "return",
            amount.currency if amount else None,
            amount.minor if amount else None,
            None,
        )
        number = await reconciliation.open_difference(tx, provider, difference)
        if number is not None:
            await self.outbox.tell_admins(
                tx,
                Right.MONEY,
                f"admin-odd-return:{provider}:{ref}",
                "admin-odd-return",
                provider=provider,
                payment=ref,
                amount=amount or "—",
                id=number,
            )

    async def _audit(self, tx: Tx, row: ReturnedPayment, actor: str, **details: object) -> None:
        await audit.write(
            tx,
            actor=actor,
            action=row.kind,
            status=row.provider_state,
            user_id=row.player_id,
            entity=("returned_payment", row.id),
            amount=row.amount,
            details={"provider": row.provider, "payment": row.payment_ref, "ref": row.ref, **details},
        )


@dataclass(frozen=True, slots=True)
class _Case:
    """A payment with everything that a decision about it needs, locked in the one order: operation, player, item."""

    operation: Operation | None
    holder: Holder | None
    debtor: Debtor | None
    """Who has the money, or else who paid it."""
    item: OddItem | None
    suspended: Money | None
    """What of it lies in suspense; None: nothing ever did."""

    @classmethod
    async def lock(cls, tx: Tx, provider: ProviderName, payment_ref: str, currency: str) -> "_Case":
        operation = await operations.lock(tx, provider, public_id=None, refs=[payment_ref])
        holder = await returns.holder(tx, provider, payment_ref)
        if operation is None and holder is not None and holder.operation_id is not None:
            # A second payment is not the operation's own, but its row names it: PostgreSQL locks what is named.
            await operations.lock_in_turn(tx, holder.operation_id)
        player_id = (holder and holder.player_id) or (operation and operation.player_id)
        debtor = await returns.lock_player(tx, player_id, currency) if player_id else None
        item = await reconciliation.lock_of_payment(tx, provider, payment_ref)
        suspended = None
        if item is not None:
            # Whoever held the item may just have credited it.
            holder = await returns.holder(tx, provider, payment_ref)
            if holder is not None and holder.player_id not in (None, player_id):
                debtor = await returns.lock_player(tx, holder.player_id, currency)
            suspended = await reconciliation.in_suspense(tx, provider, payment_ref)
        return cls(operation, holder, debtor, item, suspended)


def _waits(row: ReturnedPayment) -> timedelta | None:
    """How long until the next look at a return that cannot be booked: ever longer, and in the end not at all."""
    age = datetime.now(UTC) - row.created_at
    return None if age > WAITS else max(UNBOOKED, min(age / 4, ODD))
