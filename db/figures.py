"""Figures for monitoring: what stands in the records now, and how often operations came to each status so far.

What has no end is added up once (`tally`), so a look costs the same however long the history is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from db.database import Tx, present
from db.ledger import OUR_CHART

# No transaction that changes an operation is open for so long: nothing older comes into the audit log any more.
SETTLED = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Reached:
    """How often operations came to a status, and their minor units; of completed ones what was received."""

    operation_type: str
    provider: str
    currency: str
    status: str
    operations: int
    minor: int


@dataclass(frozen=True, slots=True)
class Open:
    """Operations that have not ended."""

    operation_type: str
    provider: str
    currency: str
    status: str
    operations: int
    minor: int
    oldest: float
    """Seconds since the oldest was made."""


@dataclass(frozen=True, slots=True)
class Queue:
    queued: Mapping[str, int]
    """By lane: an inbox row's source, a message's priority, a job's kind."""
    oldest: float
    """Seconds since the oldest queued row was made; 0 when there is none."""
    dead: int


@dataclass(frozen=True, slots=True)
class Ledger:
    journals: int
    unsealed: int
    unsealed_age: float
    suspense: Mapping[str, int]
    """Minor units by currency."""


@dataclass(frozen=True, slots=True)
class Checked:
    """How the last of a kind of check ended."""

    findings: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Figures:
    reached: Sequence[Reached]
    open: Sequence[Open]
    odd: Mapping[tuple[str, str], int]
    """Open items by provider and problem."""
    debts: Mapping[str, tuple[int, int]]
    """By currency: how many, and their minor units."""
    queues: Mapping[str, Queue]
    ledger: Ledger
    verified: Checked | None
    compared: Mapping[str, Checked]
    """The last comparison with each provider's lists that got to its end."""


# Each line finds its operation by itself (OFFSET 0): joined as wholes, a few new lines would cost all operations.
_REACHED = """
  SELECT o.operation_type, o.provider, o.currency, l.status, count(*) AS operations,
      sum(CASE WHEN l.status = 'completed' THEN o.received_minor ELSE o.amount_minor END) AS minor
    FROM audit_log l CROSS JOIN LATERAL (
      SELECT * FROM wallet_operations its WHERE its.operation_id = l.entity_id OFFSET 0) o
    WHERE l.entity_type = 'operation' AND l.action = o.operation_type AND {}
    GROUP BY 1, 2, 3, 4
"""
_QUEUES = {
    "inbox": ("webhook_inbox", "provider", "received_at", "state = 'dead'"),
    # Nobody can mend a chat that cannot be reached, and a broadcast reports its own.
    "outbox": ("outbox", "priority", "created_at", "state = 'dead' AND let_go_at IS NULL AND broadcast_id IS NULL"),
    "jobs": ("job", "kind", "created_at", "state = 'dead'"),
}


async def tally(tx: Tx, limit: int) -> int:
    """Adds up what is new in the audit log and settled, up to so many of its lines; answers how many there were."""
    row = present(await tx.fetchrow("SELECT through FROM operation_tallied FOR UPDATE"))
    seen = present(
        await tx.fetchrow(
            """
            SELECT count(*) AS lines, max(log_id) AS through FROM (
              SELECT log_id FROM audit_log WHERE log_id > $1 AND created_at < now() - $2::interval
                ORDER BY log_id LIMIT $3) settled
            """,
            row["through"],
            SETTLED,
            limit,
        )
    )
    if seen["lines"]:
        await tx.execute(
            f"""
            INSERT INTO operation_tally AS t (operation_type, provider, currency, status, operations, minor)
              {_REACHED.format("l.log_id > $1 AND l.log_id <= $2")}
              ON CONFLICT (operation_type, provider, currency, status) DO UPDATE
                SET operations = t.operations + excluded.operations, minor = t.minor + excluded.minor
            """,
            row["through"],
            seen["through"],
        )
        await tx.execute("UPDATE operation_tallied SET through = $1", seen["through"])
    return int(seen["lines"])


