"""Providers' lists against the ledger: what was missed is booked, what disagrees is shown, and nothing counts twice."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from db.models import OddItem, OperationStatus, ProviderName, Settlement
from db.money import Money
from sandbox import Fault
from services.errors import AlreadyDecided, NotFound, ProviderUnavailable, ReasonNeeded
from services.reconciliation import Reconciliation
from tests.services.test_returns import account, available, deposited, hears, outside, rows, settled, stray
from tests.shop import ADMIN, SECOND_ADMIN, Shop

BOTH = pytest.mark.parametrize("provider", list(ProviderName))
STRIPE, YOOKASSA = ProviderName.STRIPE, ProviderName.YOOKASSA
LISTS = {STRIPE: ("stripe", "GET /v1/*"), YOOKASSA: ("yookassa", "GET /v3/*")}


def back(days: int = 3) -> datetime:
    return datetime.now(UTC) - timedelta(days=days)


async def open_items(shop: Shop) -> list[OddItem]:
    return list((await shop.reconciliation.items()).items)


async def time_passes(shop: Shop) -> None:
    """What was booked is old enough to be on every list; the ledger's own clock is the database's."""
    async with shop.database.owner() as owner:
        await owner.execute("ALTER TABLE ledger_journal DISABLE TRIGGER USER")
        await owner.execute("UPDATE ledger_journal SET created_at = created_at - interval '20 min'")
        await owner.execute("ALTER TABLE ledger_journal ENABLE TRIGGER USER")


async def time_comes_back(shop: Shop) -> None:
    """As it was booked, so that the books verify."""
    async with shop.database.owner() as owner:
        await owner.execute("ALTER TABLE ledger_journal DISABLE TRIGGER USER")
        await owner.execute("UPDATE ledger_journal SET created_at = created_at + interval '20 min'")
        await owner.execute("ALTER TABLE ledger_journal ENABLE TRIGGER USER")


@BOTH
async def test_a_payment_whose_webhook_was_lost_is_credited_by_the_normal_path(
    shop: Shop, provider: ProviderName
) -> None:
    anna = await shop.player()
    operation = await shop.asks(anna, provider)
    await shop.pays(operation)
    run = await shop.reconciliation.run(provider, back(), actor="timetable")
    assert (run.seen, run.mended, run.differences, run.error) == (1, 1, 0, None)
    assert run.finished_at
    assert await available(shop, anna, provider) == operation.amount.minor
    assert await shop.told(anna.telegram_id) == ["deposit-credited"]
    again = await shop.reconciliation.run(provider, back(), actor="timetable")
    assert (again.seen, again.mended, again.differences) == (1, 0, 0)
    await hears(shop, operation)
    assert await available(shop, anna, provider) == operation.amount.minor


@BOTH
async def test_a_lost_payment_is_credited_once_even_while_its_webhook_arrives(
    shop: Shop, provider: ProviderName
) -> None:
    anna = await shop.player()
    operations = [await shop.asks(anna, provider) for _ in range(5)]
    events = [raw for operation in operations for raw in await shop.pays(operation)]
    await asyncio.gather(
        *(shop.reconciliation.run(provider, back(), actor="timetable") for _ in range(3)),
        shop.receives(provider, events),
        shop.works(4),
    )
    await shop.works(4)
    assert await available(shop, anna, provider) == 5 * operations[0].amount.minor
    assert await shop.told(anna.telegram_id) == ["deposit-credited"] * 5


@BOTH
async def test_an_unknown_payment_that_was_missed_goes_to_suspense(shop: Shop, provider: ProviderName) -> None:
    await outside(shop, provider).stray(77_00, "usd" if provider is STRIPE else "RUB", webhook="never")
    run = await shop.reconciliation.run(provider, back(), actor="timetable")
    assert (run.mended, run.differences) == (1, 0)
    assert [item.problem for item in await open_items(shop)] == ["unknown_payment"]
    assert await shop.told(ADMIN) == ["admin-odd-money"]


@BOTH
async def test_refunds_and_disputes_that_were_missed_are_booked_with_their_payments(
    shop: Shop, provider: ProviderName
) -> None:
    anna = await shop.player()
    operation = await shop.asks(anna, provider)
    await shop.pays(operation)
    assert operation.provider_ref
    await outside(shop, provider).refund(operation.provider_ref, 10_00, webhook="never")
    if provider is STRIPE:
        await shop.world.stripe.dispute(operation.provider_ref, 5_00, webhook="never")
    run = await shop.reconciliation.run(provider, back(), actor="timetable")
    assert run.differences == 0
    gone = 15_00 if provider is STRIPE else 10_00
    assert await available(shop, anna, provider) == operation.amount.minor - gone
    before = await shop.told(anna.telegram_id)
    await hears(shop, operation)
    assert await shop.told(anna.telegram_id) == before
    assert len(await rows(shop)) == (2 if provider is STRIPE else 1)


@BOTH
async def test_a_refund_of_a_payment_older_than_the_list_finds_its_payment(shop: Shop, provider: ProviderName) -> None:
    ref = await outside(shop, provider).stray(77_00, "usd" if provider is STRIPE else "RUB", webhook="never")
    await outside(shop, provider).refund(ref, 7_00, webhook="never")
    # The payment is older than the list goes back.
    if provider is STRIPE:
        shop.world.stripe.intents[ref]["created"] -= 10 * 86_400
    else:
        shop.world.yookassa.payments[ref]["created_at"] = "2026-01-01T00:00:00.000Z"
    run = await shop.reconciliation.run(provider, back(), actor="timetable")
    assert run.differences == 0
    assert -await account(shop, f"provider:{provider}:{'USD' if provider is STRIPE else 'RUB'}") == 70_00


@BOTH
async def test_a_payment_that_the_provider_does_not_list_is_an_item_until_it_does(
    shop: Shop, provider: ProviderName
) -> None:
    anna = await shop.player()
    operation = await deposited(shop, anna, provider)
    stand_in = shop.world.stripe.intents if provider is STRIPE else shop.world.yookassa.payments
    sessions = shop.world.stripe.sessions if provider is STRIPE else {}
    assert operation.payment_ref
    hidden = stand_in.pop(operation.payment_ref)
    kept = dict(sessions)
    sessions.clear()
    assert (await shop.reconciliation.run(provider, back(), actor="timetable")).differences == 0  # too young to say
    await time_passes(shop)
    runs = [await shop.reconciliation.run(provider, back(), actor="timetable") for _ in range(2)]
    assert [run.differences for run in runs] == [1, 1]
    (item,) = await open_items(shop)
    assert (item.problem, item.ref, item.ledger_minor) == (
        "missing_at_provider",
        operation.payment_ref,
        operation.amount.minor,
    )
    assert await shop.told(ADMIN) == await shop.told(SECOND_ADMIN) == ["admin-differences"]
    stand_in[operation.payment_ref] = hidden
    sessions.update(kept)
    assert (await shop.reconciliation.run(provider, back(), actor="timetable")).differences == 0
    assert (await shop.reconciliation.card(item.id)).item.settled is Settlement.MENDED
    await time_comes_back(shop)


@BOTH
async def test_a_payment_older_than_the_list_is_asked_for_by_name(shop: Shop, provider: ProviderName) -> None:
    anna = await shop.player()
    operation = await deposited(shop, anna, provider)
    assert operation.payment_ref
    await time_passes(shop)
    if provider is STRIPE:
        shop.world.stripe.intents[operation.payment_ref]["created"] -= 10 * 86_400
    else:
        shop.world.yookassa.payments[operation.payment_ref]["created_at"] = "2026-01-01T00:00:00.000Z"
    run = await shop.reconciliation.run(provider, back(), actor="timetable")
    assert (run.differences, await open_items(shop)) == (0, [])
    await time_comes_back(shop)


@BOTH
async def test_an_amount_that_differs_is_an_item_that_an_admin_closes_with_one_tap(
    shop: Shop, provider: ProviderName
) -> None:
    anna = await shop.player()
    operation = await deposited(shop, anna, provider)
    assert operation.payment_ref
    if provider is STRIPE:
        shop.world.stripe.intents[operation.payment_ref]["amount_received"] -= 1_00
    else:
        shop.world.yookassa.payments[operation.payment_ref]["amount"]["value"] = "1499.00"
    for _ in range(2):
        assert (await shop.reconciliation.run(provider, back(), actor="timetable")).differences == 1
    (item,) = await open_items(shop)
    assert (item.problem, item.provider_minor, item.ledger_minor) == (
        "ledger_differs",
        operation.amount.minor - 1_00,
        operation.amount.minor,
    )
    assert item.operation_id == operation.id
    for note in ("", "   ", "x" * 501):
        with pytest.raises(ReasonNeeded):
            await shop.reconciliation.close(ADMIN, item.id, note)
    answers = await asyncio.gather(
        *(shop.reconciliation.close(admin, item.id, "seen") for admin in (ADMIN, SECOND_ADMIN)), return_exceptions=True
    )
    assert [type(answer) for answer in answers if answer is not None] == [AlreadyDecided]
    await shop.reconciliation.run(provider, back(), actor="timetable")
    assert await open_items(shop) == []  # an admin's word stands
    with pytest.raises(NotFound):
        await shop.reconciliation.close(ADMIN, 999_999, "seen")


@BOTH
@pytest.mark.parametrize("fault", ["ERROR", "RESET", "GARBAGE", "TRUNCATED", "FORBIDDEN"])
async def test_a_provider_that_fails_midway_ends_the_run_with_its_error_and_the_next_one_mends(
    shop: Shop, provider: ProviderName, fault: str
) -> None:
    anna = await shop.player()
    await shop.pays(await shop.asks(anna, provider))
    operation = await shop.asks(anna, provider)
    await shop.pays(operation)
    path = "GET /v1/refunds" if provider is STRIPE else "GET /v3/refunds"
    shop.world.faults.add(provider, path, getattr(Fault, fault), times=None)
    run = await shop.reconciliation.run(provider, back(), actor=f"admin:{ADMIN}")
    assert run.error
    assert run.finished_at
    shop.world.faults.clear()
    run = await shop.reconciliation.run(provider, back(), actor=f"admin:{ADMIN}")
    assert (run.error, run.differences) == (None, 0)
    assert await available(shop, anna, provider) == 2 * operation.amount.minor
    async with shop.database.connection() as tx:
        assert await tx.fetchval(
            "SELECT array_agg(status ORDER BY log_id) FROM audit_log WHERE action = 'reconcile'"
        ) == ["failed", "ok"]


@BOTH
async def test_long_lists_are_read_to_their_end(shop: Shop, provider: ProviderName) -> None:
    spelt = "usd" if provider is STRIPE else "RUB"
    for number in range(230):
        await outside(shop, provider).stray(1_00 + number, spelt, webhook="never")
    seen: list[int] = []

    async def progress(count: int) -> None:
        seen.append(count)

    run = await shop.reconciliation.run(provider, back(), actor="timetable", progress=progress)
    assert (run.seen, run.mended, run.differences) == (230, 230, 0)
    assert seen == [100, 200, 230]
    first = await shop.reconciliation.items()
    found = list(first.items)
    page = first
    while page.newer is not None:
        page = await shop.reconciliation.items(after=page.newer)
        found += page.items
    assert [item.id for item in found] == sorted({item.id for item in found})
    assert len(found) == 230
    assert page.older is not None
    before = await shop.reconciliation.items(before=page.older)
    assert [item.id for item in before.items] == [
        item.id for item in found[-len(page.items) - len(before.items) :][: len(before.items)]
    ]


@BOTH
async def test_daily_totals_say_the_same_on_both_sides(shop: Shop, provider: ProviderName) -> None:
    anna = await shop.player()
    first, second = await deposited(shop, anna, provider), await deposited(shop, anna, provider)
    assert first.provider_ref
    await outside(shop, provider).refund(first.provider_ref, 10_00, webhook="never")
    await hears(shop, first)
    (unread,) = await shop.reconciliation.totals()
    assert (unread.listed, unread.booked) == (0, 3)
    await shop.reconciliation.run(provider, back(), actor="timetable")
    totals = await shop.reconciliation.totals()
    assert sum(total.listed for total in totals) == sum(total.booked for total in totals) == 3
    for total in totals:
        assert total.listed_sum == total.booked_sum
    currency = first.amount.currency
    assert sum(total.booked_sum.minor for total in totals) == 2 * second.amount.minor - 10_00
    assert {total.currency for total in totals} == {currency}


async def test_a_doubled_tick_compares_once_and_the_nightly_one_is_another(shop: Shop) -> None:
    for days in (3, 3, 35, 35, 3):
        await shop.reconciliation.by_timetable(STRIPE, timedelta(days=days))
    assert [(datetime.now(UTC) - run.since).days for run in await shop.reconciliation.runs()] == [35, 3]


async def test_an_unknown_provider_is_refused(shop: Shop) -> None:
    without = Reconciliation(shop.database, shop.outbox, shop.reconciliation.payments, shop.returns, {})
    with pytest.raises(ProviderUnavailable):
        await without.run(STRIPE, back(), actor="timetable")


async def test_a_dispute_that_ended_unheard_is_mended(shop: Shop) -> None:
    anna = await shop.player()
    operation = await deposited(shop, anna, STRIPE)
    assert operation.provider_ref
    dispute = await shop.world.stripe.dispute(operation.provider_ref, webhook="never")
    await hears(shop, operation)
    assert await available(shop, anna, STRIPE) == 0
    await shop.world.stripe.close_dispute(dispute, webhook="never", won=True)
    run = await shop.reconciliation.run(STRIPE, back(), actor="timetable")
    assert run.differences == 0
    assert await available(shop, anna, STRIPE) == 50_00


async def test_money_in_suspense_agrees_with_the_list_before_and_after_a_decision(shop: Shop) -> None:
    anna = await shop.player()
    operation = await shop.asks(anna, STRIPE)
    await shop.receives(STRIPE, await shop.pays(operation, amount=40_00))
    await shop.works()
    _, number = await stray(shop, STRIPE)
    for decide in (None, *(item.id for item in await open_items(shop))):
        if decide == number:
            await shop.reconciliation.send_back(ADMIN, decide)
            await settled(shop)
        elif decide is not None:
            await shop.reconciliation.credit(ADMIN, decide)
        run = await shop.reconciliation.run(STRIPE, back(), actor="timetable")
        assert (run.error, run.differences) == (None, 0)
    assert (await shop.operation(operation.id)).status is OperationStatus.COMPLETED
    assert (await shop.wallet(anna, "USD")).available == Money(40_00, "USD")
