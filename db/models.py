"""The nouns of the product as they leave the database: frozen, typed, without behaviour."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Generic, TypeVar
from uuid import UUID

from db.money import CasinoMoney, Money

T = TypeVar("T")


class Language(StrEnum):
    RU = "ru"
    EN = "en"


class Role(StrEnum):
    """Who may do what is in services/staff.py."""

    OWNER = "owner"
    CASHIER = "cashier"
    SUPPORT = "support"
    EDITOR = "editor"


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody by a Telegram id, and what the owners let that person do."""

    telegram_id: int
    role: Role | None
    """None: nothing."""
    in_settings: bool
    """An owner because the settings say so; the chat cannot change that."""
    player_id: int | None
    """None: never wrote to the bot, so it cannot write first."""
    name: str
    username: str | None
    language: Language | None
    granted_by: int | None
    granted_at: datetime | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """How much waits for whom on the staff."""

    withdrawals: int
    methods: int
    items: int
    """Odd money and differences."""
    debts: int
    corrections: int
    differences: int
    """What the last comparison with each provider has found."""
    deliveries: int
    messages: int
    reports: int
    """What casinos reported and nobody could make sense of."""
    signals: int
    """Begun, and without a result."""
    broadcasts: int
    """Being sent, or paused."""
    alerts: int
    closed_at: datetime | None
    """Since when the house is closed for maintenance; None: it is open."""


@dataclass(frozen=True, slots=True)
class DeadDelivery:
    """What a provider or a casino delivered and could not be acted on."""

    id: int
    source: str
    kind: str
    payment_ref: str | None
    headers: Mapping[str, object]
    body: bytes
    remote: str
    deliveries: int
    """How often it came."""
    attempts: int
    replays: int
    error: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class DeadMessage:
    """What somebody should have been told and could not be."""

    id: int
    chat_id: int
    player_id: int | None
    text_id: str
    arguments: Mapping[str, object]
    attempts: int
    replays: int
    error: str
    created_at: datetime


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
    news: bool
    """Wants to be told news, which is what broadcasts are; the next: signals."""
    signals: bool


@dataclass(frozen=True, slots=True)
class Visit:
    """Somebody who writes to the bot, and what holds at this moment."""

    player: Player
    role: Role | None
    """What the owners granted; None: nothing."""
    closed: bool
    """The house is closed for maintenance."""
    asked: str | None
    """The question that waits for an answer; None: there is none."""


@dataclass(frozen=True, slots=True)
class Profile:
    """All that is known of a player, for admins."""

    player: Player
    name: str
    reason: str | None
    """Why nothing goes out to this player; None: it may."""
    blocked_at: datetime | None
    """Since when the player does not let the bot write; None: it may."""
    since: datetime


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
class Paid:
    """An operation that was paid in full, and by which payment."""

    operation: Operation
    payment_ref: str
    at: datetime
    """By the provider's clock."""
    actor: str


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
    is_active: bool
    """False: the player has removed it."""
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
    provider: str
    """Who pays it out: `manual`, or an automatic provider."""
    amount: Money
    status: OperationStatus
    method_id: int
    method: str
    """Where it goes, masked."""
    comment: str | None
    note: str | None
    reference: str | None
    """The bank's or network's reference of the payment that was sent."""
    approvals: tuple[int, ...]
    """The Telegram ids of the admins who agreed, in their order."""
    created_at: datetime
    completed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Standing:
    """What an admin should know of a player before money leaves; amounts are of the withdrawal's currency."""

    telegram_id: int
    username: str | None
    name: str
    since: datetime
    frozen_reason: str | None
    available: Money
    held: Money
    """In all withdrawals that are not ended."""
    deposited: Money
    withdrawn: Money
    bet: Money
    won: Money
    paid_out: int
    """How many withdrawals ended well."""
    bets_since_deposit: bool
    disputed: int
    """Refunds and disputes."""
    owed: Money
    method_since: datetime
    last_day: Money
    """Asked for in the 24 hours before this withdrawal, itself included."""


class AdjustmentStatus(StrEnum):
    PROPOSED = "proposed"
    POSTED = "posted"
    DECLINED = "declined"


