"""Old months are put away, and what is left is still proved."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest

from aiocredits import CreditClient
from aiocredits._care import CareVerbs
from aiocredits._ledger import Audit
from aiocredits._receipt import Receipt
from aiocredits.errors import (
    ConfigurationError,
    ContentionError,
    EntriesDetachedError,
    EntriesDifferError,
    InvalidInputError,
    NotFoundError,
)
from aiocredits.storages.postgres import PostgresStorage, detaching
from aiocredits.storages.postgres.closing import Closing
from aiocredits.storages.postgres.connecting import Driver
from aiocredits.storages.postgres.partitions import month_of
from aiocredits.testing import ManualClock
from aiocredits.testing.histories import RandomHistory
from aiocredits.testing.reference import Reference

NOW = datetime.now(UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
ROOT = Path(__file__).parents[2]


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


@pytest.fixture
async def storage(url: str) -> PostgresStorage:
    """Return a storage with partitions up to seven months from now."""
    storage = PostgresStorage(url)
    await storage.partition_entries(months=7)
    return storage


@pytest.fixture
async def client(
    url: str, storage: PostgresStorage, clock: ManualClock
) -> AsyncIterator[CreditClient]:
    async with CreditClient(url, clock=clock) as client:
        yield client


async def busy(client: CreditClient, clock: ManualClock) -> None:
    """Give alice one of everything."""
    await client.add_credits("alice", 1)
    await client.consume_credits("alice", 1)
    await client.set_overdraft_limit("alice", 100)
    await client.add_credits("alice", 10, "welcome", expires_at=clock() + HOUR)
    await client.add_credits("alice", 5, pending=True)
    hold = await client.hold_credits("alice", 4, timeout=5 * DAY)
    charge = await client.consume_credits("alice", 3, service="chat")
    await client.capture_hold(hold.id, 1, final=False)
    await client.refund_credits(charge.id, 1)
    await client.consume_credits("alice", 20, if_short="overdraft")
    await client.add_credits("alice", 2, unit_cost="0.5", scope={"chat"})
    done = await client.hold_credits("alice", 1, service="chat", if_short="partial")
    await client.release_hold(done.id)


async def grow_old(client: CreditClient, clock: ManualClock) -> None:
    """Let alice live through four months."""
    await busy(client, clock)
    for later in range(2, 5):
        clock.set(month(later) + 2 * HOUR)
        await client.add_credits("alice", 30, expires_at=month(later) + 20 * DAY)
        await client.consume_credits("alice", 3, service="chat")
        await client.consume_credits("alice", 1)
    await client.add_credits("bob", 3)


async def wait_until(client: CreditClient, clock: ManualClock, instant: datetime) -> None:
    """Let time pass, for the books as well: somebody else has an entry then."""
    clock.set(instant)
    await client.add_credits("somebody else", 1)


async def problems(client: CreditClient) -> list[str]:
    found = await client.verify()
    assert not found.busy
    return [problem.text for problem in found.problems]


async def versions(client: CreditClient) -> list[int]:
    return [entry.version async for entry in client.entries("alice")]


async def test_entries_begin_later_and_add_up(
    client: CreditClient,
    storage: PostgresStorage,
    clock: ManualClock,
    connection: asyncpg.Connection,
) -> None:
    await grow_old(client, clock)
    before = await client.get_user_credit_status("alice")
    everything = await versions(client)
    tables = await storage.detach_entries(before=month(4) + HOUR)
    assert tables[-1] == f"entries_{month(3):%Y_%m}"
    left = await versions(client)
    assert 0 < len(left) < len(everything)
    assert left == everything[-len(left) :]
    newest_first = [e.version async for e in client.entries("alice", newest_first=True)]
    assert newest_first == left[::-1]
    assert [e.version async for e in client.entries("alice", since=month(1))] == left
    assert [e.version async for e in client.entries("alice", until=month(1))] == []
    assert await client.get_user_credit_status("alice") == before
    put_away = 0
    for table in tables:
        put_away += await connection.fetchval(f"SELECT count(*) FROM aiocredits.{table}")  # noqa: S608
    assert put_away == len(everything) - len(left)
    found = await client.verify()
    assert (found.ok, found.accounts, found.entries) == (True, 2, len(left) + 1)
    assert await storage.detach_entries(before=month(4) + HOUR) == ()
    await client.consume_credits("alice", 1)
    assert await problems(client) == []


async def test_again_a_month_later(
    client: CreditClient, storage: PostgresStorage, clock: ManualClock
) -> None:
    await busy(client, clock)
    for later in range(2, 7):
        clock.set(month(later))
        await client.add_credits("alice", 5)
        await client.consume_credits("alice", 7, if_short="overdraft")
        await storage.detach_entries(before=month(later))
        assert await problems(client) == []
    assert len(await versions(client)) < 5


async def test_all_may_be_gone(
    client: CreditClient, storage: PostgresStorage, clock: ManualClock
) -> None:
    await busy(client, clock)
    clock.set(month(3))
    await client.run_maintenance()
    await client.add_credits("bob", 1)
    await storage.detach_entries(before=month(3))
    assert await versions(client) == []
    assert await problems(client) == []
    assert (await client.get_balance("alice", at=month(3))).available == 2
    assert (await client.get_balance("alice", at=month(2))).overdraft > 0
    await client.add_credits("alice", 100)
    assert await problems(client) == []


@pytest.mark.parametrize("seed", range(6))
async def test_random_histories_are_proved_whenever_their_past_is_put_away(
    url: str, storage: PostgresStorage, clock: ManualClock, seed: int
) -> None:
    history, reference = RandomHistory(seed), Reference()
    async with CreditClient(url, clock=clock) as client:
        for later in (1, 2, 3):
            history._now = month(later) - 30 * HOUR
            for number in range(60):
                step = history.step(reference)
                reference.apply(step.commands, step.at)
                await client._storage.apply(step.commands, at=step.at)
                if number % 20 == 19 and history._now > month(later):
                    await wait_until(client, clock, month(later))
                    await storage.detach_entries(before=month(later))
                    assert (await client.verify()).problems == ()
        assert (await client.verify()).ok


TAMPERING = {
    "UPDATE aiocredits.entries SET amount = amount + 1 WHERE version = {last}": "entry {last} says",
    "UPDATE aiocredits.entries SET slices = '[[999, 1]]' WHERE version = {last}": (
        "entry {last} cannot be followed"
    ),
    "DELETE FROM aiocredits.entries WHERE version = {first}": "follows entry",
    "UPDATE aiocredits.accounts SET available = available + 1 WHERE account = 'alice'": "account",
    "UPDATE aiocredits.grants SET priority = 1 WHERE number = (SELECT max(number) FROM "
    "aiocredits.grants WHERE account = 'alice')": "grant alice:",
    "UPDATE aiocredits.grants SET description = 'x' WHERE state = 'spent'": "grants that had ended",
    "DELETE FROM aiocredits.grants WHERE state = 'spent'": "number of grants",
    "UPDATE aiocredits.holds SET captured = 0 WHERE state <> 'open' AND captured > 0": (
        "holds that had ended"
    ),
    "DELETE FROM aiocredits.holds WHERE state = 'released'": "number of holds",
    "UPDATE aiocredits.usage SET spent = spent + 1 WHERE day = (SELECT min(day) FROM "
    "aiocredits.usage)": "usage",
    "UPDATE aiocredits.usage SET spent = spent + 1 WHERE day = (SELECT max(day) FROM "
    "aiocredits.usage)": "usage",
    "DELETE FROM aiocredits.usage": "usage",
    "DELETE FROM aiocredits.openings": "follows entry 0",
    "UPDATE aiocredits.openings SET version = version - 1": "the opening at entry",
    "UPDATE aiocredits.openings SET state = '{{}}'": "the opening at entry",
    "UPDATE aiocredits.openings SET state = replace(state, 'granted', 'refunded')": (
        "the opening at entry"
    ),
    "UPDATE aiocredits.openings SET state = jsonb_set(state::jsonb, '{{totals,consumed}}', '5')": (
        "the opening at entry"
    ),
    "UPDATE aiocredits.openings SET state = jsonb_set(state::jsonb, '{{account,3}}', '5')": (
        "the opening at entry"
    ),
}


@pytest.mark.parametrize("statement", TAMPERING)
async def test_tampering_is_still_found(
    client: CreditClient,
    storage: PostgresStorage,
    clock: ManualClock,
    connection: asyncpg.Connection,
    statement: str,
) -> None:
    await grow_old(client, clock)
    await storage.detach_entries(before=month(4))
    left = await versions(client)
    words = {"first": left[0], "last": left[-1]}
    assert await problems(client) == []
    status = await connection.execute(statement.format(**words))
    assert not status.endswith(" 0")
    found = await problems(client)
    assert any(TAMPERING[statement].format(**words) in text for text in found), found


async def test_books_that_do_not_add_up_stay(
    client: CreditClient,
    storage: PostgresStorage,
    clock: ManualClock,
    connection: asyncpg.Connection,
) -> None:
    await grow_old(client, clock)
    await wait_until(client, clock, month(5))
    sql = "UPDATE aiocredits.grants SET remaining = remaining + 1000000 WHERE account = 'bob'"
    await connection.execute(sql)
    with pytest.raises(
        EntriesDifferError, match=r"account 'bob' .*nothing was.* grant bob:1"
    ) as no:
        await storage.detach_entries(before=month(5))
    assert (no.value.user_id, len(no.value.problems)) == ("bob", 1)
    assert (await versions(client))[0] == 1
    assert {text.partition(":")[0] for text in await problems(client)} == {"grant bob"}
    await connection.execute(sql.replace("+ 1000000", "- 1000000"))
    assert await storage.detach_entries(before=month(5))
    assert await problems(client) == []


async def test_the_past_begins_with_the_opening(
    client: CreditClient, storage: PostgresStorage, clock: ManualClock
) -> None:
    await client.add_credits("alice", 10, scope={"chat"})
    clock.set(month(2))
    await client.consume_credits("alice", 1, service="chat")
    clock.set(month(4))
    await client.consume_credits("alice", 2, service="chat")
    instants = [NOW, month(1), month(2), month(3), month(4)]
    before = [await client.get_balance("alice", at=instant) for instant in instants]
    chat = [await client.get_balance("alice", at=instant, service="chat") for instant in instants]
    clock.set(month(5))
    await storage.detach_entries(before=month(4))
    for index, instant in enumerate(instants):
        for service, expected in ((None, before[index]), ("chat", chat[index])):
            asking = client.get_balance("alice", at=instant, service=service)
            if instant < month(2):
                with pytest.raises(EntriesDetachedError, match=r"alice.* have been") as gone:
                    await asking
                assert gone.value.since == month(2)
            else:
                assert await asking == expected


async def test_the_past_is_there_as_long_as_its_entries_are(
    client: CreditClient, storage: PostgresStorage, clock: ManualClock, url: str
) -> None:
    await client.add_credits("alice", 10)
    clock.set(month(2))
    await client.consume_credits("alice", 1)
    clock.set(month(4))
    await client.consume_credits("alice", 2)
    clock.set(month(5))
    await close_until(url, month(4))
    for service in (None, "chat"):
        past = await client.get_balance("alice", at=month(1), service=service)
        assert past.available == 10
    assert await problems(client) == []


async def close_until(url: str, until: datetime) -> None:
    connection = await asyncpg.connect(url)
    await Closing(connection, "aiocredits", until).close_all()
    await connection.close()


async def test_refunds_end_where_the_books_are_closed(
    client: CreditClient, storage: PostgresStorage, clock: ManualClock, url: str
) -> None:
    await client.set_overdraft_limit("alice", 100)
    await client.add_credits("alice", 10)
    paid = await client.consume_credits("alice", 4)
    late = await client.consume_credits("alice", 4)
    owed = await client.consume_credits("alice", 7, if_short="overdraft")
    clock.set(month(2))
    young = await client.consume_credits("alice", 1, if_short="overdraft")
    await client.refund_credits(late.id, 1)
    await close_until(url, month(2))
    with pytest.raises(NotFoundError, match=paid.id):
        await client.refund_credits(paid.id)
    with pytest.raises(NotFoundError, match=late.id):
        await client.refund_credits(late.id)
    await client.refund_credits(owed.id, 1)
    await client.refund_credits(young.id)
    assert await problems(client) == []
    await storage.detach_entries(before=month(2))
    with pytest.raises(NotFoundError, match=paid.id):
        await client.refund_credits(paid.id)
    assert await problems(client) == []
    await wait_until(client, clock, month(3))
    await storage.detach_entries(before=month(3))
    assert await problems(client) == []


async def test_a_refund_in_the_middle_of_closing_is_not_lost(
    client: CreditClient,
    storage: PostgresStorage,
    clock: ManualClock,
    connection: asyncpg.Connection,
) -> None:
    await client.add_credits("alice", 10)
    charge = await client.consume_credits("alice", 4)
    clock.set(month(2))
    closing = Closing(connection, "aiocredits", month(2))
    async with connection.transaction(isolation="repeatable_read"):
        found = await closing._proved("alice")
    assert found is not None
    await client.refund_credits(charge.id, 1)
    assert not await closing._put(found)
    await closing.close_all()
    assert await problems(client) == []


async def test_keys_last_as_long_as_their_entries(
    client: CreditClient, storage: PostgresStorage, clock: ManualClock
) -> None:
    await client.add_credits("alice", 10)
    first = await client.consume_credits("alice", 1, idempotency_key="order 7")
    clock.set(month(2))
    assert (await client.consume_credits("alice", 1, idempotency_key="order 7")).id == first.id
    await wait_until(client, clock, month(2))
    await storage.detach_entries(before=month(2))
    assert not (await client.consume_credits("alice", 1, idempotency_key="order 7")).replayed
    assert await problems(client) == []


async def test_what_time_does_late_is_never_put_away_unread(
    client: CreditClient,
    storage: PostgresStorage,
    clock: ManualClock,
    connection: asyncpg.Connection,
) -> None:
    """Expiry is written when somebody looks, and dated when it was: in a month that is gone."""
    for number in range(3):
        await client.add_credits(number, 10, expires_at=month(1) + DAY)
    clock.set(month(4))
    await client.add_credits("alice", 10)
    assert await problems(client) == []
    await close_until_and_then(client, storage, 1)
    assert await client.get_user_balance(2) == 0
    assert await problems(client) == []
    await client.consume_credits(2, 1, if_short="partial")
    assert await connection.fetchval("SELECT count(*) FROM aiocredits.entries_default") == 1
    assert await problems(client) == []
    clock.set(month(6))
    await client.add_credits("alice", 10)
    await storage.detach_entries(before=month(5))
    assert await connection.fetchval("SELECT count(*) FROM aiocredits.entries_default") == 0
    assert await problems(client) == []


async def close_until_and_then(
    client: CreditClient, storage: PostgresStorage, user_id: int
) -> None:
    """Let an expiry be written after its account was closed, and before its month is detached."""
    close_all = Closing.close_all

    async def and_then(closing: Closing) -> None:
        await close_all(closing)
        await client.consume_credits(user_id, 1, if_short="partial")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Closing, "close_all", and_then)
        await storage.detach_entries(before=month(3))


async def test_nobody_writes_into_a_partition_while_it_is_detached(
    client: CreditClient,
    storage: PostgresStorage,
    clock: ManualClock,
    connection: asyncpg.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await client.add_credits("alice", 10, expires_at=month(1) + DAY)
    clock.set(month(4))
    await client.add_credits("bob", 10)
    not_closed = detaching._not_closed
    writing: list[asyncio.Task[Receipt]] = []

    async def and_then(connection: Driver, schema: str, table: str) -> Sequence[str]:
        found = await not_closed(connection, schema, table)
        everything_is_locked = connection.is_in_transaction() and table.endswith(last)
        if everything_is_locked and not writing:
            write = client.consume_credits("alice", 1, if_short="partial")
            writing.append(asyncio.create_task(write))
            await asyncio.sleep(0.2)
            assert not writing[0].done()
        return found

    last = f"{month(3):%Y_%m}"
    monkeypatch.setattr(detaching, "_not_closed", and_then)
    await storage.detach_entries(before=month(4))
    assert (await writing[0]).amount == 0
    assert await problems(client) == []
    assert await connection.fetchval("SELECT count(*) FROM aiocredits.entries_default") == 0


async def test_verify_begins_again_if_entries_are_put_away_meanwhile(
    client: CreditClient,
    storage: PostgresStorage,
    clock: ManualClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await grow_old(client, clock)
    read_on = CareVerbs._read_on

    async def detach_first(client: CareVerbs, audit: Audit) -> int:
        await storage.detach_entries(before=month(4))
        return await read_on(client, audit)

    monkeypatch.setattr(CareVerbs, "_read_on", detach_first)
    assert (await client.verify("alice")).ok


async def test_writers_and_verifiers_do_not_notice(
    url: str, storage: PostgresStorage, clock: ManualClock
) -> None:
    async with CreditClient(url, clock=clock) as one, CreditClient(url, clock=clock) as two:
        for user in range(5):
            await one.add_credits(user, 10_000)
            for _ in range(30):
                await one.consume_credits(user, 1)
        clock.set(month(2))
        done = asyncio.Event()
        taken = 150

        async def write(client: CreditClient, user: int) -> None:
            nonlocal taken
            while not done.is_set():
                receipt = await client.consume_credits(user, 2)
                await client.refund_credits(receipt.id, 1)
                taken += 1

        async def verify() -> None:
            while not done.is_set():
                assert (await one.verify()).problems == ()

        writers = [asyncio.create_task(write(c, user)) for c in (one, two) for user in range(5)]
        writers.append(asyncio.create_task(verify()))
        await asyncio.sleep(0.1)
        before = taken
        assert await storage.detach_entries(before=month(2))
        await asyncio.sleep(0.2)
        done.set()
        await asyncio.gather(*writers)
        assert taken > before
        assert sum([await one.get_user_balance(user) for user in range(5)]) == 50_000 - taken
        assert (await one.verify()).ok


async def test_who_cannot_lock_the_table_detaches_nothing(
    client: CreditClient,
    url: str,
    storage: PostgresStorage,
    clock: ManualClock,
    connection: asyncpg.Connection,
) -> None:
    await client.add_credits("alice", 10)
    clock.set(month(2))
    await client.add_credits("alice", 10)
    async with connection.transaction():
        await client.in_transaction(connection).consume_credits("bob", 1, if_short="partial")
        with pytest.raises(ContentionError, match="long transactions"):
            await PostgresStorage(url, deadline=1).detach_entries(before=month(2))
    assert await versions(client) == [1, 2]
    assert await storage.detach_entries(before=month(2))
    assert await versions(client) == [2]
    assert await problems(client) == []


DETACH = """
import asyncio, sys
from datetime import datetime
from aiocredits.storages.postgres import PostgresStorage
asyncio.run(PostgresStorage(sys.argv[1]).detach_entries(before=datetime.fromisoformat(sys.argv[2])))
"""


async def test_killed_it_goes_on_where_it_was(
    client: CreditClient,
    url: str,
    storage: PostgresStorage,
    clock: ManualClock,
    connection: asyncpg.Connection,
) -> None:
    for user in range(300):
        await client.add_credits(user, 10)
    clock.set(month(2))
    await client.add_credits("alice", 10)
    worker = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        DETACH,
        url,
        month(2).isoformat(),
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    closed = "SELECT count(*) FROM aiocredits.openings"
    while not (done := await connection.fetchval(closed)):  # noqa: ASYNC110 - of another process
        await asyncio.sleep(0.01)
    worker.kill()
    await worker.wait()
    assert done < 300
    assert await problems(client) == []
    await client.consume_credits(7, 1)
    done = await connection.fetchval(closed)
    accounts: list[str] = []
    close = Closing._close

    async def noting(closing: Closing, name: str) -> None:
        accounts.append(name)
        await close(closing, name)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Closing, "_close", noting)
        assert await storage.detach_entries(before=month(2))
    assert len(accounts) == 301 - done
    assert await connection.fetchval(closed) == 300
    assert await problems(client) == []


async def test_what_is_spent_can_be_revoked_later(
    client: CreditClient, storage: PostgresStorage, clock: ManualClock
) -> None:
    grants = [await client.add_credits("alice", 1) for _ in range(3)]
    await client.consume_credits("alice", 3)
    for later, grant in enumerate(grants, 2):
        await wait_until(client, clock, month(later))
        await storage.detach_entries(before=month(later))
        await client.revoke_grant(grant.id)
        assert await problems(client) == []


async def test_an_opening_does_not_grow_with_history(
    client: CreditClient,
    storage: PostgresStorage,
    clock: ManualClock,
    connection: asyncpg.Connection,
) -> None:
    sizes: list[int] = []
    for later in range(2, 7):
        for _ in range(10):
            await client.add_credits("alice", 1)
            await client.consume_credits("alice", 1)
            await client.add_credits("alice", 1)
            hold = await client.hold_credits("alice", 1)
            await client.capture_hold(hold.id)
        clock.set(month(later))
        await client.add_credits("bob", 1)
        await storage.detach_entries(before=month(later))
        state = await connection.fetchval(
            "SELECT state FROM aiocredits.openings WHERE account = 'alice'"
        )
        sizes.append(len(json.loads(state)["grants"]) + len(json.loads(state)["holds"]))
    assert sizes == [0] * 5
    assert await problems(client) == []


async def test_what_cannot_be_put_away(url: str, clock: ManualClock) -> None:
    storage = PostgresStorage(url)
    with pytest.raises(ConfigurationError, match="one table"):
        await storage.detach_entries(before=NOW)
    await storage.partition_entries()
    with pytest.raises(InvalidInputError, match="future"):
        await storage.detach_entries(before=datetime.now(UTC) + DAY)
    with pytest.raises(InvalidInputError, match="time zone"):
        await storage.detach_entries(before=NOW.replace(tzinfo=None))
    assert await storage.detach_entries(before=NOW) == ()
