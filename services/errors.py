"""What can be refused. A refusal's class name is its text's id, its attributes are the text's arguments."""

from dataclasses import dataclass
from datetime import datetime

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


class CardNotFound(DomainError):
    """A kept card that is no more: given up by the player, withdrawn by the bank, or another player's."""


class CardExpired(DomainError):
    """The month on a kept card has passed."""


class RulesNotAccepted(DomainError):
    """Money is only for players who confirmed their age and took the rules."""


class PlayerFrozen(DomainError):
    """Nothing goes out to this player until an admin lifts the freeze."""


@dataclass
class NotAllowed(DomainError):
    """The admin's role has not got the right."""

    role: str


@dataclass
class SourceGone(DomainError):
    """Nobody acts on what comes from there: its settings are gone."""

    source: str


class NotATelegramId(DomainError):
    """Who is meant is said by a number, a forwarded message or a contact; this was none."""


class OwnerBySettings(DomainError):
    """Who is an owner because ADMIN_IDS says so stays one until it no longer does."""


class LastOwner(DomainError):
    """Somebody has to be able to grant roles."""


class NotFound(DomainError):
    """There is no such thing (any more), or it is somebody else's: the answer is the same."""


@dataclass
class AlreadyDecided(DomainError):
    """Another admin was faster, or a button is old; `status` is how it stands now."""

    status: str


class NobodyFound(DomainError):
    """No player is known by that."""


@dataclass
class NotAChange(DomainError):
    """A correction is typed with its sign: what gives and what takes must not be confused."""

    example: Money


@dataclass
class MoreThanAvailable(DomainError):
    """A correction cannot take what the player does not have."""

    available: Money


class OwnProposal(DomainError):
    """A correction this large needs another admin than the one who proposed it."""


class ProposerGone(DomainError):
    """Who proposed a correction is no admin any more, and counts no more."""


@dataclass
class ReasonNeeded(DomainError):
    """Why it is done is kept with it: some words, and not more than `limit` characters."""

    limit: int


@dataclass
class RefundTooLarge(DomainError):
    """More than is left of the payment, or than the player has now."""

    maximum: Money


class NothingThere(DomainError):
    """There is no money that this decision could move."""


class MoneyLiesThere(DomainError):
    """An item cannot be closed while its money lies in suspense."""


@dataclass
class NotAPeriod(DomainError):
    """What was typed is no date and no pair of dates."""

    example: str


class NothingToReport(DomainError):
    """No money has ever moved: there is nothing to write down."""


@dataclass
class ReportTooLong(DomainError):
    """More lines than anybody reads on paper: a table takes any number."""

    limit: int


@dataclass
class TooManyReports(DomainError):
    """Nobody needs so many in an hour, and each costs work."""

    limit: int


class LinkExpired(Exception):
    """The link to a document was good for a time, and the time is over."""


class Busy(Exception):
    """As much is being done at once as may be; to be asked again in a moment."""


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


class BadHolder(DomainError):
    """A holder's name is letters, 2 to 80 of them."""


@dataclass
class BadIban(DomainError):
    """`problem`: shape, country, structure or checksum."""

    problem: str
    country: str


@dataclass
class BadBic(DomainError):
    """`problem`: missing, length or country; `digits`: how many there were."""

    problem: str
    digits: int


@dataclass
class BadAccount(DomainError):
    """`problem`: missing, length, currency, correspondent or key (it does not belong to the BIC)."""

    problem: str
    digits: int


class FullCardNumber(DomainError):
    """A whole card number was typed: it is not wanted, and not kept."""


@dataclass
class BadCardToken(DomainError):
    """`problem`: shape, ending (not four digits) or token."""

    problem: str


@dataclass
class BadAddress(DomainError):
    """`problem`: shape, checksum, case (no checksum in it), testnet, nobody (an address without an owner) or other: it
    is one of the network `found`."""

    network: str
    problem: str
    found: str


@dataclass
class TooManyMethods(DomainError):
    limit: int


@dataclass
class TooManyNewMethods(DomainError):
    """Each is looked at by a person, so there is an end to adding and removing: `limit` in 24 hours."""

    limit: int


@dataclass
class MethodInUse(DomainError):
    """An open withdrawal goes there."""

    id: int


class MethodNotVerified(DomainError):
    """An admin has not looked at it yet."""


class MethodRejected(DomainError):
    """An admin has refused it."""


@dataclass
class MethodCooling(DomainError):
    """New, and therefore not used for a while."""

    until: datetime


@dataclass
class MethodWrongCurrency(DomainError):
    currency: str


@dataclass
class NotEnoughMoney(DomainError):
    available: Money


@dataclass
class DailyLimitReached(DomainError):
    """In any 24 hours no more than `limit`; `left` of it can still be asked for."""

    limit: Money
    left: Money


class CommentTooLong(DomainError):
    """A comment has 1 to 250 characters."""


class BadReference(DomainError):
    """The reference of a payment is one line of 3 to 100 characters."""


@dataclass
class ReferenceUsed(DomainError):
    """Another withdrawal was marked as sent with this reference."""

    id: int


class PlayerIsFrozen(DomainError):
    """The same as PlayerFrozen, said to an admin."""


class OwnMoney(DomainError):
    """Nobody decides about what goes to themselves."""


@dataclass
class AnotherPays(DomainError):
    """An admin opened the destination less than so many minutes ago and may be sending the money."""

    admin: str
    minutes: int


@dataclass
class SecondAdminNeeded(DomainError):
    """This admin has agreed already; `missing`: who else could."""

    missing: str


class DestinationUnreadable(DomainError):
    """It was encrypted with a key that the settings no longer have."""


@dataclass
class BannedWording(DomainError):
    """A text for players that promises winnings, plays the risk down or urges: `phrase` are its words that must go."""

    phrase: str


@dataclass
class WrongLength(DomainError):
    """What was typed has too few characters, or too many."""

    minimum: int
    maximum: int


class BadOdds(DomainError):
    """Decimal odds have one or two digits after the point and lie between 1.01 and 1000."""


@dataclass
class BadStart(DomainError):
    """`problem`: shape, passed or far (more than a year ahead)."""

    problem: str
    example: str
    zone: str


class SignalStarted(DomainError):
    """The event has started: what was published about it stands."""


class SignalNotStarted(DomainError):
    """There is no result before the event has started."""


@dataclass
class CasinoAccountTaken(DomainError):
    """The account at the casino is a player's already, and stays so."""

    player: int


@dataclass
class CasinoAccountKnown(DomainError):
    """The player has another account at this casino already."""

    account: str


class BroadcastWithoutWords(DomainError):
    """A broadcast is a text, or a photo with one."""


@dataclass
class BroadcastTooLong(DomainError):
    """Telegram takes no longer text, and under a photo a shorter one."""

    length: int
    limit: int


@dataclass
class LabelTooLong(DomainError):
    limit: int


@dataclass
class NotALink(DomainError):
    """A broadcast's button is its words and a link that begins with https://."""

    limit: int


class DraftGone(DomainError):
    """What was being written is no more: something else was begun since."""


class NobodyToTell(DomainError):
    """Nobody is in the audience of a broadcast."""
