"""The description that the web app serves is whole: each route is in it, with what its handler says of itself."""

import ast
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from tests.shop import Shop
from tests.webhooks.door import Door, application
from webhooks import description
from webhooks.description import Answer, Undescribed, described

FOLDER = Path(description.__file__).parent
EMPTY = description.Door({200: Answer("Well.")})


@pytest.fixture
async def door(shop: Shop) -> AsyncIterator[Door]:
    async with TestClient(TestServer(application(shop, sandbox=True))) as client:
        yield client


async def test_each_route_is_described_and_nothing_else(door: Door) -> None:
    async with door.get("/openapi.json") as response:
        assert (response.status, response.content_type) == (200, "application/json")
        document = await response.json()
    assert document["openapi"].startswith("3.1")
    told = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert door.app is not None
    routes = list(door.app.router.routes())
    assert told == {(route.method, route.resource.canonical) for route in routes if route.resource}
    assert ("POST", "/api/webhook/stripe") in told
    operations = [operation for methods in document["paths"].values() for operation in methods.values()]
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    for operation in operations:
        assert operation["summary"].endswith((".", "?"))
        assert {"200", "400"} < set(operation["responses"])


async def test_whatever_is_described_has_a_route(door: Door) -> None:
    written = {
        f"{function.name} in {file.name}"
        for file in FOLDER.glob("*.py")
        for function in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(function, ast.AsyncFunctionDef)
        and any("described" in ast.unparse(decorator) for decorator in function.decorator_list)
    }
    assert door.app is not None
    reached = {
        f"{route.handler.__name__} in {Path(route.handler.__code__.co_filename).name}"
        for route in door.app.router.routes()
    }
    assert written == reached


async def test_a_handler_that_says_nothing_of_itself_is_refused() -> None:
    async def silent(_request: web.Request) -> web.Response:
        """It is not described."""
        return web.Response()

    @described(EMPTY)
    async def nameless(_request: web.Request) -> web.Response:
        return web.Response()

    @described(EMPTY)
    async def fine(_request: web.Request) -> web.Response:
        """All is well."""
        return web.Response()

    for path, handler in (("/", silent), ("/", nameless), ("/{part}", fine)):
        app = web.Application()
        app.router.add_get(path, handler, name="door")
        with pytest.raises(Undescribed):
            description.add_description(app)
    app = web.Application()
    app.router.add_get("/", fine, name="door")
    description.add_description(app)
