"""The fast path: what remembered books accept is written by one statement that proves them.

Accounts that are not remembered, or that others have changed lately, are looked up just before, in
one more statement and without a lock: if they change in between, the proof fails just the same.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from asyncpg import PostgresError
from asyncpg.pool import Pool

from aiocredits._commands import Command, Outcome
from aiocredits._ledger import CachedDecision, decide_cached, is_cheap, remembered
from aiocredits._model import Books
from aiocredits._names import is_own_key
from aiocredits.storages.base import KeyTakenError
from aiocredits.storages.postgres.cache import BooksCache
from aiocredits.storages.postgres.connecting import Driver, acquired
from aiocredits.storages.postgres.failures import BUSY, LOST
from aiocredits.storages.postgres.saving import save
from aiocredits.storages.postgres.unit import look_up

_ROUNDS = 2


class FastBatch:
    """Commands on their way through the fast path; what it leaves over is somebody else's."""

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
        outcomes: dict[int, Outcome] = {}
        places: Sequence[int] = range(len(self._commands))
        try:
            async with asyncio.timeout(deadline):
                for number in range(_ROUNDS):
                    places = await self._round(places, outcomes, last=number == _ROUNDS - 1)
                    if not places:
                        break
        except BUSY as error:
            self.every_key = isinstance(error, KeyTakenError)
        except (*LOST, TimeoutError):
            pass
        except PostgresError:
            self.every_key = self.lost = False  # the locked path will meet it too, and explain it
        return outcomes

    async def _round(
        self, places: Sequence[int], outcomes: dict[int, Outcome], *, last: bool
    ) -> Sequence[int]:
        """Write what can be, note its outcomes and return the places of what may be tried again."""
        commands = [self._commands[place] for place in places]
        known, stale = self._cache.of([each for each in commands if is_cheap(each)])
        if not known and not stale:
            return ()
        async with acquired(self._pool) as connection:
            if stale:
                fresh = await look_up(connection, self._sql, commands, stale)
                known |= {name: kept for name in fresh if (kept := remembered(fresh[name]))}
            decision = decide_cached(known, commands, self._at)
            written = await self._written(connection, decision, known)
        failed = decision.places.keys() - set(written)
        self._cache.keep({name: decision.books[name] for name in written})
        self._cache.tried(written, failed, looked_up=stale, locks=last)
        for name in written:
            for place in decision.places[name]:
                outcomes[places[place]] = decision.outcomes[place]
        return sorted(places[place] for name in failed for place in decision.places[name])

    async def _written(
        self, connection: Driver, decision: CachedDecision, before: Mapping[str, Books]
    ) -> Sequence[str]:
        if not decision.places:
            return ()
        keys = [
            (entry.account, entry.key)
            for entry in decision.changes.entries
            if entry.key is not None and not is_own_key(entry.key)
        ]
        # Until there is an answer. If there is none, whoever is asked next looks every key up.
        self.every_key = self.lost = True
        try:
            written = await save(
                connection, self._sql, decision.changes, before=before, new_keys=keys
            )
        except BUSY:
            self.every_key = self.lost = False
            raise
        self.every_key = self.lost = False
        return written
