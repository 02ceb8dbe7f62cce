"""Casinos: whatever they report, in any order and however often, counts once and is told once; money never moves."""

import asyncio
import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlencode

import pytest

from db import proof
from db.models import CasinoEvent, Player
from services.casinos import Casinos
from services.errors import CasinoAccountKnown, CasinoAccountTaken, NotAllowed, NotFound, RulesNotAccepted
from services.masking import HIDDEN
from services.providers import Delivery
from services.providers.casino import Programme
from tests.shop import ADMIN, PROGRAMMES, Shop

POSTBACKS = 2_000
"""Of the large test; 10,000 take five times as long."""
TOKEN = "fixture-path-secret"


async def sends(
    shop: Shop, *postbacks: Mapping[str, object], at: datetime | None = None, programme: str = "1win"
) -> None:
    """The casino reports; nobody has acted on it yet."""
    for postback in postbacks:
        await shop.inbox.accept_postback(
            programme,
            Delivery(
                body=b"",
                headers={},
                remote=ip_address("127.0.0.1"),
                received_at=at or datetime.now(UTC),
                query=urlencode({name: value for name, value in postback.items() if value is not None}),
                path_secret=TOKEN,
            ),
        )


async def reports(shop: Shop, *postbacks: Mapping[str, object], at: datetime | None = None) -> None:
    await sends(shop, *postbacks, at=at)
    await shop.works(1)


def registration(account: object, click: str | None = None) -> dict[str, object]:
    return {"event": "registration", "user_id": account, "sub1": click}


def deposit(
    account: object, amount: object, number: object = None, click: str | None = None, **more: object
) -> dict[str, object]:
    return {"event": "deposit", "user_id": account, "amount": amount, "transaction_id": number, "sub1": click, **more}


async def click(shop: Shop, player: Player, programme: str = "1win") -> str:
    place = await shop.casinos.place(player, programme)
    assert place.url is not None
    return place.url.rpartition("=")[2]


async def events(shop: Shop, player: Player | None = None, *, odd: bool = False) -> list[CasinoEvent]:
    page = await shop.casinos.events(player_id=None if player is None else player.id, odd=odd)
    return [event for event in page.items if (event.problem is not None) == odd]


async def notices(shop: Shop, player: Player) -> list[tuple[str, dict[str, Any]]]:
    async with shop.database.connection() as tx:
        rows = await tx.fetch(
            "SELECT text_id, arguments FROM outbox WHERE chat_id = $1 AND text_id LIKE 'casino-%' ORDER BY id",
            player.telegram_id,
        )
    return [(row["text_id"], row["arguments"]) for row in rows]


async def told(shop: Shop, player: Player) -> list[str]:
    return [text_id for text_id, _ in await notices(shop, player)]


async def untouched(shop: Shop) -> bool:
    """No wallet, no journal, no operation."""
    async with shop.database.connection() as tx:
        return bool(
            await tx.fetchval(
                "SELECT NOT EXISTS (SELECT FROM ledger_journal) AND NOT EXISTS (SELECT FROM wallet_operations)"
                " AND NOT EXISTS (SELECT FROM wallet WHERE available_minor <> 0)"
            )
        )


# ---- linking


async def test_every_player_has_a_link_of_ones_own_that_does_not_tell_who_it_is(shop: Shop) -> None:
    anna, ben = await shop.player(1001), await shop.player(1002)
    links = {await click(shop, player) for player in (anna, anna, ben, ben)}
    assert len(links) == 2
    assert all(len(link) == 16 and "1001" not in link for link in links)
    eve = await shop.player(1003)
    twins = await asyncio.gather(*(shop.casinos.places(eve) for _ in range(20)))
    assert len({places[0].url for places in twins}) == 1


async def test_the_link_is_only_for_who_took_the_rules(shop: Shop) -> None:
    visit = await shop.players.visit(1001, username=None, name="Анна", language_code="ru")
    with pytest.raises(RulesNotAccepted):
        await shop.casinos.places(visit.player)
    with pytest.raises(NotFound):
        await shop.casinos.place(await shop.player(), "pinup")


