"""The way to PostgreSQL: schema, roles, limits; then a pool, transactions and one word for "down"."""

import asyncio
import base64
import hashlib
import hmac
import json
import logging
import os
import random
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Self, TypeAlias, TypeVar
from urllib.parse import parse_qs, unquote, urlsplit

import asyncpg

from db.embedded import Embedded
from db.money import CURRENCIES

logger = logging.getLogger(__name__)

SCHEMA = Path(__file__).resolve().parent.parent / "schema.sql"
SCHEMA_VERSION = 4
APP_ROLE = "lb_app"
"""The login of the program. It may read the ledger and call its functions, and nothing else there."""

Tx: TypeAlias = "asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"
T = TypeVar("T")

_EMBEDDED_DATABASE = "looseline"
_OLDEST_SERVER = 150000
_SETUP_LOCK = 0x4C4F4F53  # any number, the same in every version of the program
_TRIES = 5
_CACHED = 200  # prepared statements of a connection
_MEETINGS = 20
"""Tries to find out what a pooler does with them."""
_ACQUIRE_SECONDS = 5
_CONNECT_SECONDS = 4
_ANSWER_SECONDS = 6  # for a server that vanished; a living one keeps to statement_timeout
# Kept by the server for the login, so they hold behind PgBouncer too, where a session is nobody's own.
_LIMITS = {
    "statement_timeout": "5s",
    "lock_timeout": "2s",
    "idle_in_transaction_session_timeout": "15s",
    "search_path": "public",
    "TimeZone": "UTC",  # as the server spells it, or it would be set anew at every start
}
# Another try may well succeed: serialization failure, deadlock, lock timeout.
_CONFLICTS = frozenset({"40001", "40P01", "55P03"})
# The server went away, refuses logins, is full, was told to stop, or is a standby after a failover.
_OUTAGE_CLASSES = frozenset({"08", "28", "53", "57", "58"})
_OUTAGES = frozenset({"25006", "25P03", "55000"})
_GONE = frozenset({"57P01", "57P02", "57P03", "25P03"})


class DatabaseUnavailable(Exception):
    """Nothing can be said of the work: the database is down, unreachable or too busy. To be repeated later.

    `passing` tells that repeating it at once makes sense.
    """

    def __init__(self, reason: str, *, passing: bool) -> None:
        super().__init__(reason)
        self.passing = passing


class DatabaseRefused(Exception):
    """This database cannot serve the program until somebody changes something; the text says what."""


class SchemaMismatch(DatabaseRefused):
    """The database was made by another version of the program, or by another program."""


