"""The providers' doors. A delivery is answered 200 only after it is stored; acting on it comes later."""

from collections.abc import Mapping, Sequence

from aiohttp import web

from db.models import ProviderName
from services.inbox import Inbox
from webhooks.address import Network, caller
from webhooks.description import (
    CLOSED,
    FORBIDDEN,
    FORGED,
    JSON,
    STATUS,
    TOO_MANY,
    UNAVAILABLE,
    Answer,
    Door,
    Schema,
    a_word,
    an_object,
    described,
)
from webhooks.lobby import read_body

_HEADERS = {
    ProviderName.STRIPE: {"Stripe-Signature": "t=<seconds>,v1=<HMAC>: https://docs.stripe.com/webhooks/signature"},
    ProviderName.YOOKASSA: {},  # proven by the sender's address
}
_BODIES: Mapping[ProviderName, Schema] = {
    ProviderName.STRIPE: an_object(
        {
            "id": a_word("^evt_[A-Za-z0-9_]{1,250}$", "The same each time it is sent."),
            "object": {"const": "event"},
            "type": a_word(r"^[a-z0-9_]+(\.[a-z0-9_]+){1,6}$", "https://docs.stripe.com/api/events/types"),
            "created": {"type": "integer", "minimum": 1, "maximum": 253_402_300_799},
            "data": an_object({"object": {"type": "object"}}),
        },
        livemode={"type": "boolean"},
    ),
    ProviderName.YOOKASSA: an_object(
        {
            "type": {"const": "notification"},
            "event": a_word(r"^[a-z_]{1,40}\.[a-z_]{1,40}$", "https://yookassa.ru/developers/using-api/webhooks"),
            "object": an_object(
                {
                    "id": a_word("^[A-Za-z0-9-]{1,64}$", "Of what is then asked for; nothing else here is believed."),
                    "status": a_word("^[a-z_]{1,40}$", "How it is."),
                }
            ),
        }
    ),
}


def readable(value: str) -> str:
    """A header's value as text that can be kept: bytes that are no UTF-8 come from aiohttp as lone surrogates."""
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace").replace("\0", "")


def routes(inbox: Inbox, proxies: Sequence[Network]) -> list[web.RouteDef]:
    def door(name: ProviderName) -> web.RouteDef:
        @described(
            Door(
                {
                    200: Answer("Stored, or known already.", {JSON: STATUS}),
                    401: FORGED,
                    403: FORBIDDEN,
                    404: CLOSED,
                    429: TOO_MANY,
                    503: UNAVAILABLE,
                },
                headers=_HEADERS[name],
                body={JSON: _BODIES[name]},
            )
        )
        async def receive(request: web.Request) -> web.Response:
            """News of payments, from their provider."""
            await inbox.accept(
                name,
                await read_body(request),
                {key.lower(): readable(value) for key, value in request.headers.items()},
                caller(request, proxies),
            )
            return web.json_response({"status": "ok"})

        return web.post(f"/api/webhook/{name}", receive, name=f"webhook-{name}")

    return [door(name) for name in ProviderName]
