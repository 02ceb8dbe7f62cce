"""Refunds and disputes: what a provider gave back or a bank took back, and what players owe because of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from asyncpg import Record

from db.database import Tx, present
from db.models import Language, Page, ProviderName, ReturnedPayment, ReturnState
from db.money import Money
from db.reconciliation import credit_key, oldest_first

_COLUMNS = """\
  id, public_id, kind, provider, provider_ref, payment_ref, operation_id, user_id, currency, amount_minor, state,
  provider_state, taken_minor, owed_minor, forgiven_minor, suspended_minor, requested_by, occurred_at, created_at"""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has a payment's money, as far as it was credited, and where it lies else."""

    amount: Money
    """The whole payment."""
    player_id: int | None
    """Whom it was credited to; None: it lies in suspense, as far as it has not gone back."""
    operation_id: int | None


@dataclass(frozen=True, slots=True)
class Debtor:
    """The player of a returned payment, locked."""

    id: int
    chat_id: int
    language: Language
    frozen: bool
    available: Money


def _returned(row: Record) -> ReturnedPayment:
    currency = row["currency"]
    return ReturnedPayment(
        id=row["id"],
        public_id=row["public_id"],
        kind=row["kind"],
        provider=ProviderName(row["provider"]),
        ref=row["provider_ref"],
        payment_ref=row["payment_ref"],
        operation_id=row["operation_id"],
        player_id=row["user_id"],
        amount=Money(row["amount_minor"], currency),
        state=ReturnState(row["state"]),
        provider_state=row["provider_state"],
        taken=Money(row["taken_minor"], currency),
        owed=Money(row["owed_minor"], currency),
        forgiven=Money(row["forgiven_minor"], currency),
        suspended=Money(row["suspended_minor"], currency),
        requested_by=row["requested_by"],
        occurred_at=row["occurred_at"],
        created_at=row["created_at"],
    )


async def holder(tx: Tx, provider: ProviderName, payment_ref: str) -> Holder | None:
    """Where a payment's money went in the ledger; None: it is not booked."""
    row = await tx.fetchrow(
        """
        SELECT a.currency, -e.amount_minor::bigint AS amount, coalesce(c.user_id, j.user_id) AS user_id,
            coalesce(o.operation_id, i.operation_id) AS operation_id
          FROM ledger_journal j
          JOIN ledger_entry e ON e.journal_id = j.id
          JOIN ledger_account a ON a.id = e.account_id AND a.kind = 'provider'
          LEFT JOIN LATERAL (SELECT k.user_id FROM ledger_journal k
            WHERE k.idempotency_key >= $4 AND k.idempotency_key < $4 || ';' ORDER BY k.id DESC LIMIT 1) c ON true
          LEFT JOIN wallet_operations o ON o.provider = $1 AND o.payment_ref = $2
          LEFT JOIN LATERAL (SELECT r.operation_id FROM recon_item r WHERE r.provider = $1 AND r.provider_ref = $2
            AND r.operation_id IS NOT NULL ORDER BY r.id LIMIT 1) i ON true
          WHERE j.idempotency_key = $3
        """,
        provider,
        payment_ref,
        f"deposit:{provider}:{payment_ref}",
        credit_key(provider, payment_ref),
    )
    if row is None:
        return None
    return Holder(Money(row["amount"], row["currency"]), row["user_id"], row["operation_id"])


async def lock_player(tx: Tx, player_id: int, currency: str) -> Debtor:
    """Locks a player against other decisions about the money there is now."""
    row = present(
        await tx.fetchrow(
            "SELECT id, telegram_id, language, frozen_at IS NOT NULL AS frozen FROM users WHERE id = $1"
            " FOR NO KEY UPDATE",
            player_id,
        )
    )
    # A statement of its own: it sees what was committed while the lock was waited for.
    available = await tx.fetchval(
        "SELECT available_minor FROM wallet WHERE user_id = $1 AND currency = $2", player_id, currency
    )
    return Debtor(
        row["id"], row["telegram_id"], Language(row["language"]), row["frozen"], Money(available or 0, currency)
    )