async def test_a_registration_binds_the_account_once_and_welcomes(shop: Shop) -> None:
    anna = await shop.player()
    link = await click(shop, anna)
    await reports(shop, *[registration("77", link)] * 3)
    place = await shop.casinos.place(anna, "1win")
    assert place.account is not None
    assert (place.account.casino_id, place.account.bound_by, place.url) == ("77", "postback", None)
    assert await notices(shop, anna) == [("casino-registered", {"title": "1Win"})]
    await reports(shop, deposit("77", 1000, "t1"))
    assert await told(shop, anna) == ["casino-registered", "casino-deposit"]
    assert await untouched(shop)


async def test_an_account_that_is_bound_elsewhere_stays_there_and_admins_see_it(shop: Shop) -> None:
    anna, ben = await shop.player(1001), await shop.player(1002)
    await reports(shop, registration("77", await click(shop, anna)))
    await reports(shop, registration("77", await click(shop, ben)), deposit("77", 5, "t1", await click(shop, ben)))
    assert [(event.kind, event.player_id) for event in await events(shop)] == [
        ("deposit", anna.id),
        ("registration", anna.id),
    ]
    odd = await events(shop, odd=True)
    assert [(event.problem, event.player_id) for event in odd] == [("bound-elsewhere", anna.id)]
    assert await told(shop, ben) == []
    assert await shop.told(ADMIN) == ["admin-casino-odd"]


async def test_a_second_account_of_the_same_player_waits_and_admins_see_it(shop: Shop) -> None:
    anna = await shop.player()
    link = await click(shop, anna)
    await reports(shop, registration("77", link), registration("88", link), deposit("88", 5, "t1", link))
    assert [event.problem for event in await events(shop, odd=True)] == ["second-account"]
    assert [account.casino_id for account in await shop.casinos.accounts(anna.id)] == ["77"]
    assert [stranger.casino_id for stranger in (await shop.casinos.strangers()).items] == ["88"]
    assert await told(shop, anna) == ["casino-registered"]


async def test_any_report_that_names_both_binds(shop: Shop) -> None:
    anna = await shop.player()
    await reports(shop, deposit("77", 5, "t1", await click(shop, anna)))
    assert [account.casino_id for account in await shop.casinos.accounts(anna.id)] == ["77"]
    assert await told(shop, anna) == ["casino-deposit"]


async def test_a_report_with_our_click_and_no_account_is_its_players(shop: Shop) -> None:
    anna = await shop.player()
    keitaro = {"subid": await click(shop, anna), "status": "sale", "payout": "40", "currency": "USD", "tid": "t1"}
    await reports(shop, keitaro)
    assert [(event.player_id, event.casino_id) for event in await events(shop)] == [(anna.id, None)]
    assert await shop.casinos.accounts(anna.id) == []
    assert await notices(shop, anna) == [
        ("casino-deposit", {"title": "1Win", "amount": "40.00\u00a0USD", "signals": "open"})
    ]


async def test_a_click_that_is_not_ours_and_no_account_is_odd(shop: Shop) -> None:
    await reports(shop, deposit(None, 5, "t1", "c7f3a9d2e1b84c50"))
    assert [event.problem for event in await events(shop, odd=True)] == ["player-unknown"]
    assert await events(shop) == []


@pytest.mark.parametrize("order", range(6))
async def test_two_halves_of_one_deposit_are_joined_in_any_order(shop: Shop, order: int) -> None:
    """One word came with the account, another with the click: together they say whose it is."""
    anna = await shop.player()
    link = await click(shop, anna)
    halves = [
        deposit("77", 5, "t1", event="ftd"),
        deposit(None, 5, "t1", link),
        deposit("77", 5, "t1", "nobodys-click", event="rd"),
    ]
    random.Random(order).shuffle(halves)
    for half in halves:
        await reports(shop, half)
    (event,) = await events(shop)
    assert (event.player_id, event.casino_id, event.first) == (anna.id, "77", True)
    assert sorted(event.words) == ["deposit", "ftd", "rd"]
    assert await told(shop, anna) == ["casino-deposit"]
    assert await events(shop, odd=True) == []


