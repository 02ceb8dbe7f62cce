"""What providers, and those who pretend to be one, get for an answer; and that nothing moves unless it should."""

import asyncio
import json
import random
import socket
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import Any

import aiohttp
import pytest
import stripe
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from db.database import Database
from db.models import ProviderName
from sandbox.deliveries import Raw
from services.health import Health
from services.inbox import FLOODS
from tests.conftest import statement
from tests.shop import ADMIN, Shop
from tests.webhooks.door import Door, application
from webhooks.app import BODY_LIMIT
from webhooks.health import routes

PATH = {name: f"/api/webhook/{name}" for name in ProviderName}


@pytest.fixture
async def door(shop: Shop) -> AsyncIterator[Door]:
    app = application(shop, proxies=[ip_network("127.0.0.2/32")])
    async with TestClient(TestServer(app)) as client:
        yield client


def signed(shop: Shop, event: Mapping[str, object] | str, *, secret: str | None = None, at: int | None = None) -> Raw:
    text = event if isinstance(event, str) else json.dumps(event)
    header = stripe.WebhookSignature.generate_signature_header(
        text, secret or shop.world.stripe_webhook_secret, timestamp=at
    )
    return Raw(event="", body=text.encode(), headers={"Stripe-Signature": header})


async def paid(shop: Shop, provider: ProviderName) -> list[Raw]:
    return await shop.pays(await shop.asks(await shop.player(), provider))


async def stored(database: Database) -> int:
    async with database.connection() as tx:
        return int(await tx.fetchval("SELECT count(*) FROM webhook_inbox"))


@pytest.mark.parametrize("provider", list(ProviderName))
async def test_a_delivery_is_answered_200_however_often_it_comes(
    shop: Shop, door: Door, provider: ProviderName
) -> None:
    deliveries = await paid(shop, provider) * 30
    random.shuffle(deliveries)

    async def deliver(raw: Raw) -> int:
        async with door.post(PATH[provider], data=raw.body, headers=raw.headers) as response:
            return response.status

    assert set(await asyncio.gather(*map(deliver, deliveries))) == {200}
    await shop.works(4)
    async with shop.database.connection() as tx:
        assert await tx.fetchval("SELECT sum(deliveries) FROM webhook_inbox") == len(deliveries)
        assert await tx.fetchval("SELECT count(*) FROM ledger_journal") == 1


def hostile(shop: Shop, raw: Raw) -> list[tuple[str, bytes, dict[str, str], set[int]]]:
    """A name, a body, headers, and the answers that are right."""
    now = int(time.time())
    text = raw.body.decode()
    good = dict(raw.headers)

    def stripe_signed(text: str, **how: Any) -> dict[str, str]:
        return dict(signed(shop, text, **how).headers)

    return [
        ("no signature", raw.body, {}, {401}),
        ("signature of another secret", raw.body, stripe_signed(text, secret="whsec_other"), {401}),
        ("changed body", raw.body.replace(b"5000", b"9000"), good, {401}),
        ("stale", raw.body, stripe_signed(text, at=now - 301), {401}),
        ("from the future", raw.body, stripe_signed(text, at=now + 400), {401}),
        ("signature is rubbish", raw.body, {"Stripe-Signature": "t=,v1=\u00e9,,=="}, {401}),
        ("signed, not JSON", b"{", stripe_signed("{"), {400}),
        ("signed array", b"[]", stripe_signed("[]"), {400}),
        ("signed null", b"null", stripe_signed("null"), {400}),
        ("signed, no id", b'{"object":"event"}', stripe_signed('{"object":"event"}'), {400}),
        ("deeply nested", b"[" * 50_000, stripe_signed("[" * 50_000), {400}),
        ("not UTF-8", b"\xff\xfe", good, {400, 401}),
        ("empty", b"", good, {400, 401}),
        ("too large", b"x" * (BODY_LIMIT + 1), good, {413}),
    ]


async def test_forged_stale_tampered_and_malformed_stripe_deliveries_change_nothing(shop: Shop, door: Door) -> None:
    raw = (await paid(shop, ProviderName.STRIPE))[0]
    for name, body, headers, answers in hostile(shop, raw):
        async with door.post(PATH[ProviderName.STRIPE], data=body, headers=headers) as response:
            assert response.status in answers, name
    assert await stored(shop.database) == 0
    async with shop.database.connection() as tx:  # an example of each kind is kept for the admins
        kept = await tx.fetchval("SELECT count(*) FROM audit_log WHERE action = 'delivery' AND status = 'rejected'")
    assert kept >= 5