async def take_note(
    tx: Tx,
    *,
    kind: str,
    provider: ProviderName,
    ref: str,
    request_id: UUID | None,
    payment_ref: str,
    operation_id: int | None,
    amount: Money,
    provider_state: str,
    occurred_at: datetime,
) -> tuple[ReturnedPayment, bool]:
    """The row of a refund or dispute, locked: by the provider's name of it, by our own id, or a new one (True)."""
    if request_id is not None:
        await tx.execute(
            """
            UPDATE returned_payment SET provider_ref = $4, amount_minor = $6, updated_at = now()
              WHERE public_id = $3 AND kind = $1 AND provider = $2 AND provider_ref IS NULL AND payment_ref = $5
                AND currency = $7
                AND NOT EXISTS (SELECT FROM returned_payment o
                  WHERE o.provider = $2 AND o.kind = $1 AND o.provider_ref = $4)
            """,
            kind,
            provider,
            request_id,
            ref,
            payment_ref,
            amount.minor,
            amount.currency,
        )
    row = present(
        await tx.fetchrow(
            f"""
            INSERT INTO returned_payment (kind, provider, provider_ref, payment_ref, operation_id, currency,
                amount_minor, state, provider_state, occurred_at)
              VALUES ($1, $2, $3, $4, $5, $6, $7, 'noted', $8, $9)
              ON CONFLICT (provider, kind, provider_ref) DO UPDATE SET updated_at = now()
              RETURNING {_COLUMNS}, xmax = 0 AS new
            """,
            kind,
            provider,
            ref,
            payment_ref,
            operation_id,
            amount.currency,
            amount.minor,
            provider_state,
            occurred_at,
        )
    )
    return _returned(row), row["new"]


async def superseded(tx: Tx, request_id: UUID, by: int) -> None:
    """What we asked for under this id is the return that its provider had told of before: only that one is left."""
    asker = await tx.fetchval(
        "UPDATE returned_payment SET state = 'undone', provider_state = 'rejected', next_check_at = NULL,"
        " updated_at = now() WHERE public_id = $1 AND id <> $2 AND provider_ref IS NULL AND state = 'noted'"
        " RETURNING requested_by",
        request_id,
        by,
    )
    if asker is not None:
        await tx.execute(
            "UPDATE returned_payment SET requested_by = coalesce(requested_by, $2) WHERE id = $1", by, asker
        )


async def says(tx: Tx, returned_id: int, provider_state: str, occurred_at: datetime) -> None:
    """The provider's word has moved on."""
    await tx.execute(
        "UPDATE returned_payment SET provider_state = $2, occurred_at = $3, updated_at = now() WHERE id = $1",
        returned_id,
        provider_state,
        occurred_at,
    )


async def check_again(tx: Tx, returned_id: int, delay: timedelta | None) -> None:
    """When to look at it again; None: nothing is left to be looked at."""
    await tx.execute("UPDATE returned_payment SET next_check_at = now() + $2 WHERE id = $1", returned_id, delay)


async def booked(
    tx: Tx, returned_id: int, *, player_id: int | None, operation_id: int | None, taken: int, owed: int, suspended: int
) -> None:
    """Its money was taken: minor units from the player's wallet, as a debt, and from suspense."""
    await tx.execute(
        """
        UPDATE returned_payment SET state = 'booked', user_id = $2, operation_id = coalesce($3, operation_id),
            taken_minor = $4, owed_minor = $5, suspended_minor = $6, updated_at = now()
          WHERE id = $1
        """,
        returned_id,
        player_id,
        operation_id,
        taken,
        owed,
        suspended,
    )


async def undone(tx: Tx, returned_id: int) -> None:
    """All of it has gone back, or will never come."""
    await tx.execute(
        """
        UPDATE returned_payment SET state = 'undone', taken_minor = 0, owed_minor = 0, forgiven_minor = 0,
            suspended_minor = 0, next_check_at = NULL, updated_at = now()
          WHERE id = $1
        """,
        returned_id,
    )


