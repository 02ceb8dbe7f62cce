"""Databases for the tests: servers for each worker, a template with the schema, and a fresh copy for each test."""

import asyncio
import fcntl
import gc
import os
import shutil
import signal
import subprocess
import tempfile
import time
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg
import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling, Scheduling

from db.database import Database
from db.embedded import Embedded
from tests import secrecy

POSTGRESQL_15 = Path("/usr/lib/postgresql/15/bin")
_SERVERS = ["embedded"] + (["postgresql15"] if (POSTGRESQL_15 / "postgres").exists() else [])
_TEMPLATE = "looseline_template"
_BOTH = ("test_ledger", "test_database", "test_role")
"""What rests on the server's own behaviour most."""


_EAR = pytest.StashKey[secrecy.Ear]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_EAR] = secrecy.listen()
    gc.disable()  # what is imported and collected now stays to the end


def pytest_collection_finish() -> None:
    gc.freeze()  # so each collection would look through all of it in vain
    gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    """The test in which a secret was written to the log has failed, whatever it was about."""
    yield
    heard = item.config.stash[_EAR].heard
    if heard:
        told = "\n".join(heard)
        heard.clear()
        pytest.fail(f"secrets in the log:\n{told}", pytrace=False)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Tests of services run on the oldest PostgreSQL we promise too, where its programs are installed."""
    if "postgres" in metafunc.fixturenames and Path(__file__).parent / "services" in metafunc.definition.path.parents:
        servers = ["given"] if "TEST_DATABASE_URL" in os.environ else _SERVERS
        metafunc.parametrize("postgres", servers, indirect=True, scope="session")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Each case of a test of services runs on one of the servers, in turn; a few tests, and with SERVERS=both all of
    them, on each."""
    if len(_SERVERS) < 2 or "TEST_DATABASE_URL" in os.environ or os.environ.get("SERVERS") == "both":
        return
    turns: dict[str, int] = {}
    spared = set()
    for item in items:
        if isinstance(item, pytest.Function) and hasattr(item, "callspec") and "postgres" in item.callspec.params:
            server = str(item.callspec.params["postgres"])
            nth = turns.setdefault(item.nodeid.replace(server, ""), len(turns))
            alone = item.callspec.id == server and item.path.stem in _BOTH
            if not alone and server != _SERVERS[nth.bit_count() % 2]:  # 0110 1001: no choice stays with one server
                spared.add(item)
    config.hook.pytest_deselected(items=list(spared))
    items[:] = [item for item in items if item not in spared]


class _Heaps(LoadScopeScheduling):  # type: ignore[misc]  # xdist ships no types
    """Chaos waits most of the time: two of the workers have all of it, and the others keep the processors busy."""

    def _split_scope(self, nodeid: str) -> str:
        return f"chaos {zlib.crc32(nodeid.encode()) % 2}" if nodeid.startswith("tests/chaos/") else nodeid


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling | None:
    return None if os.environ.get("CHAOS") == "all" else _Heaps(config, log)


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], str]]:
    """The owner's address of a server by its name. It is started when it is first asked for, and stays."""
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    with ExitStack() as stack:
        yield cache(lambda name: stack.enter_context(_server(name, shared)))


@pytest.fixture(scope="session")
def postgres(request: pytest.FixtureRequest, servers: Callable[[str], str]) -> str:
    """The owner's address of a server for tests; TEST_DATABASE_URL names another one."""
    return os.environ.get("TEST_DATABASE_URL") or servers(getattr(request, "param", "embedded"))


@pytest.fixture(scope="session")
def template(postgres: str) -> str:
    """The name of a database with the schema in it."""
    if "TEST_DATABASE_URL" not in os.environ:
        return _TEMPLATE
    name = f"{_TEMPLATE}_{uuid4().hex[:8]}"
    _make_template(postgres, name)
    return name


@pytest.fixture(scope="session")
def administer(servers: object) -> Iterator[Callable[[str, str], None]]:
    """Has a server's owner run a statement, always over the same connection: a new one would take as long again."""
    connections: dict[str, asyncpg.Connection[asyncpg.Record]] = {}

    async def run(server: str, sql: str) -> None:
        if server not in connections:
            connections[server] = await asyncpg.connect(server)
        await connections[server].execute(sql)

    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        yield lambda server, sql: runner.run(run(server, sql))
        for connection in connections.values():
            runner.run(connection.close())


@pytest.fixture
def database_url(postgres: str, template: str, administer: Callable[[str, str], None]) -> Iterator[str]:
    """The owner's address of a fresh database."""
    name = f"test_{uuid4().hex}"
    administer(postgres, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
    yield in_database(postgres, name)
    administer(postgres, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A fresh database, opened the way the bot opens it."""
    async with Database.open(database_url) as database:
        yield database


@contextmanager
def _server(name: str, shared: Path) -> Iterator[str]:
    """A server with the template in it, copied from one that is made once for all workers."""
    made = shared / name
    with server_folder() as folder:
        home = folder / name
        with made.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not made.exists():
                with _running(name, home) as url:
                    _make_template(url, _TEMPLATE)
                subprocess.run(["cp", "-a", home, made], check=True)
        if not home.exists():
            subprocess.run(["cp", "-a", made, home], check=True)
        with _running(name, home) as url:
            yield url


@contextmanager
def _running(name: str, home: Path) -> Iterator[str]:
    if name == "postgresql15":
        with postgresql_15(home) as url:
            yield url
    else:
        server = asyncio.run(Embedded.start(home, durable=False))
        try:
            yield server.owner_dsn("postgres")
        finally:
            asyncio.run(server.stop())


def _make_template(server: str, name: str) -> None:
    async def make() -> None:
        await statement(server, f"CREATE DATABASE {name} TEMPLATE template0")
        async with Database.open(in_database(server, name)):
            pass

    asyncio.run(make())


@contextmanager
def server_folder() -> Iterator[Path]:
    """A folder for a server, in memory where there is room: a database is copied there 20 times as fast."""
    memory = Path("/dev/shm")  # noqa: S108  tests have no secrets
    roomy = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 2 * 2**30
    folder = Path(tempfile.mkdtemp(prefix="looseline-test-", dir=memory if roomy else None))
    folder.chmod(0o755)  # root's server runs under another account, which must be able to pass
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def postgresql_15(home: Path) -> Iterator[str]:
    """The machine's own PostgreSQL 15 in this folder, made if need be. For root under the account its package made."""
    account = "postgres" if os.geteuid() == 0 else None
    if not home.exists():
        home.mkdir()
        if account:
            shutil.chown(home, account)
        subprocess.run(
            [POSTGRESQL_15 / "initdb", "-D", home, "-U", "postgres", "--auth=trust", "-E", "UTF8", "--locale=C", "-N"],
            cwd=home,
            stdout=subprocess.DEVNULL,
            check=True,
            user=account,
        )
    settings = ["listen_addresses=", "unix_socket_directories=.", "fsync=off", "full_page_writes=off"]
    with (home / "log").open("wb") as log:
        server = subprocess.Popen(
            [POSTGRESQL_15 / "postgres", "-D", home, *(word for line in settings for word in ("-c", line))],
            cwd=home,
            stdout=log,
            stderr=log,
            user=account,
        )
    url = f"postgresql://postgres@/postgres?host={home}"
    try:
        for _ in range(100):
            try:
                asyncio.run(statement(url, "SELECT 1"))
                break
            except (OSError, asyncpg.CannotConnectNowError):
                time.sleep(0.1)
        yield url
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(10)


def in_database(url: str, name: str) -> str:
    """The same server, another database."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


async def statement(url: str, sql: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()
