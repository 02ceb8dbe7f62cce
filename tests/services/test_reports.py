"""Reports: asked for once, the same for ever, exact to the cent, and safe to open."""

import asyncio
import csv
import io
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from pypdf import PdfReader

from db.models import Language, Player, Report, ReportFormat
from handlers.texts import Texts
from services.documents import BooksDiffer, Progress
from services.errors import Busy, LinkExpired, NotFound, NothingToReport, ReportTooLong, TooManyReports
from services.periods import Period
from services.reports import PER_HOUR, Include, Reports
from tests.past import Past, moment, year
from tests.shop import MOSCOW, Shop

TEXTS = Texts(timezone=MOSCOW, default=Language.RU)
NOW = datetime.now(UTC)
CSV, PDF = ReportFormat.CSV, ReportFormat.PDF


async def asked(
    shop: Shop,
    player: Player,
    form: ReportFormat = CSV,
    period: Period | None = None,
    include: Include | None = None,
    key: str = "k",
) -> Report:
    return await shop.reports.request(player, form, period or Period(), include or Include(), request_key=key)


async def content(shop: Shop, report: Report, progress: Progress | None = None) -> bytes:
    words = TEXTS.translator(report.language).plain
    async with shop.reports.written(report, words, progress) as document:
        data = await asyncio.to_thread(document.path.read_bytes)
        assert len(data) == document.size
    assert not await asyncio.to_thread(document.path.exists)
    return data


async def table(shop: Shop, report: Report) -> list[dict[str, str]]:
    text = (await content(shop, report)).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


async def paper(shop: Shop, report: Report) -> str:
    pages = PdfReader(io.BytesIO(await content(shop, report))).pages
    return "\n".join(page.extract_text() for page in pages).replace("\u00a0", " ")


def a_number(text: str) -> Decimal:
    return Decimal(text.replace(" ", "").replace("+", ""))


async def test_csv_pdf_statements_balances_and_verify_agree_to_the_cent(shop: Shop, many: int) -> None:
    anna = await shop.player()
    await year(anna, many, ends=NOW - timedelta(minutes=1)).book(shop.database)
    await shop.statements.schedule(NOW)
    while await shop.bookkeeping.work():
        pass
    rows = await table(shop, await asked(shop, anna))
    text = await paper(shop, await asked(shop, anna, PDF, key="p"))
    statistics = {one.currency: one for one in await shop.wallets.statistics(anna, Period())}
    async with shop.database.connection() as tx:
        movements = await tx.fetchval("SELECT count(*) FROM balance_transactions")
        stated = {
            row["currency"]: row
            for row in await tx.fetch(
                "SELECT DISTINCT ON (currency) * FROM monthly_statements ORDER BY currency, year DESC, month DESC"
            )
        }
    assert len(rows) == movements > many
    closings = [a_number(found) for found in re.findall(r"Остаток на конец\s+([0-9 ]+\.[0-9]+)", text)]
    for wallet in await shop.wallets.balances(anna):
        currency, balance = wallet.currency, wallet.available.major
        mine = [row for row in rows if row["Валюта"] == currency]
        assert sum(Decimal(row["Сумма"]) for row in mine) == balance
        assert Decimal(mine[-1]["Баланс после"]) == balance
        assert [row["Баланс после"] for row in mine[:-1]] == [row["Баланс до"] for row in mine[1:]]
        assert sum(Decimal(row["Изменение в ставках"]) for row in mine) == wallet.in_bets.major
        assert statistics[currency].summary.closing.major == balance
        assert closings.count(balance) >= 2, "once in the summary, once under the table"
        begins = moment("2026-11-01") - timedelta(hours=3)
        since = [row for row in mine if datetime.fromisoformat(row["Записано"]) >= begins]
        assert stated[currency]["closing_balance"] + sum(Decimal(row["Сумма"]) for row in since) == balance
        placed = [row for row in mine if row["Код"] in ("bet_placed", "bet_cancelled")]
        assert -sum(Decimal(row["Сумма"]) for row in placed) == wallet.bet.major
    assert await shop.bookkeeping.verify() == []


