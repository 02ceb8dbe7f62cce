"""What can be refused. A refusal's class name is its text's id, its attributes are the text's arguments."""

from dataclasses import dataclass

from db.database import DatabaseUnavailable
from db.money import Money

TemporarilyUnavailable = DatabaseUnavailable
"""The records cannot be reached now; nothing is lost, and asking again later is right."""


class DomainError(Exception):
    """A refusal the player can act on."""


@dataclass
class AmountTooSmall(DomainError):
    minimum: Money


@dataclass
class AmountTooLarge(DomainError):
    maximum: Money


@dataclass
class AmountTooPrecise(DomainError):
    example: Money


@dataclass
class NotAnAmount(DomainError):
    example: Money


@dataclass
class ProviderUnavailable(DomainError):
    """The provider is not offered (any more)."""

    provider: str


@dataclass
class ProviderRefused(DomainError):
    """The provider said a definite no; nothing was made and nothing is owed."""

    provider: str


@dataclass
class TooManyOpenDeposits(DomainError):
    """Each open link is asked about until it ends; nobody needs many at once."""

    limit: int


class DepositNotFound(DomainError):
    """There is no such deposit, or it is another player's: the answer is the same."""


class RulesNotAccepted(DomainError):
    """Money is only for players who confirmed their age and took the rules."""


class PlayerFrozen(DomainError):
    """Nothing goes out to this player until an admin lifts the freeze."""


class NotFound(DomainError):
    """There is no such thing (any more), or it is somebody else's: the answer is the same."""


@dataclass
class AlreadyDecided(DomainError):
    """Another admin was faster, or a button is old; `status` is how it stands now."""

    status: str


class ProviderError(Exception):
    """A failure of somebody else's service. Carries a constant word for the log, never a body or a key."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ProviderRejected(ProviderError):
    """A definite no: nothing was made at the provider."""


class ProviderUnknown(ProviderError):
    """The outcome is not known: a timeout, a cut connection, 429, 5xx or an answer that makes no sense."""


class DeliveryRejected(Exception):
    """A delivery that is not taken in. Carries a constant word for the log."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class DeliveryMalformed(DeliveryRejected):
    """Not of the shape the provider documents (answered 400)."""


class DeliveryForged(DeliveryRejected):
    """Not proven to come from the provider (answered 401)."""


class DeliveryForbidden(DeliveryRejected):
    """Sent from an address the provider does not use (answered 403)."""


class DoorClosed(Exception):
    """A delivery of a provider that is not set up."""
