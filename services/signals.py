"""Signals: an admin's picks, who may see them, and the whole record beside each."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Protocol
from zoneinfo import ZoneInfo

from db import audit, signals
from db.database import Database, Tx
from db.models import Page, Player, Signal, SignalDraft, SignalRecord, SignalResult, Tally
from db.signals import Access
from services import words
from services.errors import (
    AlreadyDecided,
    BadOdds,
    BadStart,
    NotFound,
    SignalNotStarted,
    SignalStarted,
    WrongLength,
)
from services.outbox import Argument, Outbox, argument
from services.providers.casino import Programme
from services.staff import Right
from services.wording import refuse

PAGE = 5
"""Of the longest signals no more fit a message."""
# Of what one message has room for; a text shows no more than 256 characters of a value.
EVENT, PICK, NOTE = (3, 120), (1, 120), (1, 250)
LOWEST, HIGHEST = Decimal("1.01"), Decimal(1000)
FARTHEST = timedelta(days=366)
ENOUGH = 30
"""With fewer won and lost a rate says nothing, and none is shown."""
PRIORITY = 7
# How long Telegram's answer is believed: who is in the channel leaves seldom, and Telegram says so by itself.
INSIDE, OUTSIDE = 3600.0, 60.0
_ODDS = re.compile(r"([0-9]{1,4})(?:[.,]([0-9]{1,2}))?")
_START = re.compile(r"([0-9]{1,2})\.([0-9]{1,2})(?:\.([0-9]{4}))?,? +([0-9]{1,2}):([0-9]{2})")


class Membership(Protocol):
    """The channel that has to be joined."""

    @property
    def channel_id(self) -> int: ...

    async def has(self, telegram_id: int) -> bool | None:
        """Whether Telegram has somebody among its members; None: it does not say now."""

    async def link(self) -> str | None:
        """Where it is joined; None: Telegram does not say now, or there is no such place."""


@dataclass(frozen=True, slots=True)
class Gate:
    """What is done and what is missing for the signals to open."""

    access: Access
    casinos: Sequence[str]
    """Where a deposit counts, as people know them."""
    channel: bool
    """There is one that has to be joined."""
    link: str | None
    """Where it is joined, when that is missing and known."""
    unsure: bool
    """Telegram does not say now who is in it."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of what was published, and the record that is never left out."""

    page: Page[Signal]
    record: SignalRecord


