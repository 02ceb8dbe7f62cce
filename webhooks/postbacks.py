"""The casinos' doors: whatever their programmes send, by GET or POST. Answered OK only after it is stored."""

from collections.abc import Sequence
from datetime import UTC, datetime

from aiohttp import web

from services.inbox import Inbox
from services.providers import Delivery
from webhooks.address import Network, caller
from webhooks.payments import read_body, readable


def routes(inbox: Inbox, proxies: Sequence[Network], *, sandbox: bool) -> list[web.RouteDef]:
    """`sandbox`: /postback/test is open. The token in an address is a secret: only routes' names are ever logged."""

    async def receive(request: web.Request) -> web.Response:
        await inbox.accept_postback(request.match_info["programme"], await _delivery(request, proxies))
        return web.Response(text="OK")

    async def health(_request: web.Request) -> web.Response:
        return web.json_response({"status": "ok", "service": "postback"})

    async def test(request: web.Request) -> web.Response:
        report = await inbox.try_postback(await _delivery(request, proxies))
        amount = None if report.amount is None else float(report.amount)  # shown to a developer, and counted nowhere
        return web.json_response(
            {
                "success": report.problem is None,
                "message": report.problem or f"{report.kind.capitalize()} accepted",
                "event": {"type": report.kind, "user_id": report.casino_id, "amount": amount},
            }
        )

    path = "/postback/{programme}/{token}"
    return [
        web.get("/postback/health", health, name="postback-health"),
        *([web.post("/postback/test", test, name="postback-test")] if sandbox else []),
        web.get(path, receive, name="postback", allow_head=False),
        web.post(path, receive),
    ]


async def _delivery(request: web.Request, proxies: Sequence[Network]) -> Delivery:
    return Delivery(
        body=await read_body(request) if request.method == "POST" else b"",
        headers={name.lower(): readable(value) for name, value in request.headers.items()},
        remote=caller(request, proxies),
        received_at=datetime.now(UTC),
        query=readable(request.rel_url.raw_query_string),
        path_secret=request.match_info.get("token", ""),
    )
