"""The SQLite storage: one writer, whose every batch is one transaction, and one reader."""

import sqlite3
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from datetime import datetime
from math import nan
from pathlib import Path
from typing import Self, TypeVar, cast
from urllib.parse import parse_qsl, unquote, urlsplit

from aiocredits._commands import Command, Outcome
from aiocredits._ledger import Scope, decide, scope_of
from aiocredits._queries import Page, Query
from aiocredits.errors import (
    ConfigurationError,
    ContentionError,
    StorageError,
    StorageUnavailableError,
)
from aiocredits.storages.base import KeyTakenError
from aiocredits.storages.sqlite.cache import Cache
from aiocredits.storages.sqlite.reading import answer
from aiocredits.storages.sqlite.schema import migrate
from aiocredits.storages.sqlite.thread import ConnectionThread, close, connect
from aiocredits.storages.sqlite.unit import Unit

_LONGEST_TIMEOUT = 86_400.0

T = TypeVar("T")
Row = TypeVar("Row")

BUSY_TIMEOUT = 30.0
"""Seconds to wait while other processes write, before `ContentionError`."""


class SqliteStorage:
    """Books in a SQLite file, which several processes may open at once.

    URLs are ``sqlite:///relative.db`` and ``sqlite:////absolute.db``, with ``?busy_timeout=30`` for
    how many seconds to wait for other processes. Every acknowledged batch is on the disk: the
    journal is a WAL and ``synchronous`` is FULL.
    """

    def __init__(self, path: str | Path, *, busy_timeout: float = BUSY_TIMEOUT) -> None:
        if str(path) in {"", ":memory:"} or "\0" in str(path):
            raise ConfigurationError(
                f"{str(path)!r} is no file: name one, as in 'sqlite:///credits.db', or keep books "
                "in memory with 'memory://'"
            )
        self._path = Path(path)
        self._busy_timeout = busy_timeout
        self._writer: ConnectionThread | None = None
        self._reader: ConnectionThread | None = None
        self._cache = Cache()

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Return a storage for a ``sqlite:///`` URL."""
        parts = urlsplit(url)
        if parts.fragment:
            raise ConfigurationError(
                f"{url!r}: a '#' or '?' in a file's name is written %23 or %3F"
            )
        if parts.netloc or not parts.path:
            raise ConfigurationError(
                f"{url!r}: a file is named after three slashes, 'sqlite:///relative.db', an "
                "absolute one after four, 'sqlite:////absolute.db'"
            )
        options = dict(parse_qsl(parts.query, keep_blank_values=True))
        try:
            busy_timeout = float(options.pop("busy_timeout", BUSY_TIMEOUT))
        except ValueError:
            busy_timeout = nan
        if not 0 <= busy_timeout <= _LONGEST_TIMEOUT:
            raise ConfigurationError(f"{url!r}: busy_timeout is a number of seconds, up to a day")
        if options:
            raise ConfigurationError(
                f"{url!r}: unknown option {', '.join(sorted(options))}; known is busy_timeout"
            )
        return cls(unquote(parts.path[1:]), busy_timeout=busy_timeout)

    def sibling(self) -> "SqliteStorage":
        """Return a storage of the same file for another event loop, even one that blocks this.

        Every transaction is one visit to the connection's thread, so that none stays open, and
        locks the other out, because its own loop is waiting.
        """
        return SqliteStorage(self._path, busy_timeout=self._busy_timeout)

    async def open(self) -> None:
        """Open the file, create it where it is missing, and bring its tables up to date."""
        try:
            with _translated(self._path):
                writer = self._writer = await connect(self._open_writer)
                await writer.run(migrate)
                self._reader = await connect(self._open_reader)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Close both connections, after what they are at."""
        reader, self._reader = self._reader, None
        writer, self._writer = self._writer, None
        # What it remembers is compared with a number that only this connection knows.
        self._cache = Cache()
        await close([connection for connection in (reader, writer) if connection is not None])

    async def apply(self, commands: Sequence[Command], *, at: datetime) -> Sequence[Outcome]:
        """Run the commands in one transaction, in one visit to the writer's thread."""
        with _translated(self._path):
            try:
                return await self._write(_Batch(self._cache, commands, scope_of(commands), at))
            except KeyTakenError:
                scope = scope_of(commands, every_key=True)
                return await self._write(_Batch(self._cache, commands, scope, at))

    async def read(self, query: Query[Row]) -> Page[Row]:
        """Answer a query from the last committed state, whatever the writer is at."""
        if self._reader is None:
            raise StorageUnavailableError(f"{self._path} is not open: open the storage first")
        with _translated(self._path):
            page = await self._reader.run(lambda connection: answer(connection, query))
        return cast("Page[Row]", page)

    async def _write(self, function: Callable[[sqlite3.Connection], T]) -> T:
        if self._writer is None:
            raise StorageUnavailableError(f"{self._path} is not open: open the storage first")
        return await self._writer.run(function)

    def _open_writer(self) -> sqlite3.Connection:
        connection = self._open_connection()
        _make_wal(connection, self._busy_timeout)
        # In a WAL, NORMAL would lose the last commits when the power fails.
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
        connection.execute(f"PRAGMA cache_size = {-_CACHE_KIB}")
        return connection

    def _open_reader(self) -> sqlite3.Connection:
        connection = self._open_connection()
        connection.execute("PRAGMA query_only = ON")
        return connection

    def _open_connection(self) -> sqlite3.Connection:
        # isolation_level=None: no statement opens a transaction unless it says so.
        return sqlite3.connect(self._path, timeout=self._busy_timeout, isolation_level=None)


