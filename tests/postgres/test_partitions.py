"""Entries cut into months: nothing changes but where they lie."""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from aiocredits import CreditClient, commands
from aiocredits._commands import Accepted, Command
from aiocredits.errors import ConfigurationError, ContentionError, StorageError
from aiocredits.storages.postgres import PostgresStorage, fast
from aiocredits.storages.postgres.ddl import run
from aiocredits.storages.postgres.partitions import _create, month_of, partitions
from aiocredits.storages.postgres.saving import save
from aiocredits.storages.postgres.sql import statements
from aiocredits.testing import ManualClock, StorageConformance
from aiocredits.testing.asking import Connect
from aiocredits.testing.clock import BEGINNING
from tests.servers import Server

NOW = datetime.now(UTC)
DAY = timedelta(days=1)

WHERE = "SELECT DISTINCT tableoid::regclass::text FROM aiocredits.entries ORDER BY 1"
CLAIM = "ALTER TABLE aiocredits.entries ADD CONSTRAINT entries_end CHECK (at < '1999-01-01')"


def month(later: int) -> datetime:
    """Return the beginning of a month; the present one is 0."""
    return month_of(NOW, later)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
async def connection(url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(url)
    yield connection
    await connection.close()


async def cut_into_days(url: str) -> None:
    """Give each of the days that the suite plays on a partition of its own."""
    await PostgresStorage(url).partition_entries()
    connection = await asyncpg.connect(url)
    first, *_ = await partitions(connection, "aiocredits")
    await run(connection, "aiocredits", "detach", table=first.name)
    for day in range(-2, 8):
        table = await _create(connection, "aiocredits", f"day_{day + 2}")
        since = BEGINNING + day * DAY
        await run(
            connection, "aiocredits", "attach_month", table=table, since=since, until=since + DAY
        )
    await connection.close()


class TestPartitioned(StorageConformance):
    @pytest.fixture
    async def connect(self, url: str) -> Connect:
        await cut_into_days(url)
        return lambda: PostgresStorage.from_url(url)


async def test_what_is_there_becomes_the_first_partition(
    url: str, clock: ManualClock, connection: asyncpg.Connection
) -> None:
    storage = PostgresStorage(url)
    async with CreditClient(url, clock=clock) as client:
        await client.add_credits("alice", 10)
        oid = await connection.fetchval("SELECT 'aiocredits.entries'::regclass::oid")
        first, default, *months = await storage.partition_entries(months=2)
        assert default == "entries_default"
        assert 1 <= len(months) <= 2
        assert await connection.fetchval(f"SELECT 'aiocredits.{first}'::regclass::oid") == oid
        clock.set(month(2) + DAY)
        await client.consume_credits("alice", 1)
        clock.set(month(7))
        await client.consume_credits("alice", 1)
        tables = [row[0] for row in await connection.fetch(WHERE)]
        assert tables == [
            f"aiocredits.{name}" for name in sorted((first, default, f"entries_{month(2):%Y_%m}"))
        ]
        assert [entry.version async for entry in client.entries("alice")] == [1, 2, 3]
        assert (await client.verify()).ok


async def test_it_can_be_asked_for_again(url: str) -> None:
    storage = PostgresStorage(url)
    with pytest.raises(ConfigurationError, match="partition_entries"):
        await storage.add_partitions()
    assert await storage.partition_entries(months=1)
    assert await storage.partition_entries(months=1) == []
    assert len(await storage.add_partitions(months=5)) == 4
    assert await storage.add_partitions(months=5) == []
    async with asyncpg.create_pool(url, min_size=1, max_size=2) as pool:
        assert len(await PostgresStorage(pool=pool).add_partitions(months=6)) == 1


async def test_a_late_partition_takes_its_month_out_of_the_default_one(
    url: str, clock: ManualClock, connection: asyncpg.Connection
) -> None:
    storage = PostgresStorage(url)
    async with CreditClient(url, clock=clock) as client:
        await storage.partition_entries(months=0)
        for later in (3, 4, 9):
            clock.set(month(later))
            await client.add_credits("alice", 10)
        await storage.add_partitions(months=4)
        tables = [row[0] for row in await connection.fetch(WHERE)]
        assert tables == [
            f"aiocredits.entries_{month(3):%Y_%m}",
            f"aiocredits.entries_{month(4):%Y_%m}",
            "aiocredits.entries_default",
        ]
        assert (await client.verify()).ok


async def test_writers_do_not_notice(url: str) -> None:
    async with CreditClient(url) as one, CreditClient(url) as two:
        for user in range(5):
            await one.add_credits(user, 10_000)
        done = asyncio.Event()
        taken = 0

        async def write(client: CreditClient, user: int) -> None:
            nonlocal taken
            while not done.is_set():
                await client.consume_credits(user, 1)
                taken += 1

        writers = [
            asyncio.create_task(write(client, user)) for client in (one, two) for user in range(5)
        ]
        await asyncio.sleep(0.1)
        await PostgresStorage(url).partition_entries(months=1)
        before = taken
        await PostgresStorage(url).add_partitions(months=4)
        await asyncio.sleep(0.2)
        done.set()
        await asyncio.gather(*writers)
        assert taken > before
        left = [await one.get_user_balance(user) for user in range(5)]
        assert sum(left) == 50_000 - taken
        assert (await one.verify()).ok


async def test_who_cannot_lock_the_table_gives_up_and_changes_nothing(
    url: str, connection: asyncpg.Connection
) -> None:
    storage = PostgresStorage(url, deadline=1)
    async with CreditClient(url) as client:
        await client.add_credits("alice", 10)
        async with connection.transaction():
            await client.in_transaction(connection).consume_credits("alice", 1)
            with pytest.raises(ContentionError, match="long transactions"):
                await storage.partition_entries()
        assert len(await storage.partition_entries(months=0)) >= 2
        assert (await client.verify()).ok


async def test_what_was_left_half_done_is_done_again(
    url: str, connection: asyncpg.Connection
) -> None:
    await connection.execute(CLAIM)
    async with CreditClient(url) as client:
        with pytest.raises(StorageError, match="entries_end"):
            await client.add_credits("alice", 10)
        await PostgresStorage(url).partition_entries()
        await client.add_credits("alice", 10)


async def test_no_end_stays_behind(
    url: str, connection: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends = "SELECT count(*) FROM pg_constraint WHERE conname = 'entries_end'"

    async def fail(*arguments: object) -> Sequence[str]:
        assert await connection.fetchval(ends) == 1
        raise asyncpg.PostgresError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr("aiocredits.storages.postgres.partitions._swap", fail)
        with pytest.raises(StorageError, match="the disk is full"):
            await PostgresStorage(url).partition_entries()
    assert await connection.fetchval(ends) == 0
    await PostgresStorage(url).partition_entries()
    assert await connection.fetchval(ends) == 0


async def test_many_may_ask_at_once(url: str) -> None:
    storage = PostgresStorage(url)
    made = await asyncio.gather(*(storage.partition_entries() for _ in range(4)))
    names = [name for names in made for name in names]
    assert "entries_default" in names
    assert len(names) == len(set(names))
    async with CreditClient(url) as client:
        await client.add_credits("alice", 10)


async def test_rights_stay(url: str, server: Server, connection: asyncpg.Connection) -> None:
    role = f"app_{await connection.fetchval('SELECT current_database()')}"
    await connection.execute(f"CREATE ROLE {role}")
    try:
        await connection.execute(f"GRANT INSERT, SELECT ON aiocredits.entries TO {role}")
        await PostgresStorage(url).partition_entries(months=1)
        for right, expected in (("INSERT", True), ("SELECT", True), ("DELETE", False)):
            sql = f"SELECT has_table_privilege('{role}', 'aiocredits.entries', '{right}')"
            assert await connection.fetchval(sql) is expected
    finally:
        await connection.execute(f"DROP OWNED BY {role}")
        await connection.execute(f"DROP ROLE {role}")


async def test_schemas_of_any_name(url: str) -> None:
    storage = PostgresStorage(url, schema="odd \"schema\"; 'x' --", auto_migrate=True)
    async with CreditClient(storage) as client:
        await client.add_credits("alice", 5)
        assert len(await storage.partition_entries(months=1)) >= 2
        await client.consume_credits("alice", 5)
        assert (await client.verify()).ok
    assert await PostgresStorage(url).partition_entries(months=1)


async def test_every_partition_is_read_by_its_indexes(
    url: str, connection: asyncpg.Connection
) -> None:
    await PostgresStorage(url).partition_entries()
    sql = statements("aiocredits")
    for setting in ("plan_cache_mode = force_generic_plan", "enable_seqscan = off"):
        await connection.execute(f"SET {setting}")
    for name in ("charge", "charge_one", "entries_by_key", "named_entries", "page_entries"):
        parameters = max(int(number) for number in re.findall(r"\$(\d+)", sql[name]))
        await connection.execute(f"PREPARE {name} AS {sql[name]}")
        nulls = ", ".join(["NULL"] * parameters)
        plan = await connection.fetch(f"EXPLAIN EXECUTE {name} ({nulls})")
        text = "\n".join(row[0] for row in plan)
        assert "Seq Scan" not in text, (name, text)
        assert name != "page_entries" or ("Merge Append" in text and "->  Sort" not in text), text


async def test_a_key_acts_once_across_months(url: str, clock: ManualClock) -> None:
    await PostgresStorage(url).partition_entries(months=3)
    async with CreditClient(url, clock=clock) as one, CreditClient(url, clock=clock) as two:
        await one.add_credits("alice", 10)
        receipt = await one.consume_credits("alice", 1, idempotency_key="order 7")
        clock.set(month(2))
        await two.consume_credits("alice", 1)
        again = await asyncio.gather(
            *(
                client.consume_credits("alice", 1, idempotency_key="order 7")
                for client in (one, two)
                for _ in range(5)
            )
        )
        assert {each.id for each in again} == {receipt.id}
        assert all(each.replayed for each in again)


def batch_for(statement: str) -> list[Command]:
    """Return commands, the first with a key, that are written by a statement of that name."""
    consume = commands.consume_credits("alice", 1, idempotency_key="order 7")
    hold = commands.hold_credits("alice", 1, idempotency_key="order 7")
    batches: dict[str, list[Command]] = {
        "charge_one": [consume],
        "charge": [consume, commands.consume_credits("bob", 1)],
        "move": [hold],
        "save": [consume, commands.add_credits("bob", 1)],
    }
    return batches[statement]


@pytest.mark.parametrize("statement", ["charge_one", "charge", "move", "save"])
async def test_every_statement_looks_for_keys_in_other_months(
    url: str, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, statement: str
) -> None:
    """No index sees them, and who remembers the account does not look."""
    first, *others = batch_for(statement)
    await PostgresStorage(url).partition_entries(months=3)
    async with CreditClient(url, clock=clock) as one, CreditClient(url, clock=clock) as two:
        for user in ("alice", "bob"):
            await one.add_credits(user, 10)
        (before,) = await one._storage.apply([first], at=clock())
        clock.set(month(2))
        for user in ("alice", "bob"):
            await two.consume_credits(user, 1)
        sent: list[str] = []

        async def saving(connection: Any, sql: Any, what: Any) -> list[str]:
            sent.append(what.name)
            return await save(connection, sql, what)

        monkeypatch.setattr(fast, "save", saving)
        again, *_ = await two._storage.apply([first, *others], at=clock())
        assert sent[0] == statement
        assert isinstance(before, Accepted)
        assert isinstance(again, Accepted)
        assert again.receipt == before.receipt._replace(replayed=True)
        assert (await one.verify()).ok


async def test_a_write_that_is_repeated_acts_once(url: str) -> None:
    storage = PostgresStorage(url)
    await storage.partition_entries()
    async with CreditClient(storage) as client:
        await client.add_credits("alice", 10)
        command = commands.consume_credits("alice", 1)
        for _ in range(3):
            (outcome,) = await storage.apply([command], at=month(2))
            assert isinstance(outcome, Accepted)
        assert await client.get_user_balance("alice") == 9
