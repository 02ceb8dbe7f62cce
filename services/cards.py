"""Cards: what a player pays with again, kept at the provider."""

from collections.abc import Mapping
from dataclasses import dataclass

from db.database import Database, Tx
from db.models import ProviderName
from services.providers import CardChange, PaymentProvider


@dataclass(frozen=True, slots=True)
class Cards:
    database: Database
    providers: Mapping[ProviderName, PaymentProvider]

    async def apply(self, tx: Tx, change: CardChange) -> None:
        """A card was kept, changed or withdrawn at the provider."""
        raise NotImplementedError
