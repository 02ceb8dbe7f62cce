"""Reports: a player's movements as CSV and PDF, sent into the chat and behind a link for seven days."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from db.database import Database
from services.outbox import Outbox
from services.statements import Statements
from services.vault import Vault


@dataclass(frozen=True, slots=True)
class Reports:
    database: Database
    outbox: Outbox
    statements: Statements
    vault: Vault
    timezone: ZoneInfo
    base_url: str
