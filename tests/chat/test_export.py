"""Reports ordered in the chat: what is chosen comes as a file, with a link that works; statements too."""

import asyncio
import io
import re
from datetime import UTC, datetime

import aiohttp
import pytest
from pypdf import PdfReader

from db.database import Database
from sandbox import Message, Person, Sandbox
from tests.chat.people import grown_up, plain
from tests.chat.test_history import the_player, with_past
from tests.past import Past


async def a_file(person: Person) -> Message:
    return await person.wait_for(lambda message: message.file is not None and message.has("Отчёт готов"), timeout=30)


async def chooses(person: Person, period: str, format: str) -> Message:  # noqa: A002
    await person.says("/export")
    await person.presses(period)
    await person.presses(format, on=await person.sees("CSV — таблица"))
    return await person.sees("Отметьте, что включить")


async def test_a_table_comes_as_a_file_and_behind_a_link(town: Sandbox, database: Database) -> None:
    anna, past = await with_past(town, database)
    parts = await chooses(anna, "Всё время", "CSV")
    assert "Статистика" not in " ".join(parts.labels)
    await anna.presses("Сделать отчёт", on=parts)
    file = await a_file(anna)
    assert file.file
    assert file.file.name.endswith(".csv")
    assert file.file.data.startswith(b"\xef\xbb\xbf")
    movements = sum(2 if posting.kind == "exchange" else 1 for posting in past.postings)  # of two wallets
    assert len(file.file.data.decode("utf-8-sig").splitlines()) == movements + 1
    await anna.wait_for(lambda message: message.has("файл ниже"), old=True)
    link = next(word for word in file.text.split() if word.startswith("http"))
    assert link.startswith(f"{town.bot_url}/reports/")
    async with aiohttp.ClientSession() as session, session.get(link) as answer:
        assert answer.status == 200
        assert await answer.read() == file.file.data


async def test_a_document_has_what_was_ticked(town: Sandbox, database: Database) -> None:
    anna, _ = await with_past(town, database)
    parts = await chooses(anna, "Всё время", "PDF")
    await anna.presses("Ставки", on=parts)
    parts = await anna.wait_for(lambda message: "Ставки" in message.labels)
    await anna.presses("Сделать отчёт", on=parts)
    file = await a_file(anna)
    assert file.file
    text = "".join(page.extract_text() for page in PdfReader(io.BytesIO(file.file.data)).pages)
    assert "Анна, № 1" in plain(text)
    assert "ставка принята" not in text
    assert "Движения, не включённые в перечень" in text
    assert "Статистика" in text


async def test_a_double_tap_makes_one_report(town: Sandbox, database: Database) -> None:
    anna, _ = await with_past(town, database)
    parts = await chooses(anna, "Этот месяц", "CSV")
    button = parts.button("Сделать отчёт")
    assert button
    assert button.data
    await anna.presses("Сделать отчёт", on=parts)
    again = await anna.taps(button.data, on=parts)
    assert again.text
    assert "уже заказан" in again.text
    await a_file(anna)
    async with database.connection() as tx:
        assert await tx.fetchval("SELECT count(*) FROM report") == 1
        assert await tx.fetchval("SELECT count(*) FROM audit_log WHERE action = 'export'") == 1


async def test_own_dates_lead_to_a_report_and_one_part_always_stays(town: Sandbox, database: Database) -> None:
    anna, _ = await with_past(town, database)
    await anna.says("/export")
    await anna.presses("Свои даты")
    await anna.sees("Напишите одну дату")
    await anna.says("01.01.2026 - 31.12.2026")
    await anna.presses("CSV", on=await anna.sees("01.01.2026 – 31.12.2026"))
    parts = await anna.sees("Отметьте")
    await anna.presses("Ставки", on=parts)
    parts = await anna.wait_for(lambda message: "Ставки" in message.labels)
    await anna.presses("Операции", on=parts)
    parts = await anna.wait_for(lambda message: message.has("Отметьте"), old=True)
    assert "✓ Операции" in parts.labels


async def test_without_movements_there_is_nothing_to_report(town: Sandbox) -> None:
    anna = await grown_up(town)
    parts = await chooses(anna, "Всё время", "PDF")
    await anna.presses("Сделать отчёт", on=parts)
    await anna.sees("составлять не из чего")


