"""What buttons and links carry. Anybody can send anything: what is not possible is no button of ours."""

from enum import StrEnum
from typing import Annotated

from aiogram import F
from aiogram.filters.callback_data import CallbackData
from pydantic import AfterValidator, Field

from db.models import Language, ProviderName
from db.money import CURRENCIES, Money


def _known(currency: str) -> str:
    if currency not in CURRENCIES:
        raise ValueError("unknown currency")
    return currency


Currency = Annotated[str, AfterValidator(_known)]
Positive = Annotated[int, Field(ge=1, le=2**63 - 1)]
Nonce = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{8}$")]


PAID = "paid_"
"""Begins the deep link with which a payment page sends a player back; the deposit's number follows."""

is_paid = F.args.regexp(rf"{PAID}[0-9]{{1,18}}\Z")


class Place(StrEnum):
    MENU = "menu"
    BALANCE = "balance"
    DEPOSIT = "deposit"
    HISTORY = "history"
    SETTINGS = "settings"
    HELP = "help"
    RULES = "rules"


class Open(CallbackData, prefix="o"):
    """Opens a place in this message, or below it when the message is worth keeping."""

    place: Place
    below: bool = False


class Accept(CallbackData, prefix="a"):
    """I am 18 or older and accept the rules."""


class Speak(CallbackData, prefix="s"):
    language: Language


class Turn(CallbackData, prefix="h"):
    """Turns to a page of the history."""

    before: Positive | None = None
    after: Positive | None = None


class Choose(CallbackData, prefix="c"):
    """Pay through this provider, in this currency."""

    provider: ProviderName
    currency: Currency


class Type(CallbackData, prefix="t"):
    """Let me type the amount."""

    provider: ProviderName
    currency: Currency


class Pay(CallbackData, prefix="p"):
    """This amount. The nonce is drawn with the keyboard: pressed twice is one wish, a new one another."""

    provider: ProviderName
    currency: Currency
    minor: Positive
    nonce: Nonce

    @property
    def amount(self) -> Money:
        return Money(self.minor, self.currency)


class Check(CallbackData, prefix="k"):
    """Ask the provider about this deposit now."""

    operation: Positive


class Leave(CallbackData, prefix="x"):
    """I will not pay by this link."""

    operation: Positive
