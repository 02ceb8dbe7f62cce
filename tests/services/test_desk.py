"""The desk: roles, the house, and what was given up, with everybody pressing at once."""

import asyncio
from ipaddress import ip_address

import pytest

from db.database import Tx
from db.models import Player, ProviderName, Role
from db.money import Money
from db.outbox import Notice
from sandbox import Fault
from services.errors import (
    AlreadyDecided,
    LastOwner,
    NotAllowed,
    NotATelegramId,
    NotFound,
    OwnerBySettings,
    SourceGone,
)
from services.staff import RIGHTS, Right
from tests.shop import ADMIN, SECOND_ADMIN, Shop

CASHIER, EDITOR, OWNER, OTHER = 911, 912, 913, 914


async def audited(shop: Shop, actor: int = ADMIN) -> list[tuple[str, str]]:
    async with shop.database.connection() as tx:
        rows = await tx.fetch("SELECT action, status FROM audit_log WHERE actor = $1 ORDER BY log_id", f"admin:{actor}")
    return [(row["action"], row["status"]) for row in rows]


def refusals(results: list[object]) -> list[object]:
    """Everything but refusals is an error of the test."""
    for result in results:
        if isinstance(result, BaseException) and not isinstance(result, AlreadyDecided | NotFound | LastOwner):
            raise result
    return [result for result in results if isinstance(result, BaseException)]


# ---- roles


def test_every_role_may_enter_and_only_owners_grant() -> None:
    assert all(Right.DESK in rights for rights in RIGHTS.values())
    assert RIGHTS[Role.OWNER] == frozenset(Right)
    assert [role for role, rights in RIGHTS.items() if Right.STAFF in rights] == [Role.OWNER]


def test_who_decides_about_money_may_look_at_whose_it_is() -> None:
    """Pages about money lead to their player."""
    for rights in RIGHTS.values():
        assert Right.PLAYERS in rights or not rights & {Right.PAY, Right.MONEY}


async def test_a_role_is_granted_once_however_often_it_is_pressed(shop: Shop) -> None:
    granted = await asyncio.gather(*(shop.desk.grant(ADMIN, CASHIER, Role.CASHIER) for _ in range(8)))
    assert {one.role for one in granted} == {Role.CASHIER}
    assert await audited(shop) == [("staff", "granted")]
    assert await shop.told(CASHIER) == ["admin-role-granted"]
    assert await shop.staff.actor(CASHIER, Right.PAY) == f"admin:{CASHIER}"
    changed = await shop.desk.grant(ADMIN, CASHIER, Role.SUPPORT)
    assert (changed.role, changed.granted_by) == (Role.SUPPORT, ADMIN)
    with pytest.raises(NotAllowed):
        await shop.staff.actor(CASHIER, Right.PAY)
    assert len(await shop.told(CASHIER)) == 2


async def test_a_role_is_taken_away_once_and_may_come_back(shop: Shop) -> None:
    await shop.desk.grant(ADMIN, CASHIER, Role.CASHIER)
    results = await asyncio.gather(
        *(shop.desk.revoke(who, CASHIER) for who in [ADMIN, SECOND_ADMIN] * 4), return_exceptions=True
    )
    assert len(refusals(list(results))) == 7
    assert await shop.told(CASHIER) == ["admin-role-granted", "admin-role-revoked"]
    with pytest.raises(NotFound):
        await shop.staff.actor(CASHIER, Right.PAY)
    await shop.desk.grant(ADMIN, CASHIER, Role.CASHIER)
    assert len(await shop.told(CASHIER)) == 3


async def test_owners_of_the_settings_are_not_changed_from_the_chat(shop: Shop) -> None:
    for deed in (shop.desk.revoke(ADMIN, SECOND_ADMIN), shop.desk.grant(ADMIN, ADMIN, Role.EDITOR)):
        with pytest.raises(OwnerBySettings):
            await deed
    assert [(one.telegram_id, one.role) for one in await shop.desk.members()] == [
        (ADMIN, Role.OWNER),
        (SECOND_ADMIN, Role.OWNER),
    ]


async def without_settings(shop: Shop) -> None:
    """From now on only the table says who is an owner."""
    await shop.desk.grant(ADMIN, OWNER, Role.OWNER)
    await shop.desk.grant(ADMIN, OTHER, Role.OWNER)
    object.__setattr__(shop.staff, "owners", [])


