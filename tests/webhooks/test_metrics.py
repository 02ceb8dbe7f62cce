"""What Prometheus gets: who may ask, and whether the numbers are those of the records."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import ClientSession, TCPConnector
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client.parser import text_string_to_metric_families

from bot.observers import TimedProvider
from db import figures
from db.figures import Figures
from db.models import Player, ProviderName
from db.money import Money
from sandbox.faults import Fault
from services.errors import ProviderRejected, ProviderUnknown
from services.metrics import Metrics
from services.providers.stripe import Stripe
from tests.conftest import statement
from tests.shop import Shop
from tests.unit.providers.outside import order
from tests.webhooks.door import application

TOKEN = "a-token-of-the-tests"
Labels = Mapping[str, str]


@asynccontextmanager
async def door(shop: Shop, token: str | None = None, host: str = "127.0.0.1") -> AsyncIterator[TestClient[Any, Any]]:
    app = application(shop, telegram="standby", metrics_token=token)
    async with TestClient(TestServer(app, host=host)) as client:
        yield client


class Scrape:
    """What a scrape says."""

    def __init__(self, text: str) -> None:
        self.families = {family.name: family for family in text_string_to_metric_families(text)}

    def samples(self) -> Iterator[tuple[str, Labels, float]]:
        for family in self.families.values():
            for sample in family.samples:
                yield sample.name, sample.labels, sample.value

    def __call__(self, name: str, **labels: str) -> float:
        found = [
            value
            for sample, its, value in self.samples()
            if sample == f"looseline_{name}" and labels.items() <= its.items()
        ]
        return sum(found)


async def scrape(client: TestClient[Any, Any]) -> Scrape:
    async with client.get("/metrics") as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        return Scrape(await response.text())


async def test_who_may_read_the_figures(shop: Shop, subtests: pytest.Subtests) -> None:
    for token, headers, status in [
        (None, {}, 200),
        (None, {"Authorization": "Bearer whatever"}, 200),
        (None, {"X-Forwarded-For": "127.0.0.1"}, 403),
        (None, {"X-Forwarded-For": "203.0.113.9"}, 403),
        (None, {"Forwarded": "for=127.0.0.1"}, 403),
        (TOKEN, {}, 401),
        (TOKEN, {"Authorization": "Bearer"}, 401),
        (TOKEN, {"Authorization": f"Bearer {TOKEN}x"}, 401),
        (TOKEN, {"Authorization": f"Bearer {TOKEN[:-1]}"}, 401),
        (TOKEN, {"Authorization": f"Basic {TOKEN}"}, 401),
        (TOKEN, {"Authorization": TOKEN}, 401),
        (TOKEN, {"Authorization": "Bearer токен"}, 401),
        (TOKEN, {"Authorization": f"Bearer {TOKEN}"}, 200),
        (TOKEN, {"Authorization": f"bearer {TOKEN}", "X-Forwarded-For": "203.0.113.9"}, 200),
    ]:
        with subtests.test(token=token):
            async with door(shop, token) as client, client.get("/metrics", headers=headers) as response:
                assert response.status == status
                assert ("looseline_" in await response.text()) == (status == 200)


async def test_without_a_token_another_machine_reads_nothing_whatever_it_claims(shop: Shop) -> None:
    address = await own_address()
    if address is None:
        pytest.skip("this machine has no address but loopback")
    async with door(shop, None, "0.0.0.0") as client:
        for headers in ({}, {"X-Forwarded-For": "127.0.0.1"}, {"X-Real-IP": "::1"}):
            async with (
                ClientSession(connector=TCPConnector(local_addr=(address, 0))) as session,
                session.get(f"http://{address}:{client.port}/metrics", headers=headers) as response,
            ):
                assert response.status == 403


async def own_address() -> str | None:
    """One of this machine's addresses that is not loopback; None: it has none."""
    loop = asyncio.get_running_loop()
    try:
        transport, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, remote_addr=("192.0.2.1", 9))
    except OSError:
        return None
    try:
        return str(transport.get_extra_info("sockname")[0])
    finally:
        transport.close()


async def test_who_guesses_tokens_is_slowed_down(shop: Shop) -> None:
    async with door(shop, TOKEN) as client:

        async def guess(number: int) -> int:
            async with client.get("/metrics", headers={"Authorization": f"Bearer {number}"}) as response:
                return response.status

        assert {await guess(number) for number in range(70)} == {401, 429}


async def a_busy_day(shop: Shop) -> Player:
    anna = await shop.player()
    for provider in ProviderName:
        await shop.receives(provider, await shop.pays(await shop.asks(anna, provider)))
    await shop.works()
    await shop.asks(anna, ProviderName.STRIPE, Money(70_00, "USD"))
    method = await shop.payee(anna)
    await shop.withdrawals.request(anna, method.id, Money(20_00, "USD"), None, request_key="one")
    return anna


