"""The web app: how much and how fast one may send, where it is led, and how a refusal is answered."""

import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
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
from services.reports import Reports
from webhooks import payments, telegram
from webhooks import reports as documents
from webhooks.address import Address, Network, caller
from webhooks.health import routes as health_routes

logger = logging.getLogger(__name__)

BODY_LIMIT = 256 * 1024

_STATUS: Mapping[type[DeliveryRejected], int] = {
    DeliveryMalformed: 400,
    DeliveryForged: 401,
    DeliveryForbidden: 403,
}


@dataclass
class RejectionLimit:
    """How many unproven deliveries an address may send: a burst of 60, then one a second. Proven ones always pass."""

    burst: float = 60.0
    per_second: float = 1.0
    addresses: int = 10_000
    _left: OrderedDict[Address, tuple[float, float]] = field(default_factory=OrderedDict)

    def exceeded(self, address: Address) -> bool:
        """Counts one more rejected delivery."""
        now = time.monotonic()
        left, since = self._left.pop(address, (self.burst, now))
        left = min(self.burst, left + (now - since) * self.per_second)
        self._left[address] = (max(left - 1, 0.0), now)
        if len(self._left) > self.addresses:
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
) -> web.Application:
    """`telegram_secret` is None in polling mode: then Telegram's door is closed. `speak`: the texts of documents."""
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
            status = 429 if limit.exceeded(address) else _STATUS[type(error)]
            logger.warning(
                "delivery rejected",
                extra={"path": request.match_info.route.name, "reason": error.reason, "remote": str(address)},
            )
            return web.json_response({"status": "rejected"}, status=status)
        except DoorClosed:
            raise web.HTTPNotFound from None
        except TemporarilyUnavailable:
            # Not stored, so not accepted: the sender must repeat it.
            return web.json_response({"status": "unavailable"}, status=503, headers={"Retry-After": "5"})

    app = web.Application(middlewares=[refuse], client_max_size=BODY_LIMIT)
    app.add_routes(health_routes(health))
    app.add_routes(payments.routes(inbox, proxies))
    app.add_routes(telegram.routes(telegram_secret, feed_update))
    app.add_routes(documents.routes(reports, speak))
    return app
