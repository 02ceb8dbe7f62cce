"""Signals: who may see them, what was published, and the record they make."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from asyncpg import Record

from db.database import Tx, present
from db.models import Page, Signal, SignalDraft, SignalRecord, SignalResult, Tally
from db.pages import page

# The one place that says what opens the signals; `u` is the player, {channel} whether there is one to be joined.
COUNTED_DEPOSIT = "e.kind = 'deposit' AND e.problem IS NULL AND e.user_id IS NOT NULL"
"""Of `e`, a casino's event."""
DEPOSITED = f"EXISTS (SELECT FROM casino_event e WHERE e.user_id = u.id AND {COUNTED_DEPOSIT})"
IN_CHANNEL = "EXISTS (SELECT FROM channel_member m WHERE m.user_id = u.id AND m.member)"
MEMBER = f"(NOT {{channel}}::boolean OR {IN_CHANNEL})"


PATIENCE = 60
"""Seconds: a message for each of a hundred thousand players at once takes longer than other statements."""


@dataclass(frozen=True, slots=True)
class Access:
    """What a player has done of what opens the signals."""

    linked: bool
    """Has an account at a casino."""
    deposited: bool
    member: bool
    """In the channel, as Telegram said last; True when none has to be joined."""
    open: bool


async def access(tx: Tx, player_id: int, *, channel: bool) -> Access:
    """`channel`: there is one that has to be joined."""
    row = present(
        await tx.fetchrow(
            f"""
            SELECT EXISTS (SELECT FROM casino_account a WHERE a.user_id = u.id) AS linked,
                {DEPOSITED} AS deposited, {MEMBER.format(channel="$2")} AS member
              FROM users u WHERE u.id = $1
            """,
            player_id,
            channel,
        )
    )
    deposited, member = row["deposited"], row["member"]
    return Access(row["linked"] or deposited, deposited, member, deposited and member)


@dataclass(frozen=True, slots=True)
class Known:
    """What Telegram said last of a player and the channel."""

    member: bool | None
    """None: it was never asked."""
    age: float
    """Seconds since it was asked."""
    now: datetime
    """By the database's clock."""


async def known(tx: Tx, player_id: int) -> Known:
    row = present(
        await tx.fetchrow(
            """
            SELECT now(), member, coalesce(extract(epoch FROM now() - checked_at), 0)::float AS age
              FROM (SELECT $1::bigint AS user_id) u LEFT JOIN channel_member USING (user_id)
            """,
            player_id,
        )
    )
    return Known(row["member"], row["age"], row["now"])


async def keep(tx: Tx, player_id: int, *, member: bool, asked_at: datetime) -> None:
    """What Telegram answered to a question asked then. What it has said by itself since is newer."""
    await tx.execute(
        """
        INSERT INTO channel_member AS known (user_id, member, checked_at) VALUES ($1, $2, $3)
          ON CONFLICT (user_id) DO UPDATE SET member = excluded.member, checked_at = excluded.checked_at
            WHERE known.checked_at < excluded.checked_at
        """,
        player_id,
        member,
        asked_at,
    )


async def moved(tx: Tx, telegram_id: int, *, member: bool) -> None:
    """Telegram says by itself that somebody joined or left. Nothing is kept of who is no player."""
    await tx.execute(
        """
        INSERT INTO channel_member (user_id, member) SELECT id, $2 FROM users WHERE telegram_id = $1
          ON CONFLICT (user_id) DO UPDATE SET member = excluded.member, checked_at = excluded.checked_at
        """,
        telegram_id,
        member,
    )


_COLUMNS = """\
  id, event, pick, odds, starts_at, note, published_by, published_at, withdrawn_at, result,
  starts_at <= now() AS started"""


def _signal(row: Record) -> Signal:
    return Signal(
        id=row["id"],
        draft=SignalDraft(row["event"], row["pick"], row["odds"], row["starts_at"], row["note"]),
        published_by=row["published_by"],
        published_at=row["published_at"],
        withdrawn_at=row["withdrawn_at"],
        result=None if row["result"] is None else SignalResult(row["result"]),
        started=row["started"],
    )


