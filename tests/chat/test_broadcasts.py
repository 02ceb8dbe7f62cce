"""An admin writes to many: the form, the preview, the one tap that sends it, and the way out for who has had enough."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from sandbox import Person, Sandbox
from tests.chat.conftest import open_town
from tests.chat.people import grown_up

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 100
LINK = "https://example.com/matches"


@pytest.fixture
async def town(database_url: str) -> AsyncIterator[Sandbox]:
    async with open_town(
        database_url,
        ADMIN_IDS="900,901",
        POSTBACK_TOKEN="sandbox-postback",
        POSTBACK_LINK="https://casino.example/?sub1={sub1}",
    ) as world:
        yield world


async def admin(town: Sandbox, language_code: str = "ru") -> Person:
    return town.person(900, "Редактор", language_code=language_code)


async def writes(boss: Person, text: str = "Новые матчи & <b>таблица</b>") -> None:
    """To the screen where the audience is chosen."""
    await boss.says("/broadcast")
    await boss.sees("Пришлите сообщение")
    await boss.says(text)
    await boss.sees("Кому отправить")


async def sends(boss: Person) -> None:
    await boss.presses("Посмотреть")
    await boss.sees("Так её увидят")
    await boss.presses("Отправить")


async def test_players_see_what_the_preview_showed_and_the_admin_how_it_went(town: Sandbox) -> None:
    anna, ben = await grown_up(town), await grown_up(town, 1002, "Ben", language_code="en")
    boss = await admin(town)
    words = "Новые матчи & <b>таблица</b>\nhttps://example.com"
    entities = [
        {"type": "bold", "offset": 0, "length": 5},
        {"type": "text_link", "offset": 6, "length": 5, "url": LINK},
    ]
    await boss.says("/broadcast")
    await boss.sees("Пришлите сообщение")
    await boss.says(words, entities)
    draft = await boss.sees("Сейчас под них подходят: 2")
    assert "Кнопка под сообщением: —" in draft.text
    await boss.presses("Добавить кнопку")
    await boss.sees("одной строкой")
    await boss.says("Матчи")
    await boss.sees("Нужны слова и ссылка")
    await boss.says(f"Все матчи {LINK}")
    await boss.sees(f"Все матчи → {LINK}")
    await boss.presses("Посмотреть")
    question = await boss.sees("Получат 2 игрока")
    preview = boss.shown[-2]
    await boss.presses("Отправить")
    await boss.sees("Рассылка № 1: закончена", timeout=20)
    got, read = await anna.sees("Новые матчи"), await ben.sees("Новые матчи")
    for message in (got, read):
        assert message.text == words
        assert message.entities == preview.entities
        assert message.entities[:2] == entities
    assert preview.labels == got.labels == ["Все матчи", "Не присылать новости"]
    assert read.labels == ["Все матчи", "No more news"]
    assert (await anna.presses("Все матчи")).url == LINK
    report = await boss.wait_for(lambda message: message.id != question.id and "Заняло" in message.text, old=True)
    assert "Доставлено: 2" in report.text
    await boss.wait_for(lambda message: message.id == question.id and "закончена" in message.text, timeout=20, old=True)


async def test_a_photo_goes_out_with_its_caption(town: Sandbox) -> None:
    anna, boss = await grown_up(town), await admin(town)
    await boss.says("/broadcast")
    await boss.sees("Пришлите сообщение")
    await boss.sends(PNG, "a.png", photo=True)
    await boss.sees("Пришлите текст или фото с подписью")
    await boss.sends(b"%PDF", "a.pdf", caption="Документ")
    await boss.sees("Пришлите текст или фото с подписью")
    await boss.sends(PNG, "a.png", caption="ы" * 1025, photo=True)
    await boss.sees("Получилось 1025 знаков")
    await boss.says("Гарантированный выигрыш")
    await boss.sees("гарант")
    await boss.sends(PNG, "a.png", caption="Афиша", photo=True)
    await boss.sees("Кому отправить")
    await sends(boss)
    got = await anna.sees("Афиша")
    assert "photo" in got.raw
    assert got.file
    assert got.file.data == PNG


async def test_the_form_speaks_english_too(town: Sandbox) -> None:
    await grown_up(town, 1002, "Ben", language_code="en")
    boss = await admin(town, "en")
    await boss.says("/broadcast")
    await boss.sees("Send me the whole message")
    await boss.says("New matches")
    await boss.sees("Players who meet them now: 1")
    for pressed, seen in (
        ("Language: any", "Language: Russian"),
        ("Language: Russian", "Language: English"),
        ("in a casino: any", "in a casino: yes"),
        ("in a casino: yes", "in a casino: none"),
        ("Last seen: any time", "more than 7 days"),
        ("more than 7 days", "more than 30 days"),
        ("more than 30 days", "more than 90 days"),
        ("more than 90 days", "any time"),
        ("Casino account: any", "Casino account: linked"),
    ):
        await boss.presses(pressed)
        await boss.sees(seen)
    await boss.presses("Preview")
    message = await boss.sees("Nobody meets these conditions")
    assert "Send" not in message.labels
    await boss.presses("Back")
    await boss.presses("Casino account: linked")
    await boss.sees("Casino account: not linked")
    await boss.presses("Preview")
    await boss.sees("1 player will get it")
    await boss.presses("Send")
    assert "Delivered: 1" in (await boss.sees("done", timeout=20)).text


async def test_a_double_tap_is_one_broadcast(town: Sandbox) -> None:
    anna, boss = await grown_up(town), await admin(town)
    await writes(boss)
    await boss.presses("Посмотреть")
    question = await boss.sees("Так её увидят")
    button = question.button("Отправить")
    assert button
    assert button.data
    for _ in range(3):
        boss.press(button.data, question)
    await boss.sees("закончена", timeout=20)
    await boss.taps(button.data, on=question)
    await boss.sees("закончена")
    assert len([message for message in anna.shown if "матчи" in message.text]) == 1
    await boss.says("/broadcast")
    await boss.sees("Пришлите сообщение")
    pressed = await boss.taps(button.data, on=question)
    assert pressed.text
    assert "черновика уже нет" in pressed.text


async def test_it_is_paused_resumed_and_stopped(town: Sandbox, database_url: str) -> None:
    await people(database_url, 300)
    boss, other = await admin(town), town.person(901, "Босс")
    await writes(boss)
    await sends(boss)
    await boss.presses("Пауза")
    paused = await boss.sees("на паузе")
    assert "Осталось: " in paused.text
    await other.says("/broadcast")
    await other.sees("Пришлите сообщение")
    await other.presses("№ 1")
    await other.sees("на паузе")
    await other.presses("Продолжить")
    await other.sees("идёт")
    await boss.presses("Пауза", on=paused)
    await boss.sees("на паузе")
    await boss.presses("Остановить совсем")
    await boss.sees("остановлена", timeout=20)
    report = await boss.wait_for(lambda message: "Заняло" in message.text, timeout=20, old=True)
    assert "Не отправлено: 0" not in report.text
    await boss.says("/broadcast")
    assert "№ 1, остановлена, для 300" in (await boss.sees("Пришлите сообщение")).labels


async def people(database_url: str, number: int) -> None:
    """Players whom Telegram does not know."""
    connection = await asyncpg.connect(database_url)
    await connection.execute(
        "INSERT INTO users (telegram_id, name, language, accepted_at)"
        " SELECT 10000 + n, 'Игрок', 'ru', now() FROM generate_series(1, $1::int) n",
        number,
    )
    await connection.close()


async def test_who_has_had_enough_says_so_with_one_tap(town: Sandbox) -> None:
    anna, ben, boss = await grown_up(town), await grown_up(town, 1002, "Бен"), await admin(town)
    await writes(boss)
    await sends(boss)
    got = await anna.sees("Новые матчи")
    pressed = await anna.presses("Не присылать новости")
    assert pressed.alert
    assert "/settings" in (pressed.text or "")
    assert got.button("Не присылать новости")
    await writes(boss, "Ещё новости")
    await sends(boss)
    await ben.sees("Ещё новости")
    await boss.sees("закончена", timeout=20)
    assert not any("Ещё новости" in message.text for message in anna.shown)
    await anna.says("/settings")
    await anna.presses("☐ Новости")
    await anna.sees("☑ Новости")
    await anna.presses("☑ Сигналы")
    await anna.sees("☐ Сигналы")
    await writes(boss, "Третья")
    await sends(boss)
    await anna.sees("Третья")


async def test_the_form_is_left_by_cancel_and_by_a_command(town: Sandbox) -> None:
    boss = await grown_up(town, 900, "Редактор")
    await boss.says("/broadcast")
    await boss.presses("Отмена")
    await boss.sees("Главное меню")
    await boss.says("Новые матчи")
    await boss.sees("Я понимаю только")
    await writes(boss)
    await boss.presses("Добавить кнопку")
    await boss.sees("одной строкой")
    await boss.says("/menu")
    await boss.sees("Главное меню")
    await boss.says(f"Матчи {LINK}")
    await boss.sees("Я понимаю только")