@pytest.mark.parametrize("order", range(6))
async def test_a_registration_reported_with_and_without_its_account_is_one(shop: Shop, order: int) -> None:
    """A tracker knows only the click, the casino itself also the account."""
    anna = await shop.player()
    link = await click(shop, anna)
    told_by: list[dict[str, object]] = [
        {"status": "lead", "subid": link},
        registration("77", link),
        {"event": "reg", "player_id": "77", "sub1": link, "country": "kz", "user_id": "{user_id}"},
    ]
    for number in ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0))[order]:
        await reports(shop, told_by[number])
    (event,) = await events(shop)
    assert (event.player_id, event.casino_id) == (anna.id, "77")
    assert await told(shop, anna) == ["casino-registered"]
    ben = await shop.player(1002)
    await reports(shop, registration("78", link), registration("77", await click(shop, ben)))
    assert sorted(event.casino_id or "" for event in await events(shop)) == ["77", "78"]
    assert sorted(event.problem or "" for event in await events(shop, odd=True)) == [
        "bound-elsewhere",
        "second-account",
    ]
    assert await told(shop, ben) == []


# ---- counting once


async def test_one_deposit_under_two_words_counts_once(shop: Shop) -> None:
    anna = await shop.player()
    link = await click(shop, anna)
    both = [deposit("77", 5, "t1", link, event=word) for word in ("first_deposit", "deposit")]
    await reports(shop, *both, *both)
    (event,) = await events(shop)
    assert (event.words, event.first, event.weak) == (["first_deposit", "deposit"], True, False)
    assert await told(shop, anna) == ["casino-deposit"]


@pytest.mark.parametrize(
    "other",
    [
        deposit("77", 6, "t1"),
        deposit("88", 5, "t1"),
        deposit("77", 5, "t1", currency="USD"),
        deposit("77", 6, "t1", event="ftd"),
    ],
)
async def test_the_first_report_of_a_transaction_holds_and_another_that_disagrees_is_shown(
    shop: Shop, other: dict[str, object]
) -> None:
    anna = await shop.player()
    await reports(shop, deposit("77", 5, "t1", await click(shop, anna)))
    await reports(shop, other, other)
    (event,) = await events(shop)
    assert (event.player_id, str(event.amount)) == (anna.id, "5.00\u00a0RUB")
    assert [event.problem for event in await events(shop, odd=True)] == ["disagrees"]
    assert await told(shop, anna) == ["casino-deposit"]


async def test_an_odd_report_does_not_stand_in_the_way_of_a_right_one(shop: Shop) -> None:
    anna = await shop.player()
    await reports(shop, deposit("77", "{amount}", "t1", await click(shop, anna)))
    assert await told(shop, anna) == []
    await reports(shop, deposit("77", 5, "t1", await click(shop, anna)))
    assert [str(event.amount) for event in await events(shop)] == ["5.00\u00a0RUB"]


async def test_without_a_transaction_id_the_same_within_a_minute_is_the_same(shop: Shop) -> None:
    anna = await shop.player()
    await reports(shop, registration("77", await click(shop, anna)))
    start = datetime(2026, 11, 20, 12, 0, 50, tzinfo=UTC)
    for seconds in (0, 9, 15, 60, 130, 300):  # 15 is another minute of the clock
        await reports(shop, deposit("77", 5), at=start + timedelta(seconds=seconds))
    await reports(shop, deposit("77", 6), at=start)
    await reports(shop, deposit("77", 5, event="ftd"), at=start + timedelta(seconds=20))
    found = [event for event in await events(shop) if event.kind == "deposit"]
    assert all(event.weak for event in found)
    times = sorted((event.received_at - start).total_seconds() for event in found if str(event.amount)[0] == "5")
    assert times == [0, 130, 300]
    assert len(found) == 4


async def test_the_casinos_own_time_tells_two_alike_apart(shop: Shop) -> None:
    for moment in ("1790000300", "1790000301", "1790000300"):
        await reports(shop, deposit("77", 5, date=moment))
    await reports(shop, deposit("77", 5, date="1790000300"), at=datetime.now(UTC) + timedelta(days=2))
    assert len(await events(shop)) == 2


async def test_fifty_copies_at_once_count_once(shop: Shop) -> None:
    anna = await shop.player()
    link = await click(shop, anna)
    copies = [deposit("77", 5, "t1", link, event=word) for word in ("ftd", "dep")] * 25
    await asyncio.gather(*(sends(shop, copy) for copy in copies), shop.works(4))
    await shop.works(4)
    assert len(await events(shop)) == 1
    assert await told(shop, anna) == ["casino-deposit"]
    async with shop.database.connection() as tx:
        assert await tx.fetchval("SELECT sum(deliveries) FROM webhook_inbox") == 50


# ---- strangers


