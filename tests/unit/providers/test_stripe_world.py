"""Kept cards, refunds, disputes and histories at the Stripe in miniature, on good days and bad ones."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from uuid import UUID, uuid4

import pytest
import stripe

from db.money import Money
from sandbox import Fault, Sandbox
from sandbox.deliveries import Raw
from services.errors import ProviderRejected, ProviderUnknown
from services.providers import (
    Card,
    CardChange,
    Concern,
    Delivery,
    Dispute,
    DisputeState,
    News,
    Order,
    Payment,
    PaymentState,
    Reason,
    Refund,
    RefundOrder,
    RefundState,
)
from services.providers import stripe as stripe_module
from services.providers.stripe import Stripe
from tests.unit.providers.outside import order

FIFTY = Money(5000, "USD")
INTENTS = "POST /v1/payment_intents"


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stripe.HTTPClient, "INITIAL_DELAY", 0.01)


@pytest.fixture
async def world() -> AsyncIterator[Sandbox]:
    async with Sandbox() as world:
        yield world


@pytest.fixture
async def provider(world: Sandbox) -> AsyncIterator[Stripe]:
    provider = Stripe(world.stripe_key, [world.stripe_webhook_secret], world.stripe_url)
    yield provider
    await provider.close()


@pytest.fixture
async def customer(provider: Stripe) -> str:
    customer = await provider.customer(42)
    assert customer is not None
    return customer


def wish(customer: str | None = None, *, keep: bool = False, order_id: UUID | None = None) -> Order:
    expires_at = datetime.now(UTC) + timedelta(hours=1)
    return order(FIFTY, id=order_id or uuid4(), expires_at=expires_at, customer_ref=customer, keep_card=keep)


async def paid(world: Sandbox, provider: Stripe, wished: Order, card: str = "…4242") -> Payment:
    checkout = await provider.create(wished)
    await world.stripe.pay(checkout.ref, "never", card=card)
    payment = await provider.fetch(checkout.ref)
    assert payment is not None
    return payment


def delivery(raw: Raw) -> Delivery:
    headers = {name.lower(): value for name, value in raw.headers.items()}
    return Delivery(raw.body, headers, ip_address("203.0.113.7"), datetime.now(UTC))


def told(world: Sandbox, provider: Stripe, ref: str) -> list[tuple[str, News]]:
    """What the signed events about something say, those that are believed."""
    return [
        (raw.event, news)
        for raw in world.stripe.events(ref)
        if provider.verify(delivery(raw)).concern is Concern.BELIEVE and (news := provider.read(raw.body))
    ]


async def history(provider: Stripe) -> list[Payment | Refund | Dispute]:
    return [news async for news in provider.history(datetime.now(UTC) - timedelta(hours=1))]


# Keeping a card


async def test_a_player_is_one_customer_without_a_name(world: Sandbox, provider: Stripe, customer: str) -> None:
    assert await provider.customer(42) == customer
    assert await provider.customer(43) != customer
    known = world.stripe.customers[customer]
    assert (known["metadata"], known["name"], known["email"]) == ({"player_id": "42"}, None, None)


async def test_a_card_is_kept_when_wished_and_told_twice(world: Sandbox, provider: Stripe, customer: str) -> None:
    payment = await paid(world, provider, wish(customer, keep=True), "…3184")
    (kept,) = world.stripe.cards(customer)
    card = Card(kept["id"], "card", "visa", "3184", 12, 2034)
    assert (payment.state, payment.card, payment.method) == (PaymentState.SUCCEEDED, card, "Visa *3184")
    assert payment.payment_ref is not None
    changes = [news for _, news in told(world, provider, payment.payment_ref) if isinstance(news, CardChange)]
    assert changes == [CardChange(provider.name, customer, card, kept=True, ours=True)]


async def test_a_card_is_not_kept_unasked(world: Sandbox, provider: Stripe, customer: str) -> None:
    for wished in (wish(customer), wish(None, keep=True), wish()):
        assert (await paid(world, provider, wished)).card is None
    assert world.stripe.cards(customer) == []


async def test_a_customer_deleted_in_the_cabinet_pays_all_the_same(
    world: Sandbox, provider: Stripe, customer: str
) -> None:
    card, wished = await world.stripe.keep(customer, "never"), wish(customer, keep=True)
    await world.stripe.delete_customer(customer, "never")
    gone = await provider.charge(wished, card)
    assert gone is not None
    assert (gone.state, gone.reason) == (PaymentState.CANCELLED, Reason.PERMISSION_REVOKED)
    payment = await paid(world, provider, wished)
    assert (payment.state, payment.card) == (PaymentState.SUCCEEDED, None)
    await provider.create(wished)
    assert len(world.stripe.sessions) == 1


async def test_a_declined_card_leaves_the_page_open_for_another(
    world: Sandbox, provider: Stripe, customer: str
) -> None:
    checkout = await provider.create(wish(customer, keep=True))
    await world.stripe.pay(checkout.ref, "never", card="…9995")
    refused = await provider.fetch(checkout.ref)
    assert refused is not None
    assert (refused.state, refused.reason) == (PaymentState.FAILED, Reason.INSUFFICIENT_FUNDS)
    await world.stripe.pay(checkout.ref, "never", card="…5555 5555 5555 4444")
    payment = await provider.fetch(checkout.ref)
    assert payment is not None
    assert payment.card is not None
    assert (payment.state, payment.card.brand) == (PaymentState.SUCCEEDED, "mastercard")


# Paying with it


async def test_a_kept_card_pays_once_for_an_order(world: Sandbox, provider: Stripe, customer: str) -> None:
    card, wished = await world.stripe.keep(customer, "never"), wish(customer)
    payment = await provider.charge(wished, card)
    assert payment is not None
    assert (payment.state, payment.amount, payment.order_id) == (PaymentState.SUCCEEDED, FIFTY, wished.id)
    assert (payment.card and payment.card.ref, payment.method, payment.ours) == (card, "Visa *4242", True)
    assert await provider.charge(wished, card) == payment
    assert world.stripe.taken() == {"USD": 5000}
    assert payment.payment_ref is not None
    assert await provider.fetch(payment.payment_ref) == payment
    events = dict(told(world, provider, payment.payment_ref))
    success = events["payment_intent.succeeded"]
    assert isinstance(success, Payment)
    assert (success.state, success.order_id) == (PaymentState.SUCCEEDED, wished.id)


@pytest.mark.parametrize(
    ("last4", "reason"),
    [
        ("0002", Reason.CARD_DECLINED),
        ("0341", Reason.CARD_DECLINED),
        ("9995", Reason.INSUFFICIENT_FUNDS),
        ("0069", Reason.CARD_EXPIRED),
        ("0127", Reason.WRONG_CARD_DATA),
        ("0119", Reason.BANK_UNAVAILABLE),
    ],
)
async def test_a_refusal_ends_the_order_and_says_why(
    world: Sandbox, provider: Stripe, customer: str, last4: str, reason: Reason
) -> None:
    card, wished = await world.stripe.keep(customer, "never", card=last4), wish(customer)
    payment = await provider.charge(wished, card)
    assert payment is not None
    assert (payment.state, payment.reason, payment.card) == (PaymentState.CANCELLED, reason, None)
    # Asked again, by its reference and by the event: the same, as no page stands behind it.
    assert await provider.charge(wished, card) == payment
    assert payment.payment_ref is not None
    again = await provider.fetch(payment.payment_ref)
    (event,) = (news for kind, news in told(world, provider, payment.payment_ref) if kind.startswith("payment_intent"))
    for news in (again, event):
        assert isinstance(news, Payment)
        assert (news.state, news.reason) == (PaymentState.CANCELLED, reason)
    assert world.stripe.taken() == {}


async def test_a_bank_that_wants_the_player_gets_a_page_instead(
    world: Sandbox, provider: Stripe, customer: str
) -> None:
    card, wished = await world.stripe.keep(customer, "never", card="…3184"), wish(customer)
    assert await provider.charge(wished, card) is None
    assert await provider.charge(wished, card) is None
    (intent,) = world.stripe.intents.values()
    assert intent["status"] == "canceled"
    # Nothing of that ends the order, whose page is open now.
    for _, news in told(world, provider, intent["id"]):
        assert isinstance(news, Payment)
        assert news.state in (PaymentState.FAILED, PaymentState.PENDING)
    payment = await paid(world, provider, wished, "…3184")
    assert (payment.state, payment.order_id) == (PaymentState.SUCCEEDED, wished.id)
    assert world.stripe.taken() == {"USD": 5000}


async def test_a_slow_payment_is_waited_for(world: Sandbox, provider: Stripe, customer: str) -> None:
    card = await world.stripe.keep(customer, "never")
    world.stripe.slow_charges = True
    for done, state in ((True, PaymentState.SUCCEEDED), (False, PaymentState.CANCELLED)):
        payment = await provider.charge(wish(customer), card)
        assert payment is not None
        assert (payment.state, payment.payment_ref is None) == (PaymentState.PENDING, False)
        assert payment.payment_ref is not None
        await world.stripe.settle(payment.payment_ref, "never", paid=done)
        ended = await provider.fetch(payment.payment_ref)
        assert ended is not None
        assert ended.state is state


async def test_a_card_that_is_gone_pays_no_more(world: Sandbox, provider: Stripe, customer: str) -> None:
    gone = await world.stripe.keep(customer, "never")
    await world.stripe.unkeep(gone, "never")
    other = await provider.customer(43)
    assert other is not None
    strangers = await world.stripe.keep(other, "never")
    for card in (gone, strangers, "pm_never"):
        payment = await provider.charge(wish(customer), card)
        assert payment is not None
        assert (payment.state, payment.reason) == (PaymentState.CANCELLED, Reason.PERMISSION_REVOKED)
        assert payment.payment_ref is None
    assert world.stripe.intents == {}


async def test_a_no_that_is_not_about_the_card_is_no_payment(world: Sandbox, provider: Stripe, customer: str) -> None:
    card = await world.stripe.keep(customer, "never")
    cent = order(Money(1, "USD"), customer_ref=customer)
    for wished, ref in ((cent, card), (wish(None), card), (wish(customer), "../x")):
        with pytest.raises(ProviderRejected):
            await provider.charge(wished, ref)


@pytest.mark.parametrize(
    "fault", [Fault.ERROR, Fault.GARBAGE, Fault.RESET, Fault.LOST, Fault.LOST_500, Fault.TRUNCATED]
)
@pytest.mark.parametrize("card", ["4242", "9995"])
async def test_a_charge_whose_answer_is_lost_is_found_again(
    world: Sandbox, provider: Stripe, customer: str, fault: Fault, card: str
) -> None:
    kept = await world.stripe.keep(customer, "never", card=card)
    world.faults.add("stripe", INTENTS, fault, times=2)
    payment = await provider.charge(wish(customer), kept)
    assert payment is not None
    assert payment.state is (PaymentState.SUCCEEDED if card == "4242" else PaymentState.CANCELLED)
    assert len(world.stripe.intents) == 1
    assert world.calls["stripe", INTENTS] == 3


async def charge(provider: Stripe, customer: str, card: str) -> object:
    return await provider.charge(wish(customer, order_id=UUID(int=1)), card)


async def refund(provider: Stripe, customer: str, card: str) -> object:
    payment = await provider.charge(wish(customer, order_id=UUID(int=2)), card)
    assert payment is not None
    assert payment.payment_ref is not None
    return await provider.refund(RefundOrder(UUID(int=3), payment.payment_ref, Money(100, "USD"), ""))


async def forget(provider: Stripe, customer: str, card: str) -> object:
    await provider.forget(card)
    return None


async def new_customer(provider: Stripe, customer: str, card: str) -> object:
    return await provider.customer(44)


async def all_history(provider: Stripe, customer: str, card: str) -> object:
    return await history(provider)


ASKED: list[tuple[str, Callable[[Stripe, str, str], Awaitable[object]]]] = [
    (INTENTS, charge),
    ("POST /v1/refunds", refund),
    ("POST /v1/payment_methods/*", forget),
    ("POST /v1/customers", new_customer),
    ("GET /v1/payment_intents", all_history),
    ("GET /v1/refunds", all_history),
    ("GET /v1/disputes", all_history),
]


@pytest.mark.parametrize(("where", "ask"), ASKED, ids=[f"{where}:{ask.__name__}" for where, ask in ASKED])
async def test_on_a_bad_day_nothing_is_known_and_the_next_day_nothing_is_doubled(
    world: Sandbox, customer: str, where: str, ask: Callable[[Stripe, str, str], Awaitable[object]]
) -> None:
    card = await world.stripe.keep(customer, "never")
    provider = Stripe(world.stripe_key, [], world.stripe_url, timeout=0.4)
    for fault in (Fault.HANG, Fault.RESET, Fault.ERROR, Fault.TOO_MANY, Fault.GARBAGE, Fault.LOST, Fault.LOST_500):
        world.faults.add("stripe", where, fault)
        began = time.monotonic()
        with pytest.raises(ProviderUnknown):
            await ask(provider, customer, card)
        assert time.monotonic() - began < 1.5
        world.faults.clear()
    await ask(provider, customer, card)
    assert len(world.stripe.intents) == len(world.stripe.taken()) <= 1
    assert len(world.stripe.refunds) == (ask is refund)
    assert len(world.stripe.customers) == 1 + (ask is new_customer)
    await provider.close()


async def test_giving_an_intent_up_is_not_waited_for(world: Sandbox, customer: str) -> None:
    card = await world.stripe.keep(customer, "never", card="…3184")
    provider = Stripe(world.stripe_key, [], world.stripe_url, timeout=0.5)
    for fault in (Fault.HANG, Fault.ERROR, Fault.RESET):
        world.faults.add("stripe", "POST /v1/payment_intents/*/cancel", fault)
        began = time.monotonic()
        assert await provider.charge(wish(customer), card) is None
        assert time.monotonic() - began < 1.2
        world.faults.clear()
    await provider.close()


async def test_the_same_charge_at_the_same_time_is_one(world: Sandbox, provider: Stripe, customer: str) -> None:
    card, wished = await world.stripe.keep(customer, "never"), wish(customer)
    first, *others = await asyncio.gather(*(provider.charge(wished, card) for _ in range(5)))
    assert all(other == first for other in others)
    assert world.stripe.taken() == {"USD": 5000}


# Giving it up


async def test_a_card_is_forgotten_once_and_for_good(world: Sandbox, provider: Stripe, customer: str) -> None:
    card = await world.stripe.keep(customer, "never")
    for ref in (card, card, "pm_never", "../x", ""):
        await provider.forget(ref)
    assert world.stripe.cards(customer) == []
    (_, added), (kind, gone) = told(world, provider, card)
    assert isinstance(added, CardChange)
    assert isinstance(gone, CardChange)
    assert (kind, gone.customer_ref, gone.kept, gone.card) == ("payment_method.detached", customer, False, added.card)


async def test_a_card_that_will_not_go_is_a_no(world: Sandbox, provider: Stripe, customer: str) -> None:
    card = await world.stripe.keep(customer, "never")
    world.faults.add("stripe", "POST /v1/payment_methods/*", Fault.FORBIDDEN)
    with pytest.raises(ProviderRejected, match="not permitted"):
        await provider.forget(card)


async def test_a_new_card_from_the_bank_is_heard_of(world: Sandbox, provider: Stripe, customer: str) -> None:
    card = await world.stripe.keep(customer, "never")
    await world.stripe.renew(card, "never", last4="7777", exp_year=2041)
    kind, change = told(world, provider, card)[-1]
    assert isinstance(change, CardChange)
    assert (kind, change.kept) == ("payment_method.automatically_updated", True)
    assert (change.card.last4, change.card.exp_year) == ("7777", 2041)


# Refunds


async def test_money_is_given_back_once_for_a_request(world: Sandbox, provider: Stripe) -> None:
    payment = await paid(world, provider, wish())
    assert payment.payment_ref is not None
    request = RefundOrder(uuid4(), payment.payment_ref, Money(2000, "USD"), "Возврат")
    given = await provider.refund(request)
    assert (given.state, given.amount, given.request_id) == (RefundState.SUCCEEDED, Money(2000, "USD"), request.id)
    assert (given.payment_ref, given.ours) == (payment.payment_ref, True)
    assert await provider.refund(request) == given
    assert await provider.fetch_refund(given.ref) == given
    assert world.stripe.taken() == {"USD": 3000}
    with pytest.raises(ProviderRejected):
        await provider.refund(RefundOrder(uuid4(), payment.payment_ref, Money(3001, "USD"), ""))
    for ref in ("pi_never", "cs_x", ""):
        with pytest.raises(ProviderRejected):
            await provider.refund(RefundOrder(uuid4(), ref, Money(1, "USD"), ""))
    for ref in ("re_never", "../x", ""):
        assert await provider.fetch_refund(ref) is None


async def test_refunds_of_the_cabinet_are_told_and_listed(world: Sandbox, provider: Stripe) -> None:
    payment = await paid(world, provider, wish())
    assert payment.payment_ref is not None
    ref = payment.payment_ref
    first = await world.stripe.refund(ref, 1000, "never", state="pending")
    await world.stripe.finish_refund(first, "never")
    second = await world.stripe.refund(ref, 500, "never", state="failed")
    whole = await world.stripe.refund(ref, webhook="never")
    news = [(kind, said) for kind, said in told(world, provider, ref) if isinstance(said, Refund)]
    assert [(kind, said.ref, said.state) for kind, said in news] == [
        ("refund.created", first, RefundState.PENDING),
        ("refund.updated", first, RefundState.SUCCEEDED),
        ("refund.created", second, RefundState.PENDING),
        ("refund.updated", second, RefundState.FAILED),
        ("refund.failed", second, RefundState.FAILED),
        ("refund.created", whole, RefundState.SUCCEEDED),
    ]
    assert {(said.payment_ref, said.request_id, said.ours) for _, said in news} == {(ref, None, True)}
    assert world.stripe.taken() == {"USD": 0}
    sums = [raw for raw in world.stripe.events(ref) if raw.event == "charge.refunded"]
    assert {provider.verify(delivery(raw)).concern for raw in sums} == {Concern.ASK}
    assert provider.read(sums[0].body) is None
    looked = await provider.look(sums[0].body)
    assert [(said.ref, said.state) for said in looked if isinstance(said, Refund)] == [
        (whole, RefundState.SUCCEEDED),
        (second, RefundState.FAILED),
        (first, RefundState.SUCCEEDED),
    ]
    assert all(await asyncio.gather(*(provider.fetch_refund(said) for said in (first, second, whole))))


async def test_a_refund_may_fail_after_it_had_succeeded(world: Sandbox, provider: Stripe) -> None:
    payment = await paid(world, provider, wish())
    assert payment.payment_ref is not None
    given = await provider.refund(RefundOrder(uuid4(), payment.payment_ref, FIFTY, ""))
    assert world.stripe.taken() == {"USD": 0}
    await world.stripe.finish_refund(given.ref, "never", done=False)
    failed = await provider.fetch_refund(given.ref)
    assert failed is not None
    assert failed.state is RefundState.FAILED
    assert world.stripe.taken() == {"USD": 5000}


# Disputes


@pytest.mark.parametrize("won", [True, False])
async def test_a_dispute_takes_the_money_until_it_is_won(world: Sandbox, provider: Stripe, won: bool) -> None:
    payment = await paid(world, provider, wish())
    assert payment.payment_ref is not None
    ref = await world.stripe.dispute(payment.payment_ref, webhook="never")
    assert world.stripe.taken() == {"USD": 0}
    await world.stripe.close_dispute(ref, "never", won=won)
    assert world.stripe.taken() == {"USD": 5000 if won else 0}
    news = [(kind, said) for kind, said in told(world, provider, payment.payment_ref) if isinstance(said, Dispute)]
    end = DisputeState.WON if won else DisputeState.LOST
    assert [(kind.removeprefix("charge.dispute."), said.state) for kind, said in news] == [
        ("created", DisputeState.OPEN),
        ("funds_withdrawn", DisputeState.OPEN),
        ("closed", end),
        *([("funds_reinstated", end)] if won else []),
    ]
    known = {(said.ref, said.payment_ref, said.amount, said.reason, said.ours) for _, said in news}
    assert known == {(ref, payment.payment_ref, FIFTY, "fraudulent", True)}


async def test_an_inquiry_takes_nothing_unless_it_becomes_a_dispute(world: Sandbox, provider: Stripe) -> None:
    states = []
    for won in (True, False):
        payment = await paid(world, provider, wish())
        assert payment.payment_ref is not None
        ref = await world.stripe.dispute(payment.payment_ref, webhook="never", inquiry=True)
        await world.stripe.close_dispute(ref, "never", won=won)
        news = [said for _, said in told(world, provider, payment.payment_ref) if isinstance(said, Dispute)]
        states.append([said.state for said in news])
    assert states == [
        [DisputeState.INQUIRY, DisputeState.WON],
        [DisputeState.INQUIRY, DisputeState.OPEN, DisputeState.OPEN, DisputeState.LOST],
    ]
    assert world.stripe.taken() == {"USD": 5000}


async def test_a_disputed_payment_is_not_given_back_too(world: Sandbox, provider: Stripe) -> None:
    payment = await paid(world, provider, wish())
    assert payment.payment_ref is not None
    await world.stripe.dispute(payment.payment_ref, webhook="never")
    with pytest.raises(ProviderRejected):
        await provider.refund(RefundOrder(uuid4(), payment.payment_ref, FIFTY, ""))


# Everything that happened


async def test_history_tells_all_money_that_moved_page_by_page(
    world: Sandbox, provider: Stripe, customer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stripe_module, "_PAGE", 2)
    strays = [await world.stripe.stray(100 + number, webhook="never") for number in range(5)]
    refunds = [await world.stripe.refund(ref, 50, "never") for ref in strays[:3]]
    disputes = [await world.stripe.dispute(ref, webhook="never") for ref in strays]
    card = await world.stripe.keep(customer, "never", card="…9995")
    await provider.charge(wish(customer), card)  # declined: no money
    await provider.create(wish())  # never paid
    found = await history(provider)
    assert [news.payment_ref for news in found if isinstance(news, Payment)] == strays[::-1]
    assert [news.ref for news in found if isinstance(news, Refund)] == refunds[::-1]
    assert [news.ref for news in found if isinstance(news, Dispute)] == disputes[::-1]
    assert all(news.ours for news in found)
    assert [news async for news in provider.history(datetime.now(UTC) + timedelta(minutes=1))] == []


async def test_history_flags_the_other_mode(world: Sandbox, provider: Stripe) -> None:
    checkout = await provider.create(wish())
    await world.stripe.pay(checkout.ref, "never", livemode=True)
    (payment,) = await history(provider)
    assert not payment.ours
