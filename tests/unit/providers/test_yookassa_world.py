"""Kept cards, refunds and histories at the YooKassa in miniature, on good days and bad ones."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from uuid import UUID, uuid4

import pytest

from db.money import Money
from sandbox import Fault, Sandbox
from sandbox.deliveries import Raw
from services.errors import ProviderRejected, ProviderUnknown
from services.providers import (
    Concern,
    Delivery,
    Dispute,
    News,
    Order,
    Payment,
    PaymentState,
    Reason,
    Refund,
    RefundOrder,
    RefundState,
    yookassa,
)
from services.providers.yookassa import YooKassa
from tests.unit.providers.outside import order

AMOUNT = Money(150_000, "RUB")
PAYMENTS = "POST /v3/payments"


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yookassa, "_PAUSES", (0.01, 0.01))


@pytest.fixture
async def world() -> AsyncIterator[Sandbox]:
    async with Sandbox() as world:
        yield world


def provider_of(world: Sandbox, timeout: float = 25) -> YooKassa:
    networks = [ip_network("127.0.0.0/8")]
    return YooKassa(world.yookassa_shop, world.yookassa_key, world.yookassa_url, networks, timeout=timeout)


@pytest.fixture
async def provider(world: Sandbox) -> AsyncIterator[YooKassa]:
    provider = provider_of(world)
    yield provider
    await provider.close()


def wish(*, keep: bool = False, order_id: UUID | None = None) -> Order:
    return order(AMOUNT, id=order_id or uuid4(), keep_card=keep)


async def paid(world: Sandbox, provider: YooKassa, wished: Order, card: str = "…4477") -> Payment:
    checkout = await provider.create(wished)
    await world.yookassa.pay(checkout.ref, "never", card=card)
    payment = await provider.fetch(checkout.ref)
    assert payment is not None
    return payment


async def kept(world: Sandbox, provider: YooKassa) -> str:
    payment = await paid(world, provider, wish(keep=True))
    assert payment.card is not None
    return payment.card.ref


async def told(world: Sandbox, provider: YooKassa, ref: str) -> list[News]:
    """What is true about the notifications of a payment and its refunds."""
    news: list[News] = []
    for raw in world.yookassa.events(ref):
        assert provider.verify(delivery(raw)).concern is Concern.ASK
        news += await provider.look(raw.body)
    return news


def delivery(raw: Raw) -> Delivery:
    return Delivery(raw.body, {}, ip_address("127.0.0.1"), datetime.now(UTC))


async def history(provider: YooKassa) -> list[Payment | Refund | Dispute]:
    return [news async for news in provider.history(datetime.now(UTC) - timedelta(hours=1))]


async def test_a_card_is_kept_when_wished_and_only_once_it_paid(world: Sandbox, provider: YooKassa) -> None:
    payment = await paid(world, provider, wish(keep=True))
    assert payment.card is not None
    assert (payment.card.brand, payment.card.last4, payment.card.exp_year) == ("MasterCard", "4477", 2034)
    assert (await paid(world, provider, wish())).card is None
    declined = await paid(world, provider, wish(keep=True), "…4600")
    assert (declined.state, declined.reason, declined.card) == (
        PaymentState.CANCELLED,
        Reason.INSUFFICIENT_FUNDS,
        None,
    )
    assert list(world.yookassa.methods) == [payment.card.ref]


async def test_a_shop_that_may_not_keep_cards_is_paid_all_the_same(world: Sandbox, provider: YooKassa) -> None:
    card = await kept(world, provider)
    world.yookassa.recurring = False
    wished = wish(keep=True)
    payment = await paid(world, provider, wished)
    assert (payment.state, payment.card) == (PaymentState.SUCCEEDED, None)
    assert len(world.yookassa.payments) == 2
    with pytest.raises(ProviderRejected, match="not permitted"):
        await provider.charge(wish(), card)


async def test_a_kept_card_pays_once_for_an_order(world: Sandbox, provider: YooKassa) -> None:
    card, wished = await kept(world, provider), wish()
    payment = await provider.charge(wished, card)
    assert payment is not None
    assert (payment.state, payment.amount, payment.order_id) == (PaymentState.SUCCEEDED, AMOUNT, wished.id)
    assert payment.payment_ref is not None
    assert await provider.charge(wished, card) == payment
    assert await told(world, provider, payment.payment_ref) == [payment]
    assert world.yookassa.taken() == {"RUB": 300_000}


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("permission_revoked", Reason.PERMISSION_REVOKED),
        ("insufficient_funds", Reason.INSUFFICIENT_FUNDS),
        ("card_expired", Reason.CARD_EXPIRED),
    ],
)
async def test_a_refusal_ends_the_order_and_says_why(
    world: Sandbox, provider: YooKassa, said: str, reason: Reason
) -> None:
    card, wished = await kept(world, provider), wish()
    world.yookassa.spoil(card, said)
    payment = await provider.charge(wished, card)
    assert payment is not None
    assert (payment.state, payment.reason, payment.card) == (PaymentState.CANCELLED, reason, None)
    assert payment.payment_ref is not None
    assert await told(world, provider, payment.payment_ref) == [payment]
    assert world.yookassa.taken() == {"RUB": 150_000}


async def test_a_revoked_permission_is_a_refusal(world: Sandbox, provider: YooKassa) -> None:
    card = await kept(world, provider)
    world.yookassa.revoke(card)
    payment = await provider.charge(wish(), card)
    assert payment is not None
    assert payment.reason is Reason.PERMISSION_REVOKED
    stranger = await provider.charge(wish(), "2f4c1b70-000f-5000-8000-1d2c3b4a5f60")
    assert stranger is not None
    assert (stranger.state, stranger.reason) == (PaymentState.CANCELLED, Reason.PERMISSION_REVOKED)


async def test_a_bank_that_wants_the_player_gets_a_page_instead(world: Sandbox, provider: YooKassa) -> None:
    card, wished = await kept(world, provider), wish()
    world.yookassa.spoil(card, "3d_secure_failed")
    assert await provider.charge(wished, card) is None
    assert await told(world, provider, world.yookassa.newest()) == []
    payment = await paid(world, provider, wished)
    assert (payment.state, payment.order_id) == (PaymentState.SUCCEEDED, wished.id)


async def charge(provider: YooKassa, card: str) -> object:
    return await provider.charge(wish(order_id=UUID(int=1)), card)


async def refund(provider: YooKassa, card: str) -> object:
    return await provider.refund(RefundOrder(UUID(int=2), card, Money(100, "RUB"), "Возврат"))


async def all_history(provider: YooKassa, card: str) -> object:
    return await history(provider)


@pytest.mark.parametrize(
    ("where", "ask"),
    [
        (PAYMENTS, charge),
        ("POST /v3/refunds", refund),
        ("GET /v3/payments", all_history),
        ("GET /v3/refunds", all_history),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
async def test_on_a_bad_day_nothing_is_known_and_the_next_day_nothing_is_doubled(
    world: Sandbox, provider: YooKassa, where: str, ask: Callable[[YooKassa, str], Awaitable[object]]
) -> None:
    card = await kept(world, provider)
    hasty = provider_of(world, timeout=0.4)
    for fault in (Fault.HANG, Fault.RESET, Fault.ERROR, Fault.TOO_MANY, Fault.GARBAGE, Fault.LOST, Fault.LOST_500):
        world.faults.add("yookassa", where, fault)
        began = time.monotonic()
        with pytest.raises(ProviderUnknown):
            await ask(hasty, card)
        assert time.monotonic() - began < 1.5
        world.faults.clear()
    await ask(hasty, card)
    assert len(world.yookassa.payments) == 1 + (ask is charge)
    assert len(world.yookassa.refunds) == (ask is refund)
    await hasty.close()


@pytest.mark.parametrize("fault", [Fault.ERROR, Fault.GARBAGE, Fault.RESET, Fault.LOST, Fault.TOO_MANY])
async def test_a_charge_whose_answer_is_lost_is_found_again(world: Sandbox, provider: YooKassa, fault: Fault) -> None:
    card = await kept(world, provider)
    world.faults.add("yookassa", PAYMENTS, fault, times=2)
    payment = await provider.charge(wish(), card)
    assert payment is not None
    assert payment.state is PaymentState.SUCCEEDED
    assert world.yookassa.taken() == {"RUB": 300_000}


async def test_the_same_charge_at_the_same_time_is_one(world: Sandbox, provider: YooKassa) -> None:
    card, wished = await kept(world, provider), wish()
    first, *others = await asyncio.gather(*(provider.charge(wished, card) for _ in range(5)))
    assert all(other == first for other in others)
    assert world.yookassa.taken() == {"RUB": 300_000}


async def test_money_is_given_back_once_for_a_request(world: Sandbox, provider: YooKassa) -> None:
    payment = await paid(world, provider, wish())
    assert payment.payment_ref is not None
    request = RefundOrder(uuid4(), payment.payment_ref, Money(50_000, "RUB"), "Возврат №9")
    given = await provider.refund(request)
    assert (given.state, given.amount, given.request_id) == (RefundState.SUCCEEDED, request.amount, request.id)
    assert await provider.refund(request) == given
    assert await provider.fetch_refund(given.ref) == given
    assert await told(world, provider, payment.payment_ref) == [payment, given]
    assert world.yookassa.taken() == {"RUB": 100_000}
    with pytest.raises(ProviderRejected):
        await provider.refund(RefundOrder(uuid4(), payment.payment_ref, Money(100_001, "RUB"), ""))
    with pytest.raises(ProviderRejected):
        await provider.refund(RefundOrder(uuid4(), "never", Money(1, "RUB"), ""))
    assert await provider.fetch_refund("never") is None


async def test_refunds_that_wait_or_fail_are_found_by_asking(world: Sandbox, provider: YooKassa) -> None:
    payment = await paid(world, provider, wish())
    assert payment.payment_ref is not None
    world.yookassa.refund_state = "pending"
    asked = await provider.refund(RefundOrder(uuid4(), payment.payment_ref, Money(50_000, "RUB"), ""))
    assert asked.state is RefundState.PENDING
    assert world.yookassa.taken() == {"RUB": 150_000}
    await world.yookassa.finish_refund(asked.ref, "never", done=False)
    cabinet = await world.yookassa.refund(payment.payment_ref, webhook="never", state="pending")
    await world.yookassa.finish_refund(cabinet, "never")
    states = [await provider.fetch_refund(ref) for ref in (asked.ref, cabinet)]
    assert [(said.state, said.request_id) for said in states if said] == [
        (RefundState.FAILED, asked.request_id),
        (RefundState.SUCCEEDED, None),
    ]
    assert world.yookassa.taken() == {"RUB": 0}


async def test_history_tells_all_money_that_moved_page_by_page(
    world: Sandbox, provider: YooKassa, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(yookassa, "_PAGE", 2)
    strays = [await world.yookassa.stray(10_000 + number, webhook="never") for number in range(5)]
    refunds = [await world.yookassa.refund(ref, 50, "never") for ref in strays]
    await paid(world, provider, wish(), "…4600")  # declined
    await provider.create(wish())  # never paid
    found = await history(provider)
    assert [news.payment_ref for news in found if isinstance(news, Payment)] == strays[::-1]
    assert [news.ref for news in found if isinstance(news, Refund)] == refunds[::-1]
    assert all(news.ours for news in found)
    assert [news async for news in provider.history(datetime.now(UTC) + timedelta(minutes=1))] == []


async def test_history_flags_money_of_another_shop(world: Sandbox, provider: YooKassa) -> None:
    checkout = await provider.create(wish())
    await world.yookassa.pay(checkout.ref, "never", account_id="100501")
    (payment,) = await history(provider)
    assert not payment.ours
