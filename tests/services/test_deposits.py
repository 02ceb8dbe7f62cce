"""What happens to a player's money between the wish and the balance."""

import asyncio
import random
from collections.abc import Sequence

import pytest

from db import operations
from db.database import Tx
from db.models import OperationStatus, Paid, ProviderName
from db.money import Money
from sandbox import Fault
from services import deposits
from services.errors import (
    AmountTooLarge,
    AmountTooPrecise,
    AmountTooSmall,
    DepositNotFound,
    NotAnAmount,
    ProviderRefused,
    ProviderUnavailable,
    RulesNotAccepted,
    TooManyOpenDeposits,
)
from services.inbox import Inbox
from tests.shop import ADMIN, AMOUNTS, Shop

BOTH = pytest.mark.parametrize("provider", list(ProviderName))
CREATE = {
    ProviderName.STRIPE: ("stripe", "POST /v1/checkout/sessions"),
    ProviderName.YOOKASSA: ("yookassa", "POST /v3/payments"),
}

# Each provider spells currencies in its own way.
SPELT = {ProviderName.STRIPE: "usd", ProviderName.YOOKASSA: "RUB"}
OTHER_CURRENCY = {ProviderName.STRIPE: "eur", ProviderName.YOOKASSA: "EUR"}


@BOTH
async def test_a_paid_deposit_is_credited_once_and_told(shop: Shop, provider: ProviderName) -> None:
    anna = await shop.player()
    operation = await shop.asks(anna, provider)
    assert operation.status is OperationStatus.PENDING
    assert operation.pay_url
    await shop.receives(provider, await shop.pays(operation))
    await shop.works(4)
    wallet = await shop.wallet(anna, operation.amount.currency)
    assert wallet.available == wallet.deposited == operation.amount
    assert await shop.told(anna.telegram_id) == ["deposit-credited"]
    paid = await shop.operation(operation.id)
    assert (paid.status, paid.received) == (OperationStatus.COMPLETED, operation.amount)


@BOTH
async def test_fifty_concurrent_copies_shuffled_with_their_siblings_credit_once_and_tell_once(
    shop: Shop, provider: ProviderName
) -> None:
    anna = await shop.player()
    operation = await shop.asks(anna, provider)
    events = await shop.pays(operation)
    copies = events * 50
    random.shuffle(copies)
    await asyncio.gather(shop.receives(provider, copies), *(shop.works(4) for _ in range(4)))
    await shop.works(4)
    assert (await shop.wallet(anna, operation.amount.currency)).available == operation.amount
    assert await shop.told(anna.telegram_id) == ["deposit-credited"]


@BOTH
async def test_webhook_poller_and_player_meet_at_one_credit(shop: Shop, provider: ProviderName) -> None:
    anna = await shop.player()
    operation = await shop.asks(anna, provider)
    await shop.receives(provider, await shop.pays(operation))
    await shop.due_now()
    await asyncio.gather(
        shop.works(4),
        shop.deposits.poll(provider),
        shop.deposits.check(anna, operation.id),
        shop.deposits.poll(provider),
    )
    assert (await shop.wallet(anna, operation.amount.currency)).available == operation.amount
    assert await shop.told(anna.telegram_id) == ["deposit-credited"]


@BOTH
async def test_a_payment_whose_webhook_never_came_is_found_by_the_poller(shop: Shop, provider: ProviderName) -> None:
    anna = await shop.player()
    operation = await shop.asks(anna, provider)
    await shop.pays(operation)
    await shop.due_now()
    await shop.deposits.poll(provider)
    assert (await shop.wallet(anna, operation.amount.currency)).available == operation.amount


@BOTH
async def test_check_payment_credits_at_once_and_shows_the_result(shop: Shop, provider: ProviderName) -> None:
    anna = await shop.player()
    operation = await shop.asks(anna, provider)
    assert (await shop.deposits.check(anna, operation.id)).status is OperationStatus.PENDING
    await shop.pays(operation)
    async with shop.database.connection() as tx:  # three seconds pass
        await tx.execute("UPDATE wallet_operations SET checked_at = checked_at - interval '3 s'")
    assert (await shop.deposits.check(anna, operation.id)).status is OperationStatus.COMPLETED


