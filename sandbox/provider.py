"""What the payment providers have in common: books, time limits, notices, answers remembered by key."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.deliveries import Deliveries, Notice, Raw, Webhook

Json = dict[str, Any]


@dataclass(frozen=True)
class Remembered:
    """What an idempotency key was first used for, and the answer it got."""

    asked: tuple[str, bytes]
    body: bytes
    status: int = 200


class Provider:
    def __init__(self, deliveries: Deliveries, page_url: Callable[[], str]) -> None:
        self._deliveries, self._page_url = deliveries, page_url
        self._notices: list[Notice] = []
        self._taken: Counter[str] = Counter()
        self._answers: dict[str, Remembered] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def taken(self) -> dict[str, int]:
        """The money taken so far in minor units, by upper-case currency."""
        return dict(self._taken)

    def stop(self) -> None:
        for timer in self._timers.values():
            timer.cancel()

    def _about(self, refs: set[str]) -> list[Raw]:
        return [notice.raw for notice in self._notices if notice.subject in refs]

    def _ends_in(self, seconds: float, ref: str, end: Callable[[str], None]) -> None:
        self._timers[ref] = asyncio.get_running_loop().call_later(seconds, end, ref)

    def _ended(self, ref: str) -> None:
        if timer := self._timers.pop(ref, None):
            timer.cancel()

    def _post(self, *notices: Notice, webhook: Webhook = "now", copies: int = 1) -> list[asyncio.Future[None]]:
        self._notices += notices
        return self._deliveries.post(notices, webhook, copies)

    async def _tell(self, webhook: Webhook, copies: int, *notices: Notice) -> None:
        await asyncio.gather(*self._post(*notices, webhook=webhook, copies=copies), return_exceptions=True)


def shape(name: str) -> Json:
    """The constant parts of a provider's objects."""
    shapes: Json = json.loads((Path(__file__).parent / "shapes" / f"{name}.json").read_text(encoding="utf-8"))
    return shapes


def shown(thing: Json) -> Json:
    """A copy without what only the sandbox knows."""
    return {key: value for key, value in thing.items() if not key.startswith("_")}
