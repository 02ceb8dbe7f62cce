"""Adjustments: money given or taken by an admin's hand, with a reason, and above a limit with a second admin."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import assert_never

from db import adjustments, audit, players, wallets
from db import ledger as accounts
from db.database import Database, Tx
from db.ledger import Malformed, Overdraft
from db.models import Adjustment, AdjustmentStatus, Player
from db.money import CURRENCIES, AmountProblem, InvalidAmount, Money
from db.outbox import Notice
from services import ledger, words
from services.errors import (
    AlreadyDecided,
    AmountTooLarge,
    AmountTooPrecise,
    MoreThanAvailable,
    NotAChange,
    NotFound,
    OwnMoney,
    OwnProposal,
    ProposerGone,
)
from services.outbox import Outbox, argument
from services.staff import Right
from services.withdrawals import DAY, WithdrawalLimits

SHOWN = 20
"""So many waiting corrections are listed at once, the oldest."""
# Far below what a bigint holds, so that no wallet can be filled to its brim by a slip of the finger.
_LARGEST = 10**15
_MINUS = "-−–"


@dataclass(frozen=True, slots=True)
class Draft:
    """A correction that was typed and not yet confirmed."""

    reason: str
    available: Money
    """What the player may spend now; `after`: and then."""
    after: Money
    needs_second: bool


@dataclass(frozen=True, slots=True)
class Adjustments:
    database: Database
    outbox: Outbox
    limits: Mapping[str, WithdrawalLimits]

    def parse(self, currency: str, text: str) -> Money:
        """Reads a change as typed, always with its sign: `+50`, `-20,50`. Raises NotAChange, AmountTooPrecise,
        AmountTooLarge."""
        if currency not in CURRENCIES:
            raise NotFound
        example = Money(50 * 10 ** CURRENCIES[currency].exponent, currency)
        sign, digits = text.strip()[:1], text.strip()[1:]
        if not sign or sign not in "+" + _MINUS:
            raise NotAChange(example)
        try:
            amount = Money.parse(digits, currency)
        except InvalidAmount as error:
            match error.problem:
                case AmountProblem.NOT_A_NUMBER | AmountProblem.NOT_POSITIVE:
                    raise NotAChange(example) from error
                case AmountProblem.TOO_PRECISE:
                    raise AmountTooPrecise(example) from error
                case AmountProblem.TOO_LARGE:
                    raise AmountTooLarge(Money(_LARGEST, currency)) from error
                case _:
                    assert_never(error.problem)
        if amount.minor > _LARGEST:
            raise AmountTooLarge(Money(_LARGEST, currency))
        return amount if sign == "+" else -amount

    async def _needs_second(self, tx: Tx, player_id: int, amount: Money) -> bool:
        """Whether another admin has to agree. What was corrected in the last day counts too: parts are no way round."""
        done = await adjustments.posted_since(tx, player_id, amount.currency, DAY)
        return done.minor + abs(amount.minor) > self.limits[amount.currency].single_admin.minor

    async def draft(self, player_id: int, amount: Money, reason: str) -> Draft:
        """Looks whether it can be done, before it is confirmed. Raises NotFound, ReasonNeeded, MoreThanAvailable."""
        why = words.reason(reason)
        async with self.database.connection() as tx:
            if await players.profile(tx, player_id) is None:
                raise NotFound
            available = await _spendable(tx, player_id, amount.currency)
            needs_second = await self._needs_second(tx, player_id, amount)
        if (available + amount).minor < 0:
            raise MoreThanAvailable(available)
        return Draft(why, available, available + amount, needs_second)

    async def propose(self, admin: int, player_id: int, amount: Money, *, reason: str, request_key: str) -> Adjustment:
        """Gives (plus) or takes (minus) at once, or above the limit when another admin agrees; once per `request_key`
        of an admin.

        `admin` is a Telegram id. Raises NotFound, OwnMoney, ReasonNeeded, NotAChange, AmountTooLarge,
        MoreThanAvailable, and AlreadyDecided when the key was used for something else.
        """
        actor = await self.outbox.staff.actor(admin, Right.MONEY)
        reason = words.reason(reason)
        if not amount:
            raise NotAChange(self.limits[amount.currency].minimum)
        if abs(amount.minor) > _LARGEST:
            raise AmountTooLarge(Money(_LARGEST, amount.currency))
        key = f"{admin}:{request_key}"
        try:
            async with self.database.transaction() as tx:
                player = await players.lock(tx, player_id)
                if player is None:
                    raise NotFound
                if player.telegram_id == admin:
                    raise OwnMoney
                proposed = await adjustments.propose(tx, player.id, amount, reason=reason, request_key=key, admin=admin)
                if proposed is None:
                    return _same(await adjustments.wished(tx, key), player, amount, reason)
                await _write(tx, proposed, admin)
                if await self._needs_second(tx, player.id, amount):
                    await self._enough(tx, proposed)
                    await self._ask_others(tx, proposed, player)
                    result = proposed
                else:
                    result = await self._post(tx, proposed, player, admin, actor)
        except (Overdraft, Malformed) as error:
            raise await self._refusal(player_id, amount, error) from error
        self.outbox.wake()
        return result

    async def agree(self, admin: int, adjustment_id: int) -> Adjustment:
        """Posts what another admin proposed. Raises NotFound, OwnProposal, ProposerGone, OwnMoney, AlreadyDecided,
        and MoreThanAvailable or AmountTooLarge, after which it still waits."""
        actor = await self.outbox.staff.actor(admin, Right.MONEY)
        proposed: Adjustment | None = None
        try:
            async with self.database.transaction() as tx:
                proposed = await adjustments.lock(tx, adjustment_id)
                if proposed is None:
                    raise NotFound
                if proposed.status is not AdjustmentStatus.PROPOSED:
                    return _decided(proposed, AdjustmentStatus.POSTED, admin)
                if proposed.proposed_by == admin:
                    raise OwnProposal
                if proposed.proposed_by not in await self.outbox.staff.entitled(tx, Right.MONEY):
                    raise ProposerGone
                player = await _owner(tx, proposed)
                if player.telegram_id == admin:
                    raise OwnMoney
                posted = await self._post(tx, proposed, player, admin, actor)
                await self._answer(tx, posted)
        except (Overdraft, Malformed) as error:
            if proposed is None:
                raise
            raise await self._refusal(proposed.player_id, proposed.amount, error) from error
        self.outbox.wake()
        return posted

    async def decline(self, admin: int, adjustment_id: int) -> Adjustment:
        """Closes a proposal without moving anything; its proposer may do that too. Raises NotFound, AlreadyDecided."""
        await self.outbox.staff.actor(admin, Right.MONEY)
        async with self.database.transaction() as tx:
            proposed = await adjustments.lock(tx, adjustment_id)
            if proposed is None:
                raise NotFound
            if proposed.status is not AdjustmentStatus.PROPOSED:
                return _decided(proposed, AdjustmentStatus.DECLINED, admin)
            declined = await adjustments.decide(tx, proposed.id, AdjustmentStatus.DECLINED, admin=admin)
            await _write(tx, declined, admin)
            await self._answer(tx, declined)
        self.outbox.wake()
        return declined

    async def waiting(self) -> list[Adjustment]:
        """What waits for another admin, oldest first."""
        async with self.database.connection() as tx:
            return await adjustments.waiting(tx, limit=SHOWN)

    async def count_waiting(self) -> int:
        async with self.database.connection() as tx:
            return await adjustments.count_waiting(tx)

    async def _post(self, tx: Tx, proposed: Adjustment, player: Player, admin: int, actor: str) -> Adjustment:
        """Moves the money, and tells the player. The player's row is locked."""
        await accounts.open_wallet(tx, proposed.player_id, proposed.amount.currency)
        await ledger.adjustment(tx, proposed, actor=actor)
        posted = await adjustments.decide(tx, proposed.id, AdjustmentStatus.POSTED, admin=admin)
        await _write(tx, posted, admin)
        await self.outbox.tell(
            tx,
            _notice(
                f"adjustment-posted:{posted.id}",
                player.telegram_id,
                "adjustment-posted",
                direction="credit" if posted.amount.minor > 0 else "debit",
                amount=Money(abs(posted.amount.minor), posted.amount.currency),
                balance=await _available(tx, posted),
                note=posted.reason,
            ),
        )
        return posted

    async def _enough(self, tx: Tx, proposed: Adjustment) -> None:
        """Nobody is asked to agree to what cannot be done."""
        available = await _available(tx, proposed)
        if (available + proposed.amount).minor < 0:
            raise MoreThanAvailable(available)

    async def _ask_others(self, tx: Tx, proposed: Adjustment, player: Player) -> None:
        await self.outbox.tell(
            tx,
            *(
                _notice(
                    f"admin-correction-asked:{proposed.id}:{admin}",
                    admin,
                    "admin-correction-asked",
                    id=proposed.id,
                    player=player.id,
                    amount=proposed.amount,
                    note=proposed.reason,
                    admin=proposed.proposed_by,
                )
                for admin in await self.outbox.staff.entitled(tx, Right.MONEY)
                if admin != proposed.proposed_by
            ),
        )

    async def _answer(self, tx: Tx, decided: Adjustment) -> None:
        """The proposer hears what the other admin decided."""
        if decided.decided_by is not None and decided.decided_by != decided.proposed_by:
            await self.outbox.tell(
                tx,
                _notice(
                    f"admin-correction-answered:{decided.id}",
                    decided.proposed_by,
                    "admin-correction-answered",
                    id=decided.id,
                    player=decided.player_id,
                    amount=decided.amount,
                    status=decided.status,
                    admin=decided.decided_by,
                ),
            )

    async def _refusal(self, player_id: int, amount: Money, error: Overdraft | Malformed) -> Exception:
        """What the ledger's refusal means to an admin; nothing was changed."""
        if isinstance(error, Malformed):
            return AmountTooLarge(Money(_LARGEST, amount.currency))
        async with self.database.connection() as tx:
            return MoreThanAvailable(await _spendable(tx, player_id, amount.currency))


