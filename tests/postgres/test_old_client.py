"""A *pre* migration of a version to come leaves this version working, even while it is applied."""

import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from aiocredits import CreditClient, commands
from aiocredits.storages.postgres.schema import steps
from aiocredits.testing import ManualClock
from tests.postgres.newer import STEPS

ROOT = Path(__file__).parents[2]
KNOWN = steps()[-1].version
MORE = [f"{KNOWN + number:04}_more" for number in range(1, 1 + len(STEPS))]
WIDENED = [
    ("accounts", "time_zone"),
    ("grants", "description"),
    ("holds", "description"),
    ("charges", "slices"),
    ("entries", "description"),
    ("usage", "unit_cost"),
]
WAITING = """
SELECT count(*) FROM pg_locks AS l JOIN pg_database AS d ON d.oid = l.database
WHERE NOT l.granted AND d.datname = current_database()
"""


@pytest.fixture
async def connection(url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(url)
    yield connection
    await connection.close()


# Every verb and every read, on tables that have grown


@pytest.mark.parametrize("option", ["", "&pgbouncer=true"])
async def test_every_verb_works_as_before(url: str, option: str) -> None:
    """One connection, so that all that it has prepared is out of date at once."""
    clock = ManualClock()
    once, twice = await live_in_memory(1), await live_in_memory(2)
    async with CreditClient(f"{url}&pool_size=1&lanes=1{option}", clock=clock) as client:
        assert await live(client, clock, "alice") == once
        assert await migrate(url) == MORE
        assert await live(client, clock, "alice") == twice
        assert await live(client, clock, "bob") == once
    async with CreditClient(url, clock=clock) as fresh:
        assert await live(fresh, clock, "bob") == twice
        assert await live(fresh, clock, "carol") == once


async def test_results_of_another_type_are_asked_for_again(
    url: str, connection: asyncpg.Connection
) -> None:
    """The server refuses what was prepared for results of the old type."""
    clock = ManualClock()
    async with CreditClient(f"{url}&pool_size=1&lanes=1", clock=clock) as client:
        await live(client, clock, "alice")
        for table, column in WIDENED:
            await connection.execute(
                f"ALTER TABLE aiocredits.{table} ALTER COLUMN {column} TYPE varchar"
            )
        assert await live(client, clock, "alice") == await live_in_memory(2)


async def test_a_transaction_of_the_callers_works_as_before(
    url: str, connection: asyncpg.Connection
) -> None:
    async with CreditClient(url) as client:
        await client.add_credits("alice", 10)
        for balance in (9, 8):
            async with connection.transaction():
                inside = client.in_transaction(connection)
                assert (await inside.consume_credits("alice", 1)).balance == balance
                assert await inside.get_user_balance("alice") == balance
            if balance == 9:
                await migrate(url)
        assert (await client.verify()).ok


async def live_in_memory(times: int) -> Sequence[object]:
    clock = ManualClock()
    async with CreditClient("memory://", clock=clock) as client:
        return [await live(client, clock, "alice") for _ in range(times)][-1]


async def live(client: CreditClient, clock: ManualClock, user: str) -> Sequence[object]:
    """Do all that can be done; return what the account's entries say."""
    await grant_and_hold(client, clock, user)
    await owe_and_repay(client, clock, user)
    await configure(client, user)
    await client.run_maintenance()
    await read_everything(client, clock, user)
    assert (await client.verify(user)).ok
    return await story_of(client, user)


async def grant_and_hold(client: CreditClient, clock: ManualClock, user: str) -> None:
    pending = await client.add_credits(user, 100, "top-up", pending=True)
    await client.activate_grant(pending.id)
    await client.set_expiry(pending.id, clock() + timedelta(days=1))
    await client.fail_grant((await client.add_credits(user, 1, pending=True)).id)
    hold = await client.hold_credits(user, 20, service="chat")
    await client.extend_hold(hold.id, credits=5)
    await client.capture_hold(hold.id, 4, final=False)
    charge = await client.capture_hold(hold.id, 6)
    await client.release_hold((await client.hold_credits(user, 3)).id)
    await client.hold_credits(user, 2)
    clock.advance(days=2)
    await client.refund_credits(charge.id, 1)
    await client.consume_credits(user, 3, occurred_at=clock() - timedelta(days=2))


async def owe_and_repay(client: CreditClient, clock: ManualClock, user: str) -> None:
    await client.set_overdraft_limit(user, 10)
    grant = await client.add_credits(user, 5)
    credits = 7 + await client.get_user_balance(user)
    debt = await client.consume_credits(user, credits, service="images", if_short="overdraft")
    assert debt.overdraft
    await client.refund_credits(debt.id, 3)
    await client.add_credits(user, 10, "it repays")
    await client.consume_credits(user, 1)
    await asyncio.gather(*(client.consume_credits(user, "0.1") for _ in range(5)))
    key = f"order {clock()} of {user}"
    first = await client.consume_credits(user, 1, idempotency_key=key)
    assert await client.consume_credits(user, 1, idempotency_key=key) == first._replace(
        replayed=True
    )
    await client.transfer_credits(user, f"{user}'s friend", 1)
    await client.apply_all(
        commands.add_credits(user, 3), commands.consume_credits(f"{user}'s friend", 1)
    )
    await client.revoke_grant(grant.id)


async def configure(client: CreditClient, user: str) -> None:
    await client.set_time_zone(user, "Europe/Rome")
    await client.freeze_account(user)
    await client.unfreeze_account(user)
    await client.close_account(user)
    await client.reopen_account(user)


async def read_everything(client: CreditClient, clock: ManualClock, user: str) -> None:
    status = await client.get_user_credit_status(user)
    assert status.balance == await client.get_user_balance(user)
    assert not await client.can_afford(user, status.balance + 1)
    await client.get_balance(user, at=clock() - timedelta(days=1))
    grants = [grant async for grant in client.grants(user)]
    assert await client.get_grant(grants[0].id) == grants[0]
    holds = [hold async for hold in client.holds(user)]
    assert await client.get_hold(holds[0].id) == holds[0]
    async for _ in client.grants(user, open_only=True):
        pass
    async for _ in client.holds(user, open_only=True):
        pass
    async for newest in client.entries(user, newest_first=True):
        assert await client.get_entry(newest.id) == newest
        break


async def story_of(client: CreditClient, user: str) -> Sequence[object]:
    return [entry[1:3] + entry[4:13] async for entry in client.entries(user)]


# While it is applied


async def test_callers_notice_nothing_while_it_is_applied(url: str) -> None:
    users = ("alice", "bob", "carol")
    async with CreditClient(url) as client:
        for user in users:
            await client.add_credits(user, 1_000_000)
        migrated = asyncio.Event()
        callers = [
            asyncio.create_task(call_until(migrated, work(client, user)))
            for user in users
            for work in (charge, hold, move, read)
        ]
        for number, name in enumerate(MORE, 1):
            assert await migrate(url, number) == [name]
        migrated.set()
        await asyncio.gather(*callers)
        assert (await client.verify()).ok


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("grants", "accounts"),
        ("accounts", "grants"),
        ("entries", "accounts"),
        ("accounts", "usage"),
        ("holds", "accounts"),
    ],
)
async def test_a_migration_that_waits_for_a_caller_who_waits_for_it(
    url: str, connection: asyncpg.Connection, first: str, second: str
) -> None:
    """The server ends one of them, here the caller, whose statement is tried again."""
    database = await connection.fetchval("SELECT current_database()")
    await connection.execute(f"ALTER DATABASE {database} SET deadlock_timeout = '150ms'")
    await connection.execute("SET deadlock_timeout = '400ms'")
    async with CreditClient(url) as client:
        await client.add_credits("alice", 1000)
        works = [work(client, "alice") for work in (charge, hold, move, read)]
        for do in works:  # so that statements are prepared, and books remembered
            await do()
        callers: list[asyncio.Task[None]] = []
        while not await altered(connection, (first, second), meanwhile=(works, callers)):
            pass
        await asyncio.gather(*callers)
        assert (await client.verify()).ok


