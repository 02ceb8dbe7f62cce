"""The outbox: puts messages beside the facts they tell, and hands them to the sender."""

import asyncio
import logging
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from db import outbox, players
from db.database import Database, Tx
from db.money import Money
from db.outbox import ALL, Claimed, Notice
from services.staff import Right, Staff

logger = logging.getLogger(__name__)

# Longer than one call to Telegram may take, so that a message is not sent twice at the same time.
LEASE = timedelta(seconds=60)


Argument = Money | datetime | str | int


def argument(value: Argument) -> object:
    """A text's argument as JSON. Money stays exact; a time is told in the zone of the reader's settings."""
    match value:
        case Money():
            return {"minor": value.minor, "currency": value.currency}
        case datetime():
            return {"at": value.isoformat()}
        case _:
            return value


class Bell(asyncio.Event):
    """An event that counts how often it was set: whoever looked since the last time need not look again."""

    rings = 0

    def set(self) -> None:
        self.rings += 1
        super().set()


@dataclass(frozen=True, slots=True)
class Outbox:
    database: Database
    staff: Staff
    added: Bell = field(default_factory=Bell)
    """Set after a commit that added messages: the sender need not wait for its next poll."""

    async def tell(self, tx: Tx, *notices: Notice) -> None:
        await outbox.add(tx, notices)

    async def tell_admins(self, tx: Tx, right: Right, key: str, text_id: str, **arguments: Argument) -> None:
        """Tells everybody who has this right now."""
        admins = await self.staff.entitled(tx, right)
        if admins:
            shown = {name: argument(value) for name, value in arguments.items()}
            await outbox.add(tx, [Notice(f"{key}:{admin}", admin, text_id, shown) for admin in admins])

    def wake(self) -> None:
        """To be called after the commit."""
        self.added.set()

    async def claim(self, priorities: range = ALL) -> Claimed | None:
        """The next message to be sent; what is not to be sent any more is dropped on the way to it."""
        while True:
            async with self.database.connection() as tx:
                message = await outbox.claim(tx, LEASE, priorities)
            if message is None or message.drop is None:
                return message
            async with self.database.connection() as tx:
                await outbox.drop(tx, message, message.drop)

    async def renew(self, message: Claimed) -> bool:
        """For a message that takes longer than a lease. False: it is another sender's now."""
        async with self.database.connection() as tx:
            return await outbox.renew(tx, message, LEASE)

    async def sent(self, message: Claimed, telegram_message_id: int | None) -> None:
        async with self.database.connection() as tx:
            await outbox.sent(tx, message, telegram_message_id)

    async def put_off(self, message: Claimed, error: str, delay: timedelta) -> None:
        async with self.database.connection() as tx:
            if await outbox.put_off(tx, message, error, delay):
                logger.error("message given up", extra={"outbox_id": message.id, "reason": error})

    async def give_up(self, message: Claimed, error: str) -> None:
        async with self.database.connection() as tx:
            await outbox.give_up(tx, message, error)

    async def unreachable(self, chat_id: int, error: str) -> None:
        """The chat's owner blocked the bot or is gone: nothing that waits for it can be delivered."""
        async with self.database.transaction() as tx:
            await players.mark_blocked(tx, chat_id, blocked=True)
            await outbox.give_up_chat(tx, chat_id, error)

    async def moved(self, old: int, new: int) -> None:
        async with self.database.connection() as tx:
            await outbox.move_chat(tx, old, new)
