"""Letters: deliveries and messages that were given up, until somebody has them tried again or lets them go."""

from asyncpg import Record

from db.database import Tx
from db.models import DeadDelivery, DeadMessage, Page
from db.pages import page

# Nobody's work: what waited for a chat that cannot be reached, and what a broadcast's own report counts.
_LEFT_LYING = "state = 'dead' AND let_go_at IS NULL AND broadcast_id IS NULL"


async def count(tx: Tx) -> tuple[int, int]:
    """How many deliveries, and how many messages."""
    row = await tx.fetchrow(
        "SELECT (SELECT count(*) FROM webhook_inbox WHERE state = 'dead') AS deliveries,"
        f" (SELECT count(*) FROM outbox WHERE {_LEFT_LYING}) AS messages"
    )
    return (row["deliveries"], row["messages"]) if row else (0, 0)


_DELIVERY = """
    id, provider, event_type, payment_ref, headers, body, host(remote_ip) AS remote, deliveries, attempts, replays,
    last_error, received_at
"""


def _delivery(row: Record) -> DeadDelivery:
    return DeadDelivery(
        id=row["id"],
        source=row["provider"],
        kind=row["event_type"],
        payment_ref=row["payment_ref"],
        headers=row["headers"],
        body=row["body"],
        remote=row["remote"] or "",
        deliveries=row["deliveries"],
        attempts=row["attempts"],
        replays=row["replays"],
        error=row["last_error"] or "",
        received_at=row["received_at"],
    )


async def deliveries(tx: Tx, *, before: int | None, after: int | None, limit: int) -> Page[DeadDelivery]:
    """Newest first, a page by key."""
    rows = await tx.fetch(
        f"""
        SELECT {_DELIVERY} FROM webhook_inbox WHERE state = 'dead' AND id {"<" if after is None else ">"} $1
          ORDER BY id {"DESC" if after is None else "ASC"} LIMIT $2
        """,
        after if after is not None else before if before is not None else 2**63 - 1,
        limit + 1,
    )
    found = [_delivery(row) for row in rows]
    return page(found, [one.id for one in found], before=before, after=after, limit=limit)


async def delivery(tx: Tx, delivery_id: int) -> DeadDelivery | None:
    row = await tx.fetchrow(f"SELECT {_DELIVERY} FROM webhook_inbox WHERE id = $1 AND state = 'dead'", delivery_id)
    return None if row is None else _delivery(row)


async def delivery_state(tx: Tx, delivery_id: int) -> str | None:
    """None: there is no such delivery."""
    state: str | None = await tx.fetchval("SELECT state FROM webhook_inbox WHERE id = $1", delivery_id)
    return state


async def replay_delivery(tx: Tx, delivery_id: int, replays: int) -> bool:
    """Has it tried again as if it had just come. False: it is not dead, or was tried again since it was looked at."""
    return bool(
        await tx.fetchval(
            "UPDATE webhook_inbox SET state = 'queued', attempts = 0, replays = replays + 1, run_at = now(),"
            " lease = NULL WHERE id = $1 AND state = 'dead' AND replays = $2 RETURNING true",
            delivery_id,
            replays,
        )
    )


async def let_delivery_go(tx: Tx, delivery_id: int, note: str) -> bool:
    """False: it is not dead."""
    return bool(
        await tx.fetchval(
            "UPDATE webhook_inbox SET state = 'ignored', last_error = concat_ws('; ', $2::text, last_error),"
            " done_at = now() WHERE id = $1 AND state = 'dead' RETURNING true",
            delivery_id,
            note,
        )
    )


_MESSAGE = """
    o.id, o.chat_id, o.text_id, o.arguments, o.attempts, o.replays, o.last_error, o.created_at,
    (SELECT u.id FROM users u WHERE u.telegram_id = o.chat_id) AS player_id
"""


def _message(row: Record) -> DeadMessage:
    return DeadMessage(
        id=row["id"],
        chat_id=row["chat_id"],
        player_id=row["player_id"],
        text_id=row["text_id"],
        arguments=row["arguments"],
        attempts=row["attempts"],
        replays=row["replays"],
        error=row["last_error"] or "",
        created_at=row["created_at"],
    )


async def messages(tx: Tx, *, before: int | None, after: int | None, limit: int) -> Page[DeadMessage]:
    """Newest first, a page by key."""
    rows = await tx.fetch(
        f"""
        SELECT {_MESSAGE} FROM outbox o WHERE {_LEFT_LYING} AND id {"<" if after is None else ">"} $1
          ORDER BY id {"DESC" if after is None else "ASC"} LIMIT $2
        """,
        after if after is not None else before if before is not None else 2**63 - 1,
        limit + 1,
    )
    found = [_message(row) for row in rows]
    return page(found, [one.id for one in found], before=before, after=after, limit=limit)


async def message(tx: Tx, message_id: int) -> DeadMessage | None:
    row = await tx.fetchrow(f"SELECT {_MESSAGE} FROM outbox o WHERE id = $1 AND {_LEFT_LYING}", message_id)
    return None if row is None else _message(row)


async def message_state(tx: Tx, message_id: int) -> str | None:
    """None: there is no such message. `let_go`: dead, and nobody's work."""
    state: str | None = await tx.fetchval(
        f"SELECT CASE WHEN {_LEFT_LYING} OR state <> 'dead' THEN state ELSE 'let_go' END FROM outbox WHERE id = $1",
        message_id,
    )
    return state


async def replay_message(tx: Tx, message_id: int, replays: int) -> bool:
    """Has it sent as if it had just been written. False: it does not lie here, or was tried again since."""
    return bool(
        await tx.fetchval(
            "UPDATE outbox SET state = 'queued', attempts = 0, replays = replays + 1, run_at = now(), lease = NULL,"
            f" tried_at = NULL, done_at = NULL WHERE id = $1 AND {_LEFT_LYING} AND replays = $2 RETURNING true",
            message_id,
            replays,
        )
    )


async def let_message_go(tx: Tx, message_id: int) -> bool:
    """False: it does not lie here."""
    return bool(
        await tx.fetchval(
            f"UPDATE outbox SET let_go_at = now() WHERE id = $1 AND {_LEFT_LYING} RETURNING true", message_id
        )
    )