@BOTH
async def test_a_double_tap_makes_one_operation_and_one_payment(shop: Shop, provider: ProviderName) -> None:
    anna = await shop.player()
    first, second = await asyncio.gather(*(shop.asks(anna, provider, key="tap") for _ in range(2)))
    third = await shop.asks(anna, provider, key="tap")
    assert first.id == second.id == third.id
    assert first.pay_url == second.pay_url == third.pay_url


@BOTH
async def test_a_declined_payment_credits_nothing(shop: Shop, provider: ProviderName) -> None:
    anna = await shop.player()
    operation = await shop.asks(anna, provider)
    assert operation.provider_ref
    if provider is ProviderName.STRIPE:
        await shop.world.stripe.decline(operation.provider_ref, reason="insufficient_funds", webhook="never")
        events = shop.world.stripe.events(operation.provider_ref)
    else:
        await shop.world.yookassa.decline(operation.provider_ref, reason="insufficient_funds", webhook="never")
        events = shop.world.yookassa.events(operation.provider_ref)
    await shop.receives(provider, events)
    await shop.works()
    assert not (await shop.wallet(anna, operation.amount.currency)).available
    closed = await shop.operation(operation.id)
    assert closed.reason == "insufficient-funds"
    # Stripe's page stays open for another card; YooKassa's decline is the end.
    stripe = provider is ProviderName.STRIPE
    assert closed.status is (OperationStatus.PENDING if stripe else OperationStatus.FAILED)
    assert await shop.told(anna.telegram_id) == ([] if stripe else ["deposit-failed"])


async def test_a_card_that_is_declined_and_then_pays_is_credited(shop: Shop) -> None:
    anna = await shop.player()
    operation = await shop.asks(anna, ProviderName.STRIPE)
    assert operation.provider_ref
    await shop.world.stripe.decline(operation.provider_ref, reason="insufficient_funds", webhook="never")
    events = await shop.pays(operation)
    for event in reversed(events):  # success first, the decline last
        await shop.receives(ProviderName.STRIPE, [event])
        await shop.works()
    assert (await shop.wallet(anna, "USD")).available == operation.amount
    assert (await shop.operation(operation.id)).reason is None


@BOTH
async def test_an_expired_page_credits_nothing_and_a_payment_after_it_is_credited(
    shop: Shop, provider: ProviderName
) -> None:
    anna = await shop.player()
    operation = await shop.asks(anna, provider)
    assert operation.provider_ref
    await shop.deposits.shown(anna, operation.id, 17)
    stand_in = shop.world.stripe if provider is ProviderName.STRIPE else shop.world.yookassa
    await stand_in.expire(operation.provider_ref, webhook="never")
    await shop.receives(provider, stand_in.events(operation.provider_ref))
    await shop.works()
    expired = await shop.operation(operation.id)
    assert (expired.status, expired.reason) == (OperationStatus.EXPIRED, "not-paid-in-time")
    assert not (await shop.wallet(anna, operation.amount.currency)).available
    assert await shop.told(anna.telegram_id) == ["deposit-closed-failed"]

    await shop.receives(provider, await shop.pays(operation, after_expiry=True))
    await shop.works()
    assert (await shop.wallet(anna, operation.amount.currency)).available == operation.amount
    assert (await shop.told(anna.telegram_id))[1:] == ["deposit-credited", "deposit-closed-paid"]