async def refused(tx: Tx, returned_id: int) -> None:
    """The provider will not make a refund that was asked for."""
    await tx.execute(
        "UPDATE returned_payment SET state = 'undone', provider_state = 'rejected', next_check_at = NULL,"
        " updated_at = now() WHERE id = $1",
        returned_id,
    )


async def collected(tx: Tx, returned_id: int, minor: int) -> None:
    await tx.execute(
        "UPDATE returned_payment SET taken_minor = taken_minor + $2, owed_minor = owed_minor - $2, updated_at = now()"
        " WHERE id = $1",
        returned_id,
        minor,
    )


async def forgiven(tx: Tx, returned_id: int) -> None:
    await tx.execute(
        "UPDATE returned_payment SET forgiven_minor = forgiven_minor + owed_minor, owed_minor = 0, updated_at = now()"
        " WHERE id = $1",
        returned_id,
    )


async def get(tx: Tx, returned_id: int) -> ReturnedPayment | None:
    row = await tx.fetchrow(f"SELECT {_COLUMNS} FROM returned_payment WHERE id = $1", returned_id)
    return None if row is None else _returned(row)


async def named(tx: Tx, provider: ProviderName, kind: str, ref: str) -> ReturnedPayment | None:
    """By its provider's word for it."""
    row = await tx.fetchrow(
        f"SELECT {_COLUMNS} FROM returned_payment WHERE provider = $1 AND kind = $2 AND provider_ref = $3",
        provider,
        kind,
        ref,
    )
    return None if row is None else _returned(row)


async def lock(tx: Tx, returned_id: int) -> ReturnedPayment | None:
    row = await tx.fetchrow(f"SELECT {_COLUMNS} FROM returned_payment WHERE id = $1 FOR UPDATE", returned_id)
    return None if row is None else _returned(row)


async def returned_so_far(tx: Tx, provider: ProviderName, kind: str, payment_ref: str, but: int) -> int:
    """Minor units of a payment that other refunds (or disputes) have taken back."""
    return int(
        await tx.fetchval(
            "SELECT coalesce(sum(amount_minor), 0) FROM returned_payment"
            " WHERE provider = $1 AND kind = $2 AND payment_ref = $3 AND state = 'booked' AND id <> $4",
            provider,
            kind,
            payment_ref,
            but,
        )
    )


async def going_back(tx: Tx, provider: ProviderName, payment_ref: str) -> int:
    """Minor units of a payment that are refunded, or may be: booked, noted or asked for."""
    return int(
        await tx.fetchval(
            "SELECT coalesce(sum(amount_minor), 0) FROM returned_payment"
            " WHERE provider = $1 AND payment_ref = $2 AND state <> 'undone' AND provider_state <> 'inquiry'",
            provider,
            payment_ref,
        )
    )


async def asked_back(tx: Tx, provider: ProviderName, payment_ref: str) -> int:
    """Minor units of a payment in suspense that refunds asked for, and not answered yet, will take from there."""
    return int(
        await tx.fetchval(
            "SELECT coalesce(sum(amount_minor), 0) FROM returned_payment WHERE provider = $1 AND payment_ref = $2"
            " AND user_id IS NULL AND state = 'noted' AND provider_state = 'requested'",
            provider,
            payment_ref,
        )
    )


async def promised(tx: Tx, player_id: int, currency: str) -> int:
    """Minor units that refunds asked for, and not answered yet, will take from a player."""
    return int(
        await tx.fetchval(
            "SELECT coalesce(sum(amount_minor), 0) FROM returned_payment"
            " WHERE user_id = $1 AND currency = $2 AND state = 'noted' AND provider_state = 'requested'",
            player_id,
            currency,
        )
    )


