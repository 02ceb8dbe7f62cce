"""Telegram and the providers' APIs, as lean as can be: what is measured is the bot, on the same processors.

    python -m tests.bench.outside      # says READY and its address

POST /control/set {payment, silent, seconds}: what YooKassa tells of a payment, with ORDER for its id, which is our own
order's too; whether Telegram answers nothing; how long the providers think.
POST /control/chat {token, url, secret, text, players, in_flight, seconds}: so many at a time ask the bot this, the next
player once one has been answered. Tells how many were in a second, and how long they waited. url null: the bot polls.
"""

import asyncio
import json
import re
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count, cycle
from typing import Any, cast
from urllib.parse import parse_qsl, urlsplit

import uvloop

from tests.bench.generator import LENGTH, Connection, connected

ME = b'{"id":42,"is_bot":true,"first_name":"Looseline","username":"looseline_bot"}'
FIRST_PLAYER = 10_001


class Caller(asyncio.Protocol):
    """A connection to us: requests in, answers out."""

    def __init__(self, outside: "Outside") -> None:
        self._outside = outside
        self._received = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # which uvloop's own is, in all but name

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (head := self._received.find(b"\r\n\r\n")) >= 0:
            length = LENGTH.search(self._received, 0, head)
            end = head + 4 + (int(length[1]) if length else 0)
            if len(self._received) < end:
                return
            path = self._received.split(b" ", 2)[1].decode()
            body, self._received = self._received[head + 4 : end], self._received[end:]
            self._outside.asked(path, body, self)

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None

    def answer(self, body: bytes, status: str = "200 OK") -> None:
        if self._transport is None:
            return  # nobody waits any more
        head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self._transport.write(head.encode() + body)

    def cut(self) -> None:
        if self._transport is not None:
            self._transport.abort()


@dataclass
class Account:
    """A bot's account at Telegram, and the players who write to it."""

    updates: deque[tuple[int, bytes]] = field(default_factory=deque)
    poll: Caller | None = None
    asked: dict[int, float] = field(default_factory=dict)
    """Whose question is not answered, and since when."""
    took: list[float] = field(default_factory=list)
    idle: list[Connection] = field(default_factory=list)
    """To the bot's webhook."""
    unsent: deque[bytes] = field(default_factory=deque)
    head: str = ""
    text: str = ""
    running: bool = False
    _players: Iterator[int] = field(default_factory=lambda: iter(()))
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def called(self, method: str, body: bytes, caller: Caller) -> None:
        match method:
            case "getUpdates":
                self._get_updates(dict(parse_qsl(body.decode())), caller)
            case "getMe":
                caller.answer(b'{"ok":true,"result":%b}' % ME)
            case "sendMessage":
                self._sent(dict(parse_qsl(body.decode())), caller)
            case _:
                caller.answer(b'{"ok":true,"result":true}')

    def _get_updates(self, asked: dict[str, str], caller: Caller) -> None:
        while self.updates and self.updates[0][0] < int(asked.get("offset", 0)):
            self.updates.popleft()
        if self.poll is not None:
            self.poll.answer(b'{"ok":true,"result":[]}')
        self.poll = caller
        if self.updates:
            self._answer_poll()
        else:
            asyncio.get_running_loop().call_later(float(asked.get("timeout", 0)), self._answer_poll, caller)

    def _answer_poll(self, mine: Caller | None = None) -> None:
        """`mine`: only if it is this one that still waits."""
        if self.poll is not None and mine in (None, self.poll):
            found = b",".join(update for _, (_, update) in zip(range(100), self.updates, strict=False))
            self.poll.answer(b'{"ok":true,"result":[%b]}' % found)
            self.poll = None

    def _sent(self, message: dict[str, str], caller: Caller) -> None:
        chat = int(message["chat_id"])
        result: dict[str, Any] = {
            "message_id": next(self._numbers),
            "from": json.loads(ME),
            "chat": {"id": chat, "type": "private", "first_name": "Игрок"},
            "date": int(time.time()),
            "text": message["text"],
        }
        if "reply_markup" in message:
            result["reply_markup"] = json.loads(message["reply_markup"])
        caller.answer(json.dumps({"ok": True, "result": result}).encode())
        if chat in self.asked:
            self.took.append(time.perf_counter() - self.asked.pop(chat))
            if self.running:
                self._say()

    async def chat(
        self, url: str | None, secret: str, text: str, players: int, in_flight: int, seconds: float
    ) -> dict[str, Any]:
        self.head = ""
        self.unsent.clear()
        if url is not None:
            path = urlsplit(url).path
            self.head = (
                f"POST {path} HTTP/1.1\r\nHost: bot\r\nContent-Type: application/json\r\n"
                f"X-Telegram-Bot-Api-Secret-Token: {secret}\r\nContent-Length: "
            )
            self.idle = await connected(url, in_flight, self._delivered)
        self.text, self.running, self.took = text, True, []
        self._players = cycle(range(FIRST_PLAYER, FIRST_PLAYER + players))
        began = time.perf_counter()
        for _ in range(in_flight):
            self._say()
        await asyncio.sleep(seconds)
        answered, self.running = len(self.took) / (time.perf_counter() - began), False
        async with asyncio.timeout(10):
            while self.asked:  # noqa: ASYNC110  the bot is another process
                await asyncio.sleep(0.01)
        return {"answered": answered, "took": self.took}

    def _say(self) -> None:
        chat, number = next(self._players), next(self._numbers)
        who = {"id": chat, "first_name": "Игрок", "username": f"player{chat}"}
        message = {
            "message_id": number,
            "from": {**who, "is_bot": False, "language_code": "ru"},
            "chat": {**who, "type": "private"},
            "date": int(time.time()),
            "text": self.text,
            "entities": [{"offset": 0, "length": len(self.text), "type": "bot_command"}],
        }
        self.asked[chat] = time.perf_counter()
        update = json.dumps({"update_id": number, "message": message}).encode()
        if not self.head:
            self.updates.append((number, update))
            self._answer_poll()
            return
        self.unsent.append(self.head.encode() + b"%d\r\n\r\n" % len(update) + update)
        if self.idle:
            self.idle.pop().send(self.unsent.popleft())

    def _delivered(self, connection: Connection, status: int) -> None:
        assert status == 200, status
        if self.unsent:
            connection.send(self.unsent.popleft())
        else:
            self.idle.append(connection)


