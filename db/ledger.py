"""The ledger's own functions, and its refusals in our words. What moves money goes through `post` or `transfer`."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from db.database import Tx, present
from db.money import CURRENCIES

# The chart of accounts, as in schema.sql (compared by a test): the last two digits of every account's number.
PLAYERS_CHART = {"available": 1, "bets": 2, "withdrawals": 3}
OUR_CHART = {
    "provider:stripe": 11,
    "provider:yookassa": 12,
    "provider:cryptocloud": 13,
    "payout": 20,
    "house": 30,
    "bonus": 31,
    "fee": 32,
    "revenue": 33,
    "fx": 40,
    "suspense": 50,
    "adjustment": 51,
    "receivable": 52,
}


class LedgerRefusal(Exception):
    """The ledger did not post; nothing has changed, and the transaction is over."""


class KeyReused(LedgerRefusal):
    """This key was used for another movement."""


class Overdraft(LedgerRefusal):
    """A bucket of a wallet would fall below zero."""


class NotBalanced(LedgerRefusal):
    """The legs of some currency do not sum to zero, or a leg is zero."""


class Malformed(LedgerRefusal):
    """Fewer than two legs, or an amount beyond what can be kept."""


class UnknownAccount(LedgerRefusal):
    """There is no such account, or it is named twice."""


class WalletNotOpen(LedgerRefusal):
    """The player has no wallet in this currency."""


class NotReversible(LedgerRefusal):
    """A journal is reversed once, as it was booked, and a reversal not at all."""


_REFUSALS: Mapping[str, type[LedgerRefusal]] = {
    "LB001": KeyReused,
    "LB002": NotBalanced,
    "LB005": Malformed,
    "LB006": UnknownAccount,
    "LB007": WalletNotOpen,
    "LB008": NotReversible,
    "22000": Malformed,  # an amount that no bigint holds does not even reach the server
    "22003": Malformed,
    "22P02": Malformed,
    "available_not_negative": Overdraft,
    "bets_not_negative": Overdraft,
    "withdrawals_not_negative": Overdraft,
    "total_not_negative": Overdraft,
    "leg_not_zero": NotBalanced,
    "ledger_key_length": Malformed,
}


@dataclass(frozen=True, slots=True)
class Posting:
    journal_id: int
    replayed: bool
    """The same movement had been posted under this key before; nothing was added."""


@dataclass(frozen=True, slots=True)
class Finding:
    rule: str
    detail: str


@dataclass(frozen=True, slots=True)
class Head:
    """The end of the hash chain."""

    seq: int
    hash: bytes
    journals: int


def account_number(code: str) -> int:
    """The number of an account: `player:42:available:USD`, `provider:stripe:USD`. Raises UnknownAccount."""
    owner, place, currency = 0, *code.rpartition(":")[::2]
    if place.startswith("player:"):
        _, player, place = place.split(":")
        owner, chart = int(player), PLAYERS_CHART
    else:
        chart = OUR_CHART
    if place not in chart or currency not in CURRENCIES:
        raise UnknownAccount(code)
    return owner * 10_000 + CURRENCIES[currency].number * 100 + chart[place]


async def post(
    tx: Tx,
    *,
    key: str,
    kind: str,
    legs: Mapping[str, int],
    actor: str,
    entity_type: str | None = None,
    entity_id: int | None = None,
    effective_at: datetime | None = None,
    description: str | None = None,
    metadata: Mapping[str, object] | None = None,
    reverses: int | None = None,
) -> Posting:
    """Posts one movement: account code → minor units, plus to who gets it. Raises a LedgerRefusal."""
    numbered = sorted((account_number(code), amount) for code, amount in legs.items())
    with _refusals():
        row = await tx.fetchrow(
            "SELECT journal_id, replayed FROM ledger_post($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
            key,
            kind,
            [number for number, _ in numbered],
            [amount for _, amount in numbered],
            actor,
            entity_type,
            entity_id,
            effective_at,
            description,
            None if metadata is None else dict(metadata),
            reverses,
        )
    return Posting(*present(row))


@dataclass(frozen=True, slots=True)
class Transfer:
    """A movement of two legs: `taker` gets from `giver`, both by code, so many minor units."""

    key: str
    giver: str
    taker: str
    minor: int
    actor: str
    entity_id: int
    effective_at: datetime
    metadata: Mapping[str, object]


async def transfer(tx: Tx, kind: str, entity_type: str, transfers: Sequence[Transfer]) -> None:
    """Posts movements in their order, all in one round trip. Raises a LedgerRefusal, after which none is posted."""
    with _refusals():
        await tx.execute(
            """
            SELECT p.journal_id FROM unnest($3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::text[],
                $8::bigint[], $9::timestamptz[], $10::jsonb[])
                AS t (key, giver, taker, minor, actor, entity_id, effective_at, metadata)
              CROSS JOIN LATERAL ledger_post(t.key, $1, ARRAY[least(t.giver, t.taker), greatest(t.giver, t.taker)],
                CASE WHEN t.giver < t.taker THEN ARRAY[-t.minor, t.minor] ELSE ARRAY[t.minor, -t.minor] END,
                t.actor, $2, t.entity_id, t.effective_at, NULL, t.metadata, NULL) p
            """,
            kind,
            entity_type,
            [one.key for one in transfers],
            [account_number(one.giver) for one in transfers],
            [account_number(one.taker) for one in transfers],
            [one.minor for one in transfers],
            [one.actor for one in transfers],
            [one.entity_id for one in transfers],
            [one.effective_at for one in transfers],
            [dict(one.metadata) for one in transfers],
        )


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except asyncpg.PostgresError as error:
        refusal = _REFUSALS.get(getattr(error, "constraint_name", None) or "") or _REFUSALS.get(error.sqlstate or "")
        if refusal is None:
            raise
        raise refusal(str(error)) from error


async def open_wallet(tx: Tx, user_id: int, currency: str) -> None:
    """Opens a player's wallet; harmless when it is open."""
    await tx.execute("SELECT wallet_open($1, $2)", user_id, currency)


async def seal(tx: Tx, limit: int) -> int:
    """Chains what was posted since the last time, at most `limit` journals. Answers how many."""
    return int(await tx.fetchval("SELECT ledger_seal($1)", limit))


async def head(tx: Tx) -> Head:
    return Head(*present(await tx.fetchrow("SELECT seq, hash, journals FROM ledger_head()")))


async def verify(tx: Tx, *, timeout: float) -> list[Finding]:
    """Every rule of the books, recomputed from the rows; sound books answer nothing. `timeout`: seconds."""
    return [Finding(*row) for row in await tx.fetch("SELECT rule, detail FROM ledger_verify()", timeout=timeout)]
