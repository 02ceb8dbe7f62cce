"""Deposits as operations: what a player asked for and how far a provider got with it."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from asyncpg import Record

from db.database import Tx, present
from db.models import Language, Operation, OperationStatus, Paid, ProviderName
from db.money import Money

_COLUMNS = """\
  operation_id, public_id, user_id, provider, currency, amount_minor, received_minor, status,
  provider_ref, payment_ref, pay_url, return_url, language, reason, message_id, save_method, payment_method_id,
  created_at, expires_at, completed_at,
  (SELECT telegram_id FROM users WHERE id = user_id) AS chat_id"""


def _operation(row: Record) -> Operation:
    received = row["received_minor"]
    return Operation(
        id=row["operation_id"],
        public_id=row["public_id"],
        player_id=row["user_id"],
        chat_id=row["chat_id"],
        provider=ProviderName(row["provider"]),
        amount=Money(row["amount_minor"], row["currency"]),
        received=None if received is None else Money(received, row["currency"]),
        status=OperationStatus(row["status"]),
        provider_ref=row["provider_ref"],
        payment_ref=row["payment_ref"],
        pay_url=row["pay_url"],
        reason=row["reason"],
        return_url=row["return_url"],
        language=Language(row["language"]),
        message_id=row["message_id"],
        save_method=row["save_method"],
        payment_method_id=row["payment_method_id"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        completed_at=row["completed_at"],
    )


async def create_deposit(
    tx: Tx,
    *,
    player_id: int,
    language: Language,
    provider: ProviderName,
    amount: Money,
    request_key: str,
    return_url: str,
    lifetime: timedelta,
    first_check: timedelta,
    save_method: bool = False,
    payment_method_id: int | None = None,
) -> Operation:
    """A new deposit, or the one that this wish has made already. Its id is appended to the return address."""
    row = await tx.fetchrow(
        f"""
        INSERT INTO wallet_operations (user_id, operation_type, provider, currency, exponent, amount_minor, request_key,
            return_url, language, actor, next_check_at, expires_at, save_method, payment_method_id)
          SELECT $1, 'deposit', $2, code, exponent, $4, $5, $6, $7, 'player', now() + $9, now() + $8, $10, $11
            FROM currency WHERE code = $3
          ON CONFLICT (user_id, request_key) DO NOTHING
          RETURNING {_COLUMNS}
        """,
        player_id,
        provider,
        amount.currency,
        amount.minor,
        request_key,
        return_url,
        language,
        lifetime,
        first_check,
        save_method,
        payment_method_id,
    )
    made = await of_wish(tx, player_id, request_key) if row is None else _operation(row)
    if made is None:
        raise LookupError("a wish that made nothing new has made a deposit before")
    return made


async def of_wish(tx: Tx, player_id: int, request_key: str) -> Operation | None:
    """The deposit that this wish has made already."""
    row = await tx.fetchrow(
        f"SELECT {_COLUMNS} FROM wallet_operations"
        " WHERE user_id = $1 AND request_key = $2 AND operation_type = 'deposit'",
        player_id,
        request_key,
    )
    return None if row is None else _operation(row)


async def opened(tx: Tx, operation_id: int, *, ref: str, url: str | None, next_check: timedelta) -> Operation:
    """The provider made it: its reference, and a link where there is a page. One that has moved on only keeps them."""
    row = await tx.fetchrow(
        f"""
        UPDATE wallet_operations SET provider_ref = coalesce(provider_ref, $2), pay_url = coalesce(pay_url, $3),
            status = CASE WHEN status IN ('created', 'unknown') THEN 'pending' ELSE status END,
            next_check_at = CASE WHEN status IN ('created', 'unknown', 'pending') THEN now() + $4 ELSE next_check_at END
          WHERE operation_id = $1 RETURNING {_COLUMNS}
        """,
        operation_id,
        ref,
        url,
        next_check,
    )
    return _operation(present(row))


async def outcome_unknown(tx: Tx, operation_id: int, *, next_check: timedelta) -> Operation:
    """The provider did not answer: ask again soon. Changes nothing once an answer has come another way."""
    row = await tx.fetchrow(
        f"""
        UPDATE wallet_operations SET status = CASE WHEN status = 'created' THEN 'unknown' ELSE status END,
            next_check_at = CASE WHEN status IN ('created', 'unknown') THEN now() + $2 ELSE next_check_at END
          WHERE operation_id = $1 RETURNING {_COLUMNS}
        """,
        operation_id,
        next_check,
    )
    return _operation(present(row))


async def get(tx: Tx, operation_id: int) -> Operation | None:
    row = await tx.fetchrow(
        f"SELECT {_COLUMNS} FROM wallet_operations WHERE operation_id = $1 AND operation_type = 'deposit'", operation_id
    )
    return None if row is None else _operation(row)


async def show_in(tx: Tx, operation_id: int, message_id: int) -> Operation:
    row = await tx.fetchrow(
        f"UPDATE wallet_operations SET message_id = $2 WHERE operation_id = $1 RETURNING {_COLUMNS}",
        operation_id,
        message_id,
    )
    return _operation(present(row))


async def lock(tx: Tx, provider: ProviderName, *, public_id: UUID | None, refs: Sequence[str]) -> Operation | None:
    """The provider's operation, locked: by our id when the provider names it, else by one of its references."""
    found = "public_id = $2" if public_id else "(provider_ref = ANY($2) OR payment_ref = ANY($2))"
    row = await tx.fetchrow(
        f"SELECT {_COLUMNS} FROM wallet_operations"
        f" WHERE provider = $1 AND operation_type = 'deposit' AND {found} LIMIT 1 FOR UPDATE",
        provider,
        public_id or list(refs),
    )
    return None if row is None else _operation(row)