async def test_a_table_has_a_column_for_everything_and_every_time_has_its_zone(shop: Shop) -> None:
    """exportReport 1."""
    anna = await shop.player()
    past = Past(anna, NOW - timedelta(days=2))
    past.deposit(100_00)
    past.deposit(1_234_567, "USDT")
    past.withdraw(10_00, comment="на отпуск")
    await past.book(shop.database)
    data = await content(shop, await asked(shop, anna))
    assert data.startswith(b"\xef\xbb\xbf")
    header = next(csv.reader(io.StringIO(data.decode("utf-8-sig"))))
    assert len(header) == len(set(header)) == 18
    rows = await table(shop, await asked(shop, anna))
    assert [row["Сумма"] for row in rows] == ["100.00", "-10.00", "0.00", "1.234567"]
    for row in rows:
        at = datetime.fromisoformat(row["Записано"])
        assert at.utcoffset() == timedelta(hours=3)
        assert abs(at - past.at) < timedelta(seconds=1)
    assert rows[0]["Номер платежа"].startswith("pi_")
    assert rows[1]["Способ"] == "DE** **** 3000"
    assert rows[1]["Комментарий"] == "на отпуск"
    english = await shop.players.set_language(anna, Language.EN)
    (row, *_) = await table(shop, await asked(shop, english, key="en"))
    assert row["Movement"] == "deposit"


async def test_a_document_has_what_a_bank_wants_to_see(shop: Shop) -> None:
    """exportReport 2."""
    anna = await shop.player()
    past = Past(anna, NOW - timedelta(days=2))
    past.deposit(100_00)
    past.bet(10_00, 0)
    past.withdraw(5_00, paid=None)
    await past.book(shop.database)
    await shop.bookkeeping.seal()
    report = await asked(shop, anna, PDF)
    text = await paper(shop, report)
    async with shop.database.connection() as tx:
        seal = await tx.fetchrow("SELECT seq, hash FROM ledger_seal ORDER BY seq DESC LIMIT 1")
    assert seal
    for words in (
        f"Выписка № R-{report.id}",
        f"Анна, № {anna.id}",
        "Кошелёк USD",
        "Остаток на начало",
        "Остаток на конец",
        "Страница 1 из 1",
        f"запись {seal['seq']}",
        seal["hash"].hex(),
        "Europe/Moscow",
        "ставка проиграла",
        "на выводе 5.00 USD",
        "85.00",
    ):
        assert words in text, words
    # The letters are in the document itself: it looks the same wherever it is opened.
    document = (await content(shop, report)).decode("latin-1")
    assert "DejaVuSans" in document
    assert "/FontFile2" in document


async def test_only_the_period_is_in_it_and_its_last_day_is(shop: Shop) -> None:
    """exportReport 3."""
    anna = await shop.player()
    past = Past(anna, moment("2026-10-31 20:59:59"))
    past.deposit(1_00)
    past.deposit(2_00, at=moment("2026-10-31 21:00:00"))
    past.deposit(4_00, at=moment("2026-11-15 20:59:59"))
    past.deposit(8_00, at=moment("2026-11-15 21:00:00"))
    await past.book(shop.database)
    period = Period.parse("01.11.2026–15.11.2026", NOW.date())
    assert [row["Сумма"] for row in await table(shop, await asked(shop, anna, CSV, period))] == ["2.00", "4.00"]
    text = await paper(shop, await asked(shop, anna, PDF, period, key="p"))
    assert "01.11.2026 – 15.11.2026" in text
    assert re.search(r"Остаток на начало\s+1\.00", text)
    assert re.search(r"Остаток на конец\s+7\.00", text)
    empty = await asked(shop, anna, PDF, Period("200101200131"), key="e")
    assert "Движений нет" in await paper(shop, empty)


