"""A casino's affiliate programme: 1Win, and others that report alike.

No official page of 1Win's was found; how public bots use its postbacks is the base of this. Names and event words are
an alias table, so that another programme is a section of settings.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from services.providers import Delivery, Verified


class CasinoEventKind(StrEnum):
    REGISTRATION = "registration"
    DEPOSIT = "deposit"
    WITHDRAWAL = "withdrawal"
    WIN = "win"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class CasinoReport:
    """What a programme says happened at the casino."""

    programme: str
    kind: CasinoEventKind
    key: str
    """The same for every report of the same thing, also under another event word."""
    weak: bool
    """Without a transaction id: told apart by who, how much and when."""
    word: str
    """The event word as it came."""
    first: bool
    """The word says that it is the player's first deposit."""
    casino_id: str | None
    click_id: str | None
    amount: Decimal | None
    """Of `currency`, as the casino says; None: it says none, or nothing that is an amount."""
    currency: str
    country: str | None
    problem: str | None
    """Why it is only kept and shown (`amount-missing`); None: it counts."""
    occurred_at: datetime
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Programme:
    """The settings of one programme, and how its postbacks are verified and read."""

    name: str
    """In addresses and in the database: `1win`."""
    title: str
    """As people know it: `1Win`."""
    link: str | None
    """Where a player registers; the literal `{sub1}` in it becomes the click id. None: it is not offered."""
    tokens: Sequence[str]
    """The secret last part of the postback address; several while rotating."""
    secret: str | None
    """When set, postbacks must carry a valid HMAC-SHA256."""
    currency: str
    """Of amounts that come without one."""
    aliases: Mapping[str, str] = field(default_factory=dict)
    """Their names and event words, in small letters, to ours; beside those everybody uses."""

    def verify(self, delivery: Delivery) -> Verified:
        """Raises DoorClosed, DeliveryForbidden, DeliveryForged, DeliveryMalformed."""
        raise NotImplementedError

    def read(self, kept: bytes) -> CasinoReport:
        """What a kept delivery says."""
        raise NotImplementedError
