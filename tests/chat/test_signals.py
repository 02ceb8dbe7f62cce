"""Signals in the chat: the checklist that opens them, and one from its first word to its result."""

import re
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import pytest

from bot.config import load
from bot.doctor import examine
from sandbox import Fault, Message, Person, Sandbox
from tests.chat.conftest import open_town
from tests.chat.people import grown_up
from tests.conftest import statement

CHANNEL = -1001000000001
MOSCOW = ZoneInfo("Europe/Moscow")


@pytest.fixture
async def town(database_url: str) -> AsyncIterator[Sandbox]:
    """A town with a casino and a channel that has to be joined."""
    async with open_town(
        database_url,
        POSTBACK_TOKEN="sandbox-postback",
        POSTBACK_LINK="https://casino.example/?sub1={sub1}",
        REQUIRED_CHANNEL_ID=str(CHANNEL),
    ) as town:
        yield town


async def registers(town: Sandbox, person: Person) -> str:
    """By the person's own link from the main menu; the account at the casino."""
    url = (await person.presses("Register" if person.language_code == "en" else "Регистрация")).url
    assert url is not None
    account = town.casino.register(parse_qs(urlsplit(url).query)["sub1"][0])
    await town.casino.registered(account)
    await person.wait_for(lambda message: message.has(re.compile("о вашей регистрации|you registered")), old=True)
    return account


async def deposits(town: Sandbox, person: Person, account: str) -> None:
    await town.casino.deposit(account, 1000)
    await person.wait_for(lambda message: "1\u00a0000.00" in message.text, old=True)


async def opens(person: Person, *, closed: bool = False) -> Message:
    """The section as it is once Telegram's news of the channel have come."""
    while True:
        await person.says("/signals")
        page = await person.sees("18+ ·")
        if page.has("⬜") is closed:
            return page


async def follower(town: Sandbox, telegram_id: int, name: str, *, language_code: str = "ru") -> Person:
    """Somebody to whom signals are open."""
    person = await grown_up(town, telegram_id, name, language_code=language_code)
    await deposits(town, person, await registers(town, person))
    await person.joins(CHANNEL)
    await opens(person)
    return person


def evening() -> str:
    """Tomorrow at 21:30, as an admin in Moscow types it."""
    return f"{datetime.now(MOSCOW) + timedelta(days=1):%d.%m.%Y} 21:30"


async def writes(admin: Person, event: str = "Ajax – PSV", note: str | None = "Без пяти игроков") -> Message:
    """From /signal to the preview."""
    await admin.says("/signal")
    await admin.sees("Новый сигнал")
    for answer, question in [
        (event, "Что выбираете"),
        ("Тотал больше 2.5", "Какой коэффициент"),
        ("1,85", "Когда начало"),
        (evening(), "Заметка"),
    ]:
        await admin.says(answer)
        await admin.sees(question)
    if note is None:
        await admin.presses("Без заметки")
    else:
        await admin.says(note)
    return await admin.sees("Так сигнал увидят игроки")


async def begins(database_url: str) -> None:
    """What was published begins now: the guard, which lets nobody date back, is off for a moment."""
    await statement(
        database_url,
        "BEGIN; ALTER TABLE signal DISABLE TRIGGER signal_guard;"
        "UPDATE signal SET published_at = now() - interval '4 min', starts_at = now() - interval '2 min';"
        "ALTER TABLE signal ENABLE TRIGGER signal_guard; COMMIT",
    )


@pytest.mark.parametrize(
    ("language", "register", "deposit", "join", "again"),
    [
        ("ru", "Счёт в 1Win", "Депозит в 1Win", "Открыть канал", "Проверить ещё раз"),
        ("en", "Account at 1Win", "Deposit at 1Win", "Open the channel", "Check again"),
    ],
)
async def test_each_step_that_is_missing_has_its_button_until_signals_open(
    town: Sandbox, language: str, register: str, deposit: str, join: str, again: str
) -> None:
    anna = await grown_up(town, language_code=language)
    account = await registers(town, anna)  # which is not told yet to whom opens the section
    ben = await grown_up(town, 1002, "Ben", language_code=language)
    await ben.presses("Signals" if language == "en" else "Сигналы")
    nothing = await ben.sees("18+ ·")
    assert nothing.text.count("⬜") == 3
    assert {register, deposit, join, again} < set(nothing.labels)

    await anna.says("/signals")
    page = await anna.sees("18+ ·")
    assert (page.text.count("✅"), page.text.count("⬜")) == (1, 2)
    assert register not in page.labels
    assert (await anna.presses(join)).url == f"https://t.me/+{abs(CHANNEL)}"
    await deposits(town, anna, account)
    await anna.presses(again, on=page)
    page = await anna.sees("18+ ·")
    assert (page.text.count("✅"), page.text.count("⬜")) == (2, 1)
    assert {register, deposit} & set(page.labels) == set()
    await anna.presses(again)
    await anna.joins(CHANNEL)
    page = await opens(anna)
    assert "⬜" not in page.text
    assert not {register, deposit, join, again} & set(page.labels)
    await anna.leaves(CHANNEL)
    page = await opens(anna, closed=True)
    assert page.text.count("⬜") == 1
    await anna.joins(CHANNEL)
    await opens(anna)