@dataclass(frozen=True, slots=True)
class Adjustment:
    """Money given (plus) or taken (minus) by an admin's hand."""

    id: int
    player_id: int
    amount: Money
    reason: str
    status: AdjustmentStatus
    proposed_by: int
    """Telegram ids of admins; `decided_by` is the same one where the amount needs no second."""
    decided_by: int | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class OperationLine:
    """A deposit or a withdrawal, as an admin looks at it."""

    id: int
    player_id: int
    kind: str
    """`deposit` or `withdrawal`."""
    amount: Money
    received: Money | None
    status: OperationStatus
    provider: str
    provider_ref: str | None
    payment_ref: str | None
    reason: str | None
    comment: str | None
    note: str | None
    method: str | None
    """Where a withdrawal goes, masked."""
    created_at: datetime
    completed_at: datetime | None


@dataclass(frozen=True, slots=True)
class AuditLine:
    """Who did what."""

    id: int
    actor: str
    action: str
    status: str
    amount: Money | None
    entity_type: str | None
    entity_id: int | None
    details: Mapping[str, object]
    at: datetime


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


class Settlement(StrEnum):
    """How odd money or a difference ended; the words of recon_item.decision."""

    CREDITED = "credited"
    SENT_BACK = "sent_back"
    CLOSED = "closed"
    MENDED = "mended"


@dataclass(frozen=True, slots=True)
class OddItem:
    """Money that fits no operation, or a difference between a provider's list and the ledger."""

    id: int
    provider: ProviderName
    ref: str
    """The provider's name of the payment, refund or dispute."""
    problem: str
    operation_id: int | None
    currency: str | None
    provider_minor: int | None
    """What the provider says; minor units of `currency`."""
    ledger_minor: int | None
    """What was asked for, or what the ledger says."""
    has_money: bool
    """It was booked to suspense."""
    settled: Settlement | None
    note: str | None
    resolved_by: str | None
    created_at: datetime


class ReturnState(StrEnum):
    NOTED = "noted"
    BOOKED = "booked"
    UNDONE = "undone"


@dataclass(frozen=True, slots=True)
class ReturnedPayment:
    """A refund or a dispute, and where its money was taken from."""

    id: int
    public_id: UUID
    kind: str
    """refund or dispute"""
    provider: ProviderName
    ref: str | None
    """The provider's name of it; None: asked for, and not answered yet."""
    payment_ref: str
    operation_id: int | None
    player_id: int | None
    amount: Money
    state: ReturnState
    provider_state: str
    taken: Money
    owed: Money
    forgiven: Money
    suspended: Money
    requested_by: str | None
    occurred_at: datetime
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ReconRun:
    """One comparison of a provider's list with the ledger."""

    id: int
    provider: ProviderName
    since: datetime
    actor: str
    seen: int
    mended: int
    differences: int
    error: str | None
    started_at: datetime
    finished_at: datetime | None
    """None: it runs, or was cut off."""


@dataclass(frozen=True, slots=True)
class DayTotal:
    """What a provider's list and the ledger say of one day, plus what came in, minus what went back."""

    day: date
    provider: ProviderName
    currency: str
    listed: int
    listed_sum: Money
    booked: int
    booked_sum: Money


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    items: Sequence[T]
    older: int | None
    """Key to ask for what comes before the last item; None at the end."""
    newer: int | None
    """Key to ask for what comes after the first item; None at the beginning."""


@dataclass(frozen=True, slots=True)
class Asked:
    """An operation as the history lists it while no money has moved for it, or none ever will."""

    id: int
    kind: str
    """`deposit` or `withdrawal`."""
    provider: str
    amount: Money
    status: OperationStatus
    reason: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Step:
    """One journal in the story of an operation, as its player's wallet saw it."""

    kind: str
    amount: Money
    locked: Money
    at: datetime


@dataclass(frozen=True, slots=True)
class Returned:
    """A refund or a dispute of a deposit."""

    kind: str
    amount: Money
    provider_ref: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Request:
    """What a player asked for, with everything that can be shown of it."""

    id: int
    kind: str
    provider: str
    amount: Money
    received: Money | None
    status: OperationStatus
    reference: str | None
    """What its provider or bank calls it."""
    method: str | None
    """The card or the destination, masked."""
    reason: str | None
    comment: str | None
    note: str | None
    asked_at: datetime
    completed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Story:
    """Everything that is known of one movement, or of an operation without one."""

    kind: str
    journal_id: int | None
    movements: Sequence[Movement]
    """As each wallet saw it: two for an exchange, none when no money moved."""
    happened_at: datetime | None
    """By the provider's clock."""
    reference: str | None
    description: str | None
    request: Request | None
    steps: Sequence[Step]
    returned: Sequence[Returned]
    adjustment: str | None
    """The reason an admin gave."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What a range of a wallet's movements comes to: `opening`, moved by the six that follow, is `closing`."""

    currency: str
    first: int
    last: int
    movements: int
    opening: Money
    deposited: Money
    returned: Money
    """Refunds and disputes: below zero when they took."""
    held: Money
    """Set aside for withdrawals, less what came back: below zero when it took."""
    staked: Money
    """Stakes placed, less those given back: below zero when they took."""
    won: Money
    """Payouts, the stake in them."""
    other: Money
    closing: Money
    withdrawn: Money
    """Paid out; it had been set aside before, perhaps in another period."""
    turnover: Money
    """Stakes of the bets settled."""
    lost: Money
    bets_won: int
    bets_lost: int
    bets_void: int


