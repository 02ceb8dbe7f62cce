"""The door to documents: a link is good for seven days, for whoever has it, and for nothing else."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from aiohttp import web

from db.models import Language
from services.documents import Words
from services.errors import Busy, LinkExpired, NotFound
from services.reports import PATIENCE, Reports
from webhooks.description import JSON, STATUS, TEXT, WORD, Answer, Door, a_word, described

logger = logging.getLogger(__name__)

DOWNLOADS = 8
"""At the same time: each holds a document on the disk."""
OF_ONE = 4
"""Of one player's documents: whoever has a link and reads slowly leaves places to the others."""
DOWNLOAD_SECONDS = 900.0
_CHUNK = 1024 * 1024
# A document is its player's: nobody on the way keeps it, no page shows it, no search finds it.
_PRIVATE = {
    "Cache-Control": "private, no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; sandbox",
}


def routes(reports: Reports, speak: Callable[[Language], Words]) -> list[web.RouteDef]:
    places = asyncio.Semaphore(DOWNLOADS)
    taken = Counter[int]()

    def said(status: int, text_id: str) -> web.Response:
        """To somebody of whom no language is known: in all of them."""
        text = "\n".join(speak(language)(text_id) for language in Language)
        headers = {**_PRIVATE, **({"Retry-After": "10"} if status == 503 else {})}
        return web.Response(status=status, text=text + "\n", headers=headers)

    @described(
        Door(
            {
                200: Answer("The document.", {"text/csv": WORD, "application/pdf": {}}),
                404: Answer("We never gave this link.", {TEXT: WORD}),
                410: Answer("The link's seven days are over.", {TEXT: WORD}),
                503: Answer("To be opened again in a moment.", {TEXT: WORD, JSON: STATUS}),
            },
            path={"token": a_word("^[A-Za-z0-9_-]{54}$", "What the link ends with; whoever has it may read.")},
        )
    )
    async def download(request: web.Request) -> web.StreamResponse:
        """A player's document."""
        try:
            report = await reports.opened(request.match_info["token"])
        except NotFound:
            return said(404, "link-unknown")
        except LinkExpired:
            return said(410, "link-expired")
        words = speak(report.language)
        name, plain = reports.file_name(report, words)
        headers = {
            **_PRIVATE,
            "Content-Type": reports.media_type(report),
            "Content-Disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}",
        }
        if request.method == "HEAD":
            return web.Response(headers=headers)
        if places.locked() or taken[report.player_id] >= OF_ONE:
            return said(503, "link-busy")
        taken[report.player_id] += 1
        try:
            async with places, reports.written(report, words, patience=PATIENCE) as document:
                return await _send(request, document.path, document.size, headers)
        except Busy:
            return said(503, "link-busy")
        finally:
            taken[report.player_id] -= 1
            if not taken[report.player_id]:
                del taken[report.player_id]

    return [web.get("/reports/{token}", download, name="report")]


async def _send(request: web.Request, path: Path, size: int, headers: dict[str, str]) -> web.StreamResponse:
    response = web.StreamResponse(headers=headers)
    response.content_length = size
    try:
        async with asyncio.timeout(DOWNLOAD_SECONDS):
            await response.prepare(request)
            for offset in range(0, size, _CHUNK):
                await response.write(await asyncio.to_thread(_read, path, offset))
            await response.write_eof()
    except (ConnectionError, TimeoutError) as error:
        logger.info("download was cut off", extra={"reason": type(error).__name__})
        response.force_close()
        if request.transport is not None:
            request.transport.close()
    return response


def _read(path: Path, offset: int) -> bytes:
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(_CHUNK)
