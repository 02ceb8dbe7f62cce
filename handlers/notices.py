"""The messages of the outbox: from a text's id and its arguments in JSON to what is sent."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from aiogram.types import InlineKeyboardMarkup

from db.money import Money
from handlers import casinos, keyboards, signals
from handlers.admin import casinos as admin_casinos
from handlers.admin import insights, letters, methods, money_keyboards, withdrawals
from handlers.admin import keyboards as admin_keyboards
from handlers.admin.callbacks import Insight
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
        case {"at": str(at)}:
            return datetime.fromisoformat(at)
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


def _decide(t: Translate, values: Mapping[str, Value]) -> InlineKeyboardMarkup:
    match values:
        case {"id": int(adjustment_id), "player": int(player_id)}:
            return admin_keyboards.decide(t, adjustment_id, player_id, own=False)
        case _:
            raise TypeError("a correction needs its id and player")


def _number(values: Mapping[str, Value]) -> int:
    number = values.get("id")
    if not isinstance(number, int):
        raise TypeError("a button needs an id")
    return number


def _item(t: Translate, values: Mapping[str, Value]) -> InlineKeyboardMarkup:
    return money_keyboards.item_below(t, _number(values))


def _returned(t: Translate, values: Mapping[str, Value]) -> InlineKeyboardMarkup:
    return money_keyboards.returned_below(t, _number(values))


def _withdrawal(t: Translate, values: Mapping[str, Value]) -> InlineKeyboardMarkup:
    return withdrawals.opens_below(t, _number(values))


# Messages that tell something stay as they are: their buttons open below them.
_KEYBOARDS: Mapping[str, Callable[[Translate, Mapping[str, Value]], InlineKeyboardMarkup]] = {
    "deposit-link-ready": _pay,
    "deposit-credited": lambda t, _: keyboards.credited(t),
    "deposit-failed": lambda t, _: keyboards.retry(t),
    "deposit-bank-asks": _pay,
    "deposit-card-failed": lambda t, _: keyboards.another_way(t),
    "deposit-in-review": lambda t, _: keyboards.to_menu(t, below=True),
    "adjustment-posted": lambda t, _: keyboards.credited(t),
    "account-frozen": lambda t, _: keyboards.to_menu(t, below=True),
    "account-unfrozen": lambda t, _: keyboards.to_menu(t, below=True),
    "withdrawal-requested": lambda t, _: keyboards.to_menu(t, below=True),
    "withdrawal-approved": lambda t, _: keyboards.to_menu(t, below=True),
    "withdrawal-completed": lambda t, _: keyboards.credited(t),
    "withdrawal-cancelled": lambda t, _: keyboards.credited(t),
    "withdrawal-failed": lambda t, _: keyboards.credited(t),
    "withdrawal-refused": lambda t, _: keyboards.credited(t),
    "withdrawal-method-verified": lambda t, _: keyboards.to_menu(t, below=True),
    "withdrawal-method-verified-later": lambda t, _: keyboards.to_menu(t, below=True),
    "withdrawal-method-rejected": lambda t, _: keyboards.to_menu(t, below=True),
    "admin-dead-delivery": lambda t, values: letters.opens_below(t, _number(values)),
    "admin-role-granted": lambda t, _: keyboards.rows([keyboards.to_desk(t, below=True)]),
    "admin-role-revoked": lambda t, _: keyboards.to_menu(t, below=True),
    "admin-method-added": lambda t, values: methods.opens_below(t, _number(values)),
    "admin-withdrawal-requested": _withdrawal,
    "admin-withdrawal-second": _withdrawal,
    "admin-withdrawal-unknown": _withdrawal,
    "admin-withdrawal-unreadable": _withdrawal,
    "admin-withdrawal-paid-anyway": _withdrawal,
    "admin-withdrawals-wait": _withdrawal,
    "admin-correction-asked": _decide,
    "admin-odd-money": _item,
    "admin-odd-return": _item,
    "admin-refund-booked": _returned,
    "admin-refund-failed": _returned,
    "admin-refund-refused": _returned,
    "admin-refund-unanswered": _returned,
    "admin-dispute": _returned,
    "admin-differences": lambda t, _: money_keyboards.odd_below(t),
    "admin-summary": lambda t, _: insights.opens_below(t, Insight.OVERVIEW),
    "admin-conversion-fell": lambda t, _: insights.opens_below(t, Insight.CASINO),
    "admin-casino-odd": lambda t, _: admin_casinos.odd_below(t),
    "casino-registered": lambda t, _: casinos.told(t),
    "casino-deposit": lambda t, _: casinos.told(t),
    "casino-deposit-again": lambda t, _: casinos.told(t),
    "casino-withdrawal": lambda t, _: keyboards.to_menu(t, below=True),
    "casino-win": lambda t, _: keyboards.to_menu(t, below=True),
    "casino-linked": lambda t, _: casinos.told(t),
    "admin-verify-failed": lambda t, _: money_keyboards.books_below(t),
    "money-found": lambda t, _: keyboards.credited(t),
    "deposit-sent-back": lambda t, _: keyboards.to_menu(t, below=True),
    "return-refunded": lambda t, _: keyboards.credited(t),
    "return-refunded-owing": lambda t, _: keyboards.credited(t),
    "return-disputed": lambda t, _: keyboards.credited(t),
    "return-disputed-owing": lambda t, _: keyboards.credited(t),
    "return-undone": lambda t, _: keyboards.credited(t),
    "return-lost": lambda t, _: keyboards.credited(t),
    "return-collected": lambda t, _: keyboards.credited(t),
    "return-forgiven": lambda t, _: keyboards.credited(t),
    "signal-published": lambda t, _: signals.to_signals(t),
    "signal-withdrawn": lambda t, _: signals.to_signals(t),
    "signal-result": lambda t, _: signals.to_signals(t),
}