async def test_what_is_not_wanted_is_not_in_it_and_the_sums_are_right_all_the_same(shop: Shop) -> None:
    """exportReport 4."""
    anna = await shop.player()
    past = Past(anna, NOW - timedelta(days=2))
    past.deposit(100_00)
    past.bet(10_00, 30_00)
    past.bet(7_00, 0)
    await past.book(shop.database)
    codes = {}
    for name, include in (("operations", Include(bets=False)), ("bets", Include(operations=False)), ("all", Include())):
        codes[name] = [row["Код"] for row in await table(shop, await asked(shop, anna, CSV, include=include, key=name))]
    assert codes["operations"] == ["deposit"]
    assert codes["bets"] == ["bet_placed", "bet_won", "bet_placed", "bet_lost"]
    assert len(codes["all"]) == 5
    text = await paper(shop, await asked(shop, anna, PDF, include=Include(bets=False, statistics=False), key="p1"))
    assert "ставка принята" not in text
    assert "ROI" not in text
    assert re.search(r"Движения, не включённые в перечень\s+\+13\.00", text)
    text = await paper(shop, await asked(shop, anna, PDF, include=Include(operations=False, bets=False), key="p2"))
    assert "ROI" in text
    assert "пополнение" not in text
    assert re.search(r"Остаток на конец\s+113\.00", text)


async def test_a_link_works_for_seven_days(shop: Shop) -> None:
    """exportReport 5."""
    anna = await shop.player()
    past = Past(anna, NOW)
    past.deposit(100_00)
    await past.book(shop.database)
    report = await asked(shop, anna)
    assert report.expires_at - report.created_at == timedelta(days=7)
    token = shop.reports.token(report)
    assert (await shop.reports.opened(token)).id == report.id
    async with shop.database.owner() as owner:
        await owner.execute("SET session_replication_role = replica")
        await owner.execute("UPDATE report SET expires_at = now()")
    with pytest.raises(LinkExpired):
        await shop.reports.opened(token)


async def test_each_wish_is_in_the_audit_log(shop: Shop) -> None:
    """exportReport 6."""
    anna = await shop.player()
    past = Past(anna, NOW)
    past.deposit(100_00)
    await past.book(shop.database)
    report = await asked(shop, anna, PDF)
    async with shop.database.connection() as tx:
        row = await tx.fetchrow("SELECT user_id, actor, status, details FROM audit_log WHERE action = 'export'")
    assert row
    assert (row["user_id"], row["actor"], row["status"]) == (anna.id, "player", "requested")
    assert row["details"]["report"] == report.id
    assert row["details"]["spans"] == {"USD": [1, 1]}


async def test_twins_make_one_report_one_message_and_one_line_in_the_audit_log(shop: Shop) -> None:
    anna = await shop.player()
    past = Past(anna, NOW)
    past.deposit(100_00)
    await past.book(shop.database)
    made = await asyncio.gather(*(asked(shop, anna) for _ in range(10)))
    assert len({report.id for report in made}) == 1
    assert (await shop.told(anna.telegram_id)).count("report-ready") == 1
    async with shop.database.connection() as tx:
        assert await tx.fetchval("SELECT count(*) FROM audit_log WHERE action = 'export'") == 1


async def test_what_happens_later_changes_no_report(shop: Shop) -> None:
    anna = await shop.player()
    past = Past(anna, NOW - timedelta(days=1))
    past.deposit(100_00)
    await past.book(shop.database)
    reports = [await asked(shop, anna, form, key=form) for form in ReportFormat]
    before = [await content(shop, report) for report in reports]
    more = Past(anna, NOW - timedelta(hours=1), first_operation=5000)
    more.deposit(50_00)
    more.bet(10_00, 0)
    await more.book(shop.database)
    await shop.bookkeeping.seal()
    await shop.players.visit(anna.telegram_id, username=None, name="Другая", language_code="ru")
    again = [await content(shop, await shop.reports.get(report.id)) for report in reports]
    assert again == before


DANGEROUS = ["=1+1", "+7 900", "-2+3", "@SUM(A1)", "\t=1", "\r=1", '=HYPERLINK("http://x";"y")', "  =1", "＝1"]


