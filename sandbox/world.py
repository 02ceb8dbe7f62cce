"""Starts and stops the outside world, one server on loopback, and holds everything that is in it."""

import asyncio
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from sandbox import chat, control, stripe_api
from sandbox.bot_api import MEGABYTE, BotApi
from sandbox.casino import Casino
from sandbox.deliveries import Deliveries
from sandbox.faults import Faults
from sandbox.people import Person
from sandbox.stripe import Stripe
from sandbox.telegram import CHANNEL_ID, Telegram
from sandbox.yookassa import YooKassa

BOT_TOKEN, STRIPE_WEBHOOK_SECRET, POSTBACK_TOKEN = "42:SANDBOX", "whsec_sandbox", "sandbox-postback"


class Sandbox:
    """See the package docstring. All keys are made up, and nothing listens beyond 127.0.0.1."""

    def __init__(
        self,
        *,
        bot_token: str = BOT_TOKEN,
        stripe_key: str = "sk_test_sandbox",
        stripe_webhook_secret: str = STRIPE_WEBHOOK_SECRET,
        yookassa_shop: str = "100500",
        yookassa_key: str = "test_yookassa_sandbox",
        bot_url: str | None = None,
        page_url: str | None = None,
        port: int = 0,
        seed: int = 0,
    ) -> None:
        self.bot_token = bot_token
        self.stripe_key, self.stripe_webhook_secret = stripe_key, stripe_webhook_secret
        self.yookassa_shop, self.yookassa_key = yookassa_shop, yookassa_key
        self.postback_token = POSTBACK_TOKEN
        self.bot_url = bot_url
        self._page_url = page_url
        self._port = port
        self._runner: web.AppRunner | None = None
        self.feeds: set[asyncio.Queue[dict[str, Any]]] = set()  # one for each open chat page
        self.faults = Faults(seed)
        self.calls = self.faults.calls
        self.deliveries = Deliveries(lambda: self.bot_url, self.tell, seed)
        self.telegram = Telegram(bot_token, self.tell, lambda: bool(self.feeds))
        self.channel_id = CHANNEL_ID  # of "Looseline News", which exists from the start and has nobody in it
        self._bot_api = BotApi(self.telegram)
        self.stripe = Stripe(stripe_key, stripe_webhook_secret, self.deliveries, lambda: self.page_url)
        self.yookassa = YooKassa(yookassa_shop, yookassa_key, self.deliveries, lambda: self.page_url)
        self.casino = Casino(self.deliveries, lambda: self.postback_token)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def telegram_url(self) -> str:
        return self.url

    @property
    def stripe_url(self) -> str:
        return self.url

    @property
    def yookassa_url(self) -> str:
        return f"{self.url}/v3"

    @property
    def page_url(self) -> str:
        return self._page_url or f"{self.url}/sandbox"

    @page_url.setter
    def page_url(self, value: str) -> None:
        self._page_url = value.rstrip("/")

    @property
    def casino_link(self) -> str:
        """The casino's registration page; the bot puts its click id in place of the literal {sub1}."""
        return f"{self.page_url}/casino?sub1={{sub1}}"

    def person(
        self,
        telegram_id: int,
        first_name: str = "Анна",
        *,
        username: str | None = None,
        language_code: str | None = "ru",
        started: bool = True,
    ) -> Person:
        """The person with this id, made on first mention; `started=False`: has never written to the bot."""
        return self.telegram.person(telegram_id, first_name, username, language_code, started)

    def cast(self) -> tuple[Person, Person, Person, Person]:
        """The people of the chat page: two players and two admins; it opens the first and the last of them."""
        return (
            self.person(1001, "Анна", username="anna", language_code="ru", started=False),
            self.person(1002, "Ben", username="ben", language_code="en", started=False),
            self.person(901, "Boss", username="boss", language_code="ru"),
            self.person(900, "Admin", username="admin", language_code="en"),
        )

    def tell(self, event: dict[str, Any]) -> None:
        for feed in self.feeds:
            feed.put_nowait(event)

    async def start(self) -> None:
        app = web.Application(client_max_size=60 * MEGABYTE, middlewares=[chat.guard, self.faults.middleware])
        providers = [*stripe_api.routes(self.stripe), *self.yookassa.routes()]
        app.add_routes([*self._bot_api.routes(), *providers, *control.routes(self)])
        app.add_subapp("/sandbox/", chat.application(self))
        # A call whose caller has gone ends at once: a killed bot must not keep its long poll
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        await site.start()
        self._port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        self.faults.clear()
        self.stripe.stop()
        self.yookassa.stop()
        await self._bot_api.stop()
        await self.deliveries.stop()
        if self._runner is not None:
            await self._runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
