"""The quick way of one account: what is remembered accepts, and its version proves it."""

import asyncio
from collections.abc import Mapping
from typing import Any

from asyncpg import PostgresError
from asyncpg.pool import Pool

from aiocredits._ledger import Changes
from aiocredits.storages.postgres.committing import committed
from aiocredits.storages.postgres.connecting import DecideAgainError, acquired
from aiocredits.storages.postgres.failures import BUSY, LOST
from aiocredits.storages.postgres.pocket import Pockets
from aiocredits.storages.postgres.routed_unit import RoutedUnit


class Swap:
    """A transaction that only writes, and what is known of it if it did not succeed."""

    def __init__(self, pool: "Pool[Any]", sql: Mapping[str, str], pockets: Pockets) -> None:
        self._pool = pool
        self._sql = sql
        self.pockets = pockets
        """Those of the accounts: as remembered, and then as written."""
        self.outdated = False
        """Whether the account was not as it was remembered."""
        self.lost = False
        """Whether nobody knows if it was committed."""

    async def run(self, changes: Changes, deadline: float) -> bool:
        """Write the changes, and tell whether that succeeded."""
        try:
            async with asyncio.timeout(deadline):
                await self._transaction(changes)
        except BUSY as error:
            self.lost = False  # rolled back
            self.outdated = isinstance(error, DecideAgainError)
            return False
        except (*LOST, TimeoutError):
            return False
        except PostgresError:
            self.lost = False  # the locked path will meet it too, and explain it
            return False
        return True

    async def _transaction(self, changes: Changes) -> None:
        async with acquired(self._pool) as connection:
            async with committed(connection):
                unit = RoutedUnit(connection, self._sql, self.pockets)
                await unit.save(changes)
                self.lost = True  # from here to the answer to the commit
            self.lost = False
            self.pockets = unit.pockets
