"""Every deed of the staff, tried by everybody: refused to whom the rights do not let, written down of whom they let.

A method of a service that asks for a right and is not in this table fails the tests."""

import ast
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from db.models import Audience, MethodKind, Player, ProviderName, Role, SignalResult, Withdrawal
from db.money import Money
from sandbox import Fault
from services.errors import NotAllowed, NotFound
from services.staff import RIGHTS, Right
from tests.services.test_broadcasts import WORDS, begin, crowd
from tests.services.test_casinos import deposit, reports
from tests.services.test_desk import a_dead_delivery, a_dead_message
from tests.services.test_returns import deposited, due, hears, outside, rows, spends
from tests.services.test_signals import draft, starts
from tests.shop import ADMIN, SECOND_ADMIN, Shop

SERVICES = Path(__file__).parents[2] / "services"
STAFF = {role: 920 + number for number, role in enumerate(Role)}
NOBODY = 999
STRIPE = ProviderName.STRIPE

Do = Callable[[int], Awaitable[object]]


@dataclass(frozen=True)
class Deed:
    door: str
    """The method that asks for the right."""
    right: Right
    prepare: Callable[[Shop], Awaitable[Do]]
    looks: bool = False
    """Nothing is done, so nothing is written down."""


DEEDS: dict[str, Deed] = {}


def deed(door: str, right: Right, *, looks: bool = False) -> Callable[[Callable[[Shop], Awaitable[Do]]], object]:
    def keep(prepare: Callable[[Shop], Awaitable[Do]]) -> object:
        DEEDS[prepare.__name__] = Deed(door, right, prepare, looks)
        return prepare

    return keep


# ---- withdrawals and methods


async def withdrawal(shop: Shop, *, approved: bool = False) -> tuple[Player, Withdrawal]:
    anna = await shop.player()
    await shop.deposited(anna, Money(200_00, "USD"))
    method = await shop.payee(anna)
    asked = await shop.withdrawals.request(anna, method.id, Money(50_00, "USD"), None, request_key="wish")
    return anna, await shop.withdrawals.approve(ADMIN, asked.id) if approved else asked


@deed("Withdrawals.approve", Right.PAY)
async def approve(shop: Shop) -> Do:
    _, asked = await withdrawal(shop)
    return lambda admin: shop.withdrawals.approve(admin, asked.id)


@deed("Withdrawals.reject", Right.PAY)
async def reject(shop: Shop) -> Do:
    _, asked = await withdrawal(shop)
    return lambda admin: shop.withdrawals.reject(admin, asked.id, "Not yours")


@deed("Withdrawals.destination", Right.PAY)
async def destination(shop: Shop) -> Do:
    _, asked = await withdrawal(shop, approved=True)
    return lambda admin: shop.withdrawals.destination(admin, asked.id)


@deed("Withdrawals.sent", Right.PAY)
async def sent(shop: Shop) -> Do:
    _, asked = await withdrawal(shop, approved=True)
    return lambda admin: shop.withdrawals.sent(admin, asked.id, "SEPA-1")


@deed("Withdrawals.fail", Right.PAY)
async def fail(shop: Shop) -> Do:
    _, asked = await withdrawal(shop, approved=True)
    return lambda admin: shop.withdrawals.fail(admin, asked.id, "Came back")


async def new_method(shop: Shop) -> int:
    return (await shop.methods.add(await shop.player(), MethodKind.CARD, None, "4242 pt_1aB2cD3eF4")).id


@deed("Methods._decide", Right.PAY)
async def verify_method(shop: Shop) -> Do:
    method = await new_method(shop)
    return lambda admin: shop.methods.verify(admin, method)


@deed("Methods._decide", Right.PAY)
async def reject_method(shop: Shop) -> Do:
    method = await new_method(shop)
    return lambda admin: shop.methods.reject(admin, method, "Not readable")


@deed("Methods.reveal", Right.PAY)
async def reveal(shop: Shop) -> Do:
    method = await new_method(shop)
    return lambda admin: shop.methods.reveal(admin, method)


# ---- money that needs a person


@deed("Returns.give_back", Right.MONEY)
async def give_back(shop: Shop) -> Do:
    operation = await deposited(shop, await shop.player(), STRIPE)
    return lambda admin: shop.returns.give_back(admin, operation.id, 10_00, key="press")


