"""What the bot can do in a second and what it needs, beside what was aimed at; best with nothing else on the machine.

    python -m tests.bench [--scale 0.1] [posting deliveries outages commands messages histories process]

All of it takes about a quarter of an hour and is written to docs/RESULTS.md; parts of it, or of another scale, are
only printed.
"""

import argparse
from collections.abc import Awaitable, Callable

import uvloop

from tests import results
from tests.bench import commands, deliveries, histories, messages, outages, posting, process
from tests.bench.figures import Figure, table

PARTS: dict[str, Callable[[float], Awaitable[list[Figure]]]] = {
    module.__name__.rpartition(".")[2]: module.measure
    for module in (posting, deliveries, outages, commands, messages, histories, process)
}


async def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)} (default: all)")
    parser.add_argument("--scale", type=float, default=1.0, help="of durations and sizes")
    options = parser.parse_args()
    figures: list[Figure] = []
    for name in options.parts or PARTS:
        measured = await PARTS[name](options.scale)
        print(f"\n{name}\n{table(measured)}", flush=True)
        figures += measured
    print(f"\n{results.circumstances()}")
    if not options.parts and options.scale == 1.0:
        results.write("Speed", "make bench", table(figures))


if __name__ == "__main__":
    uvloop.run(main())  # as the bot does
