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
    frozen_at: datetime | None
    """Since when nothing goes out to this player; None: it may."""


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
    save_method: bool
    """The player wants the card kept for later payments."""
    payment_method_id: int | None
    """The kept card it is paid with; None: on the provider's page."""
    created_at: datetime
    expires_at: datetime
    completed_at: datetime | None


@dataclass(frozen=True, slots=True)
class PaymentMethod:
    """A card or wallet kept at a provider."""

    id: int
    player_id: int
    provider: ProviderName
    provider_ref: str
    payment_type: str
    brand: str | None
    last4: str | None
    exp_month: int | None
    exp_year: int | None
    is_default: bool


class MethodKind(StrEnum):
    """Where a player can be paid."""

    IBAN = "iban"
    RU_ACCOUNT = "ru_account"
    CARD = "card"
    CRYPTO = "crypto"


class Network(StrEnum):
    TRC20 = "TRC20"
    ERC20 = "ERC20"
    BTC = "BTC"


class Verification(StrEnum):
    PENDING = "pending"
    VERIFIED = "verified"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class WithdrawalMethod:
    id: int
    player_id: int
    chat_id: int
    kind: MethodKind
    network: Network | None
    currency: str | None
    """The only wallet it can pay out; None: any."""
    masked: str
    is_default: bool
    verification: Verification
    usable_at: datetime
    """The end of the cooling time."""
    note: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Withdrawal:
    id: int
    public_id: UUID
    player_id: int
    chat_id: int
    amount: Money
    status: OperationStatus
    method_id: int
    method: str
    """Where it goes, masked."""
    comment: str | None
    note: str | None
    reference: str | None
    """The bank's or network's reference of the payment that was sent."""
    approvals: int
    created_at: datetime
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
