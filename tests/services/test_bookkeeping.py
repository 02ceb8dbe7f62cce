"""Sealing, proving and anchoring: once for each period, whoever ticks."""

import asyncio
from datetime import timedelta

import pytest

from db import inbox
from db.models import ProviderName
from db.money import Money
from tests.shop import ADMIN, Shop


async def due(shop: Shop) -> None:
    while await shop.bookkeeping.work():
        pass


async def credited(shop: Shop) -> None:
    operation = await shop.asks(await shop.player(), ProviderName.STRIPE)
    await shop.receives(ProviderName.STRIPE, await shop.pays(operation))
    await shop.works()


async def test_a_tick_that_comes_twice_or_from_two_processes_is_one_job(shop: Shop) -> None:
    await asyncio.gather(*(shop.bookkeeping.schedule("head", "2026-11-20") for _ in range(10)))
    await asyncio.gather(due(shop), due(shop))
    assert await shop.told(ADMIN) == ["admin-ledger-head"]
    await shop.bookkeeping.schedule("head", "2026-11-21")
    await due(shop)
    assert await shop.told(ADMIN) == ["admin-ledger-head"] * 2


async def test_sound_books_are_proven_in_silence_and_broken_ones_are_told(shop: Shop) -> None:
    await credited(shop)
    await shop.bookkeeping.schedule("verify", "2026-11-20T10")
    await due(shop)
    assert await shop.told(ADMIN) == []
    async with shop.database.owner() as owner:
        await owner.execute("SET session_replication_role = replica")
        await owner.execute("UPDATE wallet SET available_minor = available_minor + 1")
    await shop.bookkeeping.schedule("verify", "2026-11-20T11")
    await due(shop)
    assert await shop.told(ADMIN) == ["admin-verify-failed"]
    async with shop.database.owner() as owner:
        await owner.execute("SET session_replication_role = replica")
        await owner.execute("UPDATE wallet SET available_minor = available_minor - 1")


async def test_business_around_the_ledger_is_proven_too(shop: Shop) -> None:
    await credited(shop)
    for change, undo in (
        (
            "UPDATE wallet_operations SET received_minor = 1, amount_minor = 1",
            "received_minor = 5000, amount_minor = 5000",
        ),
        (
            "UPDATE wallet_operations SET status = 'pending', completed_at = NULL, received_minor = NULL",
            "status = 'completed', completed_at = now(), received_minor = 5000",
        ),
    ):
        async with shop.database.owner() as owner:
            await owner.execute("SET session_replication_role = replica")
            await owner.execute(change)
            assert any("I10" in finding.rule for finding in await shop.bookkeeping.verify())
            await owner.execute(f"UPDATE wallet_operations SET {undo}")
    async with shop.database.owner() as owner:
        await owner.execute("UPDATE outbox SET dedupe_key = 'x' WHERE text_id = 'deposit-credited'")
        assert [finding.rule[:3] for finding in await shop.bookkeeping.verify()] == ["I12"]
        await owner.execute(
            "UPDATE outbox SET dedupe_key = 'deposit-credited:' || (SELECT operation_id FROM wallet_operations)"
            " WHERE dedupe_key = 'x'"
        )


async def test_a_job_that_fails_is_tried_again_later(shop: Shop) -> None:
    await shop.bookkeeping.schedule("nonsense", "2026")
    assert await shop.bookkeeping.work()
    async with shop.database.connection() as tx:
        row = await tx.fetchrow("SELECT state, attempts, run_at > now() AS later, last_error FROM job")
    assert row is not None
    assert dict(row) == {"state": "queued", "attempts": 1, "later": True, "last_error": "ValueError"}


async def test_old_bodies_are_forgotten_and_their_hashes_kept(shop: Shop) -> None:
    await credited(shop)
    async with shop.database.transaction() as tx:
        hashes = await tx.fetch("SELECT body_sha256 FROM webhook_inbox ORDER BY id")
        await inbox.empty_old_bodies(tx, timedelta(0))
    async with shop.database.connection() as tx:
        assert await tx.fetchval("SELECT sum(length(body)) FROM webhook_inbox") == 0
        assert await tx.fetch("SELECT body_sha256 FROM webhook_inbox ORDER BY id") == hashes


async def _found(shop: Shop, *breaks: str) -> set[str]:
    """Which rules notice a break, which is rolled back."""
    async with shop.database.owner() as owner:
        transaction = owner.transaction()
        await transaction.start()
        try:
            await owner.execute("SET LOCAL session_replication_role = replica")
            for one in breaks:
                await owner.execute(one)
            return {row["rule"] for row in await owner.fetch("SELECT rule FROM business_verify()")}
        finally:
            await transaction.rollback()


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ("DELETE FROM approval", "withdrawal was agreed to and goes to a verified method of its player"),
        (
            "UPDATE withdrawal_methods SET verification_status = 'pending', verified_at = NULL",
            "withdrawal was agreed to and goes to a verified method of its player",
        ),
        (
            "UPDATE withdrawal_methods SET user_id = 999",
            "withdrawal was agreed to and goes to a verified method of its player",
        ),
        (
            "UPDATE wallet_operations SET amount_minor = 1, received_minor = 1 WHERE operation_type = 'withdrawal'",
            "I9 withdrawal has its journals",
        ),
    ],
)
async def test_what_went_out_was_agreed_to_in_full_and_to_where_its_player_is_paid(
    shop: Shop, change: str, rule: str
) -> None:
    await credited(shop)
    anna = await shop.player()
    payee = await shop.payee(anna)
    asked = await shop.withdrawals.request(anna, payee.id, Money(20_00, "USD"), None, request_key="wish")
    assert await _found(shop) == set()
    await shop.withdrawals.approve(ADMIN, asked.id)
    await shop.withdrawals.sent(ADMIN, asked.id, "SEPA-1")
    assert await _found(shop) == set()
    assert await _found(shop, change) - {"operation is what the audit log says"} == {rule}


async def test_money_in_suspense_cannot_be_forgotten_and_returns_are_as_large_as_they_say(shop: Shop) -> None:
    anna = await shop.player()
    operation = await shop.asks(anna, ProviderName.STRIPE)
    await shop.receives(ProviderName.STRIPE, await shop.pays(operation, amount=60_00))
    await shop.works()
    closed = "UPDATE recon_item SET state = 'resolved', decision = 'closed', resolved_at = now(), resolved_by = 'test'"
    assert await _found(shop) == set()
    assert await _found(shop, closed) == {"money in suspense waits for a decision"}
    assert operation.provider_ref
    await shop.world.stripe.refund(operation.provider_ref, 20_00, webhook="never")
    await shop.receives(ProviderName.STRIPE, shop.world.stripe.events(operation.provider_ref))
    await shop.works()
    assert await _found(shop, closed) == {"money in suspense waits for a decision"}
    smaller = "UPDATE returned_payment SET amount_minor = 10, suspended_minor = 10"
    assert await _found(shop, smaller) == {"returned payment has its journals"}
    (item,) = (await shop.reconciliation.items()).items
    await shop.reconciliation.credit(ADMIN, item.id)
    assert await _found(shop) == set()
