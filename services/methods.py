"""Withdrawal methods: where a player can be paid, once an admin has verified it and its cooling time is over."""

from dataclasses import dataclass
from datetime import timedelta

from db.database import Database
from services.outbox import Outbox
from services.vault import Vault


@dataclass(frozen=True, slots=True)
class Methods:
    database: Database
    outbox: Outbox
    vault: Vault
    cooling: timedelta
