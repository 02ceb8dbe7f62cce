import asyncio
import json
import logging
import time
import traceback
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from yookassa.domain.models.cancellation_details import CancellationDetailsReasonCode
from yookassa.domain.request.payment_request import PaymentRequest

from db.money import Money
from services.errors import (
    DeliveryForbidden,
    DeliveryMalformed,
    DeliveryRejected,
    ProviderError,
    ProviderRejected,
    ProviderUnknown,
)
from services.providers import (
    Card,
    Checkout,
    Concern,
    Delivery,
    News,
    Payment,
    PaymentState,
    Reason,
    Refund,
    RefundOrder,
    RefundState,
    yookassa,
)
from services.providers.yookassa import Receipt, YooKassa
from tests.unit.providers.outside import (
    NOW,
    ORDER_ID,
    Call,
    Fate,
    Json,
    Outside,
    Reply,
    bent,
    order,
    payload,
    payloads,
    running,
)

SHOP, KEY = "100500", "test_verySecretKey"
PAYMENT_ID = "2f4c1b70-000f-5000-8000-1d2c3b4a5f60"
AMOUNT = Money(150_000, "RUB")
NOTIFICATIONS = [name for name in payloads("yookassa") if "/api." not in name]


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yookassa, "_PAUSES", (0.01, 0.01))


@pytest.fixture
async def outside() -> AsyncIterator[Outside]:
    async with running(make_payment) as server:
        yield server


@pytest.fixture
async def provider(outside: Outside) -> AsyncIterator[YooKassa]:
    provider = YooKassa(SHOP, KEY, f"{outside.url}/v3/")
    yield provider
    await provider.close()


def make_payment(call: Call) -> Json:
    created = payload("yookassa/api.payment_created.pending.json")
    if call.method == "GET":
        return created
    asked = json.loads(call.body)
    if call.path.endswith("/refunds"):
        return given() | {name: asked[name] for name in ("amount", "metadata", "payment_id")}
    made = created if "confirmation" in asked else answer("payment.succeeded")
    return made | {"amount": asked["amount"], "metadata": asked["metadata"]}


def receiver() -> YooKassa:
    return YooKassa(SHOP, KEY)


def delivery(body: bytes, remote: str = "185.71.76.1") -> Delivery:
    return Delivery(body, {}, ip_address(remote), NOW)


def encoded(value: object) -> bytes:
    return json.dumps(value).encode()


def answer(name: str, **changes: Any) -> Json:
    found = payload(f"yookassa/{name}.json")["object"]
    assert isinstance(found, dict)
    found["metadata"]["operation_id"] = str(ORDER_ID)
    return found | changes


def given(**changes: Any) -> Json:
    found = payload("yookassa/refund.succeeded.json")["object"]
    assert isinstance(found, dict)
    return found | {"metadata": {"refund_id": str(ORDER_ID)}} | changes


CARD = Card(PAYMENT_ID, "card", "MasterCard", "4477", 12, 2034)
REFUND_ID = "2f4c1c10-0015-5000-8000-1a2b3c4d5e6f"
REFUND = RefundOrder(ORDER_ID, PAYMENT_ID, Money(50_000, "RUB"), "Возврат №9")


async def listed(provider: YooKassa) -> list[News]:
    return [news async for news in provider.history(NOW)]


# Every kind of call that goes out
CALLS: dict[str, Callable[[YooKassa], Awaitable[object]]] = {
    "create": lambda provider: provider.create(order(AMOUNT)),
    "fetch": lambda provider: provider.fetch(PAYMENT_ID),
    "charge": lambda provider: provider.charge(order(AMOUNT), PAYMENT_ID),
    "refund": lambda provider: provider.refund(REFUND),
    "fetch_refund": lambda provider: provider.fetch_refund(REFUND_ID),
    "history": listed,
    "look at a payment": lambda provider: provider.look(encoded(payload("yookassa/payment.succeeded.json"))),
    "look at a refund": lambda provider: provider.look(encoded(payload("yookassa/refund.succeeded.json"))),
}


# Asking for a payment


async def test_a_payment_is_asked_for_with_everything_that_ties_it_to_the_operation(
    provider: YooKassa, outside: Outside
) -> None:
    checkout = await provider.create(order(AMOUNT))
    assert checkout == Checkout(PAYMENT_ID, f"https://yoomoney.ru/checkout/payments/v2/contract?orderId={PAYMENT_ID}")
    (call,) = outside.calls
    assert (call.method, call.path) == ("POST", "/v3/payments")
    assert call.headers["authorization"] == "Basic " + b64encode(f"{SHOP}:{KEY}".encode()).decode()
    assert call.headers["idempotence-key"] == str(ORDER_ID)
    assert json.loads(call.body) == {
        "amount": {"value": "1500.00", "currency": "RUB"},
        "capture": True,
        "confirmation": {
            "type": "redirect",
            "return_url": "https://t.me/example_bot?start=paid_71",
            "locale": "ru_RU",
        },
        "description": "Пополнение №71",
        "metadata": {"operation_id": str(ORDER_ID), "player_id": "42"},
    }