async def test_what_waits_for_a_stranger_becomes_the_players_and_is_told_in_one_message(shop: Shop) -> None:
    anna = await shop.player()
    await reports(
        shop,
        deposit("77", 5, "t1"),
        deposit("77", 6, "t2"),
        {"event": "withdrawal", "user_id": "77", "amount": 3, "transaction_id": "t3"},
        {"event": "win", "user_id": "77", "amount": 4, "transaction_id": "t4"},
    )
    assert {event.player_id for event in await events(shop)} == {None}
    await reports(shop, registration("77", await click(shop, anna)))
    assert {event.player_id for event in await events(shop)} == {anna.id}
    counts = {"events": 4, "deposits": 2, "withdrawals": 1, "wins": 1}
    assert await notices(shop, anna) == [
        ("casino-registered", {"title": "1Win"}),
        ("casino-linked", {"title": "1Win", "account": "77", **counts, "signals": "open"}),
    ]
    await reports(shop, deposit("77", 7, "t5"))
    assert (await told(shop, anna))[2:] == ["casino-deposit-again"]


async def test_one_thing_that_waited_is_told_as_usual_after_the_welcome(shop: Shop) -> None:
    anna = await shop.player()
    await reports(shop, deposit("77", 5, "t1"))
    await reports(shop, registration("77", await click(shop, anna)))
    assert await told(shop, anna) == ["casino-registered", "casino-deposit"]


async def test_an_admin_says_whose_account_it_is(shop: Shop) -> None:
    anna, ben = await shop.player(1001), await shop.player(1002)
    await reports(shop, deposit("77", 5, "t1"), deposit("77", "?", "t2"), deposit("88", 5, "t3"))
    strangers = {one.casino_id: one for one in (await shop.casinos.strangers()).items}
    assert strangers["77"].events == 2
    account = await shop.casinos.link(ADMIN, strangers["77"].newest_id, anna.id)
    assert (account.player_id, account.bound_by) == (anna.id, f"admin:{ADMIN}")
    assert await told(shop, anna) == ["casino-deposit"]
    assert len(await events(shop, anna)) == len(await events(shop, anna, odd=True)) == 1
    await shop.casinos.link(ADMIN, strangers["77"].newest_id, anna.id)  # pressed twice
    with pytest.raises(CasinoAccountTaken):
        await shop.casinos.link(ADMIN, strangers["77"].newest_id, ben.id)
    with pytest.raises(CasinoAccountKnown):
        await shop.casinos.link(ADMIN, strangers["88"].newest_id, anna.id)
    for event_id, player_id in ((strangers["88"].newest_id, 2**40), (2**40, ben.id)):
        with pytest.raises(NotFound):
            await shop.casinos.link(ADMIN, event_id, player_id)
    async with shop.database.connection() as tx:
        rows = await tx.fetch(
            "SELECT actor, user_id, details FROM audit_log WHERE action = 'casino' AND status = 'bound'"
        )
    assert [(row["actor"], row["user_id"], row["details"]["casino_id"]) for row in rows] == [
        (f"admin:{ADMIN}", anna.id, "77")
    ]


async def test_an_account_of_which_nothing_counts_yet_can_be_linked_too(shop: Shop) -> None:
    anna = await shop.player()
    await reports(shop, deposit("77", "?", "t1"))
    stranger = (await shop.casinos.strangers()).items[0]
    await shop.casinos.link(ADMIN, stranger.newest_id, anna.id)
    ((text_id, arguments),) = await notices(shop, anna)
    assert (text_id, arguments["account"], arguments["events"], arguments["signals"]) == (
        "casino-linked",
        "77",
        0,
        "deposit",
    )
    assert (await shop.casinos.strangers()).items == []


async def test_two_admins_and_a_postback_at_once_bind_an_account_once(shop: Shop) -> None:
    people = [await shop.player(1001 + number) for number in range(3)]
    await reports(shop, deposit("77", 5, "t1"))
    await sends(shop, registration("77", await click(shop, people[2])))
    event = (await events(shop))[0].id
    outcomes = await asyncio.gather(
        *(shop.casinos.link(ADMIN, event, player.id) for player in people[:2]), shop.works(4), return_exceptions=True
    )
    assert sum(isinstance(outcome, CasinoAccountTaken) for outcome in outcomes) >= 1
    async with shop.database.connection() as tx:
        assert await tx.fetchval("SELECT count(*) FROM casino_account") == 1
    assert sum([len(await told(shop, player)) > 0 for player in people]) == 1


