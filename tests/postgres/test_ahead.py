"""A batch that comes while another of its accounts is written is decided ahead, and never wrong."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest

from aiocredits import CreditClient, commands
from aiocredits._commands import Accepted, Command, Outcome, Refused
from aiocredits._ledger import decide_cached
from aiocredits.storages.postgres import PostgresStorage, fast
from aiocredits.storages.postgres.saving import save
from aiocredits.storages.postgres.unit import Unit

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Gate:
    """Stands before the statements of the fast path, and counts them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.open = asyncio.Event()
        self.reached = asyncio.Event()
        self.saved = 0
        self.looked_up = 0
        self.failure: Exception | None = None
        monkeypatch.setattr(fast, "save", self.save)
        look_up = Unit.look_up

        async def counted(unit: Unit, *args: Any) -> Any:
            self.looked_up += 1
            return await look_up(unit, *args)

        monkeypatch.setattr(Unit, "look_up", counted)

    async def save(self, *args: Any, **options: Any) -> list[str]:
        self.saved += 1
        self.reached.set()
        await self.open.wait()
        failure, self.failure = self.failure, None
        if failure is not None:
            raise failure
        return await save(*args, **options)


@pytest.fixture
async def storage(url: str) -> AsyncIterator[PostgresStorage]:
    """A storage that remembers alice, who has ten credits."""
    storage = PostgresStorage(url)
    await storage.open()
    await storage.apply([commands.add_credits("alice", 10)], at=NOW)
    await storage.apply([commands.add_credits("bob", 10)], at=NOW)
    yield storage
    await storage.close()


async def begin(storage: PostgresStorage, *batches: Sequence[Command]) -> list[asyncio.Task[Any]]:
    tasks = [asyncio.create_task(storage.apply(batch, at=NOW)) for batch in batches]
    for _ in range(20):
        await asyncio.sleep(0)
    return tasks


def consume(credits: int = 1, user: str = "alice") -> list[Command]:
    return [commands.consume_credits(user, credits)]


async def versions(tasks: Sequence[asyncio.Task[Sequence[Outcome]]]) -> list[int]:
    found = []
    for task in tasks:
        (outcome,) = await task
        assert isinstance(outcome, Accepted), outcome
        found.append(outcome.receipt.version)
    return found


async def test_what_comes_while_a_batch_is_written_is_decided_and_waits_for_it(
    storage: PostgresStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(monkeypatch)
    tasks = await begin(storage, consume(), consume(), consume())
    await gate.reached.wait()
    assert gate.saved == 1
    decided: list[int] = []
    monkeypatch.setattr(fast, "decide_cached", counting(decide_cached, decided))
    gate.open.set()
    assert await versions(tasks) == [2, 3, 4]
    assert (gate.saved, gate.looked_up, decided) == (3, 0, [])


def counting(function: Callable[..., Any], calls: list[int]) -> Callable[..., Any]:
    def counted(*args: Any) -> Any:
        calls.append(1)
        return function(*args)

    return counted


async def test_accounts_that_are_not_being_written_wait_for_nobody(
    storage: PostgresStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(monkeypatch)
    tasks = await begin(storage, consume(), consume(user="bob"))
    async with asyncio.timeout(5):
        while gate.saved < 2:
            gate.reached.clear()
            await gate.reached.wait()
    gate.open.set()
    assert await versions(tasks) == [2, 2]


async def test_what_did_not_come_true_is_decided_again(
    storage: PostgresStorage, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(monkeypatch)
    tasks = await begin(storage, consume(), consume(2))
    await gate.reached.wait()
    monkeypatch.setattr(fast, "save", save)
    async with CreditClient(url) as other:
        await other.consume_credits("alice", 4)
        gate.open.set()
        assert await versions(tasks) == [3, 4]
        assert await other.get_user_balance("alice") == 3
        assert (await other.verify()).ok


async def test_what_the_first_is_refused_is_there_for_the_second(
    storage: PostgresStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(monkeypatch)
    gate.open.set()
    first, second = await begin(storage, consume(11), consume(10))
    (refused,) = await first
    assert isinstance(refused, Refused)
    assert await versions([second]) == [2]


async def test_a_connection_that_is_lost_costs_nobody_a_charge(
    storage: PostgresStorage, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(monkeypatch)
    gate.failure = asyncpg.ConnectionDoesNotExistError("lost")
    tasks = await begin(storage, consume(), consume(2))
    gate.open.set()
    assert sorted(await versions(tasks)) == [2, 3]
    async with CreditClient(url) as client:
        assert await client.get_user_balance("alice") == 7
        assert (await client.verify()).ok


async def test_a_batch_that_is_cancelled_holds_up_nobody(
    storage: PostgresStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(monkeypatch)
    first, second = await begin(storage, consume(), consume(2))
    await gate.reached.wait()
    first.cancel()
    gate.open.set()
    assert await versions([second]) == [2]


@pytest.mark.parametrize("lanes", [1, 2, 4])
async def test_a_hot_account_with_many_callers(url: str, lanes: int) -> None:
    async with CreditClient(PostgresStorage(url, lanes=lanes)) as client:
        await client.add_credits("alice", 300)

        async def call() -> list[int]:
            return [(await client.consume_credits("alice", 1)).version for _ in range(6)]

        found = await asyncio.gather(*(call() for _ in range(50)))
        assert sorted(version for each in found for version in each) == [*range(2, 302)]
        assert await client.get_user_balance("alice") == 0
        assert (await client.verify()).ok
