"""Starts the bot in milliseconds: here everything is imported and nothing runs yet, and each bot is a fork of it.

A child is `python -m bot` to the letter, except that one under `awaits` runs on asyncio's loop.
"""

import gc
import json
import os
import runpy
import signal
import socket
import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from db.models import Language
from handlers.texts import Texts
from tests.chaos import awaits


def main() -> None:
    tests = socket.socket(fileno=int(sys.argv[1]))
    children: set[int] = set()
    gc.disable()  # what is imported stays
    import_module("bot.__main__")
    del sys.modules["bot.__main__"]  # each child runs it anew
    Texts(timezone=ZoneInfo("UTC"), default=Language.RU)  # parsed here, for all of them
    gc.freeze()
    gc.enable()
    while True:
        words, files, _, _ = socket.recv_fds(tests, 1 << 18, 2)
        if not words:
            break
        order = json.loads(words)
        if "wait" in order:
            _, status = os.waitpid(order["wait"], 0)
            children.discard(order["wait"])
            answer = os.waitstatus_to_exitcode(status)
        else:
            answer = os.fork()
            if answer == 0:
                tests.close()
                _become(order, *files)
            children.add(answer)
        for file in files:
            os.close(file)
        tests.send(str(answer).encode())
    for child in children:
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGTERM)


def _become(order: dict[str, Any], out: int, err: int) -> None:
    code: Any = 1
    try:
        os.setsid()
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(out, 1)
        os.dup2(err, 2)
        os.close(out)
        os.close(err)
        os.chdir(order["folder"])
        os.environ.clear()
        os.environ.update(order["settings"])
        sys.argv = ["bot", *order["arguments"]]
        if record := order.get("record"):
            awaits.install(awaits.recorder(Path(record)))
        if at := order.get("at"):
            awaits.install(awaits.killer(at, order.get("after")))
        runpy.run_module("bot", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        code = end.code
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 1)


if __name__ == "__main__":
    main()
