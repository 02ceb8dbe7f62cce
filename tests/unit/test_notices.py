"""Messages of the outbox: every one that a service may put there can be sent, in both languages."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from db.models import Language, SignalDraft, SignalRecord, SignalResult, Tally
from db.money import Money
from handlers.notices import render
from handlers.texts import Texts
from services.outbox import Argument, argument
from services.signals import arguments, record_arguments

TEXTS = Texts(timezone=ZoneInfo("Europe/Moscow"), default=Language.RU)
SERVICES = Path(__file__).parents[2] / "services"
IDS = sorted(
    {
        name
        for source in SERVICES.glob("*.py")
        for name in re.findall(
            r'"((?:account|adjustment|admin|casino|deposit|money|return|signal)-[a-z-]+)"',
            source.read_text(encoding="utf-8"),
        )
    }
)
MONEY = Money(50_00, "USD")
TALLY = Tally(42, 1, 20, 18, 2, 2, Decimal("1.92"), Decimal("4.17"))
VALUES: dict[str, Argument] = {
    **arguments(SignalDraft("Ajax – PSV", "Over 2.5", Decimal("1.85"), datetime(2026, 11, 20, 12, tzinfo=UTC), None)),
    **record_arguments(SignalRecord(TALLY, TALLY)),
    "result": SignalResult.VOID,
    "amount": MONEY,
    "balance": MONEY,
    "received": "—",
    "provider": "Stripe",
    "reason": "insufficient-funds",
    "url": "http://127.0.0.1/pay",
    "id": 7,
    "payment": "pi_1",
    "problem": "paid_twice",
    "error": "TimeoutError",
    "seq": 12,
    "hash": "ab" * 32,
    "day": "2026-11-20",
    "count": 2,
    "job": "head:2026-11-20",
    "player": 71,
    "note": "Goodwill",
    "admin": 900,
    "status": "posted",
    "direction": "credit",
    "method": "DE89 •••• 3000",
    "role": "cashier",
    "since": datetime(2026, 11, 20, 12, tzinfo=UTC),
    "until": datetime(2026, 11, 20, 12, tzinfo=UTC),
    "hours": 24,
    "title": "1Win",
    "account": "123456789",
    "signals": "channel",
    "wins": 1,
    "events": 2,
    "reference": "SEPA-1",
    "taken": MONEY,
    "owed": MONEY,
    "state": "done",
    "sent": 4_900,
    "blocked": 90,
    "failed": 9,
    "unwanted": 1,
    "left": 0,
    "lasted": "0:04:10",
    "new": 3,
    "new_before": 2,
    "active": 30,
    "active_before": 20,
    "deposits": "50.00 USD (1)",
    "withdrawals": "—",
    "registrations": 4,
    "casino": "1 000.00 RUB (2)",
    "waiting": 1,
    "items": 0,
    "deliveries": 0,
    "messages": 0,
    "alerts": 1,
    "source": "Stripe",
    "minutes": 12,
    "at": datetime(2026, 11, 20, 12, tzinfo=UTC),
    "queue": "inbox",
    "bound": 25,
    "paid": 5,
    "bound_before": 100,
    "paid_before": 50,
    "address": "2001:db8::/64",
    "more": 1,
}
ARGUMENTS = {name: argument(value) for name, value in VALUES.items()}


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("text_id", IDS)
def test_every_message_of_a_service_can_be_sent(text_id: str, language: Language) -> None:
    rendered = render(text_id, ARGUMENTS, TEXTS.translator(language))
    assert 0 < len(rendered.text) <= 4096
    if text_id.startswith("deposit-"):
        assert "50.00\u00a0USD" in rendered.text
        assert "Stripe" in rendered.text


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize(
    "text_id",
    [
        *("withdrawal-requested", "withdrawal-approved", "withdrawal-completed", "withdrawal-cancelled"),
        *("withdrawal-failed", "withdrawal-refused"),
        *("withdrawal-method-verified", "withdrawal-method-verified-later", "withdrawal-method-rejected"),
    ],
)
def test_news_of_a_withdrawal_says_what_it_is_about(text_id: str, language: Language) -> None:
    rendered = render(text_id, ARGUMENTS, TEXTS.translator(language))
    named = ["DE89 •••• 3000"] if "method" in text_id else ["50.00\u00a0USD", "7"]
    assert all(part in rendered.text for part in named)
    assert rendered.reply_markup


def test_a_link_that_comes_late_has_its_button() -> None:
    keyboard = render("deposit-link-ready", ARGUMENTS, TEXTS.translator(Language.RU)).reply_markup
    assert keyboard
    assert keyboard.inline_keyboard[0][0].url == "http://127.0.0.1/pay"


def test_buttons_of_news_open_below_and_an_edit_has_none() -> None:
    t = TEXTS.translator(Language.RU)
    keyboard = render("deposit-credited", ARGUMENTS, t).reply_markup
    assert keyboard
    assert [button.callback_data for row in keyboard.inline_keyboard for button in row] == [
        "o:balance:1",
        "o:menu:1",
    ]
    assert render("deposit-closed-paid", ARGUMENTS, t).reply_markup is None


@pytest.mark.parametrize("odd", [None, 1.5, [], {"minor": "5000", "currency": "USD"}, {"minor": 5000}])
def test_an_argument_of_an_odd_kind_is_an_error(odd: object) -> None:
    with pytest.raises(TypeError):
        render("deposit-credited", {**ARGUMENTS, "amount": odd}, TEXTS.translator(Language.RU))
