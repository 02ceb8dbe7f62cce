"""A house for each test: a furnished DATA_DIR, a world around it, and whatever is left swept away afterwards."""

import os
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from sandbox import Sandbox
from tests import results
from tests.chaos.house import House, Nursery, furnish, housed


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    nursery = Nursery()
    yield nursery
    nursery.close()


@pytest.fixture(scope="session")
def furnished(nursery: Nursery) -> Iterator[Path]:
    with furnish(nursery) as data:
        yield data


@pytest.fixture
async def world() -> AsyncIterator[Sandbox]:
    async with Sandbox() as world:
        yield world


@pytest.fixture
async def house(nursery: Nursery, furnished: Path, world: Sandbox) -> AsyncIterator[House]:
    async with housed(nursery, furnished, world) as house:
        yield house


_killed: dict[str, str] = {}
"""By flow, at how many awaits it was killed; known where all reports come together."""


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    said = re.search(r"kills at (\d+ of \d+) awaits", report.capstdout)
    if report.when == "call" and report.passed and said:
        _killed[report.nodeid.rpartition("::")[2].removeprefix("test_killed_at_every_await_of_")] = said[1]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """What `make chaos` killed goes to the figures, when the whole of it went well."""
    if (
        os.environ.get("CHAOS") == "all"
        and _killed
        and not session.testsfailed
        and not hasattr(session.config, "workerinput")
    ):
        rows = "\n".join(f"| {flow.replace('_', ' ')} | {count} |" for flow, count in sorted(_killed.items()))
        results.write("kill -9 at every await", "make chaos", f"| flow | killed at |\n|---|---|\n{rows}")
