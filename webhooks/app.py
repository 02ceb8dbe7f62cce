"""The web app: how much and how fast one may send, where it is led, and how a refusal is answered."""

import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv6Network
from typing import Any

from aiohttp import web

from db.models import Language
from services.documents import Words
from services.errors import (
    DeliveryForbidden,
    DeliveryForged,
    DeliveryMalformed,
    DeliveryRejected,
    DoorClosed,
    TemporarilyUnavailable,
)
from services.health import Health
from services.inbox import Inbox
from services.metrics import Metrics
from services.reports import Reports
from webhooks import payments, postbacks, telegram
from webhooks import reports as documents
from webhooks.address import Address, Network, caller, sender
from webhooks.description import add_description
from webhooks.health import routes as health_routes
from webhooks.lobby import LOBBY, Lobby
from webhooks.metrics import routes as metrics_routes
from webhooks.metrics import timed

logger = logging.getLogger(__name__)

BODY_LIMIT = 256 * 1024

_STATUS: Mapping[type[DeliveryRejected], int] = {
    DeliveryMalformed: 400,
    DeliveryForged: 401,
    DeliveryForbidden: 403,
}


@dataclass
class RejectionLimit:
    """How many unproven deliveries one sender may send: a burst of 60, then one a second. Proven ones always pass."""

    burst: float = 60.0
    per_second: float = 1.0
    senders: int = 10_000
    _left: OrderedDict[Address | IPv6Network, tuple[float, float]] = field(default_factory=OrderedDict)

    def exceeded(self, who: Address | IPv6Network) -> bool:
        """Counts one more rejected delivery."""
        now = time.monotonic()
        left, since = self._left.pop(who, (self.burst, now))
        left = min(self.burst, left + (now - since) * self.per_second)
        self._left[who] = (max(left - 1, 0.0), now)
        if len(self._left) > self.senders:
            self._left.popitem(last=False)
        return left < 1


def create_app(
    *,
    inbox: Inbox,
    health: Health,
    proxies: Sequence[Network],
    telegram_secret: str | None,
    feed_update: Callable[[dict[str, Any]], Awaitable[None]],
    reports: Reports,
    speak: Callable[[Language], Words],
    metrics: Metrics,
    metrics_token: str | None,
    sandbox: bool,
) -> web.Application:
    """`telegram_secret` is None in polling mode: then Telegram's door is closed. `speak`: the texts of documents.
    `sandbox`: postbacks may be tried out without a secret."""
    limit = RejectionLimit()

    @web.middleware
    async def refuse(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Every door refuses in the same words."""
        try:
            return await handler(request)
        except DeliveryRejected as error:
            address = caller(request, proxies)
            exceeded = limit.exceeded(sender(address))
            logger.warning(
                "delivery rejected",
                extra={"path": request.match_info.route.name, "reason": error.reason, "remote": str(address)},
            )
            if exceeded:
                await inbox.flooded(sender(address))
            return web.json_response({"status": "rejected"}, status=429 if exceeded else _STATUS[type(error)])
        except DoorClosed:
            raise web.HTTPNotFound from None
        except TemporarilyUnavailable:
            # Not stored, so not accepted: the sender must repeat it.
            return web.json_response({"status": "unavailable"}, status=503, headers={"Retry-After": "5"})

    lobby = Lobby(proxies)
    app = web.Application(middlewares=[timed(metrics), refuse, lobby.attending()], client_max_size=BODY_LIMIT)
    app[LOBBY] = lobby
    app.add_routes(health_routes(health))
    app.add_routes(metrics_routes(metrics, metrics_token))
    app.add_routes(payments.routes(inbox, proxies))
    app.add_routes(postbacks.routes(inbox, proxies, sandbox=sandbox))
    app.add_routes(telegram.routes(telegram_secret, feed_update))
    app.add_routes(documents.routes(reports, speak))
    add_description(app)  # what is added afterwards is none of ours: the sandbox's pages
    return app