async def lock_in_turn(tx: Tx, operation_id: int) -> None:
    """Locks an operation that is only to be referred to, before what comes after operations in the order of locks."""
    await tx.execute("SELECT FROM wallet_operations WHERE operation_id = $1 FOR KEY SHARE", operation_id)


async def lock_in_order(
    tx: Tx, public_ids: Sequence[UUID], payments: Sequence[tuple[ProviderName, str]] = ()
) -> list[Operation]:
    """Locks operations player by player, wallet by wallet, as every worker does, and answers them in this order.

    By our ids, and by what their providers call their payments.
    """
    rows = await tx.fetch(
        f"""
        SELECT {_COLUMNS} FROM wallet_operations
          WHERE operation_type = 'deposit' AND (public_id = ANY($1)
            OR operation_id IN (SELECT o.operation_id FROM unnest($2::text[], $3::text[]) AS p (provider, ref)
              JOIN wallet_operations o ON o.provider = p.provider AND o.payment_ref = p.ref))
          ORDER BY user_id, currency, operation_id FOR UPDATE
        """
        if payments
        else f"SELECT {_COLUMNS} FROM wallet_operations"
        " WHERE operation_type = 'deposit' AND public_id = ANY($1) ORDER BY user_id, currency, operation_id FOR UPDATE",
        list(public_ids),
        *(([provider for provider, _ in payments], [ref for _, ref in payments]) if payments else ()),
    )
    return [_operation(row) for row in rows]


async def complete(tx: Tx, paid: Sequence[Paid]) -> dict[int, Money]:
    """Marks deposits as paid in full. Answers, by operation, its player's available money in that currency as it is
    now."""
    rows = await tx.fetch(
        """
        UPDATE wallet_operations o
          SET status = 'completed', payment_ref = p.ref, received_minor = amount_minor, completed_at = p.at,
              actor = p.actor, reason = NULL, next_check_at = NULL
          FROM unnest($1::bigint[], $2::text[], $3::timestamptz[], $4::text[]) AS p (id, ref, at, actor)
          WHERE o.operation_id = p.id
          RETURNING o.operation_id, o.currency, (SELECT w.available_minor FROM wallet w
            WHERE w.user_id = o.user_id AND w.currency = o.currency) AS available
        """,
        [one.operation.id for one in paid],
        [one.payment_ref for one in paid],
        [one.at for one in paid],
        [one.actor for one in paid],
    )
    return {row["operation_id"]: Money(row["available"], row["currency"]) for row in rows}


async def close(tx: Tx, operation_id: int, status: OperationStatus, *, reason: str | None, actor: str) -> None:
    """Ends an operation without money; there is nothing left to ask the provider."""
    await tx.execute(
        "UPDATE wallet_operations SET status = $2, reason = coalesce($3, reason), actor = $4, next_check_at = NULL"
        " WHERE operation_id = $1",
        operation_id,
        status,
        reason,
        actor,
    )


async def review(tx: Tx, operation_id: int, *, payment_ref: str, actor: str) -> None:
    """Money came, but not what was asked for: an admin decides."""
    await tx.execute(
        "UPDATE wallet_operations SET status = 'review', payment_ref = $2, actor = $3, next_check_at = NULL"
        " WHERE operation_id = $1",
        operation_id,
        payment_ref,
        actor,
    )


async def note_decline(tx: Tx, operation_id: int, reason: str | None) -> None:
    """A bank said no, but the page is still open: the player may pay another way."""
    await tx.execute("UPDATE wallet_operations SET reason = $2 WHERE operation_id = $1", operation_id, reason)


async def count_open(tx: Tx, player_id: int) -> int:
    """How many payment links of a player can still be paid."""
    return int(
        await tx.fetchval(
            "SELECT count(*) FROM wallet_operations WHERE user_id = $1 AND expires_at > now()"
            " AND status IN ('created', 'pending', 'unknown')",
            player_id,
        )
    )


async def claim_due(tx: Tx, provider: ProviderName, limit: int) -> list[Operation]:
    """Operations to ask this provider about. Each is put off, so a crash only delays the question."""
    rows = await tx.fetch(
        f"""
        UPDATE wallet_operations o
          SET checks = checks + 1,
              next_check_at = now() + greatest(interval '30 s', least((now() - o.created_at) / 4, interval '10 min'))
          WHERE operation_id IN (
            SELECT operation_id FROM wallet_operations
              WHERE provider = $1 AND operation_type = 'deposit' AND next_check_at <= now()
              ORDER BY next_check_at LIMIT $2 FOR UPDATE SKIP LOCKED)
          RETURNING {_COLUMNS}
        """,
        provider,
        limit,
    )
    return [_operation(row) for row in rows]


async def claim_check(tx: Tx, operation_id: int, *, pause: timedelta) -> bool:
    """Takes the right to ask the provider now; False when somebody asked less than `pause` ago."""
    return bool(
        await tx.fetchval(
            """
            UPDATE wallet_operations SET checks = checks + 1, checked_at = now()
              WHERE operation_id = $1 AND (checked_at IS NULL OR checked_at <= now() - $2::interval) RETURNING true
            """,
            operation_id,
            pause,
        )
    )