@deed("Returns.give_up", Right.MONEY)
async def give_up(shop: Shop) -> Do:
    operation = await deposited(shop, await shop.player(), STRIPE)
    shop.world.faults.add("stripe", "POST /v1/refunds", Fault.ERROR, times=None)
    row = await shop.returns.give_back(ADMIN, operation.id, 10_00, key="press")
    async with shop.database.owner() as tx:
        await tx.execute("UPDATE returned_payment SET created_at = created_at - interval '21 h'")
    await due(shop)
    await shop.returns.tick()
    return lambda admin: shop.returns.give_up(admin, row.id)


async def debt(shop: Shop) -> int:
    """A refund of money that the player no longer had; there is some again."""
    anna = await shop.player()
    operation = await deposited(shop, anna, STRIPE)
    await spends(shop, anna, Money(50_00, "USD"))
    assert operation.provider_ref
    await outside(shop, STRIPE).refund(operation.provider_ref, webhook="never")
    await hears(shop, operation)
    await deposited(shop, anna, STRIPE, Money(60_00, "USD"))
    (row,) = await rows(shop)
    assert row.owed == Money(50_00, "USD")
    return row.id


@deed("Returns.collect", Right.MONEY)
async def collect(shop: Shop) -> Do:
    row = await debt(shop)
    return lambda admin: shop.returns.collect(admin, row, 50_00)


@deed("Returns.forgive", Right.MONEY)
async def forgive(shop: Shop) -> Do:
    row = await debt(shop)
    return lambda admin: shop.returns.forgive(admin, row, 50_00)


async def odd_money(shop: Shop) -> int:
    operation = await shop.asks(await shop.player(), STRIPE)
    await shop.receives(STRIPE, await shop.pays(operation, amount=70_00))
    await shop.works()
    return (await shop.reconciliation.items()).items[0].id


@deed("Reconciliation.credit", Right.MONEY)
async def credit(shop: Shop) -> Do:
    item = await odd_money(shop)
    return lambda admin: shop.reconciliation.credit(admin, item)


@deed("Reconciliation.send_back", Right.MONEY)
async def send_back(shop: Shop) -> Do:
    item = await odd_money(shop)
    return lambda admin: shop.reconciliation.send_back(admin, item)


@deed("Reconciliation.close", Right.MONEY)
async def close_item(shop: Shop) -> Do:
    async with shop.database.connection() as tx:
        item = await tx.fetchval(
            "INSERT INTO recon_item (provider, provider_ref, problem) VALUES ('stripe', 'pi_1', 'missing_at_provider')"
            " RETURNING id"
        )
    return lambda admin: shop.reconciliation.close(admin, item, "Seen")


@deed("Reconciliation.by_admin", Right.MONEY)
async def reconcile(shop: Shop) -> Do:
    await deposited(shop, await shop.player(), STRIPE)
    return lambda admin: shop.reconciliation.by_admin(admin, STRIPE, timedelta(days=1))


@deed("Adjustments.propose", Right.MONEY)
async def propose(shop: Shop) -> Do:
    anna, amount = await shop.player(), Money(5_00, "USD")
    return lambda admin: shop.adjustments.propose(admin, anna.id, amount, reason="Gift", request_key="k")


async def proposal(shop: Shop) -> int:
    anna, amount = await shop.player(), Money(50_000_00, "USD")
    proposed = await shop.adjustments.propose(ADMIN, anna.id, amount, reason="Gift", request_key="k")
    assert proposed.status == "proposed"
    return proposed.id


@deed("Adjustments.agree", Right.MONEY)
async def agree(shop: Shop) -> Do:
    proposed = await proposal(shop)
    return lambda admin: shop.adjustments.agree(admin, proposed)


@deed("Adjustments.decline", Right.MONEY)
async def decline(shop: Shop) -> Do:
    proposed = await proposal(shop)
    return lambda admin: shop.adjustments.decline(admin, proposed)


# ---- players


@deed("Players.dossier", Right.PLAYERS)
async def dossier(shop: Shop) -> Do:
    anna = await shop.player()
    return lambda admin: shop.players.dossier(admin, anna.id)