async def test_who_may_not_does_not_link(shop: Shop) -> None:
    anna = await shop.player()
    await reports(shop, deposit("77", 5, "t1"), deposit("77", "?", "t2"))
    event = (await events(shop))[0].id
    async with shop.database.owner() as owner:
        await owner.execute("INSERT INTO staff (telegram_id, role, granted_by) VALUES (955, 'cashier', 900)")
    for admin, refusal in ((955, NotAllowed), (1001, NotFound)):
        with pytest.raises(refusal):
            await shop.casinos.link(admin, event, anna.id)
        with pytest.raises(refusal):
            await shop.casinos.see_odd(admin, event)


# ---- what is odd


async def test_admins_hear_of_odd_events_at_most_once_an_hour_and_look_at_them_once(shop: Shop) -> None:
    await reports(shop, *(deposit("77", "?", f"t{number}") for number in range(20)))
    assert await shop.told(ADMIN) == ["admin-casino-odd"]
    assert await shop.casinos.count_odd() == 20
    async with shop.database.owner() as owner:
        await owner.execute("UPDATE told_lately SET told_at = now() - interval '61 min'")
    await reports(shop, *(deposit("77", "?", f"u{number}") for number in range(20)))
    assert await shop.told(ADMIN) == ["admin-casino-odd"] * 2
    newest = (await events(shop, odd=True))[0].id
    await shop.casinos.see_odd(ADMIN, newest)
    await shop.casinos.see_odd(ADMIN, newest)
    await reports(shop, deposit("77", "?", "new"))
    assert await shop.casinos.count_odd() == 1
    case = await shop.casinos.case(newest + 1)
    assert case.said == {"event": "deposit", "user_id": "77", "amount": "?", "transaction_id": "new"}


# ---- what the player hears


async def test_an_admin_sees_what_came_without_what_is_nobodys_business(shop: Shop) -> None:
    secret = {"sign": "deadbeef", "email": "anna@example.com", "note": f"see {TOKEN}"}
    await reports(shop, deposit("77", "5", "t1", **secret))
    (event,) = await events(shop)
    shown = {"event": "deposit", "user_id": "77", "amount": "5", "transaction_id": "t1"}
    masked = {"sign": HIDDEN, "email": HIDDEN, "note": f"see {HIDDEN}"}
    assert (await shop.casinos.case(event.id)).said == {**shown, **masked}


async def test_a_win_is_told_once_in_five_minutes_however_many_come_at_once(shop: Shop) -> None:
    anna = await shop.player()
    await reports(shop, registration("77", await click(shop, anna)))

    async def wins(*numbers: int) -> None:
        copies = [{"event": "win", "user_id": "77", "amount": 1, "transaction_id": f"w{number}"} for number in numbers]
        await asyncio.gather(*(sends(shop, copy) for copy in copies), shop.works(4))
        await shop.works(4)

    await wins(*range(20), *range(20))
    assert (await told(shop, anna)).count("casino-win") == 1
    async with shop.database.owner() as owner:
        await owner.execute("UPDATE told_lately SET told_at = now() - interval '4 min 50 s'")
    await wins(20)
    assert (await told(shop, anna)).count("casino-win") == 1
    async with shop.database.owner() as owner:
        await owner.execute("UPDATE told_lately SET told_at = now() - interval '5 min'")
    await wins(21, 22)
    assert (await told(shop, anna)).count("casino-win") == 2
    assert len([event for event in await events(shop) if event.kind == "win"]) == 8  # a page of 23


async def test_an_old_win_is_no_news(shop: Shop) -> None:
    anna = await shop.player()
    await reports(shop, registration("77", await click(shop, anna)))
    win = {"event": "win", "user_id": "77", "amount": 1}
    await reports(shop, {**win, "transaction_id": "w1"}, at=datetime.now(UTC) - timedelta(minutes=11))
    hour = int((datetime.now(UTC) - timedelta(hours=1)).timestamp())
    await reports(shop, {**win, "transaction_id": "w2", "date": hour})
    assert await told(shop, anna) == ["casino-registered"]


