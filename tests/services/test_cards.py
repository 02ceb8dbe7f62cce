"""Kept cards: from the deposit that keeps one to the deposits it pays, and to its end."""

import asyncio
import random

import pytest

from db.models import OperationStatus, PaymentMethod, Player, ProviderName
from db.money import Money
from sandbox import Fault
from services import cards, deposits
from services.errors import CardExpired, CardNotFound, RulesNotAccepted
from tests.shop import ADMIN, AMOUNTS, Shop

BOTH = pytest.mark.parametrize("provider", list(ProviderName))
STRIPE, YOOKASSA = ProviderName.STRIPE, ProviderName.YOOKASSA
CHARGE = {STRIPE: ("stripe", "POST /v1/payment_intents"), YOOKASSA: ("yookassa", "POST /v3/payments")}
CONFIRM = {STRIPE: "authentication_required", YOOKASSA: "3d_secure_failed"}
REVOKED = {STRIPE: "revocation_of_authorization", YOOKASSA: "permission_revoked"}


async def keeps(shop: Shop, player: Player, provider: ProviderName, **how: object) -> PaymentMethod:
    """The player keeps a card with a deposit; answers the newest card."""
    operation = await shop.asks(player, provider, keep_card=True)
    await shop.receives(provider, await shop.pays(operation, **how))
    await shop.works()
    return max(await shop.cards.list(player), key=lambda card: card.id)


def spoil(shop: Shop, card: PaymentMethod, reason: str | None) -> None:
    """What the bank says to this card from now on."""
    stand_in = shop.world.stripe if card.provider is STRIPE else shop.world.yookassa
    stand_in.spoil(card.provider_ref, reason)


def taken(shop: Shop, provider: ProviderName) -> int:
    """What the provider has taken from payers, in minor units."""
    stand_in = shop.world.stripe if provider is STRIPE else shop.world.yookassa
    return int(stand_in.taken().get(AMOUNTS[provider].currency, 0))


async def has(shop: Shop, player: Player, provider: ProviderName) -> Money:
    return (await shop.wallet(player, AMOUNTS[provider].currency)).available


async def columns(shop: Shop, card: PaymentMethod) -> tuple[bool, bool, bool]:
    """Of a card: active, default, still to be forgotten by its provider."""
    async with shop.database.connection() as tx:
        row = await tx.fetchrow(
            "SELECT is_active, is_default, forget_at IS NOT NULL AS forget FROM payment_methods WHERE method_id = $1",
            card.id,
        )
    assert row is not None
    return row["is_active"], row["is_default"], row["forget"]


async def stripe_customer(shop: Shop, player: Player) -> str:
    async with shop.database.connection() as tx:
        return str(await tx.fetchval("SELECT stripe_customer_id FROM users WHERE id = $1", player.id))


# Keeping


@BOTH
async def test_a_card_is_kept_when_the_player_wishes_and_pays_again(shop: Shop, provider: ProviderName) -> None:
    anna = await shop.player()
    card = await keeps(shop, anna, provider)
    assert (card.provider, card.is_default) == (provider, True)
    assert card.last4
    assert card.brand
    assert card.exp_year
    paid = await shop.asks(anna, provider, payment_method_id=card.id)
    assert paid.status is OperationStatus.COMPLETED
    assert await has(shop, anna, provider) == AMOUNTS[provider] + AMOUNTS[provider]
    assert taken(shop, provider) == 2 * AMOUNTS[provider].minor
    assert await shop.told(anna.telegram_id) == ["deposit-credited"] * 2
    async with shop.database.connection() as tx:
        assert await tx.fetchval("SELECT last_used FROM payment_methods WHERE method_id = $1", card.id)


@BOTH
async def test_a_card_is_not_kept_without_the_wish(shop: Shop, provider: ProviderName) -> None:
    anna = await shop.player()
    await shop.receives(provider, await shop.pays(await shop.asks(anna, provider)))
    await shop.works()
    assert await shop.cards.list(anna) == []
    async with shop.database.connection() as tx:
        assert await tx.fetchval("SELECT stripe_customer_id FROM users WHERE id = $1", anna.id) is None


