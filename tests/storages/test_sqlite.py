"""Books in a SQLite file: held to the ledger, on the disk before they are acknowledged, shared."""

import asyncio
import contextlib
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from aiocredits._commands import Accepted, Command
from aiocredits._queries import AccountsQuery, BooksQuery, EntriesQuery
from aiocredits.errors import (
    ConfigurationError,
    ContentionError,
    SchemaOutdatedError,
    StorageError,
    StorageUnavailableError,
)
from aiocredits.storages import storage_from_url
from aiocredits.storages._sql import migrations
from aiocredits.storages.sqlite import SqliteStorage
from aiocredits.storages.sqlite.storage import _translated
from aiocredits.storages.sqlite.thread import ConnectionThread
from aiocredits.storages.sqlite.unit import SQL
from aiocredits.testing import StorageConformance
from aiocredits.testing.asking import Connect, opened
from aiocredits.testing.clock import BEGINNING
from aiocredits.testing.comparison import audit
from aiocredits.testing.stories import A, consume, grant, hold

PACKAGE = "aiocredits.storages.sqlite"
T = TypeVar("T")


class TestSqlite(StorageConformance):
    @pytest.fixture
    def connect(self, tmp_path: Path) -> Connect:
        return lambda: SqliteStorage(tmp_path / "books.db")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "books.db"


@pytest.fixture
async def storage(path: Path) -> AsyncIterator[SqliteStorage]:
    storage = SqliteStorage(path, busy_timeout=0.05)
    async with opened(storage):
        yield storage


