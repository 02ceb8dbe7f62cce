"""Looking around: balance, history, settings, help, and everything the bot does not understand."""

import re

from sandbox import Sandbox
from tests.chat.people import asks_to_pay, grown_up, plain


async def test_every_place_is_one_button_away_and_leads_back(town: Sandbox) -> None:
    anna = await grown_up(town)
    for label, words in [
        ("Баланс", "Пока пусто"),
        ("История", "Пока пусто"),
        ("Настройки", "Язык: Русский"),
        ("Помощь", "Что умеет Looseline"),
        ("Правила", "с 18 лет"),
    ]:
        await anna.presses(label)
        place = await anna.sees(words)
        assert place.edited
        await anna.presses("Меню")
        await anna.sees("Главное меню")
    await anna.presses("Пополнить")
    await anna.presses("Отмена")
    await anna.sees("Главное меню")
    assert len(anna.shown) == 1


async def test_the_balance_says_what_there_is_and_where_it_is(town: Sandbox) -> None:
    anna = await grown_up(town)
    await asks_to_pay(anna, "Stripe", "50.00 USD")
    await town.stripe.pay(town.stripe.newest(), webhook="now")
    await anna.sees("Зачислено")
    await anna.presses("Баланс")
    balance = plain((await anna.sees("доступно")).text)
    for words in (
        "50.00 USD доступно",
        "В ставках: 0.00 USD",
        "На выводе: 0.00 USD",
        "Пополнено всего: 50.00 USD",
    ):
        assert words in balance
    assert "Зачислено" in anna.shown[-2].text, "what was told stays above"


async def test_the_history_is_read_page_by_page_newest_first(town: Sandbox) -> None:
    anna = await grown_up(town)
    for amount in range(1, 11):
        await asks_to_pay(anna, "Stripe", f"{amount}.00")
        await town.stripe.pay(town.stripe.newest(), webhook="now")
    balance = ""
    while "55.00" not in balance:  # the news of ten deposits would take ten seconds: one message a second
        await anna.says("/balance")
        balance = (await anna.sees("доступно")).text
    await anna.says("/history")
    first = await anna.sees("пополнение через Stripe")
    amounts = re.findall(r"[+-][0-9.]+ USD", plain(first.text))
    assert amounts == [f"+{amount}.00 USD" for amount in range(10, 2, -1)]
    assert "← Новее" not in first.labels
    await anna.presses("Старее")
    second = plain((await anna.sees("+1.00\u00a0USD")).text)
    assert "+2.00 USD" in second
    assert "+3.00 USD" not in second
    assert "баланс 3.00 USD" in second
    await anna.presses("Новее")
    await anna.sees("+10.00\u00a0USD")


async def test_what_is_not_understood_gets_the_menu(town: Sandbox) -> None:
    anna = await grown_up(town)
    for said in ("привет", "/nonsense", "/admin", "/player 1", "/", "/Баланс", "500", "ы" * 4096):
        await anna.says(said)
        assert "Пополнить" in (await anna.sees("Вот что")).labels, said


async def test_a_file_or_a_photo_gets_the_menu_too(town: Sandbox) -> None:
    anna = await grown_up(town)
    await anna.sends(b"%PDF", "passport.pdf", caption="вот")
    await anna.sees("Вот что можно открыть")
    await anna.sends(b"x", "photo.jpg", photo=True)
    await anna.sees("Вот что можно открыть")


NO_BUTTONS = (
    *("", "o:nowhere:0", "zzz", "x" * 64, "ы" * 2000, "p:stripe:USD:-1:abcdefgh:0", "k:99999999999999999999"),
    *("h:0:0", "::"),
)


async def test_a_button_that_is_none_of_ours_is_answered(town: Sandbox) -> None:
    anna = await grown_up(town)
    for data in NO_BUTTONS:
        pressed = await anna.taps(data)
        assert pressed.text == "Эта кнопка больше не действует. Откройте /menu", data


async def test_commands_are_understood_however_they_are_written(town: Sandbox) -> None:
    anna = await grown_up(town)
    await anna.says("/BALANCE")
    await anna.sees("Пока пусто")
    await anna.says("/menu and more")
    await anna.sees("Главное меню")