async def _owner(tx: Tx, proposed: Adjustment) -> Player:
    player = await players.lock(tx, proposed.player_id)
    if player is None:
        raise LookupError("a correction belongs to a player")
    return player


async def _available(tx: Tx, adjustment: Adjustment) -> Money:
    return await _spendable(tx, adjustment.player_id, adjustment.amount.currency)


async def _spendable(tx: Tx, player_id: int, currency: str) -> Money:
    mine = {wallet.currency: wallet.available for wallet in await wallets.balances(tx, player_id)}
    return mine.get(currency, Money(0, currency))


async def _write(tx: Tx, adjustment: Adjustment, admin: int) -> None:
    await audit.write(
        tx,
        actor=f"admin:{admin}",
        action="adjustment",
        status=adjustment.status,
        user_id=adjustment.player_id,
        entity=("adjustment", adjustment.id),
        amount=adjustment.amount,
        details={"reason": adjustment.reason},
    )


def _same(known: Adjustment, player: Player, amount: Money, reason: str) -> Adjustment:
    """A press that came twice gets what the first one made."""
    if (known.player_id, known.amount, known.reason) != (player.id, amount, reason):
        raise AlreadyDecided(known.status)
    return known


def _decided(known: Adjustment, wanted: AdjustmentStatus, admin: int) -> Adjustment:
    """The same admin's press that came twice is no mistake; anybody else's, or another wish, comes too late."""
    if known.status is wanted and known.decided_by == admin:
        return known
    raise AlreadyDecided(known.status)


def _notice(key: str, chat_id: int, text_id: str, **arguments: Money | str | int) -> Notice:
    shown = {name: argument(value) for name, value in arguments.items()}
    return Notice(key, chat_id, text_id, shown, priority=0)
