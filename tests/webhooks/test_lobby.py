"""Who sends slowly, too much or nothing at all: a time, a number of places, and never in the way of a provider."""

import asyncio
import gzip
import logging
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any

import pytest
from aiohttp import web

from db.models import ProviderName, ReportFormat
from db.money import Money
from sandbox.deliveries import Raw
from services.periods import Period
from services.reports import Include
from tests.shop import Shop
from tests.webhooks.door import application, listening
from webhooks.app import BODY_LIMIT
from webhooks.lobby import LOBBY, Lobby

PROXY = "127.0.0.2"
SECONDS = 10
UNFINISHED = b"GET /health HTTP/1.1\r\nHost: x\r\nX-Slow: "
HEALTH = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"


@dataclass
class Caller:
    """Somebody on a connection of his own."""

    reader: StreamReader
    writer: StreamWriter

    def sends(self, *parts: bytes) -> None:
        self.writer.writelines(parts)

    async def hears(self) -> int:
        """The next answer's status, with its body read away; 0: the connection ended."""
        try:
            async with asyncio.timeout(SECONDS):
                head = await self.reader.readuntil(b"\r\n\r\n")
                length = head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]
                await self.reader.readexactly(int(length or 0))
        except (asyncio.IncompleteReadError, ConnectionError):
            return 0
        return int(head.split()[1])

    async def is_shown_out(self) -> bool:
        with suppress(ConnectionError):
            async with asyncio.timeout(SECONDS):
                await self.reader.read()
        return True


class House:
    """The web app on a socket, and those who call."""

    def __init__(self, port: int, lobby: Lobby, stack: AsyncExitStack) -> None:
        self.port, self.lobby, self._stack = port, lobby, stack

    async def caller(self, address: str = "127.0.0.1") -> Caller:
        caller = Caller(*await asyncio.open_connection("127.0.0.1", self.port, local_addr=(address, 0)))
        self._stack.callback(caller.writer.close)
        return caller

    async def crowd(self, number: int, address: str, says: bytes) -> Sequence[Caller]:
        crowd = [await self.caller(address) for _ in range(number)]
        for caller in crowd:
            caller.sends(says)
        return crowd

    async def answers(self, *parts: bytes) -> int:
        caller = await self.caller()
        caller.sends(*parts)
        return await caller.hears()

    async def are_in(self) -> None:
        """Everybody who has called until now: one after another they are let in. Adds one who waits."""
        assert await self.answers(HEALTH) == 200


@asynccontextmanager
async def house(app: web.Application) -> AsyncIterator[House]:
    async with listening(app) as port, AsyncExitStack() as stack:
        yield House(port, app[LOBBY], stack)


@pytest.fixture
async def door(shop: Shop) -> AsyncIterator[House]:
    async with house(application(shop, proxies=[ip_network(PROXY)])) as opened:
        yield opened


async def paid(shop: Shop) -> Raw:
    return (await shop.pays(await shop.asks(await shop.player(), ProviderName.STRIPE)))[-1]


def delivery(raw: Raw, *more: str, length: bool = True) -> bytes:
    lines = [f"{name}: {value}" for name, value in raw.headers.items()]
    lines += [f"Content-Length: {len(raw.body)}"] * length
    head = "\r\n".join(["POST /api/webhook/stripe HTTP/1.1", "Host: x", *lines, *more])
    return f"{head}\r\n\r\n".encode() + raw.body


async def test_a_head_that_never_ends_is_cut_off_and_so_is_who_says_nothing_any_more(door: House) -> None:
    door.lobby.seconds = 0.2
    silent, slow, done = [await door.caller() for _ in range(3)]
    slow.sends(UNFINISHED)
    done.sends(HEALTH)
    assert await done.hears() == 200
    for caller in (silent, slow, done):
        assert await caller.is_shown_out()
    assert not door.lobby


