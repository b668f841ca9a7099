"""The port between the ledger and a database: two verbs."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol, Self, TypeVar

from aiocredits._commands import Command, Outcome
from aiocredits._ledger import Changes, Scope, State, decide, scope_of
from aiocredits._queries import Page, Query
from aiocredits.errors import StorageError

Row = TypeVar("Row")


class Storage(Protocol):
    """What the client asks of a database."""

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Return a storage for `url`, without any I/O."""
        ...

    async def open(self) -> None:
        """Connect, and check that the tables fit, or raise a `StorageError`."""
        ...

    async def close(self) -> None:
        """Let go of every connection that the storage opened itself; closing twice is harmless."""
        ...

    async def apply(self, commands: Sequence[Command], *, at: datetime) -> Sequence[Outcome]:
        """Run the commands in order as one durable step and return one outcome for each.

        A refused command changes nothing and does not disturb its neighbours. If this raises, all
        of it happened or none of it, and applying the same commands again is safe: their keys
        act once.
        """
        ...

    async def read(self, query: Query[Row]) -> Page[Row]:
        """Answer a query from one consistent snapshot, without waiting for writers."""
        ...


class KeyTakenError(StorageError):
    """A key to be written is already there: the batch repeats one that had been written.

    `Unit.save` raises it when its unique index meets such a key; nothing may have been saved.
    """

    code = "key_taken"


class Unit(Protocol):
    """A transaction at work."""

    async def load(self, scope: Scope, at: datetime) -> State:
        """Return what `scope` asks for, and lock its accounts against others until the end.

        For each existing account: the account; its grants whose state is open, those that
        `scope.grants` names, those that a loaded hold or charge has slices of, and, if `scope.late`
        names the account, those that expired after that instant with something unspent; its open
        holds that end at `at` or before, and those that `scope.holds` names; when the first of the
        other open holds ends; its charges that still owe something, and those that `scope.charges`
        names, where a charge that nothing is kept of is `charge_of` its entry. Accounts are locked
        in the order of `scope.accounts`, new ones too, so that no two units wait for each other.
        """
        ...

    async def save(self, changes: Changes) -> None:
        """Write the changes, or raise `KeyTakenError` if a key of theirs is taken."""
        ...


class TransactionalStorage(ABC):
    """A storage over a database with transactions: write `open`, `close`, `read` and a unit."""

    @abstractmethod
    def transaction(self) -> AbstractAsyncContextManager[Unit]:
        """Return a unit that commits at the end of the block, and rolls back if that raises.

        Commit and rollback must finish even if the task is cancelled.
        """

    async def apply(self, commands: Sequence[Command], *, at: datetime) -> Sequence[Outcome]:
        """Run the commands in order as one durable step and return one outcome for each."""
        try:
            return await self._apply(commands, scope_of(commands), at)
        except KeyTakenError:
            return await self._apply(commands, scope_of(commands, every_key=True), at)

    async def _apply(
        self, commands: Sequence[Command], scope: Scope, at: datetime
    ) -> Sequence[Outcome]:
        async with self.transaction() as unit:
            decision = decide(await unit.load(scope, at), commands, at)
            await unit.save(decision.changes)
        return decision.outcomes
