"""Withdrawal methods: where a player can be paid, once an admin has verified it and its cooling time is over."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from db import audit, methods, players
from db.database import Database, Tx
from db.methods import Sealed
from db.models import MethodKind, Network, Player, Verification, WithdrawalMethod
from db.outbox import Notice
from services import words
from services.destinations import Destination, read
from services.errors import (
    AlreadyDecided,
    DestinationUnreadable,
    MethodInUse,
    NotFound,
    OwnMoney,
    RulesNotAccepted,
    TooManyMethods,
    TooManyNewMethods,
)
from services.outbox import Argument, Outbox, argument
from services.staff import Right
from services.vault import KeyMissing, Vault

ACTIVE_LIMIT = 10
ADDED_LIMIT = 20
"""In any 24 hours, removed ones among them: the admins are told of each."""
PAGE = 8


@dataclass(frozen=True, slots=True)
class Waiting:
    """Methods to verify: a page of them, oldest first."""

    methods: Sequence[WithdrawalMethod]
    count: int
    """How many there are on all pages."""
    next: int | None
    """What the next page comes after; None: this is the last."""


@dataclass(frozen=True, slots=True)
class Methods:
    database: Database
    outbox: Outbox
    vault: Vault
    cooling: timedelta

    # ---- what a player does

    async def mine(self, player: Player) -> list[WithdrawalMethod]:
        """The player's own, the default one first."""
        async with self.database.connection() as tx:
            return await methods.of_player(tx, player.id)

    async def own(self, player: Player, method_id: int) -> WithdrawalMethod:
        """Raises NotFound, also for another player's and for one that was removed."""
        async with self.database.connection() as tx:
            return await self._own(tx, player, method_id)

    async def add(self, player: Player, kind: MethodKind, network: Network | None, text: str) -> WithdrawalMethod:
        """Keeps a destination as typed; the same one again is the same method. It waits for an admin and cools.

        Raises RulesNotAccepted, TooManyMethods, TooManyNewMethods, and whatever services.destinations.read refuses.
        """
        if player.accepted_at is None:
            raise RulesNotAccepted
        destination = read(kind, network, text)
        fingerprints = self.vault.fingerprints(destination.identity)
        async with self.database.transaction() as tx:
            await players.lock(tx, player.id)
            known = await methods.same(tx, player.id, fingerprints)
            if known is not None:
                return known
            active = await methods.of_player(tx, player.id)
            if len(active) >= ACTIVE_LIMIT:
                raise TooManyMethods(ACTIVE_LIMIT)
            if await methods.count_added(tx, player.id, timedelta(hours=24)) >= ADDED_LIMIT:
                raise TooManyNewMethods(ADDED_LIMIT)
            method = await methods.add(
                tx,
                player_id=player.id,
                kind=kind,
                network=network,
                currency=destination.currency,
                sealed=self._seal(player.id, destination, fingerprints[0]),
                masked=destination.masked,
                is_default=not active,
                cooling=self.cooling,
            )
            await self._audit(tx, method, "player", "withdrawal-method-added", "pending")
            await self.outbox.tell_admins(
                tx,
                Right.PAY,
                f"admin-method-added:{method.id}",
                "admin-method-added",
                id=method.id,
                method=method.masked,
            )
        self.outbox.wake()
        return method

    async def make_default(self, player: Player, method_id: int) -> WithdrawalMethod:
        """Raises NotFound."""
        async with self.database.transaction() as tx:
            await players.lock(tx, player.id)
            await self._own(tx, player, method_id)
            await methods.make_default(tx, player.id, method_id)
            return await self._own(tx, player, method_id)

    async def remove(self, player: Player, method_id: int) -> None:
        """Raises NotFound, and MethodInUse while an open withdrawal goes there."""
        async with self.database.transaction() as tx:
            await players.lock(tx, player.id)
            method = await self._own(tx, player, method_id)
            withdrawal = await methods.used_by(tx, player.id, method_id)
            if withdrawal is not None:
                raise MethodInUse(withdrawal)
            await methods.remove(tx, player.id, method_id)
            await self._audit(tx, method, "player", "withdrawal-method-removed", "removed")

    @staticmethod
    async def _own(tx: Tx, player: Player, method_id: int) -> WithdrawalMethod:
        method = await methods.get(tx, method_id)
        if method is None or method.player_id != player.id or not method.is_active:
            raise NotFound
        return method

    # ---- what admins do; `admin` is a Telegram id

    async def waiting(self, after: int = 0) -> Waiting:
        """What is to be verified, a page beyond the method `after`."""
        async with self.database.transaction() as tx:
            found = await methods.pending(tx, after=after, limit=PAGE + 1)
            count = await methods.count_pending(tx)
        page = found[:PAGE]
        return Waiting(page, count, page[-1].id if len(found) > PAGE else None)

    async def get(self, method_id: int) -> WithdrawalMethod:
        """For admins. Raises NotFound; a removed one is found."""
        async with self.database.connection() as tx:
            method = await methods.get(tx, method_id)
        if method is None:
            raise NotFound
        return method

    async def verify(self, admin: int, method_id: int) -> WithdrawalMethod:
        """Raises NotFound, AlreadyDecided and OwnMoney."""
        return await self._decide(admin, method_id, Verification.VERIFIED, None)

    async def reject(self, admin: int, method_id: int, note: str) -> WithdrawalMethod:
        """`note` is told to the player. Raises NotFound, AlreadyDecided, OwnMoney, ReasonNeeded."""
        return await self._decide(admin, method_id, Verification.REJECTED, words.reason(note, words.NOTE_LIMIT))

    async def _decide(
        self, admin: int, method_id: int, verification: Verification, note: str | None
    ) -> WithdrawalMethod:
        actor = await self.outbox.staff.actor(admin, Right.PAY)
        async with self.database.transaction() as tx:
            method = await self._to_decide(tx, method_id)
            if method.chat_id == admin:
                raise OwnMoney
            method = await methods.decide(tx, method.id, verification, note=note, actor=actor)
            await self._audit(tx, method, actor, f"withdrawal-method-{verification}", verification, note=note)
            await self.outbox.tell(tx, self._told(method))
        self.outbox.wake()
        return method

    @staticmethod
    async def _to_decide(tx: Tx, method_id: int) -> WithdrawalMethod:
        method = await methods.get(tx, method_id, lock=True)
        if method is None:
            raise NotFound
        if not method.is_active:
            raise AlreadyDecided("removed")
        if method.verification is not Verification.PENDING:
            raise AlreadyDecided(method.verification)
        return method

    @staticmethod
    def _told(method: WithdrawalMethod) -> Notice:
        arguments: dict[str, Argument] = {"id": method.id, "method": method.masked}
        text_id = f"withdrawal-method-{method.verification}"
        if method.note is not None:
            arguments["note"] = method.note
        elif method.usable_at > datetime.now(UTC):
            text_id, arguments["until"] = "withdrawal-method-verified-later", method.usable_at
        return Notice(
            f"withdrawal-method-{method.verification}:{method.id}",
            method.chat_id,
            text_id,
            {name: argument(value) for name, value in arguments.items()},
        )

    async def reveal(self, admin: int, method_id: int) -> Mapping[str, str]:
        """The destination of a method that is to be verified, for the admin who does it; who looked is kept.

        Raises NotFound, AlreadyDecided, DestinationUnreadable.
        """
        actor = await self.outbox.staff.actor(admin, Right.PAY)
        async with self.database.transaction() as tx:
            method = await self._to_decide(tx, method_id)
            fields = await self.unseal(tx, method_id)
            await self._audit(tx, method, actor, "destination-shown", "shown")
        return fields

    async def sharers(self, method_id: int) -> list[int]:
        """Other players (their ids) who have or had the same destination, whatever key it was kept with."""
        async with self.database.connection() as tx:
            sealed = await methods.sealed(tx, method_id)
            if sealed is None:
                raise NotFound
            fingerprints = [sealed.fingerprint]
            with suppress(DestinationUnreadable):  # its own still finds what was kept with the same key
                fingerprints += self.vault.fingerprints(_identity(self._open(sealed)))
            return await methods.sharers(tx, sealed.player_id, fingerprints)

    @staticmethod
    async def _audit(
        tx: Tx, method: WithdrawalMethod, actor: str, action: str, status: str, *, note: str | None = None
    ) -> None:
        await audit.write(
            tx,
            actor=actor,
            action=action,
            status=status,
            user_id=method.player_id,
            entity=("withdrawal_method", method.id),
            details={"method": method.masked, **({} if note is None else {"note": note})},
        )

    # ---- the destination itself

    async def unseal(self, tx: Tx, method_id: int) -> Mapping[str, str]:
        """The destination as services.destinations read it, for who is about to pay. Raises NotFound,
        DestinationUnreadable.
        """
        sealed = await methods.sealed(tx, method_id)
        if sealed is None:
            raise NotFound
        return self._open(sealed)

    def _seal(self, player_id: int, destination: Destination, fingerprint: bytes) -> Sealed:
        fields = {"kind": destination.kind, **destination.fields}
        sealed = self.vault.encrypt(json.dumps(fields), context=_context(player_id, fingerprint))
        return Sealed(player_id, sealed, fingerprint)

    def _open(self, sealed: Sealed) -> Mapping[str, str]:
        try:
            text = self.vault.decrypt(sealed.destination, context=_context(sealed.player_id, sealed.fingerprint))
        except (KeyMissing, ValueError) as error:
            raise DestinationUnreadable from error
        fields: dict[str, str] = json.loads(text)
        return fields


def _context(player_id: int, fingerprint: bytes) -> str:
    """A destination copied into another row cannot be opened there."""
    return f"withdrawal-method:{player_id}:{fingerprint.hex()}"


def _identity(fields: Mapping[str, str]) -> str:
    kind = MethodKind(fields["kind"])
    network = Network(fields["network"]) if "network" in fields else None
    return Destination(
        kind, network, None, {name: value for name, value in fields.items() if name != "kind"}, ""
    ).identity
