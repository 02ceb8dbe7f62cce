"""The start of the database, whatever it finds; and what the rest of the program relies on afterwards."""

import asyncio
import gc
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import asyncpg
import pytest

from db import database as database_module
from db.database import (
    APP_ROLE,
    Database,
    DatabaseRefused,
    DatabaseUnavailable,
    SchemaMismatch,
    Tx,
)
from db.embedded import AlreadyRunning, Embedded, EmbeddedError
from tests.conftest import in_database, server_folder, statement

SMALL = f"""
CREATE TABLE wallet (id int PRIMARY KEY, amount int NOT NULL CHECK (amount >= 0), facts jsonb);
CREATE TABLE note (id int PRIMARY KEY, told_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE opened (code text PRIMARY KEY, exponent int NOT NULL);
CREATE FUNCTION currency_open(text, int, int) RETURNS void LANGUAGE sql
  AS 'INSERT INTO opened VALUES ($1, $2) ON CONFLICT DO NOTHING';
DO $$ BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = '{APP_ROLE}') THEN
    GRANT SELECT ON ALL TABLES IN SCHEMA public TO {APP_ROLE};
    GRANT INSERT, UPDATE ON note TO {APP_ROLE};
    GRANT UPDATE ON wallet TO {APP_ROLE};
  END IF;
END $$;
INSERT INTO wallet (id, amount) VALUES (1, 100), (2, 100);
"""


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("schema") / "schema.sql"
    path.write_text(SMALL)
    return path