async def test_malformed_yookassa_notifications_change_nothing(
    shop: Shop, door: Door, subtests: pytest.Subtests
) -> None:
    for body in [
        b"",
        b"[]",
        b"{",
        b'{"type":"notification"}',
        b'{"type":"notification","event":"payment.succeeded","object":{}}',
        b'{"type":"notification","event":"payment.succeeded","object":{"id":"../../etc/passwd","status":"succeeded"}}',
        b'{"type":"notification","event":"payment.succeeded","object":{"id":7,"status":"succeeded"}}',
        b'{"type":"notification","event":"payment.succeeded","object":"x"}',
        b"\xff",
    ]:
        with subtests.test(body=body):
            async with door.post(PATH[ProviderName.YOOKASSA], data=body) as response:
                assert response.status == 400
            assert await stored(shop.database) == 0


async def test_a_notification_from_a_foreign_address_is_forbidden_and_a_claimed_one_is_not_believed(
    shop: Shop, door: Door
) -> None:
    raw = (await paid(shop, ProviderName.YOOKASSA))[0]

    async def delivered_from(peer: str, **headers: str) -> int:
        connector = aiohttp.TCPConnector(local_addr=(peer, 0))
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.post(door.make_url(PATH[ProviderName.YOOKASSA]), data=raw.body, headers=headers) as response,
        ):
            return response.status

    # 127.0.0.2 is our proxy in this test; all of 127.0.0.0/8 is YooKassa.
    assert await delivered_from("127.0.0.2", **{"X-Forwarded-For": "127.0.0.9, 203.0.113.7"}) == 403
    assert await delivered_from("127.0.0.2", **{"X-Forwarded-For": "rubbish"}) == 200
    assert await delivered_from("127.0.0.2", **{"X-Forwarded-For": "203.0.113.7, 127.0.0.9"}) == 200
    assert await delivered_from("127.0.0.3", **{"X-Forwarded-For": "203.0.113.7"}) == 200


async def test_a_notification_about_a_payment_that_is_not_there_is_ignored(shop: Shop, door: Door) -> None:
    body = json.dumps(
        {
            "type": "notification",
            "event": "payment.succeeded",
            "object": {"id": "2f4c1b70-000f-5000-8000-00000000dead", "status": "succeeded"},
        }
    )
    async with door.post(PATH[ProviderName.YOOKASSA], data=body) as response:
        assert response.status == 200
    await shop.works()
    async with shop.database.connection() as tx:
        assert await tx.fetchval("SELECT state FROM webhook_inbox") == "ignored"
        assert await tx.fetchval("SELECT count(*) FROM ledger_journal") == 0


async def test_many_unproven_deliveries_get_429_and_proven_ones_still_pass(shop: Shop, door: Door) -> None:
    raw = (await paid(shop, ProviderName.STRIPE))[0]
    statuses = []
    for _ in range(80):
        async with door.post(PATH[ProviderName.STRIPE], data=b"{}") as response:
            statuses.append(response.status)
    assert set(statuses) == {401, 429}
    assert statuses[:50] == [401] * 50
    async with door.post(PATH[ProviderName.STRIPE], data=raw.body, headers=raw.headers) as response:
        assert response.status == 200


async def test_a_flood_of_unproven_deliveries_is_told_once_for_each_sender(shop: Shop, door: Door) -> None:
    """The second sender has all addresses of a /64; the third keeps within the limit."""
    senders = [
        ["203.0.113.7"] * 100,
        [f"2001:db8:1:2::{number:x}" for number in range(1, 101)],
        [f"2001:db8:1:3::{number:x}" for number in range(1, 41)],
    ]
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(local_addr=("127.0.0.2", 0))) as session:

        async def forges(address: str) -> int:
            headers = {"X-Forwarded-For": address}
            async with session.post(door.make_url(PATH[ProviderName.STRIPE]), data=b"{}", headers=headers) as response:
                return response.status

        first, second, third = [[await forges(address) for address in sender] for sender in senders]
    assert (first.count(429), second.count(429)) >= (30, 30)
    assert set(third) == {401}
    restarted = replace(shop.inbox, _flooding={})
    await asyncio.gather(*(restarted.flooded(ip_address("203.0.113.7")) for _ in range(5)))
    async with shop.database.connection() as tx:
        rows = await tx.fetch(
            "SELECT chat_id, arguments FROM outbox WHERE text_id = 'admin-forged' AND chat_id = $1 ORDER BY id", ADMIN
        )
        assert [row["arguments"]["address"] for row in rows] == ["203.0.113.7", "2001:db8:1:2::/64"]
        noted = await tx.fetch("SELECT ip_address FROM audit_log WHERE action = 'flood' ORDER BY log_id")
    assert len(noted) == 3  # each process notes it


