"""Casinos in the chat: from the link to the news of what happened there, in both languages; and what an admin does."""

import re
from collections.abc import AsyncIterator
from urllib.parse import parse_qs, urlsplit

import pytest

from sandbox import Message, Person, Sandbox
from tests.chat.conftest import open_town
from tests.chat.people import grown_up, plain

CHANNEL = -1001000000001


@pytest.fixture
async def town(database_url: str) -> AsyncIterator[Sandbox]:
    async with open_town(
        database_url,
        ADMIN_IDS="900",
        POSTBACK_TOKEN="sandbox-postback",
        POSTBACK_LINK="https://casino.example/?sub1={sub1}",
    ) as town:
        yield town


async def click(person: Person, label: str = "Регистрация в 1Win") -> str:
    """The click id in the person's own link, which stands under what is shown now."""
    url = (await person.presses(label)).url
    assert url is not None
    return parse_qs(urlsplit(url).query)["sub1"][0]


async def hears(person: Person, words: str) -> Message:
    """News, which come by themselves."""
    return await person.wait_for(lambda message: words in plain(message.text), old=True)


async def test_a_player_registers_by_the_own_link_and_hears_what_the_casino_reports(town: Sandbox) -> None:
    anna = await grown_up(town, 1001, "Анна")
    link = await click(anna)
    await anna.presses("1Win")
    page = await anna.sees("Ссылка личная")
    assert "18+" in page.text
    assert await click(anna) == link

    account = town.casino.register(link)
    await town.casino.registered(account)
    welcome = await hears(anna, "1Win сообщил о вашей регистрации")
    assert welcome.labels == ["Сигналы", "Меню"]
    await town.casino.deposit(account, "1 000,50", both=True, currency="KZT", webhook="many")
    await hears(anna, "Депозит 1 000.50 KZT зачислен в 1Win.")
    await hears(anna, "Доступ к разделу «Сигналы» открыт.")
    await town.casino.deposit(account, 500)
    again = await hears(anna, "Депозит 500.00 RUB зачислен в 1Win.")
    assert again.text.count("\n") == 0
    await town.casino.withdraw(account, "200")
    await hears(anna, "1Win сообщил о выводе 200.00 RUB.")
    await town.casino.win(account, "250")
    won = await hears(anna, "1Win сообщил о выигрыше")
    assert plain(won.text) == "1Win сообщил о выигрыше 250.00 RUB."
    await town.casino.win(account, "300")
    await town.casino.deposit(account, 1)  # after it in order, so the second win was not told
    await hears(anna, "Депозит 1.00 RUB")
    assert not any("300.00" in message.text for message in anna.shown)
    assert sum("1 000.50 KZT" in plain(message.text) for message in anna.shown) == 1

    await anna.says("/menu")
    await anna.sees("Главное меню")
    await anna.presses("1Win")
    linked = await anna.sees("связан с ботом")
    assert account in linked.text
    assert "Регистрация в 1Win" not in linked.labels
    await anna.presses("Что сообщило казино")
    events = await anna.sees("1Win сообщил")
    assert [line.partition(" · ")[2] for line in plain(events.text).splitlines()[2:]] == [
        "депозит 1.00 RUB",
        "выигрыш 300.00 RUB",
        "выигрыш 250.00 RUB",
        "вывод 200.00 RUB",
        "депозит 500.00 RUB",
        "депозит 1 000.50 KZT",
        "регистрация",
    ]
    await anna.presses("Назад")
    await anna.sees("связан с ботом")
    await anna.says("/balance")
    await anna.sees("Пока пусто")


async def test_the_same_in_english(town: Sandbox) -> None:
    ben = await grown_up(town, 1002, "Ben", language_code="en")
    await ben.says("/start")
    await ben.sees("Ben")
    account = town.casino.register(await click(ben, "Register at 1Win"))
    await town.casino.registered(account)
    await hears(ben, "1Win has told us that you registered")
    await town.casino.deposit(account, "25.5", currency="USD")
    await hears(ben, "Your deposit of 25.50 USD has arrived at 1Win.")
    await hears(ben, "The “Signals” section is open to you.")
    await town.casino.withdraw(account, "5")
    await hears(ben, "1Win reported a withdrawal of 5.00 RUB.")
    await town.casino.win(account, "7")
    await hears(ben, "1Win reported a win of 7.00 RUB.")
    await ben.says("/menu")
    await ben.presses("1Win")
    await ben.sees("was linked with the bot")
    await ben.presses("What the casino told")
    await ben.sees("registration")


async def test_pages_of_what_was_reported_turn_both_ways(town: Sandbox) -> None:
    anna = await grown_up(town, 1001, "Анна")
    account = town.casino.register(await click(anna))
    await town.casino.registered(account)
    for amount in range(1, 20):
        await town.casino.win(account, amount)
    await town.casino.withdraw(account, "0.5")
    await hears(anna, "выводе 0.50")
    await anna.says("/menu")
    await anna.presses("1Win")
    await anna.presses("Что сообщило казино")
    assert "19.00" in (await anna.sees("1Win сообщил")).text
    await anna.presses("Старее")
    await anna.sees("12.00")
    await anna.presses("Новее")
    await anna.sees("19.00")


