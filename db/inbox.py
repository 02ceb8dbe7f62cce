"""The inbox: what providers delivered, kept until it has been acted on."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv4Address, IPv6Address
from uuid import UUID

from asyncpg import Record

from db.database import Tx

ATTEMPTS = 12

_COLUMNS = "id, provider, event_id, event_type, payment_ref, body, lease, attempts, replays"


@dataclass(frozen=True, slots=True)
class Event:
    id: int
    source: str
    """A payment provider's name, or `casino:` and a programme's."""
    event_id: str
    event_type: str
    payment_ref: str | None
    body: bytes
    lease: UUID | None
    attempts: int
    replays: int
    """How often an admin had it tried again after it was given up."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an event ended: acted on, or ignored and why."""

    event_id: int
    ignored: bool
    note: str | None = None


def _event(row: Record) -> Event:
    return Event(
        row["id"],
        row["provider"],
        row["event_id"],
        row["event_type"],
        row["payment_ref"],
        row["body"],
        row["lease"],
        row["attempts"],
        row["replays"],
    )


@dataclass(frozen=True, slots=True)
class Received:
    """A delivery that was verified and is to be kept."""

    source: str
    event_id: str
    event_type: str
    payment_ref: str | None
    rereads: bool
    concerns_us: bool
    headers: Mapping[str, str]
    body: bytes
    remote: IPv4Address | IPv6Address
    verified_by: str

    @property
    def key(self) -> tuple[str, str]:
        return self.source, self.event_id


async def store(tx: Tx, deliveries: Sequence[Received]) -> set[tuple[str, str]]:
    """Keeps deliveries; a repeated one is only counted. Answers the keys of those that are new."""
    counts = Counter(delivery.key for delivery in deliveries)
    # Always in the same order: two processes that store the same ones must not wait for each other crosswise.
    kept = sorted({delivery.key: delivery for delivery in deliveries}.values(), key=lambda delivery: delivery.key)
    rows = await tx.fetch(
        """
        INSERT INTO webhook_inbox (provider, event_id, event_type, payment_ref, rereads, headers, body, body_sha256,
            remote_ip, verified_by, deliveries, state, done_at)
          SELECT provider, event_id, event_type, payment_ref, rereads, headers, body, sha256(body), remote_ip,
              verified_by, deliveries, state, CASE WHEN state = 'ignored' THEN now() END
            FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::boolean[], $6::jsonb[], $7::bytea[],
              $8::inet[], $9::text[], $10::int[], $11::text[]) AS d (provider, event_id, event_type, payment_ref,
              rereads, headers, body, remote_ip, verified_by, deliveries, state)
          ON CONFLICT (provider, event_id) DO UPDATE SET deliveries = webhook_inbox.deliveries + excluded.deliveries
          RETURNING provider, event_id, deliveries
        """,
        [one.source for one in kept],
        [one.event_id for one in kept],
        [one.event_type for one in kept],
        [one.payment_ref for one in kept],
        [one.rereads for one in kept],
        [dict(one.headers) for one in kept],
        [one.body for one in kept],
        [one.remote for one in kept],
        [one.verified_by for one in kept],
        [counts[one.key] for one in kept],
        ["queued" if one.concerns_us else "ignored" for one in kept],
    )
    found = {(row["provider"], row["event_id"]): row["deliveries"] for row in rows}
    return {key for key, deliveries in found.items() if deliveries == counts[key]}


async def next_events(tx: Tx, sources: Sequence[str], limit: int) -> list[Event]:
    """The next events of these sources that can be acted on as they are, locked until this transaction ends."""
    rows = await tx.fetch(
        f"""
        SELECT {_COLUMNS} FROM webhook_inbox
          WHERE state = 'queued' AND NOT rereads AND run_at <= now() AND provider = ANY($1)
          ORDER BY run_at, id LIMIT $2 FOR UPDATE SKIP LOCKED
        """,
        list(sources),
        limit,
    )
    return [_event(row) for row in rows]


