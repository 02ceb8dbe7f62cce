"""Casinos: players' links, whose account is whose, and what happened there."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from asyncpg import Record

from db.database import Tx, present
from db.models import (
    CasinoAccount,
    CasinoEvent,
    CasinoEventKind,
    CasinoStranger,
    CasinoTotals,
    Page,
)
from db.money import CasinoMoney
from db.pages import page

_LAST = 2**63 - 1

_EVENT = """
    e.id, e.programme, e.kind, e.words, e.first, e.weak, e.casino_id, e.click_id, e.user_id, e.amount, e.currency,
    e.country, e.problem, e.occurred_at, e.received_at, e.delivery_id
"""


def _event(row: Record) -> CasinoEvent:
    return CasinoEvent(
        id=row["id"],
        programme=row["programme"],
        kind=CasinoEventKind(row["kind"]),
        words=row["words"],
        first=row["first"],
        weak=row["weak"],
        casino_id=row["casino_id"],
        click_id=row["click_id"],
        player_id=row["user_id"],
        amount=None if row["amount"] is None else CasinoMoney(row["amount"], row["currency"]),
        country=row["country"],
        problem=row["problem"],
        occurred_at=row["occurred_at"],
        received_at=row["received_at"],
        delivery_id=row["delivery_id"],
    )


def _account(row: Record) -> CasinoAccount:
    return CasinoAccount(
        row["programme"], row["casino_id"], row["user_id"], bound_by=row["bound_by"], bound_at=row["bound_at"]
    )


async def take_turn(tx: Tx) -> None:
    """Until the end of the transaction nobody else binds accounts or counts what casinos report."""
    await tx.execute("SELECT pg_advisory_xact_lock(hashtextextended('casinos', 0))")


# Links and accounts


async def add_clicks(tx: Tx, player_id: int, programmes: Sequence[str], click_ids: Sequence[str]) -> None:
    """Gives a player a click id for each programme; one that is there already stays."""
    await tx.execute(
        "INSERT INTO casino_click (click_id, programme, user_id) SELECT c, p, $1 FROM unnest($2::text[], $3::text[])"
        " AS new (c, p) ON CONFLICT (programme, user_id) DO NOTHING",
        player_id,
        click_ids,
        programmes,
    )


async def clicks(tx: Tx, player_id: int) -> dict[str, str]:
    """A player's click ids by programme."""
    rows = await tx.fetch("SELECT programme, click_id FROM casino_click WHERE user_id = $1", player_id)
    return {row["programme"]: row["click_id"] for row in rows}


async def accounts(tx: Tx, player_id: int) -> list[CasinoAccount]:
    rows = await tx.fetch(
        "SELECT programme, casino_id, user_id, bound_by, bound_at FROM casino_account WHERE user_id = $1"
        " ORDER BY bound_at, programme",
        player_id,
    )
    return [_account(row) for row in rows]


async def account(tx: Tx, programme: str, casino_id: str) -> CasinoAccount | None:
    row = await tx.fetchrow(
        "SELECT programme, casino_id, user_id, bound_by, bound_at FROM casino_account"
        " WHERE programme = $1 AND casino_id = $2",
        programme,
        casino_id,
    )
    return None if row is None else _account(row)


async def bind(tx: Tx, programme: str, casino_id: str, player_id: int, bound_by: str) -> None:
    """Needs the turn, and that neither is bound yet."""
    await tx.execute(
        "INSERT INTO casino_account (programme, casino_id, user_id, bound_by) VALUES ($1, $2, $3, $4)",
        programme,
        casino_id,
        player_id,
        bound_by,
    )


async def link_waiting(tx: Tx, programme: str, casino_id: str, player_id: int) -> list[CasinoEvent]:
    """What waited for the player of an account is the player's now; those that count come back, in their order."""
    rows = await tx.fetch(
        f"""
        UPDATE casino_event e SET user_id = $3, linked_at = now()
          WHERE programme = $1 AND casino_id = $2 AND user_id IS NULL RETURNING {_EVENT}
        """,
        programme,
        casino_id,
        player_id,
    )
    return sorted((_event(row) for row in rows if row["problem"] is None), key=lambda event: event.id)