async def test_the_casinos_screen_is_behind_a_step(town: Sandbox) -> None:
    anna = await grown_up(town)
    await anna.says("/signals")
    await anna.presses("Счёт в 1Win")
    assert (await anna.sees("1Win")).button("Регистрация")


async def test_while_telegram_does_not_say_who_is_in_the_channel_that_is_said(town: Sandbox) -> None:
    anna = await grown_up(town)
    town.faults.add("telegram", "getChatMember", Fault.FORBIDDEN)
    await anna.says("/signals")
    assert "не отвечает" in (await anna.sees("18+ ·")).text


async def test_without_a_channel_two_steps_are_enough(database_url: str) -> None:
    link = "https://casino.example/?sub1={sub1}"
    async with open_town(database_url, POSTBACK_TOKEN="sandbox-postback", POSTBACK_LINK=link) as town:
        anna = await grown_up(town)
        await anna.says("/signals")
        assert (await anna.sees("18+ ·")).text.count("⬜") == 2
        await deposits(town, anna, await registers(town, anna))
        await opens(anna)


async def test_without_a_casino_there_is_no_such_section(database_url: str) -> None:
    async with open_town(database_url) as town:
        anna = await grown_up(town)
        assert anna.last is not None
        assert anna.last.button("Сигналы") is None
        await anna.says("/signals")
        await anna.sees("Этого больше нет")
        listed = [command["command"] for command in next(iter(town.telegram.commands.values()))]
        assert "signals" not in listed
        assert "balance" in listed


async def test_a_signal_from_its_first_word_to_its_result(town: Sandbox, database_url: str) -> None:
    anna = await follower(town, 1001, "Анна")
    ben = await follower(town, 1002, "Ben", language_code="en")
    carl = await grown_up(town, 1003, "Carl")
    admin = await grown_up(town, 900, "Olga")
    preview = await writes(admin)
    shown = preview.text.partition("\n\n")[2]
    assert f"Ajax – PSV\nТотал больше 2.5 · коэффициент 1.85\nНачало: {evening()}\nБез пяти игроков" in shown
    assert "Сигналов: 1, отозвано: 0, без результата: 1" in shown
    assert "Прошлые результаты не обещают будущих." in shown
    publish = preview.button("Опубликовать")
    assert publish is not None
    assert publish.data is not None
    await admin.presses("Опубликовать")
    await admin.sees("№ 1")
    await admin.taps(publish.data, on=preview)
    told = await anna.sees("Сигнал")
    assert told.text == shown, "players read what the preview showed"
    assert "Over" not in (await ben.sees("Starts:")).text
    assert "Average odds: 1.85" in (await ben.sees("Starts:")).text
    await anna.presses("Сигналы", on=told)
    page = await anna.sees("Событие ещё не началось")
    assert page.id != told.id, "what was told stays"
    assert page.text.count("Ajax – PSV") == 1
    assert "мало данных" in page.text

    await admin.presses("Все сигналы")
    await admin.presses("№ 1")
    assert [label for label in (await admin.sees("Опубликовал")).labels if label != "Все сигналы"] == [
        "Отозвать сигнал"
    ]
    await begins(database_url)
    await admin.presses("Все сигналы")
    await admin.sees("Ждут результата: 1")
    await admin.presses("№ 1")
    await admin.presses("Не сыграл")
    await admin.sees("Внести результат «не сыграл»")
    await admin.presses("Не сыграл")
    settled = await admin.sees("Результат: не сыграл")
    assert settled.labels == ["Все сигналы"], "a result stays"
    await anna.sees("Сигнал не сыграл")
    lost = (await ben.sees("The signal lost")).text
    assert "Won – lost – void: 0–1–0" in lost
    assert "too little data" in lost
    assert "Ajax" not in carl.transcript(), "who has no access is not told"
    await anna.says("/signals")
    await anna.sees("Результат: не сыграл")


