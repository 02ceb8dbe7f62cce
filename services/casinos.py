"""Casinos: whose account is whose, and what happened there. It is no money of ours and moves none."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from db import audit, casinos, inbox, players, signals
from db.casinos import Reported, Seen
from db.database import Database, Tx
from db.models import (
    CasinoAccount,
    CasinoEvent,
    CasinoEventKind,
    CasinoStranger,
    CasinoTotals,
    Page,
    Player,
)
from db.money import CasinoMoney
from db.outbox import Notice
from services import masking
from services.errors import CasinoAccountKnown, CasinoAccountTaken, NotFound, RulesNotAccepted
from services.outbox import Outbox
from services.providers.casino import CasinoReport, Programme
from services.staff import Right

PAGE = 8
# Without a transaction id the same thing again within this time is the same thing.
NEAR = timedelta(seconds=60)
WIN_PAUSE = timedelta(minutes=5)
WIN_NEWS = timedelta(minutes=10)
"""A win that is older is no news any more."""
ODD_PAUSE = timedelta(hours=1)
POSTBACK = "postback"


@dataclass(frozen=True, slots=True)
class CasinoPlace:
    """A programme as one player sees it."""

    programme: str
    title: str
    url: str | None
    """Where the player registers; None: not offered, or not any more."""
    account: CasinoAccount | None


@dataclass(frozen=True, slots=True)
class Case:
    """One event with what an admin needs to decide about it."""

    event: CasinoEvent
    title: str
    owner: int | None
    """Whose the account is."""
    said: Mapping[str, str]
    """What the postback said, name by name, masked; empty when it is not kept any more."""


@dataclass(frozen=True, slots=True)
class Casinos:
    database: Database
    outbox: Outbox
    programmes: Mapping[str, Programme]
    """By name."""
    channel: bool
    """A channel has to be joined before signals open."""

    async def take_turn(self, tx: Tx) -> None:
        """Until the end of the transaction nobody else binds accounts or counts what casinos report."""
        await casinos.take_turn(tx)

    # ---- what is reported

    async def apply(self, tx: Tx, report: CasinoReport, *, delivery_id: int) -> None:
        """Counts what a programme reports, once. Needs the turn."""
        if report.problem is not None:
            await self._keep_odd(tx, report, report.problem, report.key, delivery_id)
            return
        seen = await casinos.look(tx, report.programme, await _key(tx, report), report.casino_id, report.click_id)
        whole, conflict = report, _conflict(report, seen)
        if seen.event is not None:
            whole, seen = await _joined(tx, report, seen, seen.event)
        if seen.event is not None and _disagree(seen.event, report, _whose(whole, seen)):
            await self._keep_odd(tx, report, "disagrees", f"odd:disagrees:{report.fingerprint}", delivery_id)
        elif whole.casino_id is None and seen.clicker is None:
            await self._keep_odd(tx, report, "player-unknown", f"odd:{report.fingerprint}", delivery_id)
        else:
            await self._count(tx, whole, seen, delivery_id)
            if conflict is not None:
                key = f"odd:{conflict}:{report.casino_id}:{report.click_id}"
                await self._keep_odd(tx, report, conflict, key, delivery_id)

    async def _count(self, tx: Tx, report: CasinoReport, seen: Seen, delivery_id: int) -> None:
        player_id = _whose(report, seen)
        linked: list[CasinoEvent] = []
        unbound = report.casino_id if seen.owner is None else None
        deposited = False
        if player_id is not None and (unbound is not None or report.kind is CasinoEventKind.DEPOSIT):
            deposited = (await self._access(tx, player_id)).deposited
        if player_id is not None and unbound is not None:
            await casinos.bind(tx, report.programme, unbound, player_id, POSTBACK)
            linked = await casinos.link_waiting(tx, report.programme, unbound, player_id)
        new: CasinoEvent | None = None
        if seen.event is None:
            new = await self._add(tx, report, player_id, delivery_id)
        else:
            await casinos.merge(
                tx,
                seen.event.id,
                word=report.word,
                first=report.first,
                casino_id=report.casino_id,
                click_id=report.click_id,
                player_id=player_id,
            )
        if player_id is not None:
            await self._tell(tx, player_id, linked, new, deposited=deposited)

    async def _add(self, tx: Tx, report: CasinoReport, player_id: int | None, delivery_id: int) -> CasinoEvent:
        new = _reported(report, player_id, None, report.key, delivery_id)
        number = await casinos.add(tx, new)
        if number is None:
            raise LookupError("an event that was looked for under the turn is there after all")
        return CasinoEvent(
            id=number,
            programme=new.programme,
            kind=new.kind,
            words=[new.word],
            first=new.first,
            weak=new.weak,
            casino_id=new.casino_id,
            click_id=new.click_id,
            player_id=new.player_id,
            amount=new.amount,
            country=new.country,
            problem=None,
            occurred_at=new.occurred_at,
            received_at=new.received_at,
            delivery_id=new.delivery_id,
        )

    async def _keep_odd(self, tx: Tx, report: CasinoReport, problem: str, key: str, delivery_id: int) -> None:
        """Kept beside what counts, and shown to the admins, who hear of it at most once an hour."""
        seen = await casinos.look(tx, report.programme, key, report.casino_id, report.click_id)
        player_id = seen.clicker if report.casino_id is None else seen.owner
        number = await casinos.add(tx, _reported(report, player_id, problem, key, delivery_id))
        if number is not None and await casinos.may_tell(tx, "odd postbacks", ODD_PAUSE):
            count = await casinos.count_odd(tx)
            await self.outbox.tell_admins(
                tx, Right.CASINO, f"admin-casino-odd:{number}", "admin-casino-odd", count=count
            )

    # ---- what the player hears

    async def _tell(
        self, tx: Tx, player_id: int, linked: Sequence[CasinoEvent], new: CasinoEvent | None, *, deposited: bool
    ) -> None:
        """News for the player: what waited for the account, several things in one message, and what came now.
        `deposited`: a deposit was known before this."""
        chat = await casinos.listener(tx, player_id)
        if chat is None:
            return
        several = len(linked) > 1
        events = [*([] if several else linked), *([] if new is None else [new])]
        welcomes = [event for event in events if event.kind is CasinoEventKind.REGISTRATION]
        for event in welcomes:  # first, however late its postback came
            await self._say(tx, chat, event, "casino-registered")
        if several:
            await self._introduce(tx, player_id, chat, linked[0].programme, linked[0].casino_id or "", linked)
            deposited = deposited or _count(linked, CasinoEventKind.DEPOSIT) > 0
        for event in events:
            match event.kind:
                case CasinoEventKind.DEPOSIT if deposited:
                    await self._say(tx, chat, event, "casino-deposit-again")
                case CasinoEventKind.DEPOSIT:
                    await self._say(tx, chat, event, "casino-deposit", signals=await self._signals(tx, player_id))
                    deposited = True
                case CasinoEventKind.WITHDRAWAL:
                    await self._say(tx, chat, event, "casino-withdrawal")
                case CasinoEventKind.WIN:
                    until = min(event.occurred_at, event.received_at) + WIN_NEWS
                    if datetime.now(UTC) < until and await casinos.may_tell(tx, f"win:{player_id}", WIN_PAUSE):
                        await self._say(tx, chat, event, "casino-win", until)
                case CasinoEventKind.REGISTRATION | CasinoEventKind.UNKNOWN:
                    pass  # told already; never counted

    async def _say(
        self, tx: Tx, chat: int, event: CasinoEvent, text_id: str, until: datetime | None = None, **more: str
    ) -> None:
        """`until`: after that it is no news any more."""
        amount = {} if event.amount is None else {"amount": str(event.amount)}
        arguments = {"title": self.title(event.programme), **amount, **more}
        await self.outbox.tell(tx, Notice(f"{text_id}:{event.id}", chat, text_id, arguments, expires_at=until))

    async def _introduce(
        self, tx: Tx, player_id: int, chat: int, programme: str, casino_id: str, linked: Sequence[CasinoEvent]
    ) -> None:
        """An account is the player's now, with all that waited for it."""
        arguments: dict[str, str | int] = {
            "title": self.title(programme),
            "account": casino_id,
            "events": len(linked),
            "deposits": _count(linked, CasinoEventKind.DEPOSIT),
            "withdrawals": _count(linked, CasinoEventKind.WITHDRAWAL),
            "wins": _count(linked, CasinoEventKind.WIN),
            "signals": await self._signals(tx, player_id),
        }
        key = f"casino-linked:{programme}:{casino_id}"
        await self.outbox.tell(tx, Notice(key, chat, "casino-linked", arguments))

    async def _access(self, tx: Tx, player_id: int) -> signals.Access:
        return await signals.access(tx, player_id, channel=self.channel)

    async def _signals(self, tx: Tx, player_id: int) -> str:
        """`open`, or what is missing: `channel` or `deposit`."""
        access = await self._access(tx, player_id)
        return "open" if access.open else "channel" if access.deposited else "deposit"

    # ---- for players

    def title(self, programme: str) -> str:
        """Also of one that has left the settings."""
        known = self.programmes.get(programme)
        return programme if known is None else known.title

    async def places(self, player: Player) -> list[CasinoPlace]:
        """Every programme with the player's own link, which is made at the first need. Raises RulesNotAccepted."""
        if player.accepted_at is None:
            raise RulesNotAccepted
        offered = [name for name, programme in self.programmes.items() if programme.link is not None]
        async with self.database.connection() as tx:
            clicks = await casinos.clicks(tx, player.id)
            if missing := [name for name in offered if name not in clicks]:
                await casinos.add_clicks(tx, player.id, missing, [secrets.token_hex(8) for _ in missing])
                clicks = await casinos.clicks(tx, player.id)
            accounts = {account.programme: account for account in await casinos.accounts(tx, player.id)}
        return [
            CasinoPlace(
                name,
                programme.title,
                programme.link.replace("{sub1}", clicks[name]) if programme.link and name not in accounts else None,
                accounts.get(name),
            )
            for name, programme in self.programmes.items()
        ]

    async def place(self, player: Player, programme: str) -> CasinoPlace:
        """Raises NotFound for a programme that is not there (any more)."""
        for place in await self.places(player):
            if place.programme == programme:
                return place
        raise NotFound

    async def history(
        self, player: Player, programme: str, *, before: int | None = None, after: int | None = None
    ) -> Page[CasinoEvent]:
        """What the casino reported of this player and counts, newest first."""
        async with self.database.connection() as tx:
            return await casinos.events(
                tx, programme=programme, player_id=player.id, odd=False, before=before, after=after, limit=PAGE
            )

    # ---- for admins

    async def totals(self) -> list[CasinoTotals]:
        async with self.database.connection() as tx:
            return await casinos.totals(tx, list(self.programmes))

    async def count_odd(self) -> int:
        """Odd events that no admin has looked at."""
        async with self.database.connection() as tx:
            return await casinos.count_odd(tx)

    async def events(
        self,
        *,
        programme: str | None = None,
        player_id: int | None = None,
        odd: bool = False,
        before: int | None = None,
        after: int | None = None,
    ) -> Page[CasinoEvent]:
        """Events newest first, a page by key; `odd`: only those that do not count."""
        async with self.database.connection() as tx:
            return await casinos.events(
                tx,
                programme=programme,
                player_id=player_id,
                odd=odd or None,
                before=before,
                after=after,
                limit=PAGE,
            )

    async def accounts(self, player_id: int) -> list[CasinoAccount]:
        async with self.database.connection() as tx:
            return await casinos.accounts(tx, player_id)

    async def strangers(self, *, before: int | None = None, after: int | None = None) -> Page[CasinoStranger]:
        """Accounts that wait for their player, by their last event."""
        async with self.database.connection() as tx:
            return await casinos.strangers(tx, before=before, after=after, limit=PAGE)

    async def case(self, event_id: int) -> Case:
        """Raises NotFound."""
        async with self.database.connection() as tx:
            event = await casinos.event(tx, event_id)
            if event is None:
                raise NotFound
            account = None
            if event.casino_id is not None:
                account = await casinos.account(tx, event.programme, event.casino_id)
            kept = b"" if event.delivery_id is None else await inbox.body(tx, event.delivery_id)
        programme = self.programmes.get(event.programme)
        return Case(
            event,
            self.title(event.programme),
            None if account is None else account.player_id,
            masking.masked_fields(programme.parameters(kept).values, programme.secrets) if kept and programme else {},
        )

    async def see_odd(self, admin: int, newest: int) -> None:
        """The odd events up to this one have been looked at: they are counted as waiting no more."""
        actor = await self.outbox.staff.actor(admin, Right.CASINO)
        async with self.database.transaction() as tx:
            await casinos.take_turn(tx)
            if count := await casinos.see_odd(tx, newest):
                await audit.write(tx, actor=actor, action="casino", status="seen", details={"events": count})

    async def link(self, admin: int, event_id: int, player_id: int) -> CasinoAccount:
        """The account that an event is about is this player's, and so is all that waited for it.

        Raises NotFound, CasinoAccountTaken, CasinoAccountKnown.
        """
        actor = await self.outbox.staff.actor(admin, Right.CASINO)

        async def bind(tx: Tx) -> CasinoAccount:
            await casinos.take_turn(tx)
            event = await casinos.event(tx, event_id)
            if event is None or event.casino_id is None or await players.profile(tx, player_id) is None:
                raise NotFound
            await self._bind_by_hand(tx, actor, event.programme, event.casino_id, player_id)
            account = await casinos.account(tx, event.programme, event.casino_id)
            if account is None:
                raise LookupError("an account that was just bound is not there")
            return account

        account = await self.database.run(bind)
        self.outbox.wake()
        return account

    async def _bind_by_hand(self, tx: Tx, actor: str, programme: str, casino_id: str, player_id: int) -> None:
        taken = await casinos.account(tx, programme, casino_id)
        if taken is not None and taken.player_id == player_id and taken.bound_by == actor:
            return  # the answer to the first try was lost
        if taken is not None:
            raise CasinoAccountTaken(taken.player_id)
        for other in await casinos.accounts(tx, player_id):
            if other.programme == programme:
                raise CasinoAccountKnown(other.casino_id)
        deposited = (await self._access(tx, player_id)).deposited
        await casinos.bind(tx, programme, casino_id, player_id, actor)
        linked = await casinos.link_waiting(tx, programme, casino_id, player_id)
        await audit.write(
            tx,
            actor=actor,
            action="casino",
            status="bound",
            user_id=player_id,
            details={"programme": programme, "casino_id": casino_id, "events": len(linked)},
        )
        chat = await casinos.listener(tx, player_id)
        if chat is not None and not linked:
            await self._introduce(tx, player_id, chat, programme, casino_id, linked)
        await self._tell(tx, player_id, linked, None, deposited=deposited)