# What is reported


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known already when a report comes in."""

    event: CasinoEvent | None
    """The same thing, reported before."""
    owner: int | None
    """Whose the account is."""
    clicker: int | None
    """Whose the click id is."""
    clickers_account: str | None
    """Which account that player has here."""


async def look(tx: Tx, programme: str, key: str, casino_id: str | None, click_id: str | None) -> Seen:
    row = present(
        await tx.fetchrow(
            f"""
            SELECT {_EVENT}, a.user_id AS owner, k.user_id AS clicker, own.casino_id AS clickers_account
              FROM (SELECT $1::text AS programme) p
                LEFT JOIN casino_event e ON e.programme = p.programme AND e.dedupe_key = $2
                LEFT JOIN casino_account a ON a.programme = p.programme AND a.casino_id = $3
                LEFT JOIN casino_click k ON k.programme = p.programme AND k.click_id = $4
                LEFT JOIN casino_account own ON own.programme = p.programme AND own.user_id = k.user_id
            """,
            programme,
            key,
            casino_id,
            click_id,
        )
    )
    event = None if row["id"] is None else _event(row)
    return Seen(event, row["owner"], row["clicker"], row["clickers_account"])


async def registration(tx: Tx, programme: str, casino_id: str | None, click_id: str) -> str | None:
    """The key of the registration of the same player that was reported before: of this account, or where one of both
    reports names none."""
    key: str | None = await tx.fetchval(
        """
        SELECT dedupe_key FROM casino_event e
          WHERE programme = $1 AND kind = 'registration' AND problem IS NULL
            AND user_id = coalesce((SELECT user_id FROM casino_account WHERE programme = $1 AND casino_id = $2),
              (SELECT user_id FROM casino_click WHERE programme = $1 AND click_id = $3))
            AND (casino_id IS NULL OR $2 IS NULL OR casino_id = $2)
            AND NOT EXISTS (SELECT FROM casino_account a
              WHERE a.programme = $1 AND a.user_id = e.user_id AND a.casino_id <> $2)
          ORDER BY casino_id = $2 DESC NULLS LAST, id LIMIT 1
        """,
        programme,
        casino_id,
        click_id,
    )
    return key


async def near(
    tx: Tx,
    programme: str,
    kind: CasinoEventKind,
    who: str,
    amount: CasinoMoney,
    received_at: datetime,
    within: timedelta,
) -> str | None:
    """The key of a weak event that looks the same and came shortly before or after. `who`: the account, else the click
    id."""
    key: str | None = await tx.fetchval(
        """
        SELECT dedupe_key FROM casino_event
          WHERE weak AND programme = $1 AND kind = $2 AND coalesce(casino_id, click_id) = $3
            AND amount = $4 AND currency = $5 AND received_at BETWEEN $6::timestamptz - $7::interval AND $6 + $7
          ORDER BY abs(extract(epoch FROM received_at - $6)), id LIMIT 1
        """,
        programme,
        kind,
        who,
        amount.amount,
        amount.currency,
        received_at,
        within,
    )
    return key


@dataclass(frozen=True, slots=True)
class Reported:
    """An event that is not in the database yet."""

    programme: str
    kind: CasinoEventKind
    key: str
    weak: bool
    word: str
    first: bool
    casino_id: str | None
    click_id: str | None
    player_id: int | None
    amount: CasinoMoney | None
    country: str | None
    problem: str | None
    occurred_at: datetime
    received_at: datetime
    delivery_id: int


async def add(tx: Tx, new: Reported) -> int | None:
    """The number of a new event; None: there is one with this key."""
    number: int | None = await tx.fetchval(
        """
        INSERT INTO casino_event (programme, kind, dedupe_key, weak, words, first, casino_id, click_id, user_id, amount,
            currency, country, problem, occurred_at, received_at, linked_at, delivery_id)
          VALUES ($1, $2, $3, $4, ARRAY[$5::text], $6, $7, $8, $9::bigint, $10, $11, $12, $13, $14, $15,
            CASE WHEN $9 IS NOT NULL THEN now() END, $16)
          ON CONFLICT (programme, dedupe_key) DO NOTHING RETURNING id
        """,
        new.programme,
        new.kind,
        new.key,
        new.weak,
        new.word,
        new.first,
        new.casino_id,
        new.click_id,
        new.player_id,
        None if new.amount is None else new.amount.amount,
        None if new.amount is None else new.amount.currency,
        new.country,
        new.problem,
        new.occurred_at,
        new.received_at,
        new.delivery_id,
    )
    return number


async def merge(
    tx: Tx,
    event_id: int,
    *,
    word: str,
    first: bool,
    casino_id: str | None,
    click_id: str | None,
    player_id: int | None,
) -> None:
    """Another report of the same thing: its word, and what it knows that the first did not."""
    await tx.execute(
        """
        UPDATE casino_event SET words = CASE WHEN $2 = ANY (words) THEN words ELSE words || $2::text END,
            first = first OR $3, casino_id = $4, click_id = $5, user_id = $6::bigint,
            linked_at = CASE WHEN $6 IS NOT NULL THEN coalesce(linked_at, now()) END
          WHERE id = $1
            AND (NOT $2 = ANY (words) OR first < $3 OR (casino_id, click_id, user_id) IS DISTINCT FROM ($4, $5, $6))
        """,
        event_id,
        word,
        first,
        casino_id,
        click_id,
        player_id,
    )


async def may_tell(tx: Tx, what: str, pause: timedelta) -> bool:
    """Whether the pause since this was told last is over; if so it is being told now."""
    return bool(
        await tx.fetchval(
            """
            INSERT INTO told_lately (what) VALUES ($1)
              ON CONFLICT (what) DO UPDATE SET told_at = now() WHERE told_lately.told_at <= now() - $2::interval
              RETURNING true
            """,
            what,
            pause,
        )
    )


async def listener(tx: Tx, player_id: int) -> int | None:
    """The chat of a player who may be written to: of age by the player's own word, and not gone."""
    chat: int | None = await tx.fetchval(
        "SELECT telegram_id FROM users WHERE id = $1 AND accepted_at IS NOT NULL AND bot_blocked_at IS NULL", player_id
    )
    return chat