async def test_the_figures_are_those_of_the_records(shop: Shop) -> None:
    await a_busy_day(shop)
    async with door(shop) as client:
        told = await scrape(client)
    card = {"operation_type": "deposit", "provider": "stripe", "currency": "USD"}
    assert told("operations_total", **card, status="completed") == 1
    assert told("operations_minor_units_total", **card, status="completed") == 50_00
    assert told("operations_total", operation_type="deposit", provider="yookassa", status="completed") == 1
    assert told("operations_minor_units_total", provider="yookassa", currency="RUB", status="completed") == 1500_00
    assert told("operations_open", **card, status="pending") == 1
    assert told("operations_open_minor_units", **card, status="pending") == 70_00
    assert told("operations_open", operation_type="withdrawal", currency="USD", status="review") == 1
    assert told("held_minor_units", currency="USD") == 20_00
    assert told("held_minor_units", currency="RUB") == 0
    assert told("suspense_minor_units") == told("receivable_minor_units") == told("odd_items_open") == 0
    assert told("ledger_journals_total") == told("ledger_unsealed_journals") == 3
    assert told("queue_rows", queue="outbox") > 0
    assert told("queue_oldest_age_seconds", queue="outbox") > 0
    assert told("queue_rows", queue="inbox") == told("queue_oldest_age_seconds", queue="inbox") == 0
    assert told("telegram_state", state="standby") == told("telegram_state") == told("database_up") == 1


async def test_odd_money_debts_dead_rows_and_proofs_are_counted(shop: Shop) -> None:
    anna = await shop.player()
    operation = await shop.asks(anna, ProviderName.STRIPE)
    assert operation.provider_ref is not None
    async with door(shop) as client:
        await shop.receives(ProviderName.STRIPE, await shop.pays(operation, amount=10_00))
        await shop.works()
        told = await scrape(client)
        assert told("suspense_minor_units", currency="USD") == 10_00
        assert told("odd_items_open", provider="stripe", problem="amount_differs") == 1
        await shop.bookkeeping.schedule("verify", "2026-11-20T15")
        assert await shop.bookkeeping.work()
        await shop.bookkeeping.schedule("nonsense", "2026-11-20T15")
        async with shop.database.connection() as tx:
            await tx.execute("UPDATE job SET state = 'dead' WHERE kind = 'nonsense'")
            await tx.execute("UPDATE outbox SET state = 'dead' WHERE state = 'queued'")
            dead = await tx.fetchval("SELECT count(*) FROM outbox")
        told = await scrape(client)
    assert told("queue_dead_rows", queue="jobs") == 1
    assert told("queue_dead_rows", queue="outbox") == dead > 0
    assert told("verify_findings") == 0
    assert abs(told("verify_timestamp_seconds") - datetime.now(UTC).timestamp()) < 60


async def test_what_was_added_up_and_what_is_new_make_the_whole(shop: Shop) -> None:
    await a_busy_day(shop)
    before = await read(shop)
    await shop.bookkeeping.tally()
    assert (await read(shop)).reached == before.reached  # all of it is too new to be added up
    async with shop.database.owner() as owner:
        await owner.execute("ALTER TABLE audit_log DISABLE TRIGGER audit_log_rows")
        await owner.execute("UPDATE audit_log SET created_at = created_at - $1::interval", timedelta(hours=1))
    await asyncio.gather(*(shop.bookkeeping.tally() for _ in range(5)))
    async with shop.database.connection() as tx:
        assert await tx.fetchval("SELECT sum(operations) FROM operation_tally") == sum(
            each.operations for each in before.reached
        )
    assert (await read(shop)).reached == before.reached
    await shop.deposited(await shop.player(1002), Money(5_00, "USD"))
    after = {(each.provider, each.status): each.operations for each in (await read(shop)).reached}
    assert after["stripe", "completed"] == 2


async def read(shop: Shop) -> Figures:
    async with shop.database.snapshot() as tx:
        return await figures.read(tx)


async def test_nothing_in_the_figures_names_a_player(shop: Shop) -> None:
    async with shop.database.owner() as owner:
        await owner.execute("ALTER TABLE users ALTER COLUMN id RESTART WITH 73570001")
        await owner.execute("ALTER TABLE wallet_operations ALTER COLUMN operation_id RESTART WITH 73570002")
    anna = await shop.player(73570003)
    await shop.deposited(anna, Money(50_00, "USD"))
    async with door(shop) as client:
        async with client.get("/reports/73570004.made-up") as response:
            assert response.status == 404
        async with client.get("/no/73570005") as response:
            assert response.status == 404
        async with client.get("/metrics") as response:
            text = await response.text()
        told = Scrape(text)
    assert "7357000" not in text
    known = {"door", "status", "state", "operation_type", "provider", "currency", "problem", "queue", "lane", "le"}
    assert {label for _, labels, _ in told.samples() for label in labels} <= known
    assert all(re.fullmatch(r"[\w.:+-]*", value) for _, labels, _ in told.samples() for value in labels.values())