async def test_amounts_are_exact_to_the_last_kopeck(provider: YooKassa, outside: Outside) -> None:
    for minor, value in (
        (1, "0.01"),
        (1999, "19.99"),
        (35_000_000, "350000.00"),
        (10**14 - 1, "999999999999.99"),
    ):
        await provider.create(order(Money(minor, "RUB")))
        assert json.loads(outside.calls[-1].body)["amount"]["value"] == value
        outside.made.clear()


async def test_a_shop_under_54_fz_sends_a_receipt_the_sdk_finds_complete(outside: Outside) -> None:
    provider = YooKassa(SHOP, KEY, outside.url, receipt=Receipt("shop@example.com", 1, tax_system_code=2))
    await provider.create(order(AMOUNT, description="D" * 200, language="en"))
    await provider.close()
    body = json.loads(outside.calls[0].body)
    assert body["receipt"] == {
        "customer": {"email": "shop@example.com"},
        "tax_system_code": 2,
        "items": [
            {
                "description": "D" * 128,
                "quantity": 1,
                "amount": {"value": "1500.00", "currency": "RUB"},
                "vat_code": 1,
                "payment_subject": "payment",
                "payment_mode": "advance",
            }
        ],
    }
    assert body["description"] == "D" * 128
    assert body["confirmation"]["locale"] == "en_US"
    known = dict(PaymentRequest(body))
    assert {key for key, value in known.items() if value != []} == body.keys()


async def test_an_order_the_sdk_finds_wrong_is_not_sent(provider: YooKassa, outside: Outside) -> None:
    with pytest.raises(ProviderRejected, match="invalid request"):
        await provider.create(order(Money(0, "RUB")))
    assert outside.calls == []


@pytest.mark.parametrize("fates", [["lost"], ["lost", "lost"], ["truncated"], ["reset", "lost"], [Reply(202, b"{}")]])
async def test_a_lost_answer_is_found_again_under_the_same_key(
    provider: YooKassa, outside: Outside, fates: list[Fate]
) -> None:
    outside.fates = fates
    assert (await provider.create(order(AMOUNT))).ref == PAYMENT_ID
    assert (await provider.create(order(AMOUNT))).ref == PAYMENT_ID
    assert len(outside.made) == 1
    assert {call.headers["idempotence-key"] for call in outside.calls} == {str(ORDER_ID)}
    assert len({call.body for call in outside.calls}) == 1


def error(code: str, **more: str) -> Json:
    return {
        "type": "error",
        "id": "e65a8f85-0000-4000-8000-bfef99aacbbb",
        "code": code,
        "description": "No.",
    } | more


UNKNOWN: list[tuple[Fate, str]] = [
    (Reply.json(500, payload("yookassa/api.error.internal_server_error.500.json")), "server error"),
    (Reply(502, b"<html><h1>502 Bad Gateway</h1></html>"), "server error"),
    (Reply(503, b""), "server error"),
    (Reply.json(429, payload("yookassa/api.error.too_many_requests.429.json")), "too many requests"),
    (Reply.json(202, payload("yookassa/api.processing.202.json")), "bad answer"),
    (Reply.json(400, payload("yookassa/api.error.invalid_request.400.json")), "idempotency conflict"),
    ("reset", "network"),
    ("lost", "network"),
    ("truncated", "network"),
    (Reply(200, b"<html>hello</html>"), "bad answer"),
    (Reply(200, b""), "bad answer"),
    (Reply(200, b"\xff\xfe"), "bad answer"),
    (Reply(200, b"[" * 100_000), "bad answer"),
    (Reply(200, b"null"), "bad answer"),
    (Reply(200, b"[]"), "bad answer"),
    (Reply(200, b"{}"), "bad answer"),
    (Reply(200, b'{"id": NaN}'), "bad answer"),
    (Reply(401, b"<html>who are you</html>"), "bad answer"),
    (Reply(404, b"<html>not here</html>"), "bad answer"),
    (Reply.json(400, {}), "bad answer"),
    (Reply.json(403, {"message": "blocked by the firewall"}), "bad answer"),
    (Reply(302, b"{}", location="/elsewhere"), "bad answer"),
    (Reply(307, b"{}", location="/elsewhere"), "bad answer"),
]
REFUSED: list[Fate] = [
    Reply.json(400, error("invalid_request", parameter="amount.value")),
    Reply.json(401, error("invalid_credentials")),
    Reply.json(403, error("forbidden")),
    Reply.json(405, error("invalid_request")),
    Reply.json(410, error("gone")),
]


