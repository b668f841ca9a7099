"""Group commit: company for whoever comes at the same time, and nobody suffers for another."""

import asyncio
import pickle
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Self, TypeVar

import pytest

from aiocredits._batching import WORTH_HALVING, GroupCommit
from aiocredits._commands import Accepted, Command, Consume, Outcome, Refused
from aiocredits._queries import BooksQuery, Page, Query
from aiocredits._receipt import Receipt
from aiocredits.errors import (
    ContentionError,
    InsufficientCreditsError,
    OutcomeUnknownError,
    StorageError,
    StorageUnavailableError,
)
from aiocredits.storages.memory import MemoryStorage
from aiocredits.testing import ManualClock
from aiocredits.testing.clock import BEGINNING
from aiocredits.testing.stories import A, B, consume, grant

Row = TypeVar("Row")


class Gate:
    """A storage in memory whose every `apply` waits at a gate, and can be told to fail there."""

    def __init__(self) -> None:
        self.books = MemoryStorage()
        self.batches: list[list[Command]] = []
        self.arrived = asyncio.Event()
        self.free = asyncio.Event()
        self.free.set()
        self.fail: Callable[[Sequence[Command]], Exception | None] = lambda commands: None

    @classmethod
    def from_url(cls, url: str) -> Self:
        raise NotImplementedError

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def apply(self, commands: Sequence[Command], *, at: datetime) -> Sequence[Outcome]:
        self.batches.append(list(commands))
        self.arrived.set()
        await self.free.wait()
        if error := self.fail(commands):
            raise error
        return await self.books.apply(commands, at=at)

    async def read(self, query: Query[Row]) -> Page[Row]:
        return await self.books.read(query)

    async def version(self, name: str = A) -> int:
        page = await self.books.read(BooksQuery(name, BEGINNING))
        return page.rows[0].account.version


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def commits(gate: Gate) -> GroupCommit:
    return GroupCommit(gate, ManualClock())


async def shut(gate: Gate, commits: GroupCommit) -> asyncio.Task[Outcome]:
    """Let a first batch arrive at the storage and stay there; return its only task."""
    gate.free.clear()
    gate.arrived.clear()
    first = asyncio.create_task(commits.submit(grant(amount=10)))
    await gate.arrived.wait()
    return first


async def submit(commits: GroupCommit, *commands: Command) -> list[asyncio.Task[Outcome]]:
    """Return tasks that have submitted the commands, and wait."""
    tasks = [asyncio.create_task(commits.submit(command)) for command in commands]
    await asyncio.sleep(0)
    return tasks


def receipt(outcome: Outcome) -> Receipt:
    assert isinstance(outcome, Accepted)
    return outcome.receipt


async def test_a_lone_caller_waits_for_nobody(gate: Gate, commits: GroupCommit) -> None:
    assert receipt(await commits.submit(grant())).version == 1
    assert receipt(await commits.submit(consume())).version == 2
    assert [len(batch) for batch in gate.batches] == [1, 1]


async def test_whoever_comes_while_a_batch_is_written_forms_the_next(
    gate: Gate, commits: GroupCommit
) -> None:
    first = await shut(gate, commits)
    others = await submit(commits, *(consume() for _ in range(5)))
    gate.free.set()
    versions = [receipt(outcome).version for outcome in await asyncio.gather(first, *others)]
    assert versions == [1, 2, 3, 4, 5, 6]
    assert [len(batch) for batch in gate.batches] == [1, 5]


async def test_each_caller_gets_its_own_outcome(gate: Gate, commits: GroupCommit) -> None:
    first = await shut(gate, commits)
    amounts = [3, 99, 4, 4, 3]
    tasks = await submit(commits, *(consume(amount=amount) for amount in amounts))
    gate.free.set()
    await first
    outcomes = await asyncio.gather(*tasks)
    assert [type(outcome) for outcome in outcomes] == [
        Accepted,
        Refused,
        Accepted,
        Refused,
        Accepted,
    ]
    assert [receipt(outcomes[n]).amount_micros for n in (0, 2, 4)] == [
        3_000_000,
        4_000_000,
        3_000_000,
    ]
    for outcome in (outcomes[1], outcomes[3]):
        assert isinstance(outcome, Refused)
        assert isinstance(outcome.error, InsufficientCreditsError)