@dataclass(frozen=True, slots=True)
class Signals:
    database: Database
    outbox: Outbox
    programmes: Mapping[str, Programme]
    membership: Membership | None
    """None: no channel has to be joined."""
    timezone: ZoneInfo
    """Of the times that admins type."""

    @property
    def casinos(self) -> list[str]:
        """Whose reports open the signals, as people know them."""
        return [programme.title for programme in self.programmes.values()]

    async def access(self, tx: Tx, player_id: int) -> Access:
        """What a player has done of what opens the signals, as far as it is known."""
        return await signals.access(tx, player_id, channel=self.membership is not None)

    async def visit(self, player: Player, *, before: int | None = None, after: int | None = None) -> Gate | Listed:
        """A page of the signals, newest first, for whom they are open; else what is missing. Raises NotFound
        without casinos."""
        if not self.casinos:
            raise NotFound
        unsure = await self._ask_again(player)
        async with self.database.transaction() as tx:
            access = await self.access(tx, player.id)
            if access.open:
                page = await signals.newest(tx, before=before, after=after, limit=PAGE)
                return Listed(page, await signals.record(tx))
        missing = self.membership if not access.member else None
        link = None if missing is None else await missing.link()
        return Gate(access, self.casinos, self.membership is not None, link, unsure and not access.member)

    async def _ask_again(self, player: Player) -> bool:
        """Asks Telegram who is in the channel when its last answer is too old. True: it does not say now, and what it
        said last holds on."""
        if self.membership is None:
            return False
        async with self.database.connection() as tx:
            known = await signals.known(tx, player.id)
        if known.member is not None and known.age < (INSIDE if known.member else OUTSIDE):
            return False
        member = await self.membership.has(player.telegram_id)
        if member is None:
            return True
        async with self.database.connection() as tx:
            await signals.keep(tx, player.id, member=member, asked_at=known.now)
        return False

    async def moved(self, channel_id: int, telegram_id: int, *, member: bool) -> None:
        """Telegram says that somebody joined or left a channel; strangers and other channels are nothing to us."""
        if self.membership is not None and channel_id == self.membership.channel_id:
            async with self.database.connection() as tx:
                await signals.moved(tx, telegram_id, member=member)

    def event(self, text: str) -> str:
        """What it is about, as an admin types it. Raises WrongLength, BannedWording."""
        return _line(text, *EVENT)

    def pick(self, text: str) -> str:
        """What is picked. Raises WrongLength, BannedWording."""
        return _line(text, *PICK)

    def note(self, text: str) -> str:
        """What there is to say about it. Raises WrongLength, BannedWording."""
        return _line(text, *NOTE)

    def odds(self, text: str) -> Decimal:
        """Decimal odds, with a comma or a point. Raises BadOdds."""
        match = _ODDS.fullmatch(text.strip())
        odds = Decimal(f"{match[1]}.{match[2] or 0}") if match else Decimal(0)
        if not LOWEST <= odds <= HIGHEST:
            raise BadOdds
        return odds.quantize(Decimal("0.01"))

    def start(self, text: str, now: datetime) -> datetime:
        """When it begins: `25.11.2026 21:30` or `25.11 21:30` in our zone, after `now`. Without a year it is the next
        such day of the half-year to come. Raises BadStart."""
        match = _START.fullmatch(text.strip())
        if match is None:
            raise self._bad_start("shape", now)
        day, month, year, hour, minute = match.groups()
        today = now.astimezone(self.timezone)
        try:
            start = datetime(
                int(year or today.year), int(month), int(day), int(hour), int(minute), tzinfo=self.timezone
            )
            if year is None and start <= now and (later := start.replace(year=today.year + 1)) <= now + FARTHEST / 2:
                start = later
        except ValueError:
            raise self._bad_start("shape", now) from None
        if start <= now:
            raise self._bad_start("passed", now)
        if start > now + FARTHEST:
            raise self._bad_start("far", now)
        return start.astimezone(UTC)

    def _bad_start(self, problem: str, now: datetime) -> BadStart:
        return BadStart(problem, self.example(now), self.timezone.key)

    def example(self, now: datetime) -> str:
        """A start as it is typed: tomorrow evening."""
        return f"{now.astimezone(self.timezone) + timedelta(days=1):%d.%m.%Y} 21:30"

    async def preview(self, draft: SignalDraft) -> dict[str, Argument]:
        """What players would read if it were published now."""
        async with self.database.connection() as tx:
            return {**arguments(draft), **record_arguments(await signals.record(tx, draft=draft.odds))}

    async def publish(self, admin: int, draft: SignalDraft, *, request_key: str) -> Signal:
        """Writes it down for ever and sends it to everybody to whom signals are open, once for the key. Raises
        BannedWording, and BadStart when the event has started meanwhile."""
        actor = await self.outbox.staff.actor(admin, Right.SIGNALS)
        refuse(" · ".join((draft.event, draft.pick, draft.note or "")))
        async with self.database.transaction() as tx:
            signal = await signals.publish(tx, draft, admin=admin, request_key=f"{admin}:{request_key}")
            if signal is None:
                earlier = await signals.of_wish(tx, f"{admin}:{request_key}")
                if earlier is None:
                    raise self._bad_start("passed", datetime.now(UTC))
                return earlier
            receivers = await signals.send(
                tx,
                signal,
                "signal-published",
                _told({**arguments(draft), **record_arguments(await signals.record(tx))}),
                channel=self.membership is not None,
                priority=PRIORITY,
            )
            await _note(tx, actor, signal, "published", receivers=receivers)
        self.outbox.wake()
        return signal

    async def withdraw(self, admin: int, signal_id: int) -> Signal:
        """Takes a signal back before its event starts. It stays in the record, and who received it is told once.
        Raises NotFound, SignalStarted."""
        actor = await self.outbox.staff.actor(admin, Right.SIGNALS)
        async with self.database.transaction() as tx:
            signal = await signals.withdraw(tx, signal_id, admin=admin)
            if signal is None:
                known = await _known(tx, signal_id)
                if known.withdrawn_at is None:
                    raise SignalStarted
                return known
            await signals.stop_sending(tx, signal.id)
            await self._tell(tx, signal, "signal-withdrawn", await signals.record(tx))
            await _note(tx, actor, signal, "withdrawn")
        self.outbox.wake()
        return signal

    async def settle(self, admin: int, signal_id: int, result: SignalResult) -> Signal:
        """Enters the result, once and for ever, after the event has started; who received the signal is told. Raises
        NotFound, SignalNotStarted, AlreadyDecided when it has another one."""
        actor = await self.outbox.staff.actor(admin, Right.SIGNALS)
        async with self.database.transaction() as tx:
            signal = await signals.settle(tx, signal_id, result, admin=admin)
            if signal is None:
                known = await _known(tx, signal_id)
                if known.result is None:
                    raise SignalNotStarted
                if known.result is not result:
                    raise AlreadyDecided(known.result)
                return known
            await self._tell(tx, signal, "signal-result", await signals.record(tx), result=result)
            await _note(tx, actor, signal, result)
        self.outbox.wake()
        return signal

    async def _tell(self, tx: Tx, signal: Signal, text_id: str, record: SignalRecord, **more: Argument) -> None:
        told = _told({**arguments(signal.draft), **record_arguments(record), **more})
        await signals.tell_receivers(tx, signal.id, f"{text_id}:{signal.id}", text_id, told, priority=PRIORITY)

    async def for_desk(self, *, before: int | None = None, after: int | None = None) -> Listed:
        """A page for admins: those that wait for their result, then the others, each newest first."""
        async with self.database.transaction() as tx:
            page = await signals.for_desk(tx, before=before, after=after, limit=PAGE)
            return Listed(page, await signals.record(tx))

    async def one(self, signal_id: int) -> tuple[Signal, int, int]:
        """A signal, to how many it was sent, and for how many it waits. Raises NotFound."""
        async with self.database.transaction() as tx:
            return await _known(tx, signal_id), *await signals.reached(tx, signal_id)

    async def count_without_result(self) -> int:
        """Signals whose event has started and that wait for their result."""
        async with self.database.connection() as tx:
            return await signals.count_without_result(tx)