@BOTH
@pytest.mark.parametrize("odd", ["amount", "currency"])
async def test_money_that_is_not_what_was_asked_for_waits_in_suspense(
    shop: Shop, provider: ProviderName, odd: str
) -> None:
    anna = await shop.player()
    operation = await shop.asks(anna, provider)
    how: dict[str, object] = (
        {"amount": operation.amount.minor - 1} if odd == "amount" else {"currency": OTHER_CURRENCY[provider]}
    )
    events = await shop.pays(operation, **how)
    await shop.receives(provider, events * 3)
    await shop.works()
    assert not (await shop.wallet(anna, operation.amount.currency)).available
    assert (await shop.operation(operation.id)).status is OperationStatus.REVIEW
    assert await shop.told(anna.telegram_id) == ["deposit-in-review"]
    assert await shop.told(ADMIN) == ["admin-odd-money"]
    async with shop.database.connection() as tx:
        assert await tx.fetchval("SELECT problem FROM recon_item") == f"{odd}_differs"
        assert await tx.fetchval("SELECT count(*) FROM ledger_journal WHERE kind = 'suspense'") == 1


async def test_a_payment_of_another_shop_or_mode_changes_nothing(shop: Shop) -> None:
    anna = await shop.player()
    for provider, odd in (
        (ProviderName.YOOKASSA, {"account_id": "999"}),
        (ProviderName.STRIPE, {"livemode": True}),
    ):
        operation = await shop.asks(anna, provider)
        await shop.receives(provider, await shop.pays(operation, **odd))
        await shop.works()
        assert not (await shop.wallet(anna, operation.amount.currency)).available
        assert (await shop.operation(operation.id)).status is OperationStatus.PENDING
    async with shop.database.connection() as tx:
        assert await tx.fetchval("SELECT count(*) FROM ledger_journal") == 0


@BOTH
async def test_a_payment_nobody_asked_for_goes_to_suspense_and_to_the_admins(
    shop: Shop, provider: ProviderName
) -> None:
    stand_in = shop.world.stripe if provider is ProviderName.STRIPE else shop.world.yookassa
    ref = await stand_in.stray(77_00, SPELT[provider], webhook="never")
    await shop.receives(provider, stand_in.events(ref) * 2)
    await shop.works()
    assert await shop.told(ADMIN) == ["admin-odd-money"]
    async with shop.database.connection() as tx:
        assert await tx.fetchval("SELECT problem FROM recon_item") == "unknown_payment"
        held = await tx.fetchval(
            "SELECT sum(amount_minor)::bigint FROM ledger_entry e JOIN ledger_account a ON a.id = e.account_id"
            " WHERE a.code = $1",
            f"suspense:{AMOUNTS[provider].currency}",
        )
    assert held == 77_00


@BOTH
@pytest.mark.parametrize("fault", ["HANG", "RESET", "ERROR", "TOO_MANY", "LOST", "LOST_500", "GARBAGE", "TRUNCATED"])
async def test_a_provider_that_fails_ends_in_one_payment_and_a_link(
    shop: Shop, provider: ProviderName, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deposits, "PATIENCE", 0.4)
    anna = await shop.player()
    made = Fault.TOO_MANY(retry_after=1) if fault == "TOO_MANY" else getattr(Fault, fault)
    shop.world.faults.add(*CREATE[provider], made, times=None)
    operation = await shop.asks(anna, provider)
    assert operation.status is OperationStatus.UNKNOWN
    assert operation.pay_url is None
    shop.world.faults.clear()
    await shop.due_now()
    await shop.deposits.poll(provider)
    opened = await shop.operation(operation.id)
    assert opened.status is OperationStatus.PENDING
    assert await shop.told(anna.telegram_id) == ["deposit-link-ready"]
    await shop.receives(provider, await shop.pays(opened))
    await shop.works()
    assert (await shop.wallet(anna, operation.amount.currency)).available == operation.amount
    stand_in = shop.world.stripe if provider is ProviderName.STRIPE else shop.world.yookassa
    assert stand_in.taken() == {operation.amount.currency: operation.amount.minor}


