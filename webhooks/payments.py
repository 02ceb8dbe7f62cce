"""The providers' doors. A delivery is answered 200 only after it is stored; acting on it comes later."""

import asyncio
from collections.abc import Sequence

from aiohttp import web

from db.models import ProviderName
from services.errors import DeliveryMalformed
from services.inbox import Inbox
from webhooks.address import Network, caller

BODY_SECONDS = 10.0
"""No provider is slower than this; whoever is would keep a connection for nothing."""


async def read_body(request: web.Request) -> bytes:
    """The raw bytes, which is what is signed. Raises DeliveryMalformed for a body that does not arrive."""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await request.read()
    except (TimeoutError, web.RequestPayloadError, ConnectionError) as error:
        raise DeliveryMalformed("body does not arrive") from error


def readable(value: str) -> str:
    """A header's value as text that can be kept: bytes that are no UTF-8 come from aiohttp as lone surrogates."""
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace").replace("\0", "")


def routes(inbox: Inbox, proxies: Sequence[Network]) -> list[web.RouteDef]:
    def door(name: ProviderName) -> web.RouteDef:
        async def receive(request: web.Request) -> web.Response:
            await inbox.accept(
                name,
                await read_body(request),
                {key.lower(): readable(value) for key, value in request.headers.items()},
                caller(request, proxies),
            )
            return web.json_response({"status": "ok"})

        return web.post(f"/api/webhook/{name}", receive, name=f"webhook-{name}")

    return [door(name) for name in ProviderName]
