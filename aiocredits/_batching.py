"""Group commit: commands that arrive while a batch is being written form the next one.

No timer, so a lone caller never waits for company; no background task, only one that exists while
there is something to write and ends by itself.
"""

import asyncio
import copy
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from aiocredits._commands import Command, Outcome
from aiocredits.errors import ContentionError, OutcomeUnknownError, StorageUnavailableError
from aiocredits.storages.base import Storage
from aiocredits.types import Clock

MAX_BATCH = 512

# Failures that one command after the other would only meet again.
_OF_THE_DATABASE = (ContentionError, StorageUnavailableError, OutcomeUnknownError)


class _Waiter(NamedTuple):
    command: Command
    future: asyncio.Future[Outcome]


class GroupCommit:
    """The one way to the storage's write door."""

    def __init__(self, storage: Storage, clock: Clock, *, max_batch: int = MAX_BATCH) -> None:
        self._storage = storage
        self._clock = clock
        self._max_batch = max_batch
        self._waiting: deque[_Waiter] = deque()
        self._writing: asyncio.Task[None] | None = None

    async def submit(self, command: Command) -> Outcome:
        """Return the outcome of `command`, whatever its neighbours' are.

        Cancelled before its batch has begun, the command is withdrawn. After that it happens all
        the same, and its key makes a retry harmless.
        """
        loop = asyncio.get_running_loop()
        waiter = _Waiter(command, loop.create_future())
        self._waiting.append(waiter)
        if self._writing is None:
            # A task of its own, so that no caller's cancellation reaches a batch of many callers.
            self._writing = loop.create_task(self._write_all(), name="aiocredits batch")
        return await waiter.future

    async def drain(self) -> None:
        """Wait until everything that was submitted is written."""
        while self._writing is not None:
            await asyncio.wait({self._writing})

    async def _write_all(self) -> None:
        try:
            while batch := self._next_batch():
                try:
                    await self._write(batch)
                except BaseException:
                    for waiter in batch:
                        waiter.future.cancel()
                    raise
                # Those who have just been answered may ask again in time for the next batch.
                await asyncio.sleep(0)
        finally:
            self._writing = None
            if self._waiting:  # the loop is shutting down: nobody will write these
                for waiter in self._waiting:
                    waiter.future.cancel()
                self._waiting.clear()

    def _next_batch(self) -> list[_Waiter]:
        batch: list[_Waiter] = []
        while self._waiting and len(batch) < self._max_batch:
            waiter = self._waiting.popleft()
            if not waiter.future.done():
                batch.append(waiter)
        return batch

    async def _write(self, batch: Sequence[_Waiter]) -> None:
        commands = [waiter.command for waiter in batch]
        try:
            outcomes = await self._storage.apply(commands, at=self._clock())
        except Exception as error:  # noqa: BLE001 - whatever it is, each caller has to be told
            if len(batch) == 1 or isinstance(error, _OF_THE_DATABASE):
                _fail(batch, error)
                return
            # Something in one of them: let the others not suffer for it.
            for waiter in batch:
                await self._write([waiter])
            return
        for waiter, outcome in zip(batch, outcomes, strict=True):
            if not waiter.future.done():
                waiter.future.set_result(outcome)


def _fail(batch: Sequence[_Waiter], error: Exception) -> None:
    for waiter in batch:
        if not waiter.future.done():
            # One each: a traceback grows with every raise.
            own = copy.copy(error) if len(batch) > 1 else error
            own.__cause__ = error.__cause__
            waiter.future.set_exception(own)
