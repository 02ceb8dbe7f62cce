"""Players: who writes to us, in which language, and whether they took the rules."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from db import adjustments, audit, methods, payment_methods, players, wallets
from db.database import Database, Tx
from db.models import (
    Adjustment,
    AuditLine,
    Language,
    Movement,
    OperationLine,
    OperationStatus,
    Page,
    PaymentMethod,
    Player,
    Profile,
    Visit,
    Wallet,
    WithdrawalMethod,
)
from db.money import Money
from db.outbox import Notice
from db.wallets import Selection
from services import words
from services.errors import AlreadyDecided, NobodyFound, NotFound, OwnMoney
from services.outbox import Outbox
from services.staff import Right

PAGE = 8
HITS = 8
METHODS = 20
STORY = 20
# Looking at the same player again within this time leaves no second line in the audit log.
ONE_VISIT = timedelta(hours=1)
_LARGEST = 2**63 - 1
_QUERY = re.compile(
    r"(?P<operation>(?:#|№|op\s)\s*(?P<number>[0-9]{1,19}))|(?P<digits>[0-9]{1,19})|@?(?P<name>[A-Za-z0-9_]{1,64})",
    re.IGNORECASE,
)
_LINK = re.compile(r"[A-Za-z0-9_-]{1,64}")  # https://core.telegram.org/bots/features#deep-linking


@dataclass(frozen=True, slots=True)
class Found:
    """A player who may be meant, and by what: `telegram`, `player`, `operation` or `username`."""

    profile: Profile
    by: str


@dataclass(frozen=True, slots=True)
class Dossier:
    """What an admin sees of a player at a glance."""

    profile: Profile
    wallets: Sequence[Wallet]
    debts: Sequence[Money]
    operations: Sequence[tuple[str, OperationStatus, int]]
    """`deposit` or `withdrawal`, the status, how many."""
    waiting: Sequence[Adjustment]
    """Corrections that wait for another admin."""


@dataclass(frozen=True, slots=True)
class Players:
    database: Database
    outbox: Outbox
    default_language: Language
    timezone: ZoneInfo
    """Whose days count who was here on which."""

    async def visit(
        self, telegram_id: int, *, username: str | None, name: str, language_code: str | None, dialog: str = ""
    ) -> Visit:
        """Who is behind a Telegram account, known from now on. The language is Telegram's at first, then chosen.
        `dialog`: where it is kept what this person is in the middle of."""
        spoken = (language_code or "").partition("-")[0].lower()
        language = Language(spoken) if spoken in set(Language) else self.default_language
        today = datetime.now(self.timezone).date()
        async with self.database.connection() as tx:
            visit = await players.visit(
                tx, telegram_id, username and username[:64], name[:128], language, today, dialog
            )
        return replace(visit, role=self.outbox.staff.role(telegram_id, visit.role))

    async def start(self, player: Player, link: str | None) -> None:
        """Keeps the deep link of the first /start."""
        if link and _LINK.fullmatch(link):
            async with self.database.connection() as tx:
                await players.keep_start_link(tx, player.id, link)

    async def accept_rules(self, player: Player) -> Player:
        """The player says: I am 18 or older and take the rules. The first time counts."""
        async with self.database.connection() as tx:
            return await players.accept_rules(tx, player.id)

    async def set_language(self, player: Player, language: Language) -> Player:
        async with self.database.connection() as tx:
            return await players.set_language(tx, player.id, language)

    async def set_news(self, player: Player, *, on: bool) -> Player:
        """Whether the player gets broadcasts."""
        async with self.database.connection() as tx:
            return await players.set_news(tx, player.id, on=on)

    async def set_signals(self, player: Player, *, on: bool) -> Player:
        """Whether the player gets signals as messages; they can be looked up all the same."""
        async with self.database.connection() as tx:
            return await players.set_signals(tx, player.id, on=on)

    async def reachable(self, telegram_id: int, reachable: bool) -> None:
        """Telegram says that the player blocked or unblocked the bot."""
        async with self.database.connection() as tx:
            await players.mark_blocked(tx, telegram_id, blocked=not reachable)

    async def find(self, query: str) -> list[Found]:
        """Who may be meant by a Telegram id, a player's number, `@name` or the number of an operation (`#71`).

        A bare number may be several of them. Raises NobodyFound.
        """
        found = await self._find(query)
        if not found:
            raise NobodyFound
        return found

    async def _find(self, query: str) -> list[Found]:
        match = _QUERY.fullmatch(query.strip()) if len(query) <= 100 else None
        if match is None:
            return []
        async with self.database.connection() as tx:
            if match["operation"]:
                return _found((await _by_operation(tx, match["number"]), "operation"))
            if match["name"]:
                return [Found(profile, "username") for profile in await players.named(tx, match["name"], HITS)]
            number = int(match["digits"])
            if number > _LARGEST:
                return []
            hits = _found(
                (await players.with_telegram_id(tx, number), "telegram"),
                (await players.profile(tx, number), "player"),
                (await players.of_operation(tx, number), "operation"),
            )
            return hits or [Found(hit, "username") for hit in await players.named(tx, match["digits"], HITS)]

    async def dossier(self, admin: int, player_id: int) -> Dossier:
        """All at a glance; that it was looked at is noted. Raises NotFound."""
        actor = await self.outbox.staff.actor(admin, Right.PLAYERS)
        async with self.database.transaction() as tx:
            profile = await _known(tx, player_id)
            if not await audit.noted(tx, actor=actor, action="player", user_id=player_id, within=ONE_VISIT):
                await audit.write(tx, actor=actor, action="player", status="looked at", user_id=player_id)
            return Dossier(
                profile=profile,
                wallets=await wallets.balances(tx, player_id),
                debts=await players.debts(tx, player_id),
                operations=await players.count_operations(tx, player_id),
                waiting=await adjustments.waiting(tx, player_id=player_id, limit=HITS),
            )

    async def profile(self, player_id: int) -> Profile:
        """Raises NotFound."""
        async with self.database.connection() as tx:
            return await _known(tx, player_id)

    async def operations(
        self, player_id: int, *, before: int | None = None, after: int | None = None
    ) -> Page[OperationLine]:
        """A page of deposits and withdrawals, newest first."""
        async with self.database.connection() as tx:
            return await players.operations(tx, player_id, before=before, after=after, limit=PAGE)

    async def operation(self, operation_id: int) -> tuple[OperationLine, Sequence[AuditLine]]:
        """One deposit or withdrawal, and what happened to it. Raises NotFound."""
        async with self.database.connection() as tx:
            line = await players.operation(tx, operation_id)
            if line is None:
                raise NotFound
            return line, await audit.of_entity(tx, "operation", operation_id, STORY)

    async def movements(self, player_id: int, *, before: int | None = None, after: int | None = None) -> Page[Movement]:
        """A page of the ledger as the player's wallets saw it, newest first."""
        async with self.database.connection() as tx:
            return await wallets.history(tx, player_id, Selection(), before=before, after=after, limit=PAGE)

    async def methods(self, player_id: int) -> tuple[Sequence[PaymentMethod], Sequence[WithdrawalMethod]]:
        """What the player pays with, and where the player is paid."""
        async with self.database.connection() as tx:
            return await payment_methods.active(tx, player_id, METHODS), await methods.of_player(tx, player_id)

    async def audit(self, player_id: int, *, before: int | None = None, after: int | None = None) -> Page[AuditLine]:
        """A page of what was done by the player and to the player, newest first."""
        async with self.database.connection() as tx:
            return await audit.of_player(tx, player_id, before=before, after=after, limit=PAGE)

    async def freeze(self, admin: int, player_id: int, reason: str) -> Profile:
        """From now on nothing goes out to the player, who is told so. Raises NotFound, ReasonNeeded, AlreadyDecided."""
        actor, reason = await self.outbox.staff.actor(admin, Right.PLAYERS), words.reason(reason)
        async with self.database.transaction() as tx:
            player = await players.lock(tx, player_id)
            if player is None:
                raise NotFound
            frozen_at = await players.freeze(tx, player.id, reason)
            if frozen_at is None:
                raise AlreadyDecided("frozen")
            await audit.write(
                tx,
                actor=actor,
                action="freeze",
                status="frozen",
                user_id=player.id,
                entity=("user", player.id),
                details={"reason": reason},
            )
            await self._tell(tx, player, "account-frozen", frozen_at)
            profile = await _known(tx, player.id)
        self.outbox.wake()
        return profile

    async def unfreeze(self, admin: int, player_id: int) -> Profile:
        """Withdrawals are possible again, and the player is told so. Raises NotFound, OwnMoney, AlreadyDecided."""
        actor = await self.outbox.staff.actor(admin, Right.PLAYERS)
        async with self.database.transaction() as tx:
            player = await players.lock(tx, player_id)
            if player is None:
                raise NotFound
            if player.telegram_id == admin:
                raise OwnMoney
            if player.frozen_at is None:
                raise AlreadyDecided("active")
            why = (await _known(tx, player.id)).reason
            await players.unfreeze(tx, player.id)
            await audit.write(
                tx,
                actor=actor,
                action="freeze",
                status="lifted",
                user_id=player.id,
                entity=("user", player.id),
                details={"frozen since": player.frozen_at.isoformat(), "reason": why},
            )
            await self._tell(tx, player, "account-unfrozen", player.frozen_at)
            profile = await _known(tx, player.id)
        self.outbox.wake()
        return profile

    async def _tell(self, tx: Tx, player: Player, text_id: str, frozen_at: datetime) -> None:
        """Once for each freeze, which its moment names."""
        await self.outbox.tell(
            tx,
            Notice(
                f"{text_id}:{player.id}:{frozen_at.isoformat()}",
                player.telegram_id,
                text_id,
                {"admin": next(iter(self.outbox.staff.owners), 0)},
                priority=0,
            ),
        )


async def _known(tx: Tx, player_id: int) -> Profile:
    profile = await players.profile(tx, player_id)
    if profile is None:
        raise NotFound
    return profile


async def _by_operation(tx: Tx, number: str) -> Profile | None:
    return await players.of_operation(tx, int(number)) if int(number) <= _LARGEST else None


def _found(*hits: tuple[Profile | None, str]) -> list[Found]:
    """Each player once, by the first of the ways that lead to them."""
    found: dict[int, Found] = {}
    for profile, by in hits:
        if profile is not None:
            found.setdefault(profile.player.id, Found(profile, by))
    return list(found.values())