@BOTH
async def test_a_provider_that_refuses_leaves_a_failed_operation(shop: Shop, provider: ProviderName) -> None:
    anna = await shop.player()
    shop.world.faults.add(*CREATE[provider], Fault.FORBIDDEN, times=None)
    for _ in range(2):
        with pytest.raises(ProviderRefused):
            await shop.asks(anna, provider, key="same wish")
    assert await shop.told(anna.telegram_id) == []


async def test_only_a_players_own_deposit_can_be_looked_at(shop: Shop) -> None:
    anna, ben = await shop.player(1001), await shop.player(1002)
    operation = await shop.asks(anna, ProviderName.STRIPE)
    for foreign in (operation.id, 999_999):
        with pytest.raises(DepositNotFound):
            await shop.deposits.check(ben, foreign)
        with pytest.raises(DepositNotFound):
            await shop.deposits.shown(ben, foreign, 1)


async def test_rules_come_before_money(shop: Shop) -> None:
    stranger = (await shop.players.visit(1003, username=None, name="", language_code=None)).player
    with pytest.raises(RulesNotAccepted):
        await shop.asks(stranger, ProviderName.STRIPE)


NO_AMOUNTS: list[tuple[str, type[Exception]]] = [
    ("", NotAnAmount),
    ("abc", NotAnAmount),
    ("NaN", NotAnAmount),
    ("1e3", NotAnAmount),
    ("١٠٠", NotAnAmount),
    ("0.99", AmountTooSmall),
    ("0", AmountTooSmall),
    ("-5", AmountTooSmall),
    ("10.001", AmountTooPrecise),
    ("1,000", AmountTooPrecise),
    ("100000.01", AmountTooLarge),
    ("9" * 30, AmountTooLarge),
]


async def test_a_typed_amount_is_refused_with_its_reason(shop: Shop) -> None:
    for text, refusal in NO_AMOUNTS:
        with pytest.raises(refusal):
            shop.deposits.parse(ProviderName.STRIPE, "USD", text)


async def test_amounts_are_checked_again_when_a_button_brings_them(shop: Shop) -> None:
    anna = await shop.player()
    with pytest.raises(AmountTooSmall):
        await shop.asks(anna, ProviderName.STRIPE, Money(1, "USD"))
    with pytest.raises(AmountTooLarge):
        await shop.asks(anna, ProviderName.STRIPE, Money(2**62, "USD"))
    with pytest.raises(ProviderUnavailable):
        await shop.asks(anna, ProviderName.STRIPE, Money(500_00, "RUB"))


async def test_a_link_that_came_late_is_closed_too_when_it_is_paid(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deposits, "PATIENCE", 0.4)
    anna = await shop.player()
    shop.world.faults.add(*CREATE[ProviderName.STRIPE], Fault.HANG, times=None)
    operation = await shop.asks(anna, ProviderName.STRIPE)
    shop.world.faults.clear()
    await shop.due_now()
    await shop.deposits.poll(ProviderName.STRIPE)
    message = await shop.outbox.claim()
    assert message is not None
    await shop.outbox.sent(message, 77)
    opened = await shop.operation(operation.id)
    assert opened.message_id == 77
    await shop.receives(ProviderName.STRIPE, await shop.pays(opened))
    await shop.works()
    assert await shop.told(anna.telegram_id) == ["deposit-link-ready", "deposit-credited", "deposit-closed-paid"]


async def test_a_player_has_only_so_many_links_open(shop: Shop) -> None:
    anna = await shop.player()
    for _ in range(deposits.OPEN_LIMIT):
        operation = await shop.asks(anna, ProviderName.YOOKASSA)
    with pytest.raises(TooManyOpenDeposits):
        await shop.asks(anna, ProviderName.STRIPE)
    await shop.receives(ProviderName.YOOKASSA, await shop.pays(operation))
    await shop.works(4)
    await shop.asks(anna, ProviderName.STRIPE)