async def request(
    tx: Tx,
    *,
    public_id: UUID,
    provider: ProviderName,
    payment_ref: str,
    operation_id: int | None,
    player_id: int | None,
    amount: Money,
    requested_by: str,
    next_check: timedelta,
) -> ReturnedPayment:
    """A refund to ask a provider for, once for each id."""
    row = await tx.fetchrow(
        f"""
        INSERT INTO returned_payment (public_id, kind, provider, payment_ref, operation_id, user_id, currency,
            amount_minor, state, provider_state, requested_by, next_check_at, occurred_at)
          VALUES ($1, 'refund', $2, $3, $4, $5, $6, $7, 'noted', 'requested', $8, now() + $9, now())
          RETURNING {_COLUMNS}
        """,
        public_id,
        provider,
        payment_ref,
        operation_id,
        player_id,
        amount.currency,
        amount.minor,
        requested_by,
        next_check,
    )
    return _returned(present(row))


async def requested(tx: Tx, public_id: UUID) -> ReturnedPayment | None:
    row = await tx.fetchrow(f"SELECT {_COLUMNS} FROM returned_payment WHERE public_id = $1", public_id)
    return None if row is None else _returned(row)


async def claim_due(tx: Tx, providers: Sequence[ProviderName], limit: int) -> list[ReturnedPayment]:
    """Those to be looked at. Each is put off, so a crash only delays the look."""
    rows = await tx.fetch(
        f"""
        UPDATE returned_payment
          SET next_check_at = now() + greatest(interval '5 s', least((now() - created_at) / 4, interval '1 h'))
          WHERE id IN (SELECT id FROM returned_payment WHERE provider = ANY($1) AND next_check_at <= now()
            ORDER BY next_check_at LIMIT $2 FOR UPDATE SKIP LOCKED)
          RETURNING {_COLUMNS}
        """,
        list(providers),
        limit,
    )
    return [_returned(row) for row in rows]


async def of_payment(tx: Tx, provider: ProviderName, payment_ref: str) -> list[ReturnedPayment]:
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM returned_payment WHERE provider = $1 AND payment_ref = $2 ORDER BY id",
        provider,
        payment_ref,
    )
    return [_returned(row) for row in rows]


async def debts(tx: Tx, *, after: int | None, before: int | None, size: int) -> Page[ReturnedPayment]:
    """What is owed to us, oldest first."""
    rows = await tx.fetch(
        f"""
        SELECT {_COLUMNS} FROM returned_payment
          WHERE owed_minor > 0 AND ($1::bigint IS NULL OR id > $1) AND ($2::bigint IS NULL OR id < $2)
          ORDER BY CASE WHEN $2::bigint IS NULL THEN id ELSE -id END LIMIT $3
        """,
        after,
        before,
        size + 1,
    )
    found = [_returned(row) for row in rows]
    return oldest_first(found, [one.id for one in found], after=after, before=before, size=size)


async def count_debts(tx: Tx) -> int:
    return int(await tx.fetchval("SELECT count(*) FROM returned_payment WHERE owed_minor > 0"))


async def players_of_payments(
    tx: Tx, payments: Sequence[tuple[ProviderName, str]]
) -> dict[tuple[ProviderName, str], int]:
    """Whom these payments belong to, as far as one knows."""
    rows = await tx.fetch(
        """
        SELECT n.provider, n.ref, coalesce(c.user_id, j.user_id, o.user_id) AS user_id
          FROM unnest($1::text[], $2::text[]) AS n (provider, ref)
          LEFT JOIN wallet_operations o ON o.provider = n.provider AND o.payment_ref = n.ref
          LEFT JOIN ledger_journal j ON j.idempotency_key = 'deposit:' || n.provider || ':' || n.ref
          LEFT JOIN ledger_journal c ON c.idempotency_key = 'suspense:' || n.provider || ':' || n.ref || ':credit'
        """,
        [provider for provider, _ in payments],
        [ref for _, ref in payments],
    )
    return {(ProviderName(row["provider"]), row["ref"]): row["user_id"] for row in rows if row["user_id"] is not None}


async def lock_players(tx: Tx, player_ids: Sequence[int]) -> None:
    """Locks players in order, before any of their wallets."""
    await tx.execute("SELECT id FROM users WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE", sorted(set(player_ids)))
