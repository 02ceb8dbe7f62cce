"""The nouns of the product as they leave the database: frozen, typed, without behaviour."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Generic, TypeVar
from uuid import UUID

from db.money import Money

T = TypeVar("T")


class Language(StrEnum):
    RU = "ru"
    EN = "en"


class ProviderName(StrEnum):
    STRIPE = "stripe"
    YOOKASSA = "yookassa"


class OperationKind(StrEnum):
    DEPOSIT = "deposit"
    WITHDRAWAL = "withdrawal"


class OperationStatus(StrEnum):
    CREATED = "created"
    PENDING = "pending"
    REVIEW = "review"
    APPROVED = "approved"
    SENDING = "sending"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    UNKNOWN = "unknown"


OPEN = (OperationStatus.CREATED, OperationStatus.PENDING, OperationStatus.UNKNOWN)
"""Not ended: there is something left to ask the provider."""


@dataclass(frozen=True, slots=True)
class Player:
    id: int
    telegram_id: int
    language: Language
    accepted_at: datetime | None
    """When the player confirmed to be 18 or older and took the rules; None: not yet."""
    username: str | None


@dataclass(frozen=True, slots=True)
class Wallet:
    currency: str
    available: Money
    in_bets: Money
    in_withdrawals: Money
    deposited: Money
    withdrawn: Money
    bet: Money
    won: Money
    lost: Money


@dataclass(frozen=True, slots=True)
class Operation:
    id: int
    public_id: UUID
    """What the provider knows the operation by: its idempotency key and its `operation_id` metadata."""
    player_id: int
    chat_id: int
    """Where the player is told about it."""
    kind: OperationKind
    provider: ProviderName
    amount: Money
    received: Money | None
    status: OperationStatus
    provider_ref: str | None
    payment_ref: str | None
    pay_url: str | None
    reason: str | None
    """Why it failed, in our own words (`insufficient-funds`); None while it has not."""
    return_url: str
    language: Language
    """The player's when it was made: a repeated call to the provider is the same call."""
    message_id: int | None
    """The chat message that shows the payment link."""
    created_at: datetime
    expires_at: datetime
    completed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Movement:
    """One journal as one wallet saw it."""

    journal_id: int
    kind: str
    amount: Money
    """Change of the available money; zero when a lost bet only ends what was already staked."""
    before: Money
    after: Money
    locked: Money
    """Change of the money held for bets and withdrawals."""
    provider: str | None
    entity_type: str | None
    entity_id: int | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    items: Sequence[T]
    older: int | None
    """Key to ask for what comes before the last item; None at the end."""
    newer: int | None
    """Key to ask for what comes after the first item; None at the beginning."""
