"""Withdrawal methods: rows that say where a player is paid; the destination itself only a key can read."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from asyncpg import Record

from db.database import Tx, present
from db.models import MethodKind, Network, OperationStatus, Verification, WithdrawalMethod

OPEN_WITHDRAWAL = (
    OperationStatus.REVIEW,
    OperationStatus.APPROVED,
    OperationStatus.SENDING,
    OperationStatus.UNKNOWN,
)

_COLUMNS = """\
  method_id, user_id, withdrawal_type, network, currency, masked, is_default, is_active, verification_status,
  usable_at, note, created_at, (SELECT telegram_id FROM users WHERE id = user_id) AS chat_id"""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A destination as it is kept."""

    player_id: int
    destination: bytes
    fingerprint: bytes


def _method(row: Record) -> WithdrawalMethod:
    return WithdrawalMethod(
        id=row["method_id"],
        player_id=row["user_id"],
        chat_id=row["chat_id"],
        kind=MethodKind(row["withdrawal_type"]),
        network=None if row["network"] is None else Network(row["network"]),
        currency=row["currency"],
        masked=row["masked"],
        is_default=row["is_default"],
        is_active=row["is_active"],
        verification=Verification(row["verification_status"]),
        usable_at=row["usable_at"],
        note=row["note"],
        created_at=row["created_at"],
    )


async def of_player(tx: Tx, player_id: int) -> list[WithdrawalMethod]:
    """The player's own that were not removed, the default one first."""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM withdrawal_methods WHERE user_id = $1 AND is_active"
        " ORDER BY is_default DESC, method_id",
        player_id,
    )
    return [_method(row) for row in rows]


async def get(tx: Tx, method_id: int, *, lock: bool = False) -> WithdrawalMethod | None:
    """Also one that was removed."""
    row = await tx.fetchrow(
        f"SELECT {_COLUMNS} FROM withdrawal_methods WHERE method_id = $1{' FOR NO KEY UPDATE' if lock else ''}",
        method_id,
    )
    return None if row is None else _method(row)


async def same(tx: Tx, player_id: int, fingerprints: Sequence[bytes]) -> WithdrawalMethod | None:
    """The player's own method with one of these fingerprints."""
    row = await tx.fetchrow(
        f"SELECT {_COLUMNS} FROM withdrawal_methods WHERE user_id = $1 AND fingerprint = ANY($2) AND is_active",
        player_id,
        list(fingerprints),
    )
    return None if row is None else _method(row)


async def sharers(tx: Tx, player_id: int, fingerprints: Sequence[bytes]) -> list[int]:
    """Other players who have or had the same destination."""
    rows = await tx.fetch(
        "SELECT DISTINCT user_id FROM withdrawal_methods WHERE fingerprint = ANY($2) AND user_id <> $1 ORDER BY 1",
        player_id,
        list(fingerprints),
    )
    return [row["user_id"] for row in rows]


async def add(
    tx: Tx,
    *,
    player_id: int,
    kind: MethodKind,
    network: Network | None,
    currency: str | None,
    sealed: Sealed,
    masked: str,
    is_default: bool,
    cooling: timedelta,
) -> WithdrawalMethod:
    row = await tx.fetchrow(
        f"""
        INSERT INTO withdrawal_methods (user_id, withdrawal_type, network, currency, destination, fingerprint, masked,
            is_default, usable_at)
          VALUES ($1, $2, $3, $4, $5, $6, $7, $8, now() + $9)
          RETURNING {_COLUMNS}
        """,
        player_id,
        kind,
        network,
        currency,
        sealed.destination,
        sealed.fingerprint,
        masked,
        is_default,
        cooling,
    )
    return _method(present(row))


async def count_added(tx: Tx, player_id: int, period: timedelta) -> int:
    """How many the player has added in this last while, removed ones among them."""
    return int(
        await tx.fetchval(
            "SELECT count(*) FROM withdrawal_methods WHERE user_id = $1 AND created_at > now() - $2::interval",
            player_id,
            period,
        )
    )


async def sealed(tx: Tx, method_id: int) -> Sealed | None:
    row = await tx.fetchrow(
        "SELECT user_id, destination, fingerprint FROM withdrawal_methods WHERE method_id = $1", method_id
    )
    return None if row is None else Sealed(row["user_id"], row["destination"], row["fingerprint"])


async def make_default(tx: Tx, player_id: int, method_id: int) -> None:
    """Two statements, since there is never more than one default."""
    await tx.execute(
        "UPDATE withdrawal_methods SET is_default = false WHERE user_id = $1 AND is_default AND method_id <> $2",
        player_id,
        method_id,
    )
    await tx.execute("UPDATE withdrawal_methods SET is_default = true WHERE method_id = $1 AND is_active", method_id)


async def remove(tx: Tx, player_id: int, method_id: int) -> None:
    """The oldest of the others becomes the default one when this was it."""
    await tx.execute(
        "UPDATE withdrawal_methods SET is_active = false, is_default = false WHERE method_id = $1", method_id
    )
    await tx.execute(
        """
        UPDATE withdrawal_methods SET is_default = true
          WHERE method_id = (SELECT min(method_id) FROM withdrawal_methods WHERE user_id = $1 AND is_active)
            AND NOT EXISTS (SELECT FROM withdrawal_methods WHERE user_id = $1 AND is_default)
        """,
        player_id,
    )


async def used_by(tx: Tx, player_id: int, method_id: int) -> int | None:
    """An open withdrawal that goes there."""
    found: int | None = await tx.fetchval(
        "SELECT min(operation_id) FROM wallet_operations"
        " WHERE user_id = $1 AND withdrawal_method_id = $2 AND status = ANY($3::operation_status[])",
        player_id,
        method_id,
        list(OPEN_WITHDRAWAL),
    )
    return found


async def decide(
    tx: Tx, method_id: int, verification: Verification, *, note: str | None, actor: str
) -> WithdrawalMethod:
    row = await tx.fetchrow(
        f"""
        UPDATE withdrawal_methods SET verification_status = $2, note = $3, decided_by = $4,
            verified_at = CASE WHEN $2 = 'verified' THEN now() END
          WHERE method_id = $1 RETURNING {_COLUMNS}
        """,
        method_id,
        verification,
        note,
        actor,
    )
    return _method(present(row))


async def pending(tx: Tx, *, after: int, limit: int) -> list[WithdrawalMethod]:
    """What waits to be verified, oldest first."""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM withdrawal_methods WHERE verification_status = 'pending' AND is_active"
        " AND method_id > $1 ORDER BY method_id LIMIT $2",
        after,
        limit,
    )
    return [_method(row) for row in rows]


async def count_pending(tx: Tx) -> int:
    return int(
        await tx.fetchval("SELECT count(*) FROM withdrawal_methods WHERE verification_status = 'pending' AND is_active")
    )
