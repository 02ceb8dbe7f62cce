"""The history as a player reads it: narrowed, page by page, line by line, counted and drawn."""

import re
from datetime import UTC, datetime, timedelta

from db import players
from db.database import Database
from db.models import Language, Player
from sandbox import Message, Person, Sandbox
from tests.chat.people import asks_to_pay, grown_up, plain
from tests.past import Past, year


async def with_past(town: Sandbox, database: Database, operations: int = 40) -> tuple[Person, Past]:
    """Anna, and what she did in the last year: so much, with three more things to tell about."""
    anna = await grown_up(town)
    player = await the_player(database)
    past = year(player, operations, ends=datetime.now(UTC) - timedelta(days=1), currencies=("USD", "RUB"))
    past.at = datetime.now(UTC) - timedelta(hours=1)
    past.deposit(1000_00)
    past.bet(100_00, 185_00)
    past.withdraw(200_00, comment="на отпуск <b>")
    await past.book(database)
    return anna, past


async def the_player(database: Database) -> Player:
    async with database.connection() as tx:
        return (await players.visit(tx, 1001, None, "Анна", Language.RU, datetime.now(UTC).date(), "")).player


def lines(message: Message) -> list[str]:
    """An item's two lines as one: what, then when and the balance."""
    return [" · ".join(pair) for pair in re.findall(r"^\d+\. (.*)\n(.*)", plain(message.text), re.MULTILINE)]


async def test_the_history_is_read_to_its_end_and_back_and_each_line_is_there_once(
    town: Sandbox, database: Database
) -> None:
    anna, _ = await with_past(town, database)
    await anna.says("/history")
    page = await anna.sees("Старее")
    down = [lines(page)]
    while any("Старее" in label for label in page.labels):
        await anna.presses("Старее", on=page)
        page = await anna.sees("Новее")
        down.append(lines(page))
    up = [lines(page)]
    while any("Новее" in label for label in page.labels):
        await anna.presses("Новее", on=page)
        page = await anna.wait_for(lambda message: message.has("История"))
        up.append(lines(page))
    assert sum(map(len, down)) == sum(map(len, up)) >= 46
    assert [line for page_ in down for line in page_] == [line for page_ in reversed(up) for line in page_]
    async with database.connection() as tx:
        assert await tx.fetchval("SELECT count(*) FROM balance_transactions") == sum(map(len, down))


async def test_a_filter_is_chosen_by_buttons_and_stays_while_pages_are_turned(
    town: Sandbox, database: Database
) -> None:
    anna, _ = await with_past(town, database, 150)
    await anna.says("/history")
    await anna.presses("Фильтры")
    await anna.presses("Ставки", on=await anna.sees("Отметьте"))
    chosen = await anna.sees("✓ Ставки")
    await anna.presses("USD", on=chosen)
    await anna.presses("Показать", on=await anna.sees("✓ USD"))
    page = await anna.sees("Ставки · USD")
    seen = lines(page)
    while any("Старее" in label for label in page.labels):
        await anna.presses("Старее", on=page)
        page = await anna.sees("Ставки · USD")
        seen += lines(page)
    assert seen
    assert all("ставка" in line and "USD" in line for line in seen)
    async with database.connection() as tx:
        assert len(seen) == await tx.fetchval(
            "SELECT count(*) FROM balance_transactions WHERE transaction_type LIKE 'bet%' AND currency = 'USD'"
        )


async def test_own_dates_are_typed_and_nonsense_is_asked_again(town: Sandbox, database: Database) -> None:
    anna, past = await with_past(town, database)
    await anna.says("/history")
    await anna.presses("Фильтры")
    await anna.presses("Свои даты")
    await anna.sees("Напишите одну дату")
    await anna.says("вчера")
    await anna.sees("Не похоже на даты")
    await anna.says("31.02.2026")
    await anna.sees("Не похоже на даты")
    day = past.postings[0].at + timedelta(hours=3)  # in Moscow
    await anna.says(f"{day:%d.%m.%Y}")
    page = await anna.sees("История")
    assert lines(page)
    assert all(f" · {day:%d.%m.%Y} " in line for line in lines(page))
    await anna.says(f"{day:%d.%m.%Y}")
    await anna.sees("Я понимаю только команды")  # the question was answered


