"""Broadcasts: one message to many, which is put into the outbox by and by."""

from asyncpg import Record

from db.database import Tx, present
from db.models import Audience, Broadcast, BroadcastReach, BroadcastState, BroadcastText, Language

# The one place that says who gets a broadcast; `u` is the player, the audience is in $1 to $4.
_MATCHES = """
      u.accepted_at IS NOT NULL AND u.bot_blocked_at IS NULL AND u.news_off_at IS NULL
      AND ($1::text IS NULL OR u.language = $1)
      AND ($2::boolean IS NULL OR $2 = (
        EXISTS (SELECT FROM wallet_operations o
          WHERE o.user_id = u.id AND o.operation_type = 'deposit' AND o.status = 'completed')
        OR EXISTS (SELECT FROM casino_event e WHERE e.user_id = u.id AND e.kind = 'deposit' AND e.problem IS NULL)))
      AND ($3::int IS NULL OR coalesce(u.seen_on, u.created_at::date) < current_date - $3)
      AND ($4::boolean IS NULL OR $4 = EXISTS (SELECT FROM casino_account a WHERE a.user_id = u.id))
"""

_COLUMNS = """
    id, text, entities, photo, button_text, button_url, language, deposited, inactive_days, linked, state, total,
    walks_to, walked_to, created_by, message_id, created_at, ended_at
"""


def _broadcast(row: Record) -> Broadcast:
    button = None if row["button_text"] is None else (row["button_text"], row["button_url"])
    language = None if row["language"] is None else Language(row["language"])
    return Broadcast(
        id=row["id"],
        content=BroadcastText(row["text"], row["entities"], row["photo"], button),
        audience=Audience(language, row["deposited"], row["inactive_days"], row["linked"]),
        state=BroadcastState(row["state"]),
        total=row["total"],
        walks_to=row["walks_to"],
        walked_to=row["walked_to"],
        created_by=row["created_by"],
        message_id=row["message_id"],
        created_at=row["created_at"],
        ended_at=row["ended_at"],
    )


def _asked(audience: Audience) -> tuple[Language | None, bool | None, int | None, bool | None]:
    return audience.language, audience.deposited, audience.inactive_days, audience.linked


async def count(tx: Tx, audience: Audience) -> int:
    """How many would get it now."""
    return int(await tx.fetchval(f"SELECT count(*) FROM users u WHERE {_MATCHES}", *_asked(audience)))


async def start(
    tx: Tx, content: BroadcastText, audience: Audience, *, request_key: str, admin: int, message_id: int | None
) -> Broadcast | None:
    """A new broadcast, for who matches now; None when this wish has been written down before."""
    text, url = content.button or (None, None)
    row = await tx.fetchrow(
        f"""
        INSERT INTO broadcast (language, deposited, inactive_days, linked, text, entities, photo, button_text,
            button_url, request_key, created_by, message_id, total, walks_to)
          SELECT $1::text, $2::boolean, $3::int, $4::boolean, $5, $6, $7, $8, $9, $10, $11, $12,
              (SELECT count(*) FROM users u WHERE {_MATCHES}), (SELECT coalesce(max(u.id), 0) FROM users u)
          ON CONFLICT (request_key) DO NOTHING RETURNING {_COLUMNS}
        """,
        *_asked(audience),
        content.text,
        list(content.entities),
        content.photo,
        text,
        url,
        request_key,
        admin,
        message_id,
    )
    return None if row is None else _broadcast(row)


async def wished(tx: Tx, request_key: str) -> Broadcast:
    """What was written down for this wish. A statement of its own: it sees what a twin has just committed."""
    return _broadcast(
        present(await tx.fetchrow(f"SELECT {_COLUMNS} FROM broadcast WHERE request_key = $1", request_key))
    )


async def get(tx: Tx, broadcast_id: int) -> Broadcast | None:
    row = await tx.fetchrow(f"SELECT {_COLUMNS} FROM broadcast WHERE id = $1", broadcast_id)
    return None if row is None else _broadcast(row)


async def newest(tx: Tx, limit: int) -> list[Broadcast]:
    """The newest first, and before them those that have not ended."""
    rows = await tx.fetch(f"SELECT {_COLUMNS} FROM broadcast ORDER BY ended_at IS NOT NULL, id DESC LIMIT $1", limit)
    return [_broadcast(row) for row in rows]


async def count_open(tx: Tx) -> int:
    return int(await tx.fetchval("SELECT count(*) FROM broadcast WHERE ended_at IS NULL"))


async def open_ids(tx: Tx) -> list[int]:
    rows = await tx.fetch("SELECT id FROM broadcast WHERE ended_at IS NULL ORDER BY id")
    return [row["id"] for row in rows]


async def lock(tx: Tx, broadcast_id: int, *, wait: bool) -> Broadcast | None:
    """A broadcast as the row says now, locked until the end of the transaction. Without `wait`: None when somebody else
    has it, or it has ended."""
    row = await tx.fetchrow(
        f"SELECT {_COLUMNS} FROM broadcast WHERE id = $1 FOR NO KEY UPDATE"
        if wait
        else f"SELECT {_COLUMNS} FROM broadcast WHERE id = $1 AND ended_at IS NULL FOR NO KEY UPDATE SKIP LOCKED",
        broadcast_id,
    )
    return None if row is None else _broadcast(row)


async def switch(tx: Tx, broadcast_id: int, state: BroadcastState) -> Broadcast:
    row = await tx.fetchrow(f"UPDATE broadcast SET state = $2 WHERE id = $1 RETURNING {_COLUMNS}", broadcast_id, state)
    return _broadcast(present(row))


