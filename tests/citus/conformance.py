"""The whole suite on Citus itself, by hand: it needs a cluster, so it is not collected.

    AIOCREDITS_TEST_CITUS='postgresql://postgres@coordinator/postgres' \
        pytest -n 0 tests/citus/conformance.py

It makes a schema of its own in that database, distributes its tables, and removes it at the end.
"""

import asyncio
import os
from collections.abc import Iterator
from importlib.resources import files

import asyncpg
import pytest

from aiocredits import CreditClient
from aiocredits.storages.postgres import PostgresStorage
from aiocredits.storages.postgres.sql import PACKAGE, in_schema
from aiocredits.testing import StorageConformance
from aiocredits.testing.asking import Connect
from tests.postgres.routing import only_routed

SCHEMA = f"aiocredits_test_{os.getpid()}"
TABLES = ("accounts", "grants", "holds", "charges", "entries", "usage")

PLACED = """
SELECT count(DISTINCT nodeport || nodename) FROM pg_dist_shard_placement
WHERE shardid = ANY (SELECT get_shard_id_for_distribution_column($1, name)
                     FROM unnest($2::text[]) AS name)
"""

COUNTED = """
SELECT query_execution_single_shard, query_execution_multi_shard FROM citus_stat_counters
WHERE name = current_database()
"""

KILL = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""


async def _execute(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def _distribute(url: str) -> None:
    await PostgresStorage(url, schema=SCHEMA).migrate()
    await _execute(url, in_schema((files(PACKAGE) / "citus.sql").read_text("utf-8"), SCHEMA))


@pytest.fixture(scope="session")
def cluster() -> Iterator[str]:
    url = os.environ["AIOCREDITS_TEST_CITUS"]
    asyncio.run(_distribute(url))
    yield url
    asyncio.run(_execute(url, f"DROP SCHEMA {SCHEMA} CASCADE"))


@pytest.fixture
async def url(cluster: str) -> str:
    await _execute(cluster, *(f"TRUNCATE {SCHEMA}.{table}" for table in TABLES))
    sign = "&" if "?" in cluster else "?"
    # The driver passes on what it does not know, here that the engine should count.
    return f"{cluster}{sign}schema={SCHEMA}&routed=true&citus.enable_stat_counters=on"


class TestCitus(StorageConformance):
    @pytest.fixture
    def connect(self, url: str) -> Iterator[Connect]:
        with only_routed(SCHEMA) as statements:
            yield lambda: PostgresStorage.from_url(url)
        assert statements


async def test_accounts_lie_on_several_nodes_and_give_to_each_other(url: str, cluster: str) -> None:
    users = [f"user {number}" for number in range(20)]
    connection = await asyncpg.connect(cluster)
    assert await connection.fetchval(PLACED, f"{SCHEMA}.accounts", users) > 1
    await connection.close()
    async with CreditClient(url) as one, CreditClient(url) as two:
        await asyncio.gather(*(one.add_credits(user, 100) for user in users))
        await asyncio.gather(
            *(
                client.transfer_credits(users[n % 20], users[(n + step) % 20], 1)
                for client, step in ((one, 1), (two, 19), (one, 7))
                for n in range(60)
            )
        )
        assert sum([await two.get_user_balance(user) for user in users]) == 2000
        assert (await one.verify()).ok


async def test_charges_hold_captures_and_keys_over_many_accounts_at_once(url: str) -> None:
    users = [f"user {number}" for number in range(30)]
    async with CreditClient(url) as one, CreditClient(url) as two:
        await asyncio.gather(*(one.add_credits(user, 50) for user in users))

        async def use(client: CreditClient, user: str, number: int) -> None:
            await client.consume_credits(user, 1, idempotency_key=f"job {number}")
            async with client.hold(user, 2) as hold:
                await hold.capture(1)

        await asyncio.gather(
            *(use(client, user, n) for client in (one, two) for user in users for n in range(5))
        )
        balances = {await one.get_user_balance(user) for user in users}
        assert balances == {50 - 5 - 10}
        assert (await two.verify()).ok


async def test_a_charge_and_rows_of_ones_own_are_committed_together(url: str, cluster: str) -> None:
    mine = await asyncpg.connect(cluster, server_settings={"search_path": SCHEMA})
    await mine.execute("CREATE TABLE reports (title text)")
    async with CreditClient(url) as client:
        await client.add_credits("alice", 100)
        async with mine.transaction():
            await mine.execute("INSERT INTO reports VALUES ('of the year')")
            await client.in_transaction(mine).consume_credits("alice", 5)
            await client.in_transaction(mine).transfer_credits("alice", "bob", 5)
        given_up = mine.transaction()
        await given_up.start()
        await mine.execute("INSERT INTO reports VALUES ('of last year')")
        await client.in_transaction(mine).consume_credits("alice", 5)
        await given_up.rollback()
        assert await client.get_user_balance("alice") == 90
        assert (await client.verify()).ok
    assert await mine.fetchval("SELECT count(*) FROM reports") == 1
    await mine.close()


async def test_the_engine_itself_counts_statements_of_one_node_only(url: str, cluster: str) -> None:
    connection = await asyncpg.connect(cluster)
    ((one_node, more),) = await connection.fetch(COUNTED)
    async with CreditClient(url) as client:
        users = [f"user {number}" for number in range(10)]
        await asyncio.gather(*(client.add_credits(user, 50) for user in users))
        charges = await asyncio.gather(*(client.consume_credits(user, 9) for user in users))
        await asyncio.gather(*(client.refund_credits(charge.id, 1) for charge in charges))
        await client.transfer_credits("user 1", "user 2", 5)
        assert await client.get_user_balance("user 2") == 47
        assert [entry async for entry in client.entries("user 1")]
    ((one_node_now, more_now),) = await connection.fetch(COUNTED)
    await connection.close()
    assert one_node_now > one_node + 100
    assert more_now == more


async def test_backends_killed_while_writing_lose_nothing(url: str, cluster: str) -> None:
    killer = await asyncpg.connect(cluster)
    users = [f"user {number}" for number in range(10)]
    async with CreditClient(url) as client:
        await asyncio.gather(*(client.add_credits(user, 10_000) for user in users))
        done = 0
        stop = False

        async def use(number: int) -> None:
            nonlocal done
            while not stop:
                await client.consume_credits(users[number % 10], 1)
                await client.transfer_credits(users[number % 10], users[(number + 1) % 10], 1)
                done += 1

        callers = [asyncio.create_task(use(number)) for number in range(20)]
        for _ in range(10):
            await asyncio.sleep(0.3)
            await killer.execute(KILL)
        stop = True
        await asyncio.gather(*callers)
        assert sum([await client.get_user_balance(user) for user in users]) == 100_000 - done
        assert (await client.verify()).ok
    await killer.close()
