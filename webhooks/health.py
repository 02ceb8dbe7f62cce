"""For monitoring: can money be taken in, and is anything waiting."""

import asyncio

from aiohttp import web

from services.health import Health, Report
from webhooks.description import JSON, WORD, Answer, Door, an_object, described

_REPORT = {JSON: an_object({"status": {"enum": ["ok", "degraded", "failing"]}, "database": WORD, "telegram": WORD})}


def routes(health: Health) -> list[web.RouteDef]:
    looking: asyncio.Task[Report] | None = None

    async def look() -> Report:
        """However many ask at once, and anybody may, the records are asked once at a time."""
        nonlocal looking
        if looking is None or looking.done():
            looking = asyncio.create_task(health.report())
        return await asyncio.shield(looking)

    @described(
        Door({200: Answer("Money can be taken in.", _REPORT), 503: Answer("The records cannot be reached.", _REPORT)})
    )
    async def report(_request: web.Request) -> web.Response:
        """Can money be taken in, is anything waiting, and for how many seconds."""
        found = await look()
        # Without Telegram the providers' doors work and nothing is lost, so the process is not taken out of service.
        well = found.database and found.telegram in ("ok", "standby")
        return web.json_response(
            {
                "status": "ok" if well else "degraded" if found.database else "failing",
                "database": "ok" if found.database else "unreachable",
                "telegram": found.telegram,
                "inbox": round(found.inbox, 1),
                "outbox": round(found.outbox, 1),
                "jobs": round(found.jobs, 1),
                "maintenance": found.maintenance,
            },
            status=200 if found.database else 503,
        )

    return [web.get("/health", report, name="health")]