async def end(tx: Tx, broadcast_id: int, state: BroadcastState) -> Broadcast:
    row = await tx.fetchrow(
        f"UPDATE broadcast SET state = $2, ended_at = clock_timestamp() WHERE id = $1 RETURNING {_COLUMNS}",
        broadcast_id,
        state,
    )
    return _broadcast(present(row))


async def walk(tx: Tx, broadcast: Broadcast, steps: int) -> None:
    """Goes on to the next `steps` players: those who match have the message in the outbox now. The row is locked."""
    await tx.execute(
        f"""
        WITH portion AS (
            SELECT id FROM users WHERE id > $6 AND id <= $7 ORDER BY id LIMIT $8),
          walked AS (
            UPDATE broadcast SET walked_to = coalesce((SELECT max(id) FROM portion), walks_to) WHERE id = $5)
        INSERT INTO outbox (dedupe_key, chat_id, text_id, arguments, priority, broadcast_id)
          SELECT 'broadcast:' || $5::bigint || ':' || u.id, u.telegram_id, 'broadcast', '{{}}', 9, $5
            FROM users u WHERE u.id IN (SELECT id FROM portion) AND {_MATCHES} ORDER BY u.id
          ON CONFLICT (dedupe_key) DO NOTHING
        """,
        *_asked(broadcast.audience),
        broadcast.id,
        broadcast.walked_to,
        broadcast.walks_to,
        steps,
    )


_NOT_ON_ITS_WAY = "state = 'queued' AND (lease IS NULL OR run_at <= now())"


async def hold(tx: Tx, broadcast_id: int) -> None:
    """What waits in the outbox is not sent for now; what is on its way arrives."""
    await tx.execute(
        f"UPDATE outbox SET state = 'held', lease = NULL WHERE broadcast_id = $1 AND {_NOT_ON_ITS_WAY}", broadcast_id
    )


async def release(tx: Tx, broadcast_id: int) -> None:
    """What was held is due now, and as if it had not been tried: a long pause uses up nobody's patience."""
    await tx.execute(
        "UPDATE outbox SET state = 'queued', run_at = now(), tried_at = NULL"
        " WHERE broadcast_id = $1 AND state = 'held'",
        broadcast_id,
    )


async def drop(tx: Tx, broadcast_id: int) -> None:
    """What waits in the outbox is never sent; what is on its way arrives."""
    await tx.execute(
        "UPDATE outbox SET state = 'dead', last_error = 'stopped', lease = NULL, let_go_at = now(), done_at = now()"
        f" WHERE broadcast_id = $1 AND (state = 'held' OR {_NOT_ON_ITS_WAY})",
        broadcast_id,
    )


async def count_waiting(tx: Tx, broadcast_id: int) -> int:
    """Messages in the outbox that are neither sent nor given up."""
    return int(
        await tx.fetchval(
            "SELECT count(*) FROM outbox WHERE broadcast_id = $1 AND state IN ('queued', 'held')", broadcast_id
        )
    )


async def reach(tx: Tx, broadcast_id: int) -> BroadcastReach:
    row = present(
        await tx.fetchrow(
            """
            SELECT count(*) FILTER (WHERE state = 'sent') AS sent,
                count(*) FILTER (WHERE why = 'blocked') AS blocked,
                count(*) FILTER (WHERE why NOT IN ('blocked', 'opted out', 'stopped')) AS failed,
                count(*) FILTER (WHERE why = 'opted out') AS unwanted,
                count(*) FILTER (WHERE why = 'stopped') AS stopped,
                count(*) FILTER (WHERE state IN ('queued', 'held')) AS waiting
              FROM (SELECT state, CASE WHEN state = 'dead' THEN coalesce(last_error, '') END AS why
                FROM outbox WHERE broadcast_id = $1) o
            """,
            broadcast_id,
        )
    )
    return BroadcastReach(**dict(row))


async def show_in(tx: Tx, broadcast_id: int, message_id: int, admin: int) -> None:
    """From now on this message of its author shows how far it is."""
    await tx.execute(
        "UPDATE broadcast SET message_id = $2, shown = NULL, shown_at = now() WHERE id = $1 AND created_by = $3",
        broadcast_id,
        message_id,
        admin,
    )


async def to_show(tx: Tx, seconds: float) -> tuple[Broadcast, str | None, Language | None] | None:
    """A broadcast whose message has shown the same for so long, what that was, and the language of its author; not
    looked at again for as long."""
    row = await tx.fetchrow(
        f"""
        UPDATE broadcast SET shown_at = now() WHERE id = (
          SELECT id FROM broadcast
            WHERE message_id IS NOT NULL AND coalesce(shown_at, created_at) <= now() - $1 * interval '1 second'
            ORDER BY shown_at NULLS FIRST LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED)
          RETURNING {_COLUMNS}, shown, (SELECT u.language FROM users u WHERE u.telegram_id = created_by) AS speaks
        """,
        seconds,
    )
    if row is None:
        return None
    return _broadcast(row), row["shown"], None if row["speaks"] is None else Language(row["speaks"])


async def showed(tx: Tx, broadcast: Broadcast, shown: str) -> None:
    """The message shows this now; when it shows the end, it has nothing more to show."""
    await tx.execute(
        "UPDATE broadcast SET shown = $2, message_id = CASE WHEN $4 THEN NULL ELSE message_id END"
        " WHERE id = $1 AND message_id = $3",
        broadcast.id,
        shown,
        broadcast.message_id,
        broadcast.ended_at is not None,
    )
