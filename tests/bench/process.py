"""What the process needs, beside only importing its libraries: memory, idle and under load, and time until READY."""

import asyncio
import json
import statistics
import time
from contextlib import AsyncExitStack
from pathlib import Path

from tests.bench.commands import SECRET
from tests.bench.deliveries import SOURCES, deliver
from tests.bench.figures import Figure, ratio
from tests.bench.payloads import Payloads, payloads
from tests.bench.stage import TOKEN, Program, Stage, add_players, program, staged

REPEATS = 3
IDLE_SECONDS = 5.0
LOAD_SECONDS, WARM_SHARE = 120.0, 0.25
OURS = {"__main__", "bot", "db", "handlers", "sandbox", "services", "webhooks"}
# The bot as it is, and when it ends, what it had imported.
LISTING = """
import atexit, json, pathlib, runpy, sys
atexit.register(lambda: pathlib.Path({path!r}).write_text(json.dumps(list(sys.modules))))
runpy.run_module("bot", run_name="__main__", alter_sys=True)
"""
IMPORTING = """
import contextlib, importlib, json, pathlib, sys
for name in json.loads(pathlib.Path({path!r}).read_text()):
    with contextlib.suppress(ImportError):  # names that a library made up
        importlib.import_module(name)
print("READY", flush=True)
sys.stdin.readline()
"""


async def measure(scale: float) -> list[Figure]:
    async with staged() as stage:
        names = await _libraries(stage)
        bundled = {"DATABASE_URL": "", "DATA_DIR": str(stage.folder / "bundled")}
        async with stage.bot(**bundled):  # makes its database
            pass
        started: list[tuple[float, float, float]] = []
        resident: list[tuple[float, float]] = []
        for _ in range(REPEATS):
            async with program(stage.folder, "-c", IMPORTING.format(path=str(names))) as bare:
                least = bare.resident
            async with stage.bot() as bot:
                await asyncio.sleep(IDLE_SECONDS * min(1.0, scale))
                resident.append((least, bot.resident))
            async with stage.bot(**bundled) as own:
                started.append((bare.seconds, bot.seconds, own.seconds))
        loaded = await _loaded(stage, LOAD_SECONDS * scale)
    imported, ready, whole = (statistics.median(column) for column in zip(*started, strict=True))
    return [
        Figure("memory, idle, beside only importing the same libraries", ratio(resident), "×", at_most=1.2),
        Figure("memory, idle", statistics.median(ours for _, ours in resident), "MB"),
        *loaded,
        Figure(
            "start until READY, beside only importing the same libraries",
            ratio((bare, ours) for bare, ours, _ in started),
            "×",
            at_most=1.5,
        ),
        Figure("importing the same libraries", imported, "s"),
        Figure("start until READY", ready, "s"),
        Figure("start until READY, the bundled database started too", whole, "s"),
    ]


async def _libraries(stage: Stage) -> Path:
    """What the running bot has imported that is not ours, in the order in which it did."""
    path = stage.folder / "modules"
    async with stage.bot("-c", LISTING.format(path=str(path))):
        pass
    names = [name for name in json.loads(path.read_text()) if name.partition(".")[0] not in OURS]
    path.write_text(json.dumps(names))
    return path


async def _load(stage: Stage, made: Payloads, bot: Program, players: int, seconds: float) -> None:
    until = time.monotonic() + seconds
    talk = {"secret": SECRET, "text": "/balance", "players": players, "in_flight": 10, "seconds": 4.0}
    while time.monotonic() < until:
        url = f"{bot.address}/telegram/webhook"
        async with asyncio.TaskGroup() as both:
            both.create_task(stage.tell("chat", token=TOKEN, url=url, **talk))
            for source in SOURCES:
                await deliver(stage, made, bot, source, 500, 16)


async def _loaded(stage: Stage, seconds: float) -> list[Figure]:
    """Commands and deliveries, all the time."""
    made = await payloads()
    await stage.tell("set", payment=made.payment)
    players = len(await add_players(stage.database, 2000))
    async with AsyncExitStack() as stack:
        webhook = {"TELEGRAM_WEBHOOK_SECRET": SECRET, "BASE_URL": "http://127.0.0.1:1"}
        bot = await stack.enter_async_context(stage.bot(TELEGRAM_MODE="webhook", **webhook))
        await _load(stage, made, bot, players, seconds * WARM_SHARE)
        warm = bot.resident
        await _load(stage, made, bot, players, seconds * (1 - WARM_SHARE))
        last = bot.resident
    return [
        Figure(f"memory after {seconds:.0f} s of load", last, "MB"),
        Figure(f"memory: growth in the last {seconds * (1 - WARM_SHARE):.0f} s of them", last - warm, "MB"),
    ]
