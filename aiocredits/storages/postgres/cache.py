"""Books that this process has seen last, and how often others have changed them since."""

from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TypeAlias

from aiocredits._commands import Command, singles
from aiocredits._ledger import remembered
from aiocredits._model import Books
from aiocredits.storages.postgres.pocket import Pocket, Pockets

MAX_ROWS = 200_000
"""Accounts, grants and holds that are remembered, all together: some 130 MB at the most."""

# Looking up in vain costs a round trip for the whole batch, and a vain attempt costs its account
# all that follows; so doubts last. Locking in vain costs three.
_FIRST_DOUBTS = 16
_MAX_DOUBTS = 1024
_MAX_LOCKS = 64

# More failures than successes, and so many more, mean that others write all accounts.
_MANY_DISAPPOINTMENTS = 100
_MAX_DISAPPOINTMENTS = 1000


Kept: TypeAlias = tuple[Books, Pocket, int]
"""What is remembered of an account, and how many rows that is."""


NOTHING: Mapping[str, Kept] = {}


def kept(books: Mapping[str, Books | None], pockets: Pockets) -> dict[str, Kept | None]:
    """Return what to remember of accounts that are remembered with these `pockets`."""
    return {
        name: None if left is None else (left, pockets[name], _rows(left))
        for name, left in books.items()
    }


class BooksCache:
    """The least recently written accounts are forgotten first.

    What is remembered may be out of date: whoever uses it proves it by its version.
    """

    def __init__(self, max_rows: int = MAX_ROWS) -> None:
        self._max_rows = max_rows
        self._rows = 0
        self._kept: OrderedDict[str, Kept] = OrderedDict()
        self._rivals: dict[str, _Rivalry] = {}
        self._disappointments = 0

    def of(
        self, commands: Sequence[Command], foreseen: Mapping[str, Kept] = NOTHING
    ) -> tuple[dict[str, Kept], set[str]]:
        """Return what is remembered of the commands' accounts, and which ones to look up first.

        What is `foreseen` comes before what is remembered. Accounts that others write all the time
        are in neither.
        """
        known: dict[str, Kept] = {}
        stale: set[str] = set()
        distrusts = self._distrusts()
        hot: set[str] = set()
        for command in singles(commands):
            name = command.account
            if name in known or name in stale or name in hot:
                continue
            account = self._kept.get(name)
            rivalry = self._rivals.get(name)
            if name in foreseen:
                known[name] = foreseen[name]
            elif rivalry is not None and rivalry.locks:
                rivalry.locks -= 1
                hot.add(name)
            elif account is None or (rivalry.doubts if rivalry else distrusts):
                stale.add(name)
            else:
                known[name] = account
        return known, stale

    def keep_loaded(self, books: Mapping[str, Books], pockets: Pockets) -> None:
        """Remember what is worth it of books that have been committed."""
        known = {name: loaded for name, loaded in books.items() if name in pockets}
        self.keep(kept({name: remembered(loaded) for name, loaded in known.items()}, pockets))

    def keep(self, accounts: Mapping[str, Kept | None]) -> None:
        """Remember books that have been committed, or, where there are None, remember no more."""
        for name, account in accounts.items():
            if account is None:
                self._forget(name)
                continue
            known = self._kept.get(name)
            if known is not None:
                if known[0].account.version > account[0].account.version:
                    continue
                self._rows -= known[2]
            self._rows += account[2]
            self._kept[name] = account
            self._kept.move_to_end(name)
        while self._rows > self._max_rows:
            self._forget(next(iter(self._kept)))

    def _forget(self, name: str) -> None:
        known = self._kept.pop(name, None)
        if known is not None:
            self._rows -= known[2]

    def tried(
        self,
        written: Iterable[str],
        failed: Collection[str],
        *,
        looked_up: Collection[str],
        locks: bool,
    ) -> None:
        """Note who was as remembered and who had been changed by others, `looked_up` or not.

        With `locks`, those that changed just after they were looked up are for the locked path.
        """
        if self._rivals or self._disappointments:  # as where several processes write
            for name in written:
                self._won(name, trusted=name not in looked_up)
        for name in failed:
            fresh = name in looked_up
            if not fresh:
                self._disappointments = min(self._disappointments + 1, _MAX_DISAPPOINTMENTS)
            self._rivals.setdefault(name, _Rivalry()).lost(fresh=fresh and locks)
        if len(self._rivals) > self._max_rows:
            self._rivals.clear()

    def clear(self) -> None:
        """Forget everything."""
        self._kept.clear()
        self._rivals.clear()
        self._rows = 0

    def _won(self, name: str, *, trusted: bool) -> None:
        if trusted:
            self._disappointments = max(0, self._disappointments - 1)
        rivalry = self._rivals.get(name)
        if rivalry is not None and rivalry.won():
            del self._rivals[name]

    def _distrusts(self) -> bool:
        """Tell whether most of what is remembered turned out to be wrong lately."""
        if self._disappointments < _MANY_DISAPPOINTMENTS:
            return False
        self._disappointments -= 1  # to try again some day
        return True


class _Rivalry:
    """How an account is dealt with that others write as well.

    It is looked up before it is decided; lost even then, it is left to the locked path. Each time
    that it is lost again, for twice as many turns.
    """

    __slots__ = ("doubts", "doubts_next", "locks", "locks_next")

    def __init__(self) -> None:
        self.doubts = 0
        self.doubts_next = _FIRST_DOUBTS
        self.locks = 0
        self.locks_next = 1

    def lost(self, *, fresh: bool) -> None:
        self.doubts = self.doubts_next = min(2 * self.doubts_next, _MAX_DOUBTS)
        if fresh:
            self.locks = self.locks_next = min(2 * self.locks_next, _MAX_LOCKS)

    def won(self) -> bool:
        """Tell whether the rivals are gone: what was remembered turned out to be true."""
        gone = not self.doubts
        self.doubts -= not gone
        self.locks_next = 1
        return gone


def _rows(books: Books) -> int:
    return 1 + len(books.grants) + len(books.holds)
