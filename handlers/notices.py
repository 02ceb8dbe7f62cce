"""The messages of the outbox: from a text's id and its arguments in JSON to what is sent."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from aiogram.types import InlineKeyboardMarkup

from db.money import Money
from handlers import keyboards
from handlers.texts import Translate, Value


@dataclass(frozen=True, slots=True)
class Rendered:
    text: str
    reply_markup: InlineKeyboardMarkup | None


def render(text_id: str, arguments: Mapping[str, object], t: Translate) -> Rendered:
    """Raises LookupError or TypeError when the text does not exist or its arguments are not what it wants."""
    values = {name: _value(value) for name, value in arguments.items()}
    keyboard = _KEYBOARDS.get(text_id)
    return Rendered(t(text_id, **values), keyboard(t, values) if keyboard else None)


def _value(argument: object) -> Value:
    match argument:
        case {"minor": int(minor), "currency": str(currency)}:
            return Money(minor, currency)
        case str() | int():
            return argument
        case _:
            raise TypeError(f"not an argument of a text: {type(argument).__name__}")


def _pay(t: Translate, values: Mapping[str, Value]) -> InlineKeyboardMarkup:
    match values:
        case {"amount": Money() as amount, "url": str(url), "id": int(operation_id)}:
            return keyboards.pay(t, amount, url, operation_id)
        case _:
            raise TypeError("a link needs its amount, url and id")


# Messages that tell something stay as they are: their buttons open below them.
_KEYBOARDS: Mapping[str, Callable[[Translate, Mapping[str, Value]], InlineKeyboardMarkup]] = {
    "deposit-link-ready": _pay,
    "deposit-credited": lambda t, _: keyboards.credited(t),
    "deposit-failed": lambda t, _: keyboards.retry(t),
    "deposit-in-review": lambda t, _: keyboards.to_menu(t, below=True),
}
