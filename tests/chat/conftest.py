"""The whole bot in a town of its own: real updates, real HTTP, a fresh database; afterwards the books are proven."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from bot.app import run
from bot.config import load
from db import proof
from sandbox import Sandbox
from tests import secrecy
from tests.settings import settings

SECRET = "telegram-webhook-secret"


@asynccontextmanager
async def open_town(database_url: str, **more: str) -> AsyncIterator[Sandbox]:
    async with Sandbox() as world:
        config = load(
            {
                **settings(world),
                "DATABASE_URL": database_url,
                "PORT": "0",
                **more,
            },
            None,
        )
        secrecy.keep(config.secrets())
        stopping = asyncio.Event()
        ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        process = asyncio.create_task(run(config, stopping, ready.set_result))
        either: list[asyncio.Future[str] | asyncio.Task[None]] = [ready, process]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if process.done():
            await process
        world.bot_url = await ready
        yield world
        stopping.set()
        await process
        secrecy.keeps_quiet(world)
    books = await asyncpg.connect(database_url)
    try:
        async with books.transaction():
            assert await proof.verify(books) == []
    finally:
        await books.close()


@asynccontextmanager
async def open_behind_webhook(database_url: str, **more: str) -> AsyncIterator[Sandbox]:
    """Telegram delivers to the web app, with SECRET: what is sent there is handled when it is answered."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = int(listener.getsockname()[1])
    async with open_town(
        database_url,
        TELEGRAM_MODE="webhook",
        TELEGRAM_WEBHOOK_SECRET=SECRET,
        PORT=str(port),
        BASE_URL=f"http://127.0.0.1:{port}",
        **more,
    ) as town:
        yield town


@pytest.fixture
async def town(database_url: str) -> AsyncIterator[Sandbox]:
    async with open_town(database_url) as world:
        yield world