async def test_a_batch_has_at_most_so_many_commands(gate: Gate) -> None:
    commits = GroupCommit(gate, ManualClock(), max_batch=3)
    first = await shut(gate, commits)
    tasks = await submit(commits, *(grant() for _ in range(7)))
    gate.free.set()
    await asyncio.gather(first, *tasks)
    assert [len(batch) for batch in gate.batches] == [1, 3, 3, 1]


# Cancellation


async def test_a_cancelled_waiter_that_has_not_begun_is_withdrawn(
    gate: Gate, commits: GroupCommit
) -> None:
    first = await shut(gate, commits)
    one, two, three = await submit(commits, consume(), consume(), consume())
    two.cancel()
    gate.free.set()
    await asyncio.gather(first, one, three)
    with pytest.raises(asyncio.CancelledError):
        await two
    assert [len(batch) for batch in gate.batches] == [1, 2]
    assert await gate.version() == 3


async def test_what_has_begun_completes_though_its_caller_is_gone(
    gate: Gate, commits: GroupCommit
) -> None:
    """And asking again with the same key answers what was done."""
    await commits.submit(grant())
    gate.free.clear()
    gate.arrived.clear()
    charge = consume(key="job")
    (gone, stays) = await submit(commits, charge, consume())
    await gate.arrived.wait()
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    gate.free.set()
    assert receipt(await stays).version == 3
    assert await gate.version() == 3
    again = receipt(await commits.submit(charge))
    assert (again.version, again.replayed) == (2, True)
    assert await gate.version() == 3


async def test_a_cancelled_first_caller_takes_nobody_with_it(
    gate: Gate, commits: GroupCommit
) -> None:
    first = await shut(gate, commits)
    tasks = await submit(commits, consume(), consume())
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    gate.free.set()
    assert [receipt(o).version for o in await asyncio.gather(*tasks)] == [2, 3]


async def test_if_all_who_wait_are_cancelled_nothing_is_written(
    gate: Gate, commits: GroupCommit
) -> None:
    first = await shut(gate, commits)
    tasks = await submit(commits, consume(), consume())
    for task in tasks:
        task.cancel()
    gate.free.set()
    await first
    await commits.drain()
    assert [len(batch) for batch in gate.batches] == [1]


# Failures


def poisoned(commands: Sequence[Command]) -> Exception | None:
    if any(isinstance(c, Consume) and c.description == "poison" for c in commands):
        return TypeError("cannot write that")
    return None


async def test_a_poisoned_command_fails_alone(gate: Gate, commits: GroupCommit) -> None:
    gate.fail = poisoned
    first = await shut(gate, commits)
    one, bad, three = await submit(commits, consume(), consume(description="poison"), consume())
    gate.free.set()
    await first
    with pytest.raises(TypeError, match="cannot write that"):
        await bad
    assert [receipt(await task).version for task in (one, three)] == [2, 3]
    assert await gate.version() == 3


async def test_a_poisoned_command_that_is_cancelled_is_of_no_concern(
    gate: Gate, commits: GroupCommit
) -> None:
    gate.fail = poisoned
    first = await shut(gate, commits)
    bad, good = await submit(commits, consume(description="poison"), consume())
    gate.arrived.clear()
    gate.free.set()
    await first
    bad.cancel()
    assert receipt(await good).version == 2
    await commits.drain()


