"""Reconciliation: what the providers' lists say, compared with the ledger; and odd money, until an admin settles it."""

from collections.abc import Mapping
from dataclasses import dataclass

from db.database import Database
from db.models import ProviderName
from services.outbox import Outbox
from services.payments import Payments
from services.providers import PaymentProvider
from services.returns import Returns


@dataclass(frozen=True, slots=True)
class Reconciliation:
    database: Database
    outbox: Outbox
    payments: Payments
    returns: Returns
    providers: Mapping[ProviderName, PaymentProvider]
