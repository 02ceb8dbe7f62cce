"""What a payment provider must be able to do and the values it speaks in. Each is one file beside this."""

import json
import re
from collections.abc import Mapping
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


@dataclass(frozen=True, slots=True)
class Verified:
    """A delivery that comes from the provider; what it says about money is told by read() or fetch()."""

    event_id: str
    """The same for every repetition of the same news."""
    event_type: str
    payment_ref: str | None
    verified_by: str


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


@dataclass(frozen=True, slots=True)
class Checkout:
    """A payment page that waits for the player."""

    ref: str
    url: str


class PaymentProvider(Protocol):
    name: ProviderName
    label: str
    currencies: tuple[str, ...]
    rereads: bool
    """True: a delivery proves nothing about money; fetch() the payment before believing it."""

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

    def verify(self, delivery: Delivery) -> Verified:
        """Says that a delivery is the provider's, and names it.

        Raises DeliveryMalformed, DeliveryForged or DeliveryForbidden, and nothing else whatever the bytes.
        """
        ...

    def read(self, body: bytes) -> Payment | None:
        """Says a verified delivery in our words, as often as wanted; None: it is no concern of ours."""
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