async def test_somebody_can_always_grant_roles(shop: Shop) -> None:
    await without_settings(shop)
    await shop.desk.revoke(OWNER, OTHER)
    for deed in (shop.desk.revoke(OWNER, OWNER), shop.desk.grant(OWNER, OWNER, Role.EDITOR)):
        with pytest.raises(LastOwner):
            await deed
    await shop.desk.grant(OWNER, OTHER, Role.OWNER)
    stepped_down = await shop.desk.grant(OWNER, OWNER, Role.EDITOR)
    assert stepped_down.role is Role.EDITOR
    object.__setattr__(shop.staff, "owners", [ADMIN, SECOND_ADMIN])


async def test_two_owners_who_take_each_others_role_leave_one(shop: Shop) -> None:
    await without_settings(shop)
    results = await asyncio.gather(
        shop.desk.revoke(OWNER, OTHER), shop.desk.revoke(OTHER, OWNER), return_exceptions=True
    )
    assert len(refusals(list(results))) == 1
    assert len(await shop.desk.members()) == 1
    object.__setattr__(shop.staff, "owners", [ADMIN, SECOND_ADMIN])


async def test_what_is_no_telegram_id_is_refused(shop: Shop, subtests: pytest.Subtests) -> None:
    for text in ["", "0", "-1", "1.5", "@anna", "9" * 400, str(2**52), "٣", "1e3", "0x10"]:
        with subtests.test(text=text), pytest.raises(NotATelegramId):
            await shop.desk.named(text)


async def test_a_person_is_known_by_what_the_bot_knows(shop: Shop) -> None:
    await shop.player(1001)
    known, unknown = await shop.desk.named(" 1001 "), await shop.desk.named("1002")
    assert (known.name, known.role, known.player_id is None) == ("Анна", None, False)
    assert (unknown.name, unknown.player_id) == ("", None)


# ---- the house


async def test_the_house_is_closed_and_opened_once(shop: Shop) -> None:
    results = await asyncio.gather(*(shop.desk.close(ADMIN) for _ in range(5)), return_exceptions=True)
    assert len(refusals(list(results))) == 4
    visit = await shop.players.visit(1001, username=None, name="Анна", language_code="ru")
    assert visit.closed
    results = await asyncio.gather(*(shop.desk.reopen(ADMIN) for _ in range(5)), return_exceptions=True)
    assert len(refusals(list(results))) == 4
    visit = await shop.players.visit(1001, username=None, name="Анна", language_code="ru")
    assert not visit.closed
    assert await audited(shop) == [("maintenance", "closed"), ("maintenance", "open")]


# ---- what waits


async def test_the_panel_counts_what_the_rooms_count(shop: Shop) -> None:
    anna = await shop.player()
    operation = await shop.asks(anna, ProviderName.STRIPE)
    await shop.receives(ProviderName.STRIPE, await shop.pays(operation, amount=70_00))
    await shop.works()
    await shop.deposited(anna, Money(200_00, "USD"))
    method = await shop.payee(anna)
    await shop.payee(anna, 1)
    await shop.withdrawals.request(anna, method.id, Money(50_00, "USD"), None, request_key="w")
    await shop.adjustments.propose(ADMIN, anna.id, Money(50_000_00, "USD"), reason="Bonus", request_key="k")
    waiting = await shop.desk.waiting()
    dead, unsent = await shop.letters.count()
    assert (waiting.withdrawals, waiting.methods) == (
        (await shop.withdrawals.queue()).count,
        (await shop.methods.waiting()).count,
    )
    assert waiting.items == await shop.reconciliation.count_open() > 0
    assert waiting.debts == await shop.returns.count_debts()
    assert waiting.corrections == await shop.adjustments.count_waiting() == 1
    assert (waiting.deliveries, waiting.messages) == (dead, unsent) == (0, 0)
    assert waiting.reports == await shop.casinos.count_odd()
    assert waiting.signals == await shop.signals.count_without_result()
    assert waiting.broadcasts == await shop.broadcasts.count_open()


# ---- what was given up