async def test_nothing_is_offered_before_the_rules_and_without_a_casino(database_url: str) -> None:
    async with open_town(database_url) as town:
        anna = town.person(1001, "Анна")
        await anna.says("/start")
        await anna.sees("18")
        assert "Сначала подтвердите" in ((await anna.taps("o:casino:0")).text or "")
        ben = await grown_up(town, 1002, "Бен")
        assert not any("Казино" in label or "1Win" in label for label in ben.shown[-1].labels)
        await ben.taps("o:casino:0")
        await ben.sees("не подключены")
        pressed = await ben.taps("kc:1win")
        assert pressed.text


async def test_several_casinos_have_a_list_and_links_of_their_own(database_url: str) -> None:
    async with open_town(
        database_url,
        POSTBACK_TOKEN="sandbox-postback",
        POSTBACK_LINK="https://casino.example/?sub1={sub1}",
        CASINOS="pinup",
        PINUP_TITLE="Pin-Up",
        PINUP_POSTBACK_TOKEN="pinup-door",
        PINUP_POSTBACK_LINK="https://pinup.example/?sub1={sub1}",
    ) as town:
        anna = await grown_up(town, 1001, "Анна")
        await anna.says("/menu")
        await anna.presses("Казино")
        await anna.sees("Казино")
        await anna.presses("Pin-Up")
        await anna.sees("Pin-Up")
        pinup = await click(anna, "Регистрация в Pin-Up")
        await anna.says("/start")
        await anna.sees("Анна")
        assert await click(anna) != pinup


async def opens_casinos(admin: Person) -> Message:
    await admin.says("/casino")
    return await admin.sees("Ссылок выдано")


async def test_an_admin_sees_what_is_odd_and_links_a_stranger_by_hand(town: Sandbox) -> None:
    olga = await grown_up(town, 900, "Olga")
    anna, _ben = await grown_up(town, 1001, "Анна"), await grown_up(town, 1002, "Бен")
    stranger = town.casino.register(None)
    await town.casino.deposit(stranger, "700")
    await town.casino.fire("deposit", user_id="{user_id}", amount="{amount}", sub1="{sub1}")
    await hears(olga, "Казино прислало то, чего я не понимаю")
    await olga.presses("К казино")
    overview = await olga.sees("Ссылок выдано")
    assert "ничьих счетов: 1" in overview.text
    assert "Депозиты: 700.00 RUB (всего 1)" in plain(overview.text)
    await olga.presses("Непонятные события: 1")
    odd = await olga.sees("Не считается")
    assert "не сказано, чей счёт" in odd.text
    await olga.presses(next(label for label in odd.labels if label.startswith("№")))
    card = await olga.sees("Что пришло")
    assert "amount={amount}" in card.text
    await olga.presses("К казино")
    await olga.presses("Непонятные события: 1")
    await olga.presses("Просмотрено")
    await olga.sees("Ссылок выдано")

    await olga.presses("Ничьи счета")
    await olga.sees(stranger)
    await olga.presses(stranger)
    await olga.sees("Чей счёт")
    await olga.says("nobody-by-that-name")
    await olga.sees("Никого не нашлось")
    await olga.says("1001")
    sure = await olga.sees("Отменить нельзя")
    assert "Анна" in sure.text
    confirmed = next(button.data for button in sure.buttons if button.text == "Да, связать")
    await olga.presses("Да, связать")
    await olga.sees("связан с игроком")
    await hears(anna, "Депозит 700.00 RUB зачислен в 1Win.")
    pressed = await olga.taps(str(confirmed).replace(":2:1", ":3:1"))
    assert "остаётся за ним" in (pressed.text or "")

    await olga.presses("К игроку")
    await olga.sees("Игрок №")
    await olga.presses("Казино")
    section = await olga.sees("Казино игрока")
    assert stranger in section.text
    assert "700.00" in section.text
    await olga.presses("События игрока")
    await olga.sees("События игрока")
    await opens_casinos(olga)
    await olga.presses("Все события")
    assert re.search(r"игрок \d", (await olga.sees("Все события")).text)


async def test_the_question_whose_account_it_is_can_be_left(town: Sandbox) -> None:
    anna, olga = await grown_up(town, 1001, "Анна"), await grown_up(town, 900, "Olga")
    stranger = town.casino.register(None)
    await town.casino.deposit(stranger, "700")
    await town.casino.registered(town.casino.register(await click(anna)))
    await hears(anna, "1Win сообщил о вашей регистрации")  # what came earlier was acted on before
    await opens_casinos(olga)
    await olga.presses("Ничьи счета")
    await olga.sees(stranger)
    await olga.presses(stranger)
    await olga.presses("Отмена")
    await olga.sees("Событие №")
    await olga.says("1001")
    await olga.sees("Я понимаю только команды и кнопки")
