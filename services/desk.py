"""The admins' desk: what waits for somebody, what was given up, who is on the staff, and whether the house is open."""

from dataclasses import dataclass

from db.database import Database
from services.outbox import Outbox


@dataclass(frozen=True, slots=True)
class Desk:
    database: Database
    outbox: Outbox
