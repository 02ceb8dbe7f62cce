"""Withdrawals: from a player's wish, whose money is held at once, through the admins' hands to its end."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import assert_never

from db import audit, methods, players, wallets, withdrawals
from db.database import Database, Tx
from db.ledger import Overdraft, WalletNotOpen
from db.models import OperationStatus, Player, Standing, Verification, Wallet, Withdrawal, WithdrawalMethod
from db.money import CURRENCIES, Money
from db.outbox import Notice
from services import ledger, words
from services.destinations import refuse_card_number
from services.errors import (
    AlreadyDecided,
    AmountTooLarge,
    AmountTooSmall,
    AnotherPays,
    BadReference,
    CommentTooLong,
    DailyLimitReached,
    DestinationUnreadable,
    MethodCooling,
    MethodNotVerified,
    MethodRejected,
    MethodWrongCurrency,
    NotEnoughMoney,
    NotFound,
    OwnMoney,
    PlayerFrozen,
    PlayerIsFrozen,
    ProviderRejected,
    ProviderUnknown,
    ReferenceUsed,
    RulesNotAccepted,
    SecondAdminNeeded,
)
from services.methods import Methods
from services.outbox import Argument, Outbox, argument
from services.providers import Payout, PayoutOrder, PayoutProvider, PayoutState
from services.providers.manual import Manual
from services.staff import Right, spoken

logger = logging.getLogger(__name__)

USUAL_HOURS = 24
"""What players are told to expect."""
DAY = timedelta(hours=24)
# Who opened a destination has this long to pay before another admin is shown it: two would pay it twice.
PAYING = timedelta(minutes=15)
# An admin's button is not kept waiting longer; the tick goes on with the same order.
PATIENCE = 20.0
# Between two questions about one payout; longer than PATIENCE, so that one process asks at a time.
ASK_AGAIN = timedelta(seconds=60)
BATCH = 20
REMIND_AFTER, REMIND_AGAIN = timedelta(hours=4), timedelta(hours=24)
PAGE = 8
NEW_ACCOUNT, NEW_METHOD = timedelta(days=7), timedelta(days=3)
_ON_ITS_WAY = (OperationStatus.SENDING, OperationStatus.UNKNOWN)


@dataclass(frozen=True, slots=True)
class WithdrawalLimits:
    minimum: Money
    maximum: Money
    daily: Money
    """In any 24 hours, counting everything that was not rejected and did not fail."""
    single_admin: Money
    """Above it two different admins have to agree, to a withdrawal and to a correction by hand."""


DEFAULT_LIMITS: Mapping[str, WithdrawalLimits] = {
    code: WithdrawalLimits(*(Money(units * 10**currency.exponent, code) for units in (10, 100_000, 50_000, 10_000)))
    for code, currency in CURRENCIES.items()
}


@dataclass(frozen=True, slots=True)
class Quote:
    """What a player can ask for from one wallet now."""

    available: Money
    minimum: Money
    maximum: Money
    """The least of what there is, what may be asked for at once, and what is left of the 24 hours; may be below the
    minimum, when nothing can be asked for."""
    left: Money
    """Of the limit of 24 hours."""
    presets: Sequence[Money]

    @property
    def possible(self) -> bool:
        return self.maximum >= self.minimum


class Risk(StrEnum):
    """What an admin should look at twice; the text of each has the id `admin-risk-<word>`."""

    FROZEN = "frozen"
    DEBT = "debt"
    DISPUTED = "disputed"
    SHARED = "shared"
    UNEXPLAINED = "unexplained"
    """More than was ever deposited and won."""
    FIRST = "first"
    NEW_ACCOUNT = "new-account"
    NEW_METHOD = "new-method"
    NO_BETS = "no-bets"
    """None since the last deposit."""
    LITTLE_PLAY = "little-play"
    """Staked less than deposited."""
    NEAR_LIMIT = "near-limit"
    """More than 80 % of the limit of 24 hours."""


@dataclass(frozen=True, slots=True)
class Case:
    """All that an admin is shown of a withdrawal."""

    withdrawal: Withdrawal
    standing: Standing
    risks: Sequence[Risk]
    approvals_needed: int


@dataclass(frozen=True, slots=True)
class Queue:
    """Withdrawals that wait, a page of them, oldest first."""

    withdrawals: Sequence[Withdrawal]
    count: int
    """How many there are on all pages."""
    methods: int
    """How many methods wait to be verified."""
    next: int | None
    """What the next page comes after; None: this is the last."""


@dataclass(frozen=True, slots=True)
class Withdrawals:
    database: Database
    outbox: Outbox
    methods: Methods
    payouts: PayoutProvider
    limits: Mapping[str, WithdrawalLimits]

    # ---- what a player does

    async def wallets(self, player: Player) -> list[Wallet]:
        """Those with something to withdraw. Raises PlayerFrozen."""
        self._check_may(player)
        async with self.database.connection() as tx:
            return [wallet for wallet in await wallets.balances(tx, player.id) if wallet.available.minor > 0]

    async def open(self, player: Player) -> list[Withdrawal]:
        """What the player waits for, oldest first."""
        async with self.database.connection() as tx:
            return await withdrawals.open_of(tx, player.id)

    async def usable_methods(self, player: Player, currency: str) -> list[WithdrawalMethod]:
        """Where this wallet can be paid out now, the default one first."""
        now = datetime.now(UTC)
        return [
            method
            for method in await self.methods.mine(player)
            if method.verification is Verification.VERIFIED
            and method.usable_at <= now
            and method.currency in (None, currency)
        ]

    async def quote(self, player: Player, method_id: int, currency: str) -> tuple[WithdrawalMethod, Quote]:
        """What can be asked for now. Raises PlayerFrozen, NotFound and the refusals of a method."""
        self._check_may(player)
        async with self.database.transaction() as tx:
            method = await self._method(tx, player, method_id, currency)
            available = await withdrawals.available(tx, player.id, currency)
            asked = await withdrawals.asked_since(tx, player.id, currency, DAY)
        limits = self.limits[currency]
        left = max(limits.daily - asked, Money(0, currency))
        maximum = min(available, limits.maximum, left)
        return method, Quote(available, limits.minimum, maximum, left, _presets(limits.minimum, maximum))

    def parse(self, quote: Quote, text: str) -> Money:
        """Reads an amount as typed. Raises NotAnAmount, AmountTooPrecise, AmountTooSmall, AmountTooLarge."""
        maximum = self.limits[quote.minimum.currency].maximum
        return words.amount(text, example=quote.minimum, minimum=quote.minimum, maximum=maximum)

    async def preview(self, player: Player, method_id: int, amount: Money) -> WithdrawalMethod:
        """The method of a request that would be accepted now. Raises what request() raises."""
        self._check_may(player)
        async with self.database.transaction() as tx:
            method = await self._method(tx, player, method_id, amount.currency)
            await self._check_amount(tx, player, amount)
        return method

    @staticmethod
    def comment(text: str) -> str:
        """A player's comment as typed. Raises CommentTooLong, FullCardNumber."""
        comment = words.line(text)
        refuse_card_number(comment)
        if not 1 <= len(comment) <= words.NOTE_LIMIT:
            raise CommentTooLong
        return comment

    async def request(
        self, player: Player, method_id: int, amount: Money, comment: str | None, *, request_key: str
    ) -> Withdrawal:
        """Asks for a withdrawal and holds its money, once per `request_key` (a double tap gets the same one).

        Raises RulesNotAccepted, PlayerFrozen, NotFound, MethodNotVerified, MethodRejected, MethodCooling,
        MethodWrongCurrency, AmountTooSmall, AmountTooLarge, NotEnoughMoney, DailyLimitReached, CommentTooLong and
        FullCardNumber.
        """
        if comment is not None:
            comment = self.comment(comment)
        try:
            async with self.database.transaction() as tx:
                withdrawal = await self._request(tx, player, method_id, amount, comment, request_key)
        except (Overdraft, WalletNotOpen) as error:  # spent between the look and the hold
            async with self.database.connection() as tx:
                available = await withdrawals.available(tx, player.id, amount.currency)
            raise NotEnoughMoney(available) from error
        self.outbox.wake()
        return withdrawal

    async def _request(
        self, tx: Tx, player: Player, method_id: int, amount: Money, comment: str | None, request_key: str
    ) -> Withdrawal:
        # Under this lock the player's requests come one after another, so the sum below counts all of them.
        current = await players.lock(tx, player.id)
        if current is None:
            raise NotFound
        request_key = f"withdrawal:{request_key}"  # a deposit's wishes are kept in the same place
        known = await withdrawals.wished(tx, player.id, request_key)
        if known is not None:
            return known
        self._check_may(current)
        method = await self._method(tx, player, method_id, amount.currency)
        await self._check_amount(tx, player, amount)
        withdrawal = await withdrawals.create(
            tx,
            player_id=player.id,
            language=player.language,
            provider=self.payouts.name,
            amount=amount,
            method_id=method.id,
            comment=comment,
            request_key=request_key,
        )
        await ledger.hold_withdrawal(tx, withdrawal, actor="player")
        await self.outbox.tell(tx, self._told(withdrawal, "withdrawal-requested", hours=USUAL_HOURS))
        await self.outbox.tell_admins(
            tx,
            Right.PAY,
            f"admin-withdrawal-requested:{withdrawal.id}",
            "admin-withdrawal-requested",
            id=withdrawal.id,
            amount=amount,
            method=method.masked,
        )
        return withdrawal

    @staticmethod
    def _check_may(player: Player) -> None:
        if player.accepted_at is None:
            raise RulesNotAccepted
        if player.frozen_at is not None:
            raise PlayerFrozen

    @staticmethod
    async def _method(tx: Tx, player: Player, method_id: int, currency: str) -> WithdrawalMethod:
        method = await methods.get(tx, method_id)
        if method is None or method.player_id != player.id or not method.is_active:
            raise NotFound
        if method.verification is Verification.PENDING:
            raise MethodNotVerified
        if method.verification is Verification.REJECTED:
            raise MethodRejected
        if method.usable_at > datetime.now(UTC):
            raise MethodCooling(method.usable_at)
        if method.currency not in (None, currency):
            raise MethodWrongCurrency(method.currency or "")
        return method

    async def _check_amount(self, tx: Tx, player: Player, amount: Money) -> None:
        limits = self.limits[amount.currency]
        if amount < limits.minimum:
            raise AmountTooSmall(limits.minimum)
        if amount > limits.maximum:
            raise AmountTooLarge(limits.maximum)
        available = await withdrawals.available(tx, player.id, amount.currency)
        if amount > available:
            raise NotEnoughMoney(available)
        asked = await withdrawals.asked_since(tx, player.id, amount.currency, DAY)
        if asked + amount > limits.daily:
            raise DailyLimitReached(limits.daily, max(limits.daily - asked, Money(0, amount.currency)))

    # ---- what admins see; `admin` is a Telegram id

    async def queue(self, after: int = 0) -> Queue:
        """What waits for admins or for a payment, a page beyond the withdrawal `after`."""
        async with self.database.transaction() as tx:
            found = await withdrawals.queue(tx, after=after, limit=PAGE + 1)
            count = await withdrawals.count_queue(tx)
            pending = await methods.count_pending(tx)
        page = found[:PAGE]
        return Queue(page, count, pending, page[-1].id if len(found) > PAGE else None)

    async def case(self, withdrawal_id: int) -> Case:
        """Raises NotFound."""
        async with self.database.transaction() as tx:
            withdrawal = await withdrawals.get(tx, withdrawal_id)
            if withdrawal is None:
                raise NotFound
            standing = await withdrawals.standing(tx, withdrawal, DAY)
            needed = await self._needed(tx, withdrawal)
        sharers = await self.methods.sharers(withdrawal.method_id)
        return Case(withdrawal, standing, self._risks(withdrawal, standing, sharers), needed)

    def _risks(self, withdrawal: Withdrawal, standing: Standing, sharers: Sequence[int]) -> list[Risk]:
        asked = withdrawal.created_at
        marks = {
            Risk.FROZEN: standing.frozen_reason is not None,
            Risk.DEBT: standing.owed.minor > 0,
            Risk.DISPUTED: standing.disputed > 0,
            Risk.SHARED: bool(sharers),
            Risk.UNEXPLAINED: standing.withdrawn + standing.held > standing.deposited + standing.won,
            Risk.FIRST: standing.paid_out == 0,
            Risk.NEW_ACCOUNT: asked - standing.since < NEW_ACCOUNT,
            Risk.NEW_METHOD: asked - standing.method_since < NEW_METHOD,
            Risk.NO_BETS: not standing.bets_since_deposit,
            Risk.LITTLE_PLAY: standing.bets_since_deposit and standing.bet < standing.deposited,
            Risk.NEAR_LIMIT: standing.last_day.minor * 10 > self.limits[withdrawal.amount.currency].daily.minor * 8,
        }
        return [risk for risk, marked in marks.items() if marked]

    async def _needed(self, tx: Tx, withdrawal: Withdrawal) -> int:
        """How many admins have to agree. What was asked for in the day before counts too: parts do not get round it."""
        asked = await withdrawals.asked_up_to(tx, withdrawal, DAY)
        return 2 if asked > self.limits[asked.currency].single_admin else 1

    async def destination(self, admin: int, withdrawal_id: int) -> Mapping[str, str]:
        """Where to pay, for the admin who is about to; who looked is kept.

        Raises NotFound, AlreadyDecided unless it is to be sent now, PlayerIsFrozen, AnotherPays, DestinationUnreadable.
        """
        actor = await self.outbox.staff.actor(admin, Right.PAY)
        async with self.database.transaction() as tx:
            withdrawal = await self._locked(tx, withdrawal_id)
            if withdrawal.status not in _ON_ITS_WAY:
                raise AlreadyDecided(withdrawal.status)
            await self._refuse_frozen(tx, withdrawal)
            other = await withdrawals.shown_to_another(tx, withdrawal.id, actor, PAYING)
            if other is not None:
                raise AnotherPays(other.removeprefix("admin:"), int(PAYING.total_seconds() // 60))
            fields = await self.methods.unseal(tx, withdrawal.method_id)
            await audit.write(
                tx,
                actor=actor,
                action="destination-shown",
                status="shown",
                user_id=withdrawal.player_id,
                entity=("operation", withdrawal.id),
                details={"method": withdrawal.method},
            )
        return fields

    # ---- what admins do

    async def approve(self, admin: int, withdrawal_id: int) -> Withdrawal:
        """Agrees to a withdrawal; once enough admins have, it goes to the payout provider. Answers how it stands.

        Raises NotFound, AlreadyDecided, OwnMoney, PlayerIsFrozen, SecondAdminNeeded when this admin has agreed before.
        """
        actor = await self.outbox.staff.actor(admin, Right.PAY)
        async with self.database.transaction() as tx:
            withdrawal = await self._locked(tx, withdrawal_id)
            if withdrawal.status is not OperationStatus.REVIEW:
                raise AlreadyDecided(withdrawal.status)
            if withdrawal.chat_id == admin:
                raise OwnMoney
            await self._refuse_frozen(tx, withdrawal)
            if not await withdrawals.agree(tx, withdrawal.id, admin):
                raise SecondAdminNeeded(spoken(await self._others(tx, withdrawal.approvals)))
            # Who is no admin any more has no say any more.
            entitled = await self.outbox.staff.entitled(tx, Right.PAY)
            agreed = (*(other for other in withdrawal.approvals if other in entitled), admin)
            if len(agreed) < await self._needed(tx, withdrawal):
                await self._ask_second(tx, withdrawal, actor, agreed)
                withdrawal, order = await self._locked(tx, withdrawal.id), None
            else:
                # In one step with its going out: between the two nobody else could still reject it.
                withdrawal = await withdrawals.move(
                    tx, withdrawal.id, OperationStatus.APPROVED, actor=actor, next_check=ASK_AGAIN
                )
                withdrawal, order = await self._order(tx, withdrawal)
        self.outbox.wake()
        return await self._dispatch(withdrawal, order)

    async def _others(self, tx: Tx, agreed: Sequence[int]) -> list[int]:
        """Admins whose agreement would still count."""
        return [other for other in await self.outbox.staff.entitled(tx, Right.PAY) if other not in agreed]

    async def _ask_second(self, tx: Tx, withdrawal: Withdrawal, actor: str, agreed: Sequence[int]) -> None:
        await audit.write(
            tx,
            actor=actor,
            action="withdrawal-agreed",
            status="review",
            user_id=withdrawal.player_id,
            entity=("operation", withdrawal.id),
            amount=withdrawal.amount,
        )
        shown = {"id": argument(withdrawal.id), "amount": argument(withdrawal.amount), "admin": agreed[-1]}
        notices = [
            Notice(f"admin-withdrawal-second:{withdrawal.id}:{other}", other, "admin-withdrawal-second", shown)
            for other in await self._others(tx, agreed)
        ]
        if notices:
            await self.outbox.tell(tx, *notices)

    async def reject(self, admin: int, withdrawal_id: int, note: str) -> Withdrawal:
        """Refuses a withdrawal that was not sent: the money is the player's again, who is told why.

        Raises NotFound, AlreadyDecided, ReasonNeeded.
        """
        actor, note = await self.outbox.staff.actor(admin, Right.PAY), words.reason(note, words.NOTE_LIMIT)
        async with self.database.transaction() as tx:
            withdrawal = await self._locked(tx, withdrawal_id)
            if withdrawal.status not in (OperationStatus.REVIEW, OperationStatus.APPROVED):
                raise AlreadyDecided(withdrawal.status)
            withdrawal = await self._give_back(
                tx, withdrawal, OperationStatus.CANCELLED, "withdrawal-cancelled", actor=actor, note=note
            )
        self.outbox.wake()
        return withdrawal

    async def fail(self, admin: int, withdrawal_id: int, note: str) -> Withdrawal:
        """Says that a payment did not go through: the money is the player's again, who is told why.

        Raises NotFound, AlreadyDecided, OwnMoney, ReasonNeeded.
        """
        actor, note = await self.outbox.staff.actor(admin, Right.PAY), words.reason(note, words.NOTE_LIMIT)
        async with self.database.transaction() as tx:
            withdrawal = await self._locked(tx, withdrawal_id)
            if withdrawal.status not in _ON_ITS_WAY:
                raise AlreadyDecided(withdrawal.status)
            if withdrawal.chat_id == admin:
                raise OwnMoney
            withdrawal = await self._give_back(
                tx, withdrawal, OperationStatus.FAILED, "withdrawal-failed", actor=actor, note=note
            )
        self.outbox.wake()
        return withdrawal

    @staticmethod
    def reference(text: str) -> str:
        """The reference of a payment as typed. Raises BadReference."""
        reference = text.strip()
        if not 3 <= len(reference) <= 100 or not reference.isprintable():
            raise BadReference
        return reference

    async def sent(self, admin: int, withdrawal_id: int, reference: str) -> Withdrawal:
        """Says that the money was sent, under a reference that no other payment has.

        Raises NotFound, AlreadyDecided, BadReference, ReferenceUsed.
        """
        actor, reference = await self.outbox.staff.actor(admin, Right.PAY), self.reference(reference)
        async with self.database.transaction() as tx:
            withdrawal = await self._locked(tx, withdrawal_id)
            if withdrawal.status not in _ON_ITS_WAY:
                raise AlreadyDecided(withdrawal.status)
            withdrawal = await self._complete(tx, withdrawal, reference, actor=actor)
        self.outbox.wake()
        return withdrawal

    @staticmethod
    async def _locked(tx: Tx, withdrawal_id: int) -> Withdrawal:
        withdrawal = await withdrawals.lock(tx, withdrawal_id)
        if withdrawal is None:
            raise NotFound
        return withdrawal

    @staticmethod
    async def _refuse_frozen(tx: Tx, withdrawal: Withdrawal) -> None:
        player = await players.lock(tx, withdrawal.player_id)
        if player is None or player.frozen_at is not None:
            raise PlayerIsFrozen

    # ---- sending, and how a withdrawal ends

    async def resume(self) -> None:
        """Goes on with what a crash or a lost answer left: sends what is approved, asks again about what is unknown."""
        while True:
            async with self.database.connection() as tx:
                due = await withdrawals.claim_due(tx, [Manual.name, self.payouts.name], ASK_AGAIN, BATCH)
            for withdrawal_id in due:
                await self._send(withdrawal_id)
            if len(due) < BATCH:
                return

    async def _send(self, withdrawal_id: int) -> Withdrawal:
        """Hands out the same order again, or for the first time when it could not be before."""
        async with self.database.transaction() as tx:
            withdrawal, order = await self._order(tx, await self._locked(tx, withdrawal_id))
        self.outbox.wake()
        return await self._dispatch(withdrawal, order)

    async def _order(self, tx: Tx, withdrawal: Withdrawal) -> tuple[Withdrawal, PayoutOrder | None]:
        """The order, and the row says that it goes out. None: it must not."""
        if withdrawal.status not in (OperationStatus.APPROVED, *_ON_ITS_WAY) or self._payer(withdrawal) is None:
            return withdrawal, None
        player = await players.lock(tx, withdrawal.player_id)
        if player is None or player.frozen_at is not None:
            return withdrawal, None
        try:
            destination = await self.methods.unseal(tx, withdrawal.method_id)
        except DestinationUnreadable:
            logger.error("destination cannot be decrypted", extra={"operation": withdrawal.id})
            await self._warn(tx, withdrawal, "admin-withdrawal-unreadable")
            return withdrawal, None
        if withdrawal.status is OperationStatus.APPROVED:
            withdrawal = await withdrawals.move(
                tx,
                withdrawal.id,
                OperationStatus.SENDING,
                actor=f"payout:{withdrawal.provider}",
                next_check=ASK_AGAIN,
            )
            await self.outbox.tell(tx, self._told(withdrawal, "withdrawal-approved"))
        return withdrawal, PayoutOrder(withdrawal.public_id, withdrawal.amount, destination)

    def _payer(self, withdrawal: Withdrawal) -> PayoutProvider | None:
        """The one it was asked for under; None: it is not set up any more, and an admin has to end it."""
        if withdrawal.provider == self.payouts.name:
            return self.payouts
        return Manual() if withdrawal.provider == Manual.name else None

    async def _dispatch(self, withdrawal: Withdrawal, order: PayoutOrder | None) -> Withdrawal:
        """Hands an order to the payout provider and keeps what it answers. Answers how the withdrawal stands."""
        payer = self._payer(withdrawal)
        if order is None or payer is None:
            return withdrawal
        try:
            async with asyncio.timeout(PATIENCE):
                payout = await payer.send(order)
        except (ProviderUnknown, TimeoutError) as error:
            logger.warning("payout is uncertain", extra={"operation": withdrawal.id, "reason": str(error)})
            return await self._uncertain(withdrawal.id)
        except ProviderRejected as error:
            logger.warning("payout was refused", extra={"operation": withdrawal.id, "reason": error.reason})
            payout = Payout(PayoutState.FAILED, ref=None)
        return await self._answered(withdrawal.id, payout)

    async def _uncertain(self, withdrawal_id: int) -> Withdrawal:
        """It may have been sent, so its money stays held until somebody knows."""
        async with self.database.transaction() as tx:
            withdrawal = await self._locked(tx, withdrawal_id)
            if withdrawal.status in _ON_ITS_WAY:
                withdrawal = await withdrawals.move(
                    tx,
                    withdrawal.id,
                    OperationStatus.UNKNOWN,
                    actor=f"payout:{withdrawal.provider}",
                    next_check=ASK_AGAIN,
                )
                await self._warn(tx, withdrawal, "admin-withdrawal-unknown")
        self.outbox.wake()
        return withdrawal

    async def _answered(self, withdrawal_id: int, payout: Payout) -> Withdrawal:
        try:
            async with self.database.transaction() as tx:
                withdrawal = await self._settle(tx, await self._locked(tx, withdrawal_id), payout)
        except ReferenceUsed as error:
            # Two orders under one reference: nobody can say which of them was paid.
            logger.error("reference repeated", extra={"operation": withdrawal_id, "other": error.id})
            return await self._uncertain(withdrawal_id)
        self.outbox.wake()
        return withdrawal

    async def _settle(self, tx: Tx, withdrawal: Withdrawal, payout: Payout) -> Withdrawal:
        open_still = withdrawal.status in _ON_ITS_WAY
        match payout.state:
            case PayoutState.SENT:
                reference = payout.ref or str(withdrawal.public_id)
                if open_still:
                    return await self._complete(tx, withdrawal, reference, actor=f"payout:{withdrawal.provider}")
                if withdrawal.reference != reference:  # an admin was faster, and had another word for it
                    await self._warn(tx, withdrawal, "admin-withdrawal-paid-anyway")
            case PayoutState.FAILED if open_still:
                return await self._give_back(
                    tx, withdrawal, OperationStatus.FAILED, "withdrawal-refused", actor=f"payout:{withdrawal.provider}"
                )
            case PayoutState.PENDING if open_still:
                # By hand there is nothing to ask: an admin will say how it went.
                pause = None if withdrawal.provider == Manual.name else ASK_AGAIN
                return await withdrawals.move(
                    tx, withdrawal.id, OperationStatus.SENDING, actor=f"payout:{withdrawal.provider}", next_check=pause
                )
            case PayoutState.FAILED | PayoutState.PENDING:
                pass
            case _:
                assert_never(payout.state)
        return withdrawal

    async def _complete(self, tx: Tx, withdrawal: Withdrawal, reference: str, *, actor: str) -> Withdrawal:
        other = await withdrawals.user_of(tx, withdrawal, reference)
        if other is not None:
            raise ReferenceUsed(other)
        await ledger.pay_withdrawal(tx, withdrawal, actor=actor)
        withdrawal = await withdrawals.complete(tx, withdrawal.id, reference=reference, actor=actor)
        await self.outbox.tell(tx, self._told(withdrawal, "withdrawal-completed", reference=reference))
        return withdrawal

    async def _give_back(
        self,
        tx: Tx,
        withdrawal: Withdrawal,
        status: OperationStatus,
        text_id: str,
        *,
        actor: str,
        note: str | None = None,
    ) -> Withdrawal:
        await ledger.release_withdrawal(tx, withdrawal, actor=actor)
        withdrawal = await withdrawals.move(tx, withdrawal.id, status, actor=actor, note=note)
        available = await withdrawals.available(tx, withdrawal.player_id, withdrawal.amount.currency)
        arguments: dict[str, Argument] = (
            {"balance": available} if note is None else {"balance": available, "note": note}
        )
        told = self._told(withdrawal, text_id, key=f"withdrawal-{status}", **arguments)
        await self.outbox.tell(tx, told)
        return withdrawal

    async def _warn(self, tx: Tx, withdrawal: Withdrawal, text_id: str) -> None:
        await self.outbox.tell_admins(
            tx,
            Right.PAY,
            f"{text_id}:{withdrawal.id}",
            text_id,
            id=withdrawal.id,
            amount=withdrawal.amount,
            method=withdrawal.method,
        )

    @staticmethod
    def _told(withdrawal: Withdrawal, text_id: str, *, key: str | None = None, **arguments: Argument) -> Notice:
        """News of a withdrawal for its player, once for each key."""
        shown: dict[str, Argument] = {
            "id": withdrawal.id,
            "amount": withdrawal.amount,
            "method": withdrawal.method,
            **arguments,
        }
        return Notice(
            f"{key or text_id}:{withdrawal.id}",
            withdrawal.chat_id,
            text_id,
            {name: argument(value) for name, value in shown.items()},
            priority=0,
        )

    # ---- waiting

    async def remind(self) -> None:
        """Tells the admins of withdrawals that wait for them for hours, and then each day again."""
        async with self.database.transaction() as tx:
            late = await withdrawals.remind(tx, first=REMIND_AFTER, again=REMIND_AGAIN)
            if late:
                await self.outbox.tell_admins(
                    tx,
                    Right.PAY,
                    f"admin-withdrawals-wait:{late[0].id}:{datetime.now(UTC).isoformat()}",
                    "admin-withdrawals-wait",
                    count=len(late),
                    id=late[0].id,
                    amount=late[0].amount,
                    since=late[0].created_at,
                )
        self.outbox.wake()


def _presets(minimum: Money, maximum: Money) -> list[Money]:
    """A quarter, a half, all of what can be asked for: different, and none of them too small."""
    parts = (Money(maximum.minor // share, maximum.currency) for share in (4, 2, 1))
    unit = 10 ** CURRENCIES[maximum.currency].exponent
    rounded = [part if part == maximum else Money(part.minor // unit * unit, part.currency) for part in parts]
    return sorted({part.minor: part for part in rounded if part >= minimum}.values(), key=lambda part: part.minor)
