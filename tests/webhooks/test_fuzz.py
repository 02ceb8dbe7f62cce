"""Requests made from the web app's own description, sound and spoilt: each is answered as described, no money moves."""

import asyncio
import logging
import os
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from db.models import ProviderName, ReportFormat
from db.money import Money
from services.periods import Period
from services.reports import Include
from tests import results
from tests.shop import PROGRAMMES, Shop
from tests.webhooks.door import application, listening, stripe_signature

LONG = os.environ.get("FUZZ") == "long"
OF_EACH = 150 if LONG else 6
"""Cases of each operation, of each kind."""
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY")
UPDATES_SECRET, METRICS_TOKEN = "telegram-secret", "metrics-token"


async def books(shop: Shop) -> list[str]:
    async with shop.database.owner() as owner:
        return [row["line"] for row in await owner.fetch("SELECT e::text AS line FROM ledger_entry e ORDER BY 1")]


async def test_whatever_the_description_lets_one_ask(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    anna = await shop.player()
    await shop.deposited(anna, Money(50_00, "USD"))
    for provider in ProviderName:
        await shop.asks(anna, provider)
    report = await shop.reports.request(anna, ReportFormat.CSV, Period(), Include(), request_key="hers")
    tokens = {
        "/reports/{token}": {"token": shop.reports.token(report)},
        "/postback/{programme}/{token}": {"programme": "1win", "token": PROGRAMMES["1win"].tokens[0]},
    }
    before = await books(shop)
    updates: list[dict[str, Any]] = []

    async def takes(update: dict[str, Any]) -> None:
        updates.append(update)

    app = application(
        shop, telegram_secret=UPDATES_SECRET, feed_update=takes, metrics_token=METRICS_TOKEN, sandbox=True
    )
    async with listening(app) as port:
        stranger = Stranger(f"http://127.0.0.1:{port}", tokens, shop.world.stripe_webhook_secret)
        await asyncio.to_thread(stranger.tries_everything)
    # Nobody was kept out before he could do harm: of each door the inside was seen too.
    for door in ("webhook-stripe", "webhook-yookassa", "telegram", "postback", "postback-test"):
        assert stranger.answers[f"{door}-post", 200], door
    for door in ("metrics", "report", "postback", "health"):
        assert stranger.answers[f"{door}-get", 200], door
    assert updates
    await shop.works(4)
    assert await books(shop) == before
    assert [line.getMessage() for line in caplog.records if line.exc_info or line.levelno >= logging.ERROR] == []
    if LONG:
        statuses = Counter[int]()
        for (_, status), number in stranger.answers.items():
            statuses[status] += number
        answers = ", ".join(f"{number:,} × {status}" for status, number in sorted(statuses.items()))
        results.write(
            "Hostile requests",
            "make fuzz",
            f"{statuses.total():,} requests made from `/openapi.json`, sound and spoilt, half of them with every"
            f" secret: answered {answers}, all as described; no money moved, 0 errors in the log, books proven.",
        )


class Stranger:
    """Somebody who has read the description, and whom sometimes all secrets were told."""

    def __init__(self, url: str, tokens: Mapping[str, Mapping[str, str]], signing: str) -> None:
        self._url, self._tokens, self._signing = url, tokens, signing
        self._session = requests.Session()
        self.answers: Counter[tuple[str, int]] = Counter()

    def tries_everything(self) -> None:
        document = self._session.get(f"{self._url}/openapi.json", timeout=10).json()
        for found in schemathesis.openapi.from_dict(document).get_all_operations():
            assert isinstance(found, Ok)
            operation = found.ok()
            for mode in GenerationMode:
                cases = operation.as_strategy(generation_mode=mode)

                @settings(
                    max_examples=OF_EACH,
                    deadline=None,
                    database=None,
                    derandomize=not LONG,
                    suppress_health_check=list(HealthCheck),
                )
                @given(cases, st.booleans())
                def attempt(case: Case[Any], inside: bool) -> None:
                    self._tries(case, inside=inside)

                with suppress(Unsatisfiable):  # there may be nothing that could be wrong
                    attempt()
            assert self.answers.keys() & {(name_of(operation), status) for status in range(200, 500)}
        for path, described in document["paths"].items():
            for method in METHODS:
                if method.lower() not in described:
                    answer = self._session.request(method, self._url + path, timeout=10)
                    assert answer.status_code in (404, 405), f"{method} {path}: {answer.status_code}"
                    self.answers["other", answer.status_code] += 1

    def _tries(self, case: Case[Any], *, inside: bool) -> None:
        if inside:
            case.path_parameters.update(self._tokens.get(case.path, {}))
        request = requests.Request(**case.as_transport_kwargs(base_url=self._url)).prepare()
        if inside:
            body = request.body.encode() if isinstance(request.body, str) else request.body
            if isinstance(body, bytes):
                request.headers["Stripe-Signature"] = stripe_signature(body, self._signing)
            request.headers["Authorization"] = f"Bearer {METRICS_TOKEN}"
            request.headers["X-Telegram-Bot-Api-Secret-Token"] = UPDATES_SECRET
        answer = self._session.send(request, timeout=10, allow_redirects=False)
        assert "Traceback" not in answer.text
        case.validate_response(answer, checks=CHECKS)
        self.answers[name_of(case.operation), answer.status_code] += 1


def name_of(operation: APIOperation[Any, Any, Any, Any]) -> str:
    return str(operation.definition.raw["operationId"])
