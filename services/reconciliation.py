"""Reconciliation: what the providers' lists say, compared with the ledger; and odd money, until an admin settles it."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5

from db import audit, operations, players, reconciliation, returns
from db import ledger as accounts
from db.database import Database, Tx
from db.models import (
    DayTotal,
    OddItem,
    Operation,
    OperationStatus,
    Page,
    ProviderName,
    ReconRun,
    ReturnedPayment,
    Settlement,
)
from db.money import Money
from db.outbox import Notice
from db.reconciliation import Difference, Listed
from services import ledger, words
from services.errors import (
    AlreadyDecided,
    MoneyLiesThere,
    NotFound,
    NothingThere,
    OwnMoney,
    ProviderError,
    ProviderUnavailable,
)
from services.outbox import Outbox, argument
from services.payments import Payments
from services.providers import Dispute, Payment, PaymentProvider, PaymentState, Refund
from services.returns import Returns
from services.staff import Right

logger = logging.getLogger(__name__)

LISTED_AT_ONCE = 100
JOURNALS_AT_ONCE = 20_000
# What has just happened may be on its way to a list.
SETTLING = timedelta(minutes=15)
# How many payments that a list did not name are asked for by name, in one run.
ASKED_FOR = 100
DOUBLED = timedelta(minutes=30)
TIMETABLE = "timetable"
TOTALS = timedelta(days=7)
RUNS = 6
PAGE = 6
LONGEST_NOTE = 500
_NAMES = UUID("0b1f5f0a-51c7-4d5f-9d36-4f0c2a4a7e57")

Progress = Callable[[int], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Card:
    """An item with what a decision about it needs."""

    item: OddItem
    operation: Operation | None
    in_suspense: Money | None
    """What lies in suspense now and was not asked to be sent back; None: nothing ever did."""
    returned: Sequence[ReturnedPayment]
    """Refunds and disputes of the same payment."""


@dataclass(frozen=True, slots=True)
class Reconciliation:
    database: Database
    outbox: Outbox
    payments: Payments
    returns: Returns
    providers: Mapping[ProviderName, PaymentProvider]

    # ---- odd money and differences: what admins decide

    async def items(self, *, after: int | None = None, before: int | None = None) -> Page[OddItem]:
        """What is open, oldest first."""
        async with self.database.connection() as tx:
            return await reconciliation.open_items(tx, after=after, before=before, size=PAGE)

    async def count_open(self) -> int:
        async with self.database.connection() as tx:
            return await reconciliation.count_open(tx)

    async def card(self, item_id: int) -> Card:
        """Raises NotFound."""
        async with self.database.transaction() as tx:
            item = await reconciliation.get(tx, item_id)
            if item is None:
                raise NotFound
            operation = await operations.get(tx, item.operation_id) if item.operation_id else None
            left = await self._left(tx, item)
            return Card(item, operation, left, await returns.of_payment(tx, item.provider, item.ref))

    async def credit(self, admin_id: int, item_id: int, player_id: int | None = None) -> Money:
        """Gives what lies in suspense to the operation's player, or to the one named. Answers how much it was.

        Raises NotFound, AlreadyDecided, OwnMoney, NothingThere (no money, or nobody to give it to).
        """
        actor = await self.outbox.staff.actor(admin_id, Right.MONEY)
        async with self.database.transaction() as tx:
            _, operation = await self._peek(tx, item_id)
            if player_id is None and operation is not None:
                player_id = operation.player_id
            found = None if player_id is None else await players.profile(tx, player_id)
            if player_id is None or found is None:
                raise NothingThere
            if found.player.telegram_id == admin_id:
                raise OwnMoney
            await returns.lock_players(tx, [player_id])
            item, amount = await self._lock_money(tx, item_id)
            theirs = operation if operation is not None and operation.player_id == player_id else None
            await accounts.open_wallet(tx, player_id, amount.currency)
            key, first = await reconciliation.next_credit_key(tx, item.provider, item.ref)
            await ledger.release(
                tx,
                item.provider,
                item.ref,
                amount,
                key=key,
                player_id=player_id,
                operation_id=theirs.id if theirs else None,
                actor=actor,
            )
            await reconciliation.settle(tx, item.id, Settlement.CREDITED, actor=actor)
            debtor = await returns.lock_player(tx, player_id, amount.currency)
            completed = await self._end_operation(tx, operation, theirs if first else None, item, amount, actor)
            if completed is not None:
                how = {"amount": amount, "balance": debtor.available}
                await self.outbox.tell(tx, self.payments.notice(completed, "deposit-credited", how))
            else:
                await self._tell_found(tx, item, debtor.chat_id, amount, debtor.available)
            await self._audit(tx, item, actor, Settlement.CREDITED, player_id=player_id, amount=amount)
        self.outbox.wake()
        return amount

    async def _end_operation(
        self,
        tx: Tx,
        operation: Operation | None,
        theirs: Operation | None,
        item: OddItem,
        amount: Money,
        actor: str,
    ) -> Operation | None:
        """What becomes of the deposit whose money was in suspense; the deposit when it is completed by it."""
        if operation is None or operation.payment_ref != item.ref:
            return None  # paid twice: the deposit has its own payment
        waits = operation.status is OperationStatus.REVIEW
        # It was given up when its money went back, and the money has come again.
        again = operation.status is OperationStatus.CANCELLED
        if theirs is not None and (waits or again) and amount.currency == operation.amount.currency:
            await reconciliation.complete_reviewed(tx, operation.id, amount, actor=actor)
            return operation
        if waits:
            await operations.close(tx, operation.id, OperationStatus.CANCELLED, reason="credited-apart", actor=actor)
        return None

    async def _tell_found(self, tx: Tx, item: OddItem, chat_id: int, amount: Money, balance: Money) -> None:
        shown = {"provider": item.provider, "amount": argument(amount), "balance": argument(balance)}
        key = f"money-found:{item.id}:{balance.minor}"
        await self.outbox.tell(tx, Notice(key, chat_id, "money-found", shown, priority=0))

    async def send_back(self, admin_id: int, item_id: int) -> ReturnedPayment:
        """Has the provider give back what lies in suspense. Answers how the refund stands.

        Raises NotFound, AlreadyDecided, NothingThere, ProviderUnavailable.
        """
        actor = await self.outbox.staff.actor(admin_id, Right.MONEY)
        async with self.database.transaction() as tx:
            _, operation = await self._peek(tx, item_id)
            if operation is not None:
                await returns.lock_players(tx, [operation.player_id])
            item, amount = await self._lock_money(tx, item_id)
            earlier = len(await returns.of_payment(tx, item.provider, item.ref))
            row = await self.returns.request(
                tx,
                uuid5(_NAMES, f"item:{item.id}:{earlier}"),
                item.provider,
                item.ref,
                amount,
                operation_id=operation.id if operation else None,
                player_id=None,
                actor=actor,
            )
            await reconciliation.settle(tx, item.id, Settlement.SENT_BACK, actor=actor)
            await self._audit(tx, item, actor, Settlement.SENT_BACK, player_id=None, amount=amount)
        return await self.returns.ask(row)

    async def close(self, admin_id: int, item_id: int, note: str) -> None:
        """Closes a difference; `note` (1 to 500 characters) says why it is none.

        Raises NotFound, AlreadyDecided, MoneyLiesThere, ReasonNeeded.
        """
        note = words.reason(note, LONGEST_NOTE)
        actor = await self.outbox.staff.actor(admin_id, Right.MONEY)
        async with self.database.transaction() as tx:
            await self._peek(tx, item_id)
            item = await self._lock(tx, item_id)
            if item.has_money and await reconciliation.in_suspense(tx, item.provider, item.ref):
                raise MoneyLiesThere
            await reconciliation.settle(tx, item.id, Settlement.CLOSED, actor=actor, note=note)
            await self._audit(tx, item, actor, Settlement.CLOSED, player_id=None, amount=None)
        self.outbox.wake()

    async def _peek(self, tx: Tx, item_id: int) -> tuple[OddItem, Operation | None]:
        """The item, unlocked, and its operation, locked: operations come before players and items."""
        item = await reconciliation.get(tx, item_id)
        if item is None:
            raise NotFound
        found = await operations.get(tx, item.operation_id) if item.operation_id else None
        if found is None:
            return item, None
        return item, await operations.lock(tx, found.provider, public_id=found.public_id, refs=())

    @staticmethod
    async def _lock(tx: Tx, item_id: int) -> OddItem:
        item = await reconciliation.lock(tx, item_id)
        if item is None:
            raise NotFound
        if item.settled is not None:
            raise AlreadyDecided(item.settled)
        return item

    async def _lock_money(self, tx: Tx, item_id: int) -> tuple[OddItem, Money]:
        item = await self._lock(tx, item_id)
        amount = await self._left(tx, item)
        if amount is None or amount.minor <= 0:
            raise NothingThere
        return item, amount

    @staticmethod
    async def _left(tx: Tx, item: OddItem) -> Money | None:
        """What can be decided about now: in suspense, and not asked to be sent back. None: nothing ever was."""
        amount = await reconciliation.in_suspense(tx, item.provider, item.ref) if item.has_money else None
        if amount is None:
            return None
        return amount - Money(await returns.asked_back(tx, item.provider, item.ref), amount.currency)

    @staticmethod
    async def _audit(
        tx: Tx, item: OddItem, actor: str, decision: Settlement, *, player_id: int | None, amount: Money | None
    ) -> None:
        await audit.write(
            tx,
            actor=actor,
            action="odd-money",
            status=decision,
            user_id=player_id,
            entity=("recon_item", item.id),
            amount=amount,
            details={"provider": item.provider, "ref": item.ref, "problem": item.problem},
        )

    # ---- comparing the lists

    async def by_timetable(self, name: ProviderName, back: timedelta) -> None:
        """A run by the clock; not when another process has just begun the same."""
        since = datetime.now(UTC) - back
        async with self.database.connection() as tx:
            if await reconciliation.ran_lately(tx, name, TIMETABLE, since, DOUBLED):
                return
        await self.run(name, since, actor=TIMETABLE)

    async def by_admin(
        self, admin_id: int, name: ProviderName, back: timedelta, progress: Progress | None = None
    ) -> ReconRun:
        """A run that an admin wants now. Raises ProviderUnavailable."""
        actor = await self.outbox.staff.actor(admin_id, Right.MONEY)
        since = datetime.now(UTC) - back
        async with self.database.connection() as tx:
            await audit.write(
                tx,
                actor=actor,
                action="reconciliation",
                status="begun",
                details={"provider": name, "since": since.isoformat()},
            )
        return await self.run(name, since, actor=actor, progress=progress)

    async def run(
        self, name: ProviderName, since: datetime, *, actor: str, progress: Progress | None = None
    ) -> ReconRun:
        """Compares a provider's lists since a moment with the ledger, and books what the ledger has not got.

        What still disagrees becomes an item. Several runs at once, and runs beside webhooks, are harmless. A provider
        that fails ends the run with its error; the next one mends the rest. `progress` is told how many lines have been
        seen. Raises ProviderUnavailable.
        """
        provider = self.providers.get(name)
        if provider is None:
            raise ProviderUnavailable(name)
        async with self.database.connection() as tx:
            run = await reconciliation.begin_run(tx, name, since, actor)
        look = _Run(self, provider, run, progress)
        error = None
        try:
            await look.lists()
            await look.unlisted()
        except ProviderError as failure:
            logger.warning("lists could not be read", extra={"provider": name, "reason": failure.reason})
            error = failure.reason
        async with self.database.transaction() as tx:
            new = [
                difference
                for difference in sorted(look.differences, key=lambda one: (one.ref, one.problem))
                if await reconciliation.open_difference(tx, name, difference) is not None
            ]
            await self._mend(tx, name, actor)
            if new:
                await self.outbox.tell_admins(
                    tx,
                    Right.MONEY,
                    f"admin-differences:{run.id}",
                    "admin-differences",
                    provider=name,
                    count=len(new),
                    id=run.id,
                )
            run = await reconciliation.end_run(
                tx,
                run.id,
                seen=look.seen,
                mended=look.mended,
                differences=len(look.differences),
                error=error,
            )
            if actor != TIMETABLE:
                counts = {"seen": run.seen, "mended": run.mended, "differences": run.differences, "error": error}
                await audit.write(
                    tx,
                    actor=actor,
                    action="reconcile",
                    status="failed" if error else "ok",
                    entity=("recon_run", run.id),
                    details={"provider": name, **counts},
                )
        self.outbox.wake()
        return run

    async def _mend(self, tx: Tx, name: ProviderName, actor: str) -> None:
        """Differences that are none any more need no admin."""
        found = await reconciliation.open_differences(tx, name)
        kinds = [kind for _, kind in found if kind is not None]
        refs = [item.ref for item, kind in found if kind is not None]
        still = {(one.ref, one.problem) for one in await reconciliation.disagreeing(tx, name, kinds, refs)}
        for item, kind in found:
            if kind is not None and (item.ref, item.problem) not in still:
                await reconciliation.settle(tx, item.id, Settlement.MENDED, actor=actor)

    async def runs(self) -> list[ReconRun]:
        """The last runs, newest first."""
        async with self.database.connection() as tx:
            return await reconciliation.runs(tx, RUNS)

    async def totals(self) -> list[DayTotal]:
        """What the lists and the ledger say of each of the last days (of UTC), by provider, newest first."""
        today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        async with self.database.transaction() as tx:
            return [
                total
                for name in self.providers
                for total in await reconciliation.daily_totals(tx, name, today - TOTALS)
            ]


class _Run:
    """One comparison on its way."""

    def __init__(
        self, service: Reconciliation, provider: PaymentProvider, run: ReconRun, progress: Progress | None
    ) -> None:
        self._service, self._provider, self._run, self._progress = service, provider, run, progress
        self._database = service.database
        self.seen = self.mended = 0
        self.differences: list[Difference] = []

    async def lists(self) -> None:
        """Reads the provider's lists, no transaction open, and compares them portion by portion."""
        portion: dict[tuple[str, str], Payment | Refund | Dispute] = {}
        async for news in self._provider.history(self._run.since):
            if (listed := _listed(news)) is None:
                continue
            portion[listed.kind, listed.ref] = news
            if len(portion) >= LISTED_AT_ONCE:
                await self._compare(portion)
                portion = {}
        await self._compare(portion)

    async def _compare(self, portion: Mapping[tuple[str, str], Payment | Refund | Dispute]) -> None:
        lines = [line for news in portion.values() if (line := _listed(news)) is not None]
        if not lines:
            return
        async with self._database.transaction() as tx:
            await reconciliation.keep_listed(tx, self._run.provider, lines)
        differing = await self._disagreeing(portion)
        # Payments before what takes them back.
        for one in sorted(differing, key=lambda one: one.kind != "payment"):
            await self._book(portion[one.kind, one.ref])
        if differing:
            left = await self._disagreeing(portion)
            self.mended += len({(one.kind, one.ref) for one in differing} - {(one.kind, one.ref) for one in left})
            self.differences += left
        self.seen += len(lines)
        if self._progress is not None:
            await self._progress(self.seen)

    async def _disagreeing(self, portion: Mapping[tuple[str, str], object]) -> list[Difference]:
        kinds, refs = [kind for kind, _ in portion], [ref for _, ref in portion]
        async with self._database.connection() as tx:
            return await reconciliation.disagreeing(tx, self._run.provider, kinds, refs)

    async def _book(self, news: Payment | Refund | Dispute) -> None:
        """The normal path, as if the provider's own event had brought it."""
        if not isinstance(news, Payment) and news.payment_ref is not None:
            async with self._database.connection() as tx:
                known = await returns.holder(tx, news.provider, news.payment_ref) is not None
            if not known:
                payment = await self._provider.fetch(news.payment_ref)
                if payment is not None and payment.state is PaymentState.SUCCEEDED:
                    await self._apply(payment)
        await self._apply(news)

    async def _apply(self, news: Payment | Refund | Dispute) -> None:
        try:
            async with self._database.transaction() as tx:
                await self._service.payments.apply(tx, news, actor="reconciliation")
        except accounts.LedgerRefusal:
            # It stays a difference, and the others are not held up.
            logger.exception("a listed line cannot be booked", extra={"provider": self._run.provider})

    async def unlisted(self) -> None:
        """What the ledger has and the lists did not name is asked for by name before it is called missing."""
        missing: list[Difference] = []
        settled_before = datetime.now(UTC) - SETTLING
        async with self._database.connection() as tx:
            begin, end = await reconciliation.journals_since(tx, self._run.since)
        for first in range(begin, end, JOURNALS_AT_ONCE):
            async with self._database.connection() as tx:
                missing += await reconciliation.unlisted(
                    tx,
                    self._run.provider,
                    journals=(first, first + JOURNALS_AT_ONCE),
                    since=self._run.since,
                    seen_after=self._run.started_at,
                    settled_before=settled_before,
                )
        if len(missing) > ASKED_FOR:
            logger.error("the list lacks too much to ask for each", extra={"count": len(missing)})
            self.differences += missing[ASKED_FOR:]
        for one in missing[:ASKED_FOR]:
            found = await self._ask_for(one)
            if found is None:
                self.differences.append(one)
            else:
                await self._compare({(one.kind, one.ref): found})

    async def _ask_for(self, one: Difference) -> Payment | Refund | None:
        match one.kind:
            case "payment":
                payment = await self._provider.fetch(one.ref)
                return payment if payment is not None and payment.payment_ref == one.ref else None
            case "refund":
                return await self._provider.fetch_refund(one.ref)
            case _:
                return None


def _listed(news: Payment | Refund | Dispute) -> Listed | None:
    """A line of a list as it is kept; None: nothing of ours, or nobody has paid yet."""
    if not news.ours:
        return None
    match news:
        case Payment():
            if news.payment_ref is None:
                return None
            return Listed("payment", news.payment_ref, news.payment_ref, news.state, news.amount, news.occurred_at)
        case Refund():
            return Listed("refund", news.ref, news.payment_ref, news.state, news.amount, news.occurred_at)
        case Dispute():
            return Listed("dispute", news.ref, news.payment_ref, news.state, news.amount, news.occurred_at)
