"""The web app as the bot serves it, on the services of a test."""

from collections.abc import Sequence
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestClient

from db.models import Language
from handlers.texts import Texts
from services.health import Health
from services.inbox import Inbox
from services.metrics import Metrics
from tests.shop import MOSCOW, Shop
from webhooks.address import Network
from webhooks.app import create_app

Door = TestClient[Any, Any]
TEXTS = Texts(timezone=MOSCOW, default=Language.RU)


async def no_updates(update: dict[str, Any]) -> None:
    raise AssertionError("closed in polling mode")


def application(
    shop: Shop,
    *,
    inbox: Inbox | None = None,
    proxies: Sequence[Network] = (),
    telegram: str = "ok",
    metrics_token: str | None = None,
    sandbox: bool = False,
) -> web.Application:
    return create_app(
        inbox=inbox or shop.inbox,
        health=Health(shop.database, lambda: telegram),
        proxies=proxies,
        telegram_secret=None,
        feed_update=no_updates,
        reports=shop.reports,
        speak=lambda language: TEXTS.translator(language).plain,
        metrics=Metrics(shop.database, lambda: telegram),
        metrics_token=metrics_token,
        sandbox=sandbox,
    )
