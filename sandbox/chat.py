"""The pages for people: the chat in the browser and the providers' payment pages. Loopback only."""

import asyncio
import ipaddress
import json
import re
from collections.abc import AsyncIterator, Coroutine
from contextlib import suppress
from dataclasses import asdict
from html import escape
from string import Template
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from aiohttp import WSCloseCode, web
from aiohttp.typedefs import Handler

from sandbox.bot_api import MEGABYTE
from sandbox.deliveries import WEBHOOKS, Webhook
from sandbox.desk import Desk
from sandbox.html import HEADERS, answer, page, words
from sandbox.stripe import StripeError
from sandbox.telegram import IMAGES
from sandbox.yookassa import YooKassaError

if TYPE_CHECKING:
    from sandbox.world import Sandbox

Json = dict[str, Any]

STATIC = {
    "chat.js": "text/javascript",
    "chat.css": "text/css",
    "desk.js": "text/javascript",
    "desk.css": "text/css",
    "pay.css": "text/css",
    "icon.svg": "image/svg+xml",
}


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """404 for anybody but this machine, for proxies, foreign host names (DNS rebinding) and other sites' pages."""
    peer = request.transport.get_extra_info("peername") if request.transport else None
    host, origin = re.sub(r":\d+$", "", request.host), request.headers.get("Origin")
    same = origin is None or origin.partition("://")[2] == request.host
    forwarded = any(name in request.headers for name in ("Forwarded", "Via", "X-Forwarded-For"))
    if forwarded or not (peer and _loopback(peer[0]) and _loopback(host.strip("[]")) and same):
        raise web.HTTPNotFound
    return await handler(request)


