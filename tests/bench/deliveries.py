"""How fast a delivery is answered, and how fast what it tells is committed: from the sender's write to the commit."""

import asyncio
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from db.database import Database
from tests.bench.figures import Figure, percentile
from tests.bench.generator import written
from tests.bench.payloads import Batch, Payloads, payloads
from tests.bench.roundtrips import counted
from tests.bench.stage import Program, Stage, add_players, program, staged

SOURCES = {"stripe": "Stripe", "yookassa": "YooKassa", "1win": "1Win"}
COUNTS = {1: 500, 16: 2000, 64: 4000}
"""How many deliveries are measured, by how many are in flight."""
REPEATS = 3
WARM = 1000


@dataclass(frozen=True, slots=True)
class Run:
    answered: float
    """In a second."""
    answer_p99: float
    """Milliseconds."""
    arrived: float
    """In a second, from the first sent to the last commit."""
    arrival_p50: float
    arrival_p99: float


async def batch(database: Database, made: Payloads, source: str, count: int) -> Batch:
    players = await add_players(database, count)
    async with database.owner() as owner:
        if source == "1win":
            return await made.postbacks(owner, players)
        return await made.deposits(owner, source, players)


async def send(stage: Stage, sent: Batch, bot: Program, in_flight: int) -> Any:
    """Answers what the generator says of it."""
    file = written(sent.requests, stage.folder / "requests")
    arguments = ("-m", "tests.bench.generator", str(file), bot.address, str(in_flight))
    async with program(stage.folder, *arguments) as generator:
        generator.begin()
        said = await generator.says()
    assert not said["refused"], said["refused"][:3]
    return said


async def deliver(stage: Stage, made: Payloads, bot: Program, source: str, count: int, in_flight: int) -> Run:
    """Delivers so many, and waits until all of them are where they belong."""
    sent, since = await batch(stage.database, made, source, count), datetime.now(UTC)
    said = await send(stage, sent, bot, in_flight)
    committed = await _committed(stage.database, sent, since)
    waits = [committed[key] - at for key, at in zip(sent.keys, said["sent"], strict=True)]
    began = min(said["sent"])
    async with stage.database.owner() as owner:
        # Telegram takes 25 messages a second whatever we do: what waits would only slow the next run down.
        await owner.execute("DELETE FROM outbox WHERE state = 'queued'")
    return Run(
        answered=count / (said["ended"] - began),
        answer_p99=percentile(said["took"], 99) * 1000,
        arrived=count / (max(committed.values()) - began),
        arrival_p50=percentile(waits, 50) * 1000,
        arrival_p99=percentile(waits, 99) * 1000,
    )


async def _committed(database: Database, sent: Batch, since: datetime) -> Mapping[str, float]:
    """When each arrived, once all have."""
    async with database.owner() as owner, asyncio.timeout(120):
        while await owner.fetchval(  # noqa: ASYNC110  the truth is in the database
            "SELECT EXISTS (SELECT FROM webhook_inbox WHERE state = 'queued')"
        ):
            await asyncio.sleep(0.05)
        found = {row["key"]: row["at"] for row in await owner.fetch(sent.arrived, since)}
    return {key: found[key] for key in sent.keys}


async def measure(scale: float) -> list[Figure]:
    made = await payloads()
    runs: dict[tuple[str, int], list[Run]] = {(source, flight): [] for source in SOURCES for flight in COUNTS}
    async with staged() as stage:
        await stage.tell("set", payment=made.payment)
        async with stage.bot() as bot:
            for source in SOURCES:
                await deliver(stage, made, bot, source, WARM, 16)
            for _ in range(REPEATS):
                for (source, in_flight), those in runs.items():
                    count = max(200, round(COUNTS[in_flight] * scale))
                    those.append(await deliver(stage, made, bot, source, count, in_flight))
        trips = await _round_trips(stage, made)
    return [figure for key, those in runs.items() for figure in _figures(*key, those, trips[key])]


async def _round_trips(stage: Stage, made: Payloads) -> dict[tuple[str, int], float]:
    """To PostgreSQL for each delivery, everything that the bot asks meanwhile included."""
    trips: dict[tuple[str, int], float] = {}
    async with counted(stage) as (counter, address), stage.bot(DATABASE_URL=address) as bot:
        for source in SOURCES:
            await deliver(stage, made, bot, source, WARM, max(COUNTS))
            for in_flight, count in COUNTS.items():
                before = counter.trips
                await deliver(stage, made, bot, source, count // 3, in_flight)
                trips[source, in_flight] = (counter.trips - before) / (count // 3)
    return trips


def _figures(source: str, in_flight: int, runs: list[Run], trips: float) -> list[Figure]:
    what = f"{SOURCES[source]}, {in_flight} in flight:"
    end = "the casino's event" if source == "1win" else "the balance"

    def median(name: str) -> float:
        return float(statistics.median(getattr(run, name) for run in runs))

    return [
        Figure(f"{what} answered", median("answered"), "/s", at_least=3000 if in_flight == 64 else None),
        Figure(f"{what} answered, p99", median("answer_p99"), "ms", at_most=25 if in_flight == 16 else None),
        Figure(f"{what} to {end}", median("arrived"), "/s", at_least=1000 if in_flight == 64 else None),
        Figure(f"{what} to {end}, p50", median("arrival_p50"), "ms"),
        Figure(f"{what} to {end}, p99", median("arrival_p99"), "ms", at_most=100 if in_flight == 16 else None),
        Figure(f"{what} round trips to PostgreSQL", trips, "each", at_most=4),
    ]
