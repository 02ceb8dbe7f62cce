"""An admin's desk in the chat: finding players, looking at them, freezing, correcting; and nobody else gets in."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from handlers.admin.callbacks import (
    ConfirmCorrection,
    Correct,
    DecideCorrection,
    FindPlayer,
    Freeze,
    OpenCorrections,
    OpenOperation,
    OpenPlayer,
    Section,
    Unfreeze,
)
from sandbox import Message, Person, Sandbox
from tests.chat.conftest import open_town
from tests.chat.people import asks_to_pay, grown_up, plain
from tests.conftest import statement

LARGEST = 2**63 - 1
HOSTILE = ["%", "'", "' OR '1'='1", "#" + "9" * 19, "9" * 4000, "x" * 4000, "@" + "_" * 64, "<b>&", "/", "\\"]


@pytest.fixture
async def office(database_url: str) -> AsyncIterator[Sandbox]:
    """A town with two admins."""
    async with open_town(database_url, ADMIN_IDS="900,901") as town:
        yield town


async def admins(office: Sandbox) -> tuple[Person, Person]:
    return await grown_up(office, 900, "Olga"), await grown_up(office, 901, "Pavel")


async def finds(admin: Person, query: str) -> Message:
    await admin.says(f"/player {query}")
    return await admin.sees("Игрок №")


async def corrects(admin: Person, query: str, amount: str, reason: str) -> Message:
    """From the player's card to the button that confirms."""
    await finds(admin, query)
    await admin.presses("Исправить баланс")
    await admin.presses("USD")
    await admin.sees("со знаком")
    await admin.says(amount)
    await admin.sees("Напишите причину")
    await admin.says(reason)
    return await admin.sees("Доступно сейчас")


async def test_an_admin_finds_a_player_and_sees_all_sides(office: Sandbox) -> None:
    olga, _ = await admins(office)
    anna = office.person(1001, "Anna <&> Co", username="anna_b")
    await grown_up(office, 1001, "Anna <&> Co")
    await asks_to_pay(anna, "Stripe", "50.00 USD")
    await office.stripe.pay(office.stripe.newest())
    await anna.sees("Зачислено")

    await olga.says("/player")
    await olga.sees("Кого найти")
    await olga.says("@ANNA_B")
    card = await olga.sees("Игрок №")
    assert "Anna <&> Co · @anna_b" in card.text
    assert "50.00 USD доступно" in plain(card.text)
    assert "Пополнения, выполнено: 1" in card.text
    for label, words in (
        ("Операции", "пополнение"),
        ("Движения", "+50.00"),
        ("Способы", "Здесь ничего нет"),
        ("Журнал", "admin:900"),
    ):
        await olga.presses(label)
        await olga.sees(words)
        await olga.presses("К игроку")
        await olga.sees("доступно")
    await olga.presses("Операции")
    await olga.presses("№ 1")
    story = await olga.sees("Получено")
    assert "Пополнение № 1: 50.00 USD, выполнено" in plain(story.text)
    assert "webhook:stripe" in story.text
    await olga.presses("Операции")
    await olga.sees("Операции игрока")


async def test_a_number_of_several_meanings_is_asked_about(office: Sandbox) -> None:
    olga, _ = await admins(office)
    await grown_up(office, 1001, "Анна")
    await grown_up(office, 1, "Бен")  # his Telegram id is a number of ours
    await olga.says("/player 1")
    choice = await olga.sees("Кто из них")
    assert len([label for label in choice.labels if label.startswith("№")]) == 2
    await olga.presses("Бен")
    await olga.sees("Telegram 1\n")


async def test_whatever_an_admin_types_is_answered(office: Sandbox) -> None:
    olga, _ = await admins(office)
    await olga.says("/player")
    await olga.sees("Кого найти")
    for words in HOSTILE:
        if words.startswith("/"):
            continue
        await olga.says(words)
        await olga.sees("Никого не нашлось")
    await olga.presses("Отмена")
    await olga.sees("Главное меню")
    await olga.says("/player " + "'" * 3000)
    await olga.sees("Никого не нашлось")


