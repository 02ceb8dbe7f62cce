"""Sees a program at each of its awaits, without a hook in it: to list them, or to kill the process at one.

Every kill costs a start of the whole bot, so `make test` kills at some awaits of each flow, spread evenly; CHAOS_OFFSET
chooses others, and CHAOS=all (`make chaos`) kills at all of them.
"""

import asyncio
import dis
import gc
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from functools import cache
from itertools import count
from pathlib import Path
from types import AsyncGeneratorType, CodeType, CoroutineType, FrameType, GeneratorType
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import uvloop

ROOT = Path(__file__).resolve().parent.parent.parent
OURS = tuple(f"{ROOT / floor}{os.sep}" for floor in ("bot", "handlers", "webhooks", "services", "db"))
SAMPLE = 4
"""At most so many awaits of one flow are killed at in one run of the whole suite."""
_COMMON = ("bot/receiver", "bot/middlewares", "bot/workers", "bot/app", "bot/__main__", "handlers/router")
_KINDS = {0: "", 1: " in", 2: " out"}  # an await, the way into an `async with`, the way out of it

See = Callable[[str], None]


def install(see: See) -> None:
    """From now on the process runs on asyncio's own loop, and `see` is told where each task of it waits."""

    class Task(asyncio.Task[Any]):
        def __init__(self, work: Coroutine[Any, Any, Any], **how: Any) -> None:
            super().__init__(_Watched(work, see), **how)

    def run(main: Coroutine[Any, Any, int]) -> int:
        with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
            runner.get_loop().set_task_factory(lambda loop, work, **how: Task(work, loop=loop, **how))
            return runner.run(main)

    uvloop.run = run  # type: ignore[assignment]
    asyncio.Task = Task  # type: ignore[assignment,misc]  # aiohttp makes some of its tasks without asking the loop


def recorder(path: Path) -> See:
    """Writes down every wait: the number of the task and the place."""
    lines, numbers = path.open("w", buffering=1), count()
    tasks: WeakKeyDictionary[object, int] = WeakKeyDictionary()

    def see(place: str) -> None:
        task = asyncio.current_task()
        if task not in tasks:
            tasks[task] = next(numbers)
        lines.write(f"{tasks[task]}\t{place}\n")

    return see


def killer(at: str, after: str | None) -> See:
    """Kills the process when it waits at `at`: the first time, or the first time after it has waited at `after`."""
    armed = after is None

    def see(place: str) -> None:
        nonlocal armed
        if armed and place == at:
            os.kill(os.getpid(), signal.SIGKILL)
        armed = armed or place == after

    return see


class Wait(NamedTuple):
    task: int
    place: str


class Point(NamedTuple):
    """An await to be killed at. Idle loops pass some of them too: there, only once `after` has been passed."""

    at: str
    after: str | None


def recorded(path: Path) -> list[Wait]:
    lines = (line.partition("\t") for line in path.read_text().splitlines(keepends=True) if line.endswith("\n"))
    return [Wait(int(task), place.strip()) for task, _, place in lines]


def points(idle: list[Wait], busy: list[Wait], makes_work: Mapping[str, str]) -> list[Point]:
    """The awaits of the work itself, in its order. `makes_work`: for which loop, and a part of the place that does."""
    resting = {wait.place for wait in idle}
    found: dict[str, Point] = {}
    for number, (task, place) in enumerate(busy):
        if place in found:
            continue
        if place not in resting:
            found[place] = Point(place, None)
        elif _has_work(task, busy[number + 1 :], resting):
            maker = next((maker for loop, maker in makes_work.items() if place.startswith(loop)), None)
            found[place] = Point(place, next((past for past in reversed(found) if maker and maker in past), None))
    return list(found.values())


def chosen(found: Sequence[Point]) -> list[Point]:
    """Those to be killed at in this run, in their order: every n-th by name."""
    step = 1 if os.environ.get("CHAOS") == "all" else -(-len(found) // SAMPLE)
    offset = int(os.environ.get("CHAOS_OFFSET") or 0)
    names = sorted({point.at for point in found})[offset % step :: step]
    sys.stdout.write(f"CHAOS_OFFSET={offset} kills at {len(names)} of {len(found)} awaits\n")
    return [point for point in found if point.at in names]


def _has_work(task: int, later: list[Wait], resting: set[str]) -> bool:
    """Whether this round of a loop gets beyond where it gets without work."""
    for wait in later:
        if wait.task == task:
            if "bot/workers.py:drain" in wait.place:
                return False
            if wait.place not in resting:
                return True
    return False


class _Watched(Coroutine[Any, Any, Any]):
    """A coroutine as its task sees it, with a look at it whenever it waits."""

    def __init__(self, inner: Coroutine[Any, Any, Any], see: See) -> None:
        self._inner, self._see = inner, see

    def send(self, value: Any) -> Any:
        waits_for = self._inner.send(value)
        self._look()
        return waits_for

    def throw(self, *error: Any) -> Any:
        waits_for = self._inner.throw(*error)
        self._look()
        return waits_for

    def close(self) -> None:
        self._inner.close()

    def __await__(self) -> Any:
        return self._inner.__await__()

    def _look(self) -> None:
        if place := _place(self._inner):
            self._see(place)


def _place(waiting: object) -> str:
    """The lines of ours on the way to what is waited for, the innermost last; "" when a library waits for itself.

    Of a call to the outside it matters how far it is, so its place in aiohttp follows.
    """
    ours: list[str] = []
    library = ""
    for frame in _frames(waiting):
        file = frame.f_code.co_filename
        if file.startswith(OURS):
            ours.append(_line(frame.f_code, frame.f_lasti))
            library = ""
        elif f"{os.sep}aiohttp{os.sep}" in file:
            library = f"{Path(file).name}:{frame.f_code.co_name}"
    while len(ours) > 1 and ours[0].startswith(_COMMON):
        del ours[0]
    return " > ".join([*ours, library] if library and ours else ours)


def _frames(waiting: object) -> Iterator[FrameType]:
    """From the outermost to the innermost."""
    while waiting is not None:
        match waiting:
            case CoroutineType():
                frame, waiting = waiting.cr_frame, waiting.cr_await
            case AsyncGeneratorType():
                frame, waiting = waiting.ag_frame, waiting.ag_await
            case GeneratorType():
                frame, waiting = waiting.gi_frame, waiting.gi_yieldfrom
            case _ if type(waiting).__name__.startswith(("async_generator_", "coroutine_wrapper")):
                # A step of a generator, or an awaitable's iterator: only the collector knows whose.
                waiting = next(filter(_walks, gc.get_referents(waiting)), None)
                continue
            case _:
                return
        if frame is not None:
            yield frame


def _walks(thing: object) -> bool:
    return isinstance(thing, CoroutineType | AsyncGeneratorType | GeneratorType)


@cache
def _line(code: CodeType, instruction: int) -> str:
    """`services/inbox.py:act:92:8 out`"""
    place, kind = f"{code.co_firstlineno}", 0
    for step in dis.get_instructions(code):
        if step.opname == "GET_AWAITABLE":
            kind = step.arg or 0
        if step.offset >= instruction:
            if where := step.positions:
                place = f"{where.lineno}:{where.col_offset}"
            break
    return f"{Path(code.co_filename).relative_to(ROOT)}:{code.co_name}:{place}{_KINDS[kind]}"
