"""Deliveries made beforehand, as the providers' stand-ins make them: one of each is taken for a pattern."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import stripe as sdk

from db.database import Tx
from db.money import Money
from sandbox import Sandbox
from sandbox.deliveries import Raw
from services.providers import Order
from services.providers.stripe import Stripe
from services.providers.yookassa import YooKassa
from tests.bench.stage import POSTBACK_TOKEN, SHOP, STRIPE_SECRET

# Open deposits of as many players, each asked for in a message. Answers how our side names them.
DEPOSITS = """
    INSERT INTO wallet_operations (user_id, operation_type, provider, currency, exponent, amount_minor, request_key,
        actor, expires_at)
      SELECT id, 'deposit', $2, $3, 2, 5000, $4, 'bench', now() + interval '1 h' FROM unnest($1::bigint[]) AS id
      RETURNING public_id
"""
OPENED = """
    UPDATE wallet_operations SET status = 'pending', message_id = operation_id,
        provider_ref = CASE provider WHEN 'stripe' THEN 'cs_test_' || replace(public_id::text, '-', '')
          ELSE public_id::text END
      WHERE request_key = $1
"""
PAID = """
    SELECT split_part(idempotency_key, ':', 3) AS key, extract(epoch FROM pg_xact_commit_timestamp(xmin))::float AS at
      FROM ledger_journal WHERE created_at >= $1
"""
# Accounts of players who registered by our links.
REGISTERED = """
    WITH clicked AS (INSERT INTO casino_click (click_id, programme, user_id)
        SELECT lpad(to_hex(id), 16, '0'), '1win', id FROM unnest($1::bigint[]) AS id ON CONFLICT DO NOTHING)
    INSERT INTO casino_account (programme, casino_id, user_id, bound_by)
      SELECT '1win', 'a' || id, id, 'postback' FROM unnest($1::bigint[]) AS id ON CONFLICT DO NOTHING
"""
COUNTED = """
    SELECT split_part(dedupe_key, ':', 2) AS key, extract(epoch FROM pg_xact_commit_timestamp(xmin))::float AS at
      FROM casino_event WHERE received_at >= $1
"""


@dataclass(frozen=True, slots=True)
class Batch:
    requests: Sequence[bytes]
    keys: Sequence[str]
    """By what each is found again."""
    arrived: str
    """When the change that each tells of was committed, for everything since a moment."""


@dataclass(frozen=True, slots=True)
class Payloads:
    stripe: bytes
    """A paid session's event; ORDER, HEX and NONCE stand for what differs."""
    yookassa: bytes
    payment: str
    """What YooKassa's API says of a payment."""

    async def deposits(self, owner: Tx, provider: str, players: Sequence[int]) -> Batch:
        currency, key = {"stripe": "USD", "yookassa": "RUB"}[provider], uuid4().hex
        orders: list[UUID] = [row["public_id"] for row in await owner.fetch(DEPOSITS, players, provider, currency, key)]
        await owner.execute(OPENED, key)
        if provider == "yookassa":
            requests = [_post("/api/webhook/yookassa", _filled(self.yookassa, order)) for order in orders]
            return Batch(requests, [str(order) for order in orders], PAID)
        requests = []
        for order in orders:
            body = _filled(self.stripe, order)
            header = sdk.WebhookSignature.generate_signature_header(body.decode(), STRIPE_SECRET)
            requests.append(_post("/api/webhook/stripe", body, f"Stripe-Signature: {header}\r\n"))
        return Batch(requests, [f"pi_{order.hex}" for order in orders], PAID)

    async def postbacks(self, owner: Tx, players: Sequence[int]) -> Batch:
        """A deposit at the casino for each of these players."""
        await owner.execute(REGISTERED, players)
        keys = [uuid4().hex for _ in players]
        path = f"/postback/1win/{POSTBACK_TOKEN}?event=deposit&country=ru&amount=500&currency=RUB"
        queries = [
            f"user_id=a{player}&sub1={player:016x}&transaction_id={key}"
            for player, key in zip(players, keys, strict=True)
        ]
        requests = [f"GET {path}&{query} HTTP/1.1\r\nHost: bot\r\n\r\n".encode() for query in queries]
        return Batch(requests, keys, COUNTED)


async def payloads() -> Payloads:
    """Has one deposit of each provider paid in a sandbox, and takes what was said about it."""
    async with Sandbox(yookassa_shop=SHOP) as world:
        order = Order(
            id=uuid4(),
            amount=Money(5000, "USD"),
            description="Deposit",
            language="ru",
            return_url="https://t.me/looseline_bot",
            expires_at=datetime.now(UTC) + timedelta(hours=1),
            player_id=1,
        )
        shop = Stripe(world.stripe_key, [world.stripe_webhook_secret], world.stripe_url)
        ref = (await shop.create(order)).ref
        await world.stripe.pay(ref, webhook="never")
        intent = world.stripe.sessions[ref]["payment_intent"]
        paid = _body(world.stripe.events(ref), "checkout.session.completed")
        event = paid.split('"evt_', 1)[1].split('"', 1)[0]
        said = paid.replace(ref, "cs_test_HEX").replace(intent, "pi_HEX").replace(f"evt_{event}", "evt_HEX")
        stripe = said.replace(str(order.id), "ORDER")
        await shop.close()
        asks = YooKassa(SHOP, world.yookassa_key, world.yookassa_url, [ip_network("127.0.0.0/8")])
        ref = (await asks.create(Order(**{**_fields(order), "amount": Money(5000, "RUB")}))).ref
        await asks.close()
        await world.yookassa.pay(ref, webhook="never")
        notice = _body(world.yookassa.events(ref), "payment.succeeded")
        async with (
            aiohttp.ClientSession(auth=aiohttp.BasicAuth(SHOP, world.yookassa_key)) as session,
            session.get(f"{world.yookassa_url}/payments/{ref}") as response,
        ):
            answer = await response.text()

    def pattern(text: str) -> str:
        return text.replace(ref, "ORDER").replace(str(order.id), "ORDER")

    return Payloads(stripe.encode(), pattern(notice).encode(), pattern(answer))


def _fields(order: Order) -> dict[str, Any]:
    return {name: getattr(order, name) for name in Order.__dataclass_fields__}


def _body(events: Sequence[Raw], name: str) -> str:
    return next(raw.body.decode() for raw in events if raw.event == name)


def _filled(pattern: bytes, order: UUID) -> bytes:
    return pattern.replace(b"ORDER", str(order).encode()).replace(b"HEX", order.hex.encode())


def _post(path: str, body: bytes, headers: str = "") -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: bot\r\nContent-Type: application/json\r\n{headers}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
