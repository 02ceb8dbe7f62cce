"""Messages wait beside their facts, once each, in order, and go to one sender at a time."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from db import outbox
from db.money import Money
from db.outbox import Notice
from services.outbox import LEASE, argument
from services.staff import Right
from tests.shop import ADMIN, Shop


def notice(key: str, chat_id: int = 1001, *, priority: int = 5) -> Notice:
    return Notice(key, chat_id, "menu", {}, priority=priority)


async def add(shop: Shop, *notices: Notice) -> None:
    async with shop.database.transaction() as tx:
        await shop.outbox.tell(tx, *notices)


async def sent_in_order(shop: Shop) -> list[int]:
    order = []
    while message := await shop.outbox.claim():
        order.append(message.id)
        await shop.outbox.sent(message, None)
    return order


async def test_a_fact_is_told_once_however_often_it_is_written(shop: Shop) -> None:
    await asyncio.gather(*(add(shop, notice("a"), notice("b")) for _ in range(20)))
    assert len(await sent_in_order(shop)) == 2


async def test_a_message_of_a_fact_that_was_rolled_back_is_never_told(shop: Shop) -> None:
    class Changed(Exception):
        pass

    try:
        async with shop.database.transaction() as tx:
            await shop.outbox.tell(tx, notice("a"))
            raise Changed
    except Changed:
        assert await shop.outbox.claim() is None


async def test_a_chats_messages_keep_their_order_and_do_not_hold_up_other_chats(shop: Shop) -> None:
    await add(shop, notice("a1", 1), notice("a2", 1), notice("b1", 2))
    first = await shop.outbox.claim()
    second = await shop.outbox.claim()
    assert first is not None
    assert second is not None
    assert (first.chat_id, second.chat_id) == (1, 2)
    assert await shop.outbox.claim() is None  # the second of chat 1 waits for the first
    await shop.outbox.sent(first, 7)
    third = await shop.outbox.claim()
    assert third is not None
    assert third.chat_id == 1


async def test_money_goes_before_everything_else(shop: Shop) -> None:
    await add(shop, notice("broadcast", 1, priority=9), notice("reply", 2), notice("money", 3, priority=0))
    chats = []
    while message := await shop.outbox.claim():
        chats.append(message.chat_id)
    assert chats == [3, 2, 1]


async def test_what_goes_to_many_is_claimed_apart_from_the_rest(shop: Shop) -> None:
    await add(
        shop,
        *(notice(f"{priority}", priority, priority=priority) for priority in (9, 5, 7, 0)),
    )
    for lane, chats in ((outbox.BULK, [7, 9]), (outbox.URGENT, [0, 5])):
        claimed = [await shop.outbox.claim(lane) for _ in range(3)]
        assert [message.chat_id for message in claimed if message] == chats


async def test_stale_news_is_dropped_and_is_nobodys_work(shop: Shop) -> None:
    now = datetime.now(UTC)
    await add(
        shop,
        replace(notice("old"), expires_at=now - timedelta(seconds=1)),
        replace(notice("new"), expires_at=now + timedelta(hours=1)),
    )
    assert len(await sent_in_order(shop)) == 1
    async with shop.database.connection() as tx:
        rows = await tx.fetch("SELECT dedupe_key, state, last_error, let_go_at IS NULL AS work FROM outbox ORDER BY id")
    assert [tuple(row) for row in rows] == [("old", "dead", "stale", False), ("new", "sent", None, True)]


async def test_many_senders_claim_each_message_once(shop: Shop) -> None:
    await add(shop, *(notice(f"n{number}", number) for number in range(100)))
    claimed: list[int] = []

    async def sender() -> None:
        while message := await shop.outbox.claim():
            claimed.append(message.id)

    await asyncio.gather(*(sender() for _ in range(8)))
    assert len(claimed) == len(set(claimed)) == 100


async def test_a_sender_that_lost_its_lease_changes_nothing(shop: Shop) -> None:
    await add(shop, notice("a"))
    late = await shop.outbox.claim()
    async with shop.database.connection() as tx:
        await tx.execute("UPDATE outbox SET run_at = now()")
    current = await shop.outbox.claim()
    assert late is not None
    assert current is not None
    await shop.outbox.give_up(late, "too late")
    async with shop.database.connection() as tx:
        assert await tx.fetchval("SELECT state FROM outbox") == "queued"
    await shop.outbox.sent(current, 7)
    async with shop.database.connection() as tx:
        assert await tx.fetchval("SELECT state FROM outbox") == "sent"


async def test_what_waits_for_somebody_who_left_is_given_up_and_the_player_is_marked(shop: Shop) -> None:
    anna = await shop.player()
    await add(shop, notice("a1", anna.telegram_id), notice("a2", anna.telegram_id), notice("b", 2))
    await shop.outbox.unreachable(anna.telegram_id, "blocked")
    assert len(await sent_in_order(shop)) == 1
    async with shop.database.connection() as tx:
        assert await tx.fetchval("SELECT bot_blocked_at IS NOT NULL FROM users")
    await shop.player()  # writes again
    async with shop.database.connection() as tx:
        assert await tx.fetchval("SELECT bot_blocked_at IS NULL FROM users")


async def test_admins_are_told_each_in_a_chat_of_their_own(shop: Shop) -> None:
    async with shop.database.transaction() as tx:
        await shop.outbox.tell_admins(tx, Right.MONEY, "k", "admin-verify-failed", count=1)
        await shop.outbox.tell_admins(tx, Right.MONEY, "k", "admin-verify-failed", count=1)
    assert await shop.told(ADMIN) == ["admin-verify-failed"]


def test_an_argument_keeps_money_exact() -> None:
    assert argument(Money(1, "USDT")) == {"minor": 1, "currency": "USDT"}


async def test_a_chat_that_thousands_of_messages_wait_for_holds_up_nobody(shop: Shop) -> None:
    async with shop.database.connection() as tx:
        for first, last in ((1, 20_000), (20_001, 20_300)):
            await tx.execute(
                "INSERT INTO outbox (dedupe_key, chat_id, text_id, arguments)"
                " SELECT 'key-' || n, greatest(n - 20000, 0), 'menu', '{}' FROM generate_series($1::int, $2) n",
                first,
                last,
            )
    await add(shop, notice("money", 5, priority=0))
    async with shop.database.owner() as owner:
        await owner.execute("ANALYZE outbox")  # as PostgreSQL does by itself, within a minute
    crowd = []
    for _ in range(100):
        claimed = await shop.outbox.claim()
        assert claimed is not None
        crowd.append(claimed.chat_id)
    assert crowd == [5, 0, *range(1, 99)]  # money, one of the crowd, and everybody else
    async with shop.database.transaction() as tx:
        read = "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'outbox'"
        before = await tx.fetchval(read)
        assert await outbox.claim(tx, LEASE, outbox.ALL)
        assert await tx.fetchval(read) - before < 2_000, "it looks at everything that waits"
    twins = await asyncio.gather(*(shop.outbox.claim() for _ in range(8)))
    assert len({claimed.id for claimed in twins if claimed}) == 8