@BOTH
async def test_a_card_whose_webhooks_never_came_is_kept_by_the_poller(shop: Shop, provider: ProviderName) -> None:
    anna = await shop.player()
    await shop.pays(await shop.asks(anna, provider, keep_card=True))
    await shop.due_now()
    await shop.deposits.poll(provider)
    assert [card.is_default for card in await shop.cards.list(anna)] == [True]
    assert await has(shop, anna, provider) == AMOUNTS[provider]


@BOTH
async def test_webhooks_in_any_order_many_times_and_the_poller_keep_one_card(
    shop: Shop, provider: ProviderName
) -> None:
    anna = await shop.player()
    events = await shop.pays(await shop.asks(anna, provider, keep_card=True)) * 10
    random.shuffle(events)
    await shop.due_now()
    await asyncio.gather(
        shop.receives(provider, events), shop.deposits.poll(provider), *(shop.works(4) for _ in range(3))
    )
    await shop.works(4)
    assert len(await shop.cards.list(anna)) == 1
    assert await has(shop, anna, provider) == AMOUNTS[provider]


async def test_a_players_record_at_stripe_is_made_once_however_many_ask_at_the_same_time(shop: Shop) -> None:
    anna = await shop.player()
    await asyncio.gather(*(shop.asks(anna, STRIPE, keep_card=True) for _ in range(8)))
    assert {session["customer"] for session in shop.world.stripe.sessions.values()} == {
        await stripe_customer(shop, anna)
    }


async def test_a_customer_whose_making_was_not_answered_is_found_and_the_link_follows(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deposits, "PATIENCE", 0.4)
    anna = await shop.player()
    shop.world.faults.add("stripe", "POST /v1/customers", Fault.LOST, times=None)
    operation = await shop.asks(anna, STRIPE, keep_card=True)
    assert operation.status is OperationStatus.UNKNOWN
    shop.world.faults.clear()
    await shop.due_now()
    await shop.deposits.poll(STRIPE)
    assert await shop.told(anna.telegram_id) == ["deposit-link-ready"]
    assert len(shop.world.stripe.customers) == 1


async def test_the_same_card_kept_twice_stands_in_the_list_once(shop: Shop) -> None:
    anna = await shop.player()
    first, second = [await keeps(shop, anna, STRIPE) for _ in range(2)]
    assert first.provider_ref != second.provider_ref
    assert [(card.id, card.is_default) for card in await shop.cards.list(anna)] == [(second.id, True)]
    await shop.cards.forget_due()
    assert [card["id"] for card in shop.world.stripe.cards(await stripe_customer(shop, anna))] == [second.provider_ref]


async def test_twins_of_the_news_of_two_cards_leave_two_cards_and_one_default(shop: Shop) -> None:
    anna = await shop.player()
    await keeps(shop, anna, STRIPE)
    customer, events = await stripe_customer(shop, anna), []
    for card in ("4444", "0341"):
        events += shop.world.stripe.events(await shop.world.stripe.keep(customer, webhook="never", card=card))
    await asyncio.gather(shop.receives(STRIPE, events * 10), *(shop.works(4) for _ in range(4)))
    await shop.works(4)
    kept = await shop.cards.list(anna)
    assert len({card.provider_ref for card in kept}) == len(kept) == 3
    assert [card.is_default for card in kept] == [True, False, False]