async def test_a_migration_that_a_caller_stopped_begins_again(
    url: str, connection: asyncpg.Connection
) -> None:
    database = await connection.fetchval("SELECT current_database()")
    await connection.execute(f"ALTER DATABASE {database} SET deadlock_timeout = '400ms'")
    await connection.execute("SET deadlock_timeout = '1min'")
    async with connection.transaction():
        await connection.execute("LOCK TABLE aiocredits.accounts IN SHARE MODE")
        migration = asyncio.create_task(migrate(url))
        while not await connection.fetchval(WAITING):
            assert not migration.done()
        await connection.execute("LOCK TABLE aiocredits.usage IN SHARE MODE")
    assert await migration == MORE


async def altered(
    connection: asyncpg.Connection,
    tables: tuple[str, str],
    *,
    meanwhile: tuple[Sequence[Callable[[], Awaitable[None]]], list[asyncio.Task[None]]],
) -> bool:
    """Add columns, the second when a caller waits for the first; False if it was the victim."""
    alter = "ALTER TABLE aiocredits.{} ADD COLUMN {} text"
    works, callers = meanwhile
    try:
        async with connection.transaction():
            await connection.execute(alter.format(tables[0], "one"))
            callers += [asyncio.ensure_future(do()) for do in works]
            while not await connection.fetchval(WAITING):
                if all(caller.done() for caller in callers):
                    break
                await asyncio.sleep(0.005)
            await connection.execute(alter.format(tables[1], "two"))
    except asyncpg.DeadlockDetectedError:
        return False
    return True


