"""/stats as an admin reads it: each page and its picture, in both languages."""

import re
import struct
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from db.database import Database
from sandbox import Message, Person, Sandbox
from tests.chat.conftest import open_town
from tests.chat.people import asks_to_pay, grown_up, plain
from tests.life import Life

NOW = datetime.now(UTC)


@pytest.fixture
async def town(database_url: str) -> AsyncIterator[Sandbox]:
    async with open_town(database_url, POSTBACK_TOKEN="a-token-of-the-tests-1") as world:
        yield world


async def boss(town: Sandbox, language_code: str) -> Person:
    return await grown_up(town, 900, "Boss", language_code=language_code)


async def some_business(town: Sandbox, database: Database) -> None:
    """Anna paid 50 USD here; two came last week, and one of them paid at the casino twice."""
    anna = await grown_up(town)
    await asks_to_pay(anna, "Stripe", "50.00 USD")
    await town.stripe.pay(town.stripe.newest(), webhook="now")
    await anna.sees("Зачислено")
    life, last_week = Life(database), NOW - timedelta(days=7)
    for _ in range(2):
        player = await life.came(last_week, wrote=[last_week.date()])
        await life.linked(player, last_week)
        await life.reported(player, "registration", last_week)
    await life.reported(player, "deposit", last_week, "1000")
    await life.reported(player, "deposit", NOW - timedelta(hours=1), "500.50")


def is_a_picture(message: Message) -> bool:
    if message.file is None or message.file.mime != "image/png":
        return False
    width, height = struct.unpack(">II", message.file.data[16:24])
    return (width, height) == (1080, 1350) and 10_000 < len(message.file.data) < 500_000


async def test_the_pages_say_what_was(town: Sandbox, database: Database) -> None:
    await some_business(town, database)
    admin = await boss(town, "ru")
    await admin.says("/stats")
    text = plain((await admin.sees("Писали боту")).text)
    assert "Всего: 4" in text
    assert "С депозитом в казино: 1" in text
    assert "Сигналы открыты: 1" in text
    assert "Сегодня: 2 ↑ вчера 0" in text
    assert "30 дней: 4 ↑ до этого 0" in text
    await admin.presses("Деньги")
    text = plain((await admin.sees("Пополнения")).text)
    assert "Stripe, USD: 1 на 50.00 USD" in text
    assert "в среднем 50.00 USD · прошло 1 из 1, 100.00 %" in text
    await admin.presses("Казино")
    text = plain((await admin.sees("1Win")).text)
    assert "Регистрации: 2" in text
    assert "Депозиты: 2, первых 1, повторных 1" in text
    assert "· 1 500.50 RUB (2)" in text
    assert "Привязаны всего: 2 → депозит 1 (50.00 %) → ещё один 1 (100.00 %)" in text
    await admin.presses("Сегодня")
    page = await admin.sees("✓ Сегодня")
    assert "Привязаны за это время: 0 → депозит 0 (—) → ещё один 0 (—)" in plain(page.text)
    await admin.presses("Когорты")
    page = await admin.sees("Начало недели")
    rows = [line for line in plain(page.text).splitlines() if re.match(r"\d\d\.\d\d ", line)]
    assert len(rows) == 8
    assert [row.split()[1:3] for row in rows][-2:] == [["2", "50"], ["2", "0"]]
    assert max(map(len, rows)) <= 34  # fits a phone
    await admin.presses("Пополнение здесь")
    page = await admin.sees("✓ Пополнение здесь")
    assert "100" not in page.text
    assert [row.split()[1:3] for row in plain(page.text).splitlines()[-2:]] == [["2", "0"], ["2", "50"]]


@pytest.mark.parametrize(
    ("language_code", "words"),
    [
        ("ru", ["Картинка", "Цифры", "Игроки", "Деньги", "Казино", "Когорты", "7 дней"]),
        ("en", ["Picture", "Figures", "Players", "Money", "Casino", "Cohorts", "7 days"]),
    ],
)
async def test_each_page_has_its_picture(
    town: Sandbox, database: Database, language_code: str, words: list[str]
) -> None:
    if language_code == "ru":
        await some_business(town, database)  # the other time there is nothing to draw
    admin = await boss(town, language_code)
    picture, figures, players, *others, week = words
    await admin.says("/stats")
    page = await admin.sees(players)
    await admin.presses(picture, on=page)
    drawn = await admin.wait_for(is_a_picture, timeout=30)
    await admin.presses(week, on=drawn)
    drawn = await admin.sees(f"✓ {week}", timeout=30)
    for other in others:
        await admin.presses(other, on=drawn)
        drawn = await admin.sees(f"✓ {other}", timeout=30)
        assert is_a_picture(drawn)
    await admin.presses(figures, on=drawn)
    await admin.wait_for(lambda message: message.file is None and others[-1] in message.text)


async def test_the_summary_of_the_morning_opens_the_statistics(town: Sandbox, database: Database) -> None:
    admin = await boss(town, "en")
    async with database.connection() as tx:
        await tx.execute("INSERT INTO job (kind, dedupe_key) VALUES ('summary', 'summary:2026-04-15')")
    summary = await admin.sees("Summary of 14.04.2026")
    assert "Deposits: —" in summary.text
    await admin.presses("Statistics", on=summary)
    await admin.sees("Wrote to the bot\n")


@pytest.mark.parametrize(
    ("language_code", "panel", "health", "said"),
    [
        (
            "ru",
            "Рабочий стол",
            "Состояние",
            [
                "1Win: не слышно с 15.04.2026 15:00",
                "Доставки ждут с 15.04.2026 16:00",
                "1Win: депозиты отстают от регистраций, считая с 15.04.2026 17:00",
            ],
        ),
        (
            "en",
            "Desk",
            "Health",
            [
                "1Win: not heard since 15.04.2026 15:00",
                "Deliveries have waited since 15.04.2026 16:00",
                "1Win: deposits fall behind registrations, counted from 15.04.2026 17:00",
            ],
        ),
    ],
)
async def test_an_open_alert_stands_in_the_statistics_and_on_the_page_of_health(
    town: Sandbox, database: Database, language_code: str, panel: str, health: str, said: list[str]
) -> None:
    async with database.connection() as tx:
        await tx.execute(
            "INSERT INTO alert (kind, subject, since) VALUES ('silence', 'casino:1win', '2026-04-15T12:00Z'),"
            " ('queue', 'inbox', '2026-04-15T13:00Z'), ('conversion', 'casino:1win', '2026-04-15T14:00Z')"
        )
    admin = await boss(town, language_code)
    await admin.says("/stats")
    page = await admin.sees(said[0])
    assert all(line in page.text for line in said)
    await admin.presses(panel, on=page)
    await admin.presses(health)
    page = await admin.sees(said[0])
    assert all(line in page.text for line in said)