async def publish(tx: Tx, draft: SignalDraft, *, admin: int, request_key: str) -> Signal | None:
    """Writes a signal down. None: this wish has made one already, or the event has started."""
    row = await tx.fetchrow(
        f"""
        INSERT INTO signal (request_key, event, pick, odds, starts_at, note, published_by, published_at)
          SELECT $1, $2, $3, $4, $5, $6, $7, at FROM (SELECT clock_timestamp() AS at) clock WHERE at < $5
          ON CONFLICT (request_key) DO NOTHING RETURNING {_COLUMNS}
        """,
        request_key,
        draft.event,
        draft.pick,
        draft.odds,
        draft.starts_at,
        draft.note,
        admin,
    )
    return None if row is None else _signal(row)


async def of_wish(tx: Tx, request_key: str) -> Signal | None:
    row = await tx.fetchrow(f"SELECT {_COLUMNS} FROM signal WHERE request_key = $1", request_key)
    return None if row is None else _signal(row)


async def get(tx: Tx, signal_id: int) -> Signal | None:
    row = await tx.fetchrow(f"SELECT {_COLUMNS} FROM signal WHERE id = $1", signal_id)
    return None if row is None else _signal(row)


async def withdraw(tx: Tx, signal_id: int, *, admin: int) -> Signal | None:
    """None: there is none that could be taken back."""
    row = await tx.fetchrow(
        f"""
        UPDATE signal SET withdrawn_at = clock_timestamp(), withdrawn_by = $2
          WHERE id = $1 AND withdrawn_at IS NULL AND result IS NULL AND starts_at > clock_timestamp()
          RETURNING {_COLUMNS}
        """,
        signal_id,
        admin,
    )
    return None if row is None else _signal(row)


async def settle(tx: Tx, signal_id: int, result: SignalResult, *, admin: int) -> Signal | None:
    """None: there is none without a result, or its event has not started."""
    row = await tx.fetchrow(
        f"""
        UPDATE signal SET result = $2, result_at = clock_timestamp(), result_by = $3
          WHERE id = $1 AND result IS NULL AND starts_at < clock_timestamp() RETURNING {_COLUMNS}
        """,
        signal_id,
        result,
        admin,
    )
    return None if row is None else _signal(row)


async def send(
    tx: Tx, signal: Signal, text_id: str, arguments: Mapping[str, object], *, channel: bool, priority: int
) -> int:
    """Puts a signal into the outbox for everybody to whom signals are open and who wants them; how many these are.
    What is not sent before the event starts is not sent at all."""
    await tx.execute(f"SET LOCAL statement_timeout = '{PATIENCE}s'")
    done = await tx.execute(
        f"""
        INSERT INTO outbox (dedupe_key, chat_id, text_id, arguments, priority, expires_at, signal_id)
          SELECT format('signal:%s:%s', $1::bigint, u.id), u.telegram_id, $2, $3, $4, $5, $1 FROM users u
            WHERE u.accepted_at IS NOT NULL AND u.bot_blocked_at IS NULL AND u.signals_off_at IS NULL
              AND {DEPOSITED} AND {MEMBER.format(channel="$6")}
            ORDER BY u.id
          ON CONFLICT (dedupe_key) DO NOTHING
        """,
        signal.id,
        text_id,
        dict(arguments),
        priority,
        signal.draft.starts_at,
        channel,
        timeout=PATIENCE,
    )
    return int(str(done).rpartition(" ")[2])


async def stop_sending(tx: Tx, signal_id: int) -> None:
    """Whom the signal has not reached yet does not get it any more."""
    await tx.execute("UPDATE outbox SET expires_at = now() WHERE signal_id = $1 AND state = 'queued'", signal_id)


async def tell_receivers(
    tx: Tx, signal_id: int, key: str, text_id: str, arguments: Mapping[str, object], *, priority: int
) -> None:
    """Tells everybody who was sent the signal, or is being sent it at this moment, once for the key."""
    await tx.execute(f"SET LOCAL statement_timeout = '{PATIENCE}s'")
    await tx.execute(
        """
        INSERT INTO outbox (dedupe_key, chat_id, text_id, arguments, priority)
          SELECT format('%s:%s', $2::text, u.id), u.telegram_id, $3, $4, $5
            FROM outbox o JOIN users u ON u.telegram_id = o.chat_id
            WHERE o.signal_id = $1 AND (o.state = 'sent' OR o.state = 'queued' AND o.lease IS NOT NULL)
              AND u.bot_blocked_at IS NULL AND u.signals_off_at IS NULL
            ORDER BY u.id
          ON CONFLICT (dedupe_key) DO NOTHING
        """,
        signal_id,
        key,
        text_id,
        dict(arguments),
        priority,
        timeout=PATIENCE,
    )


