"""How things run: when providers were last heard of, and when the books were last looked after."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from db.database import Tx, present


@dataclass(frozen=True, slots=True)
class Heard:
    """When a provider or a casino delivered something last, and something that could be acted on. None: not lately."""

    source: str
    delivered_at: datetime | None
    acted_at: datetime | None


@dataclass(frozen=True, slots=True)
class BooksKept:
    sealed_at: datetime | None
    unsealed: int
    """Journals booked since."""
    verified_at: datetime | None
    findings: int | None
    """What the last proof found; None: there was none yet."""
    dead_jobs: int
    """Jobs of the last days that failed too often."""


async def heard(tx: Tx, sources: Sequence[str], days: int) -> list[Heard]:
    """What was delivered in the last `days`: walked back from now, so silence costs the most."""
    rows = await tx.fetch(
        """
        SELECT source, l.received_at AS delivered_at, d.received_at AS acted_at
          FROM unnest($1::text[]) WITH ORDINALITY AS s (source, nth)
            LEFT JOIN LATERAL (SELECT received_at FROM webhook_inbox WHERE provider = source AND body <> ''
                AND received_at > now() - make_interval(days => $2) ORDER BY received_at DESC LIMIT 1) l ON true
            LEFT JOIN LATERAL (SELECT received_at FROM webhook_inbox WHERE provider = source AND body <> ''
                AND state = 'done' AND received_at > now() - make_interval(days => $2)
                ORDER BY received_at DESC LIMIT 1) d ON true
          ORDER BY nth
        """,
        list(sources),
        days,
    )
    return [Heard(row["source"], row["delivered_at"], row["acted_at"]) for row in rows]


async def books_kept(tx: Tx) -> BooksKept:
    row = await tx.fetchrow(
        """
        SELECT (SELECT sealed_at FROM ledger_seal ORDER BY seq DESC LIMIT 1) AS sealed_at,
            (SELECT count(*) FROM ledger_unsealed) AS unsealed, v.done_at AS verified_at, v.found AS findings,
            (SELECT count(*) FROM job WHERE state = 'dead' AND created_at > now() - interval '7 days') AS dead_jobs
          FROM (SELECT 1) one
            LEFT JOIN LATERAL (SELECT done_at, found FROM job WHERE kind = 'verify' AND state = 'done'
                ORDER BY id DESC LIMIT 1) v ON true
        """
    )
    return BooksKept(**present(row))
