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
    return f"{cluster}{sign}schema={SCHEMA}&routed=true"


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
