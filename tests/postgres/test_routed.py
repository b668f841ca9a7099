"""A batch split by account: what is written together, what fails alone, and what is never lost."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from aiocredits import CreditClient, commands
from aiocredits._commands import Accepted, Command, Linked, Outcome, Refused, Single
from aiocredits._queries import AccountsQuery
from aiocredits.errors import (
    ContentionError,
    OutcomeUnknownError,
    StorageError,
    StorageUnavailableError,
)
from aiocredits.storages.postgres import PostgresStorage
from aiocredits.storages.postgres.parts import parts_of
from tests.postgres.proxies import Proxy, proxy_to
from tests.postgres.routing import is_routed, only_routed

NOW = datetime(2026, 1, 1, tzinfo=UTC)
REFUSE_BOB = "ALTER TABLE aiocredits.entries ADD CHECK (account <> 'bob') NOT VALID"
LOCK_BOB = "SELECT FROM aiocredits.accounts WHERE account = 'bob' FOR UPDATE"
KILL = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""


def consume(user: str) -> Single:
    return commands.consume_credits(user, 1)


def transfer(source: str, target: str) -> Single:
    return commands.transfer_credits(source, target, 1)


def kinds(outcomes: list[Outcome]) -> list[type[object]]:
    """Tell what became of commands."""
    return [
        type(outcome.error) if isinstance(outcome, Refused) else type(outcome)
        for outcome in outcomes
    ]


@pytest.fixture
async def proxy(url: str) -> AsyncIterator[Proxy]:
    async with proxy_to(url) as proxy:
        yield proxy


# Parts


def test_accounts_are_parts_and_keep_the_order_of_their_commands() -> None:
    batch = [consume(user) for user in ("b", "a", "b", "c", "a")]
    assert parts_of(batch) == [[0, 2], [1, 4], [3]]
    assert parts_of([]) == []


def test_a_command_over_several_accounts_brings_them_together() -> None:
    group = Linked((consume("d"), consume("e")))
    batch: list[Command] = [consume("a"), consume("b"), transfer("b", "c"), group]
    batch += [consume("c"), consume("e")]
    assert parts_of(batch) == [[0], [1, 2, 4], [3, 5]]
    assert parts_of([*batch, transfer("e", "a")]) == [[0, 3, 5, 6], [1, 2, 4]]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM accounts WHERE account = ANY($1::text[])",
        "SELECT * FROM accounts WHERE version = $1",
        "SELECT * FROM accounts AS a, grants AS g WHERE a.account = $1 AND g.account = $2",
        'INSERT INTO "s".usage (account, day) SELECT account, day FROM unnest($1, $2)',
        'INSERT INTO "s".usage (account, day) VALUES ($1, $2), ($3, $4)',
        "WITH a AS (SELECT 1) UPDATE accounts SET version = 1 WHERE account = $1",
    ],
)
def test_what_could_not_be_routed_is_noticed(sql: str) -> None:
    assert not is_routed(sql, ("alice", "bob"))


# Failures


async def test_an_account_that_fails_fails_alone(url: str) -> None:
    users = ["alice", "bob", "carol", "bob"]
    async with CreditClient(f"{url}&routed=true") as client:
        for user in users:
            await client.add_credits(user, 10)
        connection = await asyncpg.connect(url)
        await connection.execute(REFUSE_BOB)
        await connection.close()
        answers = await asyncio.gather(
            *(client.consume_credits(user, 1) for user in users), return_exceptions=True
        )
        assert [isinstance(answer, StorageError) for answer in answers] == [False, True] * 2
        with pytest.raises(StorageError, match="nothing was written"):
            await client.consume_credits("bob", 1)
        assert (await client.verify()).ok


async def test_if_nothing_was_written_the_whole_batch_fails(url: str, proxy: Proxy) -> None:
    storage = PostgresStorage.from_url(f"{proxy.url}?routed=true&deadline=0.5")
    await storage.open()
    proxy.go_down()
    with pytest.raises(StorageError, match="nothing was written"):
        await storage.apply([commands.add_credits("alice", 1)], at=NOW)
    with pytest.raises(StorageUnavailableError):
        await storage.apply([commands.add_credits(str(n), 1) for n in range(20)], at=NOW)
    await storage.close()


async def test_a_locked_account_keeps_nobody_else_from_being_written(url: str) -> None:
    storage = PostgresStorage.from_url(f"{url}&routed=true&deadline=0.5")
    await storage.open()
    users = ["bob", "alice", "carol"]
    await storage.apply([commands.add_credits(user, 10) for user in users], at=NOW)
    connection = await asyncpg.connect(url)
    async with connection.transaction():
        await connection.execute(LOCK_BOB)
        outcomes = await storage.apply([consume(user) for user in users], at=NOW)
    assert kinds([*outcomes]) == [ContentionError, Accepted, Accepted]
    outcomes = await storage.apply([consume(user) for user in users], at=NOW)
    assert kinds([*outcomes]) == [Accepted] * 3
    await connection.close()
    await storage.close()


async def test_accounts_that_are_not_on_turn_in_time_are_given_back(url: str) -> None:
    # One connection for writing, and whoever comes first waits for a lock until the deadline.
    storage = PostgresStorage.from_url(f"{url}&routed=true&deadline=0.5&pool_size=1&lanes=1")
    await storage.open()
    users = ["bob", "alice", "carol"]
    await storage.apply([commands.add_credits(user, 10) for user in users], at=NOW)
    connection = await asyncpg.connect(url)
    async with connection.transaction():
        await connection.execute(LOCK_BOB)
        with pytest.raises(ContentionError, match="nothing was written"):
            await storage.apply([consume(user) for user in users], at=NOW)
    outcomes = await storage.apply([consume(user) for user in users], at=NOW)
    assert kinds([*outcomes]) == [Accepted] * 3
    await connection.close()
    await storage.close()


@pytest.mark.parametrize("quick", [True, False])
async def test_a_lost_acknowledgement_acts_once(url: str, proxy: Proxy, *, quick: bool) -> None:
    routed = f"{proxy.url}?routed=true"
    async with CreditClient(routed) as client, CreditClient(url) as other:
        await client.add_credits("alice", 100)
        charge = await client.consume_credits("alice", 10)
        proxy.lose_answer_to(b"COMMIT;")
        if quick:
            receipt = await client.consume_credits("alice", 1)
        else:
            receipt = await client.refund_credits(charge.id, 1)
        assert proxy.lost.is_set()
        assert receipt.replayed
        assert receipt.balance == (89 if quick else 91)
        assert await other.get_user_balance("alice") == receipt.balance
        assert (await other.verify()).ok


async def test_nobody_can_say_whether_it_happened(url: str, proxy: Proxy) -> None:
    routed = f"{proxy.url}?routed=true&deadline=1"
    async with CreditClient(routed) as client, CreditClient(url) as other:
        await client.add_credits("alice", 100)
        proxy.lose_answer_to(b"COMMIT;")
        attempt = asyncio.create_task(client.consume_credits("alice", 1))
        await proxy.lost.wait()
        proxy.go_down()
        with pytest.raises(OutcomeUnknownError) as unknown:
            await attempt
        proxy.come_up()
        receipt = await client.consume_credits("alice", 1, idempotency_key=unknown.value.key)
        assert receipt.replayed
        assert await other.get_user_balance("alice") == 99


async def test_backends_killed_while_writing_lose_nothing(url: str) -> None:
    killer = await asyncpg.connect(url)
    users = [f"user {number}" for number in range(10)]
    async with CreditClient(f"{url}&routed=true") as client:
        await asyncio.gather(*(client.add_credits(user, 10_000) for user in users))
        done = 0
        stop = False

        async def consume(number: int) -> None:
            nonlocal done
            while not stop:
                user = users[number % 10]
                await client.consume_credits(user, 1)
                await client.transfer_credits(user, users[(number + 1) % 10], 1)
                done += 1

        callers = [asyncio.create_task(consume(number)) for number in range(20)]
        for _ in range(15):
            await asyncio.sleep(0.07)
            await killer.execute(KILL)
        stop = True
        await asyncio.gather(*callers)
        balances = [await client.get_user_balance(user) for user in users]
        assert sum(balances) == 100_000 - done
        assert (await client.verify()).ok
    await killer.close()


async def test_a_key_that_took_the_last_credits_is_answered_again(url: str) -> None:
    storage = PostgresStorage.from_url(f"{url}&routed=true")
    await storage.open()
    charge = consume("alice")
    await storage.apply([commands.add_credits("alice", 1), charge], at=NOW)
    (outcome,) = await storage.apply([charge], at=NOW)
    assert isinstance(outcome, Accepted)
    assert outcome.receipt.replayed
    await storage.close()


# Together with others


async def test_processes_that_split_batches_and_those_that_do_not_share_the_books(
    url: str,
) -> None:
    users = [f"user {number}" for number in range(8)]
    async with CreditClient(url) as one, CreditClient(f"{url}&routed=true") as two:
        for user in users:
            await one.add_credits(user, 100)
        await asyncio.gather(
            *(
                client.transfer_credits(users[n % 8], users[(n + step) % 8], 1)
                for client, step in ((one, 3), (two, 5), (two, 1))
                for n in range(64)
            ),
            *(client.consume_credits(user, 1) for client in (one, two) for user in users * 5),
        )
        assert sum([await one.get_user_balance(user) for user in users]) == 800 - 80
        assert (await two.verify()).ok


async def test_a_transaction_of_the_callers_is_routed_too(url: str) -> None:
    with only_routed() as sent:
        async with CreditClient(f"{url}&routed=true") as client:
            await client.add_credits("alice", 100)
            mine = await asyncpg.connect(url)
            async with mine.transaction():
                inside = client.in_transaction(mine)
                await inside.consume_credits("alice", 5, idempotency_key="a report")
                await inside.transfer_credits("alice", "bob", 5)
                hold = await inside.hold_credits("alice", 5, timeout=timedelta(hours=1))
                await inside.capture_hold(hold.id, 2)
                assert await inside.get_user_balance("alice") == 88
            await mine.close()
            assert await client.get_user_balance("bob") == 5
    assert sent


async def test_nothing_is_written_for_an_empty_batch(url: str) -> None:
    storage = PostgresStorage.from_url(f"{url}&routed=true")
    await storage.open()
    assert list(await storage.apply([], at=NOW)) == []
    assert (await storage.read(AccountsQuery())).rows == ()
    await storage.close()


@pytest.mark.parametrize("done", [True, False])
async def test_a_commit_that_fails_may_have_happened(
    url: str, monkeypatch: pytest.MonkeyPatch, *, done: bool
) -> None:
    """As Citus fails when it loses a node just then."""
    async with CreditClient(f"{url}&routed=true") as client:
        await client.add_credits("alice", 10)
        charge = await client.consume_credits("alice", 1)
        execute = asyncpg.Connection.execute
        failures = iter(range(2))

        async def fail(self: asyncpg.Connection, query: str, *arguments: object) -> str:
            if query == "COMMIT;" and next(failures, None) is not None:
                await execute(self, query if done else "ROLLBACK")
                raise asyncpg.InternalServerError("could not commit on at least one active node")
            return await execute(self, query, *arguments)

        monkeypatch.setattr(asyncpg.Connection, "execute", fail)
        refund = await client.refund_credits(charge.id, 1)
        receipt = await client.consume_credits("alice", 3)
        assert refund.replayed is done
        assert receipt.balance == 7
        assert (await client.verify()).ok