# 32 MB, so that the inner pages of the indexes of a large file stay in memory.
_CACHE_KIB = 32_000

# 64 MB: pages that many batches have changed are then copied into the file once, not every time.
_CHECKPOINT_PAGES = 16_000


class _Batch:
    """One transaction: lock, load, decide, save. Runs on the writer's thread."""

    def __init__(
        self, cache: Cache, commands: Sequence[Command], scope: Scope, at: datetime
    ) -> None:
        self._cache = cache
        self._commands = commands
        self._scope = scope
        self._at = at

    def __call__(self, connection: sqlite3.Connection) -> Sequence[Outcome]:
        # IMMEDIATE takes the write lock before the first read: nobody can write in between.
        connection.execute("BEGIN IMMEDIATE")
        try:
            unit = Unit(connection)
            state = self._cache.load(connection, unit, self._scope, self._at)
            decision = decide(state, self._commands, self._at)
            unit.save(decision.changes)
            connection.execute("COMMIT")
        except BaseException as error:
            self._cache.clear()
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            if isinstance(error, sqlite3.IntegrityError) and "credit_entries.key" in str(error):
                raise KeyTakenError(f"{error}") from error
            raise
        self._cache.keep(decision.books)
        return decision.outcomes


_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}

_PAUSE = 0.005


def _make_wal(connection: sqlite3.Connection, patience: float) -> None:
    """Turn the journal into a WAL, which is the one lock that SQLite itself does not wait for."""
    deadline = time.monotonic() + patience
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF not in _BUSY or time.monotonic() >= deadline:
                raise
            time.sleep(_PAUSE)
        else:
            return


@contextmanager
def _translated(path: Path) -> Generator[None]:
    """Let no exception of the driver through."""
    try:
        yield
    except sqlite3.Error as error:
        # The low byte is the primary code; the rest says more than anybody acts on.
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        if code in _BUSY:
            raise ContentionError(
                f"{path} was locked by other processes until the deadline, and nothing was "
                "written: try again, or raise ?busy_timeout="
            ) from error
        if isinstance(error, sqlite3.IntegrityError):
            raise StorageError(
                f"{path} refused a write, and nothing was written: {error}"
            ) from error
        raise StorageUnavailableError(
            f"{path} cannot be used, and nothing was written: {error}; check the path, the disk "
            "and the permissions"
        ) from error
    except OverflowError as error:
        raise StorageError(
            f"{path} cannot hold so large a number, and nothing was written: {error}"
        ) from error
    except ValueError as error:
        if "no active connection" in str(error) or "Connection closed" in str(error):
            raise StorageUnavailableError(f"{path} is closed: open the storage first") from error
        raise