async def test_a_finished_months_statement_is_listed_and_sent(town: Sandbox, database: Database) -> None:
    anna = await grown_up(town)
    past = Past(await the_player(database), datetime(2026, 1, 15, 12, tzinfo=UTC))
    past.deposit(100_00)
    past.bet(10_00, 0)
    await past.book(database)
    async with database.connection() as tx:
        await tx.execute("INSERT INTO job (kind, dedupe_key) VALUES ('statements', 'statements:2026-01')")
    await anna.says("/export")
    await anna.presses("Выписки")
    await anna.sees("Выписки")
    made = 0
    while not made:  # the jobs are looked at each second
        await asyncio.sleep(0.1)
        async with database.connection() as tx:
            made = await tx.fetchval("SELECT count(*) FROM monthly_statements")
    await anna.says("/export")
    await anna.presses("Выписки")
    await anna.presses("январь 2026 · USD")
    card = await anna.sees("Остаток на конец")
    assert "90.00 USD" in plain(card.text)
    await anna.presses("PDF", on=card)
    file = await a_file(anna)
    assert file.file
    text = "".join(page.extract_text() for page in PdfReader(io.BytesIO(file.file.data)).pages)
    assert "Выписка № S-1" in text
    assert "январь 2026" in text


async def test_a_file_too_large_for_telegram_comes_as_a_link(
    town: Sandbox, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna, _ = await with_past(town, database)
    monkeypatch.setattr("bot.sender.LARGEST_FILE", 1000)
    await anna.presses("Сделать отчёт", on=await chooses(anna, "Всё время", "CSV"))
    message = await anna.sees("принимает до 50")
    assert message.file is None
    link = next(word for word in message.text.split() if word.startswith("http"))
    async with aiohttp.ClientSession() as session, session.get(link) as answer:
        assert answer.status == 200


async def test_long_work_says_how_far_it_is_and_the_bot_goes_on_answering(
    town: Sandbox, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.sender.PROGRESS_SECONDS", 0.05)
    anna, _ = await with_past(town, database, 4000)
    await anna.presses("Сделать отчёт", on=await chooses(anna, "Всё время", "PDF"))
    await anna.sees(re.compile(r"Готовлю отчёт… \d+ %"))
    await anna.says("/balance")
    await anna.sees("доступно")
    await a_file(anna)
    await anna.wait_for(lambda message: message.has("файл ниже"), old=True)


async def test_a_report_that_another_sender_took_over_is_left_to_it(
    town: Sandbox, database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("bot.sender.PROGRESS_SECONDS", 0.05)
    anna, _ = await with_past(town, database, 2000)
    await anna.presses("Сделать отчёт", on=await chooses(anna, "Всё время", "PDF"))
    await anna.sees(re.compile(r"Готовлю отчёт… \d+ %"))
    async with database.connection() as tx:
        taken = (
            "UPDATE outbox SET lease = gen_random_uuid(), run_at = now() + interval '1 h' WHERE report_id IS NOT NULL"
        )
        assert await tx.execute(taken) == "UPDATE 1"
    while "message is not ours any more" not in caplog.messages:  # noqa: ASYNC110  nothing tells of it but the log
        await asyncio.sleep(0.02)
    assert not any(message.file for message in anna.shown)
    async with database.connection() as tx:  # the other one died
        await tx.execute("UPDATE outbox SET run_at = now() WHERE report_id IS NOT NULL")
    await a_file(anna)
    await anna.wait_for(lambda message: message.has("файл ниже"), old=True)
    assert sum(message.file is not None for message in anna.shown) == 1
    assert not any(record.levelname == "ERROR" for record in caplog.records)


async def test_a_report_that_was_sent_and_not_marked_comes_again(town: Sandbox, database: Database) -> None:
    anna, _ = await with_past(town, database)
    parts = await chooses(anna, "Всё время", "CSV")
    await anna.presses("Сделать отчёт", on=parts)
    await a_file(anna)
    await anna.wait_for(lambda message: message.has("файл ниже"), old=True)
    done = "UPDATE 0"
    while done == "UPDATE 0":
        await asyncio.sleep(0.05)
        async with database.connection() as tx:  # as if the process had died before it could mark it
            done = await tx.execute(
                "UPDATE outbox SET state = 'queued', run_at = now() WHERE report_id IS NOT NULL AND state = 'sent'"
            )
    await anna.wait_for(lambda _: sum(message.file is not None for message in anna.shown) == 2, timeout=30, old=True)
