"""Paying out, as a player and two admins see it."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from sandbox import Message, Person, Sandbox
from tests.chat.conftest import open_town
from tests.chat.people import asks_to_pay, grown_up, plain

IBAN = "DE89 3704 0044 0532 0130 00"
MASKED = "DE89 •••• 3000"


@pytest.fixture
async def town(database_url: str) -> AsyncIterator[Sandbox]:
    """With two admins, and methods that need not cool."""
    async with open_town(database_url, ADMIN_IDS="900,901", METHOD_COOLING_HOURS="0") as world:
        yield world


async def admin(town: Sandbox, number: int = 900) -> Person:
    person = town.person(number, f"Кассир {number}")
    await person.says("/start")
    await person.sees("18")
    return person


async def adds_iban(person: Person, text: str = IBAN) -> None:
    await person.says("/methods")
    await person.presses("Добавить реквизиты")
    await person.presses("Счёт по IBAN")
    await person.sees("Напишите IBAN")
    await person.says(text)


async def funded(town: Sandbox, dollars: str = "100.00 USD", telegram_id: int = 1001) -> Person:
    """A player with money."""
    anna = await grown_up(town, telegram_id)
    await asks_to_pay(anna, "Stripe", dollars)
    await town.stripe.pay(town.stripe.newest(), webhook="now")
    await anna.sees("Зачислено")
    return anna


async def payable(town: Sandbox, boss: Person, dollars: str = "100.00 USD", telegram_id: int = 1001) -> Person:
    """A player with money and a verified destination."""
    anna = await funded(town, dollars, telegram_id)
    await adds_iban(anna)
    await anna.sees("проверяет человек")
    new = await boss.wait_for(lambda message: "ждут проверки" in message.text, old=True)
    await boss.presses("Открыть", on=new)
    await boss.presses("Подтвердить")
    await anna.sees("проверены")
    return anna


async def asks(person: Person, amount: str) -> Message:
    """From /withdraw to the answer; the amount is a button or is typed."""
    await person.says("/withdraw")
    await person.presses(MASKED)
    amounts = await person.sees("Другая сумма")
    if any(amount in plain(label) for label in amounts.labels):
        await person.presses(amount.replace(" ", "\u00a0"))
    else:
        await person.presses("Другая сумма")
        await person.sees("одним числом")
        await person.says(amount)
    await person.sees("Комментарий: —")
    await person.taps(confirm_data(person.shown[-1]), on=person.shown[-1])
    return await person.sees("Заявка №")


def confirm_data(message: Message) -> str:
    data = message.buttons[0].data
    assert data
    assert data.startswith("wd:")
    return data


async def test_a_withdrawal_from_the_command_to_the_payment(town: Sandbox) -> None:
    boss = await admin(town)
    anna = await payable(town, boss)
    await anna.says("/withdraw")
    await anna.presses(MASKED)
    amounts = await anna.sees("Другая сумма")
    assert [plain(label) for label in amounts.labels[:3]] == ["25.00 USD", "50.00 USD", "Всё: 100.00 USD"]
    await anna.presses("50.00\u00a0USD")
    await anna.sees("Вывести 50.00\u00a0USD на DE89")
    await anna.presses("Добавить комментарий")
    await anna.sees("Напишите комментарий")
    await anna.says("за <июль>")
    sure = await anna.sees("Комментарий: за <июль>")
    assert "Отозвать заявку самому нельзя" in sure.text
    await anna.presses("Вывести 50.00")
    await anna.sees("в течение 24 часов")
    await anna.wait_for(lambda message: "Деньги отложены" in message.text, old=True)
    await anna.says("/balance")
    await anna.sees("50.00\u00a0USD доступно")

    asked = await boss.wait_for(lambda message: "Заявка на вывод" in message.text, old=True)
    await boss.presses("Открыть", on=asked)
    card = await boss.sees("Согласий: 0 из 1")
    for words in ("за <июль>", "первый вывод", "счёту меньше 7 дней", MASKED):
        assert words in card.text
    assert "0532" not in card.text
    await boss.presses("Одобрить")
    await anna.sees("одобрен")
    await boss.presses("Показать реквизиты")
    shown = await boss.sees("DE89370400440532013000")
    await boss.presses("Скрыть", on=shown)
    await boss.wait_for(lambda message: message.id == shown.id and "0532" not in message.text)
    await boss.presses("Отправлено…")
    await boss.sees("Под каким номером")
    await boss.says("SEPA-2026-1")
    await boss.sees("выплачен")
    told = await anna.sees("SEPA-2026-1")
    assert "50.00 USD отправлены" in plain(told.text)
    await anna.says("/balance")
    await anna.sees("Выведено всего: 50.00")


async def test_a_rejected_withdrawal_gives_the_money_back_and_says_why(town: Sandbox) -> None:
    boss = await admin(town)
    anna = await payable(town, boss)
    await asks(anna, "100.00 USD")
    await boss.says("/withdrawals")
    await boss.sees("Выводы в работе: 1")
    await boss.presses("№ ")
    await boss.presses("Отклонить…")
    await boss.sees("Почему отклонён")
    await boss.says("Имя получателя <другое>")
    await boss.sees("отклонён")
    told = await anna.sees("отклонён: Имя получателя <другое>")
    assert "Доступно: 100.00 USD" in plain(told.text)


async def test_a_payment_that_failed_gives_the_money_back(town: Sandbox) -> None:
    boss = await admin(town)
    anna = await payable(town, boss)
    await asks(anna, "100.00 USD")
    await boss.says("/withdrawals")
    await boss.presses("№ ")
    await boss.presses("Одобрить")
    await boss.presses("Не прошло…")
    await boss.sees("Почему вывод")
    await boss.says("Банк вернул перевод")
    await boss.sees("не прошёл")
    assert "Доступно: 100.00 USD" in plain((await anna.sees("Банк вернул перевод")).text)


async def test_what_is_large_takes_two_admins_who_hear_of_each_other(town: Sandbox) -> None:
    boss, second = await admin(town), await admin(town, 901)
    anna = await payable(town, boss, "20000")
    await asks(anna, "15000")
    await boss.says("/withdrawals")
    await boss.presses("№ ")
    await boss.presses("Одобрить")
    await boss.sees("Согласий: 1 из 2")
    again = await boss.presses("Одобрить")
    assert again.text
    assert "Нужен другой администратор: 901" in again.text
    asked = await second.wait_for(lambda message: "ждёт второго согласия" in message.text, old=True)
    await second.presses("Открыть", on=asked)
    await second.presses("Одобрить")
    await second.sees("Согласий: 2 из 2")
    await anna.wait_for(lambda message: "одобрен" in message.text, old=True)


async def test_an_admin_who_comes_second_is_told_how_it_stands(town: Sandbox) -> None:
    boss, second = await admin(town), await admin(town, 901)
    anna = await payable(town, boss)
    await asks(anna, "50.00 USD")
    for person in (boss, second):
        await person.says("/withdrawals")
        await person.presses("№ ")
        await person.sees("Одобрить")
    await boss.presses("Одобрить")
    late = await second.presses("Одобрить")
    assert late.text
    assert "отправляется" in late.text
    await second.presses("Отклонить…")
    await second.sees("Почему отклонён")
    await second.says("поздно")
    await second.sees("Это уже решено: отправляется")
    await boss.presses("Отправлено…")
    await boss.sees("Под каким номером")
    await boss.says("S")
    await boss.sees("от 3 до 100 знаков")
    await boss.says("SEPA-1")
    await boss.sees("выплачен")
    assert not any("отклонён" in message.text for message in anna.shown)


async def test_pressing_again_and_again_is_one_withdrawal(town: Sandbox) -> None:
    boss = await admin(town)
    anna = await payable(town, boss)
    await anna.says("/withdraw")
    await anna.presses(MASKED)
    await anna.presses("25.00")
    sure = await anna.sees("Комментарий: —")
    data = confirm_data(sure)
    await asyncio.gather(*(anna.taps(data, on=sure) for _ in range(10)))
    await anna.sees("Заявка №")
    await anna.wait_for(lambda message: "Деньги отложены" in message.text, old=True)
    await anna.says("/balance")
    await anna.sees("75.00\u00a0USD доступно")
    assert sum("Деньги отложены" in message.text for message in anna.shown) == 1


async def test_a_made_up_withdrawal_gets_nowhere(town: Sandbox) -> None:
    boss = await admin(town)
    anna = await payable(town, boss)
    ben = await funded(town, "50.00 USD", 1002)
    for data, answer in (
        ("wd:USD:1:1000:abcdefgh", "не ваше"),  # Anna's method
        ("wt:USD:1", "не ваше"),
        ("wy:USD:1", "не ваше"),
        ("wa:USD:1:1000", "не ваше"),
        ("wo:1", "не ваше"),
        ("wr:1:1", "не ваше"),
        ("wk:1", "не ваше"),
        ("wd:USD:99:1000:abcdefgh", "не ваше"),
        ("wd:USD:1:0:abcdefgh", "больше не действует"),
        ("wd:USD:1:-5:abcdefgh", "больше не действует"),
    ):
        pressed = await ben.taps(data)
        assert pressed.text, data
        assert answer in pressed.text, data
    for minor, answer in (
        ("999", "меньше, чем можно"),
        ("10000001", "больше, чем можно"),
        ("10001", "доступно 100.00"),
    ):
        pressed = await anna.taps(f"wd:USD:1:{minor}:abcdefgh")
        assert pressed.text
        assert answer in plain(pressed.text)
    await anna.says("/balance")
    await anna.sees("100.00\u00a0USD доступно")


async def test_nothing_to_withdraw_and_nowhere_to_send_it(town: Sandbox) -> None:
    anna = await grown_up(town)
    await anna.says("/withdraw")
    await anna.sees("Свободных денег на балансе сейчас нет")
    ben = await funded(town, "50.00 USD", 1002)
    await adds_iban(ben)
    await ben.sees("проверяет человек")
    await ben.says("/withdraw")
    nowhere = await ben.sees("Отправить пока некуда")
    assert f"{MASKED}: проверяется" in nowhere.text
    await ben.presses("Карты и вывод")
    await ben.sees("Куда выводить")
    pressed = await ben.taps("wt:USD:1")
    assert pressed.text
    assert "ещё проверяет человек" in pressed.text


async def test_a_new_method_waits_and_says_until_when(database_url: str) -> None:
    async with open_town(database_url) as town:
        boss = await admin(town)
        anna = await payable(town, boss)
        assert any("выводить можно с" in message.text for message in anna.shown)
        pressed = await anna.taps("wt:USD:1")
        assert pressed.text
        assert "эти реквизиты новые" in pressed.text.lower()


WRONG_DESTINATIONS = (
    ("IBAN", "DE89 3704 0044 0532 0130 01", "Контрольная сумма IBAN не сходится"),
    ("IBAN", "hello", "не похоже на IBAN"),
    ("Счёт в российском банке", "044525225 40817810938160925983", "не подходит к этому БИК"),
    ("Счёт в российском банке", "40817810938160925982", "Не вижу БИК"),
    ("Карта", "4242", "две части"),
    ("TRC20", "0xdAC17F958D2ee523a2206206994597C13D831ec7", "адрес сети ERC20"),
    ("ERC20", "0xdac17f958d2ee523a2206206994597c13d831ec7", "без контрольной суммы"),
    ("Bitcoin", "mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn", "тестовой сети"),
)


async def test_a_wrong_destination_gets_a_precise_sentence_and_another_try(town: Sandbox) -> None:
    anna = await grown_up(town)
    for kind, typed, answer in WRONG_DESTINATIONS:
        await anna.says("/methods")
        await anna.presses("Добавить реквизиты")
        await anna.presses(kind)
        await anna.sees("Напишите")
        await anna.says(typed)
        assert "Отмена" in (await anna.sees(answer)).labels
        await anna.presses("Отмена")
        await anna.sees("Главное меню")
        await anna.says(typed)
        await anna.sees("Я понимаю только команды и кнопки")


@pytest.mark.parametrize("kind", ["Счёт по IBAN", "Счёт в российском банке", "Карта", "Bitcoin"])
async def test_a_full_card_number_is_refused_and_deleted(town: Sandbox, kind: str) -> None:
    anna = await grown_up(town)
    await anna.says("/methods")
    await anna.presses("Добавить реквизиты")
    await anna.presses(kind)
    await anna.sees("Напишите")
    number = await anna.says("4242 4242 4242 4242")
    await anna.sees("Похоже на полный номер карты")
    assert anna.find(number.id) is None


async def test_a_full_card_number_does_not_stay_in_the_chat_whenever_it_is_sent(town: Sandbox) -> None:
    anna = await grown_up(town)
    number = await anna.says("4242424242424242 12/29")
    await anna.sees("Похоже на полный номер карты")
    assert anna.find(number.id) is None


async def test_a_method_is_made_default_and_removed_with_a_second_look(town: Sandbox) -> None:
    anna = await grown_up(town)
    await adds_iban(anna)
    await anna.sees("проверяет человек")
    await anna.says("/methods")
    await anna.presses("Добавить реквизиты")
    await anna.presses("Карта")
    await anna.says("4242 pt_1aB2cD3eF4")
    await anna.sees("проверяет человек")
    await anna.presses("Предлагать первой")
    await anna.sees("предлагаются первыми")
    await anna.says("/methods")
    both = await anna.sees("Куда выводить")
    assert both.text.index("•••• 4242") < both.text.index(MASKED)
    await anna.presses("На •••• 4242")
    await anna.presses("Удалить")
    await anna.sees("начнутся заново")
    await anna.presses("Да, удалить")
    await anna.sees("удалены")
    await anna.says("/methods")
    left = await anna.sees("Куда выводить")
    assert "4242" not in left.text
    assert f"{MASKED}: проверяется, предлагаются первыми" in left.text


async def test_a_method_that_is_rejected_says_why(town: Sandbox) -> None:
    boss = await admin(town)
    anna = await grown_up(town)
    await adds_iban(anna, f"{IBAN}\nАнна Иванова")
    await anna.sees("проверяет человек")
    await boss.says("/withdrawals")
    await boss.sees("Никто не ждёт")
    await boss.presses("Проверить реквизиты: 1")
    await boss.presses(MASKED)
    await boss.presses("Показать реквизиты")
    shown = await boss.sees("DE89370400440532013000")
    assert "Анна Иванова" in shown.text
    await boss.presses("Отклонить…")
    await boss.sees("Почему не подошли")
    await boss.says("Нужен счёт на ваше имя")
    await boss.sees("не подошли: Нужен счёт на ваше имя")
    await anna.sees("не подошли: Нужен счёт на ваше имя")


async def test_a_destination_that_two_players_have_is_seen(town: Sandbox) -> None:
    boss = await admin(town)
    anna = await payable(town, boss)
    ben = await grown_up(town, 1002, "Бен")
    await adds_iban(ben, IBAN.lower())
    await ben.sees("проверяет человек")
    await asks(anna, "50.00 USD")
    await boss.says("/withdrawals")
    await boss.presses("50.00")
    await boss.sees("те же реквизиты есть у другого игрока")


async def test_every_question_can_be_left(town: Sandbox) -> None:
    boss = await admin(town)
    anna = await payable(town, boss)
    for question in ("wy:USD:1", "wc:USD:1:1000", "wm:iban:"):
        for leave in ("/menu", "Отмена"):
            await anna.says("/menu")
            await anna.sees("Главное меню")
            await anna.taps(question)
            await anna.sees("Напишите")
            if leave.startswith("/"):
                await anna.says(leave)
            else:
                await anna.presses(leave)
            await anna.sees("Главное меню")
            await anna.says("500")
            await anna.sees("Я понимаю только команды и кнопки")


async def test_in_english_too(town: Sandbox) -> None:
    boss = await admin(town)
    ben = town.person(1003, "Ben", language_code="en")
    await ben.says("/start")
    await ben.presses("a")
    await ben.says("/methods")
    await ben.presses("Add payout details")
    await ben.presses("IBAN")
    await ben.sees("Send the IBAN")
    await ben.says(IBAN)
    await ben.sees("A person is checking these details")
    await ben.says("/withdraw")
    await ben.sees("no free money")
    assert any("ждут проверки" in message.text for message in boss.shown)
