"""Whether PostgreSQL gets slower as an account grows old, or as accounts become many.

    python benchmarks/postgres_history.py [--quick] [--entries N] [--accounts N] [--directory PATH]

Two accounts in one table lived through the same year, one with 100 entries and one with ten
million. Two tables besides have a thousand accounts and a million, of which a thousand are at work
in either. What is compared is measured in turns, on one server with ``fsync`` on, or on the one
that ``AIOCREDITS_TEST_POSTGRES`` names.

The library writes the first rows, and the server multiplies them, as no charge of them could: so
`verify` proves the long account from its entries. That takes minutes and is left out by `--quick`,
which makes 100,000 entries and 20,000 accounts.
"""

import argparse
import asyncio
import random
import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeAlias

import asyncpg

from aiocredits import CreditClient
from aiocredits.storages.postgres import PostgresStorage
from aiocredits.storages.postgres.sql import in_schema
from history import MEBIBYTE, SERVICES, peak_memory
from measure import (
    Json,
    Sample,
    Work,
    environment,
    finish,
    options,
    progress,
    requirement,
    run_callers,
    summary,
)

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.servers import running_server

SHORT, LONG = "short", "long"
FEW, MANY = "few", "many"
ACTIVE = 1000
"""How many accounts are at work, however many there are."""
SHORT_ENTRIES = 100
GRANTED = 1_000_000_000
YEAR = timedelta(days=365)
AT_ONCE = 1_000_000
"""How many rows the server makes in one statement."""

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

# A charge that the library wrote, again and again, each with its own number, instant, service, key
# and balance. Keys of the library begin with the time, so they are made in the same order.
CHARGES = """
INSERT INTO {schema}.entries (
    account, version, kind, at, amount, available, held, overdraft, slices, subject, service,
    actor, description, metadata, key, terms, detail
)
SELECT e.account, n, e.kind, e.at + (n - e.version) * $4::interval, e.amount,
       e.available - (n - e.version) * e.amount, e.held, e.overdraft, e.slices, e.subject,
       ($5::text[])[1 + n % 5], e.actor, e.description, e.metadata,
       '~' || lpad(to_hex(n), 12, '0') || substr(md5(n::text), 1, 20), e.terms, e.detail
FROM {schema}.entries AS e, generate_series($2::bigint, $3::bigint) AS n
WHERE e.account = $1 AND e.version = 2
"""

# What the charges left behind.
BALANCES = """
WITH last AS (
    SELECT e.account, e.version, e.at, e.available
    FROM {schema}.entries AS e WHERE e.account = $1 ORDER BY e.version DESC LIMIT 1
),
grants AS (
    UPDATE {schema}.grants AS g SET remaining = l.available
    FROM last AS l WHERE g.account = l.account
),
usage AS (
    INSERT INTO {schema}.usage AS u (account, day, service, unit_cost, spent)
    SELECT e.account, (e.at AT TIME ZONE 'UTC')::date, e.service, '', sum(e.amount)
    FROM {schema}.entries AS e WHERE e.account = $1 AND e.kind = 'consume'
    GROUP BY 1, 2, 3
    ON CONFLICT (account, day, service, unit_cost) DO UPDATE SET spent = excluded.spent
)
UPDATE {schema}.accounts AS a
SET version = l.version, at = l.at, available = l.available, pocket = DEFAULT
FROM last AS l WHERE a.account = l.account
"""

# An account that the library made, under many names.
COPIES = (
    """
    INSERT INTO {schema}.accounts (
        account, version, at, available, held, overdraft, overdraft_limit, status, time_zone,
        due_at, pocket
    )
    SELECT 'user-' || n, version, at, available, held, overdraft, overdraft_limit, status,
           time_zone, due_at, pocket
    FROM {schema}.accounts, generate_series($1::integer, $2::integer) AS n
    WHERE account = 'user-0'
    """,
    """
    INSERT INTO {schema}.grants (
        account, number, state, amount, remaining, held, lapsed, priority, category, unit_cost,
        scope, effective_at, expires_at, rolled_over, description, metadata
    )
    SELECT 'user-' || n, number, state, amount, remaining, held, lapsed, priority, category,
           unit_cost, scope, effective_at, expires_at, rolled_over, description, metadata
    FROM {schema}.grants, generate_series($1::integer, $2::integer) AS n
    WHERE account = 'user-0'
    """,
    """
    INSERT INTO {schema}.entries (
        account, version, kind, at, amount, available, held, overdraft, slices, subject, service,
        actor, description, metadata, key, terms, detail
    )
    SELECT 'user-' || n, version, kind, at, amount, available, held, overdraft, slices, subject,
           service, actor, description, metadata, '~' || md5(n || key), terms, detail
    FROM {schema}.entries, generate_series($1::integer, $2::integer) AS n
    WHERE account = 'user-0'
    """,
    """
    INSERT INTO {schema}.usage (account, day, service, unit_cost, spent)
    SELECT 'user-' || n, day, service, unit_cost, spent
    FROM {schema}.usage, generate_series($1::integer, $2::integer) AS n
    WHERE account = 'user-0'
    """,
)


