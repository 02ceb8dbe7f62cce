"""Broadcasts: one message to many, sent behind everything else, that can be paused, resumed and stopped."""

from dataclasses import dataclass

from db.database import Database
from services.outbox import Outbox


@dataclass(frozen=True, slots=True)
class Broadcasts:
    database: Database
    outbox: Outbox
