"""Sealing, proving and anchoring: once for each period, whoever ticks."""

import asyncio
from datetime import timedelta

from db import inbox
from db.models import ProviderName
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
        await owner.execute("UPDATE users_balance SET available_minor = available_minor + 1")
    await shop.bookkeeping.schedule("verify", "2026-11-20T11")
    await due(shop)
    assert await shop.told(ADMIN) == ["admin-verify-failed"]
    async with shop.database.owner() as owner:
        await owner.execute("SET session_replication_role = replica")
        await owner.execute("UPDATE users_balance SET available_minor = available_minor - 1")


async def test_business_around_the_ledger_is_proven_too(shop: Shop) -> None:
    await credited(shop)
    for change, undo in (
        (
            "UPDATE wallet_operations SET received_minor = 1, amount_minor = 1",
            "received_minor = 5000, amount_minor = 5000",
        ),
        (
            "UPDATE wallet_operations SET status = 'pending', completed_at = NULL",
            "status = 'completed', completed_at = now()",
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
