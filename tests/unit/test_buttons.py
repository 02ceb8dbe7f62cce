"""What buttons carry: unique, within Telegram's 64 bytes, and nothing impossible gets through."""

import inspect
from collections import Counter

import pytest
from aiogram.filters.callback_data import CallbackData

from db.models import Language, ProviderName
from handlers import callbacks
from handlers.callbacks import Check, Choose, Open, Pay, Place, Speak, Turn

LARGEST = 2**63 - 1
BUTTONS = [
    value
    for _, value in inspect.getmembers(callbacks, inspect.isclass)
    if issubclass(value, CallbackData) and value is not CallbackData
]


def test_no_two_kinds_of_buttons_share_a_prefix() -> None:
    assert max(Counter(button.__prefix__ for button in BUTTONS).values()) == 1


def test_the_longest_button_of_every_kind_fits_into_64_bytes() -> None:
    longest = {
        "place": max(Place, key=len),
        "below": True,
        "language": Language.RU,
        "before": LARGEST,
        "after": LARGEST,
        "provider": max(ProviderName, key=len),
        "currency": "USDT",
        "minor": LARGEST,
        "nonce": "abcdEF_-",
        "operation": LARGEST,
    }
    for button in BUTTONS:
        packed = button(**{name: longest[name] for name in button.model_fields}).pack()
        assert len(packed.encode()) <= 64, packed
        assert button.unpack(packed).pack() == packed


@pytest.mark.parametrize(
    ("button", "data"),
    [
        (Open, "o:nowhere:0"),
        (Open, "o:menu"),
        (Speak, "s:de"),
        (Turn, "h:0:"),
        (Turn, "h::-5"),
        (Turn, f"h:{2**63}:"),
        (Choose, "c:paypal:USD"),
        (Choose, "c:stripe:XXX"),
        (Pay, "p:stripe:USD:0:abcdefgh"),
        (Pay, "p:stripe:USD:-100:abcdefgh"),
        (Pay, "p:stripe:USD:1.5:abcdefgh"),
        (Pay, "p:stripe:USD:NaN:abcdefgh"),
        (Pay, "p:stripe:USD:100:"),
        (Pay, f"p:stripe:USD:{'9' * 40}:abcdefgh"),
        (Check, "k:9223372036854775808"),
        (Check, "k:1:1"),
    ],
)
def test_what_cannot_be_is_no_button(button: type[CallbackData], data: str) -> None:
    with pytest.raises((ValueError, TypeError)):
        button.unpack(data)