async def reached(tx: Tx, signal_id: int) -> tuple[int, int]:
    """How many were sent the signal, and for how many it waits."""
    row = present(
        await tx.fetchrow(
            """
            SELECT count(*) FILTER (WHERE state = 'sent') AS sent,
                count(*) FILTER (WHERE state = 'queued' AND expires_at > now()) AS waiting
              FROM outbox WHERE signal_id = $1
            """,
            signal_id,
        )
    )
    return row["sent"], row["waiting"]


async def newest(tx: Tx, *, before: int | None, after: int | None, limit: int) -> Page[Signal]:
    """A page of all signals, newest first."""
    return await _page(tx, "id", before=before, after=after, limit=limit)


# Those whose event has started and that have no result stand above all others.
_DESK = f"(result IS NULL AND starts_at <= now())::int::bigint * {2**62} + id"


async def for_desk(tx: Tx, *, before: int | None, after: int | None, limit: int) -> Page[Signal]:
    """A page of all signals: those that wait for their result, then the others, each newest first."""
    return await _page(tx, _DESK, before=before, after=after, limit=limit)


async def _page(tx: Tx, place: str, *, before: int | None, after: int | None, limit: int) -> Page[Signal]:
    """`place`: what orders them, the key of the pages."""
    rows = await tx.fetch(
        f"""
        SELECT {_COLUMNS}, {place} AS place FROM signal WHERE {place} {"<" if after is None else ">"} $1
          ORDER BY place {"DESC" if after is None else "ASC"} LIMIT $2
        """,
        after if after is not None else before if before is not None else 2**63 - 1,
        limit + 1,
    )
    return page([_signal(row) for row in rows], [row["place"] for row in rows], before=before, after=after, limit=limit)


async def count_without_result(tx: Tx) -> int:
    """Signals whose event has started and that wait for their result."""
    return int(await tx.fetchval("SELECT count(*) FROM signal WHERE result IS NULL AND starts_at <= now()"))


async def record(tx: Tx, *, draft: Decimal | None = None) -> SignalRecord:
    """The record of all signals ever published. `draft`: odds of one that is counted as if it were published now.

    Flat stakes of 1: a signal won brings its odds less 1, one lost costs 1, a void one is as if it had not been.
    """
    rows = await tx.fetch(
        """
        SELECT tally.*
          FROM unnest(ARRAY['-infinity', now() - interval '30 days']) WITH ORDINALITY AS time (since, place)
          CROSS JOIN LATERAL (
            SELECT count(*) AS number, count(*) FILTER (WHERE withdrawn) AS withdrawn,
                count(*) FILTER (WHERE result = 'won') AS won, count(*) FILTER (WHERE result = 'lost') AS lost,
                count(*) FILTER (WHERE result = 'void') AS void, count(*) FILTER (WHERE result IS NULL) AS waiting,
                round(avg(odds), 2) AS odds,
                round(100 * sum(CASE result WHEN 'won' THEN odds - 1 WHEN 'lost' THEN -1 END)
                  / nullif(count(*) FILTER (WHERE result IN ('won', 'lost')), 0), 2) AS rate
              FROM (
                SELECT odds, result, withdrawn_at IS NOT NULL AS withdrawn, published_at FROM signal
                UNION ALL SELECT $1::numeric, NULL, false, now() WHERE $1::numeric IS NOT NULL) one
              WHERE published_at > since) tally
          ORDER BY place
        """,
        draft,
    )
    whole, recent = (
        Tally(
            number=row["number"],
            withdrawn=row["withdrawn"],
            won=row["won"],
            lost=row["lost"],
            void=row["void"],
            waiting=row["waiting"],
            odds=row["odds"],
            rate=row["rate"],
        )
        for row in rows
    )
    return SignalRecord(whole, recent)
