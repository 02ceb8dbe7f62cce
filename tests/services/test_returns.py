"""What happens when a payment's money goes back: refunds, disputes, debts, and money that fits nothing."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from db.models import Operation, OperationStatus, Player, ProviderName, ReturnedPayment, ReturnState
from db.money import Money
from sandbox import Fault
from sandbox.deliveries import Raw
from sandbox.stripe import Stripe
from sandbox.yookassa import YooKassa
from services.errors import AlreadyDecided, MoneyLiesThere, NotFound, NothingThere, OwnMoney, RefundTooLarge
from services.providers import Dispute, DisputeState, Refund
from tests.shop import ADMIN, AMOUNTS, SECOND_ADMIN, Shop

BOTH = pytest.mark.parametrize("provider", list(ProviderName))
STRIPE, YOOKASSA = ProviderName.STRIPE, ProviderName.YOOKASSA
REFUNDS = {STRIPE: ("stripe", "POST /v1/refunds"), YOOKASSA: ("yookassa", "POST /v3/refunds")}
SPELT = {STRIPE: "usd", YOOKASSA: "RUB"}


def outside(shop: Shop, provider: ProviderName) -> Stripe | YooKassa:
    return shop.world.stripe if provider is STRIPE else shop.world.yookassa


async def deposited(shop: Shop, player: Player, provider: ProviderName, amount: Money | None = None) -> Operation:
    operation = await shop.asks(player, provider, amount)
    await shop.receives(provider, await shop.pays(operation))
    await shop.works()
    return await shop.operation(operation.id)


async def hears(shop: Shop, operation: Operation) -> None:
    """Everything the provider has to say about a payment, delivered and worked through."""
    assert operation.provider_ref
    await shop.receives(operation.provider, outside(shop, operation.provider).events(operation.provider_ref))
    await settled(shop)


async def settled(shop: Shop) -> None:
    """Until nothing waits any more: events, and returns whose payments were not booked."""
    await shop.works()
    await due(shop)
    await shop.returns.tick()


async def due(shop: Shop) -> None:
    async with shop.database.connection() as tx:
        await tx.execute("UPDATE returned_payment SET next_check_at = now() WHERE next_check_at IS NOT NULL")
        await tx.execute("UPDATE webhook_inbox SET run_at = now() WHERE state = 'queued'")


async def rows(shop: Shop) -> list[ReturnedPayment]:
    async with shop.database.connection() as tx:
        numbers = await tx.fetch("SELECT id FROM returned_payment ORDER BY id")
    return [await shop.returns.get(row["id"]) for row in numbers]


async def spends(shop: Shop, player: Player, amount: Money) -> None:
    """The player no longer has this money."""
    posted = await shop.adjustments.propose(ADMIN, player.id, -amount, reason="spent", request_key=f"spent:{amount}")
    assert posted.status == "posted"


async def frozen(shop: Shop, player: Player) -> bool:
    return (await shop.players.profile(player.id)).player.frozen_at is not None


async def available(shop: Shop, player: Player, provider: ProviderName) -> int:
    return (await shop.wallet(player, AMOUNTS[provider].currency)).available.minor


async def account(shop: Shop, code: str) -> int:
    async with shop.database.connection() as tx:
        return int(
            await tx.fetchval(
                "SELECT coalesce(sum(e.amount_minor), 0) FROM ledger_entry e JOIN ledger_account a"
                " ON a.id = e.account_id WHERE a.code = $1",
                code,
            )
        )


def shuffled(deliveries: Sequence[Raw], copies: int) -> list[Raw]:
    mixed = [raw for raw in deliveries for _ in range(copies)]
    random.shuffle(mixed)
    return mixed


@BOTH
async def test_a_refund_takes_the_money_back_once_and_tells_the_player(shop: Shop, provider: ProviderName) -> None:
    anna = await shop.player()
    operation = await deposited(shop, anna, provider)
    assert operation.provider_ref
    await outside(shop, provider).refund(operation.provider_ref, webhook="never")
    await hears(shop, operation)
    await hears(shop, operation)
    assert await available(shop, anna, provider) == 0
    (row,) = await rows(shop)
    assert (row.state, row.taken, row.player_id) == (ReturnState.BOOKED, operation.amount, anna.id)
    assert await shop.told(anna.telegram_id) == ["deposit-credited", "return-refunded"]
    assert await shop.told(ADMIN) == await shop.told(SECOND_ADMIN) == ["admin-refund-booked"]
    assert not await frozen(shop, anna)


@BOTH
async def test_several_partial_refunds_take_back_what_they_say(shop: Shop, provider: ProviderName) -> None:
    anna = await shop.player()
    operation = await deposited(shop, anna, provider)
    assert operation.provider_ref
    for part in (10_00, 15_00, 5_00):
        await outside(shop, provider).refund(operation.provider_ref, part, webhook="never")
    await hears(shop, operation)
    assert await available(shop, anna, provider) == operation.amount.minor - 30_00
    assert len(await rows(shop)) == 3


@BOTH
async def test_fifty_copies_of_everything_about_a_payment_in_any_order_count_once(
    shop: Shop, provider: ProviderName
) -> None:
    anna = await shop.player()
    operation = await shop.asks(anna, provider)
    assert operation.provider_ref
    await shop.pays(operation)
    stand_in = outside(shop, provider)
    await stand_in.refund(operation.provider_ref, 10_00, webhook="never")
    pending = await stand_in.refund(operation.provider_ref, 5_00, webhook="never", state="pending")
    await stand_in.finish_refund(pending, webhook="never")
    if provider is STRIPE:
        await shop.world.stripe.refund(operation.provider_ref, 20_00, webhook="never", state="failed")
        await shop.world.stripe.dispute(operation.provider_ref, 7_00, webhook="never")
        dispute = next(iter(shop.world.stripe.disputes))
        await shop.world.stripe.close_dispute(dispute, webhook="never", won=False)
    for _ in range(3):
        events = shuffled(stand_in.events(operation.provider_ref), 50 // len(stand_in.events(operation.provider_ref)))
        await asyncio.gather(shop.receives(provider, events), *(shop.works(4) for _ in range(3)), shop.returns.tick())
        await settled(shop)
        await due(shop)
        await settled(shop)
    gone = 15_00 + (7_00 if provider is STRIPE else 0)
    assert await available(shop, anna, provider) == operation.amount.minor - gone
    assert -await account(shop, f"provider:{provider}:{operation.amount.currency}") == operation.amount.minor - gone
    assert stand_in.taken()[operation.amount.currency] == operation.amount.minor - gone
    told = await shop.told(anna.telegram_id)
    assert told.count("deposit-credited") == 1
    async with shop.database.owner() as owner:
        assert await owner.fetchval("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == 0


async def test_a_refund_that_comes_before_its_payment_waits_for_it(shop: Shop) -> None:
    anna = await shop.player()
    operation = await shop.asks(anna, STRIPE)
    assert operation.provider_ref
    paid = await shop.pays(operation)
    await shop.world.stripe.refund(operation.provider_ref, 20_00, webhook="never")
    refunds = [raw for raw in shop.world.stripe.events(operation.provider_ref) if raw.event.startswith("refund.")]
    await shop.receives(STRIPE, refunds)
    await settled(shop)
    assert [row.state for row in await rows(shop)] == [ReturnState.NOTED]
    await shop.receives(STRIPE, paid)
    await settled(shop)
    assert [row.state for row in await rows(shop)] == [ReturnState.BOOKED]
    assert await available(shop, anna, STRIPE) == 30_00


@BOTH
async def test_what_the_player_no_longer_has_is_owed_and_stops_what_goes_out(
    shop: Shop, provider: ProviderName
) -> None:
    anna = await shop.player()
    operation = await deposited(shop, anna, provider)
    assert operation.provider_ref
    currency = operation.amount.currency
    await spends(shop, anna, Money(30_00, currency))
    await outside(shop, provider).refund(operation.provider_ref, webhook="never")
    await hears(shop, operation)
    (row,) = await rows(shop)
    assert (row.owed.minor, row.taken.minor) == (30_00, operation.amount.minor - 30_00)
    assert -await account(shop, f"receivable:{currency}") == 30_00
    assert await frozen(shop, anna)
    assert (await shop.told(anna.telegram_id))[-1] == "return-refunded-owing"
    assert (await shop.returns.debts()).items == [row]


async def test_a_dispute_takes_the_money_freezes_the_player_and_tells_everybody(shop: Shop) -> None:
    anna = await shop.player()
    operation = await deposited(shop, anna, STRIPE)
    assert operation.provider_ref
    dispute = await shop.world.stripe.dispute(operation.provider_ref, webhook="never")
    await hears(shop, operation)
    assert await available(shop, anna, STRIPE) == 0
    assert await frozen(shop, anna)
    assert (await shop.told(anna.telegram_id))[1:] == ["return-disputed"]
    assert await shop.told(SECOND_ADMIN) == ["admin-dispute"]
    await shop.world.stripe.close_dispute(dispute, webhook="never", won=False)
    await hears(shop, operation)
    assert await available(shop, anna, STRIPE) == 0
    assert (await shop.told(anna.telegram_id))[1:] == ["return-disputed", "return-lost"]
    assert await shop.told(ADMIN) == ["admin-dispute"] * 2


async def test_a_dispute_that_is_won_gives_everything_back_and_the_freeze_stays(shop: Shop) -> None:
    anna = await shop.player()
    operation = await deposited(shop, anna, STRIPE)
    assert operation.provider_ref
    await spends(shop, anna, Money(40_00, "USD"))
    dispute = await shop.world.stripe.dispute(operation.provider_ref, webhook="never")
    await hears(shop, operation)
    (row,) = await rows(shop)
    await deposited(shop, anna, STRIPE, Money(15_00, "USD"))
    await shop.returns.collect(ADMIN, row.id, 40_00)
    await shop.returns.forgive(SECOND_ADMIN, row.id, 25_00)
    assert await available(shop, anna, STRIPE) == 0
    await shop.world.stripe.close_dispute(dispute, webhook="never", won=True)
    await hears(shop, operation)
    # 10 taken at first, 15 collected; what was forgiven was ours.
    assert await available(shop, anna, STRIPE) == 25_00
    assert await account(shop, "receivable:USD") == 0
    # 40 spent are in the adjustment account, and nothing of the 25 forgiven.
    assert await account(shop, "adjustment:USD") == 40_00
    assert await frozen(shop, anna)
    assert (await shop.told(anna.telegram_id))[-1] == "return-undone"


async def test_the_end_of_a_dispute_may_come_before_its_beginning(shop: Shop) -> None:
    anna = await shop.player()
    operation = await deposited(shop, anna, STRIPE)
    assert operation.provider_ref
    dispute = await shop.world.stripe.dispute(operation.provider_ref, webhook="never")
    await shop.world.stripe.close_dispute(dispute, webhook="never", won=True)
    events = [raw for raw in shop.world.stripe.events(operation.provider_ref) if "dispute" in raw.event]
    for raw in reversed(events):
        await shop.receives(STRIPE, [raw])
        await settled(shop)
    assert await available(shop, anna, STRIPE) == 50_00
    assert not await frozen(shop, anna)
    assert [row.state for row in await rows(shop)] == [ReturnState.UNDONE]


async def test_an_inquiry_moves_no_money_and_is_told_to_the_admins(shop: Shop) -> None:
    anna = await shop.player()
    operation = await deposited(shop, anna, STRIPE)
    assert operation.provider_ref
    dispute = await shop.world.stripe.dispute(operation.provider_ref, webhook="never", inquiry=True)
    await hears(shop, operation)
    assert await available(shop, anna, STRIPE) == 50_00
    assert not await frozen(shop, anna)
    assert await shop.told(ADMIN) == ["admin-dispute"]
    await shop.world.stripe.escalate(dispute, webhook="never")
    await hears(shop, operation)
    assert await available(shop, anna, STRIPE) == 0
    assert await frozen(shop, anna)


@BOTH
async def test_a_refund_that_fails_gives_the_money_back(shop: Shop, provider: ProviderName) -> None:
    anna = await shop.player()
    operation = await deposited(shop, anna, provider)
    assert operation.provider_ref
    shop.world.stripe.refund_state = shop.world.yookassa.refund_state = "pending"
    row = await shop.returns.give_back(ADMIN, operation.id, 20_00, key="press")
    assert (row.state, row.provider_state) == (ReturnState.BOOKED, "pending")
    assert await available(shop, anna, provider) == operation.amount.minor - 20_00
    assert row.ref
    await outside(shop, provider).finish_refund(row.ref, webhook="never", done=False)
    await due(shop)
    await asyncio.gather(shop.returns.tick(), shop.returns.tick())  # YooKassa tells of no failed refund
    assert (await shop.returns.get(row.id)).state is ReturnState.UNDONE
    assert await available(shop, anna, provider) == operation.amount.minor
    assert "admin-refund-failed" in await shop.told(ADMIN)


@BOTH
async def test_an_admin_gives_a_deposit_back_once_for_each_press(shop: Shop, provider: ProviderName) -> None:
    anna = await shop.player()
    operation = await deposited(shop, anna, provider)
    assert (await shop.returns.refundable(operation.id)).maximum == operation.amount
    pressed = await asyncio.gather(*(shop.returns.give_back(ADMIN, operation.id, 20_00, key="press") for _ in range(5)))
    assert len({row.id for row in pressed}) == 1
    await hears(shop, operation)
    await hears(shop, operation)
    assert await available(shop, anna, provider) == operation.amount.minor - 20_00
    assert outside(shop, provider).taken()[operation.amount.currency] == operation.amount.minor - 20_00
    assert await shop.told(anna.telegram_id) == ["deposit-credited", "return-refunded"]
    with pytest.raises(RefundTooLarge):
        await shop.returns.give_back(ADMIN, operation.id, operation.amount.minor, key="too much")
    await spends(shop, anna, Money(operation.amount.minor - 20_00 - 1_00, operation.amount.currency))
    assert (await shop.returns.refundable(operation.id)).maximum.minor == 1_00
    for number in (operation.id + 1000, 2**62):
        with pytest.raises(NotFound):
            await shop.returns.give_back(ADMIN, number, 1_00, key="nothing")


@BOTH
async def test_different_presses_together_never_take_more_than_there_is(shop: Shop, provider: ProviderName) -> None:
    anna = await shop.player()
    operation = await deposited(shop, anna, provider)
    part = operation.amount.minor * 2 // 5
    answers = await asyncio.gather(
        *(shop.returns.give_back(ADMIN, operation.id, part, key=f"press {n}") for n in range(6)),
        return_exceptions=True,
    )
    assert sum(isinstance(answer, ReturnedPayment) for answer in answers) == 2
    assert await available(shop, anna, provider) == operation.amount.minor - 2 * part


@BOTH
@pytest.mark.parametrize("fault", ["ERROR", "RESET", "LOST", "LOST_500", "GARBAGE"])
async def test_a_refund_whose_answer_is_lost_is_made_once(shop: Shop, provider: ProviderName, fault: str) -> None:
    anna = await shop.player()
    operation = await deposited(shop, anna, provider)
    shop.world.faults.add(*REFUNDS[provider], getattr(Fault, fault), times=None)
    row = await shop.returns.give_back(ADMIN, operation.id, 20_00, key="press")
    assert (row.state, row.provider_state) == (ReturnState.NOTED, "requested")
    with pytest.raises(RefundTooLarge):  # it counts while nobody knows
        await shop.returns.give_back(ADMIN, operation.id, operation.amount.minor, key="other press")
    shop.world.faults.clear()
    await due(shop)
    await asyncio.gather(shop.returns.tick(), shop.returns.tick())
    await hears(shop, operation)
    assert (await shop.returns.get(row.id)).state is ReturnState.BOOKED
    assert len(await rows(shop)) == 1
    assert outside(shop, provider).taken()[operation.amount.currency] == operation.amount.minor - 20_00


@BOTH
async def test_a_refund_that_the_provider_refuses_changes_nothing(shop: Shop, provider: ProviderName) -> None:
    anna = await shop.player()
    operation = await deposited(shop, anna, provider)
    shop.world.faults.add(*REFUNDS[provider], Fault.FORBIDDEN, times=None)
    row = await shop.returns.give_back(ADMIN, operation.id, 20_00, key="press")
    assert (row.state, row.provider_state) == (ReturnState.UNDONE, "rejected")
    assert await available(shop, anna, provider) == operation.amount.minor
    assert await shop.told(SECOND_ADMIN) == ["admin-refund-refused"]
    assert (await shop.returns.refundable(operation.id)).maximum == operation.amount


async def test_a_refund_nobody_answers_for_a_day_is_not_repeated_and_an_admin_gives_it_up(shop: Shop) -> None:
    anna = await shop.player()
    operation = await deposited(shop, anna, STRIPE)
    shop.world.faults.add(*REFUNDS[STRIPE], Fault.ERROR, times=None)
    row = await shop.returns.give_back(ADMIN, operation.id, 20_00, key="press")
    with pytest.raises(AlreadyDecided):
        await shop.returns.give_up(ADMIN, row.id)
    async with shop.database.owner() as tx:
        await tx.execute("UPDATE returned_payment SET created_at = created_at - interval '21 h'")
    calls = shop.world.calls[REFUNDS[STRIPE]]
    await due(shop)
    await shop.returns.tick()
    assert shop.world.calls[REFUNDS[STRIPE]] == calls
    assert await shop.told(ADMIN) == ["admin-refund-unanswered"]
    assert (await shop.returns.give_up(ADMIN, row.id)).state is ReturnState.UNDONE
    assert (await shop.returns.refundable(operation.id)).maximum == operation.amount


# ---- debts


async def owing(shop: Shop) -> tuple[Player, ReturnedPayment]:
    """Somebody who owes 30 USD and has nothing."""
    anna = await shop.player()
    operation = await deposited(shop, anna, STRIPE)
    assert operation.provider_ref
    await spends(shop, anna, Money(30_00, "USD"))
    await shop.world.stripe.refund(operation.provider_ref, webhook="never")
    await hears(shop, operation)
    return anna, (await rows(shop))[0]


async def test_a_debt_is_collected_as_far_as_there_is_money(shop: Shop) -> None:
    anna, row = await owing(shop)
    with pytest.raises(NothingThere):
        await shop.returns.collect(ADMIN, row.id, 30_00)
    await deposited(shop, anna, STRIPE, Money(10_00, "USD"))
    answers = await asyncio.gather(
        *(shop.returns.collect(admin, row.id, 30_00) for admin in (ADMIN, SECOND_ADMIN) * 3), return_exceptions=True
    )
    assert sum(isinstance(answer, ReturnedPayment) for answer in answers) == 1
    assert sum(isinstance(answer, AlreadyDecided) for answer in answers) == 5
    assert (await shop.returns.get(row.id)).owed.minor == 20_00
    assert await available(shop, anna, STRIPE) == 0
    await deposited(shop, anna, STRIPE)
    await shop.returns.collect(ADMIN, row.id, 20_00)
    assert await available(shop, anna, STRIPE) == 30_00
    assert (await shop.returns.debts()).items == []
    assert (await shop.told(anna.telegram_id)).count("return-collected") == 2


async def test_a_debt_is_forgiven_once(shop: Shop) -> None:
    anna, row = await owing(shop)
    answers = await asyncio.gather(
        *(shop.returns.forgive(admin, row.id, 30_00) for admin in (ADMIN, SECOND_ADMIN) * 3), return_exceptions=True
    )
    assert sum(isinstance(answer, ReturnedPayment) for answer in answers) == 1
    assert await account(shop, "receivable:USD") == 0
    assert (await shop.told(anna.telegram_id))[-1] == "return-forgiven"
    async with shop.database.connection() as tx:
        assert await tx.fetchval("SELECT count(*) FROM audit_log WHERE action = 'debt' AND status = 'forgiven'") == 1


# ---- money that fits nothing


async def stray(shop: Shop, provider: ProviderName, minor: int = 77_00) -> tuple[str, int]:
    """A payment nobody asked for, and its item."""
    ref = await outside(shop, provider).stray(minor, SPELT[provider], webhook="never")
    await shop.receives(provider, outside(shop, provider).events(ref))
    await shop.works()
    return ref, (await shop.reconciliation.items()).items[-1].id


@BOTH
async def test_money_that_is_not_what_was_asked_for_is_credited_once_by_one_of_two_admins(
    shop: Shop, provider: ProviderName
) -> None:
    anna = await shop.player()
    operation = await shop.asks(anna, provider)
    await shop.receives(provider, await shop.pays(operation, amount=operation.amount.minor - 1_00))
    await shop.works(4)
    (item,) = (await shop.reconciliation.items()).items
    answers = await asyncio.gather(
        *(shop.reconciliation.credit(admin, item.id) for admin in (ADMIN, SECOND_ADMIN) * 3), return_exceptions=True
    )
    assert sum(isinstance(answer, Money) for answer in answers) == 1
    assert sum(isinstance(answer, AlreadyDecided) for answer in answers) == 5
    done = await shop.operation(operation.id)
    assert (done.status, done.received) == (
        OperationStatus.COMPLETED,
        Money(operation.amount.minor - 1_00, operation.amount.currency),
    )
    assert await available(shop, anna, provider) == operation.amount.minor - 1_00
    assert await shop.told(anna.telegram_id) == ["deposit-in-review", "deposit-credited"]
    await hears(shop, operation)
    assert await available(shop, anna, provider) == operation.amount.minor - 1_00
    assert (await shop.reconciliation.items()).items == []


async def test_money_in_another_currency_ends_the_deposit_and_opens_a_wallet(shop: Shop) -> None:
    anna = await shop.player()
    operation = await shop.asks(anna, STRIPE)
    await shop.receives(STRIPE, await shop.pays(operation, currency="eur"))
    await shop.works()
    (item,) = (await shop.reconciliation.items()).items
    assert await shop.reconciliation.credit(ADMIN, item.id) == Money(50_00, "EUR")
    assert (await shop.wallet(anna, "EUR")).available == Money(50_00, "EUR")
    assert (await shop.operation(operation.id)).status is OperationStatus.CANCELLED
    assert await shop.told(anna.telegram_id) == ["deposit-in-review", "money-found"]
    await hears(shop, operation)  # late copies change nothing
    assert (await shop.wallet(anna, "EUR")).available == Money(50_00, "EUR")


@BOTH
async def test_a_payment_nobody_asked_for_is_credited_to_whom_an_admin_names(
    shop: Shop, provider: ProviderName
) -> None:
    anna = await shop.player()
    ref, number = await stray(shop, provider)
    with pytest.raises(NothingThere):
        await shop.reconciliation.credit(ADMIN, number)
    with pytest.raises(NothingThere):
        await shop.reconciliation.credit(ADMIN, number, 999_999)
    with pytest.raises(MoneyLiesThere):
        await shop.reconciliation.close(ADMIN, number, "nothing")
    await shop.reconciliation.credit(ADMIN, number, anna.id)
    assert await available(shop, anna, provider) == 77_00
    assert await shop.told(anna.telegram_id) == ["money-found"]
    # It counts as credited: a refund takes it from the player.
    await outside(shop, provider).refund(ref, 7_00, webhook="never")
    await shop.receives(provider, outside(shop, provider).events(ref))
    await settled(shop)
    assert await available(shop, anna, provider) == 70_00
    assert (await rows(shop))[0].player_id == anna.id


@BOTH
async def test_money_in_suspense_is_sent_back_once_and_the_deposit_ends(shop: Shop, provider: ProviderName) -> None:
    anna = await shop.player()
    operation = await shop.asks(anna, provider)
    await shop.receives(provider, await shop.pays(operation, amount=operation.amount.minor + 1_00))
    await shop.works(4)
    (item,) = (await shop.reconciliation.items()).items
    answers = await asyncio.gather(
        shop.reconciliation.send_back(ADMIN, item.id),
        shop.reconciliation.send_back(SECOND_ADMIN, item.id),
        shop.reconciliation.credit(SECOND_ADMIN, item.id),
        return_exceptions=True,
    )
    assert sum(isinstance(answer, AlreadyDecided) for answer in answers) == 2
    await hears(shop, operation)
    if await available(shop, anna, provider):
        return  # the one who credited was the fastest
    assert (await shop.operation(operation.id)).status is OperationStatus.CANCELLED
    assert await shop.told(anna.telegram_id) == ["deposit-in-review", "deposit-sent-back"]
    assert await account(shop, f"suspense:{operation.amount.currency}") == 0
    assert outside(shop, provider).taken().get(operation.amount.currency, 0) == 0


@BOTH
async def test_money_that_cannot_be_sent_back_waits_for_another_decision(shop: Shop, provider: ProviderName) -> None:
    _, number = await stray(shop, provider)
    shop.world.stripe.refund_state = shop.world.yookassa.refund_state = "pending"
    row = await shop.reconciliation.send_back(ADMIN, number)
    assert (row.state, row.suspended.minor) == (ReturnState.BOOKED, 77_00)
    assert (await shop.reconciliation.items()).items == []
    assert row.ref
    await outside(shop, provider).finish_refund(row.ref, webhook="never", done=False)
    await due(shop)
    await shop.returns.tick()
    assert [item.id for item in (await shop.reconciliation.items()).items] == [number]
    shop.world.faults.add(*REFUNDS[provider], Fault.FORBIDDEN, times=None)
    await shop.reconciliation.send_back(ADMIN, number)
    assert [item.id for item in (await shop.reconciliation.items()).items] == [number]
    anna = await shop.player()
    await shop.reconciliation.credit(ADMIN, number, anna.id)
    assert await available(shop, anna, provider) == 77_00


async def test_a_refund_out_of_suspense_that_fails_after_the_rest_was_credited_is_decided_again(shop: Shop) -> None:
    anna = await shop.player()
    operation = await shop.asks(anna, STRIPE)
    await shop.receives(STRIPE, await shop.pays(operation, amount=60_00))
    await shop.works(4)
    assert operation.provider_ref
    refund = await shop.world.stripe.refund(operation.provider_ref, 20_00, webhook="never", state="pending")
    await hears(shop, operation)
    (item,) = (await shop.reconciliation.items()).items
    assert (await shop.reconciliation.card(item.id)).in_suspense == Money(40_00, "USD")
    await shop.reconciliation.credit(ADMIN, item.id)
    await shop.world.stripe.finish_refund(refund, webhook="never", done=False)
    await hears(shop, operation)
    assert [open_.id for open_ in (await shop.reconciliation.items()).items] == [item.id]
    await shop.reconciliation.credit(ADMIN, item.id)
    assert await available(shop, anna, STRIPE) == 60_00
    assert await account(shop, "suspense:USD") == 0


async def test_what_is_left_of_money_given_to_somebody_else_can_still_be_given_to_the_payer(shop: Shop) -> None:
    anna, ben = await shop.player(), await shop.player(1002)
    operation = await shop.asks(anna, STRIPE)
    await shop.receives(STRIPE, await shop.pays(operation, amount=60_00))
    await shop.works()
    assert operation.provider_ref
    refund = await shop.world.stripe.refund(operation.provider_ref, 20_00, webhook="never", state="pending")
    await hears(shop, operation)
    (item,) = (await shop.reconciliation.items()).items
    await shop.reconciliation.credit(ADMIN, item.id, ben.id)
    assert (await shop.operation(operation.id)).status is OperationStatus.CANCELLED
    await shop.world.stripe.finish_refund(refund, webhook="never", done=False)
    await hears(shop, operation)
    await shop.reconciliation.credit(ADMIN, item.id)
    assert (await available(shop, anna, STRIPE), await available(shop, ben, STRIPE)) == (20_00, 40_00)
    assert (await shop.told(anna.telegram_id))[-1] == "money-found"


async def test_a_refund_larger_than_its_payment_is_an_item_and_not_booked(shop: Shop) -> None:
    anna = await shop.player()
    operation = await deposited(shop, anna, STRIPE)
    assert operation.provider_ref
    refund = await shop.world.stripe.refund(operation.provider_ref, webhook="never")
    shop.world.stripe.refunds[refund]["amount"] = 60_00
    answer = await shop.returns.providers[STRIPE].fetch_refund(refund)
    assert answer is not None
    for _ in range(3):
        async with shop.database.transaction() as tx:
            await shop.returns.apply(tx, answer, actor="test")
    assert await available(shop, anna, STRIPE) == 50_00
    assert await shop.told(ADMIN) == ["admin-odd-return"]
    (item,) = (await shop.reconciliation.items()).items
    await shop.reconciliation.close(ADMIN, item.id, "a mistake of the test")
    with pytest.raises(AlreadyDecided):
        await shop.reconciliation.close(SECOND_ADMIN, item.id, "again")


async def test_many_returns_of_few_players_never_wait_crosswise(shop: Shop) -> None:
    players = [await shop.player(3000 + number) for number in range(4)]
    events: list[Raw] = []
    for _ in range(4):
        for player in players:
            for amount in (Money(50_00, "USD"), Money(10_00, "EUR")):
                operation = await shop.asks(player, STRIPE, amount)
                await shop.pays(operation)
                assert operation.provider_ref
                await shop.world.stripe.refund(operation.provider_ref, 3_00, webhook="never")
                await shop.world.stripe.dispute(operation.provider_ref, 1_00, webhook="never")
                events += shop.world.stripe.events(operation.provider_ref)
        random.shuffle(events)
        await shop.receives(STRIPE, events)
        await shop.works(3)
    await settled(shop)
    async with shop.database.owner() as owner:
        assert await owner.fetchval("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == 0
    for player in players:
        assert (await shop.wallet(player, "USD")).available == Money(4 * 46_00, "USD")
        assert (await shop.wallet(player, "EUR")).available == Money(4 * 6_00, "EUR")


async def test_a_dispute_that_cannot_be_booked_stops_what_goes_out_all_the_same(shop: Shop) -> None:
    anna = await shop.player()
    operation = await deposited(shop, anna, STRIPE)
    assert operation.provider_ref
    await shop.world.stripe.dispute(operation.provider_ref, 60_00, webhook="never")
    await hears(shop, operation)
    assert await available(shop, anna, STRIPE) == 50_00
    assert await frozen(shop, anna)
    await shop.players.unfreeze(ADMIN, anna.id)
    await settled(shop)  # it is looked at again and again, and what an admin has lifted stays lifted
    assert not await frozen(shop, anna)


async def test_no_admin_decides_about_a_debt_or_odd_money_of_their_own(shop: Shop) -> None:
    boss, anna = await shop.player(ADMIN), await shop.player()
    operation = await deposited(shop, boss, STRIPE)
    assert operation.provider_ref
    await shop.adjustments.propose(SECOND_ADMIN, boss.id, Money(-30_00, "USD"), reason="spent", request_key="spent")
    await shop.world.stripe.refund(operation.provider_ref, webhook="never")
    await hears(shop, operation)
    (row,) = await rows(shop)
    with pytest.raises(OwnMoney):
        await shop.returns.forgive(ADMIN, row.id, 30_00)
    asked = await shop.asks(anna, STRIPE)
    await shop.receives(STRIPE, await shop.pays(asked, amount=60_00))
    await shop.works()
    (item,) = (await shop.reconciliation.items()).items
    with pytest.raises(OwnMoney):
        await shop.reconciliation.credit(ADMIN, item.id, boss.id)
    assert (await shop.returns.forgive(SECOND_ADMIN, row.id, 30_00)).owed.minor == 0
    assert await shop.reconciliation.credit(SECOND_ADMIN, item.id, boss.id) == Money(60_00, "USD")


@BOTH
async def test_a_refund_of_ours_that_is_heard_of_without_our_name_for_it_is_one_refund(
    shop: Shop, provider: ProviderName
) -> None:
    anna = await shop.player()
    operation = await deposited(shop, anna, provider)
    shop.world.faults.add(*REFUNDS[provider], Fault.LOST, times=3)
    asked = await shop.returns.give_back(ADMIN, operation.id, 10_00, key="once")
    assert asked.ref is None
    (made,) = outside(shop, provider).refunds.values()
    name, made["metadata"] = made["metadata"], {}
    since = operation.created_at - timedelta(days=1)
    for news in [news async for news in shop.returns.providers[provider].history(since)]:
        if isinstance(news, Refund):
            async with shop.database.transaction() as tx:
                await shop.returns.apply(tx, news, actor="test")
    made["metadata"] = name
    await settled(shop)
    assert await available(shop, anna, provider) == operation.amount.minor - 10_00
    assert [(row.state, row.ref is None, row.requested_by) for row in await rows(shop)] == [
        (ReturnState.UNDONE, True, f"admin:{ADMIN}"),
        (ReturnState.BOOKED, False, f"admin:{ADMIN}"),
    ]
    assert (await shop.returns.give_back(ADMIN, operation.id, 10_00, key="once")).id == asked.id
    assert (await shop.returns.refundable(operation.id)).maximum.minor == operation.amount.minor - 10_00


@BOTH
async def test_two_admins_who_send_a_second_payment_back_do_not_wait_crosswise(
    shop: Shop, provider: ProviderName
) -> None:
    anna = await shop.player()
    operation = await deposited(shop, anna, provider)
    for _ in range(5):
        again = {"operation_id": str(operation.public_id)}
        ref = await outside(shop, provider).stray(10_00, SPELT[provider], webhook="never", metadata=again)
        await shop.receives(provider, outside(shop, provider).events(ref))
        await shop.works(4)
        (item,) = (await shop.reconciliation.items()).items
        answers = await asyncio.gather(
            *(shop.reconciliation.send_back(admin, item.id) for admin in (ADMIN, SECOND_ADMIN)), return_exceptions=True
        )
        assert sorted(type(answer).__name__ for answer in answers) == ["AlreadyDecided", "ReturnedPayment"]
    assert await account(shop, f"suspense:{operation.amount.currency}") == 0


async def test_what_was_asked_to_be_sent_back_is_not_credited_when_another_refund_fails(shop: Shop) -> None:
    anna = await shop.player()
    operation = await shop.asks(anna, STRIPE)
    await shop.receives(STRIPE, await shop.pays(operation, amount=60_00))
    await shop.works()
    assert operation.provider_ref
    refund = await shop.world.stripe.refund(operation.provider_ref, 20_00, webhook="never", state="pending")
    await hears(shop, operation)
    (item,) = (await shop.reconciliation.items()).items
    shop.world.faults.add(*REFUNDS[STRIPE], Fault.LOST, times=3)
    assert (await shop.reconciliation.send_back(ADMIN, item.id)).provider_state == "requested"
    await shop.world.stripe.finish_refund(refund, webhook="never", done=False)
    failed = await shop.returns.providers[STRIPE].fetch_refund(refund)
    assert failed is not None
    async with shop.database.transaction() as tx:
        await shop.returns.apply(tx, failed, actor="test")
    assert (await shop.reconciliation.card(item.id)).in_suspense == Money(20_00, "USD")
    assert await shop.reconciliation.credit(SECOND_ADMIN, item.id) == Money(20_00, "USD")
    await settled(shop)
    assert await available(shop, anna, STRIPE) == 20_00
    assert await account(shop, "suspense:USD") == 0
    assert not await frozen(shop, anna)


async def test_a_return_that_was_said_to_be_of_another_payment_takes_from_nobody(shop: Shop) -> None:
    anna = await shop.player()
    operation = await deposited(shop, anna, STRIPE)
    assert operation.payment_ref
    now = operation.created_at
    dispute = Dispute(STRIPE, "du_1", "pi_other", DisputeState.OPEN, operation.amount, None, now, ours=True)
    for news in (dispute, replace(dispute, payment_ref=operation.payment_ref), dispute):
        async with shop.database.transaction() as tx:
            await shop.returns.apply(tx, news, actor="test")
        await settled(shop)
    assert [(row.state, row.payment_ref) for row in await rows(shop)] == [(ReturnState.NOTED, "pi_other")]
    assert await available(shop, anna, STRIPE) == operation.amount.minor
    assert (await shop.told(ADMIN)).count("admin-odd-return") == 1
