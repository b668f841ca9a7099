"""A charge inside a transaction of the caller's."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from aiocredits import CreditClient
from aiocredits.errors import (
    ConfigurationError,
    ContentionError,
    IdempotencyConflictError,
    InsufficientCreditsError,
    UsageError,
)

REPORT = "INSERT INTO reports (title) VALUES ('of the year')"
COUNT = "SELECT count(*) FROM reports"


@pytest.fixture
async def client(url: str) -> AsyncIterator[CreditClient]:
    async with CreditClient(url) as client:
        await client.add_credits("alice", 100)
        yield client
        assert (await client.verify()).ok


@pytest.fixture
async def mine(url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(url)
    await connection.execute("CREATE TABLE reports (title text)")
    yield connection
    await connection.close()


async def test_charge_and_rows_are_committed_together(
    client: CreditClient, mine: asyncpg.Connection
) -> None:
    async with mine.transaction():
        await mine.execute(REPORT)
        inside = client.in_transaction(mine)
        receipt = await inside.consume_credits("alice", 5, "a report")
        assert receipt.balance == 95
        assert await inside.get_user_balance("alice") == 95
        assert await client.get_user_balance("alice") == 100
    assert await client.get_user_balance("alice") == 95
    assert await mine.fetchval(COUNT) == 1


async def test_charge_and_rows_are_rolled_back_together(
    client: CreditClient, mine: asyncpg.Connection
) -> None:
    transaction = mine.transaction()
    await transaction.start()
    await mine.execute(REPORT)
    inside = client.in_transaction(mine)
    await inside.consume_credits("alice", 5, "a report", idempotency_key="a")
    await inside.add_credits("somebody new", 5)
    await transaction.rollback()
    assert await client.get_user_balance("alice") == 100
    assert await client.get_user_balance("somebody new") == 0
    assert await mine.fetchval(COUNT) == 0
    receipt = await client.consume_credits("alice", 5, "a report", idempotency_key="a")
    assert not receipt.replayed


async def test_refusal_leaves_the_transaction_usable(
    client: CreditClient, mine: asyncpg.Connection
) -> None:
    async with mine.transaction():
        inside = client.in_transaction(mine)
        await mine.execute(REPORT)
        with pytest.raises(InsufficientCreditsError):
            await inside.consume_credits("alice", 101)
        await inside.consume_credits("alice", 1, idempotency_key="k")
        with pytest.raises(IdempotencyConflictError):
            await inside.consume_credits("alice", 2, idempotency_key="k")
        assert (await inside.consume_credits("alice", 1, idempotency_key="k")).replayed
    assert await mine.fetchval(COUNT) == 1
    assert await client.get_user_balance("alice") == 99


async def test_what_the_client_remembers_is_not_believed_afterwards(
    client: CreditClient, mine: asyncpg.Connection
) -> None:
    await client.consume_credits("alice", 1)
    async with mine.transaction():
        await client.in_transaction(mine).consume_credits("alice", 90)
    with pytest.raises(InsufficientCreditsError) as refusal:
        await client.consume_credits("alice", 10)
    assert refusal.value.available == 9
    assert (await client.consume_credits("alice", 9)).balance == 0


async def test_a_locked_account_is_contention_and_not_missing_credits(
    url: str, client: CreditClient, mine: asyncpg.Connection
) -> None:
    async with CreditClient(f"{url}&deadline=0.5") as other, mine.transaction():
        await client.in_transaction(mine).consume_credits("alice", 1)
        with pytest.raises(ContentionError):
            await other.consume_credits("alice", 1)


async def test_misuse_is_explained(client: CreditClient, mine: asyncpg.Connection) -> None:
    with pytest.raises(UsageError, match="in no transaction"):
        await client.in_transaction(mine).consume_credits("alice", 1)
    with pytest.raises(UsageError, match="asyncpg connection"):
        client.in_transaction("connection")
    async with CreditClient("memory://") as books:
        with pytest.raises(ConfigurationError, match="PostgreSQL"):
            books.in_transaction(mine)
