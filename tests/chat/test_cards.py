"""Kept cards, as a player sees them."""

import asyncio
from datetime import UTC, datetime

from sandbox import Message, Person, Sandbox
from tests.chat.people import grown_up, plain


async def keeps_a_card(town: Sandbox, person: Person, provider: str = "Stripe") -> None:
    """From /deposit with the wish to keep the card to the credited money."""
    await person.says("/deposit")
    await person.presses(provider)
    await person.presses("☐ Сохранить карту")
    await person.sees("сохранит карту, которой вы заплатите")
    await person.presses("50.00" if provider == "Stripe" else "500.00 RUB".replace(" ", "\u00a0"))
    await person.sees("ссылка действует до")
    stand_in = town.stripe if provider == "Stripe" else town.yookassa
    await stand_in.pay(stand_in.newest(), webhook="now")
    await person.sees("Зачислено")


async def asks_with_the_card(person: Person, amount: str = "25.00") -> Message:
    await person.says("/deposit")
    await person.presses("Stripe")
    await person.sees("Платит Visa •• 4242")
    await person.presses(amount)
    return await person.sees("платит Visa •• 4242?")


async def kept_card(town: Sandbox) -> str:
    """The newest card that a customer keeps at Stripe, once it is known here."""
    await asyncio.sleep(0.5)
    return next(ref for ref, method in reversed(town.stripe.methods.items()) if method["customer"])


async def test_a_kept_card_pays_with_a_confirming_tap_and_the_same_message_says_how_it_went(town: Sandbox) -> None:
    anna = await grown_up(town)
    await keeps_a_card(town, anna)
    await kept_card(town)
    asked = await asks_with_the_card(anna)
    assert "Пополнить на 25.00 USD" in plain(asked.text)
    assert town.stripe.taken() == {"USD": 50_00}
    await anna.presses("Оплатить")
    await anna.wait_for(lambda message: message.id == asked.id and "оплачено и зачислено" in message.text)
    await anna.wait_for(lambda message: "Зачислено 25.00 USD" in plain(message.text), old=True)
    assert town.stripe.taken() == {"USD": 75_00}
    await anna.says("/balance")
    await anna.sees("75.00\u00a0USD доступно")


async def test_tapping_pay_many_times_takes_the_money_once(town: Sandbox) -> None:
    anna = await grown_up(town)
    await keeps_a_card(town, anna)
    await kept_card(town)
    asked = await asks_with_the_card(anna)
    data = next(button.data for button in asked.buttons if "Оплатить" in button.text)
    assert data
    await asyncio.gather(*(anna.taps(data, on=asked) for _ in range(8)))
    await anna.wait_for(lambda message: message.id == asked.id and "оплачено и зачислено" in message.text, old=True)
    await asyncio.sleep(0.5)
    assert town.stripe.taken() == {"USD": 75_00}
    assert sum("Зачислено" in message.text for message in anna.shown) == 2


async def test_an_amount_typed_for_a_kept_card_is_confirmed_too(town: Sandbox) -> None:
    anna = await grown_up(town)
    await keeps_a_card(town, anna, "YooKassa")
    await anna.says("/deposit")
    await anna.presses("YooKassa")
    await anna.sees("Платит")
    await anna.presses("Другая сумма")
    await anna.sees("одним числом")
    await anna.says("1 000,50")
    assert "1 000.50 RUB, платит" in plain((await anna.sees("Пополнить на")).text)
    await anna.presses("Оплатить")
    await anna.wait_for(lambda message: "Зачислено 1 000.50 RUB" in plain(message.text), old=True)
    assert town.yookassa.taken() == {"RUB": 1500_50}


async def test_the_wish_to_keep_the_card_can_be_taken_back_and_survives_typing_the_amount(town: Sandbox) -> None:
    anna = await grown_up(town)
    await anna.says("/deposit")
    await anna.presses("Stripe")
    await anna.presses("☐ Сохранить карту")
    await anna.presses("☑ Сохранить карту")
    await anna.presses("☐ Сохранить карту")
    await anna.presses("EUR")
    await anna.sees("☑ Сохранить карту")
    await anna.presses("Другая сумма")
    await anna.sees("одним числом")
    await anna.says("19.99")
    await anna.sees("19.99\u00a0EUR через Stripe")
    await town.stripe.pay(town.stripe.newest(), webhook="now")
    await anna.sees("Зачислено")
    await kept_card(town)


async def test_a_new_card_can_be_chosen_though_one_is_kept(town: Sandbox) -> None:
    anna = await grown_up(town)
    await keeps_a_card(town, anna)
    await kept_card(town)
    await anna.says("/deposit")
    await anna.presses("Stripe")
    amounts = await anna.sees("Платит Visa •• 4242")
    assert amounts.labels[:2] == ["✓ Visa •• 4242", "Новая карта или другой способ"]
    assert not amounts.button("Сохранить карту")
    await anna.presses("Новая карта")
    amounts = await anna.sees("☐ Сохранить карту")
    assert "Платит" not in amounts.text
    await anna.presses("10.00")
    await anna.sees("ссылка действует до")


