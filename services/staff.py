"""Staff: who may do what in the admins' rooms. The table of rights stands here, and only here."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from db import staff
from db.database import Database, Tx
from db.models import Language, Role
from services.errors import NotAllowed, NotFound


class Right(StrEnum):
    """What a role may do."""

    DESK = "desk"
    """Enter at all: see what waits. Every role may."""
    PAY = "pay"
    """Decide about withdrawals and where players are paid."""
    MONEY = "money"
    """Odd money, refunds, debts, corrections, reconciliation, the proof of the books."""
    PLAYERS = "players"
    """Look at players, and stop what goes out to one."""
    CASINO = "casino"
    """See what casinos report, and say whose account is whose."""
    LETTERS = "letters"
    """Deliveries and messages that were given up: look at them, try again, let them go."""
    STATS = "stats"
    SIGNALS = "signals"
    BROADCAST = "broadcast"
    HEALTH = "health"
    STAFF = "staff"
    """Grant roles, close the house for maintenance."""


RIGHTS: Mapping[Role, frozenset[Right]] = {
    Role.OWNER: frozenset(Right),
    Role.CASHIER: frozenset({Right.DESK, Right.PAY, Right.MONEY, Right.PLAYERS, Right.STATS, Right.HEALTH}),
    Role.SUPPORT: frozenset({Right.DESK, Right.PLAYERS, Right.CASINO, Right.LETTERS, Right.HEALTH}),
    Role.EDITOR: frozenset({Right.DESK, Right.SIGNALS, Right.BROADCAST, Right.STATS}),
}


@dataclass(frozen=True, slots=True)
class Staff:
    database: Database
    owners: Sequence[int]
    """Telegram ids from the settings: owners, whatever the table says."""

    def role(self, telegram_id: int, granted: Role | None) -> Role | None:
        """The role of somebody of whom the table says `granted`; None: nobody of ours."""
        return Role.OWNER if telegram_id in self.owners else granted

    async def actor(self, admin: int, right: Right) -> str:
        """An admin in the audit log's words. The doors are in handlers/admin; whoever got past them is checked here
        again. Raises NotFound for who is nobody of ours, NotAllowed for a role without the right."""
        async with self.database.connection() as tx:
            role = self.role(admin, await staff.role(tx, admin) if admin not in self.owners else None)
        if role is None:
            raise NotFound
        if right not in RIGHTS[role]:
            raise NotAllowed(role)
        return f"admin:{admin}"

    async def entitled(self, tx: Tx, right: Right) -> list[int]:
        """Telegram ids of everybody who has this right now, in order."""
        roles = [role for role, rights in RIGHTS.items() if right in rights]
        return sorted({*self.owners, *await staff.with_roles(tx, roles)})

    async def languages(self) -> dict[int, tuple[Role, Language | None]]:
        """Everybody of ours with the role, and the language chosen in the chat, if there was one."""
        async with self.database.connection() as tx:
            known = await staff.languages(tx, self.owners)
        roles = {telegram_id: self.role(telegram_id, granted) for telegram_id, (granted, _) in known.items()}
        return {telegram_id: (role, known[telegram_id][1]) for telegram_id, role in roles.items() if role is not None}


def rights(role: Role | None) -> frozenset[Right]:
    return frozenset() if role is None else RIGHTS[role]


def spoken(admins: Iterable[int]) -> str:
    """Telegram ids as a text names them."""
    return ", ".join(map(str, admins)) or "—"
