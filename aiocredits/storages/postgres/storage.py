"""The PostgreSQL storage: a pool, a fast path for what is known, a locked path for the rest."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Self, TypeVar, cast

import anyio
from asyncpg.pool import Pool

from aiocredits._commands import Command, Outcome, accounts_of
from aiocredits._queries import Page, Query
from aiocredits.errors import (
    ConfigurationError,
    StorageError,
    StorageUnavailableError,
    UsageError,
)
from aiocredits.storages.postgres.cache import BooksCache
from aiocredits.storages.postgres.connecting import acquired, create_pool
from aiocredits.storages.postgres.counting import UnderWay
from aiocredits.storages.postgres.failures import GONE, IN_THE_WAY, refused_each, translating
from aiocredits.storages.postgres.fast import FastBatch
from aiocredits.storages.postgres.joined import JoinedStorage, is_driver
from aiocredits.storages.postgres.locked import LockedBatch
from aiocredits.storages.postgres.operating import EntryTables
from aiocredits.storages.postgres.reading import answer
from aiocredits.storages.postgres.retrying import retried
from aiocredits.storages.postgres.routed import RoutedBatch
from aiocredits.storages.postgres.routed_unit import RoutedUnit
from aiocredits.storages.postgres.schema import check, migrate
from aiocredits.storages.postgres.settings import (
    DEADLINE,
    LANES,
    POOL_SIZE,
    SCHEMA,
    Settings,
    parse_url,
)
from aiocredits.storages.postgres.sql import statements
from aiocredits.storages.postgres.turns import Turn, Turns
from aiocredits.storages.postgres.unit import Unit

Row = TypeVar("Row")


class PostgresStorage(EntryTables):
    """Books in PostgreSQL 13 or newer, in one schema, for any number of processes.

    URLs are ``postgresql://user@host/database``, with any of the options ``?schema=aiocredits``,
    ``auto_migrate=true``, ``pgbouncer=true`` (needed behind a pooler in transaction mode),
    ``lanes=2`` (batches written at the same time), ``pool_size=10``, ``deadline=30``, the
    seconds after which a write gives up, and ``routed=true``, for an engine that keeps accounts on
    many nodes: every statement then names one account. Whatever else is in the URL is the driver's.

    A `pool` of asyncpg that is given is used and not closed: who creates it closes it.
    """

    def __init__(
        self,
        dsn: str | None = None,
        *,
        pool: "Pool[Any] | None" = None,
        schema: str = SCHEMA,
        auto_migrate: bool = False,
        pgbouncer: bool = False,
        lanes: int = LANES,
        pool_size: int = POOL_SIZE,
        deadline: float = DEADLINE,
        routed: bool = False,
    ) -> None:
        if (dsn is None) == (pool is None):
            raise ConfigurationError("PostgresStorage wants a DSN or a pool: pass one of them")
        self._dsn = dsn
        self._given_pool = pool
        self._pool: Pool[Any] | None = None
        self._settings = Settings(
            schema, auto_migrate, pgbouncer, lanes, pool_size, deadline, routed
        ).checked()
        self._sql = statements(schema, routed=routed)
        self._unit = RoutedUnit if routed else Unit
        self._cache = BooksCache()
        self._turns = Turns()
        self._contended = False
        """Whether nothing of the last batch could be written on the fast path."""
        self._writes = UnderWay()

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Return a storage for a ``postgresql://`` URL."""
        dsn, settings = parse_url(url)
        return cls(dsn, **settings._asdict())

    @property
    def lanes(self) -> int:
        """How many batches may be given at once; those of one account keep their order.

        While others write the same accounts, one: then a lock is what takes time, and all that is
        there should be written under it.
        """
        return 1 if self._contended else self._settings.lanes

    async def open(self) -> None:
        """Connect, and check the tables; with `auto_migrate` bring them up to date."""
        self._writes = UnderWay()
        with translating():
            self._pool = self._given_pool or await create_pool(self._dsn, self._settings)
            try:
                await self._check_schema(self._pool)
            except BaseException:
                await self.close()
                raise

    async def close(self) -> None:
        """Close the pool, unless it was given, after what its connections are at."""
        pool, self._pool = self._pool, None
        own = None if pool is self._given_pool else pool
        with anyio.CancelScope(shield=True), translating():
            try:
                with anyio.fail_after(self._settings.deadline):
                    await self._writes.end()
                    if own is not None:
                        await own.close()
            except TimeoutError:
                if own is not None:
                    own.terminate()
        self._cache.clear()

    async def migrate(self, *, kinds: Sequence[str] = ("pre", "post")) -> Sequence[str]:
        """Bring the tables up to date and return the names of what was applied.

        It needs no open storage. ``kinds=("pre",)`` leaves out what processes of an older version
        could not work with.
        """
        schema, deadline = self._settings.schema, self._settings.deadline
        async with self._operator() as connection:
            return await migrate(connection, schema, kinds, deadline=deadline)

    async def apply(self, commands: Sequence[Command], *, at: datetime) -> Sequence[Outcome]:
        """Run the commands in order and return one outcome for each.

        Accounts whose commands are accepted on what this process remembers are written by one
        statement; the others by one transaction after it. If only the latter fails, its commands
        are refused with a `StorageError`, and the outcomes of the others stand.

        If it is routed, each account is written by a transaction of its own, those that a command
        connects by one, and what fails is refused in the same way.
        """
        pool = self._opened()
        accounts = {name for command in commands for name in accounts_of(command)}
        with self._writes, Turn(self._turns, accounts) as turn:
            if self._settings.routed:
                await turn.come()
                return await self._apply_routed(pool, commands, at)
            return await self._apply(pool, turn, commands, at)

    async def _apply_routed(
        self, pool: "Pool[Any]", commands: Sequence[Command], at: datetime
    ) -> Sequence[Outcome]:
        # One connection is left for those who read.
        at_once = max(1, (pool.get_max_size() - 1) // self._settings.lanes)
        batch = RoutedBatch(pool, self._sql, self._cache, commands, at, at_once=at_once)
        return await batch.run(self._settings.deadline)

    async def _apply(
        self, pool: "Pool[Any]", turn: Turn, commands: Sequence[Command], at: datetime
    ) -> Sequence[Outcome]:
        deadline = self._settings.deadline
        fast = FastBatch(pool, self._sql, self._cache, turn, commands, at=at)
        outcomes = dict(await fast.run(deadline / 2))
        places = [place for place in range(len(commands)) if place not in outcomes]
        self._contended = len(places) == len(commands) > 1
        if places:
            others = [commands[place] for place in places]
            locked = LockedBatch(
                pool, self._sql, others, at, every_key=fast.every_key, lost=fast.lost
            )
            try:
                decision, pockets = await locked.run(deadline)
            except StorageError as error:
                if not outcomes:
                    raise
                outcomes.update(zip(places, refused_each(error, others), strict=True))
            else:
                self._cache.keep_loaded(decision.books, pockets)
                outcomes.update(zip(places, decision.outcomes, strict=True))
        return [outcomes[place] for place in range(len(commands))]

    async def read(self, query: Query[Row]) -> Page[Row]:
        """Answer a query from one consistent snapshot, without waiting for writers."""

        async def attempt() -> Page[Any]:
            async with acquired(self._opened()) as connection:
                return await answer(connection, self._sql, query, unit=self._unit)

        with translating():
            again = (*IN_THE_WAY, *GONE)
            page = await retried(attempt, again, deadline=self._settings.deadline)
        return cast("Page[Row]", page)

    def joined(self, connection: object) -> JoinedStorage:
        """Return the storage's verbs inside the transaction that an asyncpg `connection` is in.

        It has to be a connection to the same database.
        """
        if not is_driver(connection):
            raise UsageError(
                f"in_transaction() was given a {type(connection).__name__}: pass the asyncpg "
                "connection whose transaction you are in"
            )
        return JoinedStorage(connection, self._sql, self._settings.deadline, unit=self._unit)

    async def _check_schema(self, pool: "Pool[Any]") -> None:
        async with acquired(pool) as connection:
            if self._settings.auto_migrate:
                await migrate(connection, self._settings.schema)
            await check(connection, self._settings.schema)

    def _opened(self) -> "Pool[Any]":
        if self._pool is None:
            raise StorageUnavailableError("the PostgreSQL storage is not open: open it first")
        return self._pool