async def _key(tx: Tx, report: CasinoReport) -> str:
    """Of what is perhaps reported again: of a registration also when it was reported without its account, or is now;
    of anything without a transaction id also of the same thing a moment before or after."""
    if report.kind is CasinoEventKind.REGISTRATION and report.click_id is not None:
        return await casinos.registration(tx, report.programme, report.casino_id, report.click_id) or report.key
    if not report.weak or report.dated or report.amount is None:
        return report.key
    key = await casinos.near(
        tx,
        report.programme,
        report.kind,
        report.casino_id or report.click_id or "",
        CasinoMoney(report.amount, report.currency),
        report.received_at,
        NEAR,
    )
    return key or report.key


def _whose(report: CasinoReport, seen: Seen) -> int | None:
    """Whose a report is: the account's player, else of whom its click id is, to whom the account is bound then."""
    if report.casino_id is None or (seen.owner is None and _conflict(report, seen) is None):
        return seen.clicker
    return seen.owner


def _disagree(event: CasinoEvent, report: CasinoReport, whose: int | None) -> bool:
    """Two reports of one thing that cannot both be true; `whose`: it would be, by both together."""
    amount = None if report.amount is None else CasinoMoney(report.amount, report.currency)
    if event.amount != amount or (event.player_id is not None and event.player_id != whose):
        return True
    if event.casino_id is not None and report.casino_id is not None:
        return event.casino_id != report.casino_id
    neither = event.casino_id is None and report.casino_id is None
    return neither and None not in (event.click_id, report.click_id) and event.click_id != report.click_id


