"""The outbox: what people will be told. A row is written in the transaction of the fact it tells."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from asyncpg import Record

from db.database import Tx
from db.models import Language

# Telegram may be away for hours and the news is still news; a message that cannot be sent for a day is given up.
GIVE_UP_AFTER = timedelta(days=1)
# Priorities: 0 money, 5 the rest, and what goes to many at once: 7 signals, 9 broadcasts.
URGENT, BULK, ALL = range(7), range(7, 10), range(10)


@dataclass(frozen=True, slots=True)
class Notice:
    """One message to one chat. `key` makes it unique for ever; `edits` names a message to change instead; `shows` names
    the operation whose payment link will be in it; `report` the document that is the message: then `edits` is the
    message that shows how far it is. After `expires_at` it is no news any more, and is dropped."""

    key: str
    chat_id: int
    text_id: str
    arguments: Mapping[str, object]
    edits: int | None = None
    shows: int | None = None
    priority: int = 5
    report: int | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Claimed:
    id: int
    lease: UUID
    chat_id: int
    text_id: str
    arguments: Mapping[str, object]
    edits: int | None
    language: Language | None
    attempts: int
    report: int | None
    broadcast: int | None
    drop: str | None
    """Why it is not to be sent any more."""


def _claimed(row: Record) -> Claimed:
    return Claimed(
        row["id"],
        row["lease"],
        row["chat_id"],
        row["text_id"],
        row["arguments"],
        row["edits"],
        None if row["language"] is None else Language(row["language"]),
        row["attempts"],
        row["report_id"],
        row["broadcast_id"],
        row["dropped"],
    )


async def add(tx: Tx, notices: Sequence[Notice]) -> None:
    """Adds messages; one whose key was ever used is not added again."""
    await tx.execute(
        """
        INSERT INTO outbox (dedupe_key, chat_id, text_id, arguments, edits, shows_operation, priority, report_id,
            expires_at)
          SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[], $4::jsonb[], $5::bigint[], $6::bigint[],
            $7::smallint[], $8::bigint[], $9::timestamptz[])
          ON CONFLICT (dedupe_key) DO NOTHING
        """,
        [notice.key for notice in notices],
        [notice.chat_id for notice in notices],
        [notice.text_id for notice in notices],
        [dict(notice.arguments) for notice in notices],
        [notice.edits for notice in notices],
        [notice.shows for notice in notices],
        [notice.priority for notice in notices],
        [notice.report for notice in notices],
        [notice.expires_at for notice in notices],
    )


async def claim(tx: Tx, duration: timedelta, priorities: range) -> Claimed | None:
    """The most urgent message of these priorities that is due, ours for `duration`. A chat's messages of one priority
    keep their order. With it comes why it is not to be sent after all: it is stale, or goes to many and to somebody
    who has had enough since.

    So only the first of a chat and a priority can be claimed. It is looked for among the most urgent; when thousands
    that wait behind one of their own chat stand before it, in a walk from chat to chat, one step of the index each.
    Both find the ids first, and lock by id: a plan made while the table was small stays good.
    """
    row = await tx.fetchrow(
        """
        WITH RECURSIVE first AS (
            (SELECT chat_id, priority, id, run_at FROM outbox WHERE state = 'queued' AND priority BETWEEN $2 AND $3
              ORDER BY chat_id, priority, id LIMIT 1)
          UNION ALL
            SELECT next.* FROM first CROSS JOIN LATERAL (
              SELECT chat_id, priority, id, run_at FROM outbox
                WHERE state = 'queued' AND priority BETWEEN $2 AND $3
                  AND (chat_id, priority) > (first.chat_id, first.priority)
                ORDER BY chat_id, priority, id LIMIT 1) next)
        UPDATE outbox o SET lease = gen_random_uuid(), attempts = attempts + 1, run_at = now() + $1,
            tried_at = coalesce(tried_at, now())
          WHERE id = coalesce(
            (SELECT id FROM outbox WHERE state = 'queued' AND run_at <= now() AND id = ANY (ARRAY(
                SELECT due.id FROM (
                    SELECT id, chat_id, priority FROM outbox
                      WHERE state = 'queued' AND priority BETWEEN $2 AND $3 AND run_at <= now()
                      ORDER BY priority, run_at, id LIMIT 20) due
                  WHERE id = (SELECT its.id FROM outbox its
                    WHERE its.state = 'queued' AND its.chat_id = due.chat_id AND its.priority = due.priority
                    ORDER BY its.id LIMIT 1)))
              ORDER BY priority, run_at, id LIMIT 1 FOR UPDATE SKIP LOCKED),
            (SELECT id FROM outbox WHERE state = 'queued' AND run_at <= now() AND id = ANY (ARRAY(
                SELECT id FROM first WHERE run_at <= now() ORDER BY priority, run_at, id LIMIT 20))
              ORDER BY priority, run_at, id LIMIT 1 FOR UPDATE SKIP LOCKED))
          RETURNING id, lease, chat_id, text_id, arguments, edits, attempts, report_id, broadcast_id,
            (SELECT u.language FROM users u WHERE u.telegram_id = o.chat_id) AS language,
            CASE WHEN expires_at <= now() THEN 'stale'
              WHEN num_nonnulls(broadcast_id, signal_id) > 0 THEN (
                SELECT CASE WHEN broadcast_id IS NOT NULL AND u.news_off_at IS NOT NULL
                      OR signal_id IS NOT NULL AND u.signals_off_at IS NOT NULL THEN 'opted out'
                    WHEN u.bot_blocked_at IS NOT NULL THEN 'blocked' END
                  FROM users u WHERE u.telegram_id = o.chat_id) END AS dropped
        """,
        duration,
        priorities[0],
        priorities[-1],
    )
    return None if row is None else _claimed(row)


async def renew(tx: Tx, message: Claimed, duration: timedelta) -> bool:
    """Keeps a message ours for `duration` from now. False: it is somebody else's already."""
    done = await tx.execute(
        "UPDATE outbox SET run_at = now() + $3 WHERE id = $1 AND lease = $2", message.id, message.lease, duration
    )
    return str(done) == "UPDATE 1"