async def test_workers_with_news_of_many_cards_and_payments_never_wait_crosswise(shop: Shop) -> None:
    players = [await shop.player(4000 + number) for number in range(5)]
    for player in players:
        await keeps(shop, player, STRIPE)
    for card in ("4444", "0341", "3184"):
        events = []
        for player in players:
            ref = await shop.world.stripe.keep(await stripe_customer(shop, player), webhook="never", card=card)
            events += shop.world.stripe.events(ref)
            events += await shop.pays(await shop.asks(player, STRIPE))
        random.shuffle(events)
        await shop.receives(STRIPE, events)
        await shop.works(3)
    async with shop.database.owner() as owner:
        assert await owner.fetchval("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == 0
    for player in players:
        assert len(await shop.cards.list(player)) == 4
        assert await has(shop, player, STRIPE) == Money(200_00, "USD")


async def test_the_card_of_a_customer_that_is_no_player_of_ours_is_left_alone(shop: Shop) -> None:
    anna = await shop.player()
    await keeps(shop, anna, STRIPE)
    stranger = shop.world.stripe.new_customer({})["id"]
    ref = await shop.world.stripe.keep(stranger, webhook="never")
    await shop.receives(STRIPE, shop.world.stripe.events(ref))
    await shop.works()
    async with shop.database.connection() as tx:
        assert await tx.fetchval("SELECT count(*) FROM payment_methods") == 1


async def test_a_renewed_card_shows_its_new_number_and_month(shop: Shop) -> None:
    anna = await shop.player()
    card = await keeps(shop, anna, STRIPE)
    await shop.world.stripe.renew(card.provider_ref, webhook="never", last4="1111", exp_year=2040)
    await shop.receives(STRIPE, shop.world.stripe.events(card.provider_ref))
    await shop.works()
    renewed = await shop.cards.get(anna, card.id)
    assert (renewed.last4, renewed.exp_year) == ("1111", 2040)


# Giving up


@BOTH
async def test_a_removed_card_is_gone_here_and_at_the_provider_and_pays_nothing(
    shop: Shop, provider: ProviderName
) -> None:
    anna = await shop.player()
    card = await keeps(shop, anna, provider)
    await asyncio.gather(*(shop.cards.remove(anna, card.id) for _ in range(5)))
    assert await shop.cards.list(anna) == []
    assert await columns(shop, card) == (False, False, False)
    if provider is STRIPE:
        assert shop.world.stripe.cards(await stripe_customer(shop, anna)) == []
    with pytest.raises(CardNotFound):
        await shop.asks(anna, provider, payment_method_id=card.id)


async def test_a_card_removed_while_its_provider_is_away_is_given_up_there_later(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna = await shop.player()
    card = await keeps(shop, anna, STRIPE)
    monkeypatch.setattr(cards, "PATIENCE", 0.4)
    customer = await stripe_customer(shop, anna)
    shop.world.faults.add("stripe", "POST /v1/payment_methods/*", Fault.ERROR, times=None)
    await shop.cards.remove(anna, card.id)
    assert await shop.cards.list(anna) == []
    assert await columns(shop, card) == (False, False, True)
    assert shop.world.stripe.cards(customer)
    shop.world.faults.clear()
    await asyncio.gather(shop.cards.forget_due(), shop.cards.forget_due())
    assert await columns(shop, card) == (False, False, False)
    assert shop.world.stripe.cards(customer) == []


async def test_late_news_does_not_bring_a_removed_card_back(shop: Shop) -> None:
    anna = await shop.player()
    operation = await shop.asks(anna, STRIPE, keep_card=True)
    events = await shop.pays(operation)
    await shop.due_now()
    await shop.deposits.poll(STRIPE)
    (card,) = await shop.cards.list(anna)
    await shop.cards.remove(anna, card.id)
    await shop.receives(STRIPE, [*events, *shop.world.stripe.events(card.provider_ref)])
    await shop.works()
    assert await shop.cards.list(anna) == []
    await shop.world.stripe.renew(card.provider_ref, webhook="never")
    await shop.receives(STRIPE, shop.world.stripe.events(card.provider_ref))
    await shop.works()
    assert await shop.cards.list(anna) == []


async def test_a_card_taken_away_at_the_provider_is_gone_here_whichever_news_comes_first(shop: Shop) -> None:
    anna = await shop.player()
    first = await keeps(shop, anna, STRIPE)
    customer = await stripe_customer(shop, anna)
    ref = await shop.world.stripe.keep(customer, webhook="never", card="4444")
    for gone in (first.provider_ref, ref):
        await shop.world.stripe.unkeep(gone, webhook="never")
        for event in reversed(shop.world.stripe.events(gone)):  # detached first, attached last
            await shop.receives(STRIPE, [event, event])
            await shop.works()
    assert await shop.cards.list(anna) == []
    with pytest.raises(CardNotFound):
        await shop.asks(anna, STRIPE, payment_method_id=first.id)


async def test_when_the_default_goes_another_card_takes_its_place(shop: Shop) -> None:
    anna = await shop.player()
    first, second = await keeps(shop, anna, STRIPE), await keeps(shop, anna, YOOKASSA)
    assert (await shop.cards.make_default(anna, second.id)).is_default
    assert [card.id for card in await shop.cards.list(anna)] == [second.id, first.id]
    await shop.cards.remove(anna, second.id)
    assert [(card.id, card.is_default) for card in await shop.cards.list(anna)] == [(first.id, True)]


async def test_there_is_one_default_however_many_change_it_at_the_same_time(shop: Shop) -> None:
    anna = await shop.player()
    kept = [await keeps(shop, anna, STRIPE, card=card) for card in ("4242", "4444")] + [
        await keeps(shop, anna, YOOKASSA)
    ]
    await asyncio.gather(
        *(shop.cards.make_default(anna, random.choice(kept).id) for _ in range(20)),
        *(shop.cards.remove(anna, kept[1].id) for _ in range(2)),
        return_exceptions=True,
    )
    left = await shop.cards.list(anna)
    assert {card.id for card in left} == {kept[0].id, kept[2].id}
    assert [card.is_default for card in left] == [True, False]


async def test_another_players_card_does_not_exist(shop: Shop) -> None:
    anna, ben = await shop.player(1001), await shop.player(1002)
    card = await keeps(shop, anna, STRIPE)
    for foreign in (card.id, 999_999):
        for refused in (
            shop.cards.get(ben, foreign),
            shop.cards.usable(ben, foreign),
            shop.cards.make_default(ben, foreign),
            shop.cards.remove(ben, foreign),
            shop.asks(ben, STRIPE, payment_method_id=foreign),
        ):
            with pytest.raises(CardNotFound):
                await refused
    assert await columns(shop, card) == (True, True, False)
    assert taken(shop, STRIPE) == AMOUNTS[STRIPE].minor


async def test_a_card_pays_only_through_its_own_provider_and_after_the_rules(shop: Shop) -> None:
    anna = await shop.player()
    card = await keeps(shop, anna, STRIPE)
    with pytest.raises(CardNotFound):
        await shop.asks(anna, YOOKASSA, payment_method_id=card.id)
    stranger = (await shop.players.visit(1003, username=None, name="", language_code=None)).player
    with pytest.raises(RulesNotAccepted):
        await shop.asks(stranger, STRIPE, payment_method_id=card.id)


async def test_an_expired_card_says_so_and_is_not_charged(shop: Shop) -> None:
    anna = await shop.player()
    card = await keeps(shop, anna, STRIPE)
    async with shop.database.connection() as tx:
        await tx.execute("UPDATE payment_methods SET card_exp_month = 1, card_exp_year = 2026")
    with pytest.raises(CardExpired):
        await shop.asks(anna, STRIPE, payment_method_id=card.id)
    with pytest.raises(CardExpired):
        await shop.cards.usable(anna, card.id)
    assert await shop.cards.usable_at(anna, STRIPE) == []
    assert len(await shop.cards.list(anna)) == 1


# Paying


@BOTH
async def test_twenty_taps_at_once_are_one_charge(shop: Shop, provider: ProviderName) -> None:
    anna = await shop.player()
    card = await keeps(shop, anna, provider)
    made = await asyncio.gather(*(shop.asks(anna, provider, key="tap", payment_method_id=card.id) for _ in range(20)))
    assert len({operation.id for operation in made}) == 1
    await shop.due_now()
    await shop.deposits.poll(provider)
    assert await has(shop, anna, provider) == AMOUNTS[provider] + AMOUNTS[provider]
    assert taken(shop, provider) == 2 * AMOUNTS[provider].minor
    assert await shop.told(anna.telegram_id) == ["deposit-credited"] * 2


@BOTH
async def test_a_declined_card_ends_the_deposit_with_its_reason(shop: Shop, provider: ProviderName) -> None:
    anna = await shop.player()
    card = await keeps(shop, anna, provider)
    spoil(shop, card, "insufficient_funds")
    for _ in range(2):  # pressed twice
        failed = await shop.asks(anna, provider, key="tap", payment_method_id=card.id)
        assert (failed.status, failed.reason) == (OperationStatus.FAILED, "insufficient-funds")
    assert await shop.told(anna.telegram_id) == ["deposit-credited", "deposit-card-failed"]
    assert await columns(shop, card) == (True, True, False)
    assert await has(shop, anna, provider) == AMOUNTS[provider]


@BOTH
async def test_a_card_whose_permission_was_withdrawn_says_so_and_is_given_up(
    shop: Shop, provider: ProviderName
) -> None:
    anna = await shop.player()
    card = await keeps(shop, anna, provider)
    spoil(shop, card, REVOKED[provider])
    failed = await shop.asks(anna, provider, payment_method_id=card.id)
    assert (failed.status, failed.reason) == (OperationStatus.FAILED, "permission-revoked")
    assert await shop.cards.list(anna) == []
    await shop.cards.forget_due()
    assert await columns(shop, card) == (False, False, False)


async def test_a_card_that_its_provider_no_longer_knows_is_given_up(shop: Shop) -> None:
    anna = await shop.player()
    card = await keeps(shop, anna, STRIPE)
    await shop.world.stripe.unkeep(card.provider_ref, webhook="never")
    failed = await shop.asks(anna, STRIPE, payment_method_id=card.id)
    assert (failed.status, failed.reason) == (OperationStatus.FAILED, "permission-revoked")
    assert await shop.cards.list(anna) == []
    await shop.receives(STRIPE, shop.world.stripe.events(card.provider_ref))
    await shop.works()
    assert await shop.told(anna.telegram_id) == ["deposit-credited", "deposit-card-failed"]


@BOTH
async def test_a_banks_wish_to_confirm_becomes_a_link_for_the_same_deposit(shop: Shop, provider: ProviderName) -> None:
    anna = await shop.player()
    card = await keeps(shop, anna, provider)
    spoil(shop, card, CONFIRM[provider])
    operation = await shop.asks(anna, provider, payment_method_id=card.id)
    assert operation.status is OperationStatus.PENDING
    assert operation.pay_url
    # What the attempt leaves behind, however late, does not close the page.
    stand_in = shop.world.stripe if provider is STRIPE else shop.world.yookassa
    left = [*getattr(stand_in, "intents", {}), *getattr(stand_in, "payments", {})]
    await shop.receives(provider, [event for ref in left for event in stand_in.events(ref)])
    await shop.works(4)
    assert (await shop.operation(operation.id)).status is OperationStatus.PENDING
    await shop.receives(provider, await shop.pays(operation))
    await shop.works(4)
    assert await has(shop, anna, provider) == AMOUNTS[provider] + AMOUNTS[provider]
    assert await shop.told(anna.telegram_id) == ["deposit-credited"] * 2


async def test_a_decline_that_is_told_before_our_own_answer_breaks_nothing(shop: Shop) -> None:
    anna = await shop.player()
    card = await keeps(shop, anna, STRIPE)
    for reason, ends_as in (
        ("insufficient_funds", OperationStatus.FAILED),
        ("authentication_required", OperationStatus.PENDING),
    ):
        spoil(shop, card, reason)
        shop.world.faults.add(*CHARGE[STRIPE], Fault.SLOW(seconds=0.5))
        asked = asyncio.create_task(shop.asks(anna, STRIPE, payment_method_id=card.id))
        for _ in range(20):
            await asyncio.sleep(0.05)
            await shop.receives(STRIPE, shop.world.stripe.events(list(shop.world.stripe.intents)[-1]))
            await shop.works(1)
        operation = await asked
        assert operation.status is ends_as
        assert (operation.pay_url is None) is (ends_as is OperationStatus.FAILED)


@BOTH
@pytest.mark.parametrize("confirms", [True, False])
async def test_an_answer_that_was_lost_is_not_guessed_from_what_the_attempt_left_behind(
    shop: Shop, provider: ProviderName, confirms: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna = await shop.player()
    card = await keeps(shop, anna, provider)
    monkeypatch.setattr(deposits, "PATIENCE", 0.4)
    spoil(shop, card, CONFIRM[provider] if confirms else "insufficient_funds")
    shop.world.faults.add(*CHARGE[provider], Fault.LOST, times=None)
    operation = await shop.asks(anna, provider, payment_method_id=card.id)
    shop.world.faults.clear()
    stand_in = shop.world.stripe if provider is STRIPE else shop.world.yookassa
    ref = list(shop.world.stripe.intents if provider is STRIPE else shop.world.yookassa.payments)[-1]
    await shop.receives(provider, stand_in.events(ref) * 2)
    await shop.works()
    assert (await shop.operation(operation.id)).status is OperationStatus.UNKNOWN
    await shop.due_now()
    await shop.deposits.poll(provider)
    await shop.receives(provider, stand_in.events(ref))
    await shop.works()
    ended = await shop.operation(operation.id)
    assert ended.status is (OperationStatus.PENDING if confirms else OperationStatus.FAILED)
    assert (await shop.told(anna.telegram_id))[1:] == ["deposit-bank-asks" if confirms else "deposit-card-failed"]


@BOTH
@pytest.mark.parametrize("fault", ["HANG", "ERROR", "LOST", "LOST_500", "GARBAGE"])
async def test_a_charge_whose_answer_was_lost_is_credited_exactly_once(
    shop: Shop, provider: ProviderName, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna = await shop.player()
    card = await keeps(shop, anna, provider)
    monkeypatch.setattr(deposits, "PATIENCE", 0.4)
    shop.world.faults.add(*CHARGE[provider], getattr(Fault, fault), times=None)
    operation = await shop.asks(anna, provider, payment_method_id=card.id)
    assert operation.status is OperationStatus.UNKNOWN
    shop.world.faults.clear()
    for _ in range(2):
        await shop.due_now()
        await asyncio.gather(*(shop.deposits.poll(provider) for _ in range(3)))
    assert (await shop.operation(operation.id)).status is OperationStatus.COMPLETED
    assert await has(shop, anna, provider) == AMOUNTS[provider] + AMOUNTS[provider]
    assert taken(shop, provider) == 2 * AMOUNTS[provider].minor
    assert await shop.told(anna.telegram_id) == ["deposit-credited"] * 2


@BOTH
async def test_a_charge_whose_answer_was_lost_is_credited_by_its_webhook_too(
    shop: Shop, provider: ProviderName, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna = await shop.player()
    card = await keeps(shop, anna, provider)
    monkeypatch.setattr(deposits, "PATIENCE", 0.4)
    shop.world.faults.add(*CHARGE[provider], Fault.LOST, times=None)
    operation = await shop.asks(anna, provider, payment_method_id=card.id)
    shop.world.faults.clear()
    stand_in = shop.world.stripe if provider is STRIPE else shop.world.yookassa
    ref = list(shop.world.stripe.intents if provider is STRIPE else shop.world.yookassa.payments)[-1]
    await shop.receives(provider, stand_in.events(ref) * 3)
    await shop.due_now()
    await asyncio.gather(shop.works(4), shop.deposits.poll(provider))
    assert (await shop.operation(operation.id)).status is OperationStatus.COMPLETED
    assert taken(shop, provider) == 2 * AMOUNTS[provider].minor
    assert await has(shop, anna, provider) == AMOUNTS[provider] + AMOUNTS[provider]


async def test_a_charge_is_repeated_for_a_day_with_a_card_removed_meanwhile_and_then_given_up(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna = await shop.player()
    card = await keeps(shop, anna, STRIPE)
    monkeypatch.setattr(deposits, "PATIENCE", 0.4)
    shop.world.faults.add(*CHARGE[STRIPE], Fault.LOST, times=None)
    taken_late = await shop.asks(anna, STRIPE, payment_method_id=card.id)
    shop.world.faults.clear()
    shop.world.faults.add(*CHARGE[STRIPE], Fault.ERROR, times=None)
    never_taken = await shop.asks(anna, STRIPE, payment_method_id=card.id)
    await shop.cards.remove(anna, card.id)
    async with shop.database.owner() as owner:
        await owner.execute(
            "UPDATE wallet_operations SET created_at = created_at - interval '22 h' WHERE operation_id = $1",
            taken_late.id,
        )
        await owner.execute(
            "UPDATE wallet_operations SET created_at = created_at - interval '24 h' WHERE operation_id = $1",
            never_taken.id,
        )
    shop.world.faults.clear()
    await shop.due_now()
    await shop.deposits.poll(STRIPE)
    assert (await shop.operation(taken_late.id)).status is OperationStatus.COMPLETED
    given_up = await shop.operation(never_taken.id)
    assert (given_up.status, given_up.reason) == (OperationStatus.FAILED, "provider-unavailable")
    assert taken(shop, STRIPE) == 2 * AMOUNTS[STRIPE].minor


async def test_a_confirmation_wanted_after_the_answer_was_lost_sends_the_link(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna = await shop.player()
    card = await keeps(shop, anna, STRIPE)
    monkeypatch.setattr(deposits, "PATIENCE", 0.4)
    spoil(shop, card, "authentication_required")
    shop.world.faults.add("stripe", "POST /v1/checkout/sessions", Fault.LOST, times=None)
    operation = await shop.asks(anna, STRIPE, payment_method_id=card.id)
    assert operation.status is OperationStatus.UNKNOWN
    shop.world.faults.clear()
    await shop.due_now()
    await shop.deposits.poll(STRIPE)
    assert (await shop.told(anna.telegram_id))[1:] == ["deposit-bank-asks"]
    await shop.receives(STRIPE, await shop.pays(await shop.operation(operation.id)))
    await shop.works()
    assert taken(shop, STRIPE) == 2 * AMOUNTS[STRIPE].minor
    assert await has(shop, anna, STRIPE) == Money(100_00, "USD")


@pytest.mark.parametrize("paid", [True, False])
async def test_a_charge_on_its_way_ends_as_the_bank_decides(shop: Shop, paid: bool) -> None:
    anna = await shop.player()
    card = await keeps(shop, anna, STRIPE)
    shop.world.stripe.slow_charges = True
    operation = await shop.asks(anna, STRIPE, payment_method_id=card.id)
    assert (operation.status, operation.pay_url) == (OperationStatus.PENDING, None)
    await shop.deposits.shown(anna, operation.id, 17)
    assert (await shop.deposits.check(anna, operation.id)).status is OperationStatus.PENDING
    assert operation.provider_ref
    await shop.world.stripe.settle(operation.provider_ref, webhook="never", paid=paid)
    await shop.receives(STRIPE, shop.world.stripe.events(operation.provider_ref) * 2)
    await shop.works()
    ended = await shop.operation(operation.id)
    assert ended.status is (OperationStatus.COMPLETED if paid else OperationStatus.FAILED)
    assert (await shop.told(anna.telegram_id))[1:] == (
        ["deposit-credited", "deposit-closed-paid"] if paid else ["deposit-card-failed", "deposit-closed-failed"]
    )


@BOTH
async def test_a_provider_that_refuses_a_charge_ends_it_and_says_so(shop: Shop, provider: ProviderName) -> None:
    anna = await shop.player()
    card = await keeps(shop, anna, provider)
    shop.world.faults.add(*CHARGE[provider], Fault.FORBIDDEN, times=None)
    failed = await shop.asks(anna, provider, payment_method_id=card.id)
    assert (failed.status, failed.reason) == (OperationStatus.FAILED, "other")
    assert await shop.told(anna.telegram_id) == ["deposit-credited", "deposit-card-failed"]
    assert await shop.told(ADMIN) == []


@BOTH
async def test_webhook_poller_and_tap_meet_at_one_credit_of_a_charge(shop: Shop, provider: ProviderName) -> None:
    anna = await shop.player()
    card = await keeps(shop, anna, provider)
    stand_in = shop.world.stripe if provider is STRIPE else shop.world.yookassa

    async def webhooks() -> None:
        for _ in range(10):
            ref = list(shop.world.stripe.intents if provider is STRIPE else shop.world.yookassa.payments)[-1]
            await shop.receives(provider, stand_in.events(ref))
            await shop.works(2)
            await asyncio.sleep(0.01)

    async def poller() -> None:
        for _ in range(5):
            await shop.due_now()
            await shop.deposits.poll(provider)

    await asyncio.gather(
        webhooks(), poller(), *(shop.asks(anna, provider, key="tap", payment_method_id=card.id) for _ in range(3))
    )
    assert await has(shop, anna, provider) == AMOUNTS[provider] + AMOUNTS[provider]
    assert taken(shop, provider) == 2 * AMOUNTS[provider].minor
    assert await shop.told(anna.telegram_id) == ["deposit-credited"] * 2
