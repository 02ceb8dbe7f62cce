"""Kept cards and wallets, each a row for what its provider keeps; and the record to which they belong there."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from asyncpg import Record

from db.database import Tx
from db.models import PaymentMethod, ProviderName

_COLUMNS = """\
  method_id, user_id, provider, provider_ref, payment_type, card_brand, card_last4, card_exp_month, card_exp_year,
  is_default"""


def _method(row: Record) -> PaymentMethod:
    return PaymentMethod(
        id=row["method_id"],
        player_id=row["user_id"],
        provider=ProviderName(row["provider"]),
        provider_ref=row["provider_ref"],
        payment_type=row["payment_type"],
        brand=row["card_brand"],
        last4=row["card_last4"],
        exp_month=row["card_exp_month"],
        exp_year=row["card_exp_year"],
        is_default=row["is_default"],
    )


async def active(tx: Tx, player_id: int, limit: int) -> list[PaymentMethod]:
    """What a player can pay with: the default first, then the newest."""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM payment_methods WHERE user_id = $1 AND is_active"
        " ORDER BY is_default DESC, method_id DESC LIMIT $2",
        player_id,
        limit,
    )
    return [_method(row) for row in rows]


async def get(tx: Tx, method_id: int, *, player_id: int, removed: bool = False) -> PaymentMethod | None:
    """A player's card; with `removed` also one that was given up."""
    row = await tx.fetchrow(
        f"SELECT {_COLUMNS} FROM payment_methods WHERE method_id = $1 AND user_id = $2 AND (is_active OR $3)",
        method_id,
        player_id,
        removed,
    )
    return None if row is None else _method(row)


async def keep(
    tx: Tx,
    *,
    player_id: int,
    provider: ProviderName,
    provider_ref: str,
    payment_type: str,
    brand: str | None,
    last4: str | None,
    exp_month: int | None,
    exp_year: int | None,
) -> int | None:
    """Keeps a card, or renews what is known of it. Answers the number of a new one; None: it was known already.

    One that was given up stays so, and nobody gets another player's.
    """
    row = await tx.fetchrow(
        """
        INSERT INTO payment_methods AS known (user_id, provider, provider_ref, payment_type, card_brand, card_last4,
            card_exp_month, card_exp_year)
          VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
          ON CONFLICT (provider, provider_ref) DO UPDATE
            SET card_brand = coalesce(excluded.card_brand, known.card_brand),
                card_last4 = coalesce(excluded.card_last4, known.card_last4),
                card_exp_month = coalesce(excluded.card_exp_month, known.card_exp_month),
                card_exp_year = coalesce(excluded.card_exp_year, known.card_exp_year)
            WHERE known.is_active AND known.user_id = excluded.user_id
          RETURNING method_id, xmax = 0 AS new
        """,
        player_id,
        provider,
        provider_ref,
        payment_type,
        brand,
        last4,
        exp_month,
        exp_year,
    )
    return row["method_id"] if row is not None and row["new"] else None


async def never_keep(tx: Tx, *, player_id: int, provider: ProviderName, provider_ref: str, payment_type: str) -> None:
    """Remembers a card as given up before it was known, in case the news of its keeping comes late."""
    await tx.execute(
        "INSERT INTO payment_methods (user_id, provider, provider_ref, payment_type, is_active)"
        " VALUES ($1, $2, $3, $4, false) ON CONFLICT (provider, provider_ref) DO NOTHING",
        player_id,
        provider,
        provider_ref,
        payment_type,
    )


async def older_twin(tx: Tx, method_id: int) -> PaymentMethod | None:
    """The same card kept once before, which its provider knows by another reference."""
    row = await tx.fetchrow(
        f"""
        SELECT {_COLUMNS} FROM payment_methods WHERE is_active AND method_id < $1
            AND (user_id, provider, payment_type, card_brand, card_last4, card_exp_month, card_exp_year)
              = (SELECT user_id, provider, payment_type, card_brand, card_last4, card_exp_month, card_exp_year
                 FROM payment_methods WHERE method_id = $1)
          ORDER BY method_id DESC LIMIT 1
        """,
        method_id,
    )
    return None if row is None else _method(row)