@pytest.mark.parametrize("text", DANGEROUS)
async def test_nothing_that_anybody_wrote_is_a_formula(shop: Shop, text: str) -> None:
    anna = await shop.player()
    past = Past(anna, NOW)
    past.deposit(100_00)
    past.move("adjustment", 5_00, "adjustment", description=text)
    past.withdraw(10_00, comment=text)
    await past.book(shop.database)
    rows = await table(shop, await asked(shop, anna))
    numbers = {"Запись", "Сумма", "Баланс до", "Баланс после", "Изменение в ставках", "Изменение на выводе", "Номер"}
    for row in rows:
        for name, value in row.items():
            if name not in numbers:
                assert not value.strip().startswith(("=", "+", "-", "@", "＝")), (name, value)
                assert not value.startswith(("\t", "\r"))
    assert [row["Комментарий"] for row in rows if row["Код"] == "withdrawal_hold"] == ["'" + text]
    assert [row["Комментарий"] for row in rows if row["Код"] == "adjustment"] == ["'" + text]


async def test_no_cell_begins_with_a_formula_where_semicolons_part_cells(shop: Shop) -> None:
    async with shop.database.connection() as tx:
        assert await tx.fetchval("SELECT csv_text('rent;=1+1; @x;ok')") == "rent;'=1+1;' @x;ok"


@pytest.mark.parametrize("name", ["<b>Анна</b> & Ко", "Ольга\nПетрова\x07", "名前 𝒳 🎲", "]]>'\"\\", "א" * 128])
async def test_any_name_can_stand_in_a_document(shop: Shop, name: str) -> None:
    anna = (await shop.players.visit(1001, username=None, name=name, language_code="ru")).player
    anna = await shop.players.accept_rules(anna)
    past = Past(anna, NOW)
    past.deposit(100_00)
    past.move("adjustment", 5_00, "adjustment", description=name)
    await past.book(shop.database)
    text = await paper(shop, await asked(shop, anna, PDF))
    if "Анна" in name:
        assert "<b>Анна</b> & Ко, № 1" in text
    if "Ольга" in name:
        assert "Ольга Петрова" in text


async def test_a_document_whose_sums_do_not_agree_is_not_made(shop: Shop) -> None:
    anna = await shop.player()
    past = Past(anna, NOW)
    for _ in range(4):
        past.deposit(100_00)
    await past.book(shop.database)
    report = await asked(shop, anna, PDF)
    async with shop.database.owner() as owner:
        await owner.execute("SET session_replication_role = replica")
        for change in ("available_after = available_after + 1", "amount_minor = amount_minor + 1"):
            await owner.execute(f"UPDATE ledger_entry SET {change} WHERE wallet_seq = 2")
            with pytest.raises(BooksDiffer):
                await content(shop, report)
            await owner.execute(f"UPDATE ledger_entry SET {change.replace('+', '-')} WHERE wallet_seq = 2")
    assert await content(shop, report)


