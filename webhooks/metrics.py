"""For Prometheus: the figures, for whoever has the token; and how long each door takes."""

import hmac
import time
from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.typedefs import Middleware

from services.errors import DeliveryForbidden, DeliveryForged
from services.metrics import CONTENT_TYPE, Metrics
from webhooks.address import peer
from webhooks.description import FORBIDDEN, FORGED, TEXT, TOO_MANY, UNAVAILABLE, WORD, Answer, Door, described

_FORWARDED = ("Forwarded", "Via", "X-Forwarded-For", "X-Real-IP")


def routes(metrics: Metrics, token: str | None) -> list[web.RouteDef]:
    """`token` None: only this machine may ask, and no proxy on it for somebody else."""

    @described(
        Door(
            {
                200: Answer("The figures, as Prometheus reads them.", {TEXT: WORD}),
                401: FORGED,
                403: FORBIDDEN,
                429: TOO_MANY,
                503: UNAVAILABLE,
            },
            bearer=True,
        )
    )
    async def report(request: web.Request) -> web.Response:
        """The figures of this process and of the records."""
        if token is not None:
            scheme, _, given = request.headers.get("Authorization", "").partition(" ")
            if scheme.lower() != "bearer" or not _same(given, token):
                raise DeliveryForged("metrics token")
        elif not _is_this_machine(request):
            raise DeliveryForbidden("not this machine")
        return web.Response(body=await metrics.text(), headers={"Content-Type": CONTENT_TYPE})

    return [web.get("/metrics", report, name="metrics")]


def _same(given: str, token: str) -> bool:
    return hmac.compare_digest(given.strip().encode("utf-8", "surrogateescape"), token.encode())


def _is_this_machine(request: web.Request) -> bool:
    return peer(request.transport).is_loopback and not any(name in request.headers for name in _FORWARDED)


def timed(metrics: Metrics) -> Middleware:
    """Around everything: the time until the answer is there, and what it is."""

    @web.middleware
    async def measure(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        began, status = time.perf_counter(), 500
        try:
            answer = await handler(request)
            status = answer.status
        except web.HTTPException as error:
            status = error.status
            raise
        else:
            return answer
        finally:
            metrics.answered(request.match_info.route.name or "other", status, time.perf_counter() - began)

    return measure
