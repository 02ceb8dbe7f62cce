"""The casinos' doors: whatever their programmes send, by GET or POST. Answered OK only after it is stored."""

from collections.abc import Sequence
from datetime import UTC, datetime

from aiohttp import web

from services.inbox import Inbox
from services.providers import Delivery
from webhooks.address import Network, caller
from webhooks.description import (
    CLOSED,
    FORBIDDEN,
    FORGED,
    FORM,
    JSON,
    STATUS,
    TEXT,
    TOO_MANY,
    UNAVAILABLE,
    WORD,
    Answer,
    Door,
    a_word,
    an_object,
    described,
)
from webhooks.lobby import read_body
from webhooks.payments import readable

_POSTBACK = Door(
    {
        200: Answer("Stored, or known already.", {TEXT: WORD}),
        401: FORGED,
        403: FORBIDDEN,
        404: CLOSED,
        429: TOO_MANY,
        503: UNAVAILABLE,
    },
    path={
        "programme": a_word("^[a-z0-9]{1,20}$", "The casino's programme."),
        "token": a_word("^[!-~]+$", "The secret that was given to the programme."),
    },
    headers={"X-Signature": "HMAC-SHA256 of the body, in hexadecimal digits, where one was agreed."},
    query="What the programme reports; names as everybody uses them, or as agreed.",
    body={JSON: {"type": "object"}, FORM: {"type": "object", "additionalProperties": WORD}},
)


def routes(inbox: Inbox, proxies: Sequence[Network], *, sandbox: bool) -> list[web.RouteDef]:
    """`sandbox`: /postback/test is open. The token in an address is a secret: only routes' names are ever logged."""

    @described(_POSTBACK)
    async def receive(request: web.Request) -> web.Response:
        """What a casino's programme reports."""
        await inbox.accept_postback(request.match_info["programme"], await _delivery(request, proxies))
        return web.Response(text="OK")

    @described(Door({200: Answer("It is.", {JSON: STATUS})}))
    async def health(_request: web.Request) -> web.Response:
        """Is the casinos' door there?"""
        return web.json_response({"status": "ok", "service": "postback"})

    @described(
        Door(
            {
                200: Answer("How it was understood.", {JSON: an_object({"success": {"type": "boolean"}})}),
                404: CLOSED,
                429: TOO_MANY,
                503: UNAVAILABLE,
            },
            query="What a programme would report.",
        )
    )
    async def test(request: web.Request) -> web.Response:
        """A report without a secret, in the sandbox."""
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
        web.post(path, receive, name="postback"),
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
