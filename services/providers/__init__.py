"""What a payment provider must be able to do and the values it speaks in. Each is one file beside this."""

import json
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address
from typing import NoReturn, Protocol
from urllib.parse import urlsplit
from uuid import UUID

from db.models import ProviderName
from db.money import Money


@dataclass(frozen=True, slots=True)
class Delivery:
    """A webhook request as it arrived."""

    body: bytes
    headers: Mapping[str, str]
    """Names in lower case."""
    remote: IPv4Address | IPv6Address
    received_at: datetime
    query: str = ""
    """Of the address, as it came. Only casinos put anything there."""
    path_secret: str = ""
    """The last part of the address, where it is a secret."""


class Concern(StrEnum):
    """What to do with a delivery that comes from the provider."""

    NONE = "none"
    """Kept, and nothing else: it tells of nothing that matters here."""
    BELIEVE = "believe"
    """Signed: read() says all of it."""
    ASK = "ask"
    """It proves nothing, or not enough: look() asks the provider what is true."""


@dataclass(frozen=True, slots=True)
class Verified:
    """A delivery that comes from the provider."""

    event_id: str
    """The same for every repetition of the same news."""
    event_type: str
    payment_ref: str | None
    verified_by: str
    concern: Concern
    kept: bytes | None = None
    """What is stored in the body's place, for read(); None: the body."""


class PaymentState(StrEnum):
    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    """Declined; the same payment page may still succeed."""
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class Reason(StrEnum):
    """Why a payment failed, in our words; the text of each has the id `reason-<word>`."""

    INSUFFICIENT_FUNDS = "insufficient-funds"
    CARD_EXPIRED = "card-expired"
    CARD_DECLINED = "card-declined"
    WRONG_CARD_DATA = "wrong-card-data"
    FRAUD_SUSPECTED = "fraud-suspected"
    AUTHENTICATION_FAILED = "authentication-failed"
    LIMIT_EXCEEDED = "limit-exceeded"
    NOT_PAID_IN_TIME = "not-paid-in-time"
    CANCELLED_BY_SHOP = "cancelled-by-shop"
    COUNTRY_FORBIDDEN = "country-forbidden"
    PERMISSION_REVOKED = "permission-revoked"
    BANK_UNAVAILABLE = "bank-unavailable"
    PROVIDER_UNAVAILABLE = "provider-unavailable"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Card:
    """A card or wallet that the provider keeps for later payments."""

    ref: str
    """What a later payment is made with: pm_…, payment_method.id."""
    payment_type: str
    """card, wallet or bank_account."""
    brand: str | None
    last4: str | None
    exp_month: int | None
    exp_year: int | None
    """Four digits."""


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment as its provider sees it."""

    provider: ProviderName
    order_id: UUID | None
    """Our operation's public id; None when the provider names none or it is not one of ours in shape."""
    session_ref: str | None
    """The payment page, where the provider has such a thing beside the payment."""
    payment_ref: str | None
    """The money object: what a credit is keyed by. Never None in a payment that succeeded."""
    state: PaymentState
    amount: Money | None
    """What was paid, or asked for while nothing is paid; None when it is no amount of a currency we keep."""
    reason: Reason | None
    occurred_at: datetime
    ours: bool
    """Shop and live/test mode are those of our keys."""
    method: str | None
    card: Card | None = None
    """What it was paid with, when the provider has kept that for later payments and says so here."""


class RefundState(StrEnum):
    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    """Also cancelled: the money stays, or has come back."""


@dataclass(frozen=True, slots=True)
class Refund:
    """Money of a payment that the provider gives back to the payer, in part or whole."""

    provider: ProviderName
    ref: str
    payment_ref: str | None
    request_id: UUID | None
    """Our own id, when the refund was asked for through refund(); None: made in the provider's cabinet."""
    state: RefundState
    amount: Money | None
    occurred_at: datetime
    ours: bool


class DisputeState(StrEnum):
    INQUIRY = "inquiry"
    """A question of the bank's; no money has moved."""
    OPEN = "open"
    """The bank has taken the money back."""
    WON = "won"
    """It has come again, or an inquiry ended well."""
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Dispute:
    """A payer's bank takes a payment back: https://docs.stripe.com/disputes"""

    provider: ProviderName
    ref: str
    payment_ref: str | None
    state: DisputeState
    amount: Money | None
    reason: str | None
    """The bank's word, for admins."""
    occurred_at: datetime
    ours: bool


@dataclass(frozen=True, slots=True)
class CardChange:
    """A kept card was added, changed or withdrawn at the provider."""

    provider: ProviderName
    customer_ref: str | None
    """Whose it is, in the provider's words (cus_…); None: not said."""
    card: Card
    kept: bool
    """False: it pays nothing any more."""
    ours: bool


News = Payment | Refund | Dispute | CardChange


@dataclass(frozen=True, slots=True)
class Order:
    """A payment to ask for. The same order makes the same request, so it can be repeated until answered."""

    id: UUID
    amount: Money
    description: str
    language: str
    return_url: str
    expires_at: datetime
    player_id: int
    keep_card: bool = False
    """The player wants the card kept."""
    customer_ref: str | None = None
    """What customer() answered; set when the card is to be kept, or a kept one pays."""


@dataclass(frozen=True, slots=True)
class RefundOrder:
    """Money to give back. The same order makes the same request."""

    id: UUID
    payment_ref: str
    amount: Money
    description: str


