"""Exact money: integer minor units and a currency. Floats and mixed currencies are refused, digits never lost."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Context, Decimal, Inexact, InvalidOperation
from enum import StrEnum
from types import MappingProxyType

_LARGEST = 2**63 - 1  # what a PostgreSQL bigint holds
_NO_BREAK_SPACE = "\N{NO-BREAK SPACE}"
_TYPED = re.compile(r"([0-9]+(?:[ \u00a0\u202f'][0-9]{3})*)(?:([.,])([0-9]+))?")
_SEPARATORS = re.compile(r"[ \u00a0\u202f']")
# Decimal rounds silently to 28 digits; here a lost digit is an error.
_EXACT = Context(prec=60, traps=[Inexact, InvalidOperation])


@dataclass(frozen=True, slots=True)
class Currency:
    code: str
    number: int
    """Part of the number of every account in this currency; never changed and never used again."""
    exponent: int
    """Digits after the decimal point: 100 minor units of USD make one dollar, so 2."""


# The one table of currencies. A new row is opened in the database, with its system accounts, at the next start.
CURRENCIES: Mapping[str, Currency] = MappingProxyType(
    {
        currency.code: currency
        for currency in (Currency("USD", 1, 2), Currency("EUR", 2, 2), Currency("RUB", 3, 2), Currency("USDT", 4, 6))
    }
)


class CurrencyMismatch(TypeError):
    """Two amounts of different currencies met; a bug, never a player's mistake."""


class AmountProblem(StrEnum):
    NOT_A_NUMBER = "not_a_number"
    TOO_PRECISE = "too_precise"
    NOT_POSITIVE = "not_positive"
    TOO_LARGE = "too_large"


class InvalidAmount(ValueError):
    """What a person typed is not an amount; `problem` says why."""

    def __init__(self, problem: AmountProblem) -> None:
        super().__init__(problem)
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Money:
    minor: int
    currency: str

    def __post_init__(self) -> None:
        if type(self.minor) is not int:
            raise TypeError(f"minor units are an int, not {type(self.minor).__name__}")
        if self.currency not in CURRENCIES:
            raise ValueError(f"unknown currency {self.currency!r}")

    @classmethod
    def parse(cls, text: str, currency: str) -> "Money":
        """Reads a positive amount as a person types it: `500`, `1 000,50`, `19.99`. Raises InvalidAmount."""
        typed = text.strip()
        match = _TYPED.fullmatch(typed) if len(typed) <= 40 else None
        if match is None:
            negative = typed[:1] in ("-", "−") and _TYPED.fullmatch(typed[1:41])
            raise InvalidAmount(AmountProblem.NOT_POSITIVE if negative else AmountProblem.NOT_A_NUMBER)
        whole, separator, fraction = _SEPARATORS.sub("", match[1]), match[2], match[3] or ""
        exponent = CURRENCIES[currency].exponent
        # "1,000" is a thousand to some and one to others: too many digits are never rounded or guessed away.
        if len(fraction) > exponent or (separator == "," and len(fraction) == 3):
            raise InvalidAmount(AmountProblem.TOO_PRECISE)
        scaled = int(whole + fraction.ljust(exponent, "0"))
        if scaled <= 0:
            raise InvalidAmount(AmountProblem.NOT_POSITIVE)
        if scaled > _LARGEST:
            raise InvalidAmount(AmountProblem.TOO_LARGE)
        return cls(scaled, currency)

    @classmethod
    def exact(cls, value: str | Decimal, currency: str) -> "Money":
        """Reads a provider's decimal (`"1500.00"`). Raises ValueError when it is not exactly representable."""
        if currency not in CURRENCIES:
            raise ValueError("unknown currency")
        try:
            scaled = Decimal(value).scaleb(CURRENCIES[currency].exponent, _EXACT)
        except (InvalidOperation, Inexact) as error:
            raise ValueError("not a decimal number") from error
        if not scaled.is_finite() or abs(scaled) > _LARGEST or scaled != scaled.to_integral_value():
            raise ValueError("not an exact amount")
        return cls(int(scaled), currency)

    @property
    def major(self) -> Decimal:
        return Decimal(self.minor).scaleb(-CURRENCIES[self.currency].exponent)

    @property
    def plain(self) -> str:
        """The amount as providers want it: `1000.50`."""
        return f"{self.major:f}"

    def average(self, count: int) -> "Money":
        """This much shared by `count`, to the nearest minor unit, halves away from zero."""
        share = (2 * abs(self.minor) + count) // (2 * count)
        return Money(share if self.minor >= 0 else -share, self.currency)

    def __str__(self) -> str:
        """The amount as people read it: `1 000.50 USD`, with no-break spaces."""
        return f"{self.major:,f}".replace(",", _NO_BREAK_SPACE) + _NO_BREAK_SPACE + self.currency

    def __bool__(self) -> bool:
        return self.minor != 0

    def __neg__(self) -> "Money":
        return Money(-self.minor, self.currency)

    def __add__(self, other: "Money") -> "Money":
        return Money(self.minor + self._same(other), self.currency)

    def __sub__(self, other: "Money") -> "Money":
        return Money(self.minor - self._same(other), self.currency)

    def __lt__(self, other: "Money") -> bool:
        return self.minor < self._same(other)

    def __le__(self, other: "Money") -> bool:
        return self.minor <= self._same(other)

    def __gt__(self, other: "Money") -> bool:
        return self.minor > self._same(other)

    def __ge__(self, other: "Money") -> bool:
        return self.minor >= self._same(other)

    def _same(self, other: "Money") -> int:
        if self.currency != other.currency:
            raise CurrencyMismatch(f"{self.currency} and {other.currency}")
        return other.minor


@dataclass(frozen=True, slots=True)
class CasinoMoney:
    """An amount at a casino, in whatever currency that keeps: exact, shown, and never added to ours."""

    amount: Decimal
    currency: str

    def __str__(self) -> str:
        """As people read it: `1 000.50 KZT`, with no-break spaces and at least two digits of the fraction."""
        whole, _, fraction = f"{self.amount:,f}".partition(".")
        digits = fraction.rstrip("0").ljust(2, "0")
        return f"{whole}.{digits}".replace(",", _NO_BREAK_SPACE) + _NO_BREAK_SPACE + self.currency
