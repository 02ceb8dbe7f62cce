"""Adjustments: money given or taken by an admin's hand, with a reason, and above a limit with a second admin."""

from collections.abc import Mapping
from dataclasses import dataclass

from db.database import Database
from services.outbox import Outbox
from services.withdrawals import WithdrawalLimits


@dataclass(frozen=True, slots=True)
class Adjustments:
    database: Database
    outbox: Outbox
    limits: Mapping[str, WithdrawalLimits]