@pytest.mark.parametrize(
    "error",
    [
        StorageUnavailableError("gone"),
        ContentionError("busy"),
        OutcomeUnknownError("who knows", key="?"),
    ],
    ids=lambda error: error.code,
)
async def test_an_error_of_the_database_reaches_every_caller_as_its_own_object(
    gate: Gate, commits: GroupCommit, error: StorageError
) -> None:
    """The batch is not tried again one by one: each would only wait for the same deadline."""
    first = await shut(gate, commits)
    tasks = await submit(commits, consume(key="a"), consume(key="b"), consume(key="c"))
    cause = OSError("the cable")
    error.__cause__ = cause
    gate.fail = lambda commands: error if len(commands) > 1 else None
    gate.free.set()
    await first
    raised = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(one) for one in raised} == {type(error)}
    assert len({id(one) for one in raised}) == 3
    for one, key in zip(raised, "abc", strict=True):
        assert isinstance(one, StorageError)
        assert one.__cause__ is cause
        assert str(pickle.loads(pickle.dumps(one))) == str(error)  # noqa: S301 - our own
        if isinstance(one, OutcomeUnknownError):
            assert one.key == key
    assert [len(batch) for batch in gate.batches] == [1, 3]


async def test_after_a_failure_the_next_batch_is_written(gate: Gate, commits: GroupCommit) -> None:
    failures = [StorageUnavailableError("gone")]
    gate.fail = lambda commands: failures.pop() if failures else None
    with pytest.raises(StorageUnavailableError):
        await commits.submit(grant())
    assert receipt(await commits.submit(grant())).version == 1


async def test_a_clock_that_fails_fails_the_call_and_not_the_door(gate: Gate) -> None:
    instants = [BEGINNING]
    commits = GroupCommit(gate, lambda: instants[0])
    instants.clear()
    with pytest.raises(IndexError):
        await commits.submit(grant())
    instants.append(BEGINNING)
    assert receipt(await commits.submit(grant())).version == 1


# Too many


async def test_whoever_finds_no_room_waits_until_there_is(gate: Gate) -> None:
    commits = GroupCommit(gate, ManualClock(), max_batch=2, max_waiting=2)
    first = await shut(gate, commits)
    tasks = await submit(commits, *(grant() for _ in range(9)))
    gate.free.set()
    versions = [receipt(outcome).version for outcome in await asyncio.gather(first, *tasks)]
    assert sorted(versions) == [*range(1, 11)]
    assert max(len(batch) for batch in gate.batches) == 2


async def test_whoever_waits_too_long_is_told_so_and_nothing_is_written(gate: Gate) -> None:
    commits = GroupCommit(gate, ManualClock(), max_waiting=1, patience=0.01)
    first = await shut(gate, commits)
    inside, outside = await submit(commits, grant(), grant())
    with pytest.raises(ContentionError, match="nothing of it was written"):
        await outside
    gate.free.set()
    await first
    with pytest.raises(ContentionError, match="nothing of it was written"):
        await inside
    assert await gate.version() == 1


async def test_who_is_cancelled_on_the_way_in_leaves_the_room_to_the_next(gate: Gate) -> None:
    commits = GroupCommit(gate, ManualClock(), max_waiting=1)
    first = await shut(gate, commits)
    inside, cancelled, after = await submit(commits, grant(), grant(), grant())
    gate.free.set()
    while not inside.done():
        await asyncio.sleep(0)
        cancelled.cancel()
    outcomes = await asyncio.gather(first, inside, after)
    assert [receipt(outcome).version for outcome in outcomes] == [1, 2, 3]
    await commits.drain()


# Lanes


