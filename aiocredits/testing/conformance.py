"""The suite that a storage has to pass."""

# ruff: noqa: S101, PLR2004 - assert is how a test speaks, and its numbers are its example

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from random import Random
from typing import TypeAlias

import pytest

from aiocredits._commands import Command, Outcome
from aiocredits.storages import Storage
from aiocredits.testing.comparison import audit, require_same_books, require_same_outcomes
from aiocredits.testing.histories import RandomHistory
from aiocredits.testing.reference import Reference

Connect: TypeAlias = Callable[[], Storage]


@asynccontextmanager
async def opened(*storages: Storage) -> AsyncIterator[None]:
    """Open storages, and close them whatever happens."""
    try:
        for storage in storages:
            await storage.open()
        yield
    finally:
        for storage in storages:
            await storage.close()


@pytest.mark.asyncio
class StorageConformance:
    """Holds a storage to the answers of the pure ledger.

    Subclass it under a name that begins with ``Test``, and say how to connect:

        class TestMyStorage(StorageConformance):
            @pytest.fixture
            def connect(self, tmp_path):
                return lambda: MyStorage(tmp_path / "books")

    Every test asks for `connect` once and must find no books there. Within a test, each call of it
    returns another storage over the same books, not opened yet; where books cannot be shared, as
    in memory, it may return the same object again. The tests need pytest-asyncio, in either mode.
    """

    histories_per_storage = 12
    steps_per_history = 60

    @pytest.fixture
    def connect(self) -> Connect:
        """Return a function that returns a storage; override this."""
        raise NotImplementedError(f"{type(self).__name__} has to override the fixture `connect`")

    @pytest.mark.parametrize("seed", range(histories_per_storage))
    async def test_random_histories_have_the_outcomes_and_books_of_the_ledger(
        self, connect: Connect, seed: int
    ) -> None:
        """Two storages over the same books, used in turns, answer as the ledger alone does."""
        history, reference = RandomHistory(seed), Reference()
        storages = (connect(), connect())
        chance = Random(seed)  # noqa: S311 - repeatable, not secret
        async with opened(*storages):
            for number in range(self.steps_per_history):
                step = history.step(reference)
                expected = reference.apply(step.commands, step.at)
                found = await chance.choice(storages).apply(step.commands, at=step.at)
                what = f"outcomes of step {number} of history {seed}, {step},"
                require_same_outcomes(found, expected, what)
                if number % 20 == 19:
                    await require_same_books(chance.choice(storages), reference, step.at)
            for name in reference.names:
                assert await audit(storages[0], name) == []
