"""Returns: refunds and disputes, booked against the payment they take back, and the debts they leave."""

from collections.abc import Mapping
from dataclasses import dataclass

from db.database import Database, Tx
from db.models import ProviderName
from services.outbox import Outbox
from services.providers import Dispute, PaymentProvider, Refund


@dataclass(frozen=True, slots=True)
class Returns:
    database: Database
    outbox: Outbox
    providers: Mapping[ProviderName, PaymentProvider]

    async def apply(self, tx: Tx, news: Refund | Dispute, *, actor: str) -> None:
        """Books a refund or a dispute as far as it has got. Repeating it, in any order, changes nothing."""
        raise NotImplementedError