@dataclass(frozen=True, slots=True)
class Checkout:
    """A payment page that waits for the player."""

    ref: str
    url: str


class PaymentProvider(Protocol):
    name: ProviderName
    label: str
    currencies: tuple[str, ...]

    async def create(self, order: Order) -> Checkout:
        """Makes the payment page of an order, or finds the one already made for it. Ends within 25 seconds.

        Raises ProviderRejected (nothing was made) or ProviderUnknown (something may have been: ask again).
        """
        ...

    async def fetch(self, ref: str) -> Payment | None:
        """Asks for a payment by Checkout.ref or Payment.payment_ref; None: the provider knows no such thing.

        Raises ProviderRejected or ProviderUnknown.
        """
        ...

    async def customer(self, player_id: int) -> str | None:
        """Makes the provider's record of a player, to which kept cards belong, or finds the one made; None where there
        is no such thing. Raises ProviderRejected or ProviderUnknown.
        """
        ...

    async def charge(self, order: Order, card_ref: str) -> Payment | None:
        """Pays an order with a kept card, without the player. A refusal of the bank's is a Payment that is CANCELLED.

        None: the bank wants the player to confirm; nothing was or will be taken, and create() the order's page instead.
        Raises ProviderRejected or ProviderUnknown.
        """
        ...

    async def forget(self, card_ref: str) -> None:
        """Gives a kept card up at the provider; harmless when gone. Raises ProviderRejected or ProviderUnknown."""
        ...

    async def refund(self, order: RefundOrder) -> Refund:
        """Gives money of a payment back. Raises ProviderRejected (nothing will be given back) or ProviderUnknown."""
        ...

    async def fetch_refund(self, ref: str) -> Refund | None:
        """Asks how a refund went. Raises ProviderRejected or ProviderUnknown."""
        ...

    def history(self, since: datetime) -> AsyncIterator[Payment | Refund | Dispute]:
        """Everything of that kind made since then, page by page, from the provider's lists. Payments that nobody paid
        are left out. Raises ProviderRejected or ProviderUnknown.
        """
        ...

    def verify(self, delivery: Delivery) -> Verified:
        """Says that a delivery is the provider's, and names it.

        Raises DeliveryMalformed, DeliveryForged or DeliveryForbidden, and nothing else whatever the bytes.
        """
        ...

    def read(self, body: bytes) -> News | None:
        """Says a delivery that is BELIEVEd in our words, as often as wanted; None: it is no concern of ours."""
        ...

    async def look(self, body: bytes) -> list[News]:
        """Asks the provider what a delivery of the concern ASK is about. Empty: nothing of ours.

        Raises ProviderRejected or ProviderUnknown (also when its answer is behind its news).
        """
        ...

    async def close(self) -> None: ...


# What providers send is looked at through these: nothing in it is sure to have its documented type.

_WORD = re.compile(r"[A-Za-z0-9_.\[\]-]{1,100}")
_ADDRESS = re.compile(r"https?://[!-~]{1,2040}")


def json_object(body: bytes | str) -> Mapping[str, object]:
    """Reads a JSON object; its fractions become Decimal. Raises ValueError for anything else."""
    try:
        text = body if isinstance(body, str) else body.decode("utf-8")
        value = json.loads(text, parse_float=Decimal, parse_constant=_no_number)
    except (ArithmeticError, RecursionError):
        raise ValueError("not usable JSON") from None
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    return value


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def nested(value: Mapping[str, object], key: str) -> Mapping[str, object]:
    """The object kept under a key; empty when there is none."""
    inner = value.get(key)
    return inner if isinstance(inner, dict) else {}


def word(value: object) -> str | None:
    """A vendor's code or name when it is one plain word, fit for a log line or a database."""
    return value if isinstance(value, str) and _WORD.fullmatch(value) else None


def order_id(value: object) -> UUID | None:
    """Our public id as we wrote it into the payment, in its one canonical form."""
    try:
        parsed = UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return parsed if str(parsed) == value else None


def payment_link(value: object) -> str | None:
    """An address a player may be sent to: https, or http on this machine, where stand-in providers live."""
    if not isinstance(value, str) or not _ADDRESS.fullmatch(value):
        return None
    try:
        parts = urlsplit(value)
    except ValueError:
        return None
    usable = parts.scheme == "https" or parts.hostname in ("127.0.0.1", "::1", "localhost")
    return value if parts.hostname and usable else None


class PayoutState(StrEnum):
    PENDING = "pending"
    """On its way; for payouts by hand, until an admin says how it went."""
    SENT = "sent"
    FAILED = "failed"
    """A definite no: the money has not left and will not."""


@dataclass(frozen=True, slots=True)
class PayoutOrder:
    """Money to pay out. The same order makes the same request."""

    id: UUID
    amount: Money
    destination: Mapping[str, str]
    """As services.destinations reads it; never to be logged."""


@dataclass(frozen=True, slots=True)
class Payout:
    state: PayoutState
    ref: str | None
    """The payout's own reference once it was SENT."""


class PayoutProvider(Protocol):
    name: str

    async def send(self, order: PayoutOrder) -> Payout:
        """Pays out, or finds what was paid out for this order. Raises ProviderRejected (nothing was or will be sent) or
        ProviderUnknown (something may have been: ask again).
        """
        ...
