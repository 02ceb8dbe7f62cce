"""What buttons carry: unique, within Telegram's 64 bytes, and nothing impossible gets through."""

import inspect
from collections import Counter

import pytest
from aiogram.filters.callback_data import CallbackData

from db.models import Language, MethodKind, Network, ProviderName, ReportFormat, Role, SignalResult
from db.money import CURRENCIES
from handlers import callbacks
from handlers.admin import callbacks as admin_callbacks
from handlers.admin.callbacks import (
    ConfirmCasino,
    DecideWithdrawal,
    Decision,
    Insight,
    OpenCasinoEvents,
    OpenSignals,
    PublishSignal,
    Section,
    SettleSignal,
)
from handlers.callbacks import (
    AddMethod,
    CasinoHistory,
    Charge,
    Check,
    Choose,
    Confirm,
    DatesFor,
    Export,
    Open,
    OpenCasinoPlace,
    Pay,
    Place,
    RemoveCard,
    Speak,
    Tell,
    Turn,
    TurnSignals,
    Withdraw,
    WithdrawAmount,
    pack_filter,
    unpack_filter,
)
from services.periods import Named, Period
from services.wallets import Filter, Kind, Status

LARGEST = 2**63 - 1
BUTTONS = [
    value
    for module in (callbacks, admin_callbacks)
    for _, value in inspect.getmembers(module, inspect.isclass)
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
        "page": 9999,
        "provider": max(ProviderName, key=len),
        "currency": "USDT",
        "minor": LARGEST,
        "nonce": "abcdEF_-",
        "code": "wwy04261101261115",
        "purpose": DatesFor.HISTORY,
        "period": "261101261115",
        "format": ReportFormat.PDF,
        "include": 7,
        "statement": LARGEST,
        "older": 40_000,
        "operation": LARGEST,
        "player": LARGEST,
        "section": Section.AUDIT,
        "key": LARGEST,
        "newer": True,
        "adjustment": LARGEST,
        "agree": True,
        "keep": True,
        "card": LARGEST,
        "sure": True,
        "method": LARGEST,
        "kind": max(MethodKind, key=len),
        "network": Network.TRC20,
        "step": "r",
        "debts": True,
        "item": LARGEST,
        "returned": LARGEST,
        "owed": LARGEST,
        "forgive": True,
        "decision": Decision.CREDIT,
        "days": 35,
        "delivery": LARGEST,
        "replays": 2**31 - 1,
        "message": LARGEST,
        "telegram": LARGEST,
        "role": max(Role, key=len),
        "close": False,
        "signal": LARGEST,
        "programme": "x" * 20,
        "scope": f"p{LARGEST}",
        "event": LARGEST,
        "newest": LARGEST,
        "result": SignalResult.LOST,
        "on": True,
        "broadcast": LARGEST,
        "deposited": True,
        "inactive": 3650,
        "linked": True,
        "insight": Insight.COHORTS,
        "span": Named.THIRTY_DAYS,
        "registered": True,
        "at_casino": True,
        "picture": True,
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
        (Turn, f"h:ad-00a:{2**63}:"),
        (Turn, "h:ad-00a:0:"),
        (Turn, "h:ad-00a:-5:"),
        (Turn, "h:ad-00z::"),
        (Turn, "h:xd-00a::"),
        (Turn, "h:ax-00a::"),
        (Turn, "h:adx00a::"),
        (Turn, "h:ad-99a::"),
        (Turn, "h:ad-٠٠a::"),
        (Turn, "h:ad-00261131261201::"),
        (Turn, "h:::"),
        (Tell, "hs:ad-00a:1:0"),
        (Export, "ex:z:csv:7:"),
        (Export, "ex:a:doc:7:"),
        (Export, "ex:a:csv:8:"),
        (Export, "ex:a:csv:7:short"),
        (Choose, "c:paypal:USD:0:"),
        (Choose, "c:stripe:XXX:0:"),
        (Pay, "p:stripe:USD:0:abcdefgh:0"),
        (Pay, "p:stripe:USD:-100:abcdefgh:0"),
        (Pay, "p:stripe:USD:1.5:abcdefgh:0"),
        (Pay, "p:stripe:USD:NaN:abcdefgh:0"),
        (Pay, "p:stripe:USD:100::0"),
        (Pay, f"p:stripe:USD:{'9' * 40}:abcdefgh:0"),
        (Check, "k:9223372036854775808"),
        (Check, "k:1:1"),
        (Choose, "c:stripe:USD:0:-1"),
        (Choose, "c:stripe:USD:maybe:"),
        (Confirm, "cq:0:USD:100:abcdefgh"),
        (Charge, "cp:-1:USD:100:abcdefgh"),
        (Charge, "cp:1:USD:1e3:abcdefgh"),
        (RemoveCard, "cr:1"),
        (WithdrawAmount, "wa:USD:1:0"),
        (WithdrawAmount, "wa:XXX:1:100"),
        (Withdraw, "wd:USD:1:-100:abcdefgh"),
        (Withdraw, "wd:USD:0:100:abcdefgh"),
        (Withdraw, "wd:USD:1:100:"),
        (AddMethod, "wm:cash:"),
        (DecideWithdrawal, "ww:1:x"),
        (TurnSignals, "sq:0:"),
        (OpenSignals, "sl::-1"),
        (PublishSignal, "sp:"),
        (OpenCasinoPlace, "kc:"),
        (OpenCasinoPlace, "kc:1Win"),
        (CasinoHistory, "kh:1win:0:"),
        (OpenCasinoEvents, "ke:x::0"),
        (OpenCasinoEvents, "ke:p0::0"),
        (OpenCasinoEvents, f"ke:p{2**63}::0"),
        (OpenCasinoEvents, "ke:c::0"),
        (OpenCasinoEvents, "ke:c1win::maybe"),
        (ConfirmCasino, "ky:0:1:0"),
        (SettleSignal, "sr:1:win:1"),
        (SettleSignal, "sr:0:won:1"),
        (DecideWithdrawal, "ww:-1:a"),
    ],
)
def test_what_cannot_be_is_no_button(button: type[CallbackData], data: str) -> None:
    with pytest.raises((ValueError, TypeError)):
        button.unpack(data)


def test_a_filter_travels_whole() -> None:
    """Each provider begins with a letter of its own, and each currency has a number."""
    periods = [Period(name) for name in Named] + [Period("261101261115")]
    for wanted in (
        Filter(kind, status, provider, currency, period)
        for kind in Kind
        for status in Status
        for provider in (None, *ProviderName)
        for currency in (None, *CURRENCIES)
        for period in periods
    ):
        assert unpack_filter(pack_filter(wanted)) == wanted