@dataclass(frozen=True)
class Sizes:
    """How much is done."""

    entries: int
    accounts: int
    rounds: int
    seconds: float
    verifies: bool


@dataclass
class Comparison:
    """Two sides that do the same in turns; the second is expected to take no longer."""

    sides: Sequence[str]
    sizes: Sizes
    at_most: float
    what: str
    report: dict[str, Json] = field(default_factory=dict)
    required: list[Json] = field(default_factory=list)
    peaks: list[int] = field(default_factory=list)

    async def measure(self, name: str, work: Callable[[str], Work], *, callers: int = 1) -> None:
        """Measure one verb."""
        progress(f"{name}, {' and '.join(self.sides)} in turns …")
        samples: dict[str, list[Sample]] = {side: [] for side in self.sides}
        for _ in range(self.sizes.rounds):
            for side in self.sides:
                seconds = self.sizes.seconds
                samples[side].append(
                    await run_callers(work(side), callers=callers, seconds=seconds)
                )
        ratio = statistics.median(
            large.percentile(50) / small.percentile(50)
            for small, large in zip(*samples.values(), strict=True)
        )
        figures = {side: summary(of_side) for side, of_side in samples.items()}
        self.report[name] = {**figures, "p50_ratio": round(ratio, 3)}
        self.require(f"{name}: p50", ratio, at_most=self.at_most)

    async def warm_up(self, works: Sequence[Callable[[str], Work]]) -> None:
        """Do everything on one side and then on the other; note how much memory that took."""
        for side in self.sides:
            for work in works:
                await run_callers(work(side), callers=64, seconds=self.sizes.seconds)
            self.peaks.append(peak_memory())
        self.report["peak_mib"] = {
            side: round(peak / MEBIBYTE, 1)
            for side, peak in zip(self.sides, self.peaks, strict=True)
        }
        self.require("peak memory", self.peaks[1] / self.peaks[0], at_most=1.25)

    def require(self, name: str, ratio: float, *, at_most: float) -> None:
        """Note a figure that has a bound."""
        self.required.append(requirement(f"{self.what}: {name}, times", ratio, at_most=at_most))


async def make_history(url: str, connection: Connection, user_id: str, entries: int) -> None:
    """Let an account live through a year that ends now."""
    began = datetime.now(UTC) - YEAR
    async with CreditClient(url, clock=lambda: began) as client:
        await client.add_credits(user_id, GRANTED, "top-up")
        await client.consume_credits(user_id, 1, "a call", service=SERVICES[2 % 5])
    for first in range(3, entries + 1, AT_ONCE):
        last = min(first + AT_ONCE - 1, entries)
        progress(f"{user_id}: {last:,} entries …")
        await connection.execute(
            in_schema(CHARGES, "aiocredits"), user_id, first, last, YEAR / entries, SERVICES
        )
    await connection.execute(in_schema(BALANCES, "aiocredits"), user_id)


