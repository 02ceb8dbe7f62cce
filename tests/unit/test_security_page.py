"""docs/security.md is whole: every door, right, deed, secret and table is in it, and every test it names exists."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from aiogram.filters import Command
from aiohttp import web

from bot.config import Config
from handlers.commands import ADMIN_COMMANDS
from handlers.router import create_router
from services.staff import RIGHTS, Right
from tests.chat.test_admin_doors import routers
from tests.services.test_deeds import DEEDS
from tests.unit.test_logs import SETTINGS
from webhooks.app import create_app

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/security.md").read_text(encoding="utf-8")
TEST = re.compile(r"\w[\w/]*\.py::test_\w+")


class Rights(NamedTuple):
    """What the program's role may do with a table."""

    read: bool
    added: bool
    changed: frozenset[str]
    """These columns."""
    deleted: bool


def rows(heading: str) -> Iterator[list[str]]:
    """The cells of the first table under a heading, without its first two lines."""
    _, _, section = PAGE.partition(f"\n## {heading}\n")
    table = re.search(r"(?:^\|.*\|\n)+", section, re.M)
    assert table, f"no table under {heading}"
    for line in table[0].splitlines()[2:]:
        yield [cell.strip() for cell in line.strip("|").split("|")]


def named(cell: str) -> frozenset[str]:
    """What stands in backquotes."""
    return frozenset(re.findall(r"`([^`]+)`", cell))


def tables() -> dict[str, Rights]:
    """What the page grants the program's role, by table."""
    return {
        name: Rights(read == "yes", added == "yes", named(changed), deleted == "yes")
        for names, read, added, changed, deleted in rows("The program's role, table by table")
        for name in named(names)
    }


def functions() -> frozenset[str]:
    """What the page lets it call."""
    _, _, sentence = PAGE.partition("It may call\n")
    return named(sentence.partition(", and no other function")[0])


def routes() -> Iterator[str]:
    nothing: Any = None
    app = create_app(
        inbox=nothing,
        health=nothing,
        proxies=(),
        telegram_secret=None,
        feed_update=nothing,
        reports=nothing,
        speak=nothing,
        metrics=nothing,
        metrics_token=None,
        sandbox=True,
    )
    for route in app.router.routes():
        assert isinstance(route.resource, web.Resource)
        if route.method != "HEAD":  # comes with each GET
            yield f"{route.method} {route.resource.canonical}"


def test_every_route_is_a_door_of_the_page_and_nothing_else_is() -> None:
    listed = {route for cells in rows("Doors: HTTP") for route in named(cells[0])}
    assert {route for route in listed if not route.startswith("/sandbox")} == set(routes())


def test_every_command_is_in_the_page() -> None:
    filters = [
        each.callback
        for router in routers(create_router())
        for handler in router.observers["message"].handlers
        for each in handler.filters or []
    ]
    known = {str(name) for filter_ in filters if isinstance(filter_, Command) for name in filter_.commands}
    listed = {name for cells in rows("Doors: Telegram") for name in named(cells[0])}
    listed |= {name for cells in rows("The staff, right by right") for name in named(cells[2])}
    assert {name.removeprefix("/") for name in listed} == known | ADMIN_COMMANDS.keys()


def test_every_right_is_in_the_page_with_its_roles_commands_and_deeds() -> None:
    found = {}
    for right, roles, commands, deeds in rows("The staff, right by right"):
        (name,) = named(right)
        found[name] = set(roles.split(", ")), named(commands), named(deeds)
    assert found.keys() == set(Right)
    for right in Right:
        allowed, named_commands, named_deeds = found[right]
        assert allowed == {str(role) for role, rights in RIGHTS.items() if right in rights}
        assert named_commands >= {f"/{name}" for name, needed in ADMIN_COMMANDS.items() if needed is right}
        assert named_deeds == {deed.door for deed in DEEDS.values() if deed.right is right}


def test_every_secret_is_in_the_page_and_how_it_is_changed_in_operations() -> None:
    secrets = {name.upper() for name, field in Config.model_fields.items() if "SecretStr" in str(field.annotation)}
    assert secrets >= {"ENCRYPTION_KEY", "POSTBACK_TOKEN"} | {name for name in SETTINGS if "SECRET" in name}
    assert {name for cells in rows("Secrets") for name in named(cells[0])} == secrets
    operations = (ROOT / "docs/operations.md").read_text(encoding="utf-8").partition("\n## Secrets\n")[2]
    assert secrets <= set(re.findall(r"[A-Z][A-Z_]+", operations))


def test_every_table_of_the_schema_is_in_the_page() -> None:
    schema = (ROOT / "schema.sql").read_text(encoding="utf-8")
    assert tables().keys() == {"schema_version", *re.findall(r"^CREATE (?:TABLE|VIEW) (\w+)", schema, re.M)}


def test_every_test_that_is_named_exists_and_every_door_has_one() -> None:
    for heading in ("Doors: HTTP", "Doors: Telegram", "The machine", "Secrets"):
        for cells in rows(heading):
            assert TEST.search(cells[-1]), f"{heading}: {cells[0]}"
    missing = []
    for place in set(TEST.findall(PAGE)) | {f"{path}::" for path in re.findall(r"`tests/([\w/]+\.py)`", PAGE)}:
        path, _, name = place.partition("::")
        file = ROOT / "tests" / path
        if not file.exists() or f"def {name}" not in file.read_text(encoding="utf-8"):
            missing.append(place)
    assert not missing