@pytest.mark.parametrize(("fate", "reason"), UNKNOWN)
async def test_what_is_no_clear_answer_leaves_the_outcome_unknown(
    provider: YooKassa, outside: Outside, fate: Fate, reason: str
) -> None:
    outside.fate = fate
    for call in CALLS.values():
        with pytest.raises(ProviderUnknown, match=reason):
            await call(provider)


@pytest.mark.parametrize("fate", ["hang", "drip"])
async def test_a_call_ends_in_time_whatever_the_other_side_does(
    outside: Outside, monkeypatch: pytest.MonkeyPatch, fate: Fate
) -> None:
    monkeypatch.setattr(yookassa, "_PAUSES", (0.5, 0.5))
    outside.fate = fate
    provider = YooKassa(SHOP, KEY, outside.url, timeout=0.5)

    async def gives_up(call: Callable[[YooKassa], Awaitable[object]]) -> None:
        began = time.monotonic()
        with pytest.raises(ProviderUnknown, match="timeout"):
            await call(provider)
        assert 0.4 < time.monotonic() - began < 1.2  # three tries and their pauses would be longer

    await asyncio.gather(*map(gives_up, CALLS.values()))
    await provider.close()


@pytest.mark.parametrize("fate", REFUSED)
async def test_a_clear_no_is_told_at_once(provider: YooKassa, outside: Outside, fate: Fate) -> None:
    outside.fate = fate
    for call in CALLS.values():
        with pytest.raises(ProviderRejected, match="refused"):
            await call(provider)
    assert len(outside.calls) == len(CALLS)


async def test_nobody_listening_is_unknown_too() -> None:
    provider = YooKassa(SHOP, KEY, "http://127.0.0.1:9/v3")
    with pytest.raises(ProviderUnknown, match="network"):
        await provider.create(order(AMOUNT))
    await provider.close()


async def test_keys_are_not_carried_elsewhere(provider: YooKassa, outside: Outside) -> None:
    outside.fate = Reply(307, b"{}", location="/elsewhere")
    with pytest.raises(ProviderUnknown):
        await provider.create(order(AMOUNT))
    assert not any("elsewhere" in call.path for call in outside.calls)


async def test_a_passing_failure_is_tried_again(provider: YooKassa, outside: Outside) -> None:
    outside.fates = [Reply(500, b""), Reply(429, b"")]
    await provider.create(order(AMOUNT))
    assert len(outside.calls) == 3


async def test_a_cancelled_call_ends(provider: YooKassa, outside: Outside) -> None:
    outside.fate = "hang"
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await provider.create(order(AMOUNT))


@pytest.mark.parametrize(
    "oddity",
    [
        {"id": "../x"},
        {"id": None},
        {"confirmation": None},
        {"confirmation": {"confirmation_url": "http://example.com/pay"}},
        {"confirmation": {"confirmation_url": "https://"}},
        {"amount": {"value": "1500.01", "currency": "RUB"}},
        {"amount": {"value": "1500.00", "currency": "USD"}},
        {"amount": {"value": 1500, "currency": "RUB"}},
        {"status": "succeeded"},
        {"status": "whatever"},
    ],
)
async def test_a_payment_for_something_else_is_not_shown(provider: YooKassa, outside: Outside, oddity: Json) -> None:
    outside.make = lambda call: make_payment(call) | oddity
    with pytest.raises(ProviderUnknown, match="bad answer"):
        await provider.create(order(AMOUNT))


async def test_a_payment_cancelled_at_once_is_a_no(provider: YooKassa, outside: Outside) -> None:
    outside.make = lambda call: make_payment(call) | {"status": "canceled"}
    with pytest.raises(ProviderRejected):
        await provider.create(order(AMOUNT))


async def test_a_card_is_kept_only_when_wished(provider: YooKassa, outside: Outside) -> None:
    await provider.create(order(AMOUNT, keep_card=True))
    assert json.loads(outside.calls[0].body)["save_payment_method"] is True
    outside.made.clear()
    await provider.create(order(AMOUNT, customer_ref="cus_1"))
    assert "save_payment_method" not in json.loads(outside.calls[1].body)
    assert await provider.customer(42) is None
    await provider.forget(PAYMENT_ID)
    assert len(outside.calls) == 2


# Paying with a kept card