@dataclass(frozen=True, slots=True)
class Day:
    """The last word of one day on a wallet."""

    day: date
    closing: Money
    came: Money
    """Deposits, less what was taken back."""
    went: Money
    """Paid out."""


@dataclass(frozen=True, slots=True)
class Month:
    """A statement as a list shows it."""

    statement_id: int
    currency: str
    year: int
    month: int
    closing: Money


@dataclass(frozen=True, slots=True)
class Statement:
    """A wallet's month."""

    id: int
    player_id: int
    currency: str
    year: int
    month: int
    summary: Summary
    made_at: datetime


@dataclass(frozen=True, slots=True)
class Span:
    """A range of one wallet's movements, ends included; empty when `last` is less than `first`."""

    currency: str
    first: int
    last: int


class ReportFormat(StrEnum):
    CSV = "csv"
    PDF = "pdf"


@dataclass(frozen=True, slots=True)
class Report:
    """A document somebody asked for; what is in it never changes."""

    id: int
    player_id: int
    chat_id: int
    name: str
    format: ReportFormat
    language: Language
    operations: bool
    bets: bool
    statistics: bool
    since: datetime | None
    until: datetime
    statement_id: int | None
    spans: Sequence[Span]
    sealed_seq: int
    sealed_hash: bytes
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a report's table."""

    seq: int
    journal_id: int
    kind: str
    amount: Money
    after: Money
    reference: str
    at: datetime


class SignalResult(StrEnum):
    WON = "won"
    LOST = "lost"
    VOID = "void"


@dataclass(frozen=True, slots=True)
class SignalDraft:
    """What an admin writes of a signal; once published it never changes."""

    event: str
    pick: str
    odds: Decimal
    starts_at: datetime
    note: str | None


@dataclass(frozen=True, slots=True)
class Signal:
    id: int
    draft: SignalDraft
    published_by: int
    published_at: datetime
    withdrawn_at: datetime | None
    """Taken back before the start; the record counts it all the same."""
    result: SignalResult | None
    started: bool
    """When it was read."""


@dataclass(frozen=True, slots=True)
class Tally:
    """What the signals of a time come to, those withdrawn too."""

    number: int
    withdrawn: int
    won: int
    lost: int
    void: int
    waiting: int
    """Without a result yet."""
    odds: Decimal | None
    """Their average, two decimals; None: there are none."""
    rate: Decimal | None
    """What flat stakes at the published odds gave, in per cent of those won and lost, two decimals; None: neither."""


@dataclass(frozen=True, slots=True)
class SignalRecord:
    """The whole record, and what of it is of the last 30 days. One is never shown without the other."""

    whole: Tally
    recent: Tally


@dataclass(frozen=True, slots=True)
class BroadcastText:
    """What a broadcast says. The formatting is as Telegram gave it: nothing in the text is markup."""

    text: str
    entities: Sequence[Mapping[str, object]]
    photo: str | None
    """Telegram's file_id: the text is its caption."""
    button: tuple[str, str] | None
    """What stands on it, and where it leads."""


@dataclass(frozen=True, slots=True)
class Audience:
    """Whom a broadcast is for; None: it does not matter."""

    language: Language | None = None
    deposited: bool | None = None
    """Has, or has never, paid in: here or at a casino."""
    inactive_days: int | None = None
    """Not seen for so many days."""
    linked: bool | None = None
    """Has, or has no, account at a casino."""


