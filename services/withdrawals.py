"""Withdrawals: from a player's wish, whose money is held at once, through the admins' hands to its end."""

from collections.abc import Mapping
from dataclasses import dataclass

from db.database import Database
from db.money import CURRENCIES, Money
from services.methods import Methods
from services.outbox import Outbox
from services.providers import PayoutProvider


@dataclass(frozen=True, slots=True)
class WithdrawalLimits:
    minimum: Money
    maximum: Money
    daily: Money
    """In any 24 hours, counting everything that was not rejected and did not fail."""
    single_admin: Money
    """Above it two different admins have to agree, to a withdrawal and to a correction by hand."""


DEFAULT_LIMITS: Mapping[str, WithdrawalLimits] = {
    code: WithdrawalLimits(*(Money(units * 10**currency.exponent, code) for units in (10, 100_000, 50_000, 10_000)))
    for code, currency in CURRENCIES.items()
}


@dataclass(frozen=True, slots=True)
class Withdrawals:
    database: Database
    outbox: Outbox
    methods: Methods
    payouts: PayoutProvider
    limits: Mapping[str, WithdrawalLimits]
