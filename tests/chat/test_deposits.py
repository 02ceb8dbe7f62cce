"""Paying in, as a player sees it."""

import asyncio

from sandbox import Fault, Sandbox
from tests.chat.people import asks_to_pay, grown_up, plain


async def test_a_deposit_by_stripe_from_the_command_to_the_balance(town: Sandbox) -> None:
    anna = await grown_up(town)
    await anna.says("/deposit")
    await anna.presses("Stripe")
    await anna.presses("50.00")
    link = await anna.sees("ссылка действует до")
    opened = await anna.presses("Оплатить")
    assert opened.url
    await town.stripe.pay(town.stripe.newest(), webhook="many", copies=5)
    credited = await anna.sees("Зачислено")
    assert "Зачислено 50.00 USD через Stripe." in plain(credited.text)
    await anna.wait_for(lambda message: message.id == link.id and "оплачено" in message.text, old=True)
    assert not link.buttons
    await anna.says("/balance")
    await anna.sees("50.00\u00a0USD доступно")
    assert sum("Зачислено" in message.text for message in anna.shown) == 1


async def test_a_deposit_by_yookassa_with_an_amount_typed(town: Sandbox) -> None:
    anna = await grown_up(town)
    link = await asks_to_pay(anna, "YooKassa", "1 000,50")
    assert "Оплатить 1 000.50 RUB" in [plain(label) for label in link.labels]
    await town.yookassa.pay(town.yookassa.newest(), webhook="now")
    assert "1 000.50 RUB" in plain((await anna.sees("Зачислено")).text)


async def test_pressing_an_amount_again_is_still_one_deposit(town: Sandbox) -> None:
    anna = await grown_up(town)
    await anna.says("/deposit")
    await anna.presses("Stripe")
    amounts = await anna.sees("Другая сумма")
    label, data = amounts.labels[0], amounts.buttons[0].data
    assert data
    await asyncio.gather(*(anna.taps(data, on=amounts) for _ in range(10)))
    await anna.sees("ссылка действует до")
    assert len(town.stripe.sessions) == 1
    await anna.says("/deposit")
    await anna.presses("Stripe")
    await anna.presses(label)
    await anna.sees("ссылка действует до")
    assert len(town.stripe.sessions) == 2


NO_AMOUNTS = {
    "сто": "не похоже на сумму",
    "1e3": "не похоже на сумму",
    "NaN": "не похоже на сумму",
    "١٠٠": "не похоже на сумму",
    "50 USD": "не похоже на сумму",
    "10.999": "Слишком много цифр после запятой",
    "0": "меньше, чем можно",
    "-50": "меньше, чем можно",
    "0.01": "меньше, чем можно",
    "1000000": "больше, чем можно",
    "9" * 30: "больше, чем можно",
}


async def test_what_is_no_amount_gets_a_sentence_and_another_try(town: Sandbox) -> None:
    anna = await grown_up(town)
    await anna.says("/deposit")
    await anna.presses("Stripe")
    await anna.presses("Другая сумма")
    for typed, answer in NO_AMOUNTS.items():
        await anna.says(typed)
        assert "Отмена" in (await anna.sees(answer)).labels
    await anna.says("19.99")
    await anna.sees("19.99\u00a0USD через Stripe")
    assert len(town.stripe.sessions) == 1


async def test_an_amount_is_only_an_amount_while_it_is_asked_for(town: Sandbox) -> None:
    anna = await grown_up(town)
    for leave in ("/menu", "/history", "Отмена"):
        await anna.says("/deposit")
        await anna.presses("Stripe")
        await anna.presses("Другая сумма")
        if leave.startswith("/"):
            await anna.says(leave)
        else:
            await anna.presses(leave)
        await anna.sees("Меню" if leave == "/history" else "Главное меню")
        await anna.says("500")
        await anna.sees("Я понимаю только команды и кнопки")
    assert not town.stripe.sessions