async def make_default(tx: Tx, player_id: int, method_id: int) -> None:
    """To be called with the player's row locked, like everything that moves the default."""
    await tx.execute(
        "UPDATE payment_methods SET is_default = false WHERE user_id = $1 AND is_default AND method_id <> $2",
        player_id,
        method_id,
    )
    await tx.execute(
        "UPDATE payment_methods SET is_default = true WHERE user_id = $1 AND method_id = $2 AND is_active",
        player_id,
        method_id,
    )


async def see_to_default(tx: Tx, player_id: int) -> None:
    """Who has cards has a default: where there is none, the one used or kept last."""
    await tx.execute(
        """
        UPDATE payment_methods SET is_default = true WHERE method_id = (
          SELECT method_id FROM payment_methods WHERE user_id = $1 AND is_active
            AND NOT EXISTS (SELECT FROM payment_methods WHERE user_id = $1 AND is_default)
          ORDER BY coalesce(last_used, created_at) DESC, method_id DESC LIMIT 1)
        """,
        player_id,
    )


async def deactivate(tx: Tx, player_id: int, method_id: int, *, forget: bool) -> bool:
    """A card pays nothing any more; with `forget` its provider is still to be told. False: it was so already."""
    return bool(
        await tx.fetchval(
            "UPDATE payment_methods SET is_active = false, is_default = false, forget_at = CASE WHEN $3 THEN now() END"
            " WHERE method_id = $2 AND user_id = $1 AND is_active RETURNING true",
            player_id,
            method_id,
            forget,
        )
    )


async def find(tx: Tx, provider: ProviderName, provider_ref: str) -> PaymentMethod | None:
    """A card by its provider's word for it, given up or not."""
    row = await tx.fetchrow(
        f"SELECT {_COLUMNS} FROM payment_methods WHERE provider = $1 AND provider_ref = $2", provider, provider_ref
    )
    return None if row is None else _method(row)


async def used(tx: Tx, method_id: int, at: datetime) -> None:
    await tx.execute(
        "UPDATE payment_methods SET last_used = greatest(last_used, $2) WHERE method_id = $1", method_id, at
    )


async def claim_forgotten(
    tx: Tx, providers: Sequence[ProviderName], limit: int, *, pause: timedelta
) -> list[PaymentMethod]:
    """Cards given up here and still to be given up at their providers; each is put off, so a crash only delays it."""
    rows = await tx.fetch(
        f"""
        UPDATE payment_methods SET forget_at = now() + $3
          WHERE method_id IN (
            SELECT method_id FROM payment_methods WHERE forget_at <= now() AND provider = ANY($1)
              ORDER BY forget_at LIMIT $2 FOR UPDATE SKIP LOCKED)
          RETURNING {_COLUMNS}
        """,
        list(providers),
        limit,
        pause,
    )
    return [_method(row) for row in rows]


async def forgotten(tx: Tx, method_id: int) -> None:
    """Its provider has given the card up too."""
    await tx.execute("UPDATE payment_methods SET forget_at = NULL WHERE method_id = $1", method_id)


async def customer(tx: Tx, player_id: int) -> str | None:
    """Stripe's record of a player, once there is one."""
    ref: str | None = await tx.fetchval("SELECT stripe_customer_id FROM users WHERE id = $1", player_id)
    return ref


async def keep_customer(tx: Tx, player_id: int, ref: str) -> str:
    """The first record counts for ever, so that a repeated call is the same call. Answers it."""
    await tx.execute(
        "UPDATE users SET stripe_customer_id = $2, updated_at = now() WHERE id = $1 AND stripe_customer_id IS NULL",
        player_id,
        ref,
    )
    return await customer(tx, player_id) or ref


async def player_of(tx: Tx, customer_ref: str) -> int | None:
    """Whose record at Stripe it is; the player's row is locked."""
    player_id: int | None = await tx.fetchval(
        "SELECT id FROM users WHERE stripe_customer_id = $1 FOR NO KEY UPDATE", customer_ref
    )
    return player_id


async def players_of(tx: Tx, customer_refs: Sequence[str]) -> list[int]:
    """Whose records at Stripe these are."""
    rows = await tx.fetch("SELECT id FROM users WHERE stripe_customer_id = ANY($1)", list(customer_refs))
    return [row["id"] for row in rows]
