"""Opening, schemas, pools and URLs."""

import asyncio

import asyncpg
import pytest

from aiocredits import CreditClient
from aiocredits.errors import (
    ConfigurationError,
    SchemaOutdatedError,
    StorageError,
    StorageUnavailableError,
)
from aiocredits.storages import storage_from_url
from aiocredits.storages.postgres import PostgresStorage
from aiocredits.storages.postgres.schema import steps
from aiocredits.storages.postgres.settings import Settings, parse_url


async def test_tables_are_made_only_when_asked(empty_url: str) -> None:
    with pytest.raises(SchemaOutdatedError, match="0001_initial"):
        await PostgresStorage(empty_url).open()
    async with CreditClient(f"{empty_url}&auto_migrate=true") as client:
        await client.add_credits("alice", 1)
    async with CreditClient(empty_url) as client:
        assert await client.get_user_balance("alice") == 1


async def test_many_may_migrate_at_once(empty_url: str) -> None:
    applied = await asyncio.gather(*(PostgresStorage(empty_url).migrate() for _ in range(4)))
    assert sorted(map(len, applied)) == [0, 0, 0, len(steps())]


async def test_schemas_are_apart_and_quoted(url: str) -> None:
    name = 'odd "schema"; --'
    storage = PostgresStorage(url, schema=name, auto_migrate=True)
    async with CreditClient(storage) as odd, CreditClient(url) as usual:
        await odd.add_credits("alice", 5)
        assert await odd.get_user_balance("alice") == 5
        assert await usual.get_user_balance("alice") == 0


async def test_an_old_client_refuses_what_it_cannot_know(url: str) -> None:
    connection = await asyncpg.connect(url)
    note = "INSERT INTO aiocredits.schema_version (version, name, kind) VALUES ($1, $2, $3)"
    await connection.execute(note, 9998, "9998_more", "pre")
    await PostgresStorage(url).migrate()
    async with CreditClient(url) as client:
        await client.add_credits("alice", 1)
    await connection.execute(note, 9999, "9999_less", "post")
    with pytest.raises(SchemaOutdatedError, match=r"9999_less.*upgrade"):
        await PostgresStorage(url).open()
    await connection.close()


async def test_missing_tables_are_the_schemas_fault(url: str) -> None:
    connection = await asyncpg.connect(url)
    async with CreditClient(url) as client:
        await connection.execute("DROP TABLE aiocredits.usage")
        with pytest.raises(SchemaOutdatedError, match="usage"):
            await client.add_credits("alice", 1)
    await connection.close()


async def test_a_given_pool_stays_open(url: str) -> None:
    async with asyncpg.create_pool(url, min_size=1, max_size=4) as pool:
        async with CreditClient(PostgresStorage(pool=pool)) as client:
            await client.add_credits("alice", 10)
            await asyncio.gather(*(client.consume_credits("alice", 1) for _ in range(10)))
        assert await pool.fetchval("SELECT 1") == 1


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(StorageUnavailableError, match="cannot be reached"):
        await PostgresStorage("postgresql://postgres@127.0.0.1:1/postgres").open()


def test_options_are_ours_and_the_rest_is_the_drivers() -> None:
    dsn, settings = parse_url(
        "postgresql:///db?host=/run/x&schema=books&auto_migrate=true&pgbouncer=1&lanes=3&routed=yes"
    )
    assert dsn == "postgresql:///db?host=%2Frun%2Fx"
    assert settings == Settings("books", auto_migrate=True, pgbouncer=True, lanes=3, routed=True)
    assert isinstance(storage_from_url("postgres://u:p@h:5/d?sslmode=require"), PostgresStorage)


@pytest.mark.parametrize("option", ["lanes=0", "lanes=x", "pgbouncer=maybe", "routed=2", "schema="])
def test_options_that_cannot_work_are_refused(option: str) -> None:
    with pytest.raises(ConfigurationError):
        PostgresStorage.from_url(f"postgresql://host/db?{option}")


def test_either_a_dsn_or_a_pool() -> None:
    with pytest.raises(ConfigurationError):
        PostgresStorage()


async def test_what_the_database_refuses_is_not_the_drivers_error(url: str) -> None:
    connection = await asyncpg.connect(url)
    async with CreditClient(url) as client:
        await client.add_credits("alice", 10)
        await client.add_credits("bob", 10)
        await connection.execute(
            "ALTER TABLE aiocredits.entries ADD CHECK (account <> 'bob') NOT VALID"
        )
        with pytest.raises(StorageError, match="nothing was written"):
            await client.consume_credits("bob", 1)
        answers = await asyncio.gather(
            *(client.consume_credits(user, 1) for user in ("alice", "bob") for _ in range(3)),
            return_exceptions=True,
        )
        assert [isinstance(answer, StorageError) for answer in answers] == [False] * 3 + [True] * 3
        assert (await client.verify()).ok
    await connection.close()