async def _joined(tx: Tx, report: CasinoReport, seen: Seen, event: CasinoEvent) -> tuple[CasinoReport, Seen]:
    """What both reports of one thing know together, and whose that is: as if one had said it all, in either order."""
    casino_id = event.casino_id or report.casino_id
    click_id = event.click_id or report.click_id
    before = await casinos.look(tx, report.programme, report.key, casino_id, click_id)
    if before.clicker is None and seen.clicker is not None:
        click_id = report.click_id  # the first one's was none of ours
        before = await casinos.look(tx, report.programme, report.key, casino_id, click_id)
    return replace(report, casino_id=casino_id, click_id=click_id), replace(before, event=event)


def _conflict(report: CasinoReport, seen: Seen) -> str | None:
    """Why the account that comes with a click id of ours is not that player's."""
    if report.casino_id is None or seen.clicker is None or seen.clickers_account == report.casino_id:
        return None
    if seen.owner is not None:
        return "bound-elsewhere"
    return "second-account" if seen.clickers_account is not None else None


def _reported(report: CasinoReport, player_id: int | None, problem: str | None, key: str, delivery_id: int) -> Reported:
    return Reported(
        programme=report.programme,
        kind=report.kind,
        key=key,
        weak=report.weak and problem is None,
        word=report.word,
        first=report.first,
        casino_id=report.casino_id,
        click_id=report.click_id,
        player_id=player_id,
        amount=None if report.amount is None else CasinoMoney(report.amount, report.currency),
        country=report.country,
        problem=problem,
        occurred_at=report.occurred_at,
        received_at=report.received_at,
        delivery_id=delivery_id,
    )


def _count(events: Sequence[CasinoEvent], kind: CasinoEventKind) -> int:
    return sum(event.kind is kind for event in events)