@deed("Players.freeze", Right.PLAYERS)
async def freeze(shop: Shop) -> Do:
    anna = await shop.player()
    return lambda admin: shop.players.freeze(admin, anna.id, "Odd")


@deed("Players.unfreeze", Right.PLAYERS)
async def unfreeze(shop: Shop) -> Do:
    anna = await shop.player()
    await shop.players.freeze(ADMIN, anna.id, "Odd")
    return lambda admin: shop.players.unfreeze(admin, anna.id)


# ---- the desk


@deed("Desk.grant", Right.STAFF)
async def grant(shop: Shop) -> Do:
    return lambda admin: shop.desk.grant(admin, 1001, Role.EDITOR)


@deed("Desk.revoke", Right.STAFF)
async def revoke(shop: Shop) -> Do:
    await shop.desk.grant(ADMIN, 1001, Role.EDITOR)
    return lambda admin: shop.desk.revoke(admin, 1001)


@deed("Desk.close", Right.STAFF)
async def close_house(shop: Shop) -> Do:
    return shop.desk.close


@deed("Desk.reopen", Right.STAFF)
async def reopen_house(shop: Shop) -> Do:
    await shop.desk.close(ADMIN)
    return shop.desk.reopen


@deed("Letters.replay_delivery", Right.LETTERS)
async def replay_delivery(shop: Shop) -> Do:
    delivery = await a_dead_delivery(shop, await shop.player())
    return lambda admin: shop.letters.replay_delivery(admin, delivery, 0)


@deed("Letters.let_delivery_go", Right.LETTERS)
async def let_delivery_go(shop: Shop) -> Do:
    delivery = await a_dead_delivery(shop, await shop.player())
    return lambda admin: shop.letters.let_delivery_go(admin, delivery)


@deed("Letters.replay_message", Right.LETTERS)
async def replay_message(shop: Shop) -> Do:
    message = await a_dead_message(shop)
    return lambda admin: shop.letters.replay_message(admin, message, 0)


@deed("Letters.let_message_go", Right.LETTERS)
async def let_message_go(shop: Shop) -> Do:
    message = await a_dead_message(shop)
    return lambda admin: shop.letters.let_message_go(admin, message)


# ---- casinos, signals, broadcasts


@deed("Casinos.see_odd", Right.CASINO)
async def see_odd(shop: Shop) -> Do:
    await reports(shop, {"event": "jackpot", "user_id": "c1"})
    newest = (await shop.casinos.events(odd=True)).items[0].id
    return lambda admin: shop.casinos.see_odd(admin, newest)


@deed("Casinos.link", Right.CASINO)
async def link(shop: Shop) -> Do:
    anna = await shop.player()
    await reports(shop, deposit("c1", 1000, 1))
    event = (await shop.casinos.events()).items[0].id
    return lambda admin: shop.casinos.link(admin, event, anna.id)


@deed("Signals.publish", Right.SIGNALS)
async def publish(shop: Shop) -> Do:
    return lambda admin: shop.signals.publish(admin, draft(), request_key="press")


@deed("Signals.withdraw", Right.SIGNALS)
async def withdraw_signal(shop: Shop) -> Do:
    signal = await shop.signals.publish(ADMIN, draft(), request_key="press")
    return lambda admin: shop.signals.withdraw(admin, signal.id)


@deed("Signals.settle", Right.SIGNALS)
async def settle_signal(shop: Shop) -> Do:
    signal = await shop.signals.publish(ADMIN, draft(), request_key="press")
    await starts(shop, signal)
    return lambda admin: shop.signals.settle(admin, signal.id, SignalResult.WON)


@deed("Broadcasts.start", Right.BROADCAST)
async def broadcast(shop: Shop) -> Do:
    await crowd(shop, 3)
    return lambda admin: shop.broadcasts.start(admin, WORDS, Audience(), request_key="wish", message_id=7)


async def begun(shop: Shop) -> int:
    await crowd(shop, 3)
    return (await begin(shop)).broadcast.id


@deed("Broadcasts._switch", Right.BROADCAST)
async def pause(shop: Shop) -> Do:
    number = await begun(shop)
    return lambda admin: shop.broadcasts.pause(admin, number)