async def test_a_line_tells_its_whole_story_and_leads_back_to_its_page(town: Sandbox, database: Database) -> None:
    anna, past = await with_past(town, database)
    await anna.says("/history")
    page = await anna.sees("Старее")
    shown = lines(page)
    assert "вывод выплачен" in shown[0]
    await anna.presses("1", on=page)
    story = plain((await anna.sees("Как шло")).text)
    operation = past.asked[-1]
    for words in (
        f"Вывод № {operation.id} на 200.00 USD",
        "Состояние: выполнено",
        "Куда: DE** **** 3000",
        "Комментарий: на отпуск <b>",
        f"tr_1_{operation.id}",
        "вывод: деньги отложены · -200.00 USD",
        "В ставках и на выводе: -200.00 USD",
        "Записано:",
    ):
        assert words in story, words
    await anna.presses("Назад")
    assert lines(await anna.sees("История")) == shown
    await anna.presses("3")
    story = plain((await anna.sees("Баланс:")).text)
    assert "+185.00 USD" in story


async def test_what_waits_and_what_failed_is_found_by_its_status(town: Sandbox, database: Database) -> None:
    anna = await grown_up(town)
    await asks_to_pay(anna, "Stripe", "50.00 USD")
    await asks_to_pay(anna, "Stripe", "100.00 USD")
    await town.stripe.expire(town.stripe.newest(), webhook="now")
    await anna.sees("время на оплату вышло")
    await anna.says("/history")
    await anna.presses("Фильтры")
    await anna.presses("Ждут", on=await anna.sees("Отметьте"))
    await anna.presses("Показать", on=await anna.sees("✓ Ждут"))
    waiting = await anna.sees("ждёт оплаты")
    assert len(lines(waiting)) == 1
    await anna.presses("1", on=waiting)
    assert "Состояние: ждёт оплаты" in (await anna.sees("Пополнение №")).text
    await anna.presses("Назад")
    await anna.presses("Фильтры", on=await anna.sees("ждёт оплаты"))
    await anna.presses("Не прошли", on=await anna.sees("Отметьте"))
    await anna.presses("Показать", on=await anna.sees("✓ Не прошли"))
    assert "100.00 USD" in plain((await anna.sees("время вышло")).text)


async def test_another_players_line_is_not_told(town: Sandbox, database: Database) -> None:
    await with_past(town, database)
    mallory = await grown_up(town, 1002, "Мэллори")
    await mallory.says("/history")
    empty = await mallory.sees("Пока пусто")
    async with database.connection() as tx:
        journal = await tx.fetchval("SELECT max(id) FROM ledger_journal")
    for data in (f"hs:ad-00a:{journal}:9", "hs:aw-00a:1000:9", "mo:1"):
        pressed = await mallory.taps(data, on=empty)
        assert "больше нет" in (pressed.text or ""), data
    await mallory.taps(f"mf:1:pdf:{'a' * 8}", on=empty)
    await mallory.sees("больше нет")


async def test_statistics_and_a_picture_are_one_button_away(town: Sandbox, database: Database) -> None:
    anna, _ = await with_past(town, database)
    await anna.says("/balance")
    await anna.presses("Статистика")
    card = await anna.sees("Доля выигравших")
    assert "✓ 30 дней" in card.labels
    await anna.presses("Сегодня", on=card)
    await anna.sees("✓ Сегодня")
    await anna.presses("График USD")
    picture = await anna.wait_for(lambda message: message.file is not None, timeout=30)
    assert picture.file
    assert picture.file.mime == "image/png"
    assert "Баланс в USD" in picture.text
    await anna.presses("RUB", on=picture)
    await anna.sees("Баланс в RUB", timeout=30)
    await anna.presses("Назад")
    await anna.sees("✓ Всё время")
