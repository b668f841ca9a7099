"""The storage inside a transaction of the caller's: the locked path, on their connection."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import TypeGuard, TypeVar, cast

from asyncpg import Connection
from asyncpg.pool import PoolConnectionProxy

from aiocredits._commands import Command, Outcome
from aiocredits._ledger import decide, scope_of
from aiocredits._queries import Page, Query
from aiocredits.errors import ContentionError, StorageUnavailableError, UsageError
from aiocredits.storages.postgres.connecting import DecideAgainError, Driver
from aiocredits.storages.postgres.failures import translating
from aiocredits.storages.postgres.reading import answer
from aiocredits.storages.postgres.unit import Unit

Row = TypeVar("Row")

_ATTEMPTS = 10


def is_driver(connection: object) -> TypeGuard[Driver]:
    """Tell whether `connection` is one of asyncpg's, from a pool or not."""
    return isinstance(connection, Connection | PoolConnectionProxy)


class JoinedStorage:
    """`apply` and `read` inside the transaction of a connection that is not ours."""

    def __init__(
        self,
        connection: Driver,
        sql: Mapping[str, str],
        deadline: float,
        *,
        unit: type[Unit] = Unit,
    ) -> None:
        self._connection = connection
        self._sql = sql
        self._deadline = deadline
        self._unit = unit
        self._turn = asyncio.Lock()  # a connection does one thing at a time

    async def apply(self, commands: Sequence[Command], *, at: datetime) -> Sequence[Outcome]:
        """Run the commands; they last if the transaction is committed."""
        try:
            with translating():
                async with asyncio.timeout(self._deadline), self._turn:
                    return await self._decided(commands, at)
        except StorageUnavailableError as error:
            if isinstance(error.__cause__, TimeoutError):
                raise self._contention(f"were locked for {self._deadline:g} seconds") from error
            raise

    async def read(self, query: Query[Row]) -> Page[Row]:
        """Answer a query with what the transaction sees."""
        with translating():
            async with self._turn:
                self._require_transaction()
                page = await answer(
                    self._connection, self._sql, query, inside=True, unit=self._unit
                )
        return cast("Page[Row]", page)

    async def _decided(self, commands: Sequence[Command], at: datetime) -> Sequence[Outcome]:
        self._require_transaction()
        for _ in range(_ATTEMPTS):
            with suppress(DecideAgainError):
                return await self._attempt(commands, at)
        raise self._contention("were made by others again and again")

    async def _attempt(self, commands: Sequence[Command], at: datetime) -> Sequence[Outcome]:
        # A savepoint: whatever the database refuses is undone, and the caller's part stays.
        async with self._connection.transaction():
            unit = self._unit(self._connection, self._sql)
            state = await unit.load(scope_of(commands, every_key=True), at)
            decision = decide(state, commands, at)
            await unit.save(decision.changes)
        return decision.outcomes

    def _contention(self, what: str) -> ContentionError:
        return ContentionError(
            f"the accounts of these commands {what}, and nothing was written: roll back, and try "
            "again"
        )

    def _require_transaction(self) -> None:
        if not self._connection.is_in_transaction():
            raise UsageError(
                "the connection given to in_transaction() is in no transaction: write 'async with "
                "connection.transaction():' around it"
            )
