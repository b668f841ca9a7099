"""The fast path: what remembered books accept is written by one statement that proves them."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from asyncpg.pool import Pool

from aiocredits._commands import Command, Outcome
from aiocredits._ledger import CachedDecision, decide_cached
from aiocredits._model import Books
from aiocredits._names import is_own_key
from aiocredits.storages.base import KeyTakenError
from aiocredits.storages.postgres.cache import BooksCache
from aiocredits.storages.postgres.connecting import acquired
from aiocredits.storages.postgres.failures import BUSY, LOST
from aiocredits.storages.postgres.saving import save


class FastBatch:
    """Commands on their way through the fast path, once; what it leaves over is somebody else's."""

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
        self.every_key = False
        """Whether keys that the library made up may have been written before."""
        self.lost = False
        """Whether nobody knows if the statement was executed."""

    async def run(self, deadline: float) -> Mapping[int, Outcome]:
        """Return the outcomes of what was written, by the place of the command."""
        cached = self._cache.of(self._commands)
        if not cached:
            return {}
        decision = decide_cached(cached, self._commands, self._at)
        if not decision.places:
            return {}
        return self._outcomes(decision, await self._written(decision, cached, deadline))

    async def _written(
        self, decision: CachedDecision, before: Mapping[str, Books], deadline: float
    ) -> Sequence[str]:
        keys = [
            (entry.account, entry.key)
            for entry in decision.changes.entries
            if entry.key is not None and not is_own_key(entry.key)
        ]
        try:
            async with asyncio.timeout(deadline), acquired(self._pool) as connection:
                return await save(
                    connection, self._sql, decision.changes, before=before, new_keys=keys
                )
        except BUSY as error:
            self.every_key = isinstance(error, KeyTakenError)
        except (*LOST, TimeoutError):
            # Whoever is asked next looks every key up, and knows more.
            self.every_key = self.lost = True
            for name in decision.places:
                self._cache.forget(name)
        return ()

    def _outcomes(self, decision: CachedDecision, written: Sequence[str]) -> Mapping[int, Outcome]:
        self._cache.keep({name: decision.books[name] for name in written})
        self._cache.won(written)
        if len(written) < len(decision.places):
            for name in decision.places.keys() - set(written):
                self._cache.lost(name)
        return {
            place: decision.outcomes[place] for name in written for place in decision.places[name]
        }