async def test_a_charge_is_asked_for_with_everything_that_ties_it_to_the_operation(
    provider: YooKassa, outside: Outside
) -> None:
    payment = await provider.charge(order(AMOUNT), PAYMENT_ID)
    assert payment is not None
    assert (payment.state, payment.amount, payment.order_id) == (PaymentState.SUCCEEDED, AMOUNT, ORDER_ID)
    assert payment.card == CARD
    (call,) = outside.calls
    assert (call.method, call.path) == ("POST", "/v3/payments")
    assert call.headers["idempotence-key"] == f"saved-{ORDER_ID}"
    assert json.loads(call.body) == {
        "amount": {"value": "1500.00", "currency": "RUB"},
        "capture": True,
        "payment_method_id": PAYMENT_ID,
        "description": "Пополнение №71",
        "metadata": {"operation_id": str(ORDER_ID), "player_id": "42", "kept_card": "yes"},
    }


async def test_a_charge_of_a_shop_under_54_fz_has_its_receipt(outside: Outside) -> None:
    provider = YooKassa(SHOP, KEY, outside.url, receipt=Receipt("shop@example.com", 1))
    await provider.charge(order(AMOUNT), PAYMENT_ID)
    await provider.refund(REFUND)
    await provider.close()
    for call, value in zip(outside.calls, ("1500.00", "500.00"), strict=True):
        receipt = json.loads(call.body)["receipt"]
        assert receipt["customer"] == {"email": "shop@example.com"}
        assert receipt["items"][0]["amount"] == {"value": value, "currency": "RUB"}


@pytest.mark.parametrize(
    ("name", "changes", "state", "reason"),
    [
        ("payment.succeeded", {}, PaymentState.SUCCEEDED, None),
        ("payment.succeeded", {"status": "pending"}, PaymentState.PENDING, None),
        ("payment.waiting_for_capture", {}, PaymentState.PENDING, None),
        ("payment.canceled", {}, PaymentState.CANCELLED, Reason.INSUFFICIENT_FUNDS),
        ("payment.canceled.permission_revoked", {}, PaymentState.CANCELLED, Reason.PERMISSION_REVOKED),
        (
            "payment.canceled",
            {"cancellation_details": {"reason": "card_expired"}},
            PaymentState.CANCELLED,
            Reason.CARD_EXPIRED,
        ),
    ],
)
async def test_an_answer_to_a_charge_is_said_in_our_words(
    provider: YooKassa, outside: Outside, name: str, changes: Json, state: PaymentState, reason: Reason | None
) -> None:
    outside.fate = Reply.json(200, answer(name, **changes))
    payment = await provider.charge(order(AMOUNT), PAYMENT_ID)
    assert payment is not None
    assert (payment.state, payment.reason) == (state, reason)
    assert payment.card == (CARD if state is PaymentState.SUCCEEDED else None)


async def test_a_bank_that_wants_the_player_ends_nothing(provider: YooKassa, outside: Outside) -> None:
    refused = answer("payment.canceled", cancellation_details={"reason": "3d_secure_failed"})
    outside.fate = Reply.json(200, refused)
    assert await provider.charge(order(AMOUNT), PAYMENT_ID) is None
    notification = encoded(payload("yookassa/payment.canceled.json"))
    outside.fate = Reply.json(200, refused | {"metadata": refused["metadata"] | {"kept_card": "yes"}})
    assert await provider.look(notification) == []
    outside.fate = Reply.json(200, refused)  # on a page it is the end
    assert len(await provider.look(notification)) == 1


async def test_a_card_yookassa_does_not_know_pays_no_more(provider: YooKassa, outside: Outside) -> None:
    outside.fate = Reply.json(400, error("invalid_request", parameter="payment_method_id"))
    payment = await provider.charge(order(AMOUNT), PAYMENT_ID)
    assert payment is not None
    assert (payment.state, payment.reason) == (PaymentState.CANCELLED, Reason.PERMISSION_REVOKED)
    for ref in ("", "../x", "x" * 65):
        with pytest.raises(ProviderRejected):
            await provider.charge(order(AMOUNT), ref)
    assert len(outside.calls) == 1


@pytest.mark.parametrize(
    "oddity",
    [
        {"amount": {"value": "1499.99", "currency": "RUB"}},
        {"amount": {"value": "1500.00", "currency": "USD"}},
        {"metadata": {}},
        {"metadata": {"operation_id": "71"}},
        {"id": "../x"},
        {"status": None},
        {"recipient": None},
        {"test": "no"},
    ],
)
async def test_a_charge_for_something_else_is_not_believed(provider: YooKassa, outside: Outside, oddity: Json) -> None:
    outside.fate = Reply.json(200, answer("payment.succeeded", **oddity))
    with pytest.raises(ProviderUnknown, match="bad answer"):
        await provider.charge(order(AMOUNT), PAYMENT_ID)


