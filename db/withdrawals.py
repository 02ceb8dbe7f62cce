"""Withdrawals as operations: what a player asked to be paid, and how far it has come."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from asyncpg import Record

from db.database import Tx, present
from db.methods import OPEN_WITHDRAWAL
from db.models import Language, OperationStatus, Standing, Withdrawal
from db.money import Money

_COLUMNS = """\
  o.operation_id, o.public_id, o.user_id, o.provider, o.currency, o.amount_minor, o.status, o.withdrawal_method_id,
  o.comment, o.note, o.payment_ref, o.created_at, o.completed_at,
  (SELECT telegram_id FROM users WHERE id = o.user_id) AS chat_id,
  (SELECT masked FROM withdrawal_methods WHERE method_id = o.withdrawal_method_id) AS masked,
  ARRAY(SELECT a.admin_id FROM approval a WHERE a.operation_id = o.operation_id ORDER BY a.created_at) AS approvals"""
# What an end leaves: amounts held are those of all others.
_ENDED_BADLY = [OperationStatus.CANCELLED, OperationStatus.FAILED]


def _withdrawal(row: Record) -> Withdrawal:
    return Withdrawal(
        id=row["operation_id"],
        public_id=row["public_id"],
        player_id=row["user_id"],
        chat_id=row["chat_id"],
        provider=row["provider"],
        amount=Money(row["amount_minor"], row["currency"]),
        status=OperationStatus(row["status"]),
        method_id=row["withdrawal_method_id"],
        method=row["masked"],
        comment=row["comment"],
        note=row["note"],
        reference=row["payment_ref"],
        approvals=tuple(row["approvals"]),
        created_at=row["created_at"],
        completed_at=row["completed_at"],
    )


async def create(
    tx: Tx,
    *,
    player_id: int,
    language: Language,
    provider: str,
    amount: Money,
    method_id: int,
    comment: str | None,
    request_key: str,
) -> Withdrawal:
    row = await tx.fetchrow(
        f"""
        INSERT INTO wallet_operations AS o (user_id, operation_type, provider, currency, exponent, amount_minor, status,
            language, withdrawal_method_id, comment, request_key, actor)
          SELECT $1, 'withdrawal', $2, code, exponent, $4, 'review', $5, $6, $7, $8, 'player'
            FROM currency WHERE code = $3
          RETURNING {_COLUMNS}
        """,
        player_id,
        provider,
        amount.currency,
        amount.minor,
        language,
        method_id,
        comment,
        request_key,
    )
    return _withdrawal(present(row))


async def wished(tx: Tx, player_id: int, request_key: str) -> Withdrawal | None:
    """The withdrawal that this wish has made already."""
    row = await tx.fetchrow(
        f"SELECT {_COLUMNS} FROM wallet_operations o"
        " WHERE o.user_id = $1 AND o.request_key = $2 AND o.operation_type = 'withdrawal'",
        player_id,
        request_key,
    )
    return None if row is None else _withdrawal(row)


async def get(tx: Tx, operation_id: int) -> Withdrawal | None:
    row = await tx.fetchrow(
        f"SELECT {_COLUMNS} FROM wallet_operations o WHERE o.operation_id = $1 AND o.operation_type = 'withdrawal'",
        operation_id,
    )
    return None if row is None else _withdrawal(row)


async def lock(tx: Tx, operation_id: int) -> Withdrawal | None:
    """The row first and then all of it: what is read beside a row that was waited for may be older than the wait."""
    await tx.execute("SELECT FROM wallet_operations WHERE operation_id = $1 FOR UPDATE", operation_id)
    return await get(tx, operation_id)


async def available(tx: Tx, player_id: int, currency: str) -> Money:
    minor = await tx.fetchval(
        "SELECT available_minor FROM wallet WHERE user_id = $1 AND currency = $2", player_id, currency
    )
    return Money(minor or 0, currency)


async def asked_since(tx: Tx, player_id: int, currency: str, period: timedelta) -> Money:
    """The sum of what was asked for in this last while and neither rejected nor failed."""
    minor = await tx.fetchval(
        """
        SELECT coalesce(sum(amount_minor), 0)::bigint FROM wallet_operations
          WHERE user_id = $1 AND currency = $2 AND operation_type = 'withdrawal'
            AND status <> ALL($4::operation_status[]) AND created_at > now() - $3::interval
        """,
        player_id,
        currency,
        period,
        _ENDED_BADLY,
    )
    return Money(minor, currency)


async def asked_up_to(tx: Tx, withdrawal: Withdrawal, period: timedelta) -> Money:
    """The sum of this withdrawal and of those that its player asked for in this while before it, in the same currency,
    which were neither rejected nor failed, and not agreed to by two admins."""
    minor = await tx.fetchval(
        """
        SELECT coalesce(sum(amount_minor), 0)::bigint FROM wallet_operations o
          WHERE user_id = $1 AND currency = $2 AND operation_type = 'withdrawal' AND operation_id < $3
            AND status <> ALL($5::operation_status[]) AND created_at > $4::timestamptz - $6::interval
            AND (SELECT count(*) FROM approval a WHERE a.operation_id = o.operation_id) < 2
        """,
        withdrawal.player_id,
        withdrawal.amount.currency,
        withdrawal.id,
        withdrawal.created_at,
        _ENDED_BADLY,
        period,
    )
    return withdrawal.amount + Money(minor, withdrawal.amount.currency)


async def open_of(tx: Tx, player_id: int) -> list[Withdrawal]:
    """What a player waits for, oldest first."""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM wallet_operations o WHERE o.user_id = $1 AND o.operation_type = 'withdrawal'"
        " AND o.status = ANY($2::operation_status[]) ORDER BY o.operation_id",
        player_id,
        list(OPEN_WITHDRAWAL),
    )
    return [_withdrawal(row) for row in rows]


async def queue(tx: Tx, *, after: int, limit: int) -> list[Withdrawal]:
    """What waits for admins or for a payment, oldest first."""
    rows = await tx.fetch(
        f"""
        SELECT {_COLUMNS} FROM wallet_operations o
          WHERE o.operation_type = 'withdrawal' AND o.status IN ('review', 'approved', 'sending', 'unknown')
            AND o.operation_id > $1
          ORDER BY o.operation_id LIMIT $2
        """,
        after,
        limit,
    )
    return [_withdrawal(row) for row in rows]


async def count_queue(tx: Tx) -> int:
    return int(
        await tx.fetchval(
            "SELECT count(*) FROM wallet_operations"
            " WHERE operation_type = 'withdrawal' AND status IN ('review', 'approved', 'sending', 'unknown')"
        )
    )


async def shown_to_another(tx: Tx, operation_id: int, actor: str, period: timedelta) -> str | None:
    """Which other admin was shown the destination last, if that was in this last while."""
    found: str | None = await tx.fetchval(
        "SELECT actor FROM audit_log WHERE entity_type = 'operation' AND entity_id = $1"
        " AND action = 'destination-shown' AND actor <> $2"
        " AND created_at > now() - $3::interval ORDER BY log_id DESC LIMIT 1",
        operation_id,
        actor,
        period,
    )
    return found


async def agree(tx: Tx, operation_id: int, admin_id: int) -> bool:
    """False: this admin has agreed before."""
    return bool(
        await tx.fetchval(
            "INSERT INTO approval (operation_id, admin_id) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING true",
            operation_id,
            admin_id,
        )
    )


async def move(
    tx: Tx,
    operation_id: int,
    status: OperationStatus,
    *,
    actor: str,
    next_check: timedelta | None = None,
    note: str | None = None,
    reason: str | None = None,
) -> Withdrawal:
    """Goes to another status, or stays in it. `next_check`: when to ask the payout provider (again)."""
    row = await tx.fetchrow(
        f"""
        UPDATE wallet_operations o SET status = $2, actor = $3, next_check_at = now() + $4::interval,
            note = coalesce($5, note), reason = coalesce($6, reason)
          WHERE operation_id = $1 RETURNING {_COLUMNS}
        """,
        operation_id,
        status,
        actor,
        next_check,
        note,
        reason,
    )
    return _withdrawal(present(row))


async def complete(tx: Tx, operation_id: int, *, reference: str, actor: str) -> Withdrawal:
    """`reference` must have been found free with user_of(), which also keeps others from taking it."""
    row = await tx.fetchrow(
        f"""
        UPDATE wallet_operations o SET status = 'completed', payment_ref = $2, received_minor = amount_minor,
            completed_at = now(), actor = $3, next_check_at = NULL
          WHERE operation_id = $1 RETURNING {_COLUMNS}
        """,
        operation_id,
        reference,
        actor,
    )
    return _withdrawal(present(row))


async def user_of(tx: Tx, withdrawal: Withdrawal, reference: str) -> int | None:
    """Another operation with this reference. Until the transaction ends nobody else can look for the same one."""
    await tx.execute("SELECT pg_advisory_xact_lock(hashtext('payment_ref'), hashtext($1))", reference)
    found: int | None = await tx.fetchval(
        "SELECT operation_id FROM wallet_operations WHERE provider = $1 AND payment_ref = $2 AND operation_id <> $3",
        withdrawal.provider,
        reference,
        withdrawal.id,
    )
    return found


async def claim_due(tx: Tx, providers: Sequence[str], pause: timedelta, limit: int) -> list[int]:
    """Withdrawals about which their payout provider is to be asked. Each is put off, so a crash only delays it."""
    rows = await tx.fetch(
        """
        UPDATE wallet_operations SET checks = checks + 1, next_check_at = now() + $2::interval
          WHERE operation_id IN (
            SELECT operation_id FROM wallet_operations
              WHERE provider = ANY($1) AND operation_type = 'withdrawal' AND next_check_at <= now()
              ORDER BY next_check_at LIMIT $3 FOR UPDATE SKIP LOCKED)
          RETURNING operation_id
        """,
        list(providers),
        pause,
        limit,
    )
    return [row["operation_id"] for row in rows]


async def remind(tx: Tx, *, first: timedelta, again: timedelta) -> list[Withdrawal]:
    """What has waited too long and was not spoken of lately: now it is spoken of. Oldest first."""
    rows = await tx.fetch(
        f"""
        UPDATE wallet_operations o SET reminded_at = now()
          WHERE o.operation_id IN (
            SELECT operation_id FROM wallet_operations
              WHERE operation_type = 'withdrawal' AND status IN ('review', 'approved', 'sending', 'unknown')
                AND created_at <= now() - $1::interval AND coalesce(reminded_at <= now() - $2::interval, true)
              FOR UPDATE SKIP LOCKED)
          RETURNING {_COLUMNS}
        """,
        first,
        again,
    )
    return sorted((_withdrawal(row) for row in rows), key=lambda withdrawal: withdrawal.id)


async def standing(tx: Tx, withdrawal: Withdrawal, period: timedelta) -> Standing:
    """The player's history as an admin should see it before deciding on this withdrawal."""
    currency = withdrawal.amount.currency
    row = present(
        await tx.fetchrow(
            """
            SELECT u.telegram_id, u.username, u.name, u.created_at, u.frozen_reason, m.created_at AS method_since,
                w.available_minor, w.withdrawals_minor, w.deposited_minor, w.withdrawn_minor, w.bet_minor, w.won_minor,
                (SELECT count(*) FROM wallet_operations o
                  WHERE o.user_id = u.id AND o.operation_type = 'withdrawal' AND o.status = 'completed') AS paid_out,
                (SELECT coalesce(max(j.id) FILTER (WHERE j.kind = 'bet_placed'), 0)
                    > coalesce(max(j.id) FILTER (WHERE j.kind IN ('deposit', 'suspense_released')), 0)
                  FROM ledger_journal j WHERE j.user_id = u.id) AS bets_since_deposit,
                (SELECT count(*) FROM returned_payment r WHERE r.user_id = u.id AND r.state <> 'undone') AS disputed,
                (SELECT coalesce(sum(r.owed_minor), 0)::bigint FROM returned_payment r
                  WHERE r.user_id = u.id AND r.currency = $3) AS owed_minor,
                (SELECT coalesce(sum(d.amount_minor), 0)::bigint FROM wallet_operations d
                  WHERE d.user_id = u.id AND d.currency = $3 AND d.operation_type = 'withdrawal'
                    AND d.status <> ALL($5::operation_status[]) AND d.operation_id <= $1
                    AND d.created_at > o.created_at - $4::interval) AS day_minor
              FROM wallet_operations o JOIN users u ON u.id = o.user_id
                JOIN withdrawal_methods m ON m.method_id = o.withdrawal_method_id
                JOIN wallet w ON w.user_id = u.id AND w.currency = $3
              WHERE o.operation_id = $1 AND o.user_id = $2
            """,
            withdrawal.id,
            withdrawal.player_id,
            currency,
            period,
            _ENDED_BADLY,
        )
    )
    since: datetime = row["created_at"]
    return Standing(
        telegram_id=row["telegram_id"],
        username=row["username"],
        name=row["name"],
        since=since,
        frozen_reason=row["frozen_reason"],
        available=Money(row["available_minor"], currency),
        held=Money(row["withdrawals_minor"], currency),
        deposited=Money(row["deposited_minor"], currency),
        withdrawn=Money(row["withdrawn_minor"], currency),
        bet=Money(row["bet_minor"], currency),
        won=Money(row["won_minor"], currency),
        paid_out=row["paid_out"],
        bets_since_deposit=row["bets_since_deposit"],
        disputed=row["disputed"],
        owed=Money(row["owed_minor"], currency),
        method_since=row["method_since"],
        last_day=Money(row["day_minor"], currency),
    )