async def make_accounts(url: str, connection: Connection, schema: str, accounts: int) -> None:
    """Make accounts that each have a grant and two charges."""
    storage = PostgresStorage(url, schema=schema)
    async with CreditClient(storage) as client:
        await client.add_credits("user-0", GRANTED, "top-up")
        for service in SERVICES[:2]:
            await client.consume_credits("user-0", 1, "a call", service=service)
    for first in range(1, accounts, AT_ONCE // 5):
        last = min(first + AT_ONCE // 5, accounts) - 1
        progress(f"{schema}: {last + 1:,} accounts …")
        for copy in COPIES:
            await connection.execute(in_schema(copy, schema), first, last)


async def fill(url: str, sizes: Sizes) -> float:
    """Write all rows, and return the size of the database in MiB."""
    for schema in ("aiocredits", FEW, MANY):
        await PostgresStorage(url, schema=schema).migrate()
    connection: Connection = await asyncpg.connect(url)
    await connection.execute("SET synchronous_commit = off")
    await make_history(url, connection, SHORT, SHORT_ENTRIES)
    await make_history(url, connection, LONG, sizes.entries)
    await make_accounts(url, connection, FEW, ACTIVE)
    await make_accounts(url, connection, MANY, sizes.accounts)
    progress("vacuum …")
    # What was written at once is tidied up at once; a live table is, bit by bit.
    await connection.execute("VACUUM (ANALYZE)")
    await connection.execute("CHECKPOINT")
    size: int = await connection.fetchval("SELECT pg_database_size(current_database())")
    await connection.close()
    return size / MEBIBYTE


async def compare_histories(client: CreditClient, sizes: Sizes) -> Comparison:
    """Measure an account with a short history against one with a long one."""
    comparison = Comparison((SHORT, LONG), sizes, 2, "entries")

    def balance(user_id: str) -> Work:
        return lambda _: client.get_user_balance(user_id)

    def status(user_id: str) -> Work:
        return lambda _: client.get_user_credit_status(user_id)

    def consume(user_id: str) -> Work:
        return lambda _: client.consume_credits(user_id, 1, "a call", service="chat")

    await measure_all(comparison, balance, status, consume)
    return comparison


async def compare_tables(clients: Mapping[str, CreditClient], sizes: Sizes) -> Comparison:
    """Measure a thousand accounts among themselves against a thousand among many."""
    comparison = Comparison((FEW, MANY), sizes, 1.25, "accounts")
    chance = random.Random(1)
    users = {FEW: users_of(ACTIVE), MANY: users_of(sizes.accounts)}

    def balance(side: str) -> Work:
        return lambda _: clients[side].get_user_balance(chance.choice(users[side]))

    def status(side: str) -> Work:
        return lambda _: clients[side].get_user_credit_status(chance.choice(users[side]))

    def consume(side: str) -> Work:
        return lambda _: clients[side].consume_credits(
            chance.choice(users[side]), 1, "a call", service="chat"
        )

    await measure_all(comparison, balance, status, consume)
    return comparison


def users_of(accounts: int) -> Sequence[str]:
    """Return a thousand of all users, evenly spread."""
    return [f"user-{number}" for number in range(0, accounts, accounts // ACTIVE)][:ACTIVE]


async def measure_all(
    comparison: Comparison,
    balance: Callable[[str], Work],
    status: Callable[[str], Work],
    consume: Callable[[str], Work],
) -> None:
    """Measure the verbs that every call of an application makes."""
    await comparison.warm_up([balance, status, consume])
    await comparison.measure("get_user_balance", balance)
    await comparison.measure("get_user_credit_status", status)
    await comparison.measure("consume_credits", consume)
    await comparison.measure("consume_credits, 64 callers", consume, callers=64)


async def verify(client: CreditClient, users: Sequence[str]) -> dict[str, Json]:
    """Prove accounts from their entries."""
    entries = 0
    for user in users:
        verification = await client.verify(user)
        assert verification.ok, (user, verification.problems[:5], verification.busy)
        entries += verification.entries
    return {"accounts": len(users), "entries": entries, "ok": True}


async def run(url: str, sizes: Sizes) -> tuple[dict[str, Json], list[Json]]:
    """Make everything, measure, and check the books."""
    report: dict[str, Json] = {"entries": sizes.entries, "accounts": sizes.accounts}
    report["database_mib"] = round(await fill(url, sizes))
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(CreditClient(url))
        histories = await compare_histories(client, sizes)
        clients = {
            schema: await stack.enter_async_context(
                CreditClient(PostgresStorage(url, schema=schema))
            )
            for schema in (FEW, MANY)
        }
        tables = await compare_tables(clients, sizes)
        progress("verifying accounts from their entries …")
        report["verified"] = {
            "histories": await verify(client, [SHORT, LONG] if sizes.verifies else [SHORT]),
            FEW: await verify(clients[FEW], users_of(ACTIVE)),
            MANY: await verify(clients[MANY], users_of(sizes.accounts)),
        }
        report["peak_mib_after_verify"] = round(peak_memory() / MEBIBYTE, 1)
    report |= {"by entries": histories.report, "by accounts": tables.report}
    return report, [*histories.required, *tables.required]


def parsed() -> argparse.Namespace:
    """Return the command line."""
    parser = options(__doc__)
    parser.add_argument("--entries", type=int, help="of the long history; default: ten million")
    parser.add_argument("--accounts", type=int, help="in the large table; default: a million")
    return parser.parse_args()


def main() -> None:
    arguments = parsed()
    quick = arguments.quick
    sizes = Sizes(
        arguments.entries or (100_000 if quick else 10_000_000),
        arguments.accounts or (20_000 if quick else 1_000_000),
        *((5, 0.3) if quick else (14, 1.0)),
        verifies=not quick,
    )
    if arguments.directory:
        tempfile.tempdir = str(arguments.directory)
    surroundings = environment(Path(tempfile.gettempdir()))
    with running_server(durable=True) as server:
        url = server.new_database(tables=False)
        report, required = asyncio.run(run(url, sizes))
    finish({"benchmark": "postgres_history", "environment": surroundings, **report}, required)


if __name__ == "__main__":
    main()