async def test_a_body_that_never_ends_is_cut_off(door: House) -> None:
    door.lobby.body_seconds = 0.2
    assert await door.answers(b"POST /api/webhook/stripe HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{") == 400
    chunked = b"POST /api/webhook/stripe HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"
    assert await door.answers(chunked) == 400


async def test_a_body_that_nobody_reads_keeps_no_place_either(door: House) -> None:
    door.lobby.seconds = 0.2
    caller = await door.caller()
    caller.sends(b"GET /health HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
    assert await caller.hears() == 200
    assert await caller.is_shown_out()


async def test_while_hundreds_hang_a_delivery_is_answered_and_the_oldest_go_first(shop: Shop, door: House) -> None:
    door.lobby.of_one, door.lobby.of_all = 60, 200
    early = [*await door.crowd(20, "127.0.0.11", UNFINISHED), *await door.crowd(20, "127.0.0.12", b"")]
    for number in range(13, 23):
        await door.crowd(50, f"127.0.0.{number}", UNFINISHED)
    await door.are_in()
    assert len(door.lobby) == 200
    raw = await paid(shop)
    assert await door.answers(delivery(raw)) == 200
    assert len(door.lobby) <= 200
    for caller in early:
        assert await caller.is_shown_out()
    await shop.works(4)
    async with shop.database.connection() as tx:
        assert await tx.fetchval("SELECT count(*) FROM ledger_journal") == 1


async def test_who_calls_too_often_loses_his_own_oldest_and_nobody_else_any(door: House) -> None:
    door.lobby.of_one = 10
    before = await door.crowd(10, "127.0.0.11", UNFINISHED)
    oldest, *_ = await door.crowd(11, "127.0.0.12", UNFINISHED)
    assert await oldest.is_shown_out()
    await door.are_in()
    assert len(door.lobby) == 20 + 1
    for caller in before:
        caller.sends(b"x\r\n\r\n")
        assert await caller.hears() == 200


async def test_who_is_being_answered_is_not_waiting(shop: Shop) -> None:
    handling, done = asyncio.Event(), asyncio.Event()

    async def handles(_update: dict[str, Any]) -> None:
        handling.set()
        await done.wait()

    async with house(application(shop, telegram_secret="s", feed_update=handles)) as door:
        door.lobby.of_one, door.lobby.seconds = 1, 0.2
        telegram = await door.caller()
        head = b"POST /telegram/webhook HTTP/1.1\r\nHost: x\r\nX-Telegram-Bot-Api-Secret-Token: s\r\n"
        telegram.sends(head, b"Content-Length: 15\r\n\r\n", b'{"update_id":1}')
        await handling.wait()
        assert len(door.lobby) == 0
        for caller in await door.crowd(3, "127.0.0.1", UNFINISHED):
            assert await caller.is_shown_out()
        done.set()
        assert await telegram.hears() == 200


async def test_who_is_given_a_document_is_not_waiting(shop: Shop, door: House) -> None:
    anna = await shop.player()
    await shop.deposited(anna, Money(50_00, "USD"))
    report = await shop.reports.request(anna, ReportFormat.CSV, Period(), Include(), request_key="hers")
    door.lobby.of_one, door.lobby.seconds = 1, 0.2
    reader = await door.caller()
    async with shop.reports.renders, shop.reports.renders:
        reader.sends(f"GET /reports/{shop.reports.token(report)} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        for caller in await door.crowd(3, "127.0.0.1", UNFINISHED):
            assert await caller.is_shown_out()
    assert await reader.hears() == 200


async def test_a_proxy_has_as_many_connections_as_it_likes_and_its_clients_have_not(door: House) -> None:
    door.lobby.of_one = 3
    idle = await door.crowd(10, PROXY, UNFINISHED)

    def trickles(address: str) -> bytes:
        head = (
            f"POST /api/webhook/stripe HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: {address}\r\nContent-Length: 9\r\n\r\n"
        )
        return head.encode()

    other, *_ = await door.crowd(3, PROXY, trickles("203.0.113.8"))
    await door.are_in()
    assert len(door.lobby) == 3 + 1
    oldest, second, *_ = await door.crowd(4, PROXY, trickles("203.0.113.7"))
    assert await oldest.is_shown_out()
    await door.are_in()
    assert len(door.lobby) == 6 + 2
    for caller in (other, second):
        caller.sends(b"{}{}{}{}{")
        assert await caller.hears() == 401
    for caller in idle:
        caller.sends(b"x\r\n\r\n")
        assert await caller.hears() == 200
    assert len(door.lobby) == 4 + 2


POST = b"POST /api/webhook/stripe HTTP/1.1\r\nHost: x\r\n"
GZIPPED = gzip.compress(b"[" * 50_000_000)
ODD: dict[str, tuple[bytes, set[int]]] = {
    "a thousand headers": (HEALTH[:-2] + b"X: 1\r\n" * 1000 + b"\r\n", {400}),
    "as many as may be": (HEALTH[:-2] + (b"X: " + b"x" * 4000 + b"\r\n") * 63 + b"\r\n", {200}),
    "one more": (HEALTH[:-2] + b"X: 1\r\n" * 64 + b"\r\n", {400}),
    "a long header": (HEALTH[:-2] + b"X: " + b"x" * 4100 + b"\r\n\r\n", {400}),
    "a long address": (b"GET /postback/1win/x?" + b"x" * 8000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", {403}),
    "a long name": (HEALTH[:-2] + b"x" * 100_000 + b": 1\r\n\r\n", {400}),
    "a header without end": (HEALTH[:-2] + b"X: " + b"x" * 100_000, {400}),
    "a line without end": (b"GET /" + b"x" * 100_000, {400, 414}),
    "two lengths": (POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", {400}),
    "length and chunks": (POST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", {400}),
    "unknown transfer": (POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", {400}),
    "negative length": (POST + b"Content-Length: -1\r\n\r\n", {400}),
    "length in other digits": (POST + "Content-Length: ２\r\n\r\n{}".encode(), {400}),
    "endless length": (POST + b"Content-Length: 9" + b"9" * 30 + b"\r\n\r\n", {400, 413}),
    "too large": (POST + b"Content-Length: 999999\r\n\r\n" + b"x" * (BODY_LIMIT + 1), {413}),
    "bad chunk": (POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n", {400}),
    "no gzip": (POST + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}", {400}),
    "unknown encoding": (POST + b"Content-Encoding: rot13\r\nContent-Length: 2\r\n\r\n{}", {401}),
    "gzip bomb": (POST + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(GZIPPED) + GZIPPED, {413}),
    "another host": (b"GET /health HTTP/1.1\r\nHost: example.org\r\n\r\n", {200}),
    "no host": (b"GET /health HTTP/1.1\r\n\r\n", {200, 400}),
    "two hosts": (b"GET /health HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", {200, 400}),
    "a host of rubbish": (b"GET /health HTTP/1.1\r\nHost: \xff[::/@#\r\n\r\n", {200, 400}),
    "absolute": (b"GET http://example.org/health HTTP/1.1\r\nHost: x\r\n\r\n", {200}),
    "absolute rubbish": (b"GET http://[::/health HTTP/1.1\r\nHost: x\r\n\r\n", {400, 404}),
    "authority": (b"CONNECT example.org:443 HTTP/1.1\r\nHost: x\r\n\r\n", {400, 404, 405}),
    "asterisk": (b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", {400, 404, 405}),
    "no path": (b"GET  HTTP/1.1\r\nHost: x\r\n\r\n", {400}),
    "upwards": (b"GET /reports/../health HTTP/1.1\r\nHost: x\r\n\r\n", {200, 404}),
    "upwards, hidden": (b"GET /reports/%2e%2e%2fhealth HTTP/1.1\r\nHost: x\r\n\r\n", {404}),
    "many slashes": (b"GET //////health HTTP/1.1\r\nHost: x\r\n\r\n", {404}),
    "a fragment": (b"GET /health#x HTTP/1.1\r\nHost: x\r\n\r\n", {200, 400}),
    "bad escapes": (b"GET /reports/%zz%f HTTP/1.1\r\nHost: x\r\n\r\n", {400, 404}),
    "HTTP/1.0": (b"GET /health HTTP/1.0\r\n\r\n", {200}),
    "HTTP/0.9": (b"GET /health\r\n\r\n", {200, 400}),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400}),
    "HTTP/9.9": (b"GET /health HTTP/9.9\r\nHost: x\r\n\r\n", {400}),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200), {400}),
    "another method": (b"BREW /health HTTP/1.1\r\nHost: x\r\n\r\n", {400, 405}),
    "small letters": (b"get /health HTTP/1.1\r\nHost: x\r\n\r\n", {400, 405}),
    "nothing in a header": (b"GET /health HTTP/1.1\r\nHost: x\r\nX: \0\r\n\r\n", {400}),
    "a folded header": (b"GET /health HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\n\r\n", {200, 400}),
    "a space before the colon": (b"GET /health HTTP/1.1\r\nHost: x\r\nX : a\r\n\r\n", {400}),
    "only line feeds": (b"GET /health HTTP/1.1\nHost: x\n\n", {200, 400}),
    "another expectation": (POST + b"Expect: a miracle\r\nContent-Length: 2\r\n\r\n{}", {417}),
    "an upgrade": (POST + b"Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 2\r\n\r\n{}", {400, 401}),
    "an upgrade to HTTP/2": (HEALTH[:-2] + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n", {200}),
    "a charset of rubbish": (POST + b"Content-Type: text/x; charset=\xff\r\nContent-Length: 2\r\n\r\n{}", {401}),
    "a claim about the caller": (HEALTH[:-2] + b"X-Forwarded-For: " + b"1," * 2000 + b"\r\n\r\n", {200, 400}),
}


async def test_odd_http_is_refused_quietly(shop: Shop, door: House, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    for name, (says, right) in ODD.items():
        answer = await door.answers(says)
        assert answer in right, f"{name}: {answer}"
    assert [
        record.getMessage() for record in caplog.records if record.exc_info or record.levelno >= logging.ERROR
    ] == []
    assert await door.answers(delivery(await paid(shop))) == 200
    await shop.works()


async def test_a_delivery_may_come_in_any_way_that_http_allows(shop: Shop, door: House) -> None:
    raw = await paid(shop)
    chunks = b"".join(b"%x;a=b\r\n%s\r\n" % (1, raw.body[at : at + 1]) for at in range(len(raw.body))) + b"0\r\n\r\n"
    head = delivery(raw, "Transfer-Encoding: chunked", length=False).removesuffix(raw.body)
    assert await door.answers(head, chunks) == 200
    assert await door.answers(delivery(raw).replace(b"HTTP/1.1", b"HTTP/1.0", 1)) == 200
    assert await door.answers(delivery(raw).replace(b"POST ", b"POST https://bot.example", 1)) == 200

    bytewise = await door.caller()
    for at in range(0, len(delivery(raw)), 97):
        bytewise.sends(delivery(raw)[at : at + 97])
        await bytewise.writer.drain()
        await asyncio.sleep(0)
    assert await bytewise.hears() == 200

    patient = await door.caller()
    patient.sends(delivery(raw, "Expect: 100-continue").removesuffix(raw.body))
    assert await patient.hears() == 100
    patient.sends(raw.body)
    assert await patient.hears() == 200

    hasty = await door.caller()
    hasty.sends(delivery(raw) * 100, HEALTH)
    assert [await hasty.hears() for _ in range(101)] == [200] * 101
    async with shop.database.connection() as tx:
        assert await tx.fetchval("SELECT deliveries FROM webhook_inbox") == 105
    await shop.works()
