"""Telegram's door in webhook mode. An update is answered 200 after it has been handled, so a crash has it repeated."""

import hmac
import json
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from services.errors import DeliveryForged, DeliveryMalformed
from webhooks.payments import read_body


def routes(secret: str | None, feed_update: Callable[[dict[str, Any]], Awaitable[None]]) -> list[web.RouteDef]:
    async def receive(request: web.Request) -> web.Response:
        if secret is None:
            raise web.HTTPNotFound
        # https://core.telegram.org/bots/api#setwebhook (secret_token)
        given = request.headers.get("X-Telegram-Bot-Api-Secret-Token", "")
        if not hmac.compare_digest(given.encode("utf-8", "surrogateescape"), secret.encode()):
            raise DeliveryForged("secret token")
        try:
            update = json.loads(await read_body(request))
        except (ValueError, RecursionError) as error:
            raise DeliveryMalformed("not JSON") from error
        if not isinstance(update, dict) or not isinstance(update.get("update_id"), int):
            raise DeliveryMalformed("not an update")
        try:
            await feed_update(update)
        except TimeoutError:
            raise web.HTTPServiceUnavailable from None  # not ready: Telegram repeats it
        return web.json_response({})

    return [web.post("/telegram/webhook", receive, name="telegram")]