class Database:
    """A pool of connections, and no other state: any number of processes may share a server."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", owner_dsn: str, *, restricted: bool) -> None:
        self._pool = pool
        self._owner_dsn = owner_dsn
        self.restricted = restricted
        """Whether the pool's login may not write the ledger. If not, only triggers protect it."""

    @classmethod
    @asynccontextmanager
    async def open(
        cls, server: str | Embedded, *, application_name: str = "looseline", schema: Path = SCHEMA
    ) -> AsyncIterator[Self]:
        """Makes the database ready and keeps a pool to it. `server` is an address or the embedded one.

        Raises DatabaseUnavailable, or DatabaseRefused (SchemaMismatch) with what to do.
        """
        with _told_plainly():
            dsn = await _embedded_database(server) if isinstance(server, Embedded) else server
            restricted, keeps = await _prepare(dsn, schema)
            user, password = _app_login(dsn) if restricted else (None, None)
            pool = asyncpg.create_pool(
                dsn,
                user=user,
                password=password,
                min_size=1,  # more are opened when they are wanted
                max_size=16,
                init=_speak_json,
                reset=_keep,
                timeout=_CONNECT_SECONDS,
                statement_cache_size=_CACHED if keeps else 0,
                command_timeout=_ANSWER_SECONDS,
                server_settings={"application_name": application_name},
            )
            await pool
        try:
            yield cls(pool, dsn, restricted=restricted)
        finally:
            try:
                async with asyncio.timeout(5):
                    await pool.close()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
                # Still in use after all, or the server went first.
                logger.warning("database connections were cut off", extra={"reason": type(error).__name__})
                pool.terminate()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Tx]:
        """A connection for one statement, which is its own transaction."""
        with _told_plainly():
            tx = await self._pool.acquire(timeout=_ACQUIRE_SECONDS)
            try:
                yield tx
            except BaseException as error:
                if isinstance(error, asyncpg.InterfaceError | asyncpg.InternalClientError):
                    with suppress(asyncpg.InterfaceError):  # gone already
                        tx.terminate()  # it may have lost count of questions and answers
                await self._give_back(tx)
                raise
            await self._pool.release(tx)

    async def _give_back(self, tx: "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]") -> None:
        """After an error. A running query may first have to be cancelled, which a frozen server does not answer.
        Whoever is cancelled meanwhile may leave; the release goes on, and its own error replaces none."""
        giving = asyncio.create_task(self._pool.release(tx))
        giving.add_done_callback(lambda done: done.cancelled() or done.exception())
        await asyncio.wait([giving])

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Tx]:
        """A transaction, committed at the end of the block. Never to be held across a call to the outside."""
        async with self.connection() as tx, tx.transaction():
            yield tx

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Tx]:
        """A transaction that only reads, and sees everything as of one moment."""
        async with self.connection() as tx, tx.transaction(isolation="repeatable_read", readonly=True):
            yield tx

    async def run(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        """Runs `work` in a transaction, again from the start after a conflict or a lost connection.

        The answer to a commit can get lost, so `work` must be harmless twice.
        """
        for attempt in range(1, _TRIES):
            try:
                async with self.transaction() as tx:
                    return await work(tx)
            except DatabaseUnavailable as error:
                if not error.passing:
                    raise
                logger.info("transaction is tried again", extra={"attempt": attempt, "reason": str(error)})
            await asyncio.sleep(random.uniform(0.5, 1) * 0.05 * 2**attempt)
        async with self.transaction() as tx:
            return await work(tx)

    async def dedicate(self, *, sandbox: bool) -> None:
        """Keeps play money and real money apart: what a database was first used for, it is used for. Raises
        DatabaseRefused."""
        async with self.owner() as owner:
            await owner.execute("UPDATE schema_version SET sandbox = $1 WHERE sandbox IS NULL", sandbox)
            played = await owner.fetchval("SELECT sandbox FROM schema_version")
        if played and not sandbox:
            raise DatabaseRefused(
                "This database holds the sandbox's play money: give the real bot another DATA_DIR or DATABASE_URL."
            )
        if sandbox and not played:
            raise DatabaseRefused(
                "This database holds real money: set TELEGRAM_TOKEN, or give the sandbox another DATA_DIR."
            )

    @asynccontextmanager
    async def outside(self) -> AsyncIterator[Tx]:
        """A connection with the program's own login outside the pool, for what holds one long. It is closed as it is:
        an open transaction is rolled back."""
        user, password = _app_login(self._owner_dsn) if self.restricted else (None, None)
        with _told_plainly():
            connection = await _connect(self._owner_dsn, user, password)
            try:
                yield connection
            finally:
                with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                    await connection.close(timeout=_CONNECT_SECONDS)

    @asynccontextmanager
    async def owner(self) -> AsyncIterator[Tx]:
        """A connection of the database's owner, outside the pool: for proving the books and for tests.

        Statements commit by themselves. Where owner and program share one login, its limits hold here too:
        long work says `SET LOCAL statement_timeout = 0` in a transaction of its own.
        """
        with _told_plainly():
            connection = await _connect(self._owner_dsn)
            try:
                await _speak_json(connection)
                yield connection
            finally:
                await connection.close(timeout=_CONNECT_SECONDS)


def present(row: asyncpg.Record | None) -> asyncpg.Record:
    """The row of a statement that always returns one."""
    if row is None:
        raise LookupError("a statement that always returns a row returned none")
    return row


@contextmanager
def _told_plainly() -> Iterator[None]:
    """Turns whatever means "the database cannot answer now" into DatabaseUnavailable."""
    try:
        yield
    except asyncpg.PostgresError as error:
        code = error.sqlstate or ""
        if code[:2] not in _OUTAGE_CLASSES and code not in _OUTAGES | _CONFLICTS:
            raise
        passing = code[:2] == "08" or code in _GONE | _CONFLICTS
        raise DatabaseUnavailable(f"{type(error).__name__} {code}", passing=passing) from error
    except (asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        # asyncpg loses its way when the server dies between two messages; then a rollback fails as well.
        lost = isinstance(error, asyncpg.InternalClientError) or isinstance(
            error.__context__, asyncpg.InternalClientError
        )
        if not lost and "connection is closed" not in str(error) and "pool is clos" not in str(error):
            raise
        raise DatabaseUnavailable("connection is lost", passing="pool" not in str(error)) from error
    except OSError as error:  # refused, reset, no such host; and TimeoutError, after which all patience is spent
        raise DatabaseUnavailable(type(error).__name__, passing=not isinstance(error, TimeoutError)) from error


async def _connect(
    dsn: str, user: str | None = None, password: str | None = None, *, cached: int = 0
) -> "asyncpg.Connection[asyncpg.Record]":
    return await asyncpg.connect(
        dsn, user=user, password=password, timeout=_CONNECT_SECONDS, statement_cache_size=cached
    )


async def _keeps_statements(dsn: str, user: str | None = None, password: str | None = None) -> bool | None:
    """Whether a statement prepared once can be used again; None when the login is refused. A pooler may lead each
    transaction to another session; PgBouncer follows with the statements from 1.21 on, when max_prepared_statements is
    above 0.

    Behind a pooler, which answers for a server process that is none, it is believed only when seen: the statement is
    asked for while somebody else has the session that it was prepared in. While others use the pooler too, that takes
    some tries. Its name is nobody else's: what an earlier process left in the pooler's sessions must not answer for it.
    """
    session = "SELECT pg_backend_pid()"
    try:
        one = await _connect(dsn, user, password, cached=1)
    except asyncpg.PostgresError as error:
        if isinstance(error, asyncpg.CannotConnectNowError | asyncpg.TooManyConnectionsError):
            raise
        return None  # no such role, another password, no line for it at the server or at the pooler
    try:
        async with one.transaction():
            asked = await one.prepare(session, name=f"meeting_{secrets.token_hex(8)}")
            home = await asked.fetchval()
        if home == one.get_server_pid():
            return True
        other = await _connect(dsn, user, password, cached=1)
        try:
            for _ in range(_MEETINGS):
                async with other.transaction():
                    if await other.fetchval(session) == home:
                        await asked.fetchval(timeout=2)
                        return True
        except (asyncpg.InvalidSQLStatementNameError, asyncpg.DuplicatePreparedStatementError, TimeoutError):
            pass
        finally:
            await other.close(timeout=_CONNECT_SECONDS)
    finally:
        await one.close(timeout=_CONNECT_SECONDS)
    logger.warning("the pooler in front of the database loses prepared statements: working without them")
    return False


async def _speak_json(connection: Tx) -> None:
    await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=json.dumps, decoder=json.loads)


async def _keep(_: object) -> None:
    """Instead of asyncpg's reset: nothing here leaves a trace in a session, and the reset is a round trip."""


async def _embedded_database(server: Embedded) -> str:
    postgres = await _connect(server.owner_dsn("postgres"))
    try:
        with suppress(asyncpg.DuplicateDatabaseError):
            await postgres.execute(f"CREATE DATABASE {_EMBEDDED_DATABASE}")
    finally:
        await postgres.close()
    return server.owner_dsn(_EMBEDDED_DATABASE)


async def _prepare(dsn: str, schema: Path) -> tuple[bool, bool]:
    """Schema, role, currencies and limits; returns whether the program can log in as its own role, and whether a
    statement prepared once can be used again."""
    text = await asyncio.to_thread(schema.read_text, "utf-8")
    try:
        owner = await _connect(dsn)
    except (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError) as error:
        raise DatabaseRefused(f"The server refuses DATABASE_URL: {error}.") from error
    except asyncpg.ClientConfigurationError as error:
        raise DatabaseRefused(f"DATABASE_URL is not a PostgreSQL address: {error}.") from error
    try:
        # A login that fails is held against the next ones by PgBouncer for a while, so none is tried in vain.
        exists = await owner.fetchval("SELECT true FROM pg_roles WHERE rolname = $1", APP_ROLE)
        keeps = await _keeps_statements(dsn, *_app_login(dsn)) if exists else None
        for attempt in range(_TRIES):
            try:
                # One transaction, so that its lock holds behind PgBouncer too: of several processes
                # that start at once, one prepares and the others find it done.
                async with owner.transaction():
                    await _set_up(owner, dsn, text, make_role=keeps is None)
                break
            except (asyncpg.InternalServerError, asyncpg.UniqueViolationError, asyncpg.DuplicateObjectError):
                # Roles belong to the whole server, the lock to one database: somebody else made the role.
                if attempt == _TRIES - 1:
                    raise
                await asyncio.sleep(random.uniform(0.05, 0.2))
        if keeps is None:
            keeps = await _keeps_statements(dsn, *_app_login(dsn))
        # The login was given its rights only if it was there when the schema was applied.
        if keeps is not None and await owner.fetchval(
            "SELECT has_table_privilege($1, 'public.schema_version', 'SELECT')", APP_ROLE
        ):
            return True, keeps
        async with owner.transaction():
            await _limit(owner, await owner.fetchval("SELECT current_user"))
    except asyncpg.InsufficientPrivilegeError as error:
        raise DatabaseRefused(
            f"The login in DATABASE_URL may not do enough ({error}): make it the owner of the database."
        ) from error
    finally:
        await owner.close(timeout=_CONNECT_SECONDS)
    logger.warning("the program logs in as the owner of the database: only triggers protect the ledger")
    return False, bool(await _keeps_statements(dsn) if keeps is None else keeps)


async def _set_up(owner: Tx, dsn: str, schema: str, *, make_role: bool) -> None:
    await owner.execute(
        "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0; SET LOCAL search_path = public;"
        f"SELECT pg_advisory_xact_lock({_SETUP_LOCK})"
    )
    version = int(await owner.fetchval("SHOW server_version_num"))
    if version < _OLDEST_SERVER:
        raise DatabaseRefused(
            f"PostgreSQL {await owner.fetchval('SHOW server_version')} is too old: 15 or newer is needed."
        )
    if make_role:
        await _make_role(owner, dsn)
    role = bool(await owner.fetchval("SELECT true FROM pg_roles WHERE rolname = $1", APP_ROLE))
    await _apply(owner, schema, role=role)
    await owner.executemany(
        "SELECT currency_open($1, $2, $3)",
        [(currency.code, currency.number, currency.exponent) for currency in CURRENCIES.values()],
    )
    if role:
        await _limit(owner, APP_ROLE)
        await _forbid_temporary(owner)


async def _make_role(owner: Tx, dsn: str) -> None:
    _, password = _app_login(dsn)
    secret = f" PASSWORD '{_scram(password)}'" if password else ""
    exists = await owner.fetchval("SELECT true FROM pg_roles WHERE rolname = $1", APP_ROLE)
    with suppress(asyncpg.InsufficientPrivilegeError):
        async with owner.transaction():
            await owner.execute(f"{'ALTER' if exists else 'CREATE'} ROLE {APP_ROLE} LOGIN{secret}")


async def _apply(owner: Tx, schema: str, *, role: bool) -> None:
    """Applies the schema to an empty database; refuses one that is neither empty nor ours."""
    checksum = hashlib.sha256(schema.encode()).hexdigest()
    tables = await owner.fetch(
        """
        SELECT relname FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
          AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid
                                                  AND deptype = 'e')
        ORDER BY relname
        """
    )
    names = [row["relname"] for row in tables]
    if not names:
        await owner.execute(schema)
        await owner.execute(
            """
            CREATE TABLE schema_version (
              version int NOT NULL, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now(),
              sandbox boolean)
            """
        )
        await owner.execute("INSERT INTO schema_version (version, checksum) VALUES ($1, $2)", SCHEMA_VERSION, checksum)
        if role:
            await owner.execute(f"GRANT SELECT ON schema_version TO {APP_ROLE}")
        return
    if "schema_version" not in names:
        raise SchemaMismatch(
            f"The database holds something else ({', '.join(names[:3])}…): give Looseline an empty one."
        )
    found = await owner.fetchrow("SELECT version, checksum FROM schema_version")
    version = found["version"] if found else 0
    if version != SCHEMA_VERSION:
        raise SchemaMismatch(
            f"{'A newer' if version > SCHEMA_VERSION else 'An older'} Looseline made the database "
            f"(its schema is version {version}, this program's {SCHEMA_VERSION}): "
            "run the program that made it, or give this one an empty database."
        )
    if found and found["checksum"] != checksum:
        raise SchemaMismatch(
            "The database was made from another schema.sql of the same version: put that file back, "
            "or give this program an empty database."
        )


async def _limit(owner: Tx, role: str) -> None:
    """Sets the limits of a login in this database; asks first, because two writers of one setting collide."""
    statements = await owner.fetchval(
        """
        SELECT string_agg(
            format('ALTER ROLE %I IN DATABASE %I SET %I = %L', $1::text, current_database(), name, value), ';')
          FROM unnest($2::text[], $3::text[]) AS limits (name, value)
          WHERE NOT EXISTS (SELECT FROM pg_db_role_setting
            WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
              AND setrole = (SELECT oid FROM pg_roles WHERE rolname = $1)
              AND format('%s=%s', name, value) = ANY (setconfig))
        """,
        *(role, list(_LIMITS), list(_LIMITS.values())),
    )
    if statements:
        try:
            async with owner.transaction():
                await owner.execute(statements)
        except asyncpg.InsufficientPrivilegeError:
            logger.warning("the owner of the database may not set the limits of the login", extra={"role": role})


async def _forbid_temporary(owner: Tx) -> None:
    """The program makes no temporary tables: one would be found before ours by whoever names a table without its
    schema. A right in the whole database is in no dump, so it is looked at in each start."""
    statement = await owner.fetchval(
        "SELECT format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC, %I', current_database(), $1::text)"
        " WHERE has_database_privilege($1, current_database(), 'TEMPORARY')",
        APP_ROLE,
    )
    if statement:
        await owner.execute(statement)


def _app_login(dsn: str) -> tuple[str, str | None]:
    """Name and password of the program's role. The password follows from the owner's, so replicas agree."""
    address = urlsplit(dsn)
    owners = unquote(address.password or "") or parse_qs(address.query).get("password", [""])[0]
    owners = owners or os.environ.get("PGPASSWORD", "")
    return APP_ROLE, hmac.new(owners.encode(), APP_ROLE.encode(), "sha256").hexdigest() if owners else None


def _scram(password: str) -> str:
    """What the server keeps of a password, made here so that the password is in no statement and no log.

    https://www.postgresql.org/docs/current/catalog-pg-authid.html
    """
    salt, rounds = secrets.token_bytes(16), 4096
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, rounds)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    words = [base64.b64encode(part).decode() for part in (salt, stored, server)]
    return f"SCRAM-SHA-256${rounds}:{words[0]}${words[1]}:{words[2]}"
