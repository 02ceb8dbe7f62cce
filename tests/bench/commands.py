"""How many commands are answered in a second, beside a bare aiogram bot that says what it hears.

Both get updates the same way, from the same stand-in for Telegram, and answer each with a message; ours finds the
player, looks into the database and shows a balance with its buttons. Whoever asked waits for the answer, then the next
one asks.
"""

import statistics
from contextlib import AsyncExitStack

from tests.bench.figures import Figure, percentile, ratio
from tests.bench.stage import TOKEN, Program, Stage, add_players, program, staged

ECHO, SECRET = "43:ECHO", "bench"
PLAYERS, IN_FLIGHT = 2000, 40
REPEATS = 3
SECONDS, WARM_SECONDS = 5.0, 3.0


async def measure(scale: float) -> list[Figure]:
    async with staged() as stage:
        await add_players(stage.database, PLAYERS)
        return [
            figure
            for way in ("webhook", "polling")
            for figure in await _compared(stage, way, max(1.0, SECONDS * scale))
        ]


async def _compared(stage: Stage, way: str, seconds: float) -> list[Figure]:
    settings = {"TELEGRAM_MODE": way}
    secret = [SECRET] if way == "webhook" else []
    if secret:
        settings |= {"TELEGRAM_WEBHOOK_SECRET": SECRET, "BASE_URL": "http://127.0.0.1:1"}
    arguments = ("-m", "tests.bench.echo", ECHO, stage.outside.address, *secret)
    async with AsyncExitStack() as stack:
        echo = await stack.enter_async_context(program(stage.folder, *arguments))
        bot = await stack.enter_async_context(stage.bot(**settings))
        for one, token in ((echo, ECHO), (bot, TOKEN)):
            await _answered(stage, one, token, way, WARM_SECONDS)
        pairs: list[tuple[float, float]] = []
        took: list[float] = []
        for _ in range(REPEATS):
            bare, _ = await _answered(stage, echo, ECHO, way, seconds)
            ours, waits = await _answered(stage, bot, TOKEN, way, seconds)
            pairs.append((bare, ours))
            took += waits
    what = f"command answered, {way}, {IN_FLIGHT} at once"
    return [
        Figure(f"{what}: beside a bare aiogram echo bot", ratio(pairs), "×", at_least=0.7),
        Figure(f"{what}: the echo bot", statistics.median(bare for bare, _ in pairs), "/s"),
        Figure(what, statistics.median(ours for _, ours in pairs), "/s"),
        Figure(f"{what}: p99", percentile(took, 99) * 1000, "ms"),
    ]


async def _answered(stage: Stage, bot: Program, token: str, way: str, seconds: float) -> tuple[float, list[float]]:
    url = f"{bot.address}/telegram/webhook" if way == "webhook" else None
    how = {"secret": SECRET, "text": "/balance", "players": PLAYERS, "in_flight": IN_FLIGHT, "seconds": seconds}
    result = await stage.tell("chat", token=token, url=url, **how)
    return result["answered"], result["took"]
