"""The admins' desk: what waits for somebody, who is on the staff, and whether the house is open."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from db import audit, desk, staff
from db.database import Database, Tx
from db.models import Member, Role, Waiting
from db.outbox import Notice
from services.errors import AlreadyDecided, LastOwner, NotATelegramId, NotFound, OwnerBySettings
from services.outbox import Outbox
from services.staff import Right, rights

_LARGEST_ID = 2**52  # https://core.telegram.org/bots/api#user: at most 52 significant bits


@dataclass(frozen=True, slots=True)
class Desk:
    database: Database
    outbox: Outbox
    providers: Sequence[str]
    """Whose lists are compared with the ledger."""

    async def waiting(self) -> Waiting:
        """How much waits in each room."""
        async with self.database.connection() as tx:
            return await desk.waiting(tx, self.providers)

    # ---- the staff; telegram ids name people

    async def members(self) -> list[Member]:
        """Everybody who has a role."""
        async with self.database.connection() as tx:
            return await staff.members(tx, self.outbox.staff.owners)

    async def member(self, telegram_id: int) -> Member:
        """Anybody, with a role or without."""
        async with self.database.connection() as tx:
            return await staff.member(tx, self.outbox.staff.owners, telegram_id)

    async def named(self, text: str) -> Member:
        """Whoever has this Telegram id. Raises NotATelegramId."""
        if not re.fullmatch(r"[0-9]{1,16}", text.strip()) or not 0 < int(text) < _LARGEST_ID:
            raise NotATelegramId
        return await self.member(int(text))

    async def grant(self, admin: int, telegram_id: int, role: Role) -> Member:
        """Gives somebody a role in place of the one before, and tells that person. Granted already: nothing happens.

        Raises OwnerBySettings, LastOwner.
        """
        actor = await self.outbox.staff.actor(admin, Right.STAFF)
        async with self.database.transaction() as tx:
            before = await self._changeable(tx, admin, telegram_id)
            if before.role is not role:
                if Right.STAFF not in rights(role):
                    await self._refuse_last(tx, telegram_id)
                granted_at = await staff.grant(tx, telegram_id, role, by=admin)
                await self._audit(tx, actor, "granted", before, role)
                key = f"admin-role-granted:{telegram_id}:{granted_at.isoformat()}"
                await self.outbox.tell(tx, Notice(key, telegram_id, "admin-role-granted", {"role": role}))
            after = await staff.member(tx, self.outbox.staff.owners, telegram_id)
        self.outbox.wake()
        return after

    async def revoke(self, admin: int, telegram_id: int) -> Member:
        """Takes somebody's role away, and tells that person.

        Raises NotFound when there is none, OwnerBySettings, LastOwner.
        """
        actor = await self.outbox.staff.actor(admin, Right.STAFF)
        async with self.database.transaction() as tx:
            before = await self._changeable(tx, admin, telegram_id)
            if before.role is None:
                raise NotFound
            await self._refuse_last(tx, telegram_id)
            granted_at = await staff.revoke(tx, telegram_id)
            await self._audit(tx, actor, "revoked", before, None)
            key = f"admin-role-revoked:{telegram_id}:{granted_at.isoformat() if granted_at else ''}"
            await self.outbox.tell(tx, Notice(key, telegram_id, "admin-role-revoked", {"role": before.role}))
            after = await staff.member(tx, self.outbox.staff.owners, telegram_id)
        self.outbox.wake()
        return after

    async def _changeable(self, tx: Tx, admin: int, telegram_id: int) -> Member:
        """Locks the staff. Who was revoked while waiting for the lock grants nothing any more."""
        await staff.lock(tx)
        if admin not in await self.outbox.staff.entitled(tx, Right.STAFF):
            raise NotFound
        found = await staff.member(tx, self.outbox.staff.owners, telegram_id)
        if found.in_settings:
            raise OwnerBySettings
        return found

    async def _refuse_last(self, tx: Tx, telegram_id: int) -> None:
        if await self.outbox.staff.entitled(tx, Right.STAFF) == [telegram_id]:
            raise LastOwner

    @staticmethod
    async def _audit(tx: Tx, actor: str, status: str, before: Member, role: Role | None) -> None:
        await audit.write(
            tx,
            actor=actor,
            action="staff",
            status=status,
            user_id=before.player_id,
            entity=("staff", before.telegram_id),
            details={"role": role, "before": before.role},
        )

    # ---- the house

    async def close(self, admin: int) -> None:
        """For maintenance: players are asked to come back later; money goes on. Raises AlreadyDecided."""
        actor = await self.outbox.staff.actor(admin, Right.STAFF)
        async with self.database.transaction() as tx:
            if await desk.close(tx, by=admin) is None:
                raise AlreadyDecided("closed")
            await audit.write(tx, actor=actor, action="maintenance", status="closed")

    async def reopen(self, admin: int) -> None:
        """Players may come in again. Raises AlreadyDecided."""
        actor = await self.outbox.staff.actor(admin, Right.STAFF)
        async with self.database.transaction() as tx:
            since = await desk.reopen(tx)
            if since is None:
                raise AlreadyDecided("open")
            await audit.write(
                tx, actor=actor, action="maintenance", status="open", details={"closed since": since.isoformat()}
            )