# Looking at it


async def event(tx: Tx, event_id: int) -> CasinoEvent | None:
    row = await tx.fetchrow(f"SELECT {_EVENT} FROM casino_event e WHERE e.id = $1", event_id)
    return None if row is None else _event(row)


async def events(
    tx: Tx,
    *,
    programme: str | None = None,
    player_id: int | None = None,
    odd: bool | None = None,
    before: int | None,
    after: int | None,
    limit: int,
) -> Page[CasinoEvent]:
    """Events newest first, a page by key; `odd`: only those with a problem, or only those without."""
    conditions = ["e.id > $1" if after is not None else "e.id < $1"]
    given: list[object] = [after if after is not None else before if before is not None else _LAST, limit + 1]
    for condition, value in (("e.programme = ${}", programme), ("e.user_id = ${}", player_id)):
        if value is not None:
            given.append(value)
            conditions.append(condition.format(len(given)))
    if odd is not None:
        conditions.append(f"e.problem IS {'NOT ' if odd else ''}NULL")
    rows = await tx.fetch(
        f"""
        SELECT {_EVENT} FROM casino_event e WHERE {" AND ".join(conditions)}
          ORDER BY e.id {"DESC" if after is None else "ASC"} LIMIT $2
        """,
        *given,
    )
    found = [_event(row) for row in rows]
    return page(found, [one.id for one in found], before=before, after=after, limit=limit)


async def count_odd(tx: Tx) -> int:
    """How many odd events no admin has looked at."""
    return int(await tx.fetchval("SELECT count(*) FROM casino_event WHERE problem IS NOT NULL AND seen_at IS NULL"))


async def see_odd(tx: Tx, newest: int) -> int:
    """All odd events up to this one have been looked at; how many were new."""
    rows = await tx.fetch(
        "UPDATE casino_event SET seen_at = now() WHERE problem IS NOT NULL AND seen_at IS NULL AND id <= $1"
        " RETURNING true",
        newest,
    )
    return len(rows)


async def strangers(tx: Tx, *, before: int | None, after: int | None, limit: int) -> Page[CasinoStranger]:
    """Accounts that wait for their player, by their last event, newest first."""
    rows = await tx.fetch(
        f"""
        SELECT * FROM (
            SELECT programme, casino_id, count(*) AS events, max(id) AS newest_id, max(received_at) AS newest_at
              FROM casino_event WHERE user_id IS NULL AND casino_id IS NOT NULL GROUP BY programme, casino_id) s
          WHERE newest_id {"<" if after is None else ">"} $1 ORDER BY newest_id {"DESC" if after is None else "ASC"}
          LIMIT $2
        """,
        after if after is not None else before if before is not None else _LAST,
        limit + 1,
    )
    found = [CasinoStranger(**row) for row in rows]
    return page(found, [one.newest_id for one in found], before=before, after=after, limit=limit)


async def totals(tx: Tx, programmes: Sequence[str]) -> list[CasinoTotals]:
    """What each programme has reported, in the order asked for."""
    people = await tx.fetch(
        """
        SELECT p.programme, (SELECT count(*) FROM casino_click k WHERE k.programme = p.programme) AS clicks,
            (SELECT count(*) FROM casino_account a WHERE a.programme = p.programme) AS accounts,
            (SELECT count(DISTINCT casino_id) FROM casino_event e
              WHERE e.programme = p.programme AND e.user_id IS NULL AND e.casino_id IS NOT NULL) AS strangers
          FROM unnest($1::text[]) WITH ORDINALITY AS p (programme, nth) ORDER BY p.nth
        """,
        programmes,
    )
    sums = await tx.fetch(
        """
        SELECT programme, kind, currency, count(*) AS count, sum(amount) AS sum FROM casino_event
          WHERE problem IS NULL AND programme = ANY ($1) GROUP BY programme, kind, currency ORDER BY kind, currency
        """,
        programmes,
    )
    found = []
    for row in people:
        counts: dict[CasinoEventKind, int] = {}
        moneys: list[tuple[CasinoEventKind, CasinoMoney]] = []
        for line in (line for line in sums if line["programme"] == row["programme"]):
            kind, amount = CasinoEventKind(line["kind"]), line["sum"]
            counts[kind] = counts.get(kind, 0) + line["count"]
            if isinstance(amount, Decimal):
                moneys.append((kind, CasinoMoney(amount, line["currency"])))
        found.append(CasinoTotals(row["programme"], row["clicks"], row["accounts"], row["strangers"], counts, moneys))
    return found
