"""Bookkeeping: sealing the ledger, proving it, and anchoring its head outside the database."""

import logging
from dataclasses import dataclass
from datetime import UTC, datetime

from db import audit, figures, jobs, ledger, proof, wallets
from db.database import Database, Tx
from db.ledger import Finding, Head
from services.inbox import Inbox
from services.insights import Insights
from services.outbox import Outbox
from services.staff import Right
from services.statements import Statements

logger = logging.getLogger(__name__)

SEAL_BATCH = 1000
TALLIED = 20_000
"""Lines of the audit log in one transaction."""
CHECKPOINTS = 200
"""In one transaction; each adds up a thousand movements."""


@dataclass(frozen=True, slots=True)
class Bookkeeping:
    database: Database
    outbox: Outbox
    inbox: Inbox
    statements: Statements
    insights: Insights

    async def seal(self) -> None:
        """Chains what was posted since the last time."""
        while True:
            async with self.database.transaction() as tx:
                if await ledger.seal(tx, SEAL_BATCH) < SEAL_BATCH:
                    return

    async def tally(self) -> None:
        """Adds up what operations came to since the last time, for monitoring."""
        while True:
            async with self.database.transaction() as tx:
                if await figures.tally(tx, TALLIED) < TALLIED:
                    return

    async def checkpoint(self) -> None:
        """Notes sums of long histories, so that their statistics stay quick."""
        while True:
            async with self.database.transaction() as tx:
                if await wallets.checkpoint(tx, CHECKPOINTS) < CHECKPOINTS:
                    return

    async def schedule(self, kind: str, period: str) -> None:
        """Makes a job due, once for its period (`2026-11-20`, `2026-11-20T15`)."""
        async with self.database.connection() as tx:
            await jobs.add(tx, kind, f"{kind}:{period}")

    async def work(self) -> bool:
        """Does the next due job in the transaction that ends it. False: none due."""
        job, found = None, None
        try:
            async with self.database.transaction() as tx:
                job = await jobs.next_job(tx)
                if job is None:
                    return False
                match job.kind:
                    case "verify":
                        found = await self._verify(tx, job.key)
                    case "head":
                        await self._anchor(tx, job.key)
                    case "statements":
                        await self.statements.make(tx, job.key.partition(":")[2])
                    case "summary":
                        await self.insights.summarize(tx, job.key.partition(":")[2])
                    case "retention":
                        await self.inbox.forget_bodies(tx)
                    case _:
                        raise ValueError(f"unknown job {job.kind}")
                await jobs.finish(tx, job.id, found)
        except Exception as error:
            if job is None:
                raise
            logger.exception("job failed", extra={"job": job.key})
            async with self.database.transaction() as tx:
                if await jobs.put_off(tx, job.id, type(error).__name__):
                    await self.outbox.tell_admins(
                        tx,
                        Right.MONEY,
                        f"admin-dead-job:{job.key}",
                        "admin-dead-job",
                        job=job.key,
                        error=type(error).__name__,
                    )
        self.outbox.wake()
        return True

    async def _verify(self, tx: Tx, key: str) -> int:
        findings = await proof.verify(tx)
        for finding in findings:
            logger.error("the books do not verify", extra={"rule": finding.rule, "detail": finding.detail})
        if findings:
            await self.outbox.tell_admins(
                tx, Right.MONEY, f"admin-verify-failed:{key}", "admin-verify-failed", count=len(findings)
            )
        return len(findings)

    async def _anchor(self, tx: Tx, key: str) -> None:
        """The head of the chain leaves the database: who rewrites everything in it cannot rewrite a chat."""
        head = await ledger.head(tx)
        await audit.write(
            tx,
            actor="timetable",
            action="ledger-head",
            status="ok",
            details={"seq": head.seq, "hash": head.hash.hex()},
        )
        await self.outbox.tell_admins(
            tx,
            Right.MONEY,
            f"admin-ledger-head:{key}",
            "admin-ledger-head",
            seq=head.seq,
            hash=head.hash.hex(),
            day=datetime.now(UTC).date().isoformat(),
        )

    async def verify(self) -> list[Finding]:
        """Every invariant of the ledger and every cross-check with the business around it."""
        async with self.database.transaction() as tx:
            return await proof.verify(tx)

    async def head(self) -> Head:
        """Where the chain of the ledger ends now."""
        async with self.database.connection() as tx:
            return await ledger.head(tx)
