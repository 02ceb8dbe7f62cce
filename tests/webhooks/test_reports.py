"""The door to documents: whoever has the link gets the file for seven days, everybody else gets nothing."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from db.models import ReportFormat
from services.periods import Period
from services.reports import Include
from tests.past import Past
from tests.shop import Shop
from tests.webhooks.door import Door, application
from webhooks import reports as documents
from webhooks.reports import DOWNLOADS, OF_ONE


@pytest.fixture
async def door(shop: Shop) -> AsyncIterator[Door]:
    app = application(shop)
    server = TestServer(app)
    await server.start_server(access_log=None)  # as the bot serves it
    async with TestClient(server) as client:
        yield client


async def a_link(shop: Shop, form: ReportFormat = ReportFormat.CSV) -> str:
    anna = await shop.player()
    if not await shop.wallets.balances(anna):
        past = Past(anna, datetime.now(UTC))
        past.deposit(100_00)
        past.bet(10_00, 0)
        await past.book(shop.database)
    report = await shop.reports.request(anna, form, Period(), Include(), request_key=form)
    return f"/reports/{shop.reports.token(report)}"


@pytest.mark.parametrize(
    ("form", "media", "begins"),
    [(ReportFormat.CSV, "text/csv; charset=utf-8", b"\xef\xbb\xbf"), (ReportFormat.PDF, "application/pdf", b"%PDF-")],
)
async def test_a_link_gives_the_file_and_says_what_it_is(
    shop: Shop, door: Door, form: ReportFormat, media: str, begins: bytes
) -> None:
    link = await a_link(shop, form)
    async with door.get(link) as answer:
        data = await answer.read()
        assert answer.status == 200
        assert data.startswith(begins)
        assert answer.headers["Content-Length"] == str(len(data))
        assert answer.headers["Content-Type"] == media
        assert answer.headers["Cache-Control"] == "private, no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        named = re.fullmatch(
            r"attachment; filename=\"([!-~]+)\"; filename\*=UTF-8''(\S+)", answer.headers["Content-Disposition"]
        )
        assert named
        assert named[1].endswith(f".{form}")
        assert unquote(named[2]).startswith("Looseline по ")
    async with door.get(link) as again:
        assert await again.read() == data
    async with door.head(link) as head:
        assert head.status == 200
        assert head.headers["Content-Type"] == media
        assert await head.read() == b""


async def test_a_link_that_we_never_gave_leads_nowhere(shop: Shop, door: Door) -> None:
    link = await a_link(shop)
    for guess in (
        link[:-1],
        link + "A",
        "/reports/" + "A" * 54,
        "/reports/1",
        "/reports/%00",
        "/reports/..%2f..%2fetc",
    ):
        async with door.get(guess) as answer:
            assert answer.status == 404, guess
            assert answer.headers["Cache-Control"] == "private, no-store"
            assert "Такой ссылки нет" in await answer.text()
        async with door.head(guess) as answer:
            assert answer.status == 404
    async with door.get("/reports/") as answer:
        assert answer.status == 404
    async with door.post(link) as answer:
        assert answer.status == 405


async def test_after_seven_days_a_link_is_gone(shop: Shop, door: Door) -> None:
    link = await a_link(shop)
    async with shop.database.owner() as owner:
        await owner.execute("SET session_replication_role = replica")
        await owner.execute("UPDATE report SET expires_at = now() - interval '1 s'")
    async with door.get(link) as answer:
        assert answer.status == 410
        assert "/export" in await answer.text()


async def test_too_many_at_once_are_asked_to_come_again(
    shop: Shop, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = await a_link(shop)
    monkeypatch.setattr("webhooks.reports.PATIENCE", 0.2)
    async with shop.reports.renders, shop.reports.renders:
        answers = await asyncio.gather(*(door.get(link) for _ in range(DOWNLOADS + 4)))
    assert {answer.status for answer in answers} == {503}
    assert all(answer.headers["Retry-After"] == "10" for answer in answers)
    async with door.get(link) as answer:
        assert answer.status == 200


async def test_many_get_it_at_the_same_time(shop: Shop, door: Door) -> None:
    links = [await a_link(shop, form) for form in ReportFormat]

    async def get(link: str) -> tuple[int, bytes]:
        async with door.get(link) as answer:
            return answer.status, await answer.read()

    answers = await asyncio.gather(*(get(link) for link in links * 2))
    assert {status for status, _ in answers} == {200}
    assert len({data for _, data in answers}) == 2


async def test_one_who_reads_slowly_leaves_places_to_the_others(
    shop: Shop, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    hers, ben = await a_link(shop), await shop.player(1002)
    past = Past(ben, datetime.now(UTC), first_operation=2000)
    past.deposit(100_00)
    await past.book(shop.database)
    report = await shop.reports.request(ben, ReportFormat.CSV, Period(), Include(), request_key="his")
    slow, send = asyncio.Event(), documents._send

    async def sent(request: web.Request, path: Path, size: int, headers: dict[str, str]) -> web.StreamResponse:
        if request.path == hers:
            await slow.wait()
        return await send(request, path, size, headers)

    monkeypatch.setattr(documents, "_send", sent)
    greedy = [asyncio.create_task(door.get(hers)) for _ in range(DOWNLOADS)]
    refused, _ = await asyncio.wait(greedy, timeout=2)
    assert [one.result().status for one in refused] == [503] * (DOWNLOADS - OF_ONE)
    async with door.get(f"/reports/{shop.reports.token(report)}") as answer:
        assert answer.status == 200
    slow.set()
    assert {(await one).status for one in greedy} == {200, 503}
    async with door.get(hers) as answer:
        assert answer.status == 200


async def test_no_link_gets_into_the_log(shop: Shop, door: Door, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    link = await a_link(shop)
    async with shop.database.owner() as owner:
        await owner.execute("SET session_replication_role = replica")
        await owner.execute("UPDATE ledger_entry SET available_after = available_after + 1 WHERE wallet_seq = 1")
        pdf = await a_link(shop, ReportFormat.PDF)
        for path in (link, pdf, link[:-1]):
            async with door.get(path):
                pass
        await owner.execute("UPDATE ledger_entry SET available_after = available_after - 1 WHERE wallet_seq = 1")
    for path in (link, pdf):
        assert path.rpartition("/")[2] not in caplog.text
