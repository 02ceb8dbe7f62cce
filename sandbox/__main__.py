"""The world as a process of its own, so that a bot may die and find it unchanged."""

import argparse
import asyncio
import signal
import sys

from sandbox.world import Sandbox


async def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="where to listen on 127.0.0.1 (default: any free port)")
    parser.add_argument("--bot-url", help="where webhooks go, e.g. http://127.0.0.1:3000")
    options = parser.parse_args()
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with Sandbox(port=options.port, bot_url=options.bot_url) as world:
        world.cast()
        sys.stdout.write(f"READY {world.url}\n")
        sys.stdout.flush()
        await stopped.wait()


asyncio.run(main())
