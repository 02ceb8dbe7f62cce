"""Broadcasts: who gets one, once, and what becomes of it when it is paused, stopped, or not wanted any more."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from db import outbox
from db.models import Audience, BroadcastState, BroadcastText, Language
from db.outbox import BULK, URGENT, Claimed
from services import broadcasts as module
from services.broadcasts import Progress
from services.errors import (
    AlreadyDecided,
    BannedWording,
    BroadcastTooLong,
    BroadcastWithoutWords,
    LabelTooLong,
    NobodyToTell,
    NotALink,
    NotAllowed,
    NotFound,
)
from tests.shop import ADMIN, SECOND_ADMIN, Shop

WORDS = BroadcastText("Новые матчи", [{"type": "bold", "offset": 0, "length": 5}], None, None)

EVERYBODY = Audience()


async def crowd(shop: Shop, number: int, first: int = 10_001) -> None:
    """So many who may get a broadcast; their Telegram ids begin with `first`."""
    async with shop.database.connection() as tx:
        await tx.execute(
            "INSERT INTO users (telegram_id, name, language, accepted_at, seen_on)"
            " SELECT $1 + n, 'Игрок', 'ru', now(), current_date FROM generate_series(0, $2::int - 1) n",
            first,
            number,
        )


async def begin(shop: Shop, audience: Audience = EVERYBODY, key: str = "wish") -> Progress:
    return await shop.broadcasts.start(ADMIN, WORDS, audience, request_key=key, message_id=7)


async def fed(shop: Shop) -> None:
    while await shop.broadcasts.feed():
        pass


async def bulk(shop: Shop) -> Claimed | None:
    return await shop.outbox.claim(BULK)


async def sent(shop: Shop, most: int = 10_000) -> list[int]:
    """Sends what is due, at most so many; answers to whom."""
    chats: list[int] = []
    while len(chats) < most and (message := await bulk(shop)):
        chats.append(message.chat_id)
        await shop.outbox.sent(message, 1)
    return chats


async def delivered(shop: Shop) -> list[int]:
    """Feeds and sends until it has ended."""
    chats: list[int] = []
    while await shop.broadcasts.count_open():
        await fed(shop)
        chats += await sent(shop)
    return chats


async def rows(shop: Shop, state: str) -> int:
    async with shop.database.connection() as tx:
        return int(
            await tx.fetchval("SELECT count(*) FROM outbox WHERE state = $1 AND broadcast_id IS NOT NULL", state)
        )


async def audited(shop: Shop) -> list[str]:
    async with shop.database.connection() as tx:
        found = await tx.fetch("SELECT status FROM audit_log WHERE action = 'broadcast' ORDER BY log_id")
    return [row["status"] for row in found]


async def change(shop: Shop, sql: str, *arguments: Any) -> None:
    async with shop.database.owner() as tx:
        await tx.execute(sql, *arguments)


async def furnish(shop: Shop) -> None:
    """Players 1 to 8 by Telegram id, and whom nothing must reach."""
    await crowd(shop, 12, first=1)
    await change(shop, "UPDATE users SET language = 'en' WHERE telegram_id IN (2, 4)")
    await change(shop, "UPDATE users SET seen_on = current_date - 8 WHERE telegram_id IN (3, 4)")
    await change(shop, "UPDATE users SET seen_on = current_date - 100 WHERE telegram_id = 5")
    await change(shop, "UPDATE users SET seen_on = NULL, created_at = now() - interval '31 d' WHERE telegram_id = 6")
    await change(
        shop,
        "INSERT INTO casino_click (click_id, programme, user_id)"
        " SELECT lpad(id::text, 16, '0'), '1win', id FROM users WHERE telegram_id IN (1, 7, 8)",
    )
    await change(
        shop,
        "INSERT INTO casino_account (programme, casino_id, user_id, bound_by)"
        " SELECT '1win', 'c' || id, id, 'postback' FROM users WHERE telegram_id IN (1, 7)",
    )
    await change(
        shop,
        "INSERT INTO casino_event (programme, kind, dedupe_key, weak, words, casino_id, click_id, user_id, linked_at,"
        " amount, currency, problem, occurred_at, received_at) SELECT '1win', kind, kind || id, false, ARRAY[kind],"
        " CASE WHEN problem IS NULL THEN 'c' || id END, lpad(id::text, 16, '0'), id, now(), 5, 'RUB', problem, now(),"
        " now() FROM users JOIN (VALUES (1, 'registration', NULL), (7, 'registration', NULL), (7, 'deposit', NULL),"
        " (8, 'deposit', 'amount')) AS told (who, kind, problem) ON who = telegram_id",
    )
    await change(shop, "UPDATE users SET news_off_at = now() WHERE telegram_id = 9")
    await change(shop, "UPDATE users SET bot_blocked_at = now() WHERE telegram_id = 10")
    await change(shop, "UPDATE users SET accepted_at = NULL WHERE telegram_id IN (11, 12)")


AUDIENCES = [
    (EVERYBODY, [1, 2, 3, 4, 5, 6, 7, 8]),
    (Audience(language=Language.EN), [2, 4]),
    (Audience(language=Language.RU), [1, 3, 5, 6, 7, 8]),
    (Audience(linked=True), [1, 7]),
    (Audience(linked=False), [2, 3, 4, 5, 6, 8]),
    (Audience(deposited=True), [7]),
    (Audience(deposited=False), [1, 2, 3, 4, 5, 6, 8]),
    (Audience(inactive_days=7), [3, 4, 5, 6]),
    (Audience(inactive_days=30), [5, 6]),
    (Audience(inactive_days=90), [5]),
    (Audience(Language.EN, deposited=False, inactive_days=7, linked=False), [4]),
    (Audience(deposited=True, linked=True), [7]),
]


async def test_it_reaches_whom_it_is_for_and_never_who_wants_none(shop: Shop) -> None:
    await furnish(shop)
    for number, (audience, reached) in enumerate(AUDIENCES):
        assert await shop.broadcasts.count(ADMIN, audience) == len(reached), audience
        assert (await begin(shop, audience, f"wish-{number}")).broadcast.total == len(reached)
        assert sorted(await delivered(shop)) == reached, audience


async def test_a_deposit_here_counts_as_one_when_it_is_paid(shop: Shop) -> None:
    anna = await shop.player()
    await shop.asks(anna, next(iter(shop.deposits.providers)))
    assert await shop.broadcasts.count(ADMIN, Audience(deposited=True)) == 0
    await shop.deposited(anna, next(iter(shop.withdrawals.limits.values())).minimum)
    assert await shop.broadcasts.count(ADMIN, Audience(deposited=True)) == 1


async def test_nothing_is_begun_for_nobody(shop: Shop) -> None:
    with pytest.raises(NobodyToTell):
        await begin(shop)
    assert await shop.broadcasts.newest(ADMIN) == []


async def test_a_press_that_came_twice_is_one_broadcast(shop: Shop) -> None:
    await crowd(shop, 3)
    begun = await asyncio.gather(*(begin(shop) for _ in range(8)))
    assert len({progress.broadcast.id for progress in begun}) == 1
    assert await audited(shop) == ["started"]
    assert len(await delivered(shop)) == 3


async def test_the_outbox_is_fed_in_portions_by_whoever_comes(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PORTION", 10)
    await crowd(shop, 57)
    await begin(shop)
    reached: list[int] = []
    while await shop.broadcasts.count_open():
        await asyncio.gather(*(shop.broadcasts.feed() for _ in range(6)))
        assert await rows(shop, "queued") <= 2 * 10
        reached += await sent(shop, 7)
    assert sorted(reached) == [10_001 + number for number in range(57)]


async def test_who_comes_later_gets_nothing_of_it(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PORTION", 2)
    await crowd(shop, 5)
    await begin(shop)
    await shop.broadcasts.feed()
    await crowd(shop, 5, first=20_001)
    assert sorted(await delivered(shop)) == [10_001 + number for number in range(5)]


async def test_who_opts_out_or_blocks_half_way_gets_nothing_more(shop: Shop) -> None:
    anna, ben = await shop.player(1001), await shop.player(1002)
    await crowd(shop, 2)
    await begin(shop)
    await fed(shop)
    await shop.players.set_news(anna, on=False)
    await shop.players.reachable(1002, False)
    assert ben.news
    assert sorted(await sent(shop)) == [10_001, 10_002]
    await fed(shop)
    (broadcast,) = await shop.broadcasts.newest(ADMIN)
    progress = await shop.broadcasts.get(ADMIN, broadcast.id)
    assert progress.broadcast.state is BroadcastState.DONE
    assert (progress.reach.sent, progress.reach.unwanted, progress.reach.blocked, progress.left) == (2, 1, 1, 0)
    assert (await shop.players.set_news(anna, on=True)).news
    await begin(shop, key="another")
    assert 1001 in await delivered(shop)


async def test_a_player_who_blocked_the_bot_is_marked_and_counted(shop: Shop) -> None:
    await crowd(shop, 3)
    await begin(shop)
    await fed(shop)
    message = await bulk(shop)
    assert message is not None
    await shop.outbox.unreachable(message.chat_id, "blocked")
    refused = await bulk(shop)
    assert refused is not None
    await shop.outbox.give_up(refused, "TelegramBadRequest")
    await sent(shop)
    await fed(shop)
    progress = await shop.broadcasts.get(ADMIN, (await shop.broadcasts.newest(ADMIN))[0].id)
    assert (progress.reach.sent, progress.reach.blocked, progress.reach.failed, progress.percent) == (1, 1, 1, 100)
    assert await shop.broadcasts.count(ADMIN, Audience()) == 2


async def test_a_pause_holds_what_waits_and_lets_arrive_what_is_on_its_way(shop: Shop) -> None:
    await crowd(shop, 6)
    number = (await begin(shop)).broadcast.id
    await fed(shop)
    assert len(await sent(shop, 2)) == 2
    on_its_way, put_back = await bulk(shop), await bulk(shop)
    assert on_its_way is not None
    assert put_back is not None
    paused = await shop.broadcasts.pause(ADMIN, number)
    assert (paused.reach.sent, paused.left, paused.percent) == (2, 4, 33)
    await shop.outbox.put_off(put_back, "TelegramRetryAfter", timedelta(0))
    assert not await shop.broadcasts.feed()
    assert await bulk(shop) is None
    await shop.outbox.sent(on_its_way, 1)
    assert (await rows(shop, "held"), await rows(shop, "queued")) == (3, 0)
    async with shop.database.connection() as tx:
        assert await outbox.oldest_age(tx) == 0
    assert (await shop.broadcasts.pause(ADMIN, number)).broadcast.state is BroadcastState.PAUSED
    await shop.broadcasts.resume(SECOND_ADMIN, number)
    assert len(await delivered(shop)) == 3
    assert await audited(shop) == ["started", "paused", "resumed", "ended"]


async def test_the_days_of_a_pause_are_no_days_of_trying(shop: Shop) -> None:
    await crowd(shop, 1)
    number = (await begin(shop)).broadcast.id
    await fed(shop)
    for _ in range(2):
        message = await bulk(shop)
        assert message is not None
        await shop.outbox.put_off(message, "TelegramRetryAfter", timedelta(0))
        await shop.broadcasts.pause(ADMIN, number)
        await change(shop, "UPDATE outbox SET tried_at = tried_at - interval '2 d'")
        await shop.broadcasts.resume(ADMIN, number)
    assert len(await delivered(shop)) == 1


async def test_a_paused_one_does_not_hold_up_another(shop: Shop) -> None:
    await crowd(shop, 3)
    number = (await begin(shop)).broadcast.id
    await fed(shop)
    await shop.broadcasts.pause(ADMIN, number)
    await begin(shop, key="another")
    await fed(shop)
    assert len(await sent(shop)) == 3


async def test_what_is_stopped_is_never_sent(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PORTION", 4)
    await crowd(shop, 20)
    number = (await begin(shop)).broadcast.id
    await fed(shop)
    await sent(shop, 2)
    on_its_way = await bulk(shop)
    assert on_its_way is not None
    await shop.broadcasts.pause(ADMIN, number)
    stopped = await shop.broadcasts.stop(ADMIN, number)
    assert stopped.broadcast.ended_at is None, "one is still on its way"
    await fed(shop)
    assert await shop.broadcasts.count_open() == 1
    await shop.outbox.sent(on_its_way, 1)
    await fed(shop)
    assert await shop.broadcasts.count_open() == 0
    progress = await shop.broadcasts.get(ADMIN, number)
    assert progress.broadcast.state is BroadcastState.STOPPED
    assert (progress.reach.sent, progress.left) == (3, 17)
    assert await bulk(shop) is None
    for again in (shop.broadcasts.pause, shop.broadcasts.resume):
        with pytest.raises(AlreadyDecided):
            await again(ADMIN, number)
    assert (await shop.broadcasts.stop(ADMIN, number)).left == 17
    assert await audited(shop) == ["started", "paused", "stopped", "ended"]


async def test_its_author_hears_once_how_it_went(shop: Shop) -> None:
    await crowd(shop, 2)
    number = (await begin(shop)).broadcast.id
    await fed(shop)
    await sent(shop)
    await asyncio.gather(*(shop.broadcasts.feed() for _ in range(8)))
    assert await shop.told(ADMIN) == ["admin-broadcast-ended"]
    report = await shop.outbox.claim(URGENT)
    assert report is not None
    lasted = report.arguments["lasted"]
    assert report.arguments == {
        "id": number,
        "state": "done",
        "sent": 2,
        "blocked": 0,
        "failed": 0,
        "unwanted": 0,
        "left": 0,
        "lasted": lasted,
    }
    assert await shop.told(SECOND_ADMIN) == []


async def test_each_change_is_shown_once_and_not_too_often(shop: Shop) -> None:
    async def shown_after_a_while() -> Progress | None:
        await change(shop, "UPDATE broadcast SET shown_at = now() - interval '1 h'")
        found = await asyncio.gather(*(shop.broadcasts.next_to_show() for _ in range(4)))
        seen = [each[0] for each in found if each]
        for progress in seen:
            await shop.broadcasts.showed(progress)
        assert len(seen) <= 1
        return seen[0] if seen else None

    await crowd(shop, 3)
    await begin(shop)
    assert await shop.broadcasts.next_to_show() is None  # its message has only just been written
    assert await shown_after_a_while()
    assert await shown_after_a_while() is None
    await fed(shop)
    assert len(await sent(shop)) == 3
    await fed(shop)
    last = await shown_after_a_while()
    assert last is not None
    assert last.broadcast.ended_at is not None
    assert await shown_after_a_while() is None


async def test_only_who_has_the_right_begins_or_stops_one(shop: Shop) -> None:
    await crowd(shop, 1)
    number = (await begin(shop)).broadcast.id
    await change(shop, "INSERT INTO staff (telegram_id, role, granted_by) VALUES (77, 'cashier', 900)")
    for admin, refusal in ((77, NotAllowed), (78, NotFound)):
        deeds = (
            shop.broadcasts.start(admin, WORDS, Audience(), request_key="k", message_id=None),
            shop.broadcasts.count(admin, Audience()),
            shop.broadcasts.get(admin, number),
            shop.broadcasts.newest(admin),
            shop.broadcasts.pause(admin, number),
            shop.broadcasts.resume(admin, number),
            shop.broadcasts.stop(admin, number),
        )
        for deed in deeds:
            with pytest.raises(refusal):
                await deed
    with pytest.raises(NotFound):
        await shop.broadcasts.pause(ADMIN, number + 1)
    await shop.broadcasts.pause(ADMIN, number)
    await shop.broadcasts.stop(ADMIN, number)
    await fed(shop)


def test_a_text_is_what_telegram_takes_and_promises_nothing() -> None:
    for text, photo, refusal in (
        ("", None, BroadcastWithoutWords),
        (" \n", "photo", BroadcastWithoutWords),
        ("ы" * 4097, None, BroadcastTooLong),
        ("ы" * 1025, "photo", BroadcastTooLong),
        ("😀" * 2049, None, BroadcastTooLong),
        ("Гарантированный доход", None, BannedWording),
    ):
        with pytest.raises(refusal):
            module.read_words(text, [], photo)
    assert module.read_words("😀" * 2048, [], None).text
    assert module.read_words("ы" * 1024, [], "photo").photo == "photo"


@pytest.mark.parametrize(
    ("typed", "made"),
    [
        ("Расписание https://example.com", ("Расписание", "https://example.com")),
        (" Все  матчи\nhttps://a.example.com:8443/x?y=1#z ", ("Все матчи", "https://a.example.com:8443/x?y=1#z")),
    ],
)
def test_a_button_is_words_and_a_link(typed: str, made: tuple[str, str]) -> None:
    assert module.read_button(typed) == made


@pytest.mark.parametrize(
    ("typed", "refusal"),
    [
        ("https://example.com", NotALink),
        ("Матчи", NotALink),
        ("Матчи http://example.com", NotALink),
        ("Матчи https://", NotALink),
        ("Матчи https://localhost", NotALink),
        ("Матчи https://user:word@example.com", NotALink),
        ("Матчи https://exa_mple.com", NotALink),
        ("Матчи https://example.com:99999", NotALink),
        ("Матчи https://[::1", NotALink),
        ("Матчи javascript:alert(1)", NotALink),
        ("Матчи tg://resolve?domain=x", NotALink),
        ("Матчи https://пример.рф", NotALink),
        (f"Матчи https://example.com/{'a' * 500}", NotALink),
        (f"{'а' * 41} https://example.com", LabelTooLong),
        ("Без риска https://example.com", BannedWording),
    ],
)
def test_what_is_no_button_is_refused(typed: str, refusal: type[Exception]) -> None:
    with pytest.raises(refusal):
        module.read_button(typed)