async def test_there_is_no_report_of_nothing_and_none_too_long_for_paper(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna = await shop.player()
    with pytest.raises(NothingToReport):
        await asked(shop, anna)
    past = Past(anna, NOW)
    for _ in range(4):
        past.deposit(100_00)
    await past.book(shop.database)
    monkeypatch.setattr("services.reports.PAPER_LINES", 3)
    with pytest.raises(ReportTooLong):
        await asked(shop, anna, PDF)
    assert len(await table(shop, await asked(shop, anna, CSV))) == 4
    assert await content(shop, await asked(shop, anna, PDF, include=Include(operations=False, bets=False), key="s"))


async def test_nobody_gets_more_reports_than_anybody_needs(shop: Shop) -> None:
    anna = await shop.player()
    past = Past(anna, NOW)
    past.deposit(100_00)
    await past.book(shop.database)
    made = await asyncio.gather(
        *(asked(shop, anna, key=str(number)) for number in range(PER_HOUR + 5)), return_exceptions=True
    )
    assert sum(isinstance(one, TooManyReports) for one in made) == 5
    assert sum(isinstance(one, Report) for one in made) == PER_HOUR
    assert (await shop.told(anna.telegram_id)).count("report-ready") == PER_HOUR
    first = next(number for number, one in enumerate(made) if isinstance(one, Report))
    await asked(shop, anna, key=str(first))  # asked for before: it is there


async def test_a_table_of_several_parts_is_whole(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    anna = await shop.player()
    await year(anna, 120, ends=NOW).book(shop.database)
    whole = await content(shop, await asked(shop, anna))
    monkeypatch.setattr("services.reports._PART", 7)
    progress = Progress()
    assert await content(shop, await asked(shop, anna), progress) == whole
    assert progress.done == progress.total > 120
    assert progress.percent == 99


async def test_at_most_a_few_documents_are_made_at_once(shop: Shop) -> None:
    anna = await shop.player()
    past = Past(anna, NOW)
    past.deposit(100_00)
    await past.book(shop.database)
    report = await asked(shop, anna)
    words = TEXTS.translator(Language.RU).plain
    async with shop.reports.renders, shop.reports.renders:
        with pytest.raises(Busy):
            async with shop.reports.written(report, words, patience=0.05):
                pass
    assert await content(shop, report)


async def test_a_statements_document_is_its_month(shop: Shop) -> None:
    anna, ben = await shop.player(), await shop.player(1002)
    past = Past(anna, moment("2025-10-10"))
    past.deposit(100_00)
    past.deposit(50_00, "RUB")
    past.bet(10_00, 0)
    past.deposit(7_00, at=moment("2025-11-10"))
    await past.book(shop.database)
    await shop.statements.schedule(NOW)
    while await shop.bookkeeping.work():
        pass
    months, _ = await shop.statements.months(anna)
    october = next(one for one in months if (one.month, one.currency) == (10, "USD"))
    report = await shop.reports.request_statement(anna, october.statement_id, PDF, request_key="s")
    text = await paper(shop, report)
    assert f"Выписка № S-{october.statement_id}" in text
    assert "октябрь 2025" in text
    assert "01.10.2025 – 31.10.2025" in text
    assert re.search(r"Остаток на конец\s+90\.00", text)
    assert "RUB" not in text
    rows = await table(shop, await shop.reports.request_statement(anna, october.statement_id, CSV, request_key="c"))
    assert len(rows) == 3
    with pytest.raises(NotFound):
        await shop.reports.request_statement(ben, october.statement_id, PDF, request_key="s")


async def test_no_link_can_be_made_up(shop: Shop) -> None:
    anna = await shop.player()
    past = Past(anna, NOW)
    past.deposit(100_00)
    await past.book(shop.database)
    token = shop.reports.token(await asked(shop, anna))
    await asked(shop, anna, key="other")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    wrong = [
        "",
        "x",
        token[:-1],
        token + "A",
        token.swapcase(),
        "A" * 54,
        token[:11] + "A" * 43,
        token + "==",
        "é" * 54,
    ]
    for place in range(len(token)):
        other = alphabet[(alphabet.index(token[place]) + 1) % 64]
        wrong.append(token[:place] + other + token[place + 1 :])
    for guess in wrong:
        with pytest.raises(NotFound):
            await shop.reports.opened(guess)
    stranger = Reports(shop.database, shop.outbox, shop.statements, type(shop.reports.vault)(["another-key"]), MOSCOW)
    with pytest.raises(NotFound):
        await stranger.opened(token)


async def test_a_report_that_was_sent_but_not_marked_is_sent_again_and_never_lost(shop: Shop) -> None:
    anna = await shop.player()
    past = Past(anna, NOW)
    past.deposit(100_00)
    await past.book(shop.database)
    report = await asked(shop, anna)
    claimed = await shop.outbox.claim()
    assert claimed
    assert claimed.report == report.id
    assert await shop.outbox.claim() is None  # made by one at a time
    assert await shop.outbox.renew(claimed)
    async with shop.database.connection() as tx:  # the process dies here; its lease runs out
        await tx.execute("UPDATE outbox SET run_at = now()")
    again = await shop.outbox.claim()
    assert again
    assert again.report == report.id
    assert not await shop.outbox.renew(claimed), "whoever comes back late leaves it alone"
    await shop.outbox.sent(again, 7)
    assert await shop.outbox.claim() is None
