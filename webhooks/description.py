"""What the web app takes and answers, in OpenAPI 3.1, made of its own routes and of what stands beside each handler.

Anybody may read it: it names doors that anybody finds, and no secret. https://spec.openapis.org/oas/v3.1.1.html
"""

import inspect
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Schema = Mapping[str, object]
JSON, TEXT, FORM = "application/json", "text/plain", "application/x-www-form-urlencoded"
WORD: Schema = {"type": "string"}


def an_object(required: Mapping[str, Schema], **more: Schema) -> Schema:
    """A JSON object, which may have other members too."""
    return {"type": "object", "required": list(required), "properties": {**required, **more}}


def a_word(pattern: str, says: str) -> Schema:
    return {**WORD, "pattern": pattern, "description": says}


STATUS = an_object({"status": WORD})


@dataclass(frozen=True, slots=True)
class Answer:
    says: str
    content: Mapping[str, Schema] = field(default_factory=dict)
    """By media type; empty: none."""


MALFORMED = Answer("Not what this door takes, or no HTTP.", {JSON: STATUS, TEXT: WORD})
FORGED = Answer("Not proven to come from whom it says.", {JSON: STATUS})
FORBIDDEN = Answer("Not from here, or not with this secret.", {JSON: STATUS})
CLOSED = Answer("There is no such door here.", {TEXT: WORD})
TOO_LARGE = Answer("More than anybody has to say.", {TEXT: WORD})
NO_SUCH_EXPECTATION = Answer("Only 100-continue can be expected.", {TEXT: WORD})
TOO_MANY = Answer("Refused like many before from the same sender.", {JSON: STATUS})
UNAVAILABLE = Answer("Not accepted; to be sent again.", {JSON: STATUS, TEXT: WORD})


@dataclass(frozen=True, slots=True)
class Door:
    """What a handler takes and answers. What it is for is the first line of its docstring."""

    answers: Mapping[int, Answer]
    path: Mapping[str, Schema] = field(default_factory=dict)
    """The variable parts of its address."""
    headers: Mapping[str, str] = field(default_factory=dict)
    query: str | None = None
    """What any parameters of the address mean."""
    body: Mapping[str, Schema] = field(default_factory=dict)
    """By media type, of a POST; empty: none is read."""
    bearer: bool = False


class Undescribed(Exception):
    """A handler, or a part of its address, has no description, or a description has no such part."""


_doors: WeakKeyDictionary[Handler, Door] = WeakKeyDictionary()


def described(door: Door) -> Callable[[Handler], Handler]:
    def keep(handler: Handler) -> Handler:
        _doors[handler] = door
        return handler

    return keep


def add_description(app: web.Application) -> None:
    """Serves the description of what the app has by now. Raises Undescribed."""
    text = ""

    @described(Door({200: Answer("An OpenAPI document.", {JSON: an_object({"openapi": WORD, "paths": {}})})}))
    async def show(_request: web.Request) -> web.Response:
        """What you are reading."""
        return web.Response(text=text, content_type=JSON)

    app.router.add_get("/openapi.json", show, name="description")
    text = json.dumps(describe(app.router), ensure_ascii=False, indent=1)


def describe(router: web.UrlDispatcher) -> dict[str, object]:
    """Raises Undescribed."""
    paths: dict[str, dict[str, object]] = {}
    for route in router.routes():
        door = _doors.get(route.handler)
        path = route.resource.canonical if route.resource is not None else ""
        if door is None or not route.handler.__doc__ or not route.name:
            raise Undescribed(f"{route.method} {path}")
        if set(door.path) != set(re.findall(r"{(\w+)}", path)):
            raise Undescribed(f"{path}: {', '.join(door.path)}")
        paths.setdefault(path, {})[route.method.lower()] = _operation(route, door)
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "Looseline",
            "version": "1",
            "description": "For payment providers, casinos' programmes, Telegram and monitoring.",
        },
        "paths": paths,
        "components": {"securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}}},
    }


def _operation(route: web.AbstractRoute, door: Door) -> dict[str, object]:
    body = door.body if route.method == "POST" else {}
    answers = {400: MALFORMED, 417: NO_SUCH_EXPECTATION, **({413: TOO_LARGE} if body else {}), **door.answers}
    operation: dict[str, object] = {
        "operationId": f"{route.name}-{route.method.lower()}",
        "summary": inspect.cleandoc(route.handler.__doc__ or "").partition("\n")[0],
        "parameters": [
            *({"name": name, "in": "path", "required": True, "schema": part} for name, part in door.path.items()),
            *(
                {"name": name, "in": "header", "description": says, "schema": WORD}
                for name, says in door.headers.items()
            ),
            *([{"name": "parameters", "in": "query", "description": door.query, **_ANY}] if door.query else []),
        ],
        "responses": {
            str(status): {
                "description": answer.says,
                **({} if route.method == "HEAD" else {"content": _contents(answer.content)}),
            }
            for status, answer in sorted(answers.items())
        },
    }
    if body:
        operation["requestBody"] = {"content": _contents(body)}
    if door.bearer:
        operation["security"] = [{"bearer": []}, {}]
    return operation


_ANY: Schema = {"style": "form", "explode": True, "schema": {"type": "object", "additionalProperties": WORD}}


def _contents(by_type: Mapping[str, Schema]) -> dict[str, object]:
    return {media: {"schema": schema} for media, schema in by_type.items()}
