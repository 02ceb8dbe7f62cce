"""What buttons and links carry. Anybody can send anything: what is not possible is no button of ours."""

from enum import StrEnum
from typing import Annotated

from aiogram import F
from aiogram.filters.callback_data import CallbackData
from pydantic import AfterValidator, Field

from db.models import Language, MethodKind, Network, ProviderName, ReportFormat
from db.money import CURRENCIES, Money
from services.periods import Period
from services.wallets import Filter, Kind, Status


def _known(currency: str) -> str:
    if currency not in CURRENCIES:
        raise ValueError("unknown currency")
    return currency


Currency = Annotated[str, AfterValidator(_known)]
Positive = Annotated[int, Field(ge=1, le=2**63 - 1)]
CardChoice = Annotated[int, Field(ge=0, le=2**63 - 1)]
ProgrammeName = Annotated[str, Field(pattern=r"^[a-z0-9]{1,20}$")]
Nonce = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{8}$")]


def pack_filter(wanted: Filter) -> str:
    """A filter as it travels: `adas00m` is all kinds, done, … this month. At most 17 letters."""
    provider = wanted.provider[0] if wanted.provider else "-"
    currency = CURRENCIES[wanted.currency].number if wanted.currency else 0
    return f"{wanted.kind}{wanted.status}{provider}{currency:02}{wanted.period.code}"


def unpack_filter(code: str) -> Filter:
    """Raises ValueError for anything that pack_filter does not make."""
    if len(code) < 6 or not code.isascii() or not code[3:5].isdigit():
        raise ValueError("not a filter")
    providers = {"-": None, **{name[0]: name for name in ProviderName}}
    currencies = {0: None, **{currency.number: code for code, currency in CURRENCIES.items()}}
    if code[2] not in providers or int(code[3:5]) not in currencies:
        raise ValueError("no such provider or currency")
    return Filter(Kind(code[0]), Status(code[1]), providers[code[2]], currencies[int(code[3:5])], Period(code[5:]))


def _filter(code: str) -> str:
    unpack_filter(code)
    return code


def _period(code: str) -> str:
    return Period(code).code


FilterCode = Annotated[str, AfterValidator(_filter)]
PeriodCode = Annotated[str, AfterValidator(_period)]


class DatesFor(StrEnum):
    """What the dates that a player types are for."""

    HISTORY = "h"
    STATISTICS = "s"
    EXPORT = "e"


PAID = "paid_"
"""Begins the deep link with which a payment page sends a player back; the deposit's number follows."""

is_paid = F.args.regexp(rf"{PAID}[0-9]{{1,18}}\Z")


class Place(StrEnum):
    MENU = "menu"
    BALANCE = "balance"
    DEPOSIT = "deposit"
    HISTORY = "history"
    EXPORT = "export"
    METHODS = "methods"
    WITHDRAW = "withdraw"
    SETTINGS = "settings"
    HELP = "help"
    RULES = "rules"
    CASINO = "casino"
    SIGNALS = "signals"


class Open(CallbackData, prefix="o"):
    """Opens a place in this message, or below it when the message is worth keeping."""

    place: Place
    below: bool = False


class Accept(CallbackData, prefix="a"):
    """I am 18 or older and accept the rules."""


class Speak(CallbackData, prefix="s"):
    language: Language


class News(CallbackData, prefix="ne"):
    """Whether I want news, which is what broadcasts are."""

    on: bool


class SignalNews(CallbackData, prefix="ns"):
    """Whether I want signals as messages."""

    on: bool


class NoMoreNews(CallbackData, prefix="nm"):
    """No more broadcasts, said under one."""


class Turn(CallbackData, prefix="h"):
    """Turns to a page of the history, of what the filter lets through."""

    code: FilterCode
    before: Positive | None = None
    after: Positive | None = None


class Narrow(CallbackData, prefix="hf"):
    """Show me this filter, to change it."""

    code: FilterCode


class Tell(CallbackData, prefix="hs"):
    """Tell me everything about one line; `before` leads back to the page it stands on."""

    code: FilterCode
    key: Positive
    before: Positive


class AskDates(CallbackData, prefix="hd"):
    """Let me type the dates."""

    purpose: DatesFor
    code: FilterCode


class Count(CallbackData, prefix="ht"):
    """What a period comes to."""

    period: PeriodCode


class Picture(CallbackData, prefix="hp"):
    """How the balance in this currency went."""

    currency: Currency


class Export(CallbackData, prefix="ex"):
    """A report: the period first, then the format, then what is in it; with a nonce it is wanted now."""

    period: PeriodCode
    format: ReportFormat | None = None
    include: Annotated[int, Field(ge=0, le=7)] = 7
    nonce: Nonce | None = None

    @property
    def key(self) -> str:
        """Pressed twice it is one wish; another choice on the same keyboard is another."""
        return f"{self.nonce}:{self.period}:{self.format}:{self.include}"