async def test_a_freeze_is_typed_told_and_lifted(office: Sandbox) -> None:
    olga, _ = await admins(office)
    anna = await grown_up(office)
    await finds(olga, "1001")
    await olga.presses("Остановить выводы")
    await olga.sees("Напишите причину")
    await olga.says("y" * 4000)
    await olga.sees("не длиннее")
    await olga.says("Чужая карта <&>")
    card = await olga.sees("Выводы остановлены")
    assert "Чужая карта <&>" in card.text
    told = await anna.sees("остановлены")
    assert "Чужая карта" not in told.text
    await olga.presses("Разрешить выводы")
    await olga.sees("Остановлены по причине")
    assert not any("снова доступны" in message.text for message in anna.shown)
    await olga.presses("Разрешить выводы")
    await anna.sees("снова доступны")
    await olga.sees("Игрок №")
    again = await olga.taps(Unfreeze(player=3, sure=True).pack())
    assert again.text
    assert "уже решено" in again.text


async def test_a_small_correction_is_confirmed_once_and_seen_by_the_player(office: Sandbox) -> None:
    olga, _ = await admins(office)
    anna = await grown_up(office)
    sure = await corrects(olga, "1001", "+50,50", "За ожидание <&>")
    assert "станет: 50.50 USD" in plain(sure.text)
    assert "сразу" in sure.text
    data = next(button.data for button in sure.buttons if button.text.startswith("Подтвердить"))
    assert data
    await asyncio.gather(*(olga.taps(data, on=sure) for _ in range(4)))
    await olga.sees("проведено")
    told = await anna.sees("Исправление")
    assert "зачислено 50.50 USD" in plain(told.text)
    assert "За ожидание <&>" in told.text
    await anna.says("/balance")
    assert "50.50 USD доступно" in plain((await anna.sees("доступно")).text)
    await anna.says("/history")
    assert "+50.50 USD" in plain((await anna.sees("исправление")).text)


async def test_a_large_correction_waits_for_the_other_admin(office: Sandbox) -> None:
    olga, pavel = await admins(office)
    anna = await grown_up(office)
    sure = await corrects(olga, "1001", "+20 000", "Возврат по договору")
    assert "другой администратор" in sure.text
    await olga.presses("Подтвердить")
    waits = await olga.sees("предложено")
    assert [label for label in waits.labels if "№" in label] == ["Отозвать № 1"]
    asked = await pavel.sees("ждёт второго")
    assert "20 000.00 USD" in plain(asked.text)
    agree = DecideCorrection(adjustment=1, agree=True).pack()
    own = await olga.taps(agree)
    assert own.text
    assert "другой администратор" in own.text
    await pavel.says("/player")
    await pavel.presses("Исправления ждут: 1")
    await pavel.sees("Возврат по договору")
    await pavel.presses("Согласиться", on=asked)
    await pavel.sees("проведено")
    await anna.sees("зачислено")
    await olga.sees("Решил 901")
    late = await pavel.taps(DecideCorrection(adjustment=1, agree=False).pack())
    assert late.text
    assert "уже решено: проведено" in late.text


async def test_a_declined_correction_moves_nothing(office: Sandbox) -> None:
    olga, pavel = await admins(office)
    anna = await grown_up(office)
    await corrects(olga, "1001", "+20 000", "Ошибка")
    await olga.presses("Подтвердить")
    await pavel.sees("ждёт второго")
    await pavel.presses("Отклонить")
    await olga.sees("отклонено")
    await anna.says("/balance")
    await anna.sees("Пока пусто")


async def test_more_than_there_is_cannot_be_taken_and_signs_are_not_guessed(office: Sandbox) -> None:
    olga, _ = await admins(office)
    await grown_up(office)
    await finds(olga, "1001")
    await olga.presses("Исправить баланс")
    await olga.presses("USD")
    for typed in ("50", "сто", "+1e9", "+" + "9" * 4000, "+0"):
        await olga.says(typed)
        await olga.sees("со знаком")
    await olga.says("-20")
    await olga.sees("Напишите причину")
    await olga.says("Лишнее")
    refused = await olga.sees("У игрока доступно только")
    assert "0.00 USD" in plain(refused.text)
    await olga.presses("Отмена")
    await olga.sees("Главное меню")