@pytest.mark.parametrize(
    ("method", "card"),
    [
        (
            {"type": "yoo_money", "id": "1", "saved": True, "account_number": "410011758831136"},
            Card("1", "wallet", "yoo_money", "1136", None, None),
        ),
        ({"type": "sbp", "id": "1", "saved": True}, Card("1", "bank_account", "sbp", None, None, None)),
        ({"type": "bank_card", "id": "1", "saved": "yes"}, None),
        ({"type": "bank_card", "id": "1", "saved": False}, None),
        ({"type": "bank_card", "id": "../x", "saved": True}, None),
        ({"type": None, "id": "1", "saved": True}, None),
        (
            {
                "type": "bank_card",
                "id": "1",
                "saved": True,
                "card": {"card_type": "b" * 31, "last4": "٤٤٧٧", "expiry_month": "13", "expiry_year": "٢"},
            },
            Card("1", "card", None, None, None, None),
        ),
        (None, None),
    ],
)
async def test_a_kept_card_has_only_what_makes_sense(
    provider: YooKassa, outside: Outside, method: object, card: Card | None
) -> None:
    outside.fate = Reply.json(200, answer("payment.succeeded", payment_method=method))
    payment = await provider.fetch(PAYMENT_ID)
    assert payment is not None
    assert payment.card == card


# Giving money back


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("succeeded", RefundState.SUCCEEDED),
        ("pending", RefundState.PENDING),
        ("canceled", RefundState.FAILED),
        ("a_new_one", RefundState.PENDING),
    ],
)
async def test_a_refund_is_asked_for_by_payment_and_our_id(
    provider: YooKassa, outside: Outside, status: str, state: RefundState
) -> None:
    outside.fate = Reply.json(200, given(status=status))
    expected = Refund(
        provider=provider.name,
        ref=REFUND_ID,
        payment_ref=PAYMENT_ID,
        request_id=ORDER_ID,
        state=state,
        amount=Money(50_000, "RUB"),
        occurred_at=datetime(2026, 10, 2, 9, 0, 0, 512_000, UTC),
        ours=True,
    )
    assert await provider.refund(REFUND) == expected
    (call,) = outside.calls
    assert (call.method, call.path) == ("POST", "/v3/refunds")
    assert call.headers["idempotence-key"] == str(ORDER_ID)
    assert json.loads(call.body) == {
        "payment_id": PAYMENT_ID,
        "amount": {"value": "500.00", "currency": "RUB"},
        "description": "Возврат №9",
        "metadata": {"refund_id": str(ORDER_ID)},
    }
    assert await provider.fetch_refund(REFUND_ID) == expected


async def test_no_odd_field_of_a_refund_or_a_charge_gets_through(provider: YooKassa, outside: Outside) -> None:
    for odd in bent(given()):
        outside.fate = Reply.json(200, odd)
        for call in (provider.refund(REFUND), provider.fetch_refund(REFUND_ID)):
            with suppress(ProviderUnknown):
                refund = await call
                assert refund is not None
                assert refund.amount is None or refund.amount.minor > 0
                assert refund.payment_ref is not None
    for odd in bent(answer("payment.succeeded")):
        outside.fate = Reply.json(200, odd)
        with suppress(ProviderUnknown):
            payment = await provider.charge(order(AMOUNT), PAYMENT_ID)
            assert payment is not None
            assert (payment.amount, payment.order_id) == (AMOUNT, ORDER_ID)


async def test_a_wrong_refund_is_not_asked_for(provider: YooKassa, outside: Outside) -> None:
    for wrong in (
        RefundOrder(ORDER_ID, "../x", AMOUNT, ""),
        RefundOrder(ORDER_ID, PAYMENT_ID, Money(0, "RUB"), ""),
    ):
        with pytest.raises(ProviderRejected):
            await provider.refund(wrong)
    for ref in ("", "../x"):
        assert await provider.fetch_refund(ref) is None
    assert outside.calls == []


@pytest.mark.parametrize(
    "page",
    [
        {},
        {"items": None},
        {"items": {}},
        {"items": [5]},
        {"items": [{}]},
        {"items": [], "next_cursor": 5},
        {"items": [], "next_cursor": ""},
        {"items": [], "next_cursor": "x"},  # the same page for ever
    ],
)
async def test_a_list_that_makes_no_sense_is_unknown(provider: YooKassa, outside: Outside, page: Json) -> None:
    outside.fate = Reply.json(200, page)
    with pytest.raises(ProviderUnknown, match="bad answer"):
        await listed(provider)
    assert len(outside.calls) <= 2


