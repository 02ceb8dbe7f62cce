"""Withdrawals: money is held when it is asked for, leaves once, and comes back when it did not leave."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from uuid import UUID

import pytest

from db.database import Database
from db.models import MethodKind, OperationStatus, Player, Withdrawal
from db.money import Money
from sandbox import Sandbox
from services.errors import (
    AlreadyDecided,
    AmountTooLarge,
    AmountTooSmall,
    AnotherPays,
    BadReference,
    CommentTooLong,
    DailyLimitReached,
    DestinationUnreadable,
    FullCardNumber,
    MethodCooling,
    MethodNotVerified,
    MethodRejected,
    MethodWrongCurrency,
    NotAnAmount,
    NotEnoughMoney,
    NotFound,
    OwnMoney,
    PlayerFrozen,
    PlayerIsFrozen,
    ProviderRejected,
    ProviderUnknown,
    ReasonNeeded,
    ReferenceUsed,
    RulesNotAccepted,
    SecondAdminNeeded,
    TemporarilyUnavailable,
)
from services.outbox import Outbox
from services.providers import Payout, PayoutOrder, PayoutState
from services.staff import Staff
from services.vault import Vault
from services.withdrawals import DEFAULT_LIMITS, Risk, WithdrawalLimits, Withdrawals
from tests.model.world import Died, Mortal
from tests.shop import ADMIN, SECOND_ADMIN, Shop, opened


def usd(units: int) -> Money:
    return Money(units * 100, "USD")


async def rich(shop: Shop, amount: Money, telegram_id: int = 1001) -> tuple[Player, int]:
    """A player with money and a method to be paid by."""
    player = await shop.player(telegram_id)
    await shop.deposited(player, amount)
    return player, (await shop.payee(player)).id


async def asks(
    shop: Shop, player: Player, method: int, amount: Money, key: str = "wish", comment: str | None = None
) -> Withdrawal:
    return await shop.withdrawals.request(player, method, amount, comment, request_key=key)


async def sending(shop: Shop, amount: Money, telegram_id: int = 1001) -> tuple[Player, Withdrawal]:
    """A withdrawal that an admin is to send."""
    player, method = await rich(shop, amount, telegram_id)
    asked = await asks(shop, player, method, amount)
    return player, await shop.withdrawals.approve(ADMIN, asked.id)


async def stands(shop: Shop, withdrawal: Withdrawal) -> OperationStatus:
    return (await shop.withdrawals.case(withdrawal.id)).withdrawal.status


async def buckets(shop: Shop, player: Player, currency: str = "USD") -> tuple[int, int, int]:
    """Available, held for withdrawals, withdrawn for good; in minor units."""
    wallet = await shop.wallet(player, currency)
    return wallet.available.minor, wallet.in_withdrawals.minor, wallet.withdrawn.minor


async def freeze(shop: Shop, player: Player) -> None:
    async with shop.database.connection() as tx:
        await tx.execute("UPDATE users SET frozen_at = now(), frozen_reason = 'dispute' WHERE id = $1", player.id)


async def unfreeze(shop: Shop, player: Player) -> None:
    async with shop.database.connection() as tx:
        await tx.execute("UPDATE users SET frozen_at = NULL, frozen_reason = NULL WHERE id = $1", player.id)


async def audited(shop: Shop, withdrawal: Withdrawal) -> list[tuple[str, str, str]]:
    async with shop.database.connection() as tx:
        rows = await tx.fetch(
            "SELECT actor, action, status FROM audit_log WHERE entity_type = 'operation' AND entity_id = $1"
            " ORDER BY log_id",
            withdrawal.id,
        )
    return [(row["actor"], row["action"], row["status"]) for row in rows]


# ---- asking


async def test_money_is_held_as_soon_as_it_is_asked_for(shop: Shop) -> None:
    anna, method = await rich(shop, usd(5000))
    asked = await asks(shop, anna, method, usd(1000), comment="  rent ")
    assert (asked.status, asked.amount, asked.comment) == (OperationStatus.REVIEW, usd(1000), "rent")
    assert await buckets(shop, anna) == (4000_00, 1000_00, 0)
    assert await shop.told(anna.telegram_id) == [
        "deposit-credited",
        "withdrawal-method-verified",
        "withdrawal-requested",
    ]
    for admin in (ADMIN, SECOND_ADMIN):
        assert (await shop.told(admin))[-1] == "admin-withdrawal-requested"
    assert await audited(shop, asked) == [("player", "withdrawal", "review")]


async def test_what_is_not_there_cannot_be_withdrawn(shop: Shop) -> None:
    anna, method = await rich(shop, usd(50))
    with pytest.raises(NotEnoughMoney) as refused:
        await asks(shop, anna, method, Money(50_01, "USD"))
    assert refused.value.available == usd(50)
    with pytest.raises(NotEnoughMoney) as refused:
        await asks(shop, anna, method, Money(50_00, "EUR"))
    assert refused.value.available == Money(0, "EUR")
    assert await buckets(shop, anna) == (50_00, 0, 0)


async def test_the_least_and_the_most_at_once(shop: Shop) -> None:
    anna, method = await rich(shop, usd(100_000))
    with pytest.raises(AmountTooSmall) as small:
        await asks(shop, anna, method, Money(9_99, "USD"))
    assert small.value.minimum == usd(10)
    with pytest.raises(AmountTooLarge) as large:
        await asks(shop, anna, method, Money(100_000_01, "USD"))
    assert large.value.maximum == usd(100_000)
    assert (await asks(shop, anna, method, usd(10))).amount == usd(10)


async def test_the_limit_of_a_day_counts_what_only_waits(shop: Shop) -> None:
    anna, method = await rich(shop, usd(100_000))
    await asks(shop, anna, method, usd(30_000), "one")
    with pytest.raises(DailyLimitReached) as refused:
        await asks(shop, anna, method, Money(20_000_01, "USD"), "two")
    assert (refused.value.limit, refused.value.left) == (usd(50_000), usd(20_000))
    second = await asks(shop, anna, method, usd(20_000), "three")
    with pytest.raises(DailyLimitReached):
        await asks(shop, anna, method, usd(10), "four")
    await shop.withdrawals.reject(ADMIN, second.id, "Too much")
    assert (await asks(shop, anna, method, usd(20_000), "five")).status is OperationStatus.REVIEW


async def test_the_limit_of_a_day_moves_with_the_clock_and_counts_what_was_paid(shop: Shop) -> None:
    anna, method = await rich(shop, usd(100_000))
    first = await asks(shop, anna, method, usd(50_000), "one")
    await shop.withdrawals.approve(ADMIN, first.id)
    await shop.withdrawals.approve(SECOND_ADMIN, first.id)
    await shop.withdrawals.sent(ADMIN, first.id, "bank-1")
    with pytest.raises(DailyLimitReached):
        await asks(shop, anna, method, usd(10), "two")
    async with shop.database.owner() as tx:
        await tx.execute("UPDATE wallet_operations SET created_at = created_at - interval '24 h'")
    assert (await asks(shop, anna, method, usd(10), "two")).amount == usd(10)


async def test_many_at_once_cannot_go_round_the_limit_of_a_day(shop: Shop) -> None:
    anna, method = await rich(shop, usd(100_000))
    results = await asyncio.gather(
        *(asks(shop, anna, method, usd(10_000), f"wish-{number}") for number in range(10)), return_exceptions=True
    )
    assert sum(isinstance(result, Withdrawal) for result in results) == 5, results
    assert sum(isinstance(result, DailyLimitReached) for result in results) == 5, results
    assert await buckets(shop, anna) == (50_000_00, 50_000_00, 0)


async def test_fifty_withdrawals_at_once_take_what_there_is_and_no_more(shop: Shop, database_url: str) -> None:
    anna, method = await rich(shop, usd(1000))
    async with Database.open(database_url) as other, Database.open(database_url) as third:
        doors = [replace(shop.withdrawals, database=database) for database in (shop.database, other, third)]

        async def presses(number: int) -> Withdrawal:
            while True:  # on a slow machine a place in the queue of fifty may take longer than a lock is waited for
                with suppress(TemporarilyUnavailable):
                    return await doors[number % 3].request(anna, method, usd(100), None, request_key=f"wish-{number}")

        results = await asyncio.gather(*(presses(number) for number in range(50)), return_exceptions=True)
    accepted = [result for result in results if isinstance(result, Withdrawal)]
    assert len(accepted) == 10
    assert sum(isinstance(result, NotEnoughMoney) for result in results) == 40
    assert await buckets(shop, anna) == (0, 1000_00, 0)


async def test_one_wish_is_one_withdrawal_however_often_it_is_pressed(shop: Shop) -> None:
    anna, method = await rich(shop, usd(1000))
    asked = await asyncio.gather(*(asks(shop, anna, method, usd(100)) for _ in range(10)))
    assert len({withdrawal.id for withdrawal in asked}) == 1
    await freeze(shop, anna)  # what was accepted is still the answer to the same press
    assert (await asks(shop, anna, method, usd(100))).id == asked[0].id
    assert await buckets(shop, anna) == (900_00, 100_00, 0)
    assert (await shop.told(anna.telegram_id)).count("withdrawal-requested") == 1


async def test_a_method_that_is_not_verified_pays_nothing(shop: Shop) -> None:
    anna, _ = await rich(shop, usd(100))
    method = await shop.methods.add(anna, MethodKind.CARD, None, "1111 token_of_another_card")
    with pytest.raises(MethodNotVerified):
        await asks(shop, anna, method.id, usd(10))
    await shop.methods.reject(ADMIN, method.id, "Not yours")
    with pytest.raises(MethodRejected):
        await asks(shop, anna, method.id, usd(10))
    assert await buckets(shop, anna) == (100_00, 0, 0)


async def test_a_method_that_still_cools_says_until_when(shop: Shop) -> None:
    anna, _ = await rich(shop, usd(100))
    cold = replace(shop.methods, cooling=timedelta(hours=24))
    method = await cold.add(anna, MethodKind.CARD, None, "1111 token_of_another_card")
    await cold.verify(ADMIN, method.id)
    with pytest.raises(MethodCooling) as refused:
        await asks(shop, anna, method.id, usd(10))
    assert refused.value.until == method.usable_at
    assert method.id not in {usable.id for usable in await shop.withdrawals.usable_methods(anna, "USD")}


async def test_an_account_in_roubles_is_not_paid_dollars(shop: Shop) -> None:
    anna, _ = await rich(shop, usd(100))
    await shop.deposited(anna, Money(1000_00, "RUB"))
    method = await shop.methods.add(anna, MethodKind.RU_ACCOUNT, None, "044525225 40817810938160925982")
    await shop.methods.verify(ADMIN, method.id)
    with pytest.raises(MethodWrongCurrency) as refused:
        await asks(shop, anna, method.id, usd(10))
    assert refused.value.currency == "RUB"
    assert (await asks(shop, anna, method.id, Money(10_00, "RUB"))).amount == Money(10_00, "RUB")


async def test_another_players_method_and_made_up_ones_do_not_exist(shop: Shop) -> None:
    anna, hers = await rich(shop, usd(100))
    _, his = await rich(shop, usd(100), 1002)
    for method in (his, 0, -1, 2**63 - 1):
        with pytest.raises(NotFound):
            await asks(shop, anna, method, usd(10))
        with pytest.raises(NotFound):
            await shop.withdrawals.quote(anna, method, "USD")
    await shop.methods.remove(anna, hers)
    with pytest.raises(NotFound):
        await asks(shop, anna, hers, usd(10))


async def test_a_frozen_player_asks_in_vain_even_when_it_is_noticed_late(shop: Shop) -> None:
    anna, method = await rich(shop, usd(100))
    await freeze(shop, anna)
    with pytest.raises(PlayerFrozen):  # `anna` was read before the freeze
        await asks(shop, anna, method, usd(10))
    with pytest.raises(PlayerFrozen):
        await shop.withdrawals.wallets(await shop.player())
    assert await buckets(shop, anna) == (100_00, 0, 0)


async def test_the_rules_come_first(shop: Shop) -> None:
    anna, method = await rich(shop, usd(100))
    async with shop.database.connection() as tx:
        await tx.execute("UPDATE users SET accepted_at = NULL")
    with pytest.raises(RulesNotAccepted):
        await asks(shop, anna, method, usd(10))


async def test_a_comment_is_short_and_holds_no_card_number(shop: Shop) -> None:
    anna, method = await rich(shop, usd(100))
    with pytest.raises(CommentTooLong):
        await asks(shop, anna, method, usd(10), comment="x" * 251)
    with pytest.raises(FullCardNumber):
        await asks(shop, anna, method, usd(10), comment="to 4242 4242 4242 4242, please")
    assert await buckets(shop, anna) == (100_00, 0, 0)
    asked = await asks(shop, anna, method, usd(10), comment="for\x00 rent\nand food")
    assert asked.comment == "for rent and food"


async def test_a_quote_offers_what_would_be_accepted(shop: Shop) -> None:
    anna, method = await rich(shop, Money(1001_37, "USD"))
    _, quote = await shop.withdrawals.quote(anna, method, "USD")
    assert [amount.minor for amount in quote.presets] == [250_00, 500_00, 1001_37]
    assert (quote.minimum, quote.maximum, quote.left) == (usd(10), Money(1001_37, "USD"), usd(50_000))
    for number, amount in enumerate(quote.presets[:2]):
        await asks(shop, anna, method, amount, f"wish-{number}")
    with pytest.raises(NotAnAmount):
        shop.withdrawals.parse(quote, "all of it")
    poor, purse = await rich(shop, usd(5), 1002)
    _, quote = await shop.withdrawals.quote(poor, purse, "USD")
    assert (quote.possible, quote.presets) == (False, [])


# ---- deciding


async def test_approved_sent_and_told(shop: Shop) -> None:
    anna, method = await rich(shop, usd(5000))
    asked = await asks(shop, anna, method, usd(1000))
    approved = await shop.withdrawals.approve(ADMIN, asked.id)
    assert approved.status is OperationStatus.SENDING
    assert await buckets(shop, anna) == (4000_00, 1000_00, 0)
    done = await shop.withdrawals.sent(ADMIN, asked.id, " SEPA 2026-1 ")
    assert (done.status, done.reference) == (OperationStatus.COMPLETED, "SEPA 2026-1")
    assert await buckets(shop, anna) == (4000_00, 0, 1000_00)
    assert (await shop.told(anna.telegram_id))[-3:] == [
        "withdrawal-requested",
        "withdrawal-approved",
        "withdrawal-completed",
    ]
    assert await audited(shop, asked) == [
        ("player", "withdrawal", "review"),
        (f"admin:{ADMIN}", "withdrawal", "approved"),
        ("payout:manual", "withdrawal", "sending"),
        (f"admin:{ADMIN}", "withdrawal", "completed"),
    ]


async def test_a_rejected_withdrawal_comes_back_with_its_reason(shop: Shop) -> None:
    anna, method = await rich(shop, usd(100))
    asked = await asks(shop, anna, method, usd(60))
    for note in ("", " ", "x" * 251):
        with pytest.raises(ReasonNeeded):
            await shop.withdrawals.reject(ADMIN, asked.id, note)
    rejected = await shop.withdrawals.reject(ADMIN, asked.id, " Please verify your name. ")
    assert (rejected.status, rejected.note) == (OperationStatus.CANCELLED, "Please verify your name.")
    assert await buckets(shop, anna) == (100_00, 0, 0)
    assert (await shop.told(anna.telegram_id))[-1] == "withdrawal-cancelled"


async def test_a_payment_that_did_not_go_through_comes_back(shop: Shop) -> None:
    anna, out = await sending(shop, usd(100))
    with pytest.raises(AlreadyDecided) as refused:
        await shop.withdrawals.reject(ADMIN, out.id, "too late to reject")
    assert refused.value.status == "sending"
    failed = await shop.withdrawals.fail(ADMIN, out.id, "The bank sent it back.")
    assert failed.status is OperationStatus.FAILED
    assert await buckets(shop, anna) == (100_00, 0, 0)
    assert (await shop.told(anna.telegram_id))[-1] == "withdrawal-failed"


async def test_two_admins_at_once_decide_once(shop: Shop) -> None:
    anna, method = await rich(shop, usd(1000))
    for number in range(5):
        asked = await asks(shop, anna, method, usd(100), f"wish-{number}")
        deeds: list[Awaitable[Withdrawal]] = [
            *(shop.withdrawals.approve(admin, asked.id) for admin in (ADMIN, SECOND_ADMIN)),
            *(shop.withdrawals.reject(admin, asked.id, "No") for admin in (ADMIN, SECOND_ADMIN)),
        ]
        results = await asyncio.gather(*deeds, return_exceptions=True)
        assert sum(isinstance(result, Withdrawal) for result in results) == 1
        assert sum(isinstance(result, AlreadyDecided) for result in results) == 3
    wallet = await shop.wallet(anna, "USD")
    assert wallet.available + wallet.in_withdrawals == usd(1000)


async def test_sent_and_failed_at_once_end_it_once(shop: Shop) -> None:
    anna, out = await sending(shop, usd(100))
    results = await asyncio.gather(
        *(shop.withdrawals.sent(ADMIN, out.id, f"ref-{number}") for number in range(5)),
        *(shop.withdrawals.fail(SECOND_ADMIN, out.id, "No") for _ in range(5)),
        return_exceptions=True,
    )
    assert sum(isinstance(result, Withdrawal) for result in results) == 1
    assert sum(isinstance(result, AlreadyDecided) for result in results) == 9
    available, held, withdrawn = await buckets(shop, anna)
    assert (held, available + withdrawn) == (0, 100_00)


async def test_what_is_large_takes_two_different_admins(shop: Shop) -> None:
    anna, method = await rich(shop, usd(20_000))
    asked = await asks(shop, anna, method, Money(10_000_01, "USD"))
    assert (await shop.withdrawals.case(asked.id)).approvals_needed == 2
    first = await shop.withdrawals.approve(ADMIN, asked.id)
    assert (first.status, first.approvals) == (OperationStatus.REVIEW, (ADMIN,))
    assert (await shop.told(SECOND_ADMIN))[-1] == "admin-withdrawal-second"
    assert "admin-withdrawal-second" not in await shop.told(ADMIN)
    with pytest.raises(SecondAdminNeeded) as refused:
        await shop.withdrawals.approve(ADMIN, asked.id)
    assert refused.value.missing == str(SECOND_ADMIN)
    second = await shop.withdrawals.approve(SECOND_ADMIN, asked.id)
    assert (second.status, second.approvals) == (OperationStatus.SENDING, (ADMIN, SECOND_ADMIN))
    assert (f"admin:{ADMIN}", "withdrawal-agreed", "review") in await audited(shop, asked)
    exact = await asks(shop, anna, method, usd(9_999), "small")
    assert (await shop.withdrawals.approve(ADMIN, exact.id)).status is OperationStatus.SENDING


async def test_one_admin_pressing_many_times_is_still_one(shop: Shop) -> None:
    anna, method = await rich(shop, usd(20_000))
    asked = await asks(shop, anna, method, usd(20_000))
    await asyncio.gather(*(shop.withdrawals.approve(ADMIN, asked.id) for _ in range(10)), return_exceptions=True)
    assert await stands(shop, asked) is OperationStatus.REVIEW
    results = await asyncio.gather(
        *(shop.withdrawals.approve(SECOND_ADMIN, asked.id) for _ in range(10)), return_exceptions=True
    )
    assert sum(isinstance(result, Withdrawal) for result in results) == 1
    assert await stands(shop, asked) is OperationStatus.SENDING


async def test_no_admin_decides_about_money_of_their_own(shop: Shop) -> None:
    boss = await shop.player(ADMIN)
    await shop.deposited(boss, usd(100))
    method = await shop.methods.add(boss, MethodKind.CARD, None, "4242 token_of_the_boss")
    with pytest.raises(OwnMoney):
        await shop.methods.verify(ADMIN, method.id)
    await shop.methods.verify(SECOND_ADMIN, method.id)
    asked = await asks(shop, boss, method.id, usd(100))
    with pytest.raises(OwnMoney):
        await shop.withdrawals.approve(ADMIN, asked.id)
    assert (await shop.withdrawals.approve(SECOND_ADMIN, asked.id)).status is OperationStatus.SENDING
    with pytest.raises(OwnMoney):
        await shop.withdrawals.fail(ADMIN, asked.id, "It never came")


async def test_who_is_no_admin_any_more_is_none_of_the_two(shop: Shop) -> None:
    anna, method = await rich(shop, usd(20_000))
    asked = await asks(shop, anna, method, usd(20_000))
    await shop.withdrawals.approve(ADMIN, asked.id)
    later = replace(shop.withdrawals, outbox=Outbox(shop.database, Staff(shop.database, [SECOND_ADMIN, 902])))
    assert (await later.approve(SECOND_ADMIN, asked.id)).status is OperationStatus.REVIEW
    assert (await later.approve(902, asked.id)).status is OperationStatus.SENDING


async def test_a_destination_is_shown_to_one_admin_at_a_time(shop: Shop) -> None:
    _, out = await sending(shop, usd(100))
    first, second = await asyncio.gather(
        *(shop.withdrawals.destination(admin, out.id) for admin in (ADMIN, SECOND_ADMIN)), return_exceptions=True
    )
    assert sum(isinstance(answer, AnotherPays) for answer in (first, second)) == 1
    faster, slower = (SECOND_ADMIN, ADMIN) if isinstance(first, AnotherPays) else (ADMIN, SECOND_ADMIN)
    await shop.withdrawals.destination(faster, out.id)
    with pytest.raises(AnotherPays) as refused:
        await shop.withdrawals.destination(slower, out.id)
    assert refused.value.admin == str(faster)
    async with shop.database.owner() as owner:
        await owner.execute("SET session_replication_role = replica")
        await owner.execute("UPDATE audit_log SET created_at = created_at - interval '15 min'")
    assert await shop.withdrawals.destination(slower, out.id)


async def test_a_reference_is_of_one_payment(shop: Shop) -> None:
    _, first = await sending(shop, usd(100))
    ben, second = await sending(shop, usd(100), 1002)
    for reference in ("", "ab", "a\nb", "SEPA\x001", "x" * 101):
        with pytest.raises(BadReference):
            await shop.withdrawals.sent(ADMIN, first.id, reference)
    await shop.withdrawals.sent(ADMIN, first.id, "SEPA-1")
    with pytest.raises(ReferenceUsed) as refused:
        await shop.withdrawals.sent(ADMIN, second.id, "SEPA-1")
    assert refused.value.id == first.id
    assert await buckets(shop, ben) == (0, 100_00, 0)
    assert (await shop.withdrawals.sent(ADMIN, second.id, "SEPA-2")).status is OperationStatus.COMPLETED


async def test_a_reference_given_twice_at_once_is_of_one_payment(shop: Shop) -> None:
    out = [(await sending(shop, usd(100), 1001 + number))[1] for number in range(4)]
    results = await asyncio.gather(
        *(shop.withdrawals.sent(ADMIN, withdrawal.id, "SEPA-1") for withdrawal in out), return_exceptions=True
    )
    assert sum(isinstance(result, Withdrawal) for result in results) == 1
    assert sum(isinstance(result, ReferenceUsed) for result in results) == 3


async def test_nothing_goes_out_to_who_is_frozen(shop: Shop) -> None:
    anna, method = await rich(shop, usd(100))
    asked = await asks(shop, anna, method, usd(50), "one")
    out = await shop.withdrawals.approve(ADMIN, (await asks(shop, anna, method, usd(50), "two")).id)
    await freeze(shop, anna)
    with pytest.raises(PlayerIsFrozen):
        await shop.withdrawals.approve(ADMIN, asked.id)
    with pytest.raises(PlayerIsFrozen):
        await shop.withdrawals.destination(ADMIN, out.id)
    assert (await shop.withdrawals.reject(ADMIN, asked.id, "Frozen")).status is OperationStatus.CANCELLED
    # What the bank has sent is sent: the books say so whatever we think of the player.
    assert (await shop.withdrawals.sent(ADMIN, out.id, "SEPA-1")).status is OperationStatus.COMPLETED


async def test_who_is_no_admin_decides_nothing(shop: Shop) -> None:
    anna, method = await rich(shop, usd(100))
    asked = await asks(shop, anna, method, usd(50))
    deeds: list[Callable[[], Awaitable[object]]] = [
        lambda: shop.withdrawals.approve(anna.telegram_id, asked.id),
        lambda: shop.withdrawals.reject(anna.telegram_id, asked.id, "x"),
        lambda: shop.withdrawals.sent(anna.telegram_id, asked.id, "reference"),
        lambda: shop.withdrawals.fail(anna.telegram_id, asked.id, "x"),
        lambda: shop.withdrawals.destination(anna.telegram_id, asked.id),
    ]
    for deed in deeds:
        with pytest.raises(NotFound):
            await deed()
    assert await stands(shop, asked) is OperationStatus.REVIEW


async def test_a_withdrawal_that_is_none_is_not_found(shop: Shop) -> None:
    anna = await shop.player()
    await shop.deposited(anna, usd(100))  # operation 1 is a deposit
    for number in (1, 2, 2**63 - 1):
        for deed in (
            shop.withdrawals.approve(ADMIN, number),
            shop.withdrawals.sent(ADMIN, number, "reference"),
            shop.withdrawals.case(number),
        ):
            with pytest.raises(NotFound):
                await deed


async def test_the_destination_is_shown_to_who_pays_and_that_is_kept(shop: Shop) -> None:
    anna, method = await rich(shop, usd(100))
    asked = await asks(shop, anna, method, usd(100))
    with pytest.raises(AlreadyDecided):
        await shop.withdrawals.destination(ADMIN, asked.id)  # not before it is approved
    await shop.withdrawals.approve(ADMIN, asked.id)
    shown = await shop.withdrawals.destination(SECOND_ADMIN, asked.id)
    assert shown == {"kind": "card", "last4": "4242", "token": f"pt_{anna.id:05}_000"}
    assert (f"admin:{SECOND_ADMIN}", "destination-shown", "shown") in await audited(shop, asked)
    await shop.withdrawals.sent(ADMIN, asked.id, "SEPA-1")
    with pytest.raises(AlreadyDecided):
        await shop.withdrawals.destination(ADMIN, asked.id)


async def test_the_queue_is_oldest_first_in_pages(shop: Shop) -> None:
    anna, method = await rich(shop, usd(1000))
    asked = [await asks(shop, anna, method, usd(10), f"wish-{number}") for number in range(11)]
    await shop.withdrawals.reject(ADMIN, asked.pop(4).id, "No")
    first = await shop.withdrawals.queue()
    assert (first.count, first.methods) == (10, 0)
    assert first.next is not None
    second = await shop.withdrawals.queue(first.next)
    assert [each.id for each in (*first.withdrawals, *second.withdrawals)] == [each.id for each in asked]
    assert second.next is None
    assert [each.id for each in await shop.withdrawals.open(anna)] == [each.id for each in asked]


async def test_the_marks_of_risk(shop: Shop) -> None:
    anna, method = await rich(shop, usd(50_000))
    asked = await asks(shop, anna, method, usd(45_000))
    case = await shop.withdrawals.case(asked.id)
    assert set(case.risks) == {Risk.FIRST, Risk.NEW_ACCOUNT, Risk.NEW_METHOD, Risk.NO_BETS, Risk.NEAR_LIMIT}
    assert (case.standing.deposited, case.standing.held, case.standing.paid_out) == (usd(50_000), usd(45_000), 0)
    ben = await shop.player(1002)
    async with shop.database.owner() as tx:
        await tx.execute("UPDATE users SET created_at = created_at - interval '7 days'")
        await tx.execute("UPDATE withdrawal_methods SET created_at = created_at - interval '3 days'")
    await shop.methods.add(ben, MethodKind.CARD, None, f"4242 pt_{anna.id:05}_000")
    await freeze(shop, anna)
    assert set((await shop.withdrawals.case(asked.id)).risks) == {
        Risk.FIRST,
        Risk.NO_BETS,
        Risk.NEAR_LIMIT,
        Risk.SHARED,
        Risk.FROZEN,
    }


# ---- waiting


async def test_admins_are_reminded_of_what_waits_too_long_and_then_once_a_day(shop: Shop) -> None:
    anna, method = await rich(shop, usd(100))
    asked = await asks(shop, anna, method, usd(50), "one")
    await asks(shop, anna, method, usd(50), "two")

    async def reminders() -> int:
        await asyncio.gather(*(shop.withdrawals.remind() for _ in range(3)))
        return (await shop.told(ADMIN)).count("admin-withdrawals-wait")

    async def passes(hours: int) -> None:
        async with shop.database.owner() as tx:
            await tx.execute(
                "UPDATE wallet_operations SET created_at = created_at - $1::interval,"
                " reminded_at = reminded_at - $1::interval",
                timedelta(hours=hours),
            )

    assert await reminders() == 0
    await passes(4)
    assert await reminders() == 1
    await passes(23)
    assert await reminders() == 1
    await passes(1)
    assert await reminders() == 2
    await shop.withdrawals.reject(ADMIN, asked.id, "No")
    await passes(48)
    assert await reminders() == 3


# ---- automatic payouts


@dataclass
class Payer:
    """A payout provider that loses answers: `replies` are given one by one, then the last again."""

    replies: list[Payout | Exception]
    name: str = "yookassa"
    orders: list[PayoutOrder] = field(default_factory=list)
    paid: set[UUID] = field(default_factory=set)

    async def send(self, order: PayoutOrder) -> Payout:
        self.orders.append(order)
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if isinstance(reply, Exception):
            if isinstance(reply, ProviderUnknown):
                self.paid.add(order.id)
            raise reply
        if reply.state is PayoutState.SENT:
            self.paid.add(order.id)
        return reply


SENT = Payout(PayoutState.SENT, "po_1")


def automatic(shop: Shop, *replies: Payout | Exception) -> tuple[Shop, Payer]:
    payer = Payer(list(replies))
    return replace(shop, withdrawals=replace(shop.withdrawals, payouts=payer)), payer


async def due(shop: Shop) -> None:
    """Time passes, and the tick comes; two of them at once."""
    await shop.due_now()
    await asyncio.gather(shop.withdrawals.resume(), shop.withdrawals.resume())


async def test_an_automatic_payout_is_sent_and_told(shop: Shop) -> None:
    shop, payer = automatic(shop, SENT)
    anna, out = await sending(shop, usd(100))
    assert (out.status, out.reference, out.provider) == (OperationStatus.COMPLETED, "po_1", "yookassa")
    (order,) = payer.orders
    assert (order.id, order.amount) == (out.public_id, usd(100))
    assert order.destination["token"] == f"pt_{anna.id:05}_000"
    assert await buckets(shop, anna) == (0, 0, 100_00)
    await due(shop)
    assert len(payer.orders) == 1


async def test_a_lost_answer_keeps_the_hold_until_it_is_known(shop: Shop) -> None:
    shop, payer = automatic(shop, ProviderUnknown("timeout"), ProviderUnknown("503"), SENT)
    anna, out = await sending(shop, usd(100))
    assert out.status is OperationStatus.UNKNOWN
    assert (await shop.told(ADMIN))[-1] == "admin-withdrawal-unknown"
    await due(shop)
    assert await stands(shop, out) is OperationStatus.UNKNOWN
    assert await buckets(shop, anna) == (0, 100_00, 0)
    with pytest.raises(AlreadyDecided):
        await shop.withdrawals.reject(ADMIN, out.id, "unknown is not failed")
    await due(shop)
    assert await stands(shop, out) is OperationStatus.COMPLETED
    assert {order.id for order in payer.orders} == {out.public_id} == payer.paid
    assert (await shop.told(ADMIN)).count("admin-withdrawal-unknown") == 1
    assert (await shop.told(anna.telegram_id)).count("withdrawal-completed") == 1


async def test_a_definite_no_gives_the_money_back(shop: Shop) -> None:
    shop, _ = automatic(shop, ProviderRejected("blocked"))
    anna, out = await sending(shop, usd(100))
    assert out.status is OperationStatus.FAILED
    assert await buckets(shop, anna) == (100_00, 0, 0)
    assert (await shop.told(anna.telegram_id))[-1] == "withdrawal-refused"


async def test_a_payout_on_its_way_is_asked_about_until_it_ends(shop: Shop) -> None:
    pending = Payout(PayoutState.PENDING, None)
    shop, payer = automatic(shop, pending, ProviderUnknown("timeout"), pending, Payout(PayoutState.FAILED, None))
    anna, out = await sending(shop, usd(100))
    assert out.status is OperationStatus.SENDING
    for status in (OperationStatus.UNKNOWN, OperationStatus.SENDING, OperationStatus.FAILED, OperationStatus.FAILED):
        await due(shop)
        assert await stands(shop, out) is status
    assert len(payer.orders) == 4
    assert await buckets(shop, anna) == (100_00, 0, 0)


async def test_an_admin_ends_what_the_provider_never_answers(shop: Shop) -> None:
    shop, payer = automatic(shop, ProviderUnknown("timeout"))
    anna, out = await sending(shop, usd(100))
    await shop.withdrawals.sent(ADMIN, out.id, "from the cabinet")
    await due(shop)
    assert len(payer.orders) == 1
    assert await buckets(shop, anna) == (0, 0, 100_00)


async def test_money_that_left_after_an_admin_gave_it_back_is_shouted_about(shop: Shop) -> None:
    """The provider answers at last, while an admin has lost patience."""
    called, answered = asyncio.Event(), asyncio.Event()

    @dataclass
    class Slow:
        name: str = "yookassa"

        async def send(self, order: PayoutOrder) -> Payout:
            called.set()
            await answered.wait()
            return SENT

    slow = replace(shop.withdrawals, payouts=Slow())
    anna, method = await rich(shop, usd(100))
    asked = await slow.request(anna, method, usd(100), None, request_key="wish")
    approving = asyncio.create_task(slow.approve(ADMIN, asked.id))
    await called.wait()
    await shop.withdrawals.fail(SECOND_ADMIN, asked.id, "It does not answer")
    answered.set()
    assert (await approving).status is OperationStatus.FAILED
    assert "admin-withdrawal-paid-anyway" in await shop.told(ADMIN)
    assert await buckets(shop, anna) == (100_00, 0, 0)


async def test_two_payouts_under_one_reference_are_not_both_believed(shop: Shop) -> None:
    shop, _ = automatic(shop, SENT)
    _, first = await sending(shop, usd(100))
    ben, second = await sending(shop, usd(100), 1002)
    assert (first.status, second.status) == (OperationStatus.COMPLETED, OperationStatus.UNKNOWN)
    assert await buckets(shop, ben) == (0, 100_00, 0)


async def test_what_a_crash_left_approved_is_sent_by_the_tick(shop: Shop) -> None:
    anna, method = await rich(shop, usd(100))
    asked = await asks(shop, anna, method, usd(100))
    async with shop.database.connection() as tx:  # as a process leaves it that dies between the two commits
        await tx.execute(
            "UPDATE wallet_operations SET status = 'approved', actor = 'admin:900', next_check_at = now()"
            " WHERE status = 'review'"
        )
        await tx.execute("INSERT INTO approval (operation_id, admin_id) VALUES ($1, $2)", asked.id, ADMIN)
    await shop.withdrawals.resume()
    assert await stands(shop, asked) is OperationStatus.SENDING
    await due(shop)
    assert (await shop.withdrawals.sent(ADMIN, asked.id, "SEPA-1")).status is OperationStatus.COMPLETED


async def test_who_is_frozen_after_the_approval_is_not_paid_by_the_tick(shop: Shop) -> None:
    shop, payer = automatic(shop, SENT)
    anna, method = await rich(shop, usd(100))
    asked = await asks(shop, anna, method, usd(100))
    async with shop.database.connection() as tx:
        await tx.execute(
            "UPDATE wallet_operations SET status = 'approved', actor = 'admin:900', next_check_at = now()"
            " WHERE status = 'review'"
        )
        await tx.execute("INSERT INTO approval (operation_id, admin_id) VALUES ($1, $2)", asked.id, ADMIN)
    await freeze(shop, anna)
    await due(shop)
    assert (await stands(shop, asked), payer.orders) == (OperationStatus.APPROVED, [])
    await unfreeze(shop, anna)
    await due(shop)
    assert await stands(shop, asked) is OperationStatus.COMPLETED


async def test_without_its_key_nothing_is_sent_and_the_money_can_go_back(shop: Shop) -> None:
    anna, method = await rich(shop, usd(100))
    lost = replace(shop.withdrawals, methods=replace(shop.methods, vault=Vault(["another-key-and-only-this-one-left"])))
    asked = await lost.request(anna, method, usd(100), None, request_key="wish")
    assert (await lost.approve(ADMIN, asked.id)).status is OperationStatus.APPROVED
    assert "admin-withdrawal-unreadable" in await shop.told(ADMIN)
    with pytest.raises(AlreadyDecided):
        await lost.destination(ADMIN, asked.id)
    assert (await lost.reject(ADMIN, asked.id, "Please add it again")).status is OperationStatus.CANCELLED
    assert await buckets(shop, anna) == (100_00, 0, 0)


async def test_a_withdrawal_by_hand_stays_by_hand_when_an_automatic_provider_comes(shop: Shop) -> None:
    anna, method = await rich(shop, usd(100))
    asked = await asks(shop, anna, method, usd(100))
    shop, payer = automatic(shop, SENT)
    assert (await shop.withdrawals.approve(ADMIN, asked.id)).status is OperationStatus.SENDING
    assert payer.orders == []


async def test_limits_are_of_a_currency_and_can_be_set(shop: Shop) -> None:
    limits = {**shop.withdrawals.limits, "USD": WithdrawalLimits(usd(1), usd(20), usd(30), usd(5))}
    own: Withdrawals = replace(shop.withdrawals, limits=limits)
    anna, method = await rich(shop, usd(100))
    with pytest.raises(AmountTooLarge):
        await own.request(anna, method, usd(21), None, request_key="a")
    single = await own.request(anna, method, usd(5), None, request_key="b")
    assert (await own.case(single.id)).approvals_needed == 1
    await own.request(anna, method, usd(20), None, request_key="c")
    with pytest.raises(DailyLimitReached):
        await own.request(anna, method, usd(6), None, request_key="d")


async def test_without_a_second_admin_what_is_large_waits_and_says_so(shop: Shop) -> None:
    alone = Outbox(shop.database, Staff(shop.database, [ADMIN]))
    anna, method = await rich(shop, usd(20_000))
    asked = await asks(shop, anna, method, usd(20_000))
    own = replace(shop.withdrawals, outbox=alone)
    assert (await own.approve(ADMIN, asked.id)).status is OperationStatus.REVIEW
    with pytest.raises(SecondAdminNeeded) as refused:
        await own.approve(ADMIN, asked.id)
    assert refused.value.missing == "—"


async def test_a_lost_key_is_told_to_who_wants_to_pay(shop: Shop) -> None:
    _, out = await sending(shop, usd(100))
    lost = replace(shop.withdrawals, methods=replace(shop.methods, vault=Vault(["another-key-and-only-this-one-left"])))
    with pytest.raises(DestinationUnreadable):
        await lost.destination(ADMIN, out.id)


async def test_parts_of_a_large_sum_do_not_get_round_the_second_admin(shop: Shop) -> None:
    anna = await shop.player()
    method = await shop.payee(anna)
    single = DEFAULT_LIMITS["USD"].single_admin
    await shop.deposited(anna, single + single)
    parts = [
        await shop.withdrawals.request(anna, method.id, single, None, request_key=f"part-{number}")
        for number in range(2)
    ]
    first = await shop.withdrawals.approve(ADMIN, parts[0].id)
    assert first.status is OperationStatus.SENDING
    second = await shop.withdrawals.approve(ADMIN, parts[1].id)
    assert second.status is OperationStatus.REVIEW
    assert (await shop.withdrawals.case(parts[1].id)).approvals_needed == 2
    second = await shop.withdrawals.approve(SECOND_ADMIN, parts[1].id)
    assert second.status is OperationStatus.SENDING


@pytest.mark.parametrize("end", ["sent", "fail", "reject"])
async def test_a_process_that_dies_after_any_commit_leaves_no_end_untold(
    database_url: str, world: Sandbox, end: str
) -> None:
    async with Mortal.open(database_url) as database, opened(database, world) as shop:
        anna, method = await rich(shop, usd(100))
        for commits in range(10):
            asked = await asks(shop, anna, method, usd(10), key=f"wish-{commits}")
            if end != "reject":
                await shop.withdrawals.approve(ADMIN, asked.id)
            database.commits_left = commits
            with suppress(Died):
                await getattr(shop.withdrawals, end)(ADMIN, asked.id, f"SEPA-{commits}")
            database.commits_left = None
            assert await shop.bookkeeping.verify() == []  # an end without a message is a finding
            if not database.death.is_set():
                break
            database.death.clear()
        assert commits > 1