async def a_dead_delivery(shop: Shop, player: Player) -> int:
    """A paid deposit whose delivery was tried too often before anybody could act on it."""
    operation = await shop.asks(player, ProviderName.STRIPE)
    await shop.receives(ProviderName.STRIPE, await shop.pays(operation))
    async with shop.database.connection() as tx:
        return int(
            await tx.fetchval(
                "UPDATE webhook_inbox SET state = 'dead', attempts = 12, last_error = 'KeyError'"
                " WHERE state = 'queued' AND event_type = 'checkout.session.completed' RETURNING id"
            )
        )


async def a_dead_message(shop: Shop, chat_id: int = 1001) -> int:
    async with shop.database.transaction() as tx:
        await shop.outbox.tell(tx, Notice(f"odd:{chat_id}", chat_id, "account-unfrozen", {"admin": 0}))
        return int(
            await tx.fetchval(
                "UPDATE outbox SET state = 'dead', attempts = 3, last_error = 'TelegramBadRequest', tried_at = now()"
                " WHERE dedupe_key = $1 RETURNING id",
                f"odd:{chat_id}",
            )
        )


async def state(shop: Shop, table: str, number: int) -> tuple[str, int, int]:
    async with shop.database.connection() as tx:
        row = await tx.fetchrow(f"SELECT state, attempts, replays FROM {table} WHERE id = $1", number)
    assert row is not None
    return row["state"], row["attempts"], row["replays"]


async def test_a_delivery_is_tried_again_once_and_its_money_counts_once(shop: Shop) -> None:
    anna = await shop.player()
    delivery = await a_dead_delivery(shop, anna)
    await shop.works(4)
    found, headers, says = await shop.letters.delivery(delivery)
    assert (found.source, found.error, found.attempts) == ("stripe", "KeyError", 12)
    assert says
    assert "checkout.session" in says
    assert "t=" not in headers
    shop.inbox.arrived.clear()
    results = await asyncio.gather(
        *(shop.letters.replay_delivery(ADMIN, delivery, 0) for _ in range(8)), return_exceptions=True
    )
    assert len(refusals(list(results))) == 7
    assert shop.inbox.arrived.is_set()
    assert await state(shop, "webhook_inbox", delivery) == ("queued", 0, 1)
    await shop.works(4)
    assert await state(shop, "webhook_inbox", delivery) == ("done", 0, 1)
    assert (await shop.wallet(anna, "USD")).available == Money(50_00, "USD")
    assert await audited(shop) == [("delivery", "replayed")]

    async with shop.database.connection() as tx:  # given up again, though it had been acted on: harmless, too
        await tx.execute("UPDATE webhook_inbox SET state = 'dead' WHERE id = $1", delivery)
    with pytest.raises(AlreadyDecided):
        await shop.letters.replay_delivery(ADMIN, delivery, 0)
    await shop.letters.replay_delivery(ADMIN, delivery, 1)
    await shop.works(4)
    assert (await shop.wallet(anna, "USD")).available == Money(50_00, "USD")
    assert (await shop.told(1001)).count("deposit-credited") == 1


async def test_a_delivery_given_up_again_is_told_again(shop: Shop) -> None:
    """The provider does not say what it is about, for days; then it does."""
    anna = await shop.player()
    operation = await shop.asks(anna, ProviderName.YOOKASSA)
    deliveries = await shop.pays(operation)
    shop.world.faults.add("yookassa", "*", Fault.ERROR)
    await shop.receives(ProviderName.YOOKASSA, deliveries)
    for replays in range(2):
        async with shop.database.owner() as tx:
            delivery = await tx.fetchval(
                "UPDATE webhook_inbox SET attempts = 11, received_at = now() - interval '2 days', run_at = now()"
                " WHERE event_type = 'payment.succeeded' RETURNING id"
            )
        await shop.works(1)
        assert await state(shop, "webhook_inbox", delivery) == ("dead", 12, replays)
        assert (await shop.told(ADMIN)).count("admin-dead-delivery") == replays + 1
        await shop.letters.replay_delivery(ADMIN, delivery, replays)
    shop.world.faults.clear()
    await shop.due_now()
    await shop.works(4)
    assert await state(shop, "webhook_inbox", delivery) == ("done", 0, 2)
    assert (await shop.wallet(anna, "RUB")).available == operation.amount


