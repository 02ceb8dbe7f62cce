"""Where the process measures itself: around every call to a provider and to Telegram, every update, and the event loop.

None of it changes what is called or answered, and those who are measured know nothing of it.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any

from aiogram import BaseMiddleware, Bot
from aiogram.client.session.middlewares.base import BaseRequestMiddleware, NextRequestMiddlewareType
from aiogram.exceptions import TelegramAPIError, TelegramNetworkError, TelegramRetryAfter, TelegramServerError
from aiogram.methods import Response, TelegramMethod
from aiogram.methods.base import TelegramType
from aiogram.types import TelegramObject, Update

from bot.middlewares import Handler
from services.errors import ProviderRejected
from services.metrics import Metrics
from services.providers import (
    Checkout,
    Dispute,
    News,
    Order,
    Payment,
    PaymentProvider,
    Refund,
    RefundOrder,
)

SAMPLE_SECONDS = 0.5


class TimedProvider:
    """A payment provider whose calls are measured. What only reads bytes is passed through."""

    def __init__(self, inner: PaymentProvider, metrics: Metrics) -> None:
        self.name, self.label, self.currencies = inner.name, inner.label, inner.currencies
        self.verify, self.read, self.close = inner.verify, inner.read, inner.close
        self._inner = inner
        self._metrics = metrics

    async def create(self, order: Order) -> Checkout:
        with self._timed("create"):
            return await self._inner.create(order)

    async def fetch(self, ref: str) -> Payment | None:
        with self._timed("fetch"):
            return await self._inner.fetch(ref)

    async def customer(self, player_id: int) -> str | None:
        with self._timed("customer"):
            return await self._inner.customer(player_id)

    async def charge(self, order: Order, card_ref: str) -> Payment | None:
        with self._timed("charge"):
            return await self._inner.charge(order, card_ref)

    async def forget(self, card_ref: str) -> None:
        with self._timed("forget"):
            await self._inner.forget(card_ref)

    async def refund(self, order: RefundOrder) -> Refund:
        with self._timed("refund"):
            return await self._inner.refund(order)

    async def fetch_refund(self, ref: str) -> Refund | None:
        with self._timed("fetch_refund"):
            return await self._inner.fetch_refund(ref)

    async def history(self, since: datetime) -> AsyncIterator[Payment | Refund | Dispute]:
        """One call, whatever its pages; what is done with them meanwhile is not counted."""
        movements, waited, outcome = self._inner.history(since), 0.0, "unknown"
        try:
            while True:
                began = time.perf_counter()
                try:
                    movement = await anext(movements, None)
                finally:
                    waited += time.perf_counter() - began
                if movement is None:
                    break
                yield movement
            outcome = "ok"
        except ProviderRejected:
            outcome = "refused"
            raise
        finally:
            self._metrics.called_provider(self.name, "history", outcome, waited)

    async def look(self, body: bytes) -> list[News]:
        with self._timed("look"):
            return await self._inner.look(body)

    @contextmanager
    def _timed(self, call: str) -> Iterator[None]:
        began, outcome = time.perf_counter(), "unknown"
        try:
            yield
            outcome = "ok"
        except ProviderRejected:
            outcome = "refused"
            raise
        finally:
            self._metrics.called_provider(self.name, call, outcome, time.perf_counter() - began)


class TimedTelegram(BaseRequestMiddleware):
    """Every call to the Bot API; stands inside whatever repeats calls, so each try counts."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    async def __call__(
        self,
        make_request: NextRequestMiddlewareType[TelegramType],
        bot: Bot,
        method: TelegramMethod[TelegramType],
    ) -> Response[TelegramType]:
        began, outcome = time.perf_counter(), "unreachable"
        try:
            answer = await make_request(bot, method)
            outcome = "ok"
        except TelegramRetryAfter:
            outcome = "flood"
            raise
        except (TelegramNetworkError, TelegramServerError):
            raise
        except TelegramAPIError:
            outcome = "refused"
            raise
        else:
            return answer
        finally:
            self._metrics.called_telegram(method.__api_method__, outcome, time.perf_counter() - began)


class TimedUpdates(BaseMiddleware):
    """Every update, from its arrival until it is handled."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    async def __call__(self, handler: Handler, event: TelegramObject, data: dict[str, Any]) -> Any:
        if not isinstance(event, Update):
            raise TypeError("stands around whole updates")
        began, outcome = time.perf_counter(), "failed"
        try:
            result = await handler(event, data)
            outcome = "ok"
        finally:
            self._metrics.handled(event.event_type, outcome, time.perf_counter() - began)
        return result


async def watch_event_loop(metrics: Metrics, stopping: asyncio.Event) -> None:
    """Measures how late the event loop is, until `stopping`."""
    loop = asyncio.get_running_loop()
    while not stopping.is_set():
        due = loop.time() + SAMPLE_SECONDS
        with suppress(TimeoutError):
            async with asyncio.timeout_at(due):
                await stopping.wait()
        metrics.late(max(0.0, loop.time() - due))
