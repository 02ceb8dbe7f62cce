"""What casinos, and those who pretend to be one, get for an answer; whatever bytes come, nothing breaks or leaks."""

import asyncio
import io
import json
import logging
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from aiohttp.test_utils import TestClient, TestServer

from bot.logs import JsonFormatter
from services.casinos import Casinos
from services.inbox import Inbox
from tests.conftest import statement
from tests.shop import PROGRAMMES, Shop
from tests.webhooks.door import Door, application
from webhooks.app import BODY_LIMIT

PATH = "/postback/1win/fixture-path-secret"
FIXTURES = {
    file.stem: json.loads(file.read_text(encoding="utf-8"))
    for file in sorted((Path(__file__).parents[1] / "fixtures" / "onewin").glob("*.json"))
}


def opened(shop: Shop, inbox: Inbox, *, sandbox: bool = False) -> Door:
    app = application(shop, inbox=inbox, sandbox=sandbox)
    return TestClient(TestServer(app))


def with_secret(shop: Shop, secret: str) -> Inbox:
    programme = replace(PROGRAMMES["1win"], secret=secret)
    return replace(shop.inbox, casinos=Casinos(shop.database, shop.outbox, {"1win": programme}, channel=False))


@pytest.fixture
async def door(shop: Shop) -> AsyncIterator[Door]:
    async with opened(shop, shop.inbox) as client:
        yield client


async def stored(shop: Shop) -> int:
    async with shop.database.connection() as tx:
        return int(await tx.fetchval("SELECT count(*) FROM webhook_inbox"))


async def sends(door: Door, fixture: dict[str, Any]) -> tuple[int, str]:
    body: Any = fixture.get("raw_body") or fixture["form"] or (json.dumps(fixture["json"]) if fixture["json"] else None)
    headers = dict(fixture["headers"])
    if fixture["json"]:
        headers["Content-Type"] = "application/json"
    async with door.request(
        fixture["method"], fixture["path"], params=fixture["query"], data=body, headers=headers
    ) as response:
        return response.status, await response.text()


@pytest.mark.parametrize("name", FIXTURES)
async def test_every_fixture_gets_its_answer_however_often_it_comes(shop: Shop, name: str) -> None:
    inbox = with_secret(shop, "fixture-hmac") if name == "generic_json_hmac" else shop.inbox
    async with opened(shop, inbox) as door:
        answers = {await sends(door, FIXTURES[name]) for _ in range(3)}
    if name == "wrong_path_secret":
        assert {status for status, _ in answers} == {403}
        assert await stored(shop) == 0
    else:
        assert answers == {(200, "OK")}
        assert await stored(shop) == 1
    await shop.works(4)


async def test_a_signature_is_asked_for_when_there_is_a_secret(shop: Shop) -> None:
    async with opened(shop, with_secret(shop, "fixture-hmac")) as door:
        assert (await sends(door, FIXTURES["deposit"]))[0] == 401
        forged = {**FIXTURES["generic_json_hmac"], "headers": {"X-Signature": "0" * 64}}
        assert (await sends(door, forged))[0] == 401
    assert await stored(shop) == 0


HOSTILE: list[tuple[str, str, bytes, set[int]]] = [
    # method, what follows the path, body, right answers
    ("GET", "", b"", {400}),
    ("GET", "?", b"", {400}),
    ("GET", "?" + "&" * 5000, b"", {400}),
    ("GET", "?event=%FF%FE&user_id=%00&amount=%ED%A0%80", b"", {200}),
    ("GET", "?event=deposit&user_id=1&user_id=2&amount=1&amount=2", b"", {200}),
    ("GET", "?" + "a=" + "x" * 100_000, b"", {400, 414}),
    ("GET", "?" + "&".join(f"a{number}=1" for number in range(1000)), b"", {400}),
    ("GET", "?event=%", b"", {200}),
    ("GET", "?event[]=deposit&user_id[$ne]=1", b"", {200}),
    ("POST", "", b"", {400}),
    ("POST", "", b"\xff\xfe\x00", {400}),
    ("POST", "", b"[]", {400}),
    ("POST", "", b"[" * 200_000, {400}),
    ("POST", "", b'{"a":' * 50_000, {400}),
    ("POST", "", b'{"event":"\\ud800","user_id":"\\u0000","amount":1e400}', {200}),
    ("POST", "", b'{"event":"deposit","user_id":"' + b"9" * 100_000 + b'","amount":' + b"9" * 5000 + b"}", {200}),
    ("POST", "", b"event=deposit&user_id=" + b"%00" * 1000, {200}),
    ("POST", "", b"x" * (BODY_LIMIT + 1), {413}),
    ("POST", "?event=deposit", b"{", {400}),
    ("PUT", "", b"{}", {405}),
    ("HEAD", "?event=deposit&user_id=1&amount=1", b"", {405}),
    ("DELETE", "", b"", {405}),
]


def answered(door: Door, method: str, rest: str, body: bytes) -> int:
    """The status of a request that no client would send."""
    with socket.create_connection((door.host, door.port), timeout=10) as caller:
        head = f"{method} {PATH}{rest} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        caller.sendall(head.encode() + body)
        return int(caller.recv(100).split()[1])


async def test_whatever_comes_is_answered_and_never_breaks_anything(
    shop: Shop, door: Door, subtests: pytest.Subtests
) -> None:
    for method, rest, body, answers in HOSTILE:
        with subtests.test(method=method, rest=rest, body=body):
            assert await asyncio.to_thread(answered, door, method, rest, body) in answers
            await shop.works()
            async with shop.database.connection() as tx:
                assert await tx.fetchval("SELECT count(*) FROM webhook_inbox WHERE state <> 'done'") == 0
                assert await tx.fetchval("SELECT count(*) FROM casino_event WHERE problem IS NULL") == 0