async def test_neither_keys_nor_bodies_get_into_errors_or_logs(
    provider: YooKassa, outside: Outside, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    private = f"PRIVATE {KEY}"
    for status in (200, 400, 401, 403, 404, 429, 500):
        outside.fate = Reply.json(status, error(private, description=private, parameter=private, id=private))
        with pytest.raises(ProviderError) as failure:
            await provider.create(order(AMOUNT))
        told = "".join(traceback.format_exception(failure.value))
        assert "PRIVATE" not in told
        assert KEY not in told
    logged = "\n".join(f"{record.getMessage()} {record.__dict__}" for record in caplog.records)
    assert "PRIVATE" not in logged
    assert KEY not in logged


# Asking what became of it


async def fetched(provider: YooKassa, outside: Outside, value: Json) -> Payment:
    outside.fate = Reply.json(200, value)
    payment = await provider.fetch(PAYMENT_ID)
    assert payment is not None
    return payment


async def test_a_paid_payment_is_told_with_its_amount_time_and_method(provider: YooKassa, outside: Outside) -> None:
    assert await fetched(provider, outside, answer("payment.succeeded")) == Payment(
        provider=provider.name,
        order_id=ORDER_ID,
        session_ref=None,
        payment_ref=PAYMENT_ID,
        state=PaymentState.SUCCEEDED,
        amount=AMOUNT,
        reason=None,
        occurred_at=datetime(2026, 10, 1, 10, 1, 5, 117_000, UTC),
        ours=True,
        method="Bank card *4477",
        card=CARD,
    )
    assert (outside.calls[0].method, outside.calls[0].path) == ("GET", f"/v3/payments/{PAYMENT_ID}")
    assert "idempotence-key" not in outside.calls[0].headers


@pytest.mark.parametrize(
    ("name", "state", "reason"),
    [
        ("payment.succeeded.sbp", PaymentState.SUCCEEDED, None),
        ("payment.succeeded.yoo_money", PaymentState.SUCCEEDED, None),
        ("payment.waiting_for_capture", PaymentState.PENDING, None),
        ("payment.canceled", PaymentState.CANCELLED, Reason.INSUFFICIENT_FUNDS),
        ("payment.canceled.permission_revoked", PaymentState.CANCELLED, Reason.PERMISSION_REVOKED),
        ("payment.canceled.expired_on_confirmation", PaymentState.EXPIRED, Reason.NOT_PAID_IN_TIME),
    ],
)
async def test_a_fetched_payment_is_said_in_our_words(
    provider: YooKassa, outside: Outside, name: str, state: PaymentState, reason: Reason | None
) -> None:
    payment = await fetched(provider, outside, answer(name))
    assert (payment.state, payment.reason, payment.amount) == (state, reason, AMOUNT)


async def test_a_status_we_do_not_know_is_pending(provider: YooKassa, outside: Outside) -> None:
    assert (await fetched(provider, outside, answer("payment.succeeded", status="new"))).state is PaymentState.PENDING


async def test_every_reason_the_sdk_knows_has_a_word_of_ours(provider: YooKassa, outside: Outside) -> None:
    causes = {value for name, value in vars(CancellationDetailsReasonCode).items() if name.isupper()}
    for cause in causes | {"brand_new", "", "x" * 1000}:
        details = {"party": "yoo_money", "reason": cause}
        payment = await fetched(provider, outside, answer("payment.canceled", cancellation_details=details))
        assert payment.reason is not None
        assert payment.state is (PaymentState.EXPIRED if cause == "expired_on_confirmation" else PaymentState.CANCELLED)
    odd: tuple[object, ...] = (None, [], {}, {"reason": None}, {"reason": ["list"]})
    for something in odd:
        payment = await fetched(provider, outside, answer("payment.canceled", cancellation_details=something))
        assert payment.reason is Reason.OTHER


@pytest.mark.parametrize(
    ("key", "shop", "test", "ours"),
    [
        ("test_k", SHOP, True, True),
        ("live_k", SHOP, False, True),
        ("live_k", SHOP, True, False),
        ("live_k", "100501", False, False),
        ("test_k", "100501", True, False),
        ("old key", SHOP, True, True),
    ],
)
async def test_money_of_another_shop_or_of_the_test_shop_is_not_ours(
    outside: Outside, key: str, shop: str, test: bool, ours: bool
) -> None:
    provider = YooKassa(SHOP, key, outside.url)
    value = answer("payment.succeeded", test=test, recipient={"account_id": shop, "gateway_id": "1"})
    assert (await fetched(provider, outside, value)).ours is ours
    await provider.close()


async def test_what_yookassa_does_not_know_is_none(provider: YooKassa, outside: Outside) -> None:
    outside.fate = Reply.json(404, error("not_found"))
    assert await provider.fetch(PAYMENT_ID) is None
    for ref in ("", "../webhooks", "a/b", "x?y", "x" * 65, "x\n", "."):
        assert await provider.fetch(ref) is None
    assert len(outside.calls) == 1


@pytest.mark.parametrize(
    "amount",
    [
        {"value": "NaN", "currency": "RUB"},
        {"value": "Infinity", "currency": "RUB"},
        {"value": "-1500.00", "currency": "RUB"},
        {"value": "+1500.00", "currency": "RUB"},
        {"value": "15e2", "currency": "RUB"},
        {"value": "1500.001", "currency": "RUB"},
        {"value": "1500.000", "currency": "RUB"},
        {"value": "1_500", "currency": "RUB"},
        {"value": " 1500", "currency": "RUB"},
        {"value": "1500\n", "currency": "RUB"},
        {"value": "١٥٠٠", "currency": "RUB"},
        {"value": "1" * 30, "currency": "RUB"},
        {"value": 1500.0, "currency": "RUB"},
        {"value": None, "currency": "RUB"},
        {"value": "1500.00"},
        "1500.00 RUB",
        None,
    ],
)
async def test_an_odd_amount_never_becomes_money(provider: YooKassa, outside: Outside, amount: object) -> None:
    outside.fate = Reply.json(200, answer("payment.succeeded", amount=amount))
    with pytest.raises(ProviderUnknown, match="bad answer"):
        await provider.fetch(PAYMENT_ID)


async def test_an_unknown_currency_is_no_amount(provider: YooKassa, outside: Outside) -> None:
    value = answer("payment.succeeded", amount={"value": "1500.00", "currency": "KZT"})
    assert (await fetched(provider, outside, value)).amount is None


async def test_no_odd_field_of_an_answer_gets_through(provider: YooKassa, outside: Outside) -> None:
    for odd in bent(answer("payment.succeeded")):
        outside.fate = Reply.json(200, odd)
        try:
            payment = await provider.fetch(PAYMENT_ID)
        except ProviderUnknown:
            continue
        assert payment is not None
        assert payment.payment_ref == PAYMENT_ID
        assert payment.method is None or payment.method.isprintable()


# What YooKassa sends


@pytest.mark.parametrize("name", NOTIFICATIONS)
def test_every_notification_is_let_in_and_money_is_followed(name: str) -> None:
    notification, provider = payload(name), receiver()
    verified = provider.verify(delivery(encoded(notification)))
    event, subject = notification["event"], notification["object"]
    assert verified.event_id == f"{event}:{subject['id']}:{subject['status']}"
    assert (verified.event_type, verified.verified_by) == (event, "address")
    follows = event.startswith(("payment.", "refund."))
    assert verified.concern is (Concern.ASK if follows else Concern.NONE)
    assert verified.payment_ref == (PAYMENT_ID if follows else None)
    assert provider.read(encoded(notification)) is None  # anybody there could have written it


async def test_a_notification_says_what_to_ask_for_and_nothing_to_believe(provider: YooKassa, outside: Outside) -> None:
    boast = payload("yookassa/payment.succeeded.json")
    boast["object"] |= {"amount": {"value": "9999999.00", "currency": "RUB"}, "metadata": {}, "status": "canceled"}
    outside.fate = Reply.json(200, answer("payment.succeeded"))
    (payment,) = await provider.look(encoded(boast))
    assert isinstance(payment, Payment)
    assert (payment.state, payment.amount, payment.order_id) == (PaymentState.SUCCEEDED, AMOUNT, ORDER_ID)
    outside.fate = Reply.json(200, given(status="canceled"))
    (refund,) = await provider.look(encoded(payload("yookassa/refund.succeeded.json")))
    assert isinstance(refund, Refund)
    assert (refund.state, refund.amount) == (RefundState.FAILED, Money(50_000, "RUB"))
    assert [call.path for call in outside.calls] == [f"/v3/payments/{PAYMENT_ID}", f"/v3/refunds/{REFUND_ID}"]


async def test_an_answer_behind_its_news_is_asked_for_again(provider: YooKassa, outside: Outside) -> None:
    for name, behind in (
        ("payment.succeeded", answer("payment.succeeded", status="pending")),
        ("payment.canceled", answer("payment.succeeded", status="waiting_for_capture")),
        ("refund.succeeded", given(status="pending")),
    ):
        outside.fate = Reply.json(200, behind)
        with pytest.raises(ProviderUnknown, match="behind"):
            await provider.look(encoded(payload(f"yookassa/{name}.json")))
    outside.fate = Reply.json(200, answer("payment.succeeded", status="pending"))
    (payment,) = await provider.look(encoded(payload("yookassa/payment.waiting_for_capture.json")))
    assert isinstance(payment, Payment)
    assert payment.state is PaymentState.PENDING


async def test_what_yookassa_never_heard_of_is_nothing_of_ours(provider: YooKassa, outside: Outside) -> None:
    outside.fate = Reply.json(404, error("not_found"))
    for name in ("payment.succeeded", "refund.succeeded"):
        assert await provider.look(encoded(payload(f"yookassa/{name}.json"))) == []
    assert len(outside.calls) == 2
    for body in (
        b"",
        b"[]",
        b"\xff",
        encoded(payload("yookassa/payout.succeeded.json")),
        encoded(payload("yookassa/payment_method.active.json")),
        encoded({"event": "payment.succeeded", "object": {"id": "../me", "status": "succeeded"}}),
    ):
        assert await provider.look(body) == []
    assert len(outside.calls) == 2


@pytest.mark.parametrize(
    ("remote", "known"),
    [
        ("185.71.76.0", True),
        ("185.71.76.31", True),
        ("185.71.76.32", False),
        ("185.71.77.5", True),
        ("77.75.153.127", True),
        ("77.75.153.128", False),
        ("77.75.154.128", True),
        ("77.75.154.127", False),
        ("77.75.156.11", True),
        ("77.75.156.35", True),
        ("77.75.156.12", False),
        ("2a02:5180::1", True),
        ("2a02:5180:0:2669::7", True),
        ("2a02:5181::1", False),
        ("::ffff:185.71.76.1", True),
        ("::ffff:203.0.113.7", False),
        ("::185.71.76.1", False),
        ("127.0.0.1", False),
        ("::1", False),
    ],
)
def test_only_yookassas_own_addresses_get_in(remote: str, known: bool) -> None:
    sent = delivery(encoded(payload("yookassa/payment.succeeded.json")), remote)
    if known:
        assert receiver().verify(sent).payment_ref == PAYMENT_ID
    else:
        with pytest.raises(DeliveryForbidden):
            receiver().verify(sent)


def test_the_networks_can_be_set() -> None:
    provider = YooKassa(SHOP, KEY, networks=[ip_network("127.0.0.0/8")])
    body = encoded(payload("yookassa/payment.succeeded.json"))
    assert provider.verify(delivery(body, "127.0.0.1")).payment_ref == PAYMENT_ID
    with pytest.raises(DeliveryForbidden):
        provider.verify(delivery(body))


def test_a_stranger_is_sent_away_before_the_body_is_looked_at() -> None:
    with pytest.raises(DeliveryForbidden):
        receiver().verify(delivery(b"[" * 100_000, "203.0.113.7"))


NOTIFICATION = {
    "type": "notification",
    "event": "payment.succeeded",
    "object": {"id": "1", "status": "succeeded"},
}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"payment.succeeded"',
        b"{}",
        b"{",
        b"\xff",
        "{}".encode("utf-16"),
        b'{"type": NaN}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"a": 1e99999999999999999999999}',
        encoded(NOTIFICATION | {"type": "error"}),
        encoded(NOTIFICATION | {"event": "payment"}),
        encoded(NOTIFICATION | {"event": None}),
        encoded(NOTIFICATION | {"event": "payment.succeeded\n"}),
        encoded(NOTIFICATION | {"object": []}),
        encoded(NOTIFICATION | {"object": {"id": "1"}}),
        encoded(NOTIFICATION | {"object": {"status": "succeeded"}}),
        encoded(NOTIFICATION | {"object": {"id": 1, "status": "succeeded"}}),
        encoded(NOTIFICATION | {"object": {"id": "", "status": "succeeded"}}),
        encoded(NOTIFICATION | {"object": {"id": "x" * 65, "status": "succeeded"}}),
        encoded(NOTIFICATION | {"object": {"id": "../me", "status": "succeeded"}}),
        encoded(NOTIFICATION | {"object": {"id": "a:b", "status": "succeeded"}}),
        encoded(NOTIFICATION | {"object": {"id": "a\x00", "status": "succeeded"}}),
        encoded(NOTIFICATION | {"object": {"id": "1", "status": "x" * 100}}),
    ],
    ids=lambda body: repr(body[:60]),
)
def test_a_body_that_is_no_notification_is_malformed(body: bytes) -> None:
    with pytest.raises(DeliveryMalformed):
        receiver().verify(delivery(body))
    assert receiver().read(body) is None


def test_a_cut_body_is_malformed() -> None:
    body = encoded(payload("yookassa/payment.succeeded.json"))
    for length in range(len(body)):
        with pytest.raises(DeliveryMalformed):
            receiver().verify(delivery(body[:length]))


@pytest.mark.parametrize("name", NOTIFICATIONS)
def test_no_odd_field_of_a_notification_gets_through(name: str) -> None:
    provider = receiver()
    for notification in bent(payload(name)):
        body = encoded(notification)
        assert provider.read(body) is None
        try:
            verified = provider.verify(delivery(body))
        except DeliveryRejected:
            continue
        for text in (verified.event_id, verified.payment_ref or ""):
            assert text.isascii()
            assert text.isprintable()