async def call_until(over: asyncio.Event, do: Callable[[], Awaitable[None]]) -> None:
    """Do it again and again, and once more at the end; let every error through."""
    while not over.is_set():
        await do()
    await do()


def charge(client: CreditClient, user: str) -> Callable[[], Awaitable[None]]:
    async def do() -> None:
        charge = await client.consume_credits(user, 2)
        await client.consume_credits(user, 1, idempotency_key=f"after {charge.id}")

    return do


def hold(client: CreditClient, user: str) -> Callable[[], Awaitable[None]]:
    async def do() -> None:
        placed = await client.hold_credits(user, 2, timeout=timedelta(minutes=1))
        await client.capture_hold(placed.id, 1)

    return do


def move(client: CreditClient, user: str) -> Callable[[], Awaitable[None]]:
    numbers = count()

    async def do() -> None:
        await client.refund_credits((await client.consume_credits(user, 2)).id, 1)
        await client.transfer_credits(user, f"{user}'s friend {next(numbers) % 10}", 1)

    return do


def read(client: CreditClient, user: str) -> Callable[[], Awaitable[None]]:
    async def do() -> None:
        await client.get_user_credit_status(user)
        async for _ in client.entries(user, newest_first=True):
            break
        async for _ in client.holds(user, open_only=True):
            break
        await client.run_maintenance()

    return do


# Side by side


async def test_old_and_new_processes_write_side_by_side(
    url: str, connection: asyncpg.Connection
) -> None:
    accounts = [f"user {number}" for number in range(10)]
    async with CreditClient(url) as client:
        own = "one whom only the new version serves"  # or the others might leave it nothing
        for account in (*accounts, own):
            await client.add_credits(account, 150)
        order = [json.dumps([url, accounts, 8, seed]) for seed in range(2)]
        order.append(json.dumps([url, [*accounts, own], 8, 2]))
        before = asyncio.create_task(python("worker", order[0]))
        await migrate(url)
        taken = await asyncio.gather(
            before, python("worker", order[1]), python("newer", "spend", order[2])
        )
        assert sum(map(Counter, taken), Counter()) == dict.fromkeys((*accounts, own), 150)
        touched = "SELECT count(*) FROM aiocredits.accounts WHERE touched IS NOT NULL"
        assert await connection.fetchval(touched)
        assert (await client.verify()).ok


async def python(module: str, *arguments: str) -> Any:
    """Return what a program of the tests answers."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", f"tests.postgres.{module}", *arguments),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    output, _ = await process.communicate()
    assert process.returncode == 0
    return json.loads(output)


async def migrate(url: str, number: int = len(STEPS)) -> list[str]:
    """Let the next version apply so many migrations that this one does not know."""
    applied: list[str] = await python("newer", "migrate", json.dumps([url, number]))
    return applied