@pytest.mark.parametrize("how", ["blocked", "no rules"])
async def test_who_blocked_the_bot_or_never_took_the_rules_is_not_written_to(shop: Shop, how: str) -> None:
    anna = await shop.player()
    link = await click(shop, anna)
    async with shop.database.owner() as owner:
        column = "bot_blocked_at = now()" if how == "blocked" else "accepted_at = NULL"
        await owner.execute(f"UPDATE users SET {column} WHERE id = $1", anna.id)
    await reports(shop, registration("77", link), deposit("77", 5, "t1"))
    assert await told(shop, anna) == []
    assert len(await events(shop, anna)) == 2


@pytest.mark.parametrize(("member", "signals"), [(False, "channel"), (True, "open")])
async def test_the_first_deposit_says_what_is_missing_for_the_signals(shop: Shop, member: bool, signals: str) -> None:
    anna = await shop.player()
    if member:
        async with shop.database.owner() as owner:
            await owner.execute("INSERT INTO channel_member (user_id, member) VALUES ($1, true)", anna.id)
    gated = replace(shop.inbox, casinos=Casinos(shop.database, shop.outbox, PROGRAMMES, channel=True))
    await sends(shop, deposit("77", 1000, "t1", await click(shop, anna), currency="kzt"), deposit("77", 5, "t2"))
    while await gated.act_on_postbacks():
        pass
    assert await notices(shop, anna) == [
        ("casino-deposit", {"title": "1Win", "amount": "1\u00a0000.00\u00a0KZT", "signals": signals}),
        ("casino-deposit-again", {"title": "1Win", "amount": "5.00\u00a0RUB"}),
    ]


# ---- trouble


async def test_an_event_that_cannot_be_acted_on_is_put_off_and_only_that(shop: Shop) -> None:
    anna = await shop.player()
    link = await click(shop, anna)
    await sends(shop, *(deposit("77", 5, f"t{number}", link) for number in range(10)))
    async with shop.database.owner() as owner:
        poisoned = await owner.fetchval(
            "UPDATE webhook_inbox SET body = '{' WHERE id = (SELECT min(id) + 4 FROM webhook_inbox) RETURNING id"
        )
    await shop.works(1)
    async with shop.database.connection() as tx:
        rows = await tx.fetch("SELECT id, state, attempts FROM webhook_inbox")
        assert await tx.fetchval("SELECT count(*) FROM casino_event") == 9
    assert {(row["state"], row["attempts"]) for row in rows if row["id"] != poisoned} == {("done", 0)}
    assert [(row["state"], row["attempts"]) for row in rows if row["id"] == poisoned] == [("queued", 1)]
    assert (await told(shop, anna)).count("casino-deposit") == 1
    async with shop.database.owner() as owner:  # for verify: nothing of it is left
        await owner.execute("UPDATE webhook_inbox SET state = 'done', done_at = now() WHERE id = $1", poisoned)


async def test_two_casinos_do_not_meet(shop: Shop) -> None:
    """The same numbers at another casino are other accounts, clicks and transactions."""
    anna, ben = await shop.player(1001), await shop.player(1002)
    pinup = Programme("pinup", "Pin-Up", "https://pinup.example/{sub1}", [TOKEN], None, "USD")
    casinos = Casinos(shop.database, shop.outbox, {**PROGRAMMES, "pinup": pinup}, channel=False)
    both = replace(shop.inbox, casinos=casinos)
    places = {place.programme: place for place in await casinos.places(ben)}
    assert places["pinup"].url is not None
    bens = places["pinup"].url.rpartition("/")[2]
    annas = await click(shop, anna)
    for programme, link in (("1win", annas), ("pinup", bens), ("pinup", annas)):
        await both.accept_postback(
            programme,
            Delivery(
                b"", {}, ip_address("127.0.0.1"), datetime.now(UTC), urlencode(deposit("77", 5, "t1", link)), TOKEN
            ),
        )
    while await both.act_on_postbacks():
        pass
    found = {event.programme: event for event in await events(shop)}
    assert (found["1win"].player_id, found["pinup"].player_id) == (anna.id, ben.id)
    assert str(found["pinup"].amount) == "5.00\u00a0USD"
    assert [arguments["title"] for _, arguments in await notices(shop, ben)] == ["Pin-Up"]
    totals = {one.programme: one for one in await casinos.totals()}
    assert (totals["1win"].accounts, totals["pinup"].accounts) == (1, 1)


