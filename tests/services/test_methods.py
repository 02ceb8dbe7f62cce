"""Withdrawal methods: kept so that only a key reads them, verified by an admin, and never changed."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from db.models import MethodKind, Network, Player, Verification, WithdrawalMethod
from db.money import Money
from services.errors import (
    AlreadyDecided,
    BadIban,
    DestinationUnreadable,
    MethodInUse,
    NotFound,
    ReasonNeeded,
    RulesNotAccepted,
    TooManyMethods,
    TooManyNewMethods,
)
from services.methods import ACTIVE_LIMIT, ADDED_LIMIT, Methods
from services.vault import Vault
from tests.shop import ADMIN, SECOND_ADMIN, Shop

IBAN = "DE89 3704 0044 0532 0130 00"
TRON = "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t"


async def adds(shop: Shop, player: Player, text: str = IBAN) -> WithdrawalMethod:
    return await shop.methods.add(player, MethodKind.IBAN, None, text)


async def everything_kept(shop: Shop) -> str:
    """Every row of every table, as text."""
    async with shop.database.connection() as tx:
        tables = await tx.fetch(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
        )
        kept = [await tx.fetchval(f"SELECT string_agg(t::text, ' ') FROM {row['relname']} t") for row in tables]
    return " ".join(filter(None, kept))


async def audited(shop: Shop, method: WithdrawalMethod) -> list[tuple[str, str]]:
    async with shop.database.connection() as tx:
        rows = await tx.fetch(
            "SELECT actor, action FROM audit_log WHERE entity_type = 'withdrawal_method' AND entity_id = $1"
            " ORDER BY log_id",
            method.id,
        )
    return [(row["actor"], row["action"]) for row in rows]


async def test_a_destination_is_kept_so_that_the_database_cannot_read_it(shop: Shop) -> None:
    anna = await shop.player()
    method = await adds(shop, anna, f"{IBAN}\nAnna Müller")
    assert (method.masked, method.verification) == ("DE89 •••• 3000", Verification.PENDING)
    kept = await everything_kept(shop)
    assert method.masked in kept
    for secret in ("370400440532013000", "0532 0130", "Müller", b"370400440532013000".hex()):
        assert secret not in kept
    assert await shop.methods.reveal(ADMIN, method.id) == {
        "kind": "iban",
        "iban": "DE89370400440532013000",
        "holder": "Anna Müller",
    }


async def test_the_first_method_is_the_default_one_until_another_is_made_it(shop: Shop) -> None:
    anna = await shop.player()
    first = await adds(shop, anna)
    second = await shop.methods.add(anna, MethodKind.CRYPTO, Network.TRC20, TRON)
    assert (first.is_default, second.is_default) == (True, False)
    assert (await shop.methods.make_default(anna, second.id)).is_default
    assert [method.id for method in await shop.methods.mine(anna)] == [second.id, first.id]
    await shop.methods.remove(anna, second.id)
    assert [(method.id, method.is_default) for method in await shop.methods.mine(anna)] == [(first.id, True)]


async def test_the_same_destination_again_is_the_same_method_however_it_is_typed(shop: Shop) -> None:
    anna = await shop.player()
    typed = (IBAN, "de89370400440532013000", "DE89-3704-0044-0532-0130-00\nAnna")
    added = await asyncio.gather(*(adds(shop, anna, text) for text in typed * 5))
    assert len({method.id for method in added}) == 1
    assert await shop.told(ADMIN) == ["admin-method-added"]


async def test_a_removed_method_can_be_added_anew_and_waits_anew(shop: Shop) -> None:
    anna = await shop.player()
    first = await adds(shop, anna)
    await shop.methods.verify(ADMIN, first.id)
    await shop.methods.remove(anna, first.id)
    second = await adds(shop, anna)
    assert second.id != first.id
    assert (second.verification, second.is_default) == (Verification.PENDING, True)
    with pytest.raises(NotFound):
        await shop.methods.own(anna, first.id)


async def test_ten_methods_are_enough_for_anybody(shop: Shop) -> None:
    anna = await shop.player()

    async def one(number: int) -> None:
        await shop.methods.add(anna, MethodKind.CARD, None, f"4242 token_{number:04}")

    results = await asyncio.gather(*(one(number) for number in range(ACTIVE_LIMIT + 5)), return_exceptions=True)
    assert sum(isinstance(result, TooManyMethods) for result in results) == 5
    assert len(await shop.methods.mine(anna)) == ACTIVE_LIMIT


async def test_another_players_method_does_not_exist(shop: Shop) -> None:
    anna, ben = await shop.player(), await shop.player(1002)
    method = await adds(shop, anna)
    for deed in (shop.methods.own, shop.methods.make_default, shop.methods.remove):
        with pytest.raises(NotFound):
            await deed(ben, method.id)
        with pytest.raises(NotFound):
            await deed(ben, 2**63 - 1)
    assert len(await shop.methods.mine(anna)) == 1


async def test_nothing_is_kept_before_the_rules_or_when_it_is_wrong(shop: Shop) -> None:
    anna = await shop.player()
    with pytest.raises(RulesNotAccepted):
        await adds(shop, replace(anna, accepted_at=None))
    with pytest.raises(BadIban):
        await adds(shop, anna, "DE89 3704 0044 0532 0130 01")
    assert await shop.methods.mine(anna) == []


async def test_a_method_in_use_cannot_be_removed(shop: Shop) -> None:
    anna = await shop.player()
    await shop.deposited(anna, Money(50_00, "USD"))
    method = await shop.payee(anna)
    asked = await shop.withdrawals.request(anna, method.id, Money(10_00, "USD"), None, request_key="k")
    with pytest.raises(MethodInUse) as refused:
        await shop.methods.remove(anna, method.id)
    assert refused.value.id == asked.id
    await shop.withdrawals.reject(ADMIN, asked.id, "No")
    await shop.methods.remove(anna, method.id)
    assert await shop.methods.mine(anna) == []


async def test_a_method_is_decided_on_once_and_the_player_hears_it(shop: Shop) -> None:
    anna = await shop.player()
    method = await adds(shop, anna)
    results = await asyncio.gather(
        *(shop.methods.verify(admin, method.id) for admin in (ADMIN, SECOND_ADMIN) * 3),
        *(shop.methods.reject(admin, method.id, "Not yours") for admin in (ADMIN, SECOND_ADMIN) * 3),
        return_exceptions=True,
    )
    decided = [result for result in results if isinstance(result, WithdrawalMethod)]
    refusals = [result for result in results if isinstance(result, AlreadyDecided)]
    assert (len(decided), len(refusals)) == (1, 11)
    assert {refusal.status for refusal in refusals} == {decided[0].verification}
    assert await shop.told(anna.telegram_id) == [f"withdrawal-method-{decided[0].verification}"]
    actions = [action for _, action in await audited(shop, method)]
    assert actions == ["withdrawal-method-added", f"withdrawal-method-{decided[0].verification}"]


async def test_a_rejection_needs_a_reason_that_the_player_can_read(shop: Shop) -> None:
    anna = await shop.player()
    method = await adds(shop, anna)
    for note in ("", "  \n ", "x" * 251):
        with pytest.raises(ReasonNeeded):
            await shop.methods.reject(ADMIN, method.id, note)
    rejected = await shop.methods.reject(ADMIN, method.id, " The name is another one. ")
    assert rejected.note == "The name is another one."


async def test_a_removed_method_is_not_decided_on(shop: Shop) -> None:
    anna = await shop.player()
    method = await adds(shop, anna)
    await shop.methods.remove(anna, method.id)
    for deed in (shop.methods.verify(ADMIN, method.id), shop.methods.reveal(ADMIN, method.id)):
        with pytest.raises(AlreadyDecided) as refused:
            await deed
        assert refused.value.status == "removed"
    assert (await shop.methods.waiting()).count == 0


async def test_who_looked_at_a_destination_is_kept(shop: Shop) -> None:
    anna = await shop.player()
    method = await adds(shop, anna)
    await shop.methods.reveal(SECOND_ADMIN, method.id)
    assert (f"admin:{SECOND_ADMIN}", "destination-shown") in await audited(shop, method)


async def test_who_is_no_admin_decides_nothing_and_sees_nothing(shop: Shop) -> None:
    anna = await shop.player()
    method = await adds(shop, anna)
    for deed in (
        shop.methods.verify(anna.telegram_id, method.id),
        shop.methods.reject(anna.telegram_id, method.id, "x"),
        shop.methods.reveal(anna.telegram_id, method.id),
    ):
        with pytest.raises(NotFound):
            await deed
    assert (await shop.methods.get(method.id)).verification is Verification.PENDING


async def test_what_waits_comes_oldest_first_in_pages(shop: Shop) -> None:
    players = [await shop.player(2000 + number) for number in range(10)]
    added = [await adds(shop, player) for player in players]
    first = await shop.methods.waiting()
    assert first.count == 10
    assert first.next is not None
    second = await shop.methods.waiting(first.next)
    assert [method.id for method in (*first.methods, *second.methods)] == [method.id for method in added]
    assert second.next is None


async def test_the_same_destination_of_others_is_found_also_after_the_key_was_changed(shop: Shop) -> None:
    anna, ben, eve = [await shop.player(1001 + number) for number in range(3)]
    old = await adds(shop, anna)
    renewed = replace(shop.methods, vault=Vault(["a-new-key-that-came-in-front-of-it", *shop.methods.vault.secrets]))
    new = await renewed.add(ben, MethodKind.IBAN, None, IBAN.lower())
    await renewed.add(eve, MethodKind.CRYPTO, Network.TRC20, TRON)
    assert await renewed.sharers(old.id) == [ben.id]
    assert await renewed.sharers(new.id) == [anna.id]
    assert (await renewed.add(anna, MethodKind.IBAN, None, IBAN)).id == old.id
    assert (await renewed.reveal(ADMIN, old.id))["iban"] == IBAN.replace(" ", "")


async def test_without_its_key_a_destination_is_said_to_be_unreadable(shop: Shop) -> None:
    anna = await shop.player()
    method = await adds(shop, anna)
    lost = replace(shop.methods, vault=Vault(["another-key-and-only-this-one-left"]))
    with pytest.raises(DestinationUnreadable):
        await lost.reveal(ADMIN, method.id)
    assert await lost.sharers(method.id) == []


async def test_a_destination_put_into_another_row_cannot_be_read_there(shop: Shop) -> None:
    anna, ben = await shop.player(), await shop.player(1002)
    hers = await adds(shop, anna)
    his = await shop.methods.add(ben, MethodKind.CRYPTO, Network.TRC20, TRON)
    async with shop.database.owner() as tx:
        await tx.execute(
            "UPDATE withdrawal_methods SET destination ="
            " (SELECT destination FROM withdrawal_methods WHERE method_id = $1) WHERE method_id = $2",
            hers.id,
            his.id,
        )
    with pytest.raises(DestinationUnreadable):
        await shop.methods.reveal(ADMIN, his.id)


async def test_a_new_method_cools(shop: Shop) -> None:
    anna = await shop.player()
    cold: Methods = replace(shop.methods, cooling=timedelta(hours=24))
    method = await cold.add(anna, MethodKind.IBAN, None, IBAN)
    assert timedelta(hours=23) < method.usable_at - datetime.now(UTC) <= timedelta(hours=24)
    await cold.verify(ADMIN, method.id)
    assert await shop.told(anna.telegram_id) == ["withdrawal-method-verified-later"]


async def test_adding_and_removing_ends_before_it_fills_the_admins_chats(shop: Shop) -> None:
    anna = await shop.player()
    for number in range(ADDED_LIMIT):
        method = await shop.methods.add(anna, MethodKind.CARD, None, f"4242 token_{number:05}")
        await shop.methods.remove(anna, method.id)
    with pytest.raises(TooManyNewMethods) as refused:
        await shop.methods.add(anna, MethodKind.CARD, None, "4242 one_too_many")
    assert refused.value.limit == ADDED_LIMIT
    async with shop.database.owner() as tx:
        await tx.execute("UPDATE withdrawal_methods SET created_at = created_at - interval '24 h'")
    assert (await shop.methods.add(anna, MethodKind.CARD, None, "4242 one_too_many")).is_active