async def test_the_twin_of_what_takes_the_last_place_gets_the_same(shop: Shop) -> None:
    anna = await shop.player()
    for _ in range(deposits.OPEN_LIMIT - 1):
        await shop.asks(anna, ProviderName.YOOKASSA)
    for round_number in range(5):
        taps = (shop.asks(anna, ProviderName.STRIPE, key=f"tap-{round_number}") for _ in range(10))
        operation, *others = await asyncio.gather(*taps)
        assert {other.id for other in others} == {operation.id}
        await shop.receives(ProviderName.STRIPE, await shop.pays(operation))
        await shop.works(4)


async def test_events_of_a_provider_without_keys_wait_for_it(shop: Shop) -> None:
    anna = await shop.player()
    operation = await shop.asks(anna, ProviderName.STRIPE)
    await shop.receives(ProviderName.STRIPE, await shop.pays(operation))
    without = Inbox(shop.database, shop.outbox, shop.inbox.payments, {}, shop.casinos)
    assert not await without.act()
    assert not await without.act_rereading()
    await shop.works()
    assert (await shop.wallet(anna, "USD")).available == operation.amount


@BOTH
async def test_one_poisonous_event_holds_up_nobody(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, provider: ProviderName
) -> None:
    currency = AMOUNTS[provider].currency
    paid = []
    for number in range(5):
        anna = await shop.player(2000 + number)
        operation = await shop.asks(anna, provider)
        paid.append((anna, operation, await shop.pays(operation)))
    poisoned = paid[2][1].id
    complete = operations.complete

    async def fails(tx: Tx, paid: Sequence[Paid]) -> dict[int, Money]:
        if poisoned in [one.operation.id for one in paid]:
            raise ArithmeticError("a bug")
        return await complete(tx, paid)

    monkeypatch.setattr(operations, "complete", fails)
    await shop.receives(provider, [raw for _, _, events in paid for raw in events])
    await shop.works()
    for anna, operation, _ in paid:
        available = (await shop.wallet(anna, currency)).available
        assert available == (Money(0, currency) if operation.id == poisoned else operation.amount)
    monkeypatch.undo()
    await shop.due_now()
    await shop.works()
    assert (await shop.wallet(paid[2][0], currency)).available == paid[2][1].amount


async def test_a_payment_that_its_provider_tells_late_holds_up_nobody(shop: Shop) -> None:
    asked = [await shop.asks(await shop.player(2000 + number), ProviderName.YOOKASSA) for number in range(4)]
    for operation in asked:
        await shop.receives(ProviderName.YOOKASSA, await shop.pays(operation))
    late, *others = asked
    shop.world.faults.add("yookassa", f"GET /v3/payments/{late.provider_ref}", Fault.HANG, times=1)
    working = asyncio.create_task(shop.inbox.act_rereading())
    async with asyncio.timeout(20):
        shop.outbox.added.clear()
        while {(await shop.operation(one.id)).status for one in others} != {OperationStatus.COMPLETED}:
            await shop.outbox.added.wait()
            shop.outbox.added.clear()
    assert not working.done()
    assert (await shop.operation(late.id)).status is OperationStatus.PENDING
    shop.world.faults.clear()
    await working
    await shop.due_now()
    await shop.works()
    assert (await shop.operation(late.id)).status is OperationStatus.COMPLETED


async def test_two_workers_and_many_deposits_of_few_players_never_wait_crosswise(shop: Shop) -> None:
    players = [await shop.player(3000 + number) for number in range(4)]
    events = []
    for _ in range(8):
        for player in players:
            events += await shop.pays(await shop.asks(player, ProviderName.STRIPE))
            await shop.pays(await shop.asks(player, ProviderName.STRIPE, Money(10_00, "EUR")))
            events += shop.world.stripe.events(shop.world.stripe.newest())
        random.shuffle(events)
        await shop.receives(ProviderName.STRIPE, events)
        await shop.works(2)
    async with shop.database.owner() as owner:
        assert await owner.fetchval("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == 0
    for player in players:
        assert (await shop.wallet(player, "USD")).available == Money(8 * 50_00, "USD")
        assert (await shop.wallet(player, "EUR")).available == Money(8 * 10_00, "EUR")