async def lease_events(tx: Tx, sources: Sequence[str], duration: timedelta, limit: int) -> list[Event]:
    """The next events of these providers that must be re-read at their provider first, ours for `duration`."""
    rows = await tx.fetch(
        f"""
        UPDATE webhook_inbox SET lease = gen_random_uuid(), run_at = now() + $2
          WHERE id = ANY(ARRAY(SELECT id FROM webhook_inbox
            WHERE state = 'queued' AND rereads AND run_at <= now() AND provider = ANY($1)
            ORDER BY run_at, id LIMIT $3 FOR UPDATE SKIP LOCKED))
          RETURNING {_COLUMNS}
        """,
        list(sources),
        duration,
        limit,
    )
    return [_event(row) for row in rows]


async def lock_leased(tx: Tx, events: Sequence[Event]) -> set[int]:
    """Locks leased events to finish them; answers those that are not finished and whose lease has not passed to
    somebody else."""
    rows = await tx.fetch(
        """
        SELECT i.id FROM webhook_inbox i JOIN unnest($1::bigint[], $2::uuid[]) AS e (id, lease)
            ON e.id = i.id AND e.lease = i.lease
          WHERE i.state = 'queued' ORDER BY i.id FOR UPDATE OF i
        """,
        [event.id for event in events],
        [event.lease for event in events],
    )
    return {row["id"] for row in rows}


async def finish(tx: Tx, outcomes: Sequence[Outcome]) -> None:
    """Ends events, all in one round trip."""
    await tx.execute(
        """
        UPDATE webhook_inbox i SET state = o.state, last_error = o.note, lease = NULL, done_at = now()
          FROM unnest($1::bigint[], $2::text[], $3::text[]) AS o (id, state, note) WHERE i.id = o.id
        """,
        [outcome.event_id for outcome in outcomes],
        ["ignored" if outcome.ignored else "done" for outcome in outcomes],
        [outcome.note for outcome in outcomes],
    )


async def put_off(tx: Tx, event: Event, error: str, *, patience: timedelta) -> bool:
    """Counts a failed attempt and tries again later (2ⁿ s ± 20 %, at most 15 min). True when it was the last: now
    dead, after as many attempts as may be and no sooner than `patience` after it came."""
    state = await tx.fetchval(
        """
        UPDATE webhook_inbox
          SET attempts = attempts + 1, last_error = $2, lease = NULL,
              state = CASE WHEN attempts + 1 >= $3 AND received_at <= now() - $5::interval THEN 'dead' ELSE state END,
              run_at = now() + least(interval '15 min', interval '1 s' * 2 ^ least(attempts, 12))
                * (0.8 + random() * 0.4)
          WHERE id = $1 AND state = 'queued' AND lease IS NOT DISTINCT FROM $4 RETURNING state
        """,
        event.id,
        error,
        ATTEMPTS,
        event.lease,
        patience,
    )
    return bool(state == "dead")


async def body(tx: Tx, event_id: int) -> bytes:
    """What a delivery said; empty when that is not kept any more."""
    kept: bytes | None = await tx.fetchval("SELECT body FROM webhook_inbox WHERE id = $1", event_id)
    return kept or b""


async def oldest_age(tx: Tx) -> float:
    """Age in seconds of the oldest event that is not acted on; 0 when there is none."""
    return float(
        await tx.fetchval(
            "SELECT coalesce(extract(epoch FROM now() - min(received_at)), 0) FROM webhook_inbox WHERE state = 'queued'"
        )
    )


async def empty_old_bodies(tx: Tx, age: timedelta) -> None:
    """Bodies hold personal data and are not needed after a while; the hash and the facts stay."""
    while await tx.fetch(  # in portions, as one statement may not take long
        """
        UPDATE webhook_inbox SET body = '' WHERE id IN (SELECT id FROM webhook_inbox
          WHERE received_at < now() - $1::interval AND body <> '' AND state IN ('done', 'ignored')
          ORDER BY received_at LIMIT 1000) RETURNING true
        """,
        age,
    ):
        pass
