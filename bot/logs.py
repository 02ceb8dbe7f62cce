"""Log lines: one JSON object each on stderr, with the ids of what is being worked on, and without secrets."""

import json
import logging
import math
import re
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from types import TracebackType
from urllib.parse import quote

from aiohttp import web
from aiohttp.http import HttpProcessingError

from bot.config import Config

logger = logging.getLogger(__name__)

_HIDDEN = "***"
# Telegram's addresses carry a token: https://core.telegram.org/bots/api#making-requests. So do those that casinos call,
# and aiohttp shows the beginning of an address that is too long.
_TOKEN_IN_PATH = re.compile(r"\bbot[0-9]+:[A-Za-z0-9_-]+|(?<=/postback/)[a-z0-9]{1,20}/[A-Za-z0-9_-]+")
# What begins another line, steers a terminal or turns the writing round, and JSON leaves as it is.
_UNSEEN = re.compile("[\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

_bound: ContextVar[Mapping[str, object] | None] = ContextVar("bound", default=None)


@contextmanager
def bind(**ids: object) -> Iterator[None]:
    """Adds ids to every line written inside, also by tasks that start inside."""
    token = _bound.set({**(_bound.get() or {}), **ids})
    try:
        yield
    finally:
        _bound.reset(token)


class JsonFormatter(logging.Formatter):
    """Writes a record as one JSON object: what `extra` holds and the bound ids stand beside the message."""

    def __init__(self, secrets: Iterable[str]) -> None:
        super().__init__()
        forms = {form for secret in secrets for form in (secret, quote(secret, safe=""), repr(secret)[1:-1])}
        # The longest first: a secret inside another must not leave the rest of that one behind.
        longest_first = sorted(forms, key=len, reverse=True)
        self._secret = re.compile("|".join([_TOKEN_IN_PATH.pattern, *map(re.escape, longest_first)]))

    def format(self, record: logging.LogRecord) -> str:
        try:
            message = record.getMessage()
        except (
            TypeError,
            ValueError,
        ):  # somebody's arguments do not fit their text: no reason to lose the line
            message = str(record.msg)
        line: dict[str, object] = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "msg": message,
        }
        facts = {name: value for name, value in vars(record).items() if name not in _OWN}
        for name, value in {**(_bound.get() or {}), **facts}.items():
            line.setdefault(name, value)
        if record.exc_info and record.exc_info[0] is not None:
            line["exception"] = record.exc_info[0].__name__
            line["traceback"] = self.formatException(record.exc_info)
        written = json.dumps(self._clean(line), ensure_ascii=False)
        return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", written)

    def _clean(self, value: object) -> object:
        match value:
            case None | bool() | int():
                return value
            case float() if math.isfinite(value):
                return value
            case Mapping():
                return {str(key): self._clean(item) for key, item in value.items()}
            case list() | tuple() | set() | frozenset():
                return [self._clean(item) for item in value]
            case _:
                return self._secret.sub(_HIDDEN, str(value))


def configure(config: Config) -> None:
    """Sends every line of the process to stderr, also what nobody caught."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(config.secrets()))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.INFO)
    hush()
    logging.captureWarnings(capture=True)
    sys.excepthook = _uncaught
    threading.excepthook = lambda args: _uncaught(args.exc_type, args.exc_value or args.exc_type(), args.exc_traceback)
    # asyncio tells what its tasks and callbacks did not catch to a logger of its own, so it arrives here too.


def hush() -> None:
    """Leaves out every request, every update, every tick and every try of the pool; and addresses that are a secret by
    themselves."""
    for name in ("aiohttp.access", "aiogram.event", "apscheduler", "asyncpg.pool"):
        logging.getLogger(name).setLevel(logging.ERROR)
    logging.getLogger("aiohttp.server").addFilter(brief)


def brief(record: logging.LogRecord) -> bool:
    """A filter: who sends what is no HTTP makes a line, not a traceback of ours, and is no error of ours."""
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, HttpProcessingError | web.RequestPayloadError):
        record.levelno, record.levelname = logging.INFO, logging.getLevelName(logging.INFO)
        record.exc_info, record.reason = None, type(error).__name__
    return True


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
    else:
        logger.critical("uncaught error", exc_info=(kind, error, trace))