async def sent(tx: Tx, message: Claimed, telegram_message_id: int | None) -> None:
    """Marks a message as sent; an operation whose link it shows learns where."""
    await tx.execute(
        """
        WITH marked AS (
          UPDATE outbox SET state = 'sent', telegram_message_id = $3, lease = NULL, done_at = now(), last_error = NULL
            WHERE id = $1 AND lease = $2 RETURNING shows_operation)
        UPDATE wallet_operations SET message_id = $3 FROM marked WHERE operation_id = shows_operation
        """,
        message.id,
        message.lease,
        telegram_message_id,
    )


async def put_off(tx: Tx, message: Claimed, error: str, delay: timedelta) -> bool:
    """Tries again after `delay`. True when it has been tried for too long: now dead."""
    state = await tx.fetchval(
        """
        UPDATE outbox SET run_at = now() + $4, last_error = $3, lease = NULL,
            state = CASE WHEN tried_at < now() - $5::interval THEN 'dead' ELSE state END
          WHERE id = $1 AND lease = $2 RETURNING state
        """,
        message.id,
        message.lease,
        error,
        delay,
        GIVE_UP_AFTER,
    )
    return bool(state == "dead")


async def give_up(tx: Tx, message: Claimed, error: str) -> None:
    await tx.execute(
        "UPDATE outbox SET state = 'dead', last_error = $3, lease = NULL, done_at = now() WHERE id = $1 AND lease = $2",
        message.id,
        message.lease,
        error,
    )


async def drop(tx: Tx, message: Claimed, why: str) -> None:
    """Given up as it should be: nobody has to look at it."""
    await tx.execute(
        "UPDATE outbox SET state = 'dead', let_go_at = now(), last_error = $3, lease = NULL, done_at = now()"
        " WHERE id = $1 AND lease = $2",
        message.id,
        message.lease,
        why,
    )


async def give_up_chat(tx: Tx, chat_id: int, error: str) -> None:
    """Nothing that waits for this chat can be delivered, and nobody can mend that."""
    await tx.execute(
        "UPDATE outbox SET state = 'dead', let_go_at = now(), last_error = $2, lease = NULL, done_at = now()"
        " WHERE chat_id = $1 AND state = 'queued'",
        chat_id,
        error,
    )


async def move_chat(tx: Tx, old: int, new: int) -> None:
    """A group became a supergroup and has a new id."""
    await tx.execute(
        "UPDATE outbox SET chat_id = $2, run_at = now(), lease = NULL WHERE chat_id = $1 AND state = 'queued'",
        old,
        new,
    )


async def oldest_age(tx: Tx) -> float:
    """Age in seconds of the oldest message that is not sent; 0 when there is none."""
    return float(
        await tx.fetchval(
            "SELECT coalesce(extract(epoch FROM now() - min(created_at)), 0) FROM outbox WHERE state = 'queued'"
        )
    )