async def test_leaving_a_link_does_not_pretend_to_cancel_the_payment(town: Sandbox) -> None:
    anna = await grown_up(town)
    await asks_to_pay(anna, "Stripe", "10.00 USD")
    await anna.presses("Отмена")
    left = await anna.sees("деньги зачислятся")
    assert not any(button.url for button in left.buttons)
    await town.stripe.pay(town.stripe.newest(), webhook="now")
    await anna.sees("Зачислено")


async def test_checking_a_payment_says_where_it_stands(town: Sandbox) -> None:
    anna = await grown_up(town)
    link = await asks_to_pay(anna, "YooKassa", "500.00 RUB")
    pressed = await anna.presses("Проверить оплату", on=link)
    assert pressed.text
    assert "ещё не подтвердил" in pressed.text
    await town.yookassa.pay(town.yookassa.newest(), webhook="never")
    await asyncio.sleep(3)  # asking is allowed every three seconds
    await anna.presses("Проверить оплату", on=link)
    await anna.wait_for(lambda message: "оплачено и зачислено" in message.text, old=True)
    await anna.wait_for(lambda message: "Зачислено" in message.text, old=True)


async def test_coming_back_from_the_payment_page_shows_how_the_payment_stands(town: Sandbox) -> None:
    anna = await grown_up(town)
    link = await asks_to_pay(anna, "Stripe", "25.00 USD")
    number = link.text.rpartition(" ")[2]
    await anna.says(f"/start paid_{number}")
    await anna.sees("Проверяем оплату")
    await town.stripe.pay(town.stripe.newest(), webhook="now")
    await anna.sees("Зачислено")
    await anna.says(f"/start paid_{number}")
    await anna.sees("оплачено и зачислено")


async def test_another_players_deposit_does_not_exist(town: Sandbox) -> None:
    anna, ben = await grown_up(town), await grown_up(town, 1002, "Бен")
    link = await asks_to_pay(anna, "Stripe", "25.00 USD")
    number = link.text.rpartition(" ")[2]
    pressed = await ben.taps(f"k:{number}")
    assert pressed.text
    assert "Такого пополнения у вас нет" in pressed.text
    await ben.says(f"/start paid_{number}")
    await ben.sees("Такого пополнения у вас нет")


async def test_a_forged_amount_or_provider_is_refused(town: Sandbox) -> None:
    anna = await grown_up(town)
    await anna.taps("p:stripe:USD:1:abcdefgh:0")
    await anna.sees("меньше, чем можно")
    await anna.taps("p:yookassa:USDT:100:abcdefgh:0")
    await anna.sees("недоступен для пополнения")
    assert not town.stripe.sessions


async def test_a_provider_that_says_no_is_told_honestly(town: Sandbox) -> None:
    anna = await grown_up(town)
    link = await asks_to_pay(anna, "Stripe", "10.00 USD")
    await town.stripe.decline(town.stripe.newest(), reason="insufficient_funds")
    await asyncio.sleep(0.5)
    pressed = await anna.presses("Проверить оплату", on=link)
    assert pressed.text
    assert "не хватило денег" in pressed.text
    await town.stripe.expire(town.stripe.newest())
    await anna.wait_for(lambda message: "закрыто" in message.text, old=True)


async def test_a_provider_that_does_not_answer_sends_the_link_later(town: Sandbox) -> None:
    anna = await grown_up(town)
    town.faults.add("stripe", "POST /v1/checkout/sessions", Fault.ERROR)
    await anna.says("/deposit")
    await anna.presses("Stripe")
    await anna.presses("10.00")
    await anna.wait_for(lambda message: "Деньги не списаны" in message.text, timeout=15)
    town.faults.clear()
    link = await anna.wait_for(lambda message: "ссылка готова" in message.text, timeout=60)
    assert any(button.url for button in link.buttons)
    await town.stripe.pay(town.stripe.newest(), webhook="now")
    await anna.sees("Зачислено")
