"""How fast a signed delivery is answered and reaches the balance: python -m tests.bench.deliveries [events]

The real process with its bundled database; load generator, Telegram's stand-in and everything else on the same machine.
"""

import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import aiohttp
import stripe

from db.database import Database
from db.embedded import Embedded
from sandbox import Sandbox

SECRET = "whsec_bench"


@asynccontextmanager
async def bot(world: Sandbox, data: Path) -> AsyncIterator[str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bot",
        env={
            **os.environ,
            "TELEGRAM_TOKEN": world.bot_token,
            "TELEGRAM_API_URL": world.telegram_url,
            "STRIPE_SECRET_KEY": world.stripe_key,
            "STRIPE_WEBHOOK_SECRET": SECRET,
            "STRIPE_API_URL": world.stripe_url,
            "DATA_DIR": str(data),
            "PORT": "0",
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdout is not None
    try:
        yield (await process.stdout.readline()).decode().split()[1]
    finally:
        process.terminate()
        await process.wait()


async def prepare(database: Database, count: int) -> list[bytes]:
    """Players with an open deposit each, and the event that pays it."""
    async with database.owner() as owner:
        await owner.execute(
            "INSERT INTO users (telegram_id, language) SELECT 10000 + g, 'en' FROM generate_series(1, $1::int) g"
            " ON CONFLICT DO NOTHING",
            count,
        )
        await owner.execute("SELECT count(wallet_open(id, 'USD')) FROM users")
        nonce = uuid4().hex
        await owner.execute(
            """
            INSERT INTO wallet_operations (user_id, operation_type, provider, currency, exponent, amount_minor,
                request_key, actor, expires_at)
              SELECT id, 'deposit', 'stripe', 'USD', 2, 5000, $1, 'bench', now() + interval '1 h'
                FROM users ORDER BY id LIMIT $2
            """,
            nonce,
            count,
        )
        rows = await owner.fetch(
            "UPDATE wallet_operations SET status = 'pending', provider_ref = 'cs_test_' || operation_id"
            " WHERE request_key = $1 RETURNING public_id, provider_ref",
            nonce,
        )
    return [
        json.dumps(
            {
                "id": f"evt_{uuid4().hex}",
                "object": "event",
                "api_version": "2026-10-28.endive",
                "created": int(time.time()),
                "livemode": False,
                "type": "checkout.session.completed",
                "data": {
                    "object": {
                        "id": row["provider_ref"],
                        "object": "checkout.session",
                        "amount_total": 5000,
                        "currency": "usd",
                        "created": int(time.time()),
                        "livemode": False,
                        "mode": "payment",
                        "metadata": {"operation_id": str(row["public_id"])},
                        "client_reference_id": str(row["public_id"]),
                        "payment_intent": f"pi_{uuid4().hex}",
                        "payment_status": "paid",
                        "status": "complete",
                    }
                },
            }
        ).encode()
        for row in rows
    ]


async def measure(database: Database, address: str, count: int, in_flight: int) -> None:
    bodies = iter(await prepare(database, count))
    answers: list[float] = []
    began = time.perf_counter()
    async with database.owner() as owner:
        first = await owner.fetchval("SELECT coalesce(max(id), 0) FROM webhook_inbox")

    async def deliver(session: aiohttp.ClientSession) -> None:
        for body in bodies:
            header = stripe.WebhookSignature.generate_signature_header(body.decode(), SECRET)
            sent = time.perf_counter()
            async with session.post(
                f"{address}/api/webhook/stripe", data=body, headers={"Stripe-Signature": header}
            ) as response:
                assert response.status == 200, response.status
            answers.append(time.perf_counter() - sent)

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=in_flight)) as session:
        await asyncio.gather(*(deliver(session) for _ in range(in_flight)))
    answered = time.perf_counter() - began
    async with database.owner() as owner:
        while await owner.fetchval(  # noqa: ASYNC110  the truth is in the database
            "SELECT count(*) FROM webhook_inbox WHERE id > $1 AND state = 'queued'", first
        ):
            await asyncio.sleep(0.02)
        credited = time.perf_counter() - began
        waits = await owner.fetchrow(
            """
            SELECT count(*), percentile_cont(array[0.5, 0.99]) WITHIN GROUP
                (ORDER BY extract(epoch FROM j.created_at - i.received_at) * 1000) AS ms
              FROM webhook_inbox i JOIN ledger_journal j
                ON j.idempotency_key = 'deposit:stripe:'
                  || (convert_from(i.body, 'UTF8')::jsonb #>> '{data,object,payment_intent}')
              WHERE i.id > $1
            """,
            first,
        )
    assert waits is not None
    assert waits["count"] == count
    p99 = statistics.quantiles(answers, n=100)[98]
    print(
        f"{in_flight:3} in flight: answered {count / answered:6.0f}/s, p50 {statistics.median(answers) * 1e3:5.1f} ms,"
        f" p99 {p99 * 1e3:5.1f} ms · stored to balance {count / credited:6.0f}/s,"
        f" p50 {waits['ms'][0]:6.1f} ms, p99 {waits['ms'][1]:6.1f} ms"
    )


async def main(count: int) -> None:
    with tempfile.TemporaryDirectory(prefix="looseline-bench-") as folder:
        data = Path(folder)
        data.chmod(0o755)
        async with Sandbox() as world, bot(world, data) as address:
            embedded = await Embedded.attach(data)
            async with Database.open(embedded) as database:
                await measure(database, address, count // 4, 16)  # warm
                for in_flight in (1, 16, 64):
                    await measure(database, address, count, in_flight)
            await embedded.stop()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 4000))
