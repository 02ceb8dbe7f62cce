"""For monitoring: can money be taken in, and is anything waiting."""

from aiohttp import web

from services.health import Health


def routes(health: Health) -> list[web.RouteDef]:
    async def report(_request: web.Request) -> web.Response:
        found = await health.report()
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
