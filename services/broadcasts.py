"""Broadcasts: one message to many, sent behind everything else, that can be paused, resumed and stopped.

The outbox never holds more than some hundred messages of one. Everything about it is in its row, so any process goes on
with it after any end.
"""

import asyncio
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import assert_never
from urllib.parse import urlsplit

from db import audit, broadcasts
from db.database import Database, Tx
from db.models import Audience, Broadcast, BroadcastReach, BroadcastState, BroadcastText, Language
from db.outbox import Notice
from services import wording, words
from services.errors import (
    AlreadyDecided,
    BroadcastTooLong,
    BroadcastWithoutWords,
    LabelTooLong,
    NobodyToTell,
    NotALink,
    NotFound,
)
from services.outbox import Outbox
from services.staff import Right

PORTION = 200
"""So many players are looked at in one transaction; and with so many messages waiting there is enough for now."""
SHOW_SECONDS = 3.0
"""Telegram counts edits of a message too."""
LISTED = 5
# https://core.telegram.org/bots/api#sendmessage, #sendphoto; counted in UTF-16 as Telegram does
TEXT_LIMIT, CAPTION_LIMIT = 4096, 1024
BUTTON_LIMIT, LINK_LIMIT = 40, 500


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a broadcast is."""

    broadcast: Broadcast
    reach: BroadcastReach

    @property
    def done(self) -> int:
        return self.reach.sent + self.reach.blocked + self.reach.failed + self.reach.unwanted

    @property
    def left(self) -> int:
        """How many are still to get it, or, after a stop, did not; those not looked at yet as they were counted at the
        start."""
        seen = self.done + self.reach.waiting + self.reach.stopped
        walking = self.broadcast.walked_to < self.broadcast.walks_to
        unseen = max(0, self.broadcast.total - seen) if walking else 0
        return self.reach.waiting + self.reach.stopped + unseen

    @property
    def percent(self) -> int:
        return 100 * self.done // (self.done + self.left) if self.done + self.left else 100

    @property
    def lasted(self) -> timedelta | None:
        """From the start to the end; None: it has not ended."""
        ended = self.broadcast.ended_at
        return None if ended is None else ended - self.broadcast.created_at

    @property
    def gist(self) -> str:
        """The same as long as nothing has changed."""
        return f"{self.broadcast.state} {self.broadcast.ended_at is not None} {self.reach} {self.left}"


@dataclass(frozen=True, slots=True)
class Broadcasts:
    database: Database
    outbox: Outbox
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when one has begun or goes on: feeding need not wait for its next look."""

    async def count(self, admin: int, audience: Audience) -> int:
        """How many would get it now."""
        await self.outbox.staff.actor(admin, Right.BROADCAST)
        async with self.database.connection() as tx:
            return await broadcasts.count(tx, audience)

    async def start(
        self, admin: int, content: BroadcastText, audience: Audience, *, request_key: str, message_id: int | None
    ) -> Progress:
        """Begins a broadcast, once per `request_key` of an admin; the same one again for a press that came twice.
        `message_id`: the admin's message that will show how far it is. Raises what `read_words` raises, and
        NobodyToTell."""
        actor = await self.outbox.staff.actor(admin, Right.BROADCAST)
        read_words(content.text, [], content.photo)
        key = f"{admin}:{request_key}"
        async with self.database.transaction() as tx:
            begun = await broadcasts.start(tx, content, audience, request_key=key, admin=admin, message_id=message_id)
            if begun is None:
                return await _progress(tx, await broadcasts.wished(tx, key))
            if not begun.total:
                raise NobodyToTell
            await _write(tx, begun, actor, "started")
            progress = await _progress(tx, begun)
        self.begun.set()
        return progress

    async def get(self, admin: int, broadcast_id: int) -> Progress:
        """Raises NotFound."""
        await self.outbox.staff.actor(admin, Right.BROADCAST)
        async with self.database.connection() as tx:
            found = await broadcasts.get(tx, broadcast_id)
            if found is None:
                raise NotFound
            return await _progress(tx, found)

    async def newest(self, admin: int) -> list[Broadcast]:
        """The last ones, those that have not ended first."""
        await self.outbox.staff.actor(admin, Right.BROADCAST)
        async with self.database.connection() as tx:
            return await broadcasts.newest(tx, LISTED)

    async def count_open(self) -> int:
        """How many have not ended."""
        async with self.database.connection() as tx:
            return await broadcasts.count_open(tx)

    async def show_in(self, admin: int, broadcast_id: int, message_id: int) -> None:
        """From now on this message of the admin who began it shows how far it is."""
        async with self.database.connection() as tx:
            await broadcasts.show_in(tx, broadcast_id, message_id, admin)

    async def pause(self, admin: int, broadcast_id: int) -> Progress:
        """Nothing more is sent until it goes on; what is on its way arrives. Raises NotFound, AlreadyDecided."""
        return await self._switch(admin, broadcast_id, BroadcastState.PAUSED)

    async def resume(self, admin: int, broadcast_id: int) -> Progress:
        """Raises NotFound, AlreadyDecided."""
        return await self._switch(admin, broadcast_id, BroadcastState.SENDING)

    async def stop(self, admin: int, broadcast_id: int) -> Progress:
        """Nothing more is sent, ever; what is on its way arrives. Raises NotFound, AlreadyDecided."""
        return await self._switch(admin, broadcast_id, BroadcastState.STOPPED)

    async def _switch(self, admin: int, broadcast_id: int, wanted: BroadcastState) -> Progress:
        actor = await self.outbox.staff.actor(admin, Right.BROADCAST)
        async with self.database.transaction() as tx:
            found = await broadcasts.lock(tx, broadcast_id, wait=True)
            if found is None:
                raise NotFound
            if found.state is wanted:
                return await _progress(tx, found)
            if found.state in (BroadcastState.STOPPED, BroadcastState.DONE):
                raise AlreadyDecided(found.state)
            switched = await broadcasts.switch(tx, found.id, wanted)
            await self._apply(tx, switched)
            await _write(tx, switched, actor, "resumed" if wanted is BroadcastState.SENDING else wanted)
            progress = await _progress(tx, switched)
        self.begun.set()
        self.outbox.wake()
        return progress

    async def _apply(self, tx: Tx, broadcast: Broadcast) -> None:
        """What is in the outbox follows the state."""
        match broadcast.state:
            case BroadcastState.SENDING:
                await broadcasts.release(tx, broadcast.id)
            case BroadcastState.PAUSED:
                await broadcasts.hold(tx, broadcast.id)
            case BroadcastState.STOPPED | BroadcastState.DONE:
                await broadcasts.drop(tx, broadcast.id)
            case _:
                assert_never(broadcast.state)

    async def feed(self) -> bool:
        """Puts the next messages of every broadcast into the outbox, and ends those that are through. False: there is
        nothing to do now."""
        async with self.database.connection() as tx:
            unended = await broadcasts.open_ids(tx)
        done = [await self._feed(broadcast_id) for broadcast_id in unended]
        return any(done)

    async def _feed(self, broadcast_id: int) -> bool:
        async with self.database.transaction() as tx:
            broadcast = await broadcasts.lock(tx, broadcast_id, wait=False)
            if broadcast is None:
                return False
            if broadcast.state is not BroadcastState.SENDING:
                await self._apply(tx, broadcast)  # what was on its way may have come back
                if broadcast.state is BroadcastState.PAUSED:
                    return False
            waiting = await broadcasts.count_waiting(tx, broadcast.id)
            if broadcast.state is BroadcastState.SENDING and broadcast.walked_to < broadcast.walks_to:
                if waiting >= PORTION:
                    return False
                await broadcasts.walk(tx, broadcast, PORTION)
            elif waiting:
                return False
            else:
                await self._end(tx, broadcast)
        self.outbox.wake()
        return True

    async def _end(self, tx: Tx, broadcast: Broadcast) -> None:
        """All of its messages are sent or given up: its author hears how it went."""
        stopped = broadcast.state is BroadcastState.STOPPED
        ended = await broadcasts.end(tx, broadcast.id, broadcast.state if stopped else BroadcastState.DONE)
        await _write(tx, ended, "timetable", "ended")
        await self.outbox.tell(
            tx,
            Notice(
                f"admin-broadcast-ended:{ended.id}",
                ended.created_by,
                "admin-broadcast-ended",
                figures(await _progress(tx, ended)),
            ),
        )

    async def next_to_show(self) -> tuple[Progress, Language | None] | None:
        """A broadcast of which something else is to be seen than its author's message shows, and the author's language;
        None: not now."""
        while True:
            async with self.database.connection() as tx:
                found = await broadcasts.to_show(tx, SHOW_SECONDS)
                if found is None:
                    return None
                broadcast, shown, language = found
                progress = await _progress(tx, broadcast)
            if progress.gist != shown:
                return progress, language

    async def showed(self, progress: Progress) -> None:
        """The message shows this now, or never will."""
        async with self.database.connection() as tx:
            await broadcasts.showed(tx, progress.broadcast, progress.gist)

    async def content(self, broadcast_id: int) -> BroadcastText:
        """What a broadcast says; it never changes."""
        async with self.database.connection() as tx:
            found = await broadcasts.get(tx, broadcast_id)
        if found is None:
            raise LookupError("a message belongs to a broadcast")
        return found.content


