"""What the pages have in common: their files, their headers and the reader's language."""

import json
from pathlib import Path

from aiohttp import web

PAGE = Path(__file__).parent / "page"
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def page(name: str) -> str:
    return (PAGE / name).read_text(encoding="utf-8")


def words(request: web.Request, name: str) -> dict[str, str]:
    """The texts of a page, in Russian for a browser that asks for it first."""
    language = "ru" if request.headers.get("Accept-Language", "").startswith("ru") else "en"
    found: dict[str, str] = json.loads(page(name))[language]
    return found


def answer(html: str) -> web.Response:
    return web.Response(text=html, content_type="text/html", headers=HEADERS)