async def test_each_door_is_measured_with_its_answers(shop: Shop) -> None:
    async with door(shop) as client:
        for path in ("/health", "/health", "/nowhere", "/reports/made-up"):
            async with client.get(path):
                pass
        async with client.post("/api/webhook/stripe", data=b"rubbish"):
            pass
        told = await scrape(client)
    counted = "http_request_duration_seconds_count"
    assert told(counted, door="health", status="200") == 2
    assert told(counted, door="other", status="404") == 1
    assert told(counted, door="report", status="404") == 1
    assert told(counted, door="webhook-stripe", status="401") + told(counted, door="webhook-stripe", status="400") == 1


async def test_a_provider_is_measured_by_call_and_outcome(shop: Shop) -> None:
    metrics = Metrics(shop.database, lambda: "ok")
    world = shop.world
    stripe = TimedProvider(Stripe(world.stripe_key, [], world.stripe_url, timeout=2), metrics)
    stranger = TimedProvider(Stripe("sk_test_nobodys", [], world.stripe_url), metrics)
    wish = order(Money(50_00, "USD"), expires_at=datetime.now(UTC) + timedelta(hours=1))
    checkout = await stripe.create(wish)
    assert await stripe.fetch(checkout.ref)
    assert [movement async for movement in stripe.history(datetime.now(UTC) - timedelta(days=1))] == []
    with pytest.raises(ProviderRejected):
        await stranger.fetch(checkout.ref)
    world.faults.add("stripe", "*", Fault.RESET)
    with pytest.raises(ProviderUnknown):
        await stripe.fetch(checkout.ref)
    world.faults.clear()
    told = Scrape((await metrics.text()).decode())
    counted = "provider_call_duration_seconds_count"
    assert told(counted, provider="stripe", call="create", outcome="ok") == 1
    assert told(counted, provider="stripe", call="history", outcome="ok") == 1
    assert told(counted, provider="stripe", call="fetch", outcome="ok") == 1
    assert told(counted, provider="stripe", call="fetch", outcome="refused") == 1
    assert told(counted, provider="stripe", call="fetch", outcome="unknown") == 1
    await asyncio.gather(stripe.close(), stranger.close())


async def test_without_its_database_the_process_still_tells_of_itself(shop: Shop, postgres: str) -> None:
    async with shop.database.owner() as owner:
        name = await owner.fetchval("SELECT current_database()")
    await statement(postgres, f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    await statement(postgres, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
    async with door(shop) as client:
        told = await scrape(client)
        told = await scrape(client)
    await statement(postgres, f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    assert told("database_up") == 0
    assert told("http_request_duration_seconds_count", door="metrics", status="200") == 1
    assert "process_resident_memory_bytes" in told.families


ROOT = Path(__file__).parents[2]


def watched() -> dict[str, str]:
    """The expressions of the dashboard and of the alerts, by what they are for."""
    dashboard = json.loads((ROOT / "deploy/grafana/looseline.json").read_text())
    rules = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yaml").read_text())
    return {
        f"{panel['title']} {target['refId']}": target["expr"]
        for panel in dashboard["panels"]
        for target in panel.get("targets", ())
    } | {rule["alert"]: rule["expr"] for group in rules["groups"] for rule in group["rules"]}


async def test_the_dashboard_and_the_alerts_ask_for_what_there_is(shop: Shop) -> None:
    await a_busy_day(shop)
    await shop.bookkeeping.schedule("verify", "2026-11-20T15")
    assert await shop.bookkeeping.work()
    metrics = Metrics(shop.database, lambda: "ok")
    metrics.called_provider("stripe", "fetch", "unknown", 1)
    metrics.called_telegram("sendMessage", "flood", 1)
    metrics.handled("message", "failed", 1)
    metrics.answered("webhook-stripe", 500, 1)
    metrics.late(1)
    told = Scrape((await metrics.text()).decode())
    labels: dict[str, set[str]] = {"up": {"job"}}
    for name, its, _ in told.samples():
        labels.setdefault(name, {"job"}).update(its)
    for name in told.families:  # of what there may be none: odd items, comparisons
        labels.setdefault(name, {"job", "provider", "problem"})
    for purpose, expression in watched().items():
        asked = re.findall(r"\b(looseline_\w+|process_\w+|up)\b(?:\{([^}]*)\})?", expression)
        assert asked, purpose
        for name, matchers in asked:
            assert name in labels, f"{purpose}: {name}"
            assert set(re.findall(r"(\w+)\s*[=!]", matchers)) <= labels[name], f"{purpose}: {matchers}"


def test_every_alert_says_what_it_is_and_operations_say_what_to_do() -> None:
    rules = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yaml").read_text())
    manual = (ROOT / "docs/operations.md").read_text()
    for group in rules["groups"]:
        for rule in group["rules"]:
            assert rule["labels"]["severity"] in ("warning", "critical")
            assert rule["annotations"]["summary"]
            assert f"`{rule['alert']}`" in manual, f"docs/operations.md says nothing of {rule['alert']}"