@contextlib.contextmanager
def raw(path: Path) -> Iterator[sqlite3.Connection]:
    """Look at a file, or lock it, from outside the library."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection


async def on_writer(storage: SqliteStorage, function: Callable[[sqlite3.Connection], T]) -> T:
    assert storage._writer is not None
    return await storage._writer.run(function)


async def apply(storage: SqliteStorage, *commands: Command) -> list[bool]:
    outcomes = await storage.apply(commands, at=BEGINNING)
    return [isinstance(outcome, Accepted) for outcome in outcomes]


async def version(storage: SqliteStorage, name: str = A) -> int:
    return (await storage.read(BooksQuery(name, BEGINNING))).rows[0].account.version


# Durability


@pytest.mark.parametrize(
    ("pragma", "value"),
    [("journal_mode", "wal"), ("synchronous", 2), ("query_only", 0), ("foreign_keys", 0)],
)
async def test_the_writer_waits_for_the_disk(
    storage: SqliteStorage, pragma: str, value: object
) -> None:
    found = await on_writer(storage, lambda c: c.execute(f"PRAGMA {pragma}").fetchone())
    assert found == (value,)


async def test_the_reader_cannot_write(storage: SqliteStorage) -> None:
    assert storage._reader is not None
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        await storage._reader.run(lambda c: c.execute("DELETE FROM credit_accounts"))


# The schema


def schema_of(connection: sqlite3.Connection) -> list[tuple[str, ...]]:
    """Return all that was created, without what only migrations have: their own table."""
    return connection.execute(
        "SELECT type, name, tbl_name, sql FROM sqlite_schema"
        " WHERE name <> 'credit_schema' ORDER BY type, name"
    ).fetchall()


async def test_the_schema_is_the_sum_of_the_migrations(
    storage: SqliteStorage, path: Path, tmp_path: Path
) -> None:
    from importlib.resources import files

    with raw(path) as migrated, raw(tmp_path / "fresh.db") as fresh:
        fresh.executescript((files(PACKAGE) / "schema.sql").read_text("utf-8"))
        assert schema_of(migrated) == schema_of(fresh)
        found = migrated.execute("SELECT version, name FROM credit_schema").fetchall()
        assert found == [(step.version, step.name) for step in migrations(PACKAGE)]


def test_migrations_are_numbered_without_gaps() -> None:
    steps = migrations(PACKAGE)
    assert [step.version for step in steps] == [*range(1, len(steps) + 1)]


async def test_a_file_of_a_newer_library_is_refused_and_left_alone(
    path: Path, storage: SqliteStorage
) -> None:
    await apply(storage, grant())
    await storage.close()
    with raw(path) as connection:
        connection.execute("INSERT INTO credit_schema (version, name) VALUES (999, 'future')")
    with pytest.raises(SchemaOutdatedError, match=r"version 999 .* upgrade the package"):
        await SqliteStorage(path).open()
    with raw(path) as connection:
        assert connection.execute("SELECT count(*) FROM credit_entries").fetchone() == (1,)


async def test_a_file_with_tables_of_others_is_shared_with_them(path: Path) -> None:
    with raw(path) as connection:
        connection.execute("CREATE TABLE users (name TEXT)")
        connection.execute("INSERT INTO users VALUES ('alice')")
    storage = SqliteStorage(path)
    async with opened(storage):
        assert await apply(storage, grant()) == [True]
    with raw(path) as connection:
        assert connection.execute("SELECT name FROM users").fetchall() == [("alice",)]


async def test_a_migration_that_fails_leaves_nothing(path: Path) -> None:
    with raw(path) as connection:
        connection.execute("CREATE TABLE credit_usage (mine TEXT)")  # in the way
    with pytest.raises(StorageUnavailableError, match="credit_usage already exists"):
        await SqliteStorage(path).open()
    with raw(path) as connection:
        names = connection.execute("SELECT name FROM sqlite_schema").fetchall()
        assert names == [("credit_usage",)]
        connection.execute("DROP TABLE credit_usage")
    storage = SqliteStorage(path)
    async with opened(storage):
        assert await apply(storage, grant()) == [True]


async def test_many_may_open_a_new_file_at_once(path: Path) -> None:
    storages = [SqliteStorage(path) for _ in range(8)]
    try:
        await asyncio.gather(*(storage.open() for storage in storages))
        await asyncio.gather(*(apply(storage, grant()) for storage in storages))
        assert {await version(storage) for storage in storages} == {8}
    finally:
        await asyncio.gather(*(storage.close() for storage in storages))


async def test_a_wal_that_others_are_making_is_waited_for(path: Path) -> None:
    """SQLite itself does not wait there: it would be locked at once, whatever the timeout."""
    locked = threading.Event()

    def note(sql: str) -> None:
        if "journal_mode" in sql:
            locked.set()

    class Watched(SqliteStorage):
        def _open_connection(self) -> sqlite3.Connection:
            connection = super()._open_connection()
            connection.set_trace_callback(note)
            return connection

    with raw(path) as other:
        other.execute("BEGIN IMMEDIATE")
        storage = Watched(path, busy_timeout=30)
        opening = asyncio.ensure_future(storage.open())
        try:
            for _ in range(2):  # it tries, and tries again
                assert await asyncio.to_thread(locked.wait, 30)
                locked.clear()
            assert not opening.done()
            other.execute("COMMIT")
            await opening
        finally:
            await storage.close()


# Plans

HOT = {
    "accounts": "credit_accounts",
    "open_grants": "credit_grants_open",
    "named_grants": "credit_grants",
    "lapsed_grants": "credit_grants_lapsed",
    "due_holds": "credit_holds_open",
    "named_holds": "credit_holds",
    "next_timeout": "credit_holds_open",
    "owing_charges": "credit_charges_owing",
    "named_charges": "credit_charges",
    "named_entries": "credit_entries",
    "entries_by_key": "credit_entries_key",
    "update_account": "credit_accounts",
    "move_grant": "credit_grants",
    "update_grant": "credit_grants",
    "update_hold": "credit_holds",
    "page_entries": "credit_entries",
    "page_entries_newest_first": "credit_entries",
    "page_grants": "credit_grants",
    "page_open_grants": "credit_grants_open",
    "page_holds": "credit_holds",
    "usage": "credit_usage",
    "usage_by_day": "credit_usage",
    "page_accounts": "credit_accounts",
}


@pytest.mark.parametrize("statement", HOT)
async def test_the_hot_statements_search_by_an_index_and_never_scan(
    storage: SqliteStorage, statement: str
) -> None:
    """On an empty file and on one with statistics, which could tempt SQLite to scan."""
    commands: list[Command] = [grant(f"user {n}") for n in range(300)]
    commands += [hold(f"user {n}", 1) for n in range(300)]

    def plan(connection: sqlite3.Connection) -> list[str]:
        sql = SQL[statement]
        count = max((n for n in range(1, 20) if f"?{n}" in sql), default=sql.count("?"))
        rows = connection.execute(f"EXPLAIN QUERY PLAN {sql}", ("[]",) * count).fetchall()
        # json_each is a function; walking its array is not scanning a table.
        return [row[3] for row in rows if "json_each" not in row[3] and "VIRTUAL" not in row[3]]

    before = await on_writer(storage, plan)
    await apply(storage, *commands)
    await on_writer(storage, lambda connection: connection.execute("ANALYZE"))
    for steps in (before, await on_writer(storage, plan)):
        searches = [step for step in steps if step.startswith(("SEARCH", "SCAN"))]
        assert searches, steps
        for step in searches:
            assert step.startswith("SEARCH"), steps
            wanted = HOT[statement]
            partial = wanted.endswith(("_open", "_lapsed", "_owing", "_key"))
            assert (f"INDEX {wanted} (" in step) if partial else ("USING" in step), steps
        if not statement.startswith("usage"):
            assert not any("TEMP B-TREE" in step for step in steps), steps


# Neighbours


async def test_readers_are_not_blocked_by_an_open_write_transaction(
    storage: SqliteStorage, path: Path
) -> None:
    await apply(storage, grant())
    with raw(path) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("UPDATE credit_accounts SET available = 0")
        assert await version(storage) == 1
        assert (await storage.read(AccountsQuery())).rows[0].available == 10
        other.execute("ROLLBACK")


async def test_readers_of_a_storage_are_not_blocked_by_its_own_writer(
    storage: SqliteStorage,
) -> None:
    await apply(storage, grant())
    begun, finish = threading.Event(), threading.Event()

    def stay(connection: sqlite3.Connection) -> None:
        connection.execute("BEGIN IMMEDIATE")
        begun.set()
        finish.wait(30)
        connection.execute("ROLLBACK")

    writing = asyncio.ensure_future(on_writer(storage, stay))
    try:
        await asyncio.to_thread(begun.wait, 30)
        assert await version(storage) == 1
        assert not writing.done()
    finally:
        finish.set()
        await writing


async def test_a_locked_file_is_contention_after_the_deadline_and_nothing_is_written(
    storage: SqliteStorage, path: Path
) -> None:
    await apply(storage, grant())
    charge = consume(key="job")
    with raw(path) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(ContentionError, match="busy_timeout"):
            await apply(storage, charge)
        other.execute("ROLLBACK")
    assert await version(storage) == 1
    assert await apply(storage, charge) == [True]
    assert await audit(storage, A) == []


async def test_a_file_that_is_locked_while_it_is_new_is_contention_too(path: Path) -> None:
    with raw(path) as other:
        other.execute("PRAGMA journal_mode = WAL")
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(ContentionError):
            await SqliteStorage(path, busy_timeout=0.05).open()
        other.execute("ROLLBACK")
    storage = SqliteStorage(path)
    async with opened(storage):
        assert await apply(storage, grant()) == [True]


async def test_what_another_process_wrote_is_never_overwritten(path: Path) -> None:
    """Also by a storage that remembers accounts from batch to batch."""
    one, other = SqliteStorage(path), SqliteStorage(path)
    async with opened(one, other):
        await apply(one, grant(amount=5), consume())
        await apply(other, consume(), consume())
        assert await apply(one, consume(), consume(), consume()) == [True, True, False]
        assert await audit(one, A) == []


# Files that cannot be used


@pytest.fixture
def full(storage: SqliteStorage) -> Callable[[], "contextlib.AbstractAsyncContextManager[None]"]:
    """Return a block in which the disk has no room beyond what the file has now."""

    @contextlib.asynccontextmanager
    async def block() -> AsyncIterator[None]:
        (pages,) = await on_writer(storage, lambda c: c.execute("PRAGMA page_count").fetchone())
        await on_writer(storage, lambda c: c.execute(f"PRAGMA max_page_count = {pages}"))
        yield
        await on_writer(storage, lambda c: c.execute("PRAGMA max_page_count = 1000000"))

    return block


async def test_a_full_disk_writes_nothing_by_halves_and_heals(
    storage: SqliteStorage,
    full: Callable[[], "contextlib.AbstractAsyncContextManager[None]"],
) -> None:
    await apply(storage, grant(amount=1000))
    batch = [consume(description="x" * 900, key=f"job {n}") for n in range(100)]
    async with full():
        with pytest.raises(StorageUnavailableError, match="full"):
            await apply(storage, *batch)
        assert await version(storage) == 1
        assert await audit(storage, A) == []
    assert await apply(storage, *batch) == [True] * 100
    assert await version(storage) == 101
    assert await audit(storage, A) == []


async def test_a_full_disk_loses_nothing_that_was_acknowledged(
    storage: SqliteStorage,
    full: Callable[[], "contextlib.AbstractAsyncContextManager[None]"],
) -> None:
    acknowledged = 0
    await apply(storage, grant(amount=1000))
    async with full():
        with contextlib.suppress(StorageUnavailableError):
            while acknowledged < 10_000:
                await apply(storage, consume(amount="0.001", description="x" * 900))
                acknowledged += 1
        assert 0 < acknowledged < 10_000
        assert await version(storage) == 1 + acknowledged
    entries = await storage.read(EntriesQuery(A, limit=10_000))
    assert len(entries.rows) == 1 + acknowledged
    assert await audit(storage, A) == []


async def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "books.db"
    with pytest.raises(StorageUnavailableError, match=r"missing/books\.db .* check the path"):
        await SqliteStorage(path).open()
    assert not path.parent.exists()


async def test_a_directory_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(StorageUnavailableError):
        await SqliteStorage(tmp_path).open()


def test_what_is_no_database_is_refused_and_left_alone(path: Path) -> None:
    text = "These are my notes, and no database.\n" * 100
    path.write_text(text)
    with pytest.raises(StorageUnavailableError, match="not a database"):
        asyncio.run(SqliteStorage(path).open())
    assert path.read_text() == text


async def test_a_file_that_may_not_be_written_is_unavailable(path: Path) -> None:
    """The administrator may write everything, so the connection is told instead of the disk."""

    class ReadOnly(SqliteStorage):
        def _open_connection(self) -> sqlite3.Connection:
            return sqlite3.connect(f"file:{self._path}?mode=ro", uri=True, isolation_level=None)

    storage = SqliteStorage(path)
    async with opened(storage):
        await apply(storage, grant())
    storage = ReadOnly(path)
    async with opened(storage):
        assert await version(storage) == 1
        with pytest.raises(StorageUnavailableError, match="readonly"):
            await apply(storage, consume())
        assert await version(storage) == 1


async def test_a_number_that_no_column_can_hold_is_a_storage_error(
    storage: SqliteStorage, path: Path
) -> None:
    with pytest.raises(StorageError, match="nothing was written"), _translated(path):
        await on_writer(storage, lambda c: c.execute("SELECT ?", (2**70,)))


async def test_a_failed_open_leaves_no_thread_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whose last words would be an error about the loop, if that is closed right after."""
    stop = ConnectionThread.stop

    def stop_slowly(connection: ConnectionThread) -> object:
        connection._tx.put_nowait((None, lambda: time.sleep(0.05)))
        return stop(connection)

    monkeypatch.setattr(ConnectionThread, "stop", stop_slowly)
    before = set(threading.enumerate())
    with pytest.raises(StorageUnavailableError):
        await SqliteStorage(tmp_path / "missing" / "books.db").open()
    assert set(threading.enumerate()) <= before