@deed("Broadcasts._switch", Right.BROADCAST)
async def resume(shop: Shop) -> Do:
    number = await begun(shop)
    await shop.broadcasts.pause(ADMIN, number)
    return lambda admin: shop.broadcasts.resume(admin, number)


@deed("Broadcasts._switch", Right.BROADCAST)
async def stop(shop: Shop) -> Do:
    number = await begun(shop)
    return lambda admin: shop.broadcasts.stop(admin, number)


@deed("Broadcasts.count", Right.BROADCAST, looks=True)
async def count_audience(shop: Shop) -> Do:
    return lambda admin: shop.broadcasts.count(admin, Audience())


@deed("Broadcasts.get", Right.BROADCAST, looks=True)
async def see_broadcast(shop: Shop) -> Do:
    number = await begun(shop)
    return lambda admin: shop.broadcasts.get(admin, number)


@deed("Broadcasts.newest", Right.BROADCAST, looks=True)
async def see_broadcasts(shop: Shop) -> Do:
    return shop.broadcasts.newest


# ---- the tests


def doors() -> set[str]:
    """Every method of a service that asks the table of rights."""
    found = set()
    for source in SERVICES.glob("*.py"):
        for kind in ast.parse(source.read_text(encoding="utf-8")).body:
            if isinstance(kind, ast.ClassDef):
                found |= {
                    f"{kind.name}.{method.name}"
                    for method in kind.body
                    if isinstance(method, ast.AsyncFunctionDef) and "staff.actor(" in ast.unparse(method)
                }
    return found


def test_every_method_that_asks_for_a_right_is_tried_here() -> None:
    assert doors() == {each.door for each in DEEDS.values()}


def test_every_right_is_tried_but_those_of_pages() -> None:
    """What these let somebody see is only read, and its doors are in the chat."""
    assert set(Right) - {each.right for each in DEEDS.values()} == {Right.DESK, Right.STATS, Right.HEALTH}


@pytest.fixture
async def staffed(shop: Shop) -> Shop:
    """A shop with somebody in every role."""
    async with shop.database.connection() as tx:
        await tx.executemany(
            "INSERT INTO staff (telegram_id, role, granted_by) VALUES ($1, $2, 900)",
            [(number, role) for role, number in STAFF.items()],
        )
    return shop


async def kept(shop: Shop) -> dict[str, str]:
    """A digest of every table."""
    async with shop.database.connection() as tx:
        tables = await tx.fetch(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
        )
        return {
            row["relname"]: await tx.fetchval(
                f"SELECT md5(coalesce(string_agg(t::text, ' ' ORDER BY t::text), '')) FROM {row['relname']} t"
            )
            for row in tables
        }


async def lines(shop: Shop, admin: int) -> int:
    async with shop.database.connection() as tx:
        return int(await tx.fetchval("SELECT count(*) FROM audit_log WHERE actor = $1", f"admin:{admin}"))


@pytest.mark.parametrize("name", DEEDS)
async def test_a_deed_is_refused_to_whom_it_is_not_for_and_written_down_of_whom_it_is(staffed: Shop, name: str) -> None:
    shop, tried = staffed, DEEDS[name]
    do = await tried.prepare(shop)
    allowed = [role for role, rights in RIGHTS.items() if tried.right in rights]
    before = await kept(shop)
    with pytest.raises(NotFound):
        await do(NOBODY)
    for role in Role:
        if role not in allowed:
            with pytest.raises(NotAllowed):
                await do(STAFF[role])
    assert await kept(shop) == before
    doer = STAFF[allowed[-1]]  # of those who may, one of the least
    assert await lines(shop, doer) == 0
    await do(doer)
    assert (await lines(shop, doer) > 0) is not tried.looks


@pytest.mark.parametrize("name", ["approve", "freeze", "replay_delivery", "publish"])
async def test_who_lost_the_role_is_refused_at_once(staffed: Shop, name: str) -> None:
    shop, tried = staffed, DEEDS[name]
    do = await tried.prepare(shop)
    role = [role for role, rights in RIGHTS.items() if tried.right in rights][-1]
    await shop.desk.revoke(SECOND_ADMIN, STAFF[role])
    before = await kept(shop)
    with pytest.raises(NotFound):
        await do(STAFF[role])
    assert await kept(shop) == before
