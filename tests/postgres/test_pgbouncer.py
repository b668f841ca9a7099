"""Behind PgBouncer in transaction mode."""

import asyncio
import getpass
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import asyncpg
import pytest

from aiocredits import CreditClient
from aiocredits.errors import ConfigurationError
from aiocredits.storages.postgres import PostgresStorage
from tests.servers import Server

CONFIGURATION = """
[databases]
* = host={host} port={port} user={user}

[pgbouncer]
listen_addr =
unix_socket_dir = {directory}
listen_port = 6543
auth_type = any
pool_mode = transaction
default_pool_size = 3
max_client_conn = 100
logfile = {directory}/log
{more}
"""


@pytest.fixture
def bouncer(server: Server) -> Iterator[Path]:
    """A PgBouncer before the test server; its directory is what clients give as host."""
    yield from _bouncer(server, "")


def _bouncer(server: Server, more: str) -> Iterator[Path]:
    program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    assert program, "these tests need PgBouncer: apt-get install pgbouncer"
    directory = Path(tempfile.mkdtemp(prefix="pgb"))
    parts = urlsplit(server.url("postgres"))
    configuration = directory / "pgbouncer.ini"
    configuration.write_text(
        CONFIGURATION.format(
            host=dict(parse_qsl(parts.query)).get("host") or parts.hostname,
            port=parts.port or 5432,
            user=parts.username,
            directory=directory,
            more=more,
        )
    )
    # It refuses to run as root, and maybe only the server's own user may open the server's socket.
    account = _owner_of(server) if os.geteuid() == 0 else pwd.getpwnam(getpass.getuser())
    os.chown(directory, account.pw_uid, account.pw_gid)
    process = subprocess.Popen(
        [program, configuration],
        user=account.pw_uid if os.geteuid() == 0 else None,
        group=account.pw_gid if os.geteuid() == 0 else None,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(directory / ".s.PGSQL.6543", process)
        yield directory
    finally:
        process.terminate()
        process.wait(10)
        shutil.rmtree(directory)


def _owner_of(server: Server) -> pwd.struct_passwd:
    directory = server.socket_directory
    if directory is None:
        return pwd.getpwnam("nobody")
    return pwd.getpwuid((Path(directory) / ".s.PGSQL.5432").stat().st_uid)


def _wait_for(socket: Path, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(200):
        if socket.exists():
            return
        try:
            process.wait(0.05)
        except subprocess.TimeoutExpired:
            continue
        break
    raise AssertionError(f"PgBouncer did not start: {(socket.parent / 'log').read_text()}")


def _through(bouncer: Path, url: str) -> str:
    database = urlsplit(url).path
    return f"postgresql://postgres@{database}?host={bouncer}&port=6543"


async def test_credits_are_exact_through_a_pooler(url: str, bouncer: Path) -> None:
    through = f"{_through(bouncer, url)}&pgbouncer=true"
    async with CreditClient(through) as one, CreditClient(through) as two:
        await one.add_credits("alice", 300)

        async def spend(client: CreditClient) -> None:
            hold = await client.hold_credits("alice", 2)
            await client.consume_credits("alice", 1)
            await client.capture_hold(hold.id, 1)

        await asyncio.gather(*(spend(client) for client in (one, two) for _ in range(40)))
        assert await one.get_user_balance("alice") == 140
        assert (await two.verify()).ok


async def test_a_pooler_that_was_not_named_is_explained(url: str, bouncer: Path) -> None:
    with pytest.raises(ConfigurationError, match="pgbouncer=true"):
        async with CreditClient(_through(bouncer, url)):
            pass


@pytest.fixture
def tolerant_bouncer(server: Server) -> Iterator[Path]:
    """A PgBouncer that lets the settings of a session pass."""
    yield from _bouncer(server, "ignore_startup_parameters = extra_float_digits")


async def test_a_given_pool_with_prepared_statements_is_explained(
    url: str, tolerant_bouncer: Path
) -> None:
    explained: list[ConfigurationError] = []

    async def add(client: CreditClient, user: int) -> None:
        try:
            await client.add_credits(user, 1)
            await client.get_user_balance(user)
        except ConfigurationError as error:
            explained.append(error)

    through = _through(tolerant_bouncer, url)
    async with asyncpg.create_pool(through, min_size=6, max_size=6) as pool:
        storage = PostgresStorage(pool=pool, lanes=4)
        async with asyncio.timeout(20):
            while not explained:
                client = CreditClient(storage)
                try:
                    async with client:
                        await asyncio.gather(*(add(client, user) for user in range(20)))
                except ConfigurationError as error:
                    explained.append(error)
    assert "pgbouncer=true" in str(explained[0])