# URLs


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///books.db", "books.db"),
        ("sqlite:///some/where/books.db", "some/where/books.db"),
        ("sqlite:////var/lib/books.db", "/var/lib/books.db"),
        ("sqlite:///with%20space%3F%23%25.db", "with space?#%.db"),
        ("sqlite:///b%C3%BCcher.db", "bücher.db"),
        ("sqlite:///books.db?busy_timeout=0.5", "books.db"),
    ],
)
def test_a_url_names_a_file(url: str, path: str) -> None:
    storage = storage_from_url(url)
    assert isinstance(storage, SqliteStorage)
    assert storage._path == Path(path)
    assert storage._busy_timeout == (0.5 if "timeout" in url else 30)


@pytest.mark.parametrize(
    "url",
    [
        "sqlite://",
        "sqlite:///",
        "sqlite://books.db",
        "sqlite://host/books.db",
        "sqlite:///:memory:",
        "sqlite:///%3Amemory%3A",
        "sqlite:///books.db?busy_timeout=soon",
        "sqlite:///books.db?busy_timeout=",
        "sqlite:///books.db?busy_timeout=-1",
        "sqlite:///books.db?busy_timeout=nan",
        "sqlite:///books.db?busy_timeout=inf",
        "sqlite:///books.db?mode=ro",
        "sqlite:///books.db#1",
        "sqlite:///bo%00oks.db",
    ],
)
def test_a_url_that_cannot_work_is_refused_before_any_file_is_made(url: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        storage_from_url(url)
    assert "sqlite:///" in str(refused.value)


def test_making_a_storage_touches_no_disk(path: Path) -> None:
    SqliteStorage(path)
    storage_from_url(f"sqlite:///{path}")
    assert not path.exists()