async def test_a_bank_that_wants_a_confirmation_gets_a_link_in_the_same_message(town: Sandbox) -> None:
    anna = await grown_up(town)
    await keeps_a_card(town, anna)
    town.stripe.spoil(await kept_card(town), "authentication_required")
    asked = await asks_with_the_card(anna)
    await anna.presses("Оплатить")
    await anna.wait_for(lambda message: message.id == asked.id and "Банк просит подтвердить" in message.text)
    assert (await anna.presses("Оплатить", on=asked)).url
    await town.stripe.pay(town.stripe.newest(), webhook="many")
    await anna.wait_for(lambda message: message.id == asked.id and "оплачено и зачислено" in message.text, old=True)
    assert town.stripe.taken() == {"USD": 75_00}


async def test_a_declined_card_says_why_and_offers_another_way(town: Sandbox) -> None:
    anna = await grown_up(town)
    await keeps_a_card(town, anna)
    town.stripe.spoil(await kept_card(town), "insufficient_funds")
    asked = await asks_with_the_card(anna)
    await anna.presses("Оплатить")
    await anna.wait_for(lambda message: message.id == asked.id and "не хватило денег" in message.text)
    await anna.wait_for(lambda message: "с вашей карты не прошло" in message.text, old=True)
    await anna.presses("Заплатить иначе")
    await anna.sees("Через кого удобнее заплатить?")


async def test_a_withdrawn_card_says_so_and_leaves_the_list(town: Sandbox) -> None:
    anna = await grown_up(town)
    await keeps_a_card(town, anna)
    town.stripe.spoil(await kept_card(town), "revocation_of_authorization")
    asked = await asks_with_the_card(anna)
    data = next(button.data for button in asked.buttons if "Оплатить" in button.text)
    await anna.presses("Оплатить")
    await anna.wait_for(lambda message: "Заплатить этой картой больше нельзя" in message.text, old=True)
    again = await anna.taps(data or "", on=asked)
    assert again.text
    assert "больше не сохранена" in again.text


async def test_methods_shows_a_card_which_can_be_removed_with_a_confirming_tap(town: Sandbox) -> None:
    anna = await grown_up(town)
    await keeps_a_card(town, anna)
    ref = await kept_card(town)
    year = town.stripe.methods[ref]["card"]["exp_year"] % 100
    await anna.says("/methods")
    await anna.sees("Visa •• 4242, Stripe, до ")
    await anna.presses("Visa •• 4242")
    card = await anna.sees("предлагается первой")
    assert f"/{year:02}" in card.text
    await anna.presses("Удалить")
    await anna.sees("Удалить Visa •• 4242?")
    assert town.stripe.methods[ref]["customer"]
    await anna.presses("Назад")
    await anna.sees("предлагается первой")
    await anna.presses("Удалить")
    await anna.presses("Да, удалить")
    await anna.sees("Карта удалена")
    assert town.stripe.methods[ref]["customer"] is None
    pressed = await anna.taps(f"cv:{1}")
    assert pressed.text
    assert "больше не сохранена" in pressed.text


async def test_the_card_offered_first_can_be_changed(town: Sandbox) -> None:
    anna = await grown_up(town)
    await keeps_a_card(town, anna)
    ref = await kept_card(town)
    customer = town.stripe.methods[ref]["customer"]
    await town.stripe.keep(customer, webhook="now", card="4444")
    await asyncio.sleep(0.5)
    await anna.says("/methods")
    await anna.presses("•• 4444")
    await anna.presses("Предлагать первой")
    await anna.sees("При пополнении предлагается первой.")
    await anna.presses("Пополнить этой картой")
    assert (await anna.sees("Платит Mastercard •• 4444")).labels[0] == "✓ Mastercard •• 4444"


async def test_an_expired_card_is_shown_as_such_and_not_offered(town: Sandbox) -> None:
    anna = await grown_up(town)
    await keeps_a_card(town, anna)
    ref = await kept_card(town)
    asked = await asks_with_the_card(anna)
    await town.stripe.renew(ref, webhook="now", last4="4242", exp_year=datetime.now(UTC).year - 1)
    await asyncio.sleep(0.5)
    pressed = await anna.presses("Оплатить", on=asked)
    await anna.sees("Срок этой карты истёк")
    assert pressed.text is None or "истёк" in pressed.text
    await anna.says("/deposit")
    await anna.presses("Stripe")
    assert "Visa •• 4242" not in (await anna.sees("Другая сумма")).labels
    await anna.says("/methods")
    await anna.sees("срок истёк")
    assert town.stripe.taken() == {"USD": 50_00}


async def test_another_players_card_gets_nobody_anywhere(town: Sandbox) -> None:
    anna, ben = await grown_up(town), await grown_up(town, 1002, "Бен")
    await keeps_a_card(town, anna)
    await kept_card(town)
    await anna.says("/methods")
    await anna.sees("Visa •• 4242")
    for data in ("cv:1", "cd:1", "cr:1:0", "cr:1:1", "cq:1:USD:1000:abcdefgh", "cp:1:USD:1000:abcdefgh"):
        pressed = await ben.taps(data)
        assert pressed.text, data
        assert "больше не сохранена" in pressed.text
    await ben.taps("c:stripe:USD:0:1")
    amounts = await ben.sees("Другая сумма")
    assert "Платит" not in amounts.text
    assert town.stripe.taken() == {"USD": 50_00}
    await anna.says("/methods")
    await anna.sees("Visa •• 4242")