class Months(CallbackData, prefix="ms"):
    """My monthly statements: the newest, or those older than a month (year * 12 + month)."""

    older: Annotated[int, Field(ge=1, le=40_000)] | None = None


class OpenStatement(CallbackData, prefix="mo"):
    statement: Positive


class StatementFile(CallbackData, prefix="mf"):
    statement: Positive
    format: ReportFormat
    nonce: Nonce

    @property
    def key(self) -> str:
        return f"{self.nonce}:{self.statement}:{self.format}"


class Choose(CallbackData, prefix="c"):
    """Pay through this provider, in this currency."""

    provider: ProviderName
    currency: Currency
    keep: bool = False
    """The card that pays is to be kept."""
    card: CardChoice | None = None
    """With this kept card; 0: with a new one; None: not said yet."""


class Type(CallbackData, prefix="t"):
    """Let me type the amount."""

    provider: ProviderName
    currency: Currency
    keep: bool = False
    card: CardChoice | None = None


class Pay(CallbackData, prefix="p"):
    """This amount. The nonce is drawn with the keyboard: pressed twice is one wish, a new one another."""

    provider: ProviderName
    currency: Currency
    minor: Positive
    nonce: Nonce
    keep: bool = False

    @property
    def amount(self) -> Money:
        return Money(self.minor, self.currency)


class Confirm(CallbackData, prefix="cq"):
    """This amount from this kept card: ask me once more."""

    card: Positive
    currency: Currency
    minor: Positive
    nonce: Nonce

    @property
    def amount(self) -> Money:
        return Money(self.minor, self.currency)


class Charge(CallbackData, prefix="cp"):
    """Take this amount from this kept card now."""

    card: Positive
    currency: Currency
    minor: Positive
    nonce: Nonce

    @property
    def amount(self) -> Money:
        return Money(self.minor, self.currency)


class OpenCard(CallbackData, prefix="cv"):
    """Show me this kept card."""

    card: Positive


class DefaultCard(CallbackData, prefix="cd"):
    """Offer this card first from now on."""

    card: Positive


class RemoveCard(CallbackData, prefix="cr"):
    """Give this card up; asked once more before it is done."""

    card: Positive
    sure: bool = False


class Check(CallbackData, prefix="k"):
    """Ask the provider about this deposit now."""

    operation: Positive


class Leave(CallbackData, prefix="x"):
    """I will not pay by this link."""

    operation: Positive


class WithdrawFrom(CallbackData, prefix="wf"):
    """Withdraw from this wallet."""

    currency: Currency


class WithdrawTo(CallbackData, prefix="wt"):
    """Withdraw to there: now the amount."""

    currency: Currency
    method: Positive


class WithdrawType(CallbackData, prefix="wy"):
    """Let me type the amount."""

    currency: Currency
    method: Positive


class WithdrawAmount(CallbackData, prefix="wa"):
    """This amount: ask me once more."""

    currency: Currency
    method: Positive
    minor: Positive

    @property
    def amount(self) -> Money:
        return Money(self.minor, self.currency)


class WithdrawComment(CallbackData, prefix="wc"):
    """Let me say what it is for."""

    currency: Currency
    method: Positive
    minor: Positive


class Withdraw(CallbackData, prefix="wd"):
    """I ask for it. The nonce is drawn with the question: pressed twice is one wish."""

    currency: Currency
    method: Positive
    minor: Positive
    nonce: Nonce

    @property
    def amount(self) -> Money:
        return Money(self.minor, self.currency)

    @property
    def key(self) -> str:
        return f"{self.nonce}:{self.method}:{self.currency}:{self.minor}"


class AddMethod(CallbackData, prefix="wm"):
    """I want to be paid to something of this kind; which kinds there are, is shown first."""

    kind: MethodKind | None = None
    network: Network | None = None


class OpenCasinoPlace(CallbackData, prefix="kc"):
    """Show me my place at this casino."""

    programme: ProgrammeName


class CasinoHistory(CallbackData, prefix="kh"):
    """What this casino has told of me; a page before or after one."""

    programme: ProgrammeName
    before: Positive | None = None
    after: Positive | None = None


class TurnSignals(CallbackData, prefix="sq"):
    """Turns to a page of the signals."""

    before: Positive | None = None
    after: Positive | None = None


class OpenMethod(CallbackData, prefix="wo"):
    """Show me where I am paid."""

    method: Positive


class DefaultMethod(CallbackData, prefix="wk"):
    """Offer this one first from now on."""

    method: Positive


class RemoveMethod(CallbackData, prefix="wr"):
    """Forget where I am paid; asked once more before it is done."""

    method: Positive
    sure: bool = False