def _loopback(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


def application(world: "Sandbox") -> web.Application:
    """The pages as a sub-application: `app.add_subapp("/sandbox/", application(world))`."""
    pages = Pages(world)
    app = web.Application(client_max_size=60 * MEGABYTE, middlewares=[guard])
    app.add_routes(
        [
            web.get("/", pages.index),
            web.get("/live", pages.live),
            web.post("/do/{action}", pages.act),
            web.post("/upload/{person:[0-9]+}", pages.upload),
            web.get("/file/{id}", pages.file),
            web.get("/{provider:stripe|yookassa}/pay/{ref}", pages.payment),
            web.post("/{provider:stripe|yookassa}/pay/{ref}", pages.pay),
            *Desk(world).routes(),
            web.get("/{name}", pages.static),
        ]
    )
    app.cleanup_ctx.append(pages.running)
    app.on_shutdown.append(pages.close)
    return app


class Pages:
    def __init__(self, world: "Sandbox") -> None:
        self._world = world
        self._sockets: set[web.WebSocketResponse] = set()
        self._payments: set[asyncio.Task[None]] = set()

    async def running(self, app: web.Application) -> AsyncIterator[None]:
        yield
        for task in self._payments:
            task.cancel()
        await asyncio.gather(*self._payments, return_exceptions=True)

    async def close(self, app: web.Application) -> None:
        await asyncio.gather(*(socket.close(code=WSCloseCode.GOING_AWAY) for socket in self._sockets))

    # The chat

    async def index(self, request: web.Request) -> web.Response:
        return answer(page("index.html"))

    async def static(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in STATIC:
            raise web.HTTPNotFound
        return web.Response(text=page(name), content_type=STATIC[name], headers=HEADERS)

    async def live(self, request: web.Request) -> web.WebSocketResponse:
        """Everything so far, then everything that happens."""
        socket = web.WebSocketResponse(heartbeat=30, timeout=1)
        await socket.prepare(request)
        feed: asyncio.Queue[Json] = asyncio.Queue()
        feed.put_nowait(self._everything())
        self._world.feeds.add(feed)
        self._sockets.add(socket)
        sending = asyncio.create_task(self._send(socket, feed))
        try:
            async for _ in socket:
                pass
        finally:
            self._world.feeds.discard(feed)
            self._sockets.discard(socket)
            sending.cancel()
        return socket

    async def _send(self, socket: web.WebSocketResponse, feed: asyncio.Queue[Json]) -> None:
        with suppress(ConnectionError):
            while True:
                await socket.send_json(await feed.get())

    def _everything(self) -> Json:
        telegram = self._world.telegram
        people = telegram.people.values()
        return {
            "everything": {
                "bot": {"name": telegram.me["first_name"], "username": telegram.me["username"]},
                "channels": [
                    {"username": channel.username, "link": channel.link}
                    for channel in (telegram.channel(str(channel_id)) for channel_id in telegram.channels)
                    if channel is not None and channel.username
                ],
                "people": [telegram.profile(person) for person in people],
                "messages": [telegram.view(person, message) for person in people for message in person.messages[-300:]],
                "deliveries": [asdict(attempt) for attempt in list(self._world.deliveries.log)[-30:]],
            }
        }

    async def act(self, request: web.Request) -> web.Response:
        """say(person, text), press(person, message, data), block(person), unblock(person); seen over live."""
        try:
            asked = json.loads(await request.read())
            person = self._world.telegram.people[asked["person"]]
            match request.match_info["action"]:
                case "say":
                    person.write(str(asked["text"])[:4096])
                case "press":
                    message = person.find(asked["message"])
                    query = person.press(str(asked["data"]), message) if message else None
                    return web.json_response({"query": query})
                case "block":
                    person.block()
                case "unblock":
                    person.unblock()
                case _:
                    raise web.HTTPNotFound
        except (ValueError, TypeError, LookupError):
            raise web.HTTPBadRequest from None
        return web.json_response({})

    async def upload(self, request: web.Request) -> web.Response:
        person = self._world.telegram.people.get(int(request.match_info["person"]))
        form = await request.post()
        upload, caption = form.get("file"), form.get("caption", "")
        if person is None or not isinstance(upload, web.FileField):
            raise web.HTTPBadRequest
        with upload.file:
            file = self._world.telegram.store(upload.filename, upload.file.read())
        person.write(str(caption)[:1024], file, photo=file.mime.startswith("image/"))
        return web.json_response({})

    async def file(self, request: web.Request) -> web.Response:
        file = self._world.telegram.files.get(request.match_info["id"])
        if file is None:
            raise web.HTTPNotFound
        if file.mime in IMAGES.values():
            return web.Response(body=file.data, content_type=file.mime, headers=HEADERS)
        saved = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(file.name, safe='')}"}
        return web.Response(body=file.data, content_type="application/octet-stream", headers=HEADERS | saved)

    # The payment pages

    async def payment(self, request: web.Request) -> web.Response:
        provider, ref = request.match_info["provider"], request.match_info["ref"]
        shown = (self._world.stripe if provider == "stripe" else self._world.yookassa).page(ref)
        if shown is None:
            raise web.HTTPNotFound
        texts = words(request, "pay.json")
        # The bot's own t.me links lead to the chat page here, as there is no Telegram to open
        back = "../../" if (urlsplit(shown["back"] or "").hostname or "t.me") == "t.me" else shown["back"]
        values = texts | {
            "provider": provider,
            "brand": {"stripe": "Stripe", "yookassa": "YooKassa"}[provider],
            "status": shown["status"],
            "amount": shown["amount"],
            "description": shown["description"] or texts["nothing"],
            "problem": shown["problem"],
            "keeps": texts["keeps"] if shown["keeps"] else "",
            "way": back,
            "headline": texts[shown["status"]],
            "leave": texts["leave" if shown["status"] == "open" else "back"],
            **{name: f"{texts[name]}: {shown[name]}" if shown[name] else "" for name in ("refunded", "disputed")},
        }
        safe = {name: escape(value) for name, value in values.items()}
        html = Template(page("pay.html")).substitute(
            safe,
            reasons="".join(f"<option>{escape(reason)}</option>" for reason in shown["reasons"]),
            cards="".join(_card(card, texts["later"]) for card in shown["cards"]),
            acts="".join(
                f'<button name="action" value="{name}">{escape(texts[name])}</button>' for name in shown["can"]
            ),
            notices=Template(page("notify.html")).substitute(safe),
        )
        return answer(html)

    async def pay(self, request: web.Request) -> web.StreamResponse:
        name, ref = request.match_info["provider"], request.match_info["ref"]
        provider = self._world.stripe if name == "stripe" else self._world.yookassa
        form = await request.post()
        shown, webhook = provider.page(ref), str(form.get("webhook"))
        if shown is None or webhook not in WEBHOOKS:
            raise web.HTTPNotFound
        how: Webhook = webhook
        action, reason, card = (str(form.get(name)) for name in ("action", "reason", "card"))
        coming: Coroutine[None, None, None] | None = None
        if shown["status"] == "open" and action == "decline" and reason in shown["reasons"]:
            coming = provider.decline(ref, how, reason=reason)
        elif shown["status"] == "open" and action == "pay":
            known = any(card == item["number"] for item in shown["cards"])
            coming = provider.pay(ref, how, card=card if known else shown["cards"][0]["number"])
        elif action in shown["can"]:
            coming = provider.act(ref, action, how)
        if coming is not None:
            # The payer does not wait for the bot to be told
            task = asyncio.create_task(self._settle(coming))
            self._payments.add(task)
            task.add_done_callback(self._payments.discard)
            await asyncio.sleep(0)
        raise web.HTTPSeeOther(request.path)

    async def _settle(self, coming: Coroutine[None, None, None]) -> None:
        with suppress(StripeError, YooKassaError, ValueError):  # somebody else was quicker
            await coming


def _card(card: Json, later: str) -> str:
    """A test card to choose, with what its bank says to it."""
    digits = re.sub(r"(.{4})(?=.)", r"\1 ", card["number"])
    said = card["page"] or (f"{later}: {card['kept']}" if card["kept"] else card["brand"])
    return f'<option value="{card["number"]}">{escape(f"{digits} · {said}")}</option>'
