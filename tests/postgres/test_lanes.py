"""Several batches at once, and a queue that does not grow for ever."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from aiocredits._batching import GroupCommit
from aiocredits._commands import Command, Outcome
from aiocredits.commands import add_credits
from aiocredits.errors import ContentionError
from aiocredits.storages.memory import MemoryStorage

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class SlowStorage(MemoryStorage):
    """Writes no batch until it is told to."""

    def __init__(self, lanes: int = 1) -> None:
        super().__init__()
        self.lanes = lanes
        self.gate = asyncio.Event()
        self.batches: list[Sequence[Command]] = []

    async def apply(self, commands: Sequence[Command], *, at: datetime) -> Sequence[Outcome]:
        self.batches.append(commands)
        await self.gate.wait()
        return await super().apply(commands, at=at)


async def test_as_many_batches_at_once_as_the_storage_takes() -> None:
    storage = SlowStorage(lanes=4)
    commits = GroupCommit(storage, lambda: NOW)
    users = [f"user {number % 20}" for number in range(60)]
    tasks = []
    for user in users:
        tasks.append(asyncio.create_task(commits.submit(add_credits(user, 1))))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert len(storage.batches) == 4
    storage.gate.set()
    await asyncio.gather(*tasks)
    await commits.drain()
    assert sum(map(len, storage.batches)) == 60


async def test_whoever_finds_the_queue_full_waits_for_room() -> None:
    storage = SlowStorage()
    commits = GroupCommit(storage, lambda: NOW, max_batch=2, max_waiting=3)
    tasks = [asyncio.create_task(commits.submit(add_credits("alice", 1))) for _ in range(30)]
    await asyncio.sleep(0.01)
    assert len(storage.batches) == 1
    tasks[-1].cancel()
    storage.gate.set()
    await asyncio.gather(*tasks[:-1])
    await commits.drain()
    assert sum(map(len, storage.batches)) == 29


async def test_whoever_waited_too_long_is_told_that_nothing_was_written() -> None:
    storage = SlowStorage()
    commits = GroupCommit(storage, lambda: NOW, max_batch=1, max_waiting=2, patience=0.05)
    tasks = [asyncio.create_task(commits.submit(add_credits("alice", 1))) for _ in range(6)]
    await asyncio.sleep(0.1)
    storage.gate.set()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    await commits.drain()
    refused = [isinstance(answer, ContentionError) for answer in answers]
    assert refused == [False] + [True] * 5
    with pytest.raises(ContentionError, match="nothing of it was written"):
        raise next(answer for answer in answers if isinstance(answer, ContentionError))