class BroadcastState(StrEnum):
    SENDING = "sending"
    PAUSED = "paused"
    STOPPED = "stopped"
    """By an admin; what was on its way then still arrives."""
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Broadcast:
    id: int
    content: BroadcastText
    audience: Audience
    state: BroadcastState
    total: int
    """How many it was for when it began."""
    walks_to: int
    walked_to: int
    """Players up to this one have their messages in the outbox; it begins at 0 and ends at `walks_to`."""
    created_by: int
    message_id: int | None
    created_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class BroadcastReach:
    """What has become of a broadcast's messages."""

    sent: int
    blocked: int
    """To players who have blocked the bot."""
    failed: int
    unwanted: int
    """To players who have opted out since."""
    stopped: int
    waiting: int
    """In the outbox, to be sent."""


class CasinoEventKind(StrEnum):
    REGISTRATION = "registration"
    DEPOSIT = "deposit"
    WITHDRAWAL = "withdrawal"
    WIN = "win"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class CasinoEvent:
    """What a casino says happened there. It is no money of ours."""

    id: int
    programme: str
    kind: CasinoEventKind
    words: Sequence[str]
    """The event words it was reported under."""
    first: bool
    """One of them says that it is the player's first deposit."""
    weak: bool
    """Told apart by who, how much and when: no transaction id came with it."""
    casino_id: str | None
    click_id: str | None
    player_id: int | None
    """None: it waits for its player."""
    amount: CasinoMoney | None
    country: str | None
    problem: str | None
    """Why it is only kept and shown; None: it counts."""
    occurred_at: datetime
    received_at: datetime
    delivery_id: int | None


@dataclass(frozen=True, slots=True)
class CasinoAccount:
    """Whose account at a casino is whose."""

    programme: str
    casino_id: str
    player_id: int
    bound_by: str
    """`postback`, or an admin."""
    bound_at: datetime


@dataclass(frozen=True, slots=True)
class CasinoStranger:
    """An account that reports are about and that nobody here is known to have."""

    programme: str
    casino_id: str
    events: int
    newest_id: int
    """Its last event, which names it in buttons."""
    newest_at: datetime


@dataclass(frozen=True, slots=True)
class CasinoTotals:
    """What a programme has reported since the beginning, of what counts."""

    programme: str
    clicks: int
    """Players who have a link of their own."""
    accounts: int
    strangers: int
    """Accounts of nobody we know."""
    counts: Mapping[CasinoEventKind, int]
    sums: Sequence[tuple[CasinoEventKind, CasinoMoney]]


@dataclass(frozen=True, slots=True)
class Counters:
    """How many players there are, and how far they came."""

    users: int
    """Wrote to the bot at least once."""
    subscribed: int
    """In the channel, as Telegram said last."""
    signals_open: int
    deposited: int
    """Have a deposit at a casino that counts."""


@dataclass(frozen=True, slots=True)
class Headcount:
    """How many players came anew and how many wrote, in the last `days` days and in as many before those."""

    days: int
    new: int
    new_before: int
    active: int
    active_before: int


@dataclass(frozen=True, slots=True)
class Attendance:
    """How many players came anew on a day, and how many wrote."""

    day: date
    new: int
    active: int


@dataclass(frozen=True, slots=True)
class Turnover:
    """What was completed in a period through one provider in one currency; and of what was asked for in the period,
    how much has ended, and how much of that well."""

    kind: str
    """`deposit` or `withdrawal`."""
    provider: str
    count: int
    total: Money
    ended: int
    succeeded: int


@dataclass(frozen=True, slots=True)
class ReturnTurnover:
    """Refunds or disputes that took money back in a period."""

    kind: str
    """`refund` or `dispute`."""
    provider: str
    count: int
    total: Money


@dataclass(frozen=True, slots=True)
class CasinoTurnover:
    """What a programme reported of our players in a period: so many of a kind in one currency."""

    programme: str
    kind: CasinoEventKind
    count: int
    total: CasinoMoney | None
    """None: it has no amounts."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """How many accounts were bound to players, how many of them have a deposit, and how many have another."""

    programme: str
    registered: int
    deposited: int
    repeated: int


@dataclass(frozen=True, slots=True)
class Cohort:
    """Players who came in the week that begins on this Monday; how many of them paid in that week and in each after
    it, up to the present one."""

    week: date
    size: int
    deposited: Sequence[int]


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that somebody should look into."""

    id: int
    kind: str
    """`silence`, `queue` or `conversion`."""
    subject: str
    """Of what: `stripe`, `casino:1win`, `inbox`."""
    since: datetime
    """From when on it was wrong."""


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How a source was heard in a while."""

    deliveries: int
    days: int
    """On how many days of UTC."""
    first: datetime | None
    last: datetime | None