async def test_a_confirmation_of_something_else_is_stale(office: Sandbox) -> None:
    olga, pavel = await admins(office)
    await grown_up(office)
    first = await corrects(olga, "1001", "+50", "Первое")
    data = next(button.data for button in first.buttons if button.text.startswith("Подтвердить"))
    assert data
    await corrects(olga, "1001", "+70", "Второе")
    for person in (olga, pavel):
        await person.says("/menu")
        await person.sees("Главное меню")
        stale = await person.taps(data)
        assert stale.text
        assert "больше не действует" in stale.text


async def test_what_does_not_exist_is_answered_politely(office: Sandbox) -> None:
    olga, _ = await admins(office)
    for data in (
        *(OpenPlayer(player=LARGEST).pack(), OpenOperation(operation=LARGEST).pack(), Freeze(player=LARGEST).pack()),
        *(Unfreeze(player=LARGEST).pack(), Unfreeze(player=LARGEST, sure=True).pack()),
        *(DecideCorrection(adjustment=LARGEST, agree=agree).pack() for agree in (True, False)),
    ):
        answer = await olga.taps(data)
        assert answer.text, data
        assert "больше нет" in answer.text, data
    for section in (Section.OPERATIONS, Section.MOVEMENTS, Section.METHODS, Section.AUDIT):
        await olga.taps(OpenPlayer(player=LARGEST, section=section, key=LARGEST, newer=True).pack())
        await olga.sees("Здесь ничего нет")
    await olga.taps(OpenCorrections().pack())
    await olga.sees("ничего не ждёт")


async def test_nobody_else_gets_in(office: Sandbox, database_url: str) -> None:
    olga, _ = await admins(office)
    mallory = await grown_up(office, 666, "Mallory")
    await grown_up(office)
    await corrects(olga, "1001", "+20 000", "Настоящее")
    await olga.presses("Подтвердить")
    await olga.sees("предложено")
    await mallory.says("/player 1001")
    await mallory.sees("Такой команды нет")
    actions = [
        *(OpenPlayer(player=1, section=section).pack() for section in Section),
        *(OpenOperation(operation=1).pack(), FindPlayer().pack(), Freeze(player=1).pack()),
        *(Unfreeze(player=1, sure=sure).pack() for sure in (True, False)),
        *(Correct(player=1).pack(), Correct(player=1, currency="USD").pack()),
        *(ConfirmCorrection(nonce="abcdefgh").pack(), OpenCorrections().pack()),
        *(DecideCorrection(adjustment=1, agree=agree).pack() for agree in (True, False)),
    ]
    for data in actions:
        answer = await mallory.taps(data)
        assert answer.text, data
        assert "больше не действует" in answer.text, data
    # Not even with a question that only admins are asked.
    for state in ("admin_player", "admin_freeze", "admin_amount", "admin_reason"):
        await statement(
            database_url,
            "INSERT INTO fsm_state (key, state, data) VALUES"
            f' (\'42:666:666:::default\', \'Typing:{state}\', \'{{"player": 2, "currency": "USD", "minor": 5}}\')'
            " ON CONFLICT (key) DO UPDATE SET state = excluded.state, data = excluded.data",
        )
        await mallory.says("+100")
        await mallory.sees("Я понимаю только")
    await finds(olga, "1001")
    assert not any("остановлены" in message.text for message in olga.shown)
    await olga.says("/player")
    await olga.presses("Исправления ждут: 1")
    await olga.sees("Настоящее")


async def test_admins_see_their_commands_and_nobody_else_does(office: Sandbox) -> None:
    olga, _ = await admins(office)
    anna = await grown_up(office)
    listed = {scope: [item["command"] for item in items] for (scope, _), items in office.telegram.commands.items()}
    assert "player" not in listed["default"]
    for admin in (900, 901):
        assert listed[f"chat:{admin}"][: len(listed["default"])] == listed["default"]
        assert "player" in listed[f"chat:{admin}"]
    await olga.says("/help")
    assert "/player" in (await olga.sees("Что умеет")).text
    await anna.says("/help")
    assert "/player" not in (await anna.sees("Что умеет")).text
