"""Sees a program at each of its awaits, without a hook in it: to list them, or to kill the process at one."""

import asyncio
import dis
import gc
import os
import signal
from collections.abc import Callable, Coroutine, Iterator
from functools import cache
from pathlib import Path
from types import AsyncGeneratorType, CodeType, CoroutineType, FrameType, GeneratorType
from typing import Any

import uvloop

ROOT = Path(__file__).resolve().parent.parent.parent
OURS = tuple(f"{ROOT / floor}{os.sep}" for floor in ("bot", "handlers", "webhooks", "services", "db"))
_KINDS = {0: "", 1: " in", 2: " out"}  # await, entering an `async with`, leaving it


def install(see: Callable[[str], None]) -> None:
    """From now on the process runs on asyncio's own loop, and `see` is told where each task of it waits."""

    class Task(asyncio.Task[Any]):
        def __init__(self, work: Coroutine[Any, Any, Any], **how: Any) -> None:
            super().__init__(_Watched(work, see), **how)

    def run(main: Coroutine[Any, Any, int]) -> int:
        with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
            runner.get_loop().set_task_factory(lambda loop, work, **how: Task(work, loop=loop, **how))
            return runner.run(main)

    uvloop.run = run
    asyncio.Task = Task  # type: ignore[misc]  aiohttp makes some of its tasks past the loop


def recorder(path: Path) -> Callable[[str], None]:
    """Writes down every wait: the task and the place."""
    lines = path.open("w", buffering=1)

    def see(place: str) -> None:
        lines.write(f"{id(asyncio.current_task())}\t{place}\n")

    return see


def killer(at: str, after: str | None) -> Callable[[str], None]:
    """Kills the process when it waits at `at`, at once or after it has waited at `after`."""
    armed = after is None

    def see(place: str) -> None:
        nonlocal armed
        if armed and place == at:
            os.kill(os.getpid(), signal.SIGKILL)
        armed = armed or place == after

    return see


class _Watched(Coroutine[Any, Any, Any]):
    """A coroutine as its task sees it, with a look at it whenever it waits."""

    def __init__(self, inner: Coroutine[Any, Any, Any], see: Callable[[str], None]) -> None:
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
    """The innermost lines of ours on the way to what is waited for; "" when a library waits for itself.

    The way into a transaction and out of it belongs to whoever opens it, and of a call to the outside it matters
    how far it is.
    """
    where = database = library = ""
    for frame in _frames(waiting):
        file = frame.f_code.co_filename
        if not file.startswith(OURS):
            library = f"{Path(file).name}:{frame.f_code.co_name}" if f"{os.sep}aiohttp{os.sep}" in file else library
        elif file.endswith(f"{os.sep}database.py"):
            database = _line(frame.f_code, frame.f_lasti)
        else:
            where, database, library = _line(frame.f_code, frame.f_lasti), "", ""
    return " > ".join(part for part in (where, database, library) if part) if where else ""


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
                # The step of a generator, or an awaitable's iterator; only the collector knows whose.
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
    """`services/inbox.py:act:92`, and whether a block is entered or left there."""
    line, column, kind = code.co_firstlineno, 0, 0
    for step in dis.get_instructions(code):
        if step.opname == "GET_AWAITABLE":
            kind = step.arg or 0
        if step.offset >= instruction:
            where = step.positions
            line, column = (where.lineno or line, where.col_offset or 0) if where else (line, 0)
            break
    return f"{Path(code.co_filename).relative_to(ROOT)}:{code.co_name}:{line}:{column}{_KINDS[kind]}"
