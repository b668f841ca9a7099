"""What an operator does to the tables of entries, while they are in use or before."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import asyncpg
from asyncpg.pool import Pool

from aiocredits.errors import InvalidInputError
from aiocredits.storages.postgres import detaching, partitions
from aiocredits.storages.postgres.connecting import Driver, acquired
from aiocredits.storages.postgres.failures import translating
from aiocredits.storages.postgres.settings import Settings

MONTHS_AHEAD = 3


class EntryTables:
    """Verbs of a storage that may cut its entries into months; none needs an open storage.

    They work on a connection of their own, wait no longer than half a second for a lock, and try
    again until the storage's deadline: then they raise `ContentionError`.
    """

    _dsn: str | None
    _given_pool: "Pool[Any] | None"
    _settings: Settings

    async def partition_entries(self, *, months: int = MONTHS_AHEAD) -> Sequence[str]:
        """Cut the entries into partitions, one a month, and return the names of the new tables.

        What is there becomes the first partition as it is, up to the end of this month or of the
        next. Later months get partitions of their own, `months` of them ahead of time.
        """
        async with self._operator() as connection:
            return await partitions.partition(
                connection,
                self._settings.schema,
                months=_checked(months),
                deadline=self._settings.deadline,
            )

    async def add_partitions(self, *, months: int = MONTHS_AHEAD) -> Sequence[str]:
        """Make the partitions of the `months` ahead that are missing, and return their names.

        Call it from cron, once a week or so: entries of a month that has no partition go into the
        default one, and are moved when it gets its own.
        """
        async with self._operator() as connection:
            return await partitions.add(
                connection,
                self._settings.schema,
                months=_checked(months),
                deadline=self._settings.deadline,
            )

    async def detach_entries(self, *, before: datetime) -> Sequence[str]:
        """Detach the partitions that end by `before`, and return the names of their tables.

        First every account's entries are proved, and what they add up to is written down: from
        there on `verify` reads. Killed, it goes on where it was when it is called again. Raises
        `EntriesDifferError`, and has detached nothing, if those of an account do not add up. The
        tables stay where they are, to be dumped or dropped by you.
        """
        if before.tzinfo is None:
            raise InvalidInputError(f"before={before.isoformat()}: write it with a time zone")
        async with self._operator() as connection:
            return await detaching.detach(
                connection, self._settings.schema, before, deadline=self._settings.deadline
            )

    @asynccontextmanager
    async def _operator(self) -> AsyncGenerator[Driver]:
        with translating():
            if self._given_pool is not None:
                async with acquired(self._given_pool) as connection:
                    yield connection
                return
            own = await asyncpg.connect(self._dsn)
            try:
                yield own
            finally:
                await own.close()


def _checked(months: int) -> int:
    if isinstance(months, bool) or not isinstance(months, int) or months < 0:
        raise InvalidInputError(f"months={months!r}: write how many months ahead, 0 or more")
    return months