async def test_verify_sees_what_belongs_to_the_wrong_player(shop: Shop) -> None:
    anna, ben, eve = [await shop.player(1001 + number) for number in range(3)]
    await reports(shop, registration("77", await click(shop, anna)), deposit(None, 5, "t1", await click(shop, ben)))
    await reports(shop, deposit("88", 5, "t2"))
    await shop.casinos.link(ADMIN, (await events(shop))[0].id, eve.id)
    breaks = {
        "UPDATE casino_event SET user_id = {eve} WHERE casino_id = '77'": "casino event belongs",
        "UPDATE casino_event SET user_id = {eve} WHERE casino_id IS NULL": "casino event belongs",
        "UPDATE casino_event SET user_id = NULL, linked_at = NULL WHERE casino_id = '77'": "casino event belongs",
        "UPDATE casino_event SET problem = 'x' WHERE casino_id = '77'": "casino account was bound",
        "UPDATE casino_account SET bound_by = 'admin:900' WHERE casino_id = '77'": "casino account was bound",
        "UPDATE casino_account SET bound_by = 'admin:901' WHERE casino_id = '88'": "casino account was bound",
        "UPDATE casino_account SET bound_by = 'postback' WHERE casino_id = '88'": "casino account was bound",
    }
    for statement, rule in breaks.items():
        async with shop.database.owner() as owner:
            undone = owner.transaction()
            await undone.start()
            await owner.execute(statement.format(eve=eve.id))
            assert rule in " ".join(finding.rule for finding in await proof.verify(owner)), statement
            await undone.rollback()


# ---- everything at once


async def test_shuffled_and_doubled_postbacks_count_once_while_strangers_link(shop: Shop) -> None:
    """A third of the accounts is of players who register before, a third links half-way, a third never does."""
    chance = random.Random(7)
    people = [await shop.player(10_000 + number) for number in range(40)]
    links = [await click(shop, player) for player in people]
    accounts = [str(700 + number) for number in range(60)]
    late = dict(zip(accounts[20:40], links[20:], strict=True))
    happened: list[dict[str, object]] = [registration(account, links[nth]) for nth, account in enumerate(accounts[:20])]
    truth: Counter[tuple[str, str]] = Counter()
    while len(happened) < POSTBACKS:
        account, number = chance.choice(accounts), len(happened)
        event = chance.choice(["deposit", "deposit", "withdrawal", "win"])
        truth[account, event] += 1
        words = ["first_deposit", "deposit"] if event == "deposit" else [event]
        one = deposit(account, chance.randint(1, 10**6), f"t{number}", event=event)
        happened += [{**one, "event": word} for word in words for _ in range(chance.choice([1, 1, 2]))]
    chance.shuffle(happened)
    half = len(happened) // 2
    await asyncio.gather(sends(shop, *happened[:half:2]), sends(shop, *happened[1:half:2]), shop.works(2))
    latecomers = [registration(account, link) for account, link in late.items()]
    await asyncio.gather(sends(shop, *happened[half:]), sends(shop, *latecomers, *latecomers), shop.works(2))
    await shop.works(2)

    owners = dict(zip(accounts, [player.id for player in people], strict=False))
    async with shop.database.connection() as tx:
        rows = await tx.fetch("SELECT casino_id, kind, user_id FROM casino_event WHERE kind <> 'registration'")
        counted = Counter((row["casino_id"], row["kind"]) for row in rows)
        assert counted == truth
        assert all(row["user_id"] == owners.get(row["casino_id"]) for row in rows)
        assert await tx.fetchval("SELECT count(*) FROM casino_event WHERE kind = 'registration'") == 40
        assert await tx.fetchval("SELECT count(*) FROM casino_event WHERE problem IS NOT NULL") == 0
        assert await tx.fetchval("SELECT count(*) FROM webhook_inbox WHERE state <> 'done'") == 0
        told = await tx.fetch("SELECT dedupe_key, text_id, chat_id FROM outbox WHERE text_id LIKE 'casino-%'")
    assert len({row["dedupe_key"] for row in told}) == len(told)
    by_chat: dict[int, Counter[str]] = {}
    for row in told:
        by_chat.setdefault(row["chat_id"], Counter())[row["text_id"]] += 1
    assert by_chat.keys() == {player.telegram_id for player in people}
    for heard in by_chat.values():
        assert heard["casino-registered"] == 1
        assert heard["casino-win"] <= 1
        assert heard["casino-deposit"] <= 1
        assert heard["casino-linked"] <= 1
    assert await untouched(shop)
