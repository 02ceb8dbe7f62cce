"""Statistics of a player's money: one place for net result, win rate and ROI, wherever they are shown or written."""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from db.models import Summary
from db.money import Money

_HUNDREDTH = Decimal("0.01")


def percent(part: int, whole: int) -> Decimal | None:
    """`part` of `whole` in percent with two digits, halves rounded away from zero; None of nothing."""
    if whole <= 0:
        return None
    return (Decimal(100 * part) / Decimal(whole)).quantize(_HUNDREDTH, ROUND_HALF_UP)


def whole_percent(part: int, whole: int) -> int | None:
    """The same without digits, for tables; never below zero."""
    return None if whole <= 0 else (200 * part + whole) // (2 * whole)


@dataclass(frozen=True, slots=True)
class Statistics:
    """A wallet over a period. A bet counts in the period in which it was settled, and a void bet in no rate."""

    summary: Summary
    pending_deposits: Money
    """Asked for and not ended, now and not in the period."""
    pending_withdrawals: Money

    @property
    def currency(self) -> str:
        return self.summary.currency

    @property
    def placed(self) -> Money:
        """Stakes placed in the period, less those given back."""
        return -self.summary.staked

    @property
    def net(self) -> Money:
        """Payouts less stakes of the settled bets."""
        return self.summary.won - self.summary.turnover

    @property
    def bets(self) -> int:
        """Settled with a result."""
        return self.summary.bets_won + self.summary.bets_lost

    @property
    def win_rate(self) -> Decimal | None:
        return percent(self.summary.bets_won, self.bets)

    @property
    def roi(self) -> Decimal | None:
        """The net result in percent of the stakes it was made with."""
        return percent(self.net.minor, self.summary.turnover.minor)

    @property
    def payback(self) -> Decimal | None:
        """Payouts in percent of the stakes: what the requirements' formula for ROI gives."""
        return percent(self.summary.won.minor, self.summary.turnover.minor)


def statistics(summary: Summary, pending: tuple[Money, Money] | None = None) -> Statistics:
    nothing = Money(0, summary.currency)
    deposits, withdrawals = pending or (nothing, nothing)
    return Statistics(summary, deposits, withdrawals)