async def read(tx: Tx) -> Figures:
    """Everything as of one moment, when `tx` is a snapshot."""
    return Figures(
        reached=await _reached(tx),
        open=await _open(tx),
        odd={
            (row["provider"], row["problem"]): row["items"]
            for row in await tx.fetch(
                "SELECT provider, problem, count(*) AS items FROM recon_item WHERE state = 'open' GROUP BY 1, 2"
            )
        },
        debts={
            row["currency"]: (row["debts"], int(row["minor"]))
            for row in await tx.fetch(
                "SELECT currency, count(*) AS debts, sum(owed_minor) AS minor FROM returned_payment"
                " WHERE owed_minor > 0 GROUP BY 1"
            )
        },
        queues={queue: await _queue(tx, *where) for queue, where in _QUEUES.items()},
        ledger=await _ledger(tx),
        verified=await _verified(tx),
        compared={
            row["provider"]: Checked(row["differences"], row["finished_at"])
            for row in await tx.fetch(
                "SELECT DISTINCT ON (provider) provider, differences, finished_at FROM recon_run"
                " WHERE finished_at IS NOT NULL AND error IS NULL ORDER BY provider, finished_at DESC"
            )
        },
    )


async def _reached(tx: Tx) -> list[Reached]:
    """What was added up, and what is too new for that."""
    rows = await tx.fetch(
        f"""
        SELECT operation_type, provider, currency, status, sum(operations) AS operations, sum(minor) AS minor FROM (
          SELECT operation_type, provider, currency, status, operations, minor FROM operation_tally
          UNION ALL
          {_REACHED.format("l.log_id > $1")}) both_parts
        GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
        """,
        await tx.fetchval("SELECT through FROM operation_tallied"),
    )
    return [
        Reached(
            row["operation_type"],
            row["provider"],
            row["currency"],
            row["status"],
            int(row["operations"]),
            int(row["minor"]),
        )
        for row in rows
    ]


async def _open(tx: Tx) -> list[Open]:
    """By the two partial indexes on open operations; a withdrawal that is unknown stands in both."""
    rows = await tx.fetch(
        """
        SELECT operation_type, provider, currency, status::text, count(*) AS operations, sum(amount_minor) AS minor,
            extract(epoch FROM now() - min(created_at)) AS oldest
          FROM (
            SELECT * FROM wallet_operations WHERE operation_type = 'withdrawal'
              AND status IN ('review', 'approved', 'sending', 'unknown')
            UNION ALL
            SELECT * FROM wallet_operations WHERE operation_type = 'deposit'
              AND status IN ('created', 'pending', 'unknown')) its
          GROUP BY 1, 2, 3, 4
        """
    )
    return [
        Open(
            row["operation_type"],
            row["provider"],
            row["currency"],
            row["status"],
            row["operations"],
            int(row["minor"]),
            float(row["oldest"]),
        )
        for row in rows
    ]


async def _queue(tx: Tx, table: str, lane: str, made: str, dead: str) -> Queue:
    rows = await tx.fetch(
        f"SELECT {lane}::text AS lane, count(*) AS queued, extract(epoch FROM now() - min({made})) AS oldest"
        f" FROM {table} WHERE state = 'queued' GROUP BY 1"
    )
    return Queue(
        {row["lane"]: row["queued"] for row in rows},
        max((float(row["oldest"]) for row in rows), default=0.0),
        int(await tx.fetchval(f"SELECT count(*) FROM {table} WHERE {dead}")),
    )


async def _ledger(tx: Tx) -> Ledger:
    row = present(
        await tx.fetchrow(
            """
            SELECT (SELECT journals FROM ledger_head()) AS journals, count(*) AS unsealed,
                coalesce(extract(epoch FROM now()
                  - (SELECT created_at FROM ledger_journal WHERE id = min(u.journal_id))), 0) AS age
              FROM ledger_unsealed u
            """
        )
    )
    suspense = await tx.fetch(
        """
        SELECT c.code AS currency, coalesce((SELECT sum(e.amount_minor) FROM ledger_entry e
            WHERE e.account_id = c.number * 100 + $1 AND e.wallet_seq IS NULL), 0) AS minor
          FROM currency c
        """,
        OUR_CHART["suspense"],
    )
    return Ledger(
        row["journals"],
        row["unsealed"],
        max(0.0, float(row["age"])),
        {each["currency"]: int(each["minor"]) for each in suspense},
    )


async def _verified(tx: Tx) -> Checked | None:
    row = await tx.fetchrow(
        "SELECT found, done_at FROM job WHERE kind = 'verify' AND state = 'done' AND found IS NOT NULL"
        " ORDER BY id DESC LIMIT 1"
    )
    return None if row is None else Checked(row["found"], row["done_at"])
