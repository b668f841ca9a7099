"""Batches under way at the same time, in the order in which they came.

While a batch is being written, the next one can be decided on the books that will be there if the
first succeeds, and be sent as soon as it has. So the server and this process work at the same time
even where all commands are for one account.
"""

import asyncio
from collections.abc import Collection, Iterable, Mapping
from types import TracebackType
from typing import Self

from aiocredits.storages.postgres.cache import Kept


class Turn:
    """One batch among those under way: ``with turn: …`` is the time in which it is."""

    def __init__(self, turns: "Turns", accounts: Collection[str]) -> None:
        self._turns = turns
        self._accounts = accounts
        self._ended = False
        self._waiting: list[asyncio.Future[None]] = []
        self._before = turns.last_of(accounts)
        self.expected: Mapping[str, Kept] | None = None
        """What to remember of its accounts, once all of them are on their way to the database."""
        self.kept = False
        """Whether they are in the database, just as they were expected."""
        turns.begin(self, accounts)

    def __enter__(self) -> Self:
        """Be under way."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Let those go on that come after, if `end` has not done so."""
        self.end(kept=False)

    def end(self, *, kept: bool) -> None:
        """Let those go on that come after: what was expected is in the database, or not."""
        if self._ended:
            return
        self.kept, self._ended = kept, True
        self._turns.end(self, self._accounts)
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)

    async def ended(self) -> None:
        """Wait for the end. Who waits is on turn at once, before those who get their answers."""
        if not self._ended:
            # One for each who waits: to be cancelled with them, and alone.
            waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(waiting)
            await waiting

    def foreseen(self) -> Mapping[str, Kept] | None:
        """Return what those before are writing: None if it is not known, or if there are none."""
        foreseen: dict[str, Kept] = {}
        for turn in self._before:
            if turn.expected is None:
                return None
            foreseen |= turn.expected
        return foreseen or None

    async def come(self) -> bool:
        """Wait until those before have ended; return whether all that was foreseen came true."""
        for turn in self._before:
            await turn.ended()
        before, self._before = self._before, ()
        return all(turn.kept for turn in before)


class Turns:
    """The last batch under way of each account."""

    def __init__(self) -> None:
        self._last: dict[str, Turn] = {}

    def last_of(self, accounts: Iterable[str]) -> Collection[Turn]:
        """Return the batches under way that have one of these accounts."""
        if not self._last:
            return ()
        return {self._last[name]: None for name in accounts if name in self._last}

    def begin(self, turn: Turn, accounts: Iterable[str]) -> None:
        """Note that a batch is the last one of its accounts."""
        self._last.update(dict.fromkeys(accounts, turn))

    def end(self, turn: Turn, accounts: Iterable[str]) -> None:
        """Note that a batch has ended."""
        for name in accounts:
            if self._last.get(name) is turn:
                del self._last[name]