def read_words(text: str, entities: Sequence[Mapping[str, object]], photo: str | None) -> BroadcastText:
    """What an admin has sent as the message. Raises BroadcastWithoutWords, BroadcastTooLong, BannedWording."""
    if not text.strip():
        raise BroadcastWithoutWords
    limit = TEXT_LIMIT if photo is None else CAPTION_LIMIT
    length = len(text.encode("utf-16-le")) // 2
    if length > limit:
        raise BroadcastTooLong(length, limit)
    wording.refuse(text)
    return BroadcastText(text, entities, photo, None)


def read_button(typed: str) -> tuple[str, str]:
    """A button as an admin types it: the words and the link, which is the last of them. Raises NotALink, LabelTooLong,
    BannedWording."""
    label, _, url = words.line(typed).rpartition(" ")
    if not label or not _is_link(url):
        raise NotALink(LINK_LIMIT)
    if len(label) > BUTTON_LIMIT:
        raise LabelTooLong(BUTTON_LIMIT)
    wording.refuse(label)
    return label, url


def figures(progress: Progress) -> dict[str, int | str]:
    """What the texts about a broadcast are given."""
    seconds = 0 if progress.lasted is None else round(progress.lasted.total_seconds())
    return {
        "id": progress.broadcast.id,
        "state": progress.broadcast.state,
        "sent": progress.reach.sent,
        "blocked": progress.reach.blocked,
        "failed": progress.reach.failed,
        "unwanted": progress.reach.unwanted,
        "left": progress.left,
        "lasted": str(timedelta(seconds=seconds)),
    }


def _is_link(url: str) -> bool:
    """A link that a button may have: https to a named host, nothing odd in it."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    host = parts.hostname or ""
    plain = url.isascii() and not any(unicodedata.category(letter).startswith("C") for letter in url)
    named = "." in host and all(part and part.replace("-", "").isalnum() for part in host.split("."))
    return (
        parts.scheme == "https" and len(url) <= LINK_LIMIT and plain and named and port != 0 and "@" not in parts.netloc
    )


async def _progress(tx: Tx, broadcast: Broadcast) -> Progress:
    return Progress(broadcast, await broadcasts.reach(tx, broadcast.id))


async def _write(tx: Tx, broadcast: Broadcast, actor: str, status: str) -> None:
    audience = broadcast.audience
    await audit.write(
        tx,
        actor=actor,
        action="broadcast",
        status=status,
        entity=("broadcast", broadcast.id),
        details={
            "total": broadcast.total,
            "language": audience.language,
            "deposited": audience.deposited,
            "inactive": audience.inactive_days,
            "linked": audience.linked,
        },
    )
