"""Telegram's door in webhook mode. An update is answered 200 after it has been handled, so a crash has it repeated."""

import hmac
import json
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from services.errors import DeliveryForged, DeliveryMalformed
from webhooks.description import CLOSED, FORGED, JSON, TOO_MANY, UNAVAILABLE, Answer, Door, an_object, described
from webhooks.lobby import read_body


def routes(secret: str | None, feed_update: Callable[[dict[str, Any]], Awaitable[None]]) -> list[web.RouteDef]:
    @described(
        Door(
            {
                200: Answer("Handled.", {JSON: an_object({})}),
                401: FORGED,
                404: CLOSED,
                429: TOO_MANY,
                503: UNAVAILABLE,
            },
            headers={"X-Telegram-Bot-Api-Secret-Token": "What Telegram was given with the address."},
            body={JSON: an_object({"update_id": {"type": "integer"}})},
        )
    )
    async def receive(request: web.Request) -> web.Response:
        """An update, from Telegram; closed while updates are fetched instead."""
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
