"""What people type, read strictly."""

from typing import assert_never

from db.money import AmountProblem, InvalidAmount, Money
from services.errors import AmountTooLarge, AmountTooPrecise, AmountTooSmall, NotAnAmount, ReasonNeeded

REASON_LIMIT = 200
NOTE_LIMIT = 250
"""Of what a player will read: a text shows no more of a value."""


def amount(text: str, *, example: Money, minimum: Money, maximum: Money) -> Money:
    """An amount in the currency of the example; what it must lie between is only told, not checked.

    Raises NotAnAmount, AmountTooPrecise, AmountTooSmall for zero and less, AmountTooLarge for more than can be kept.
    """
    try:
        return Money.parse(text, example.currency)
    except InvalidAmount as error:
        match error.problem:
            case AmountProblem.NOT_A_NUMBER:
                raise NotAnAmount(example) from error
            case AmountProblem.TOO_PRECISE:
                raise AmountTooPrecise(example) from error
            case AmountProblem.NOT_POSITIVE:
                raise AmountTooSmall(minimum) from error
            case AmountProblem.TOO_LARGE:
                raise AmountTooLarge(maximum) from error
            case _:
                assert_never(error.problem)


def line(text: str) -> str:
    """What was typed in one line, without what cannot be seen or stored."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def reason(text: str, limit: int = REASON_LIMIT) -> str:
    """Why something is done. Raises ReasonNeeded."""
    why = line(text)
    if not why or len(why) > limit:
        raise ReasonNeeded(limit)
    return why
