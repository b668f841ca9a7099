"""The fast path: what remembered books accept is written by one statement that proves them.

Accounts that are not remembered, or that others have changed lately, are looked up just before, in
one more statement and without a lock: if they change in between, the proof fails just the same.
What comes while an earlier batch of the same accounts is being written is decided on what that one
will have written, and sent if it has.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from asyncpg import PostgresError
from asyncpg.pool import Pool

from aiocredits._commands import Command, Outcome
from aiocredits._ledger import decide_cached, is_cheap, remembered
from aiocredits.storages.base import KeyTakenError
from aiocredits.storages.postgres.cache import BooksCache, Kept, kept
from aiocredits.storages.postgres.connecting import Driver, acquired
from aiocredits.storages.postgres.failures import BUSY, LOST
from aiocredits.storages.postgres.saving import Statement, save, statement_for
from aiocredits.storages.postgres.turns import Turn
from aiocredits.storages.postgres.unit import Unit


class FastBatch:
    """Commands on their way through the fast path; what it leaves over is somebody else's."""

    def __init__(
        self,
        pool: "Pool[Any]",
        sql: Mapping[str, str],
        cache: BooksCache,
        turn: Turn,
        commands: Sequence[Command],
        *,
        at: datetime,
    ) -> None:
        self._pool = pool
        self._sql = sql
        self._cache = cache
        self._turn = turn
        self._commands = commands
        self._at = at
        self._outcomes: dict[int, Outcome] = {}
        self.every_key = False
        """Whether keys that the library made up may have been written before."""
        self.lost = False
        """Whether nobody knows if the statement was executed."""

    async def run(self, deadline: float) -> Mapping[int, Outcome]:
        """Return the outcomes of what was written, by the place of the command."""
        try:
            async with asyncio.timeout(deadline):
                places = await self._first_round()
                if places:
                    await self._round(places, last=True)
        except BUSY as error:
            self.every_key = isinstance(error, KeyTakenError)
        except (*LOST, TimeoutError):
            pass
        except PostgresError:
            self.every_key = self.lost = False  # the locked path will meet it too, and explain it
        return self._outcomes

    async def _first_round(self) -> Sequence[int]:
        """Write what was decided ahead, if that was possible and came true; else begin here."""
        places = range(len(self._commands))
        ahead = self._decide_ahead()
        if not await self._turn.come() or ahead is None:
            return await self._round(places)
        async with acquired(self._pool) as connection:
            return await self._write(connection, ahead, places)

    def _decide_ahead(self) -> "_Draft | None":
        """Decide on what the batches before are about to write: all of it, or nothing."""
        foreseen = self._turn.foreseen()
        if foreseen is None or not all(map(is_cheap, self._commands)):
            return None
        known, stale = self._cache.of(self._commands, foreseen)
        if stale:
            return None
        draft = self._decide(known, self._commands)
        return None if self._turn.expected is None else draft

    async def _round(self, places: Sequence[int], *, last: bool = False) -> Sequence[int]:
        """Write what can be, note its outcomes and return the places of what may be tried again."""
        commands = [self._commands[place] for place in places]
        known, stale = self._cache.of([each for each in commands if is_cheap(each)])
        if not known and not stale:
            return ()
        draft = None if stale else self._decide(known, commands)  # without a connection so far
        async with acquired(self._pool) as connection:
            if stale:
                known |= await self._looked_up(connection, commands, stale)
            draft = draft or self._decide(known, commands)
            return await self._write(connection, draft, places, looked_up=stale, locks=last)

    async def _looked_up(
        self, connection: Driver, commands: Sequence[Command], names: Collection[str]
    ) -> dict[str, Kept]:
        unit = Unit(connection, self._sql)
        found = await unit.look_up(commands, names)
        fresh = kept({name: remembered(books) for name, books in found.items()}, unit.pockets)
        return {name: account for name, account in fresh.items() if account is not None}

    def _decide(self, known: Mapping[str, Kept], commands: Sequence[Command]) -> "_Draft":
        """Decide, and if that is all there is, tell those that come after what will be there."""
        books = {name: books for name, (books, _, _) in known.items()}
        decision = decide_cached(books, commands, self._at)
        # An entry keeps the terms of a caller's key: the library's own are new, or looked up.
        entries = decision.changes.entries
        keys = [(entry.account, entry.key) for entry in entries if entry.key and entry.terms]
        pockets = {name: pocket for name, (_, pocket, _) in known.items()}
        statement = statement_for(decision.changes, pockets, keys)
        after = kept(decision.books, statement.pockets)
        expected = {name: account for name, account in after.items() if account is not None}
        decided = sum(map(len, decision.places.values())) == len(self._commands)
        if decided and len(expected) == len(decision.places):
            self._turn.expected = expected
        # Without the changes: the garbage collector looks at whatever waits for an answer.
        return _Draft(decision.outcomes, decision.places, statement, after)

    async def _write(
        self,
        connection: Driver,
        draft: "_Draft",
        places: Sequence[int],
        *,
        looked_up: Collection[str] = (),
        locks: bool = False,
    ) -> Sequence[int]:
        if not draft.places:
            return ()
        written = await self._saved(connection, draft.statement)
        for name in written:
            for place in draft.places[name]:
                self._outcomes[places[place]] = draft.outcomes[place]
        failed = draft.places.keys() - set(written)
        self._cache.keep({name: draft.after[name] for name in written})
        self._cache.tried(written, failed, looked_up=looked_up, locks=locks)
        if len(self._outcomes) == len(self._commands):
            self._turn.end(kept=not failed)
        return sorted(places[place] for name in failed for place in draft.places[name])

    async def _saved(self, connection: Driver, statement: Statement) -> Sequence[str]:
        # Until there is an answer. If there is none, whoever is asked next looks every key up.
        self.every_key = self.lost = True
        try:
            written = await save(connection, self._sql, statement)
        except BUSY:
            self.every_key = self.lost = False
            raise
        self.every_key = self.lost = False
        return written


class _Draft(NamedTuple):
    """What is to be written, and how."""

    outcomes: Mapping[int, Outcome]
    places: Mapping[str, Sequence[int]]
    statement: Statement
    after: Mapping[str, Kept | None]
    """What to remember of the accounts once it is written, None for nothing."""
