"""Letters: deliveries and messages that were given up. An admin looks at one, has it tried again, or lets it go."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from db import audit, letters
from db.database import Database, Tx
from db.models import DeadDelivery, DeadMessage, Page
from services import masking
from services.errors import AlreadyDecided, NotFound, SourceGone
from services.inbox import CASINO, Inbox
from services.outbox import Outbox
from services.staff import Right

PAGE = 6


@dataclass(frozen=True, slots=True)
class Letters:
    database: Database
    outbox: Outbox
    inbox: Inbox
    secrets: Sequence[str] = field(repr=False)
    """Values that nobody is shown, whatever field they stand in."""

    async def count(self) -> tuple[int, int]:
        """How many deliveries and how many messages lie here."""
        async with self.database.connection() as tx:
            return await letters.count(tx)

    async def deliveries(self, *, before: int | None = None, after: int | None = None) -> Page[DeadDelivery]:
        """A page, newest first."""
        async with self.database.connection() as tx:
            return await letters.deliveries(tx, before=before, after=after, limit=PAGE)

    async def messages(self, *, before: int | None = None, after: int | None = None) -> Page[DeadMessage]:
        """A page, newest first."""
        async with self.database.connection() as tx:
            return await letters.messages(tx, before=before, after=after, limit=PAGE)

    async def delivery(self, delivery_id: int) -> tuple[DeadDelivery, str, str | None]:
        """A delivery, its headers and what it says, masked; None: it cannot be read.

        Raises NotFound, AlreadyDecided.
        """
        async with self.database.connection() as tx:
            found = await letters.delivery(tx, delivery_id)
            if found is None:
                raise await self._handled_delivery(tx, delivery_id)
        headers = masking.masked(found.headers, self.secrets)
        return found, headers, masking.readable(found.body, self.secrets)

    async def message(self, message_id: int) -> tuple[DeadMessage, str]:
        """A message, and its values, masked. Raises NotFound, AlreadyDecided."""
        async with self.database.connection() as tx:
            found = await letters.message(tx, message_id)
            if found is None:
                raise await self._handled_message(tx, message_id)
        return found, masking.masked(found.arguments, self.secrets)

    # ---- what admins do; `admin` is a Telegram id

    async def replay_delivery(self, admin: int, delivery_id: int, replays: int) -> None:
        """Has a delivery acted on again, which is as harmless as its coming twice. `replays`: how often that was done
        before it was looked at, so that a button is good for one press.

        Raises NotFound, AlreadyDecided, and SourceGone when nobody acts on such deliveries any more.
        """
        actor = await self.outbox.staff.actor(admin, Right.LETTERS)
        async with self.database.transaction() as tx:
            found = await letters.delivery(tx, delivery_id)
            if found is None:
                raise await self._handled_delivery(tx, delivery_id)
            if not await letters.replay_delivery(tx, delivery_id, replays):
                raise AlreadyDecided("replayed")
            if not self._known(found.source):
                raise SourceGone(found.source)
            await self._audit(tx, actor, "replayed", ("delivery", found.id), source=found.source, error=found.error)
        self.inbox.wake()

    def _known(self, source: str) -> bool:
        name = source.removeprefix(CASINO)
        return name in (self.inbox.providers if name == source else self.inbox.casinos.programmes)

    async def let_delivery_go(self, admin: int, delivery_id: int) -> None:
        """Nothing more is done about a delivery. Raises NotFound, AlreadyDecided."""
        actor = await self.outbox.staff.actor(admin, Right.LETTERS)
        async with self.database.transaction() as tx:
            found = await letters.delivery(tx, delivery_id)
            if found is None or not await letters.let_delivery_go(tx, delivery_id, f"let go by {actor}"):
                raise await self._handled_delivery(tx, delivery_id)
            await self._audit(tx, actor, "let go", ("delivery", found.id), source=found.source, error=found.error)

    async def replay_message(self, admin: int, message_id: int, replays: int) -> None:
        """Has a message sent again. `replays`: how often that was done before it was looked at.

        Raises NotFound, AlreadyDecided.
        """
        actor = await self.outbox.staff.actor(admin, Right.LETTERS)
        async with self.database.transaction() as tx:
            found = await letters.message(tx, message_id)
            if found is None:
                raise await self._handled_message(tx, message_id)
            if not await letters.replay_message(tx, message_id, replays):
                raise AlreadyDecided("replayed")
            await self._audit(tx, actor, "replayed", ("message", found.id), text=found.text_id, error=found.error)
        self.outbox.wake()

    async def let_message_go(self, admin: int, message_id: int) -> None:
        """A message is never sent. Raises NotFound, AlreadyDecided."""
        actor = await self.outbox.staff.actor(admin, Right.LETTERS)
        async with self.database.transaction() as tx:
            found = await letters.message(tx, message_id)
            if found is None or not await letters.let_message_go(tx, message_id):
                raise await self._handled_message(tx, message_id)
            await self._audit(tx, actor, "let go", ("message", found.id), text=found.text_id, error=found.error)

    @staticmethod
    async def _handled_delivery(tx: Tx, delivery_id: int) -> NotFound | AlreadyDecided:
        """Why there is nothing to be done about it here."""
        state = await letters.delivery_state(tx, delivery_id)
        return NotFound() if state is None else AlreadyDecided(state)

    @staticmethod
    async def _handled_message(tx: Tx, message_id: int) -> NotFound | AlreadyDecided:
        state = await letters.message_state(tx, message_id)
        return NotFound() if state is None else AlreadyDecided(state)

    @staticmethod
    async def _audit(tx: Tx, actor: str, status: str, entity: tuple[str, int], **details: object) -> None:
        await audit.write(tx, actor=actor, action=entity[0], status=status, entity=entity, details=details)