@pytest.fixture
async def empty(postgres: str) -> AsyncIterator[str]:
    """The owner's address of a database with nothing in it."""
    name = f"empty_{uuid4().hex}"
    await statement(postgres, f"CREATE DATABASE {name} TEMPLATE template0")
    yield in_database(postgres, name)
    await statement(postgres, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def opened(empty: str, small: Path) -> AsyncIterator[Database]:
    async with Database.open(empty, schema=small) as database:
        yield database


@pytest.fixture
def folder() -> Iterator[Path]:
    with server_folder() as path:
        yield path


@asynccontextmanager
async def running(folder: Path, *, durable: bool = False) -> AsyncIterator[Embedded]:
    server = await Embedded.start(folder, durable=durable)
    try:
        yield server
    finally:
        await server.stop()


def server_process(folder: Path) -> int:
    return int((folder / "postgres" / "postmaster.pid").read_text().splitlines()[0])


async def amount(database: Database) -> int:
    async with database.connection() as tx:
        return int(await tx.fetchval("SELECT amount FROM wallet WHERE id = 1"))


# The embedded server.

HOLDER = """
import asyncio, sys
from pathlib import Path
from db.embedded import Embedded

async def main():
    await Embedded.start(Path(sys.argv[1]))
    print("up", flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


@asynccontextmanager
async def another_process(folder: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process that keeps the embedded server of the folder running."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLDER, str(folder), stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"up\n"
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_what_was_written_is_there_after_a_restart(folder: Path, small: Path) -> None:
    async with running(folder) as server, Database.open(server, schema=small) as database:
        assert database.restricted
        async with database.transaction() as tx:
            await tx.execute("UPDATE wallet SET amount = 7 WHERE id = 1")
    async with running(folder) as server, Database.open(server, schema=small) as database:
        assert await amount(database) == 7


async def test_a_second_process_on_the_same_folder_is_refused_in_one_sentence(folder: Path) -> None:
    async with another_process(folder):
        with pytest.raises(AlreadyRunning, match=r"^Another Looseline is already running on DATA_DIR .*\.$"):
            await Embedded.start(folder)
        attached = await Embedded.attach(folder)
        await statement(attached.owner_dsn("postgres"), "SELECT 1")
        await attached.stop()
        await statement(attached.owner_dsn("postgres"), "SELECT 1")
    async with running(folder):
        pass


async def test_a_killed_bot_leaves_a_server_that_the_next_start_takes_over(folder: Path, small: Path) -> None:
    async with another_process(folder) as process:
        process.kill()
        await process.wait()
        pid = server_process(folder)
        async with running(folder, durable=True) as server, Database.open(server, schema=small):
            assert server_process(folder) == pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_a_killed_server_recovers_at_the_next_start(folder: Path, small: Path) -> None:
    async with another_process(folder) as process:
        attached = await Embedded.attach(folder)
        async with Database.open(attached, schema=small) as database, database.transaction() as tx:
            await tx.execute("UPDATE wallet SET amount = 7 WHERE id = 1")
        process.kill()
        os.kill(server_process(folder), signal.SIGKILL)
        await process.wait()
    assert (folder / "postgres" / "postmaster.pid").exists()
    async with running(folder) as server, Database.open(server, schema=small) as database:
        assert await amount(database) == 7


async def test_a_pid_file_whose_number_another_program_got_is_no_obstacle(folder: Path) -> None:
    async with running(folder):
        pid_file = (folder / "postgres" / "postmaster.pid").read_text()
        owner = (folder / "postgres").stat().st_uid
    stranger = subprocess.Popen(["sleep", "60"], user=owner if os.geteuid() == 0 else None)
    try:
        stale = pid_file.replace(pid_file.split("\n", 1)[0], str(stranger.pid), 1)
        (folder / "postgres" / "postmaster.pid").write_text(stale)
        async with running(folder) as server:
            await statement(server.owner_dsn("postgres"), "SELECT 1")
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


async def test_a_server_killed_under_the_bot_comes_back(folder: Path, small: Path) -> None:
    async with running(folder) as server, Database.open(server, schema=small) as database:
        keeper = asyncio.create_task(server.keep_running())
        os.kill(server_process(folder), signal.SIGKILL)
        async with asyncio.timeout(20):
            while True:
                try:
                    assert await amount(database) == 100
                    break
                except DatabaseUnavailable:
                    await asyncio.sleep(0.1)
        keeper.cancel()


@pytest.mark.parametrize("name", ["deep" * 40, "with a space", "with,a,comma", "с кириллицей & 'знаками'"])
async def test_any_folder_will_do(folder: Path, small: Path, name: str) -> None:
    async with running(folder / name) as server, Database.open(server, schema=small) as database:
        assert await amount(database) == 100
        attached = await Embedded.attach(folder / name)
        await statement(attached.owner_dsn("looseline"), "SELECT 1")
        await attached.stop()


async def test_what_is_in_the_data_folder_is_for_nobody_else(folder: Path) -> None:
    data = folder / "data"
    async with running(data) as server:
        await statement(server.owner_dsn("postgres"), "SELECT 1")
        assert data.stat().st_mode & 0o066 == 0
        assert (data / "postgres").stat().st_mode & 0o077 == 0  # the socket and everything else is in there
        assert (data / "postgres.log").stat().st_mode & 0o077 == 0
        assert (data / "postgres" / ".s.PGSQL.5432").is_socket()
        connection = await asyncpg.connect(server.owner_dsn("postgres"))
        assert await connection.fetchval("SHOW listen_addresses") == ""
        await connection.close()


async def test_attaching_to_nothing_is_refused(folder: Path) -> None:
    with pytest.raises(EmbeddedError, match="start the bot first"):
        await Embedded.attach(folder)


async def test_a_folder_of_another_version_is_refused_and_left_alone(folder: Path) -> None:
    (folder / "postgres").mkdir()
    (folder / "postgres" / "PG_VERSION").write_text("16\n")
    with pytest.raises(EmbeddedError, match="move it away"):
        await Embedded.start(folder)
    assert (folder / "postgres" / "PG_VERSION").read_text() == "16\n"


async def test_a_creation_cut_short_is_started_over(folder: Path) -> None:
    (folder / "postgres.new").mkdir()
    (folder / "postgres.new" / "PG_VERSION").write_text("18\n")
    async with running(folder) as server:
        await statement(server.owner_dsn("postgres"), "SELECT 1")


async def test_a_server_that_cannot_start_says_why(folder: Path) -> None:
    async with running(folder):
        pass
    (folder / "postgres" / "global" / "pg_control").unlink()
    with pytest.raises(EmbeddedError, match="pg_control"):
        await Embedded.start(folder)


# The start on any server.


async def test_the_program_logs_in_with_few_rights_and_short_patience(opened: Database) -> None:
    assert opened.restricted
    async with opened.connection() as tx:
        settings = await tx.fetchrow(
            "SELECT current_user AS login, current_setting('statement_timeout') AS statement, "
            "current_setting('lock_timeout') AS lock, "
            "current_setting('idle_in_transaction_session_timeout') AS idle"
        )
        assert settings is not None
        assert dict(settings) == {"login": APP_ROLE, "statement": "5s", "lock": "2s", "idle": "15s"}
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await tx.execute("DELETE FROM wallet")
        assert {row["code"] for row in await tx.fetch("SELECT code FROM opened")} >= {"USD", "EUR", "RUB"}
    async with opened.owner() as owner:
        assert await owner.fetchval("SELECT current_setting('statement_timeout')") == "0"


async def test_processes_that_start_at_once_do_not_collide(empty: str, small: Path) -> None:
    async def start() -> int:
        async with Database.open(empty, schema=small) as database:
            return await amount(database)

    assert await asyncio.gather(*(start() for _ in range(5))) == [100] * 5
    async with Database.open(empty, schema=small) as database, database.connection() as tx:
        assert await tx.fetchval("SELECT count(*) FROM schema_version") == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("UPDATE schema_version SET version = version - 1", "An older Looseline"),
        ("UPDATE schema_version SET version = version + 1", "A newer Looseline"),
        ("UPDATE schema_version SET checksum = 'other'", "another schema.sql of the same version"),
        ("DROP TABLE schema_version", "holds something else"),
    ],
)
async def test_a_database_of_another_program_is_refused(empty: str, small: Path, change: str, words: str) -> None:
    async with Database.open(empty, schema=small):
        pass
    await statement(empty, change)
    with pytest.raises(SchemaMismatch, match=words):
        async with Database.open(empty, schema=small):
            pass


@pytest.mark.parametrize("sandbox", [True, False])
async def test_play_money_and_real_money_are_kept_apart(opened: Database, sandbox: bool) -> None:
    await opened.dedicate(sandbox=sandbox)
    await opened.dedicate(sandbox=sandbox)
    with pytest.raises(DatabaseRefused, match=r"play money|real money"):
        await opened.dedicate(sandbox=not sandbox)


async def test_a_schema_that_fails_leaves_nothing_behind(empty: str, small: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.sql"
    broken.write_text(SMALL + "SELECT 1 / 0;")
    with pytest.raises(asyncpg.DivisionByZeroError):
        async with Database.open(empty, schema=broken):
            pass
    async with Database.open(empty, schema=small) as database:
        assert await amount(database) == 100


async def test_a_server_that_is_too_old_is_refused(empty: str, small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_module, "_OLDEST_SERVER", 990000)
    with pytest.raises(DatabaseRefused, match=r"^PostgreSQL 1\d.* is too old: 15 or newer is needed\.$"):
        async with Database.open(empty, schema=small):
            pass


async def test_a_database_that_does_not_exist_is_refused(empty: str, small: Path) -> None:
    with pytest.raises(DatabaseRefused, match="does not exist"):
        async with Database.open(in_database(empty, "nowhere"), schema=small):
            pass


async def test_the_role_of_the_program_gets_a_password_every_replica_finds(folder: Path, small: Path) -> None:
    async with running(folder) as server:
        await statement(server.owner_dsn("postgres"), "CREATE ROLE chief LOGIN CREATEROLE PASSWORD 'p@ss/w:rd'")
        await statement(server.owner_dsn("postgres"), "CREATE DATABASE money OWNER chief")
        rules = folder / "postgres" / "pg_hba.conf"
        rules.write_text("local all postgres trust\nlocal all all scram-sha-256\n")
        await statement(server.owner_dsn("postgres"), "SELECT pg_reload_conf()")
        url = server.owner_dsn("money").replace("postgres@", quote("chief:p@ss/w:rd", safe=":") + "@")
        url = url.replace("chief:p%40ss%2Fw:rd", "chief:p%40ss%2Fw%3Ard")
        for change in (
            "SELECT 1",
            f"ALTER ROLE {APP_ROLE} PASSWORD 'other'",
            f"ALTER ROLE {APP_ROLE} NOLOGIN",
        ):
            await statement(server.owner_dsn("postgres"), change)
            async with Database.open(url, schema=small) as first, Database.open(url, schema=small) as second:
                assert first.restricted
                assert second.restricted
                assert await amount(first) == await amount(second) == 100


async def test_hosting_with_a_single_login_works_and_says_so(
    folder: Path, small: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(folder) as server:
        await statement(server.owner_dsn("postgres"), "CREATE ROLE tenant LOGIN")
        await statement(server.owner_dsn("postgres"), "CREATE DATABASE money OWNER tenant")
        url = server.owner_dsn("money").replace("postgres@", "tenant@")
        async with Database.open(url, schema=small) as database:
            assert not database.restricted
            assert "only triggers protect the ledger" in caplog.text
            async with database.connection() as tx:
                assert await tx.fetchval("SELECT current_user") == "tenant"
                assert await tx.fetchval("SELECT current_setting('statement_timeout')") == "5s"
        # A role that comes later has no rights in what was made without it.
        await statement(server.owner_dsn("postgres"), f"CREATE ROLE {APP_ROLE} LOGIN")
        async with Database.open(url, schema=small) as database:
            assert not database.restricted


async def test_an_owner_who_may_not_make_tables_is_told(folder: Path, small: Path) -> None:
    async with running(folder) as server:
        await statement(server.owner_dsn("postgres"), "CREATE ROLE guest LOGIN")
        with pytest.raises(DatabaseRefused, match="make it the owner of the database"):
            async with Database.open(server.owner_dsn("postgres").replace("postgres@", "guest@"), schema=small):
                pass


# Afterwards.


async def test_values_come_back_as_they_went(opened: Database) -> None:
    async with opened.transaction() as tx:
        facts = {"minor": 2**53 + 1, "text": "при\u00a0вет", "list": [1, None, True]}
        await tx.execute("UPDATE wallet SET facts = $1 WHERE id = 1", facts)
        assert await tx.fetchval("SELECT facts FROM wallet WHERE id = 1") == facts
        told = await tx.fetchval("INSERT INTO note (id) VALUES (1) RETURNING told_at")
        assert told.utcoffset() == timedelta(0)


async def test_a_transaction_is_all_or_nothing(opened: Database) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        async with opened.transaction() as tx:
            await tx.execute("UPDATE wallet SET amount = amount + 50 WHERE id = 2")
            await tx.execute("UPDATE wallet SET amount = amount - 150 WHERE id = 1")
    async with opened.connection() as tx:
        assert await tx.fetchval("SELECT sum(amount) FROM wallet") == 200


async def test_a_deadlock_is_run_again(opened: Database) -> None:
    async def move(giver: int, taker: int, amount: int) -> None:
        async def work(tx: Tx) -> None:
            await tx.execute("UPDATE wallet SET amount = amount - $2 WHERE id = $1", giver, amount)
            await asyncio.sleep(0.1)
            await tx.execute("UPDATE wallet SET amount = amount + $2 WHERE id = $1", taker, amount)

        await opened.run(work)

    await asyncio.gather(move(1, 2, 30), move(2, 1, 10))
    assert await amount(opened) == 80


async def test_a_lost_connection_is_run_again(opened: Database) -> None:
    tries = 0

    async def work(tx: Tx) -> None:
        nonlocal tries
        tries += 1
        await tx.execute("UPDATE wallet SET amount = amount - 1 WHERE id = 1")
        if tries < 3:
            pid = await tx.fetchval("SELECT pg_backend_pid()")
            async with opened.owner() as owner:
                await owner.execute("SELECT pg_terminate_backend($1, 1000)", pid)
        await tx.execute("UPDATE wallet SET amount = amount - 1 WHERE id = 1")

    await opened.run(work)
    assert tries == 3
    assert await amount(opened) == 98


async def test_what_stays_locked_ends_in_one_word(opened: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_module, "_TRIES", 2)
    async with opened.owner() as owner:
        await owner.execute("UPDATE wallet SET amount = 1")
        async with owner.transaction():
            await owner.execute("UPDATE wallet SET amount = 2 WHERE id = 1")
            with pytest.raises(DatabaseUnavailable):
                await opened.run(lambda tx: tx.execute("UPDATE wallet SET amount = 3 WHERE id = 1"))
    assert await amount(opened) == 2


async def test_a_refusal_is_not_run_again(opened: Database) -> None:
    tries = 0

    async def work(tx: Tx) -> None:
        nonlocal tries
        tries += 1
        await tx.execute("UPDATE wallet SET amount = -1 WHERE id = 1")

    with pytest.raises(asyncpg.CheckViolationError):
        await opened.run(work)
    assert tries == 1


async def test_a_pool_with_nothing_left_says_so_in_time(opened: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_module, "_ACQUIRE_SECONDS", 0.2)
    free = asyncio.Event()

    async def hold() -> None:
        async with opened.connection():
            await free.wait()

    async with asyncio.TaskGroup() as group:
        for _ in range(16):
            group.create_task(hold())
        await asyncio.sleep(0.5)
        with pytest.raises(DatabaseUnavailable):
            await amount(opened)
        free.set()
    assert await amount(opened) == 100


async def test_a_stopped_server_is_unavailable_and_then_available_again(folder: Path, small: Path) -> None:
    server = await Embedded.start(folder, durable=False)
    async with Database.open(server, schema=small) as database:
        await server.stop()
        for use in (database.connection, database.transaction, database.owner):
            with pytest.raises(DatabaseUnavailable):
                async with use() as tx:
                    await tx.execute("SELECT 1")
        with pytest.raises(DatabaseUnavailable):
            await database.run(lambda tx: tx.execute("SELECT 1"))
        async with running(folder):
            assert await amount(database) == 100
    with pytest.raises(DatabaseUnavailable):
        async with Database.open(server.owner_dsn("looseline"), schema=small):
            pass


async def test_a_frozen_server_is_given_up_in_time(folder: Path, small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_module, "_ANSWER_SECONDS", 1)
    monkeypatch.setattr(database_module, "_ACQUIRE_SECONDS", 1)
    async with running(folder) as server, Database.open(server, schema=small) as database:
        async with database.connection() as tx:
            pid = await tx.fetchval("SELECT pg_backend_pid()")
        os.kill(pid, signal.SIGSTOP)
        began = asyncio.get_running_loop().time()
        try:
            with pytest.raises(DatabaseUnavailable):
                await amount(database)
        finally:
            os.kill(pid, signal.SIGCONT)
        assert asyncio.get_running_loop().time() - began < 5
        assert await amount(database) == 100


async def test_who_leaves_while_a_frozen_server_is_waited_for_is_not_missed(
    folder: Path, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "_ACQUIRE_SECONDS", 0.5)
    complaints: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context["message"]))
    asked = asyncio.Event()
    async with running(folder) as server, Database.open(server, schema=small) as database:

        async def ask() -> None:
            async with database.connection() as tx:
                asked.set()
                await tx.execute("SELECT 1")

        async with database.connection() as tx:
            pid = await tx.fetchval("SELECT pg_backend_pid()")
        others = asyncio.all_tasks()
        os.kill(pid, signal.SIGSTOP)
        try:
            asking = asyncio.create_task(ask())
            await asked.wait()
            for _ in range(2):  # the question is called off, and then the wait until the server has heard of that
                asking.cancel()
                for _ in range(5):
                    await asyncio.sleep(0)
            assert asking.cancelled()
            left = asyncio.all_tasks() - others
            assert left
            await asyncio.wait(left)
            del left
            gc.collect()
        finally:
            os.kill(pid, signal.SIGCONT)
        assert await amount(database) == 100
    assert complaints == []


async def test_play_money_and_real_money_never_share_a_database(database_url: str) -> None:
    async with Database.open(database_url) as database:
        await database.dedicate(sandbox=True)
        await database.dedicate(sandbox=True)
        with pytest.raises(DatabaseRefused, match="play money"):
            await database.dedicate(sandbox=False)
    async with Database.open(database_url) as database:
        with pytest.raises(DatabaseRefused, match="play money"):
            await database.dedicate(sandbox=False)
