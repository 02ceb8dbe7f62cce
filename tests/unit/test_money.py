"""Exact amounts, whoever writes them."""

from decimal import Decimal

import pytest

from db.money import CURRENCIES, AmountProblem, CurrencyMismatch, InvalidAmount, Money

NO_BREAK = "\N{NO-BREAK SPACE}"


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("500", "USD", 500_00),
        ("19.99", "USD", 19_99),
        ("1 000,50", "RUB", 1_000_50),
        (f"1{NO_BREAK}000.5", "EUR", 1_000_50),
        ("12'345'678.90", "USD", 12_345_678_90),
        ("  7 ", "USD", 7_00),
        ("0.000001", "USDT", 1),
        ("1.234", "USDT", 1_234_000),
        ("92233720368547758.07", "USD", 2**63 - 1),
    ],
)
def test_what_people_type_is_read_exactly(text: str, currency: str, minor: int) -> None:
    assert Money.parse(text, currency) == Money(minor, currency)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        *((text, AmountProblem.NOT_A_NUMBER) for text in ("", " ", "abc", "NaN", "inf", "1e3", "0x10", "1_000", "+5")),
        *((text, AmountProblem.NOT_A_NUMBER) for text in ("١٠٠", "5️⃣", "1 00", "1,000,000", "5$", ".5", "5.", "1\n2")),
        *((text, AmountProblem.TOO_PRECISE) for text in ("0.001", "1.999", "1,000", "1.0000000000000000000000001")),
        *((text, AmountProblem.NOT_POSITIVE) for text in ("0", "0.00", "-5", "−5")),
        *((text, AmountProblem.TOO_LARGE) for text in ("92233720368547758.08", "9" * 40)),
        ("9" * 41, AmountProblem.NOT_A_NUMBER),
    ],
)
def test_anything_else_is_refused_with_the_reason(text: str, problem: AmountProblem) -> None:
    with pytest.raises(InvalidAmount) as refused:
        Money.parse(text, "USD")
    assert refused.value.problem is problem


@pytest.mark.parametrize("value", ["NaN", "sNaN", "Infinity", "1e400", "1.005", "", "x", "1" * 40, Decimal("0.001")])
def test_a_providers_amount_is_exact_or_refused(value: str | Decimal) -> None:
    with pytest.raises(ValueError, match=r"not an? |unknown"):
        Money.exact(value, "USD")


def test_every_cent_survives_the_way_to_a_provider_and_back() -> None:
    for minor in range(1, 100_000):
        money = Money(minor, "USD")
        assert Money.exact(money.plain, "USD") == money


def test_amounts_are_shown_with_their_digits_and_currency() -> None:
    assert str(Money(123_456_789, "USD")) == f"1{NO_BREAK}234{NO_BREAK}567.89{NO_BREAK}USD"
    assert str(Money(-5, "USDT")) == f"-0.000005{NO_BREAK}USDT"
    assert Money(1_000_50, "RUB").plain == "1000.50"


def test_floats_and_mixed_currencies_are_bugs() -> None:
    with pytest.raises(TypeError):
        Money(1.0, "USD")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        Money(True, "USD")
    with pytest.raises(ValueError, match="unknown"):
        Money(1, "XXX")
    for mixed in ("__add__", "__sub__", "__lt__", "__ge__"):
        with pytest.raises(CurrencyMismatch):
            getattr(Money(1, "USD"), mixed)(Money(1, "EUR"))


def test_every_currency_has_its_own_code() -> None:
    assert all(code == currency.code for code, currency in CURRENCIES.items())


@pytest.mark.parametrize(
    ("minor", "count", "share"), [(0, 3, 0), (100, 3, 33), (101, 2, 51), (-101, 2, -51), (2**63 - 1, 1, 2**63 - 1)]
)
def test_an_average_is_rounded_to_the_nearest_unit(minor: int, count: int, share: int) -> None:
    assert Money(minor, "USD").average(count) == Money(share, "USD")
