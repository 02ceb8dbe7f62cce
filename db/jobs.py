"""Jobs: work that is due once. The key names the period, so ticks may be missed, doubled or come from two processes."""

from dataclasses import dataclass

from db.database import Tx

ATTEMPTS = 12


@dataclass(frozen=True, slots=True)
class Job:
    id: int
    kind: str
    key: str


async def add(tx: Tx, kind: str, key: str) -> None:
    await tx.execute(
        "INSERT INTO job (kind, dedupe_key) VALUES ($1, $2) ON CONFLICT (dedupe_key) DO NOTHING", kind, key
    )


async def next_job(tx: Tx) -> Job | None:
    """The next due job, locked until this transaction ends."""
    row = await tx.fetchrow(
        "SELECT id, kind, dedupe_key FROM job WHERE state = 'queued' AND run_at <= now()"
        " ORDER BY run_at, id LIMIT 1 FOR UPDATE SKIP LOCKED"
    )
    return None if row is None else Job(row["id"], row["kind"], row["dedupe_key"])


async def finish(tx: Tx, job_id: int, found: int | None = None) -> None:
    """`found`: how many things are wrong, if that is what the job looks for."""
    await tx.execute(
        "UPDATE job SET state = 'done', done_at = now(), last_error = NULL, found = $2 WHERE id = $1", job_id, found
    )


async def put_off(tx: Tx, job_id: int, error: str) -> bool:
    """Counts a failed attempt and tries again later. True when it was the last: now dead."""
    state = await tx.fetchval(
        """
        UPDATE job SET attempts = attempts + 1, last_error = $2,
            state = CASE WHEN attempts + 1 >= $3 THEN 'dead' ELSE state END,
            run_at = now() + least(interval '6 h', interval '1 s' * 2 ^ attempts)
          WHERE id = $1 AND state = 'queued' RETURNING state
        """,
        job_id,
        error,
        ATTEMPTS,
    )
    return bool(state == "dead")


async def oldest_age(tx: Tx) -> float:
    """Age in seconds of the oldest job that is not done; 0 when there is none."""
    return float(
        await tx.fetchval(
            "SELECT coalesce(extract(epoch FROM now() - min(created_at)), 0) FROM job WHERE state = 'queued'"
        )
    )