async def test_raw_bytes_in_the_address_are_no_trouble(shop: Shop, door: Door) -> None:
    def send(path: bytes) -> int:
        with socket.create_connection((door.host, door.port), timeout=5) as caller:
            caller.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: x\r\nUser-Agent: \xff\r\n\r\n")
            return int(caller.recv(100).split()[1])

    for path in (
        PATH.encode() + b"?event=\xff\xfe&user_id=\xed\xa0\x80",
        b"/postback/1win/\xff\xfe?event=deposit",
        b"/postback/\xff/x",
        b"/postback/1win/" + b"x" * 7000,
        b"/postback/1win/%00%FF",
    ):
        assert await asyncio.to_thread(send, path) in (200, 400, 403, 404), path[:40]
    await shop.works()


async def test_only_the_right_address_opens(shop: Shop, door: Door, subtests: pytest.Subtests) -> None:
    for path, status in [
        ("/postback/1win/wrong", 403),
        ("/postback/1win/fixture-path-secre", 403),
        ("/postback/1win/" + quote("пароль"), 403),
        ("/postback/1win/", 404),
        ("/postback/1win", 404),
        ("/postback/pinup/fixture-path-secret", 404),
        ("/postback/1WIN/fixture-path-secret", 404),
        ("/postback/1win/fixture-path-secret/more", 404),
    ]:
        with subtests.test(path=path):
            for method in ("GET", "POST"):
                async with door.request(method, path, params=FIXTURES["deposit"]["query"]) as response:
                    assert response.status == status
            assert await stored(shop) == 0


async def test_guessing_the_secret_is_slowed_down_and_the_casino_still_passes(shop: Shop, door: Door) -> None:
    statuses = []
    for number in range(80):
        async with door.get(f"/postback/1win/guess{number}") as response:
            statuses.append(response.status)
    assert set(statuses) == {403, 429}
    assert (await sends(door, FIXTURES["deposit"])) == (200, "OK")


async def test_the_secrets_are_in_no_log_line_and_nowhere_in_the_database(shop: Shop) -> None:
    lines = io.StringIO()
    handler = logging.StreamHandler(lines)
    handler.setFormatter(JsonFormatter([]))  # knows no secrets: the place of one gives it away
    handler.addFilter(lambda record: record.name != "aiohttp.access")  # the process has none
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.DEBUG)
    root.addHandler(handler)
    try:
        async with opened(shop, with_secret(shop, "fixture-hmac")) as door:
            for name in ("deposit", "generic_json_hmac"):
                await sends(door, FIXTURES[name])
            async with door.get(PATH + "?" + "x" * 10_000) as response:
                assert response.status == 400
            async with door.put(PATH) as response:
                assert response.status == 405
            async with door.get(PATH + "x") as response:
                assert response.status == 403
        await shop.works()
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    assert "delivery rejected" in lines.getvalue()
    assert "fixture-path-secret" not in lines.getvalue()
    signature = FIXTURES["generic_json_hmac"]["headers"]["X-Signature"]
    async with shop.database.owner() as owner:
        tables = [
            row["relname"]
            for row in await owner.fetch(
                "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
            )
        ]
        for table in tables:
            for secret in ("fixture-path-secret", "fixture-hmac", signature):
                found = await owner.fetchval(
                    f"SELECT count(*) FROM {table} t WHERE position($1 IN t::text) > 0"
                    f" OR position(encode(convert_to($1, 'UTF8'), 'hex') IN t::text) > 0",
                    secret,
                )
                assert found == 0, table


async def test_while_the_database_is_down_the_casino_is_asked_to_come_again(
    shop: Shop, door: Door, postgres: str
) -> None:
    async with shop.database.owner() as owner:
        name = await owner.fetchval("SELECT current_database()")
    await statement(postgres, f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    await statement(postgres, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
    assert (await sends(door, FIXTURES["deposit"]))[0] == 503
    await statement(postgres, f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    assert (await sends(door, FIXTURES["deposit"]))[0] == 200
    await shop.works(4)


async def test_the_door_says_that_it_is_there(door: Door) -> None:
    async with door.get("/postback/health") as response:
        assert (response.status, await response.json()) == (200, {"status": "ok", "service": "postback"})


async def test_trying_it_out_is_for_the_sandbox_only(shop: Shop, door: Door) -> None:
    async with door.post("/postback/test?event=registration&user_id=123") as response:
        assert response.status == 404
    async with opened(shop, with_secret(shop, "hmac"), sandbox=True) as playground:
        for query, success, event in (
            (
                {"event": "registration", "user_id": "123"},
                True,
                {"type": "registration", "user_id": "123", "amount": None},
            ),
            (
                {"event": "ftd", "user_id": "123", "amount": 1000},
                True,
                {"type": "deposit", "user_id": "123", "amount": 1000},
            ),
            ({"event": "deposit", "user_id": "123"}, False, {"type": "deposit", "user_id": "123", "amount": None}),
        ):
            async with playground.post(f"/postback/test?{urlencode(query)}") as response:
                answer = await response.json()
            assert (response.status, answer["success"], answer["event"]) == (200, success, event)
            assert answer["message"]
        async with playground.get("/postback/test") as response:
            assert response.status == 405
    await shop.works()
    async with shop.database.connection() as tx:
        assert await tx.fetchval("SELECT count(*) FROM casino_event") == 3
