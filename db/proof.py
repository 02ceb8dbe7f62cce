"""Proof: the ledger proves itself, and the business around it is compared with the ledger."""

from db import ledger
from db.database import Tx
from db.ledger import Finding

PATIENCE = 1800
"""Seconds."""


async def verify(tx: Tx) -> list[Finding]:
    """Reads the whole history, so it may take longer than other statements; call it in a transaction of its own."""
    await tx.execute(f"SET LOCAL statement_timeout = '{PATIENCE}s'")
    rows = await tx.fetch("SELECT rule, detail FROM business_verify()", timeout=PATIENCE)
    return [
        *await ledger.verify(tx, timeout=PATIENCE),
        *(Finding(row["rule"], row["detail"]) for row in rows),
    ]