async def turns() -> None:
    """Let every task that can do something do it."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_storage_is_given_as_many_batches_as_it_takes(gate: Gate) -> None:
    gate.lanes = 3  # type: ignore[attr-defined]  # optional, as the storage port says
    commits = GroupCommit(gate, ManualClock())
    gate.free.clear()
    tasks = []
    for number in range(5):
        tasks += await submit(commits, grant(f"user {number}"))
        await turns()
    assert [len(batch) for batch in gate.batches] == [1, 1, 1]
    gate.free.set()
    assert [receipt(o).version for o in await asyncio.gather(*tasks)] == [1] * 5
    assert [len(batch) for batch in gate.batches] == [1, 1, 1, 2]


async def test_who_asks_together_is_written_in_two_halves(gate: Gate) -> None:
    gate.lanes = 2  # type: ignore[attr-defined]
    commits = GroupCommit(gate, ManualClock())
    gate.free.clear()
    hot = await submit(commits, *(grant() for _ in range(40)))
    await turns()
    assert [len(batch) for batch in gate.batches] == [20, 20]
    more = await submit(commits, *(grant() for _ in range(10)))
    await turns()
    assert len(gate.batches) == 2
    gate.free.set()
    assert [receipt(o).version for o in await asyncio.gather(*hot, *more)] == [*range(1, 51)]
    await commits.drain()


async def test_a_few_are_written_together(gate: Gate) -> None:
    gate.lanes = 2  # type: ignore[attr-defined]
    commits = GroupCommit(gate, ManualClock())
    tasks = await submit(commits, *(grant() for _ in range(WORTH_HALVING - 1)))
    await asyncio.gather(*tasks)
    assert [len(batch) for batch in gate.batches] == [WORTH_HALVING - 1]


async def test_a_storage_that_says_nothing_is_given_one_batch(gate: Gate) -> None:
    commits = GroupCommit(gate, ManualClock())
    gate.free.clear()
    tasks = await submit(commits, *(grant() for _ in range(40)))
    await turns()
    assert [len(batch) for batch in gate.batches] == [40]
    gate.free.set()
    await asyncio.gather(*tasks)


# The end


async def test_drain_waits_for_all_that_was_submitted(gate: Gate, commits: GroupCommit) -> None:
    first = await shut(gate, commits)
    tasks = await submit(commits, grant(), grant(B))
    draining = asyncio.create_task(commits.drain())
    await asyncio.sleep(0)
    assert not draining.done()
    gate.free.set()
    await draining
    assert [task.done() for task in (first, *tasks)] == [True] * 3 or await asyncio.gather(*tasks)
    assert (await gate.version(), await gate.version(B)) == (2, 1)


async def test_drain_of_nothing_returns_at_once(commits: GroupCommit) -> None:
    await commits.drain()


async def test_no_task_is_left_over(gate: Gate, commits: GroupCommit) -> None:
    before = asyncio.all_tasks()
    first = await shut(gate, commits)
    tasks = await submit(commits, consume(), consume(amount=99), consume())
    tasks[2].cancel()
    gate.free.set()
    await asyncio.gather(first, *tasks, return_exceptions=True)
    await commits.drain()
    assert asyncio.all_tasks() == before


def test_a_loop_that_shuts_down_leaves_no_future_hanging(recwarn: pytest.WarningsRecorder) -> None:
    """Who waits is cancelled, whether their batch had begun or not."""
    reached: list[str] = []
    complaints: list[dict[str, object]] = []

    async def call(commits: GroupCommit, name: str) -> None:
        try:
            await commits.submit(grant())
        except asyncio.CancelledError:
            reached.append(name)
            raise

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: complaints.append(context))
        gate = Gate()
        commits = GroupCommit(gate, ManualClock())
        gate.free.clear()
        tasks = [asyncio.create_task(call(commits, "writing"))]
        await gate.arrived.wait()
        tasks.append(asyncio.create_task(call(commits, "waiting")))
        await asyncio.sleep(0)
        keep.append(tasks)

    keep: list[object] = []
    asyncio.run(main())
    assert sorted(reached) == ["waiting", "writing"]
    assert complaints == []
    assert [str(warning.message) for warning in recwarn] == []


def test_a_batch_that_is_cancelled_from_outside_cancels_those_who_wait_for_it() -> None:
    """As the shutdown of a loop does, which cancels all tasks in no particular order."""

    async def main() -> list[object]:
        gate = Gate()
        commits = GroupCommit(gate, ManualClock())
        first = await shut(gate, commits)
        (second,) = await submit(commits, grant())
        (batch,) = [task for task in asyncio.all_tasks() if task.get_name() == "aiocredits batch"]
        batch.cancel()
        results = await asyncio.gather(first, second, return_exceptions=True)
        gate.free.set()
        assert receipt(await commits.submit(grant())).version == 1
        return [type(result) for result in results]

    assert asyncio.run(main()) == [asyncio.CancelledError] * 2
