"""A batch split by account: each account's commands are decided and written on their own.

    commands ── parts ──┬── one account ────── swapped by its version, or else locked
                        ├── another one ────── …
                        └── accounts of a transfer ── locked in one transaction

For engines that keep accounts on many nodes and send each statement to the node of its account.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeAlias

from asyncpg.pool import Pool

from aiocredits._commands import Command, Outcome
from aiocredits._ledger import decide_cached
from aiocredits.errors import ContentionError, OutcomeUnknownError, StorageError
from aiocredits.storages.postgres.cache import BooksCache, kept
from aiocredits.storages.postgres.failures import refused_each
from aiocredits.storages.postgres.locked import LockedBatch
from aiocredits.storages.postgres.parts import parts_of
from aiocredits.storages.postgres.routed_unit import RoutedUnit
from aiocredits.storages.postgres.swap import Swap

_Answer: TypeAlias = Sequence[Outcome] | Exception


class RoutedBatch:
    """Commands on their way, `at_once` parts of them at the same time."""

    def __init__(
        self,
        pool: "Pool[Any]",
        sql: Mapping[str, str],
        cache: BooksCache,
        commands: Sequence[Command],
        at: datetime,
        *,
        at_once: int,
    ) -> None:
        self._pool = pool
        self._sql = sql
        self._cache = cache
        self._commands = commands
        self._at = at
        self._at_once = at_once
        self._ends = 0.0

    async def run(self, deadline: float) -> Sequence[Outcome]:
        """Return one outcome for each command; raise if nothing at all was written."""
        self._ends = asyncio.get_running_loop().time() + deadline
        parts = parts_of(self._commands)
        if len(parts) <= 1:
            return await self._part(self._commands).run(deadline) if parts else ()
        answers = await self._answers(parts)
        _raise_if_all_failed(answers)
        outcomes: dict[int, Outcome] = {}
        for places, answer in zip(parts, answers, strict=True):
            own = [self._commands[place] for place in places]
            outcomes.update(zip(places, _outcomes(answer, own), strict=True))
        return [outcomes[place] for place in range(len(self._commands))]

    async def _answers(self, parts: Sequence[Sequence[int]]) -> list[_Answer]:
        answers: list[_Answer] = [()] * len(parts)
        waiting = iter(enumerate(parts))
        async with asyncio.TaskGroup() as tasks:
            for _ in range(min(self._at_once, len(parts))):
                tasks.create_task(self._work(waiting, answers))
        return answers

    async def _work(
        self, waiting: Iterator[tuple[int, Sequence[int]]], answers: list[_Answer]
    ) -> None:
        clock = asyncio.get_running_loop().time
        for number, places in waiting:
            part = self._part([self._commands[place] for place in places])
            try:
                answers[number] = await part.run(_in_time(self._ends - clock()))
            except Exception as error:  # noqa: BLE001 - the other parts do not suffer for it
                answers[number] = error

    def _part(self, commands: Sequence[Command]) -> "_Part":
        return _Part(self._pool, self._sql, self._cache, commands, self._at)


class _Part:
    """Commands that have to be written together: of one account, or of several."""

    def __init__(
        self,
        pool: "Pool[Any]",
        sql: Mapping[str, str],
        cache: BooksCache,
        commands: Sequence[Command],
        at: datetime,
    ) -> None:
        self._pool = pool
        self._sql = sql
        self._cache = cache
        self._commands = commands
        self._at = at
        self._every_key = False
        self._lost = False

    async def run(self, deadline: float) -> Sequence[Outcome]:
        """Return the outcomes that were committed, or raise what the callers are told."""
        known, doubted = self._cache.of(self._commands)
        books = {name: books for name, (books, _, _) in known.items()}
        decision = decide_cached(books, self._commands, self._at)
        pockets = {name: pocket for name, (_, pocket, _) in known.items()}
        swap = Swap(self._pool, self._sql, pockets)
        if decision.places:
            if await swap.run(decision.changes, deadline / 2):
                self._cache.keep(kept(decision.books, swap.pockets))
                self._cache.tried(decision.places, (), looked_up=(), locks=False)
                return [decision.outcomes[place] for place in range(len(self._commands))]
            if swap.outdated:
                self._cache.tried((), decision.places, looked_up=(), locks=False)
        outcomes = await self._locked(swap, deadline)
        if doubted:
            self._cache.tried(doubted, (), looked_up=doubted, locks=False)
        return outcomes

    async def _locked(self, swap: Swap, deadline: float) -> Sequence[Outcome]:
        # Every key, for no other account of the batch tells this one that its commands come again.
        batch = LockedBatch(
            self._pool,
            self._sql,
            self._commands,
            self._at,
            every_key=True,
            lost=swap.lost,
            unit=RoutedUnit,
        )
        decision, pockets = await batch.run(deadline)
        self._cache.keep_loaded(decision.books, pockets)
        return decision.outcomes


def _in_time(left: float) -> float:
    if left > 0:
        return left
    raise ContentionError(
        "the other accounts of the batch kept the connections busy until the deadline, and nothing "
        "of this one was written: try again, or raise ?deadline= or ?pool_size="
    )


def _raise_if_all_failed(answers: Sequence[_Answer]) -> None:
    """Raise the first failure if all failed and nothing was written, as is known."""
    failures = [answer for answer in answers if isinstance(answer, Exception)]
    if len(failures) < len(answers):
        return
    if not any(isinstance(failure, OutcomeUnknownError) for failure in failures):
        raise failures[0]


def _outcomes(answer: _Answer, commands: Sequence[Command]) -> Sequence[Outcome]:
    if not isinstance(answer, Exception):
        return answer
    if not isinstance(answer, StorageError):
        told = StorageError(f"nothing of this account was written: {answer!r}")
        told.__cause__ = answer
        answer = told
    return refused_each(answer, commands)
