"""The storm in short, with a seed of its own each time; `make chaos` runs it at length."""

import os
import secrets
from pathlib import Path

from tests.chaos.house import Nursery
from tests.chaos.storm import SHORT, Aim, run


async def test_nothing_is_lost_and_nothing_doubled_in_a_storm(nursery: Nursery, furnished: Path) -> None:
    seed = int(os.environ.get("CHAOS_SEED") or secrets.randbelow(10**6))
    seconds = float(os.environ.get("STORM_SECONDS") or 40)
    notes = await run(nursery, furnished, SHORT, Aim(kills=10**9, seconds=seconds * 0.5), seed, players=60)
    assert not notes.found, f"CHAOS_SEED={seed}: " + "\n".join(notes.found)
    assert notes.struck["kills"] > 3
