"""Casinos: whose account is whose, and what happened there. It is no money of ours and moves none."""

from collections.abc import Mapping
from dataclasses import dataclass

from db.database import Database, Tx
from services.outbox import Outbox
from services.providers.casino import CasinoReport, Programme


@dataclass(frozen=True, slots=True)
class Casinos:
    database: Database
    outbox: Outbox
    programmes: Mapping[str, Programme]
    """By name."""

    async def take_turn(self, tx: Tx) -> None:
        """Until the end of the transaction nobody else binds accounts or counts what casinos report."""
        await tx.execute("SELECT pg_advisory_xact_lock(hashtextextended('casinos', 0))")

    async def apply(self, tx: Tx, report: CasinoReport, *, delivery_id: int) -> None:
        """Counts what a programme reports, once. Needs the turn."""
        raise NotImplementedError