async def test_a_flood_from_everywhere_does_not_flood_the_admins(shop: Shop, door: Door) -> None:
    for number in range(30):
        await shop.inbox.flooded(ip_address(f"203.0.113.{number}"))
    async with shop.database.connection() as tx:
        rows = await tx.fetch(
            "SELECT arguments FROM outbox WHERE text_id = 'admin-forged' AND chat_id = $1 ORDER BY id", ADMIN
        )
    assert [row["arguments"]["more"] for row in rows] == [0] * (FLOODS - 1) + [1]


async def test_closed_doors_are_404(door: Door) -> None:
    for method, path in (
        ("GET", PATH[ProviderName.STRIPE]),
        ("POST", "/api/webhook/nobody"),
        ("POST", "/telegram/webhook"),
        ("GET", "/"),
    ):
        async with door.request(method, path) as response:
            assert response.status in (404, 405)


async def test_while_the_database_is_down_a_delivery_is_answered_503_and_comes_again(
    shop: Shop, door: Door, postgres: str
) -> None:
    raw = (await paid(shop, ProviderName.STRIPE))[0]
    async with shop.database.owner() as owner:
        name = await owner.fetchval("SELECT current_database()")
    await statement(postgres, f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    await statement(postgres, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
    async with door.post(PATH[ProviderName.STRIPE], data=raw.body, headers=raw.headers) as response:
        assert response.status == 503
        assert "Retry-After" in response.headers
    async with door.get("/health") as response:
        assert response.status == 503
        assert (await response.json())["status"] == "failing"
    await statement(postgres, f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    async with door.post(PATH[ProviderName.STRIPE], data=raw.body, headers=raw.headers) as response:
        assert response.status == 200
    async with door.get("/health") as response:
        assert (await response.json())["status"] == "ok"
    await shop.works(4)


async def test_headers_that_are_no_text_are_no_trouble(shop: Shop, door: Door) -> None:
    raw = (await paid(shop, ProviderName.YOOKASSA))[0]

    def send(path: str, body: bytes) -> bytes:
        with socket.create_connection((door.host, door.port), timeout=5) as caller:
            head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n".encode()
            caller.sendall(head + b"User-Agent: a\xff\xfe\r\nContent-Type: \xed\xa0\x80\r\n\r\n" + body)
            return caller.recv(100)

    assert b" 401 " in await asyncio.to_thread(send, PATH[ProviderName.STRIPE], b"{}")
    assert b" 200 " in await asyncio.to_thread(send, PATH[ProviderName.YOOKASSA], raw.body)


async def test_a_crowd_that_asks_for_health_asks_the_database_once(shop: Shop) -> None:
    looked: list[str] = []

    def telegram() -> str:
        looked.append("once more")
        return "ok"

    app = web.Application()
    app.add_routes(routes(Health(shop.database, telegram)))
    async with TestClient(TestServer(app)) as client:
        answers = await asyncio.gather(*(client.get("/health") for _ in range(50)))
        assert [answer.status for answer in answers] == [200] * 50
        assert len(looked) < 50
        assert (await client.get("/health")).status == 200  # and the next is asked anew
    assert len(looked) > 1


async def test_health_shows_how_long_the_oldest_has_waited_though_it_is_put_off(shop: Shop, door: Door) -> None:
    await shop.receives(ProviderName.STRIPE, await paid(shop, ProviderName.STRIPE))
    async with shop.database.owner() as tx:
        await tx.execute(
            "UPDATE webhook_inbox SET received_at = now() - interval '5 h', run_at = now() + interval '1 h'"
        )
    async with door.get("/health") as response:
        assert (await response.json())["inbox"] >= 5 * 3600
    await shop.due_now()
    await shop.works()
