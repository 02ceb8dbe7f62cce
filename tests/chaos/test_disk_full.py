"""The disk fills up under load: what cannot be kept is not accepted, and once there is room everything arrives once."""

import asyncio
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import median

import asyncpg
import pytest

from sandbox import Sandbox
from tests import results
from tests.chaos.house import House, Nursery, housed, time_passes, until
from tests.chaos.players import links

pytestmark = pytest.mark.skipif(os.environ.get("CHAOS") != "all", reason="half a minute, for make chaos")

FILLS = 5
PLAYERS = 20
WORDS = {"data_is_there": "all of the database", "wal_is_there": "only the WAL"}
MEGABYTES = 256


@dataclass
class Disk:
    """A small one of its own, in memory."""

    place: Path

    def fill(self) -> None:
        """To the last byte, whatever else writes."""
        with (self.place / "ballast").open("wb", buffering=0) as ballast:
            for size in (2**20, 2**12, 1):
                with suppress(OSError):
                    while ballast.write(bytes(size)) == size:
                        pass

    def free(self) -> None:
        (self.place / "ballast").unlink()


@contextmanager
def disk() -> Iterator[Disk]:
    place = Path(tempfile.mkdtemp(prefix="looseline-disk-"))
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={MEGABYTES}m,mode=755", "tmpfs", place], capture_output=True, check=False
    )
    if made.returncode != 0:
        place.rmdir()
        pytest.skip(f"a small disk cannot be made here: {made.stderr.decode().strip()}")
    try:
        yield Disk(place)
    finally:
        subprocess.run(["umount", place], check=True)
        place.rmdir()


@pytest.fixture
def small() -> Iterator[Disk]:
    with disk() as small:
        yield small


@pytest.fixture
async def crammed(small: Disk, nursery: Nursery, furnished: Path, world: Sandbox) -> AsyncIterator[House]:
    """A house that can be put on the small disk; everything ends before that is taken away."""
    async with housed(nursery, furnished, world) as house:
        yield house


def data_is_there(house: House, small: Disk) -> None:
    """The bundled database as a whole, its log and its lock too."""
    move(house.data, small.place / "data")
    house.settings["DATA_DIR"] = str(small.place / "data")


def wal_is_there(house: House, small: Disk) -> None:
    """What PostgreSQL cannot do without: when it cannot write that, it stops at once."""
    wal = house.data / "postgres" / "pg_wal"
    move(wal, small.place / "pg_wal")
    wal.symlink_to(small.place / "pg_wal")


def move(what: Path, to: Path) -> None:
    subprocess.run(["cp", "-a", what, to], check=True)
    shutil.rmtree(what)


@pytest.mark.parametrize("moves", [data_is_there, wal_is_there])
async def test_a_full_disk_under_load(crammed: House, small: Disk, moves: Callable[[House, Disk], None]) -> None:
    house, world, log = crammed, crammed.world, crammed.world.deliveries.log
    moves(house, small)
    process = await house.opens()
    paying = iter(await links(world, PLAYERS))
    seconds: list[float] = []
    for _ in range(FILLS):
        begins = len(log)
        async with asyncio.TaskGroup() as group:
            group.create_task(next(paying).paid_and_told())
            small.fill()
            while not any(attempt.status == 503 for attempt in islice(log, begins, None)):
                if moves is wal_is_there:
                    await writes_ahead(house)
                group.create_task(next(paying).paid_and_told())
                await heard(log)
            small.free()
            freed = time.monotonic()
            await until(partial(recovered, house), 60)
            seconds.append(time.monotonic() - freed)
            async with house.books() as books:
                await time_passes(books)  # what was taken into work when the answer got lost waits for its lease
    assert {attempt.status for attempt in log} == {200, 503}, "the door always answers"
    async with house.books() as books:
        journals = await books.fetchval("SELECT count(*) FROM ledger_journal")
    await house.proven(process, repeats=FILLS * 4, errors_allowed=["embedded database"])
    results.write(
        f"A full disk: {WORDS[moves.__name__]} (F8)",
        "make chaos",
        f"{FILLS} fills under load: {sum(attempt.status == 503 for attempt in log)} deliveries answered 503,"
        f" {sum(attempt.status == 200 for attempt in log)} answered 200, {journals} deposits credited; 0 acknowledged"
        " deliveries lost, 0 doubled, no other answer. From when there is room until the bot is well:"
        f" median {median(seconds):.2f} s, worst {max(seconds):.2f} s.",
    )


async def heard(log: Collection[object]) -> None:
    """Waits for one more answer to a delivery."""
    before = len(log)
    await until(lambda: len(log) > before)


async def recovered(house: House) -> bool:
    return (await house.health())[0] == 200


async def writes_ahead(house: House) -> None:
    """More than a segment of the WAL, as many deposits would."""
    with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        async with house.books() as books:
            for _ in range(40):
                await books.execute("SELECT pg_logical_emit_message(true, 'load', repeat('x', 1000000))")