class Outside:
    def __init__(self) -> None:
        self.accounts: dict[str, Account] = {}
        self.payment = b""
        self.silent = False
        self.seconds = 0.0
        self.held: list[Caller] = []
        self.tasks: set[asyncio.Task[None]] = set()

    def asked(self, path: str, body: bytes, caller: Caller) -> None:
        if found := re.match(r"/bot([^/]+)/(\w+)", path):
            if self.silent:
                self.held.append(caller)
            else:
                self.accounts.setdefault(found[1], Account()).called(found[2], body, caller)
        elif path.startswith("/v3/payments/"):
            order = path.rpartition("/")[2].encode()
            self._think(caller, self.payment.replace(b"ORDER", order))
        elif path.startswith("/control/"):
            task = asyncio.create_task(self._do(path.rpartition("/")[2], json.loads(body), caller))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)
        else:
            error = b'{"error":{"type":"invalid_request_error","code":"resource_missing","message":"No such thing"}}'
            self._think(caller, error, "404 Not Found")

    def _think(self, caller: Caller, body: bytes, status: str = "200 OK") -> None:
        if self.seconds:
            asyncio.get_running_loop().call_later(self.seconds, caller.answer, body, status)
        else:
            caller.answer(body, status)

    async def _do(self, command: str, arguments: dict[str, Any], caller: Caller) -> None:
        if command == "chat":
            account = self.accounts.setdefault(arguments.pop("token"), Account())
            caller.answer(json.dumps(await account.chat(**arguments)).encode())
            return
        self.payment = arguments.get("payment", "").encode() or self.payment
        self.silent = arguments.get("silent", self.silent)
        self.seconds = arguments.get("seconds", self.seconds)
        if not self.silent:
            for held in self.held:
                held.cut()
            self.held.clear()
        caller.answer(b"{}")


async def main() -> None:
    outside = Outside()
    server = await asyncio.get_running_loop().create_server(lambda: Caller(outside), "127.0.0.1", 0)
    sys.stdout.write(f"READY http://127.0.0.1:{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        uvloop.run(main())
