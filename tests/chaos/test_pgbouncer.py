"""Behind PgBouncer in transaction mode, where a session is nobody's own: money, turns and replicas go as without it."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import asyncpg
import pytest

from db.database import _keeps_statements
from tests.chaos.house import House, Process, free_port, until
from tests.chaos.players import links
from tests.chaos.test_turns import answered, telegram_is
from tests.conftest import POSTGRESQL_15, in_database, postgresql_15, server_folder, statement

PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin")
pytestmark = pytest.mark.skipif(
    os.environ.get("CHAOS") != "all" or PGBOUNCER is None or not POSTGRESQL_15.exists(),
    reason="half a minute, for make chaos, where PgBouncer and PostgreSQL 15 are installed",
)

# Fewer connections to the server than one bot has to the pooler, so that sessions change hands all the time.
_SETTINGS = """
[databases]
looseline = host={server} dbname=looseline
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {folder}/users
pool_mode = transaction
default_pool_size = 5
max_client_conn = 200
"""


class Pooler:
    """PgBouncer, and the server behind it."""

    def __init__(self, folder: Path, server: str, account: str = "postgres") -> None:
        """`account`: who may enter the server's folder; it refuses root."""
        self._account = account if os.geteuid() == 0 else None
        self.server = in_database(server, "looseline")
        self.port = free_port()
        self.address = f"postgresql://postgres@127.0.0.1:{self.port}/looseline"
        (folder / "users").write_text('"postgres" ""\n"lb_app" ""\n')
        self._settings = folder / "pgbouncer.ini"
        socket_folder = server.partition("host=")[2]
        self._settings.write_text(_SETTINGS.format(server=socket_folder, port=self.port, folder=folder))
        self._log = folder / "pgbouncer.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        assert PGBOUNCER
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [PGBOUNCER, "-q", self._settings],
                stdout=log,
                stderr=log,
                user=self._account,
            )
        for _ in range(100):
            with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", self.port)):
                return
            time.sleep(0.05)
        raise AssertionError(self._log.read_text())

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)


@pytest.fixture
def pooler() -> Iterator[Pooler]:
    with server_folder() as folder, postgresql_15(folder / "server") as server:
        asyncio.run(statement(server, "CREATE DATABASE looseline"))
        pooler = Pooler(folder, server)
        pooler.start()
        yield pooler
        pooler.kill()


async def opened_behind(house: House, pooler: Pooler) -> tuple[Process, str]:
    """One more process, on a port of its own."""
    port = house.settings["PORT"] = str(free_port())
    house.settings["DATABASE_URL"], house.direct = pooler.address, pooler.server
    return await house.opens(), port


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
async def test_two_processes_share_a_pooler_and_one_goes_on_when_the_other_ends(
    pooler: Pooler, house: House, end: signal.Signals
) -> None:
    first, one = await opened_behind(house, pooler)
    house.world.bot_url = f"http://127.0.0.1:{one}"
    deposits = await links(house.world, 4)
    await asyncio.gather(*(deposit.paid_and_told() for deposit in deposits[:4]))
    second, other = await opened_behind(house, pooler)
    await until(lambda: telegram_is(other, "standby"))
    assert await telegram_is(one, "ok")
    house.world.bot_url = f"http://127.0.0.1:{other}"
    paying = asyncio.gather(*(deposit.paid_and_told() for deposit in deposits[4:]))
    first.send(end)
    assert await first.ended(10) == (0 if end is signal.SIGTERM else -end)
    await paying
    assert await answered(deposits[0].person) < 8
    await until(lambda: telegram_is(other, "ok"))
    await house.proven(second, errors_allowed=["another process polls"])


async def test_when_the_pooler_dies_everything_waits_for_the_next_one(pooler: Pooler, house: House) -> None:
    process, port = await opened_behind(house, pooler)
    house.world.bot_url = f"http://127.0.0.1:{port}"
    deposits = await links(house.world, 2)
    pooler.kill()
    await until(lambda: failing(house))
    paying = asyncio.gather(*(deposit.paid_and_told() for deposit in deposits))
    pooler.start()
    await paying
    await until(lambda: telegram_is(port, "ok"))
    assert await answered(deposits[0].person) < 8
    await house.proven(process, errors_allowed=["another process polls"])


async def test_what_it_does_with_statements_is_seen_through_any_traffic(pooler: Pooler) -> None:
    """It loses them; a bot that starts beside busy ones must not be lucky and believe otherwise."""

    async def traffic() -> None:
        connection = await asyncpg.connect(pooler.address, statement_cache_size=0)
        try:
            while True:
                await connection.execute("SELECT 1")
        finally:
            await connection.close()

    others = [asyncio.create_task(traffic()) for _ in range(4)]
    assert {await _keeps_statements(pooler.address) for _ in range(20)} == {False}
    for other in others:
        other.cancel()
    await asyncio.gather(*others, return_exceptions=True)


async def failing(house: House) -> bool:
    return await house.health() == (503, "failing")