async def test_a_signal_taken_back_is_told_and_stays_in_the_list(town: Sandbox) -> None:
    anna = await follower(town, 1001, "Анна")
    admin = await grown_up(town, 900, "Olga")
    await writes(admin, note=None)
    await admin.presses("Опубликовать")
    await admin.sees("Опубликовал")
    await anna.sees("Начало:")
    await admin.presses("Отозвать сигнал")
    await admin.sees("Из учёта сигнал не исчезнет")
    await admin.presses("Отозвать сигнал")
    assert (await admin.sees("сигнал отозван")).labels == ["Все сигналы"]
    assert "отозвано: 1" in (await anna.sees("Сигнал отозван")).text
    await anna.says("/signals")
    assert "сигнал отозван" in (await anna.sees("Ajax – PSV")).text


async def test_what_is_typed_wrong_is_explained_and_asked_again(town: Sandbox) -> None:
    admin = await grown_up(town, 900, "Olga")
    await admin.says("/signal")
    await admin.sees("Новый сигнал")
    for wrong, words in [("ab", "от 3 до 120"), ("Верняк: Ajax – PSV", "«верняк»"), ("x" * 121, "от 3 до 120")]:
        await admin.says(wrong)
        await admin.sees(words)
    await admin.says("Ajax – PSV")
    await admin.sees("Что выбираете")
    await admin.says("100 % гол")
    await admin.sees("«100 %»")
    await admin.says("Гол")
    await admin.sees("Какой коэффициент")
    for wrong in ("1", "1.855", "1001", "два"):
        await admin.says(wrong)
        await admin.sees("числом от 1.01 до 1000")
    await admin.says("2")
    await admin.sees("Europe/Moscow")
    for wrong, words in [
        ("завтра", "Не получилось прочитать"),
        ("01.01.2020 10:00", "уже прошло"),
        ("1.1", "например"),
    ]:
        await admin.says(wrong)
        await admin.sees(words)
    await admin.says(evening())
    await admin.sees("Заметка")
    await admin.says("risk-free")
    await admin.sees("«risk-free»")
    await admin.presses("Отмена")
    await admin.sees("Главное меню")
    await admin.says("Ajax")
    await admin.sees("Я понимаю только команды и кнопки")


async def test_a_preview_that_is_old_publishes_nothing(town: Sandbox) -> None:
    admin = await grown_up(town, 900, "Olga")
    old = await writes(admin, "Ajax – PSV", None)
    button = old.button("Опубликовать")
    assert button is not None
    assert button.data is not None
    await writes(admin, "Feyenoord – Twente", None)
    assert (await admin.taps(button.data, on=old)).alert
    await admin.presses("Опубликовать")
    await admin.sees("Опубликовал")
    await admin.presses("Все сигналы")
    listed = await admin.sees("Учёт всех сигналов")
    assert "Feyenoord" in listed.text
    assert "Ajax" not in listed.text


async def test_the_doctor_says_whether_the_bot_sees_the_channels_members(
    town: Sandbox, database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for channel, words in [(CHANNEL, "ok    channel"), (CHANNEL - 7, "fail  channel")]:
        settings = {
            "TELEGRAM_TOKEN": town.bot_token,
            "TELEGRAM_API_URL": town.telegram_url,
            "DATABASE_URL": database_url,
            "REQUIRED_CHANNEL_ID": str(channel),
        }
        await examine(load(settings, None))
        assert f"{words} {channel}" in capsys.readouterr().out


@pytest.mark.parametrize("language", ["ru", "en"])
async def test_the_longest_signals_fit_a_page(town: Sandbox, database_url: str, language: str) -> None:
    """What is typed may be as long as the form takes it; the admin who can do everything reads it as well."""
    admin = await follower(town, 900, "Босс", language_code=language)
    await statement(
        database_url,
        "INSERT INTO signal (request_key, event, pick, odds, starts_at, note, published_by)"
        " SELECT n, repeat('Щ', 120), repeat('<', 120), 1000, now() + interval '1 d', repeat('&', 250), 900"
        " FROM generate_series(1, 20) n",
    )
    page = await opens(admin)
    assert page.text.count("Щ" * 120) == 5
    await admin.says("/signal")
    await admin.sees("Новый сигнал" if language == "ru" else "A new signal")
    await admin.presses("Отмена" if language == "ru" else "Cancel")
    desk = await admin.sees("Ждут результата" if language == "ru" else "Waiting for a result")
    assert desk.text.count("Щ" * 120) == 5
