"""A broadcast against Telegram's flood limits, and how long news of money wait that come in between."""

import asyncio
import time

import aiohttp

from db.database import Database
from tests.bench.deliveries import batch
from tests.bench.figures import Figure, percentile
from tests.bench.outside import FIRST_PLAYER
from tests.bench.payloads import Payloads, payloads
from tests.bench.stage import Program, add_players, program, staged, tell

CHATS = 1200
PAYMENTS = 40
SANDBOX_TOKEN = "42:SANDBOX"
BROADCAST = """
    INSERT INTO broadcast (request_key, text, total, walks_to, created_by)
      SELECT 'bench', 'Новые матчи', count(*), max(id), 900 FROM users
"""
TOLD = """
    SELECT payment_ref, extract(epoch FROM max(done_at))::float AS at FROM outbox
      JOIN wallet_operations ON dedupe_key = 'deposit-credited:' || operation_id
      WHERE outbox.state = 'sent' GROUP BY payment_ref
"""


async def measure(scale: float) -> list[Figure]:
    made = await payloads()
    chats = max(100, round(CHATS * scale))
    async with staged() as stage, program(stage.folder, "-m", "sandbox") as world:
        await add_players(stage.database, chats)
        await tell(world, "crowd", first=FIRST_PLAYER, count=chats, language_code="ru")
        await tell(world, "configure", limits=True)
        async with stage.bot(TELEGRAM_API_URL=world.address, TELEGRAM_TOKEN=SANDBOX_TOKEN) as bot:
            async with stage.database.owner() as owner:
                await owner.execute(BROADCAST)
            p50, p99 = await _paid_meanwhile(stage.database, made, bot, max(10, round(PAYMENTS * scale)), chats / 20)
            per_second = await _sent(stage.database, chats)
    return [
        Figure(f"broadcast to {chats:,} chats, of the 20 /s that it may have", per_second / 20, "×", at_least=0.95),
        Figure("news of money during a broadcast, from the webhook until Telegram has it: p50", p50, "s"),
        Figure("news of money during a broadcast, from the webhook until Telegram has it: p99", p99, "s"),
    ]


async def _paid_meanwhile(
    database: Database, made: Payloads, bot: Program, count: int, seconds: float
) -> tuple[float, float]:
    """Has deposits paid one after another; p50 and p99 of what passed until each was told."""
    sent = await batch(database, made, "stripe", count)
    at: dict[str, float] = {}
    async with aiohttp.ClientSession() as session:
        for request, key in zip(sent.requests, sent.keys, strict=True):
            await asyncio.sleep(seconds / (count + 2))
            head, _, body = request.partition(b"\r\n\r\n")
            headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
            at[key] = time.time()
            async with session.post(f"{bot.address}/api/webhook/stripe", data=body, headers=headers) as response:
                assert response.status == 200, response.status
    async with database.owner() as owner, asyncio.timeout(60):
        told: dict[str, float] = {}
        while at.keys() - told.keys():
            await asyncio.sleep(0.1)
            told = {row["payment_ref"]: row["at"] for row in await owner.fetch(TOLD)}
    waits = [told[key] - sent_at for key, sent_at in at.items()]
    return percentile(waits, 50), percentile(waits, 99)


async def _sent(database: Database, count: int) -> float:
    """How many messages of the broadcast went out in a second, once all have."""
    async with database.owner() as owner, asyncio.timeout(600):
        while True:
            row = await owner.fetchrow(
                "SELECT count(*), extract(epoch FROM max(done_at) - min(done_at))::float AS seconds"
                " FROM outbox WHERE broadcast_id IS NOT NULL AND state = 'sent'"
            )
            assert row is not None
            if row["count"] == count:
                return float((count - 1) / row["seconds"])
            await asyncio.sleep(0.5)
