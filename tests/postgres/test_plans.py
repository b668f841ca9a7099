"""How hot statements are executed: by index, and without touching one when they update."""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from typing import NamedTuple

import asyncpg
import pytest

from aiocredits import CreditClient
from aiocredits.storages._sql import named_queries
from aiocredits.storages.postgres.sql import PACKAGE, statements

WRITES = ["charge", "charge_one", "move", "save"]
READS = [
    "lock_accounts",
    "open_grants",
    "named_grants",
    "named_holds",
    "due_holds",
    "next_timeouts",
    "owing_charges",
    "named_charges",
    "named_entries",
    "entries_by_key",
    "page_entries",
    "page_open_grants",
    "page_open_holds",
    "usage",
]

WRITTEN = """
SELECT relname, n_tup_ins, n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables
WHERE schemaname = 'aiocredits'
"""


@pytest.fixture
def sql() -> Mapping[str, str]:
    return statements("aiocredits")


@pytest.fixture
async def connection(url: str) -> AsyncIterator[asyncpg.Connection]:
    """Tables with many accounts in them, as the planner knows."""
    connection = await asyncpg.connect(url)
    await connection.execute("""
        INSERT INTO aiocredits.accounts
        SELECT 'user ' || n, 1, now(), 1, 0, 0, 0, 'open', 'UTC', NULL
        FROM generate_series(1, 20000) AS n;
        INSERT INTO aiocredits.grants
        SELECT 'user ' || n, 1, 'live', 1, 1, 0, 0, 50, 'paid', NULL, NULL, now(), NULL, false, ''
        FROM generate_series(1, 20000) AS n;
        INSERT INTO aiocredits.holds
        SELECT 'user ' || n, 2, 'open', 1, 0, '[]', now(), now(), NULL, NULL, ''
        FROM generate_series(1, 20000) AS n;
        INSERT INTO aiocredits.charges
        SELECT 'user ' || n, 3, 1, now(), NULL, '[]', 1, 0
        FROM generate_series(1, 20000) AS n;
        INSERT INTO aiocredits.entries
        SELECT 'user ' || n, 1, 'grant', now(), 1, 1, 0, 0, '[]', 1, NULL, NULL, '', NULL, 'k' || n
        FROM generate_series(1, 20000) AS n;
        INSERT INTO aiocredits.usage
        SELECT 'user ' || n, current_date, '', '', 1
        FROM generate_series(1, 20000) AS n;
        INSERT INTO aiocredits.openings
        SELECT 'user ' || n, 1, now(), '{}'
        FROM generate_series(1, 20000) AS n;
        ANALYZE;
    """)
    await connection.execute("SET plan_cache_mode = force_generic_plan")
    yield connection
    await connection.close()


async def test_hot_statements_read_no_whole_table(
    connection: asyncpg.Connection, sql: Mapping[str, str]
) -> None:
    for name in [*WRITES, *READS]:
        parameters = max(int(number) for number in re.findall(r"\$(\d+)", sql[name]))
        await connection.execute(f"PREPARE {name} AS {sql[name]}")
        nulls = ", ".join(["NULL"] * parameters)
        plan = await connection.fetch(f"EXPLAIN EXECUTE {name} ({nulls})")
        text = "\n".join(row[0] for row in plan)
        assert "Seq Scan" not in text, (name, text)
        assert "Index" in text or "Bitmap" in text, (name, text)


async def test_routed_statements_read_no_whole_table(connection: asyncpg.Connection) -> None:
    own = named_queries(PACKAGE, "routed.sql").keys()
    for name, sql in statements("aiocredits", routed=True).items():
        if name not in own or sql.startswith("INSERT"):
            continue
        await connection.execute(f"PREPARE routed_{name} AS {sql}")
        nulls = ", ".join(["NULL"] * max(int(n) for n in re.findall(r"\$(\d+)", sql)))
        plan = await connection.fetch(f"EXPLAIN EXECUTE routed_{name} ({nulls})")
        text = "\n".join(row[0] for row in plan)
        assert "Seq Scan" not in text, (name, text)
        assert "Index" in text or "Bitmap" in text, (name, text)


async def test_charging_updates_no_index(url: str) -> None:
    # So few that all their versions fit in a page: whether the server has cleared it, and whom it
    # waits for, makes no difference.
    users = ["alice", "bob", "carol"]
    async with CreditClient(url) as client:
        for user in users:
            await client.add_credits(user, 1000)
        for _ in range(12):
            await asyncio.gather(*(client.consume_credits(user, 1) for user in users))
    written = await counted(url, "usage", 36)
    for table in ("accounts", "usage"):
        assert written[table].hot == written[table].updated >= 33, table
    assert written["grants"] == Written(inserted=3, updated=0, hot=0)


async def test_a_hold_costs_one_row_and_its_end_another(url: str) -> None:
    async with CreditClient(url) as client:
        await client.add_credits("alice", 1000)
        for _ in range(12):
            hold = await client.hold_credits("alice", 2)
            await client.capture_hold(hold.id, 1)
    written = await counted(url, "usage", 12)
    assert written["accounts"] == Written(inserted=1, updated=24, hot=24)
    assert written["grants"] == Written(inserted=1, updated=0, hot=0)
    assert written["holds"] == Written(inserted=12, updated=0, hot=0)
    assert written["entries"].inserted == 25


class Written(NamedTuple):
    """How many rows of a table were written."""

    inserted: int
    updated: int
    hot: int


async def counted(url: str, table: str, rows: int) -> dict[str, Written]:
    """Return the statistics, once the sessions that wrote so many of a table reported theirs."""
    connection = await asyncpg.connect(url)
    async with asyncio.timeout(30):
        while True:
            found = {row[0]: Written(*row[1:]) for row in await connection.fetch(WRITTEN)}
            if found[table].inserted + found[table].updated >= rows:
                break
            await asyncio.sleep(0.05)
    await connection.close()
    return found
