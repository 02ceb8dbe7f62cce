"""temporary, replaced by the real one"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from db.database import Tx


@dataclass(frozen=True, slots=True)
class Posting:
    journal_id: int
    replayed: bool


@dataclass(frozen=True, slots=True)
class Finding:
    rule: str
    detail: str


@dataclass(frozen=True, slots=True)
class Head:
    seq: int
    hash: bytes
    journals: int


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
    row = await tx.fetchrow(
        "SELECT * FROM ledger_post($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11)",
        key,
        kind,
        list(legs),
        list(legs.values()),
        actor,
        entity_type,
        entity_id,
        effective_at,
        description,
        metadata,
        reverses,
    )
    return Posting(row[0], row[1])


async def open_wallet(tx: Tx, user_id: int, currency: str) -> None:
    await tx.execute("SELECT wallet_open($1,$2)", user_id, currency)


async def seal(tx: Tx, limit: int = 1000) -> int:
    return int(await tx.fetchval("SELECT ledger_seal($1)", limit))


async def head(tx: Tx) -> Head:
    r = await tx.fetchrow("SELECT * FROM ledger_head()")
    return Head(*r)


async def verify(tx: Tx, *, timeout: float = 5) -> list[Finding]:
    return [Finding(r[0], r[1]) for r in await tx.fetch("SELECT * FROM ledger_verify()", timeout=timeout)]
