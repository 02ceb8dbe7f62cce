"""The lobby: connections from which no whole request has come yet, or no further one. Whoever waits there without end,
or with too many, must not take the places of providers.

aiohttp 3.14 has one limit only: an idle connection ends after an hour.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv6Network

from aiohttp import web
from aiohttp.typedefs import Middleware

from services.errors import DeliveryMalformed
from webhooks.address import Address, Network, caller, peer, sender, within

Sender = Address | IPv6Network


@dataclass
class Lobby:
    """When there are too many, who has waited longest goes: so who sends at once always gets in."""

    proxies: Sequence[Network]
    seconds: float = 30.0
    """For the head of a request, from the beginning of the connection or the last answer."""
    body_seconds: float = 10.0
    """No provider is slower than this."""
    of_one: int = 128
    """Of one sender."""
    of_all: int = 512
    """Half of the files that a process may have open where nobody has raised that."""
    _open: dict[web.RequestHandler, tuple[asyncio.Transport, Sender | None]] = field(default_factory=dict)
    """With their peers; None: a proxy of ours, which looks after its own connections."""
    _waiting: dict[web.RequestHandler, tuple[Sender, asyncio.TimerHandle]] = field(default_factory=dict)
    """Who has waited longest comes first; the same in each of `_by_sender`."""
    _by_sender: dict[Sender, dict[web.RequestHandler, None]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._waiting)

    def watch(self, runner: web.AppRunner) -> None:
        """Begins, once the runner is set up and before it listens."""
        server = runner.server
        if server is None:
            raise RuntimeError("not set up")
        made, lost = server.connection_made, server.connection_lost

        def connection_made(handler: web.RequestHandler, transport: asyncio.Transport) -> None:
            made(handler, transport)
            address = peer(transport)
            self._open[handler] = transport, None if within(address, self.proxies) else sender(address)
            self._wait(handler)

        def connection_lost(handler: web.RequestHandler, exc: BaseException | None = None) -> None:
            lost(handler, exc)
            self._leave(handler)
            self._open.pop(handler, None)

        # aiohttp makes the server itself, and offers no other place for this.
        server.connection_made = connection_made  # type: ignore[method-assign]
        server.connection_lost = connection_lost  # type: ignore[method-assign]

    def attending(self) -> Middleware:
        """Who has sent a whole request waits no more until it is answered. Whose body is still to come: see `read`."""

        @web.middleware
        async def attend(
            request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
        ) -> web.StreamResponse:
            if request.content.is_eof():
                self._leave(request.protocol)
            else:
                self._wait(request.protocol, sender(caller(request, self.proxies)))
            try:
                return await handler(request)
            finally:
                self._wait(request.protocol)

        return attend

    async def read(self, request: web.Request) -> bytes:
        """The raw bytes, which is what is signed. Raises DeliveryMalformed for a body that does not arrive."""
        try:
            async with asyncio.timeout(self.body_seconds):
                body = await request.read()
        except (TimeoutError, web.RequestPayloadError, ConnectionError) as error:
            raise DeliveryMalformed("body does not arrive") from error
        self._leave(request.protocol)
        return body

    def _wait(self, visitor: web.RequestHandler, who: Sender | None = None) -> None:
        """`who` None: nobody is known but the peer."""
        self._leave(visitor)
        if visitor not in self._open:  # gone, or of a server that nobody watches
            return
        who = who or self._open[visitor][1]
        if who is None:
            return
        timer = asyncio.get_running_loop().call_later(self.seconds, self._show_out, visitor)
        self._waiting[visitor] = who, timer
        others = self._by_sender.setdefault(who, {})
        others[visitor] = None
        if len(others) > self.of_one:
            self._show_out(next(iter(others)))
        elif len(self._waiting) > self.of_all:
            self._show_out(next(iter(self._waiting)))

    def _leave(self, visitor: web.RequestHandler) -> None:
        if visitor not in self._waiting:
            return
        who, timer = self._waiting.pop(visitor)
        timer.cancel()
        del self._by_sender[who][visitor]
        if not self._by_sender[who]:
            del self._by_sender[who]

    def _show_out(self, visitor: web.RequestHandler) -> None:
        self._leave(visitor)
        transport, _ = self._open[visitor]
        transport.abort()


LOBBY = web.AppKey("lobby", Lobby)


async def read_body(request: web.Request) -> bytes:
    """See `Lobby.read`."""
    return await request.app[LOBBY].read(request)
