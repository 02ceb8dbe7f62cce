"""A house for each test: a furnished DATA_DIR, a world around it, and whatever is left swept away afterwards."""

import asyncio
import random
import shutil
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from sandbox import Sandbox
from tests.chaos.house import House, Nursery


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    nursery = Nursery()
    yield nursery
    nursery.close()


@pytest.fixture(scope="session")
def furnished(nursery: Nursery) -> Iterator[Path]:
    """A DATA_DIR that was used once: making one takes seconds, copying it does not."""
    # Not pytest's own folder: the database's account must be able to pass through.
    folder = Path(tempfile.mkdtemp(prefix="looseline-chaos-"))
    folder.chmod(0o755)

    async def furnish() -> None:
        process = await nursery.start({"DATA_DIR": str(folder / "data")}, folder / "log", ["verify"])
        assert (await process.ended(60), process.said) == (0, "0 findings\n"), process.log.read_text()

    asyncio.run(furnish())
    yield folder / "data"
    shutil.rmtree(folder)


@pytest.fixture
async def world() -> AsyncIterator[Sandbox]:
    async with Sandbox() as world:
        yield world


@pytest.fixture
async def house(nursery: Nursery, furnished: Path, world: Sandbox) -> AsyncIterator[House]:
    folder = Path(tempfile.mkdtemp(prefix="looseline-chaos-"))
    folder.chmod(0o755)
    data = folder / "data"
    subprocess.run(["cp", "-a", furnished, data], check=True)
    port = free_port()
    world.bot_url = f"http://127.0.0.1:{port}"
    house = House(
        folder,
        world,
        nursery,
        {
            "TELEGRAM_TOKEN": world.bot_token,
            "TELEGRAM_API_URL": world.telegram_url,
            "STRIPE_SECRET_KEY": world.stripe_key,
            "STRIPE_WEBHOOK_SECRET": world.stripe_webhook_secret,
            "STRIPE_API_URL": world.stripe_url,
            "YOOKASSA_SHOP_ID": world.yookassa_shop,
            "YOOKASSA_SECRET_KEY": world.yookassa_key,
            "YOOKASSA_API_URL": world.yookassa_url,
            "YOOKASSA_NETWORKS": "127.0.0.0/8",
            "ADMIN_IDS": "900",
            "DATA_DIR": str(data),
            "PORT": str(port),
        },
    )
    yield house
    await house.swept()
    shutil.rmtree(folder)


def free_port() -> int:
    """Below the ports that connections are given, so that it is still free after a restart."""
    while True:
        port = random.randrange(20_000, 32_000)
        with suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port
