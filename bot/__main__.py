"""The bot and its web app; with `verify` the books proven, with `doctor` the set-up checked."""

import gc

gc.disable()  # what is imported stays: to look through it again and again for what could go takes a fifth of the time

# ruff: noqa: E402
import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import uvloop

from bot import logs
from bot.app import CannotListen, run
from bot.config import Config, ConfigError, load
from bot.doctor import examine
from bot.verify import verify
from db.database import DatabaseRefused, DatabaseUnavailable
from db.embedded import EmbeddedError

BAD_SETTINGS = 2
STOP_SECONDS = 8.5


async def serve(config: Config) -> int:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)

    def announce(address: str) -> None:
        gc.freeze()  # what there is by now stays too
        print(f"READY {address}", flush=True)
        if config.sandbox:
            print(f"\n  Open {address}/sandbox/ in a browser: the chat, and everybody in it.\n", file=sys.stderr)

    work = asyncio.create_task(run(config, stopping, announce))
    told = asyncio.create_task(stopping.wait())
    await asyncio.wait([work, told], return_when=asyncio.FIRST_COMPLETED)
    await asyncio.wait([work], timeout=STOP_SECONDS if stopping.is_set() else None)
    told.cancel()
    if not work.done():  # still starting, or something will not end
        work.cancel()
    await asyncio.gather(work, return_exceptions=stopping.is_set())
    return 0


COMMANDS: dict[str, Callable[[Config], Awaitable[int]]] = {
    "serve": serve,
    "verify": verify,
    "doctor": examine,
}


def main() -> int:
    gc.freeze()
    gc.enable()
    parser = argparse.ArgumentParser(prog="python -m bot", description=__doc__)
    parser.add_argument("command", nargs="?", choices=COMMANDS, default="serve")
    command = parser.parse_args().command
    try:
        config = load(os.environ, Path(".env"))
    except ConfigError as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)
        return BAD_SETTINGS
    logs.configure(config)
    try:
        return uvloop.run(_outcome(COMMANDS[command](config)))
    except DatabaseUnavailable as error:
        print(f"The database cannot be reached ({error}): check DATABASE_URL, and whether it runs.", file=sys.stderr)
        return 1
    except (CannotListen, DatabaseRefused, EmbeddedError) as error:
        print(error, file=sys.stderr)
        return 1


async def _outcome(work: Awaitable[int]) -> int:
    return await work


if __name__ == "__main__":
    sys.exit(main())
