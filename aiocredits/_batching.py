"""Group commit: commands that arrive while a batch is being written form the next one.

No timer, so a lone caller never waits for company; no background task, only some that exist while
there is something to write and end by themselves.

A storage to which several batches may be given at once says how many by an attribute ``lanes``,
which may change. It keeps the order of those that have an account in common.
"""

import asyncio
import copy
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple, cast

from aiocredits._commands import Command, Outcome, singles
from aiocredits._model import make
from aiocredits.errors import (
    ContentionError,
    OutcomeUnknownError,
    StorageError,
    StorageUnavailableError,
)
from aiocredits.storages.base import Storage
from aiocredits.types import Clock

MAX_BATCH = 512

WORTH_HALVING = 16
"""From how many commands on two batches are faster than one."""

MAX_WAITING = 10_000
"""How many commands may wait; whoever comes then waits until there is room."""

PATIENCE = 30.0
"""Seconds after which a command that no batch has taken up is given back."""

# Failures that one command after the other would only meet again.
_OF_THE_DATABASE = (ContentionError, StorageUnavailableError, OutcomeUnknownError)


class _Waiter(NamedTuple):
    command: Command
    future: asyncio.Future[Outcome]
    since: float


class GroupCommit:
    """The one way to the storage's write door."""

    def __init__(
        self,
        storage: Storage,
        clock: Clock,
        *,
        max_batch: int = MAX_BATCH,
        max_waiting: int = MAX_WAITING,
        patience: float = PATIENCE,
    ) -> None:
        self._storage = storage
        self._clock = clock
        self._max_batch = max_batch
        self._max_waiting = max_waiting
        self._patience = patience
        self._waiting: deque[_Waiter] = deque()
        self._outside: deque[asyncio.Future[None]] = deque()
        self._writers: set[asyncio.Task[None]] = set()
        self._coming: set[asyncio.Task[None]] = set()
        """Those of them that are about to take a batch."""

    async def submit(self, command: Command) -> Outcome:
        """Return the outcome of `command`, whatever its neighbours' are.

        Cancelled before its batch has begun, the command is withdrawn. After that it happens all
        the same, and its key makes a retry harmless. Raises `ContentionError` if no batch could
        take it up in time; then nothing was written.
        """
        loop = asyncio.get_running_loop()
        since = loop.time()
        if len(self._waiting) >= self._max_waiting:
            await self._room(since)
        future: asyncio.Future[Outcome] = loop.create_future()
        self._waiting.append(make(_Waiter, (command, future, since)))
        if not self._coming and self._may_begin():
            self._begin()
        return await future

    async def drain(self) -> None:
        """Wait until everything that was submitted is written."""
        while self._writers or self._outside:
            if self._writers:
                await asyncio.wait(self._writers)
            else:
                await asyncio.sleep(0)  # who was let in has not been on turn yet

    def _may_begin(self) -> bool:
        most: int = getattr(self._storage, "lanes", 1)
        return len(self._writers) < most

    def _begin(self) -> None:
        # A task of its own, so that no caller's cancellation reaches a batch of many callers.
        writer = asyncio.get_running_loop().create_task(self._write_all(), name="aiocredits batch")
        self._writers.add(writer)
        self._coming.add(writer)
        writer.add_done_callback(self._end)  # one that is cancelled before it began says nothing

    def _end(self, writer: asyncio.Task[None]) -> None:
        if writer in self._writers:
            self._writers.remove(writer)
            self._coming.discard(writer)
            if not self._writers:
                self._give_up()

    async def _room(self, since: float) -> None:
        """Wait until fewer commands wait, or raise `ContentionError`."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout_at(since + self._patience):
                while len(self._waiting) >= self._max_waiting:
                    turn = loop.create_future()
                    self._outside.append(turn)
                    try:
                        await turn
                    except asyncio.CancelledError:
                        with suppress(ValueError):
                            self._outside.remove(turn)
                        raise
        except TimeoutError as error:
            raise self._too_late() from error

    async def _write_all(self) -> None:
        me = cast("asyncio.Task[None]", asyncio.current_task())
        while batch := self._next_batch():
            self._coming.remove(me)
            try:
                await self._write(batch)
            except BaseException:
                for waiter in batch:
                    waiter.future.cancel()
                raise
            self._coming.add(me)
            # Those who have just been answered may ask again in time for the next batch.
            await asyncio.sleep(0)
        self._end(me)

    def _give_up(self) -> None:
        """Cancel who still waits: the loop is shutting down, and nobody will write these."""
        for waiter in self._waiting:
            waiter.future.cancel()
        self._waiting.clear()

    def _next_batch(self) -> list[_Waiter]:
        batch: list[_Waiter] = []
        too_old = asyncio.get_running_loop().time() - self._patience
        most = self._max_batch
        if len(self._waiting) >= WORTH_HALVING and self._may_begin():
            # Those who are answered together ask again together. Two groups of them keep both
            # busy: while one is being written, the other is decided.
            most = min(most, len(self._waiting) // 2)
            self._begin()
        while self._waiting and len(batch) < most:
            waiter = self._waiting.popleft()
            if waiter.future.done():
                continue
            if waiter.since < too_old:
                waiter.future.set_exception(self._too_late())
            else:
                batch.append(waiter)
        self._let_in()
        return batch

    def _let_in(self) -> None:
        room = self._max_waiting - len(self._waiting)
        while self._outside and room > 0:
            turn = self._outside.popleft()
            if not turn.done():
                turn.set_result(None)
                room -= 1

    async def _write(self, batch: Sequence[_Waiter]) -> None:
        commands = [waiter.command for waiter in batch]
        try:
            outcomes = await self._storage.apply(commands, at=self._clock())
        except Exception as error:  # noqa: BLE001 - whoever asked is told
            if len(batch) == 1 or isinstance(error, _OF_THE_DATABASE):
                _fail(batch, error)
                return
            # Something in one of them: let the others not suffer for it.
            for waiter in batch:
                await self._write([waiter])
            return
        if len(outcomes) != len(batch):
            _fail(batch, _miscounted(self._storage, len(outcomes), len(batch)))
            return
        for waiter, outcome in zip(batch, outcomes, strict=True):
            if not waiter.future.done():
                waiter.future.set_result(outcome)

    def _too_late(self) -> ContentionError:
        return ContentionError(
            f"{len(self._waiting)} commands wait to be written and this one was not on turn within "
            f"{self._patience:g} seconds; nothing of it was written: slow down, or try again"
        )


def _miscounted(storage: Storage, outcomes: int, commands: int) -> StorageError:
    return StorageError(
        f"{type(storage).__name__}.apply() answered {outcomes} outcomes to {commands} commands, so "
        "nobody can say what happened: prove it with aiocredits.testing.StorageConformance"
    )


def _fail(batch: Sequence[_Waiter], error: Exception) -> None:
    for waiter in batch:
        if not waiter.future.done():
            # One each: a traceback grows with every raise.
            own = copy.copy(error) if len(batch) > 1 else error
            own.__cause__ = error.__cause__
            if isinstance(own, OutcomeUnknownError):
                own.key = next(singles([waiter.command])).key
            waiter.future.set_exception(own)