async def _known(tx: Tx, signal_id: int) -> Signal:
    signal = await signals.get(tx, signal_id)
    if signal is None:
        raise NotFound
    return signal


async def _note(tx: Tx, actor: str, signal: Signal, status: str, **details: object) -> None:
    await audit.write(tx, actor=actor, action="signal", status=status, entity=("signal", signal.id), details=details)


def _line(text: str, minimum: int, maximum: int) -> str:
    refuse(text)  # before what cannot be seen is taken out
    line = words.line(text)
    if not minimum <= len(line) <= maximum:
        raise WrongLength(minimum, maximum)
    return line


def _told(values: Mapping[str, Argument]) -> dict[str, object]:
    return {name: argument(value) for name, value in values.items()}


def arguments(draft: SignalDraft) -> dict[str, Argument]:
    """What every text about a signal is given; a note stands on a line of its own."""
    note = f"\n{draft.note}" if draft.note else ""
    return {
        "event": draft.event,
        "pick": draft.pick,
        "odds": f"{draft.odds:.2f}",
        "starts": draft.starts_at,
        "note": note,
    }


def record_arguments(record: SignalRecord) -> dict[str, Argument]:
    """What every text about the record is given: both halves of it."""
    return {**_tally("whole", record.whole), **_tally("recent", record.recent)}


def _tally(name: str, tally: Tally) -> dict[str, Argument]:
    enough = tally.rate is not None and tally.won + tally.lost >= ENOUGH
    values: dict[str, Argument] = {
        "number": tally.number,
        "withdrawn": tally.withdrawn,
        "won": tally.won,
        "lost": tally.lost,
        "void": tally.void,
        "waiting": tally.waiting,
        "odds": "—" if tally.odds is None else f"{tally.odds:.2f}",
        "rate": f"{tally.rate:+.2f}" if enough else "none",
    }
    return {f"{name}_{key}": value for key, value in values.items()}
