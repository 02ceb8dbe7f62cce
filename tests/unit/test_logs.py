"""What a log line holds, and what it must never hold."""

import asyncio
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.config import load
from bot.logs import JsonFormatter, bind

SETTINGS = {
    "TELEGRAM_TOKEN": "123456:telegram-token",
    "DATABASE_URL": "postgresql://chief:p%40ss%2Fword@db/money",
    "STRIPE_SECRET_KEY": "sk_test_key",
    "STRIPE_WEBHOOK_SECRET": "whsec_new, whsec_old",
    "YOOKASSA_SHOP_ID": "54401",
    "YOOKASSA_SECRET_KEY": 'test_"quoted"\\key',
    "POSTBACK_TOKEN": "casino-door",
    "METRICS_TOKEN": "metrics-door",
}


class Lines(logging.Handler):
    """Keeps what a handler with our formatter would write."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(JsonFormatter(load(SETTINGS, None).secrets()))
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.text += self.format(record) + "\n"

    def __iter__(self) -> Iterator[dict[str, object]]:
        return map(json.loads, self.text.splitlines())


@pytest.fixture
def lines() -> Iterator[Lines]:
    handler = Lines()
    log = logging.getLogger("bot")
    log.addHandler(handler)
    log.propagate = False  # secrets are logged here on purpose, and nobody else must hear them
    yield handler
    log.propagate = True
    log.removeHandler(handler)


def test_facts_and_bound_ids_stand_beside_the_message(lines: Lines) -> None:
    with bind(update_id=7), bind(player_id=42):
        logging.getLogger("bot.example").warning("money moved", extra={"operation": 3, "level": "mine"})
    logging.getLogger("bot.example").error("after")
    first, second = lines
    assert str(first.pop("ts")).endswith("+00:00")
    assert first == {
        "level": "WARNING",
        "logger": "bot.example",
        "msg": "money moved",
        "update_id": 7,
        "player_id": 42,
        "operation": 3,
    }
    assert "update_id" not in second


async def test_ids_follow_into_tasks_and_not_into_others(lines: Lines) -> None:
    async def work(delivery: int) -> None:
        with bind(delivery_id=delivery):
            await asyncio.sleep(0)
            await asyncio.create_task(told(delivery))

    async def told(delivery: int) -> None:
        logging.getLogger("bot").warning("delivery %s", delivery)

    await asyncio.gather(*(work(number) for number in range(10)))
    assert [line["msg"] for line in lines] == [f"delivery {line['delivery_id']}" for line in lines]


@pytest.mark.parametrize("secret", sorted({*load(SETTINGS, None).secrets()}))
def test_no_secret_is_seen_wherever_it_hides(lines: Lines, secret: str) -> None:
    log = logging.getLogger("bot")
    log.warning("said: %s", secret)
    log.warning("facts", extra={"fact": secret, "nested": {"list": [f"({secret})", 1]}, "other": Path(secret)})
    try:
        raise ValueError(f"went wrong with {secret} and {secret!r}")
    except ValueError:
        log.exception("bug")
    with bind(bound=secret):
        log.warning("bound")
    assert len(list(lines)) == 4
    assert "***" in lines.text
    assert secret not in lines.text
    assert json.dumps(secret)[1:-1] not in lines.text


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("GET http://127.0.0.1:9100/bot99:other-token_1/getMe", "GET http://127.0.0.1:9100/***/getMe"),
        ("bytearray(b'/postback/1win/other-token_1?xxxx...')", "bytearray(b'/postback/***?xxxx...')"),
    ],
)
def test_no_token_is_seen_in_an_address(lines: Lines, said: str, written: str) -> None:
    logging.getLogger("bot").warning(said)
    (line,) = lines
    assert line["msg"] == written


def test_whatever_somebody_calls_himself_a_line_is_one_line(lines: Lines) -> None:
    name = 'x"}\n{"level": "ERROR", "msg": "all is lost"}\r\x1b[2J\x85\x9b31m\u2028\u202e\u2069\0'
    logging.getLogger("bot").warning(name, extra={"fact": {"nested": [name]}})
    assert len(lines.text.splitlines()) == 1
    assert lines.text.rstrip("\n").isprintable()
    (line,) = lines
    assert (line["msg"], line["level"], line["fact"]) == (name, "WARNING", {"nested": [name]})


def test_a_bug_tells_its_type_and_its_way(lines: Lines) -> None:
    try:
        raise KeyError("missing")
    except KeyError:
        logging.getLogger("bot").exception("work failed")
    (line,) = lines
    assert line["exception"] == "KeyError"
    assert "test_a_bug_tells_its_type_and_its_way" in str(line["traceback"])


def test_a_line_that_cannot_be_formatted_is_still_written(lines: Lines) -> None:
    record = {"msg": "%d deposits", "args": ("many",), "odd": float("nan"), "set": {1}}
    lines.handle(logging.makeLogRecord(record))
    (line,) = lines
    assert (line["msg"], line["odd"], line["set"]) == ("%d deposits", "nan", [1])


def test_what_nobody_caught_is_written_as_one_line_each() -> None:
    program = """
import asyncio, threading
from bot import logs
from bot.config import load

async def fails():
    raise ValueError("in a task with sk_test_key")

async def main():
    task = asyncio.create_task(fails())
    await asyncio.sleep(0)
    del task

logs.configure(load({"STRIPE_SECRET_KEY": "sk_test_key", "STRIPE_WEBHOOK_SECRET": "whsec_1"}, None))
asyncio.run(main())
thread = threading.Thread(target=lambda: 1 / 0)
thread.start()
thread.join()
raise RuntimeError("at the end, with whsec_1")
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    written = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["exception"] for line in written] == ["ValueError", "ZeroDivisionError", "RuntimeError"]
    assert "sk_test_key" not in done.stderr
    assert "whsec_1" not in done.stderr
    assert done.stdout == ""