async def test_a_delivery_is_let_go_once_and_stays(shop: Shop) -> None:
    anna = await shop.player()
    delivery = await a_dead_delivery(shop, anna)
    results = await asyncio.gather(
        *(shop.letters.let_delivery_go(ADMIN, delivery) for _ in range(4)),
        *(shop.letters.replay_delivery(SECOND_ADMIN, delivery, 0) for _ in range(4)),
        return_exceptions=True,
    )
    assert len(refusals(list(results))) == 7
    await shop.works(4)
    for deed in (shop.letters.let_delivery_go(ADMIN, delivery), shop.letters.replay_delivery(ADMIN, delivery, 0)):
        with pytest.raises(AlreadyDecided):
            await deed
    with pytest.raises(NotFound):
        await shop.letters.delivery(10**9)


async def test_a_delivery_that_nobody_would_act_on_stays_where_it_is(shop: Shop) -> None:
    async with shop.database.connection() as tx:
        number = await tx.fetchval(
            "INSERT INTO webhook_inbox (provider, event_id, event_type, rereads, headers, body, body_sha256, remote_ip,"
            " verified_by, state) VALUES ('casino:gone', 'e', 'deposit', false, '{}', '', '', $1, 'path', 'dead')"
            " RETURNING id",
            ip_address("127.0.0.1"),
        )
    with pytest.raises(SourceGone):
        await shop.letters.replay_delivery(ADMIN, number, 0)
    assert (await state(shop, "webhook_inbox", number))[0] == "dead"
    assert (await shop.letters.delivery(number))[2] is None
    assert await audited(shop) == []


async def test_a_message_is_sent_again_once_however_often_it_is_pressed(shop: Shop) -> None:
    await shop.player()
    number = await a_dead_message(shop)
    found, values = await shop.letters.message(number)
    assert (found.chat_id, found.text_id, found.player_id is None) == (1001, "account-unfrozen", False)
    assert '"admin": 0' in values
    shop.outbox.added.clear()
    results = await asyncio.gather(
        *(shop.letters.replay_message(ADMIN, number, 0) for _ in range(8)), return_exceptions=True
    )
    assert len(refusals(list(results))) == 7
    assert shop.outbox.added.is_set()
    assert await state(shop, "outbox", number) == ("queued", 0, 1)
    claimed = await shop.outbox.claim()
    assert claimed is not None
    await shop.outbox.give_up(claimed, "TelegramBadRequest")  # and the old button is no second replay
    with pytest.raises(AlreadyDecided):
        await shop.letters.replay_message(ADMIN, number, 0)
    await shop.letters.replay_message(ADMIN, number, 1)
    assert await audited(shop) == [("message", "replayed")] * 2


async def test_a_message_let_go_is_nobodys_work(shop: Shop) -> None:
    number = await a_dead_message(shop)
    results = await asyncio.gather(
        *(shop.letters.let_message_go(ADMIN, number) for _ in range(4)), return_exceptions=True
    )
    assert len(refusals(list(results))) == 3
    assert await shop.letters.count() == (0, 0)
    for deed in (shop.letters.replay_message(ADMIN, number, 0), shop.letters.message(number)):
        with pytest.raises(AlreadyDecided):
            await deed
    assert await audited(shop) == [("message", "let go")]


async def test_who_blocked_the_bot_makes_no_work(shop: Shop) -> None:
    async with shop.database.transaction() as tx:
        await _many(tx, shop, 5)
    await shop.outbox.unreachable(1001, "TelegramForbiddenError")
    assert await shop.letters.count() == (0, 0)
    assert (await shop.letters.messages()).items == []
    assert (await shop.desk.waiting()).messages == 0


async def _many(tx: Tx, shop: Shop, count: int) -> None:
    await shop.outbox.tell(tx, *(Notice(f"n:{n}", 1001, "account-unfrozen", {"admin": 0}) for n in range(count)))


async def test_lists_show_each_once_in_both_directions(shop: Shop) -> None:
    numbers = [await a_dead_message(shop, 2000 + number) for number in range(14)]
    seen: list[int] = []
    page = await shop.letters.messages()
    while True:
        seen += [one.id for one in page.items]
        if page.older is None:
            break
        page = await shop.letters.messages(before=page.older)
    assert seen == numbers[::-1]
    back = await shop.letters.messages(after=page.newer)
    assert [one.id for one in back.items] == seen[6:12]
