"""Books that this process has seen last, and how often others have changed them since."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence

from aiocredits._commands import Command, singles
from aiocredits._ledger import remembered
from aiocredits._model import Books

MAX_ROWS = 200_000
"""Accounts, grants and holds that are remembered, all together: some 100 MB at the most."""

_MAX_TURNS = 64


class BooksCache:
    """The least recently written accounts are forgotten first.

    What is remembered may be out of date: whoever uses it proves it by its version.
    """

    def __init__(self, max_rows: int = MAX_ROWS) -> None:
        self._max_rows = max_rows
        self._rows = 0
        self._books: OrderedDict[str, Books] = OrderedDict()
        self._rivals: dict[str, _Rivalry] = {}

    def of(self, commands: Sequence[Command]) -> tuple[dict[str, Books], set[str]]:
        """Return what is remembered of the commands' accounts, and which ones to look up first.

        Those that others write all the time are in neither.
        """
        known: dict[str, Books] = {}
        stale: set[str] = set()
        hot: set[str] = set()
        for command in singles(commands):
            name = command.account
            if name in known or name in stale or name in hot:
                continue
            rivalry = self._rivals.get(name)
            if rivalry is None:
                books = self._books.get(name)
                if books is None:
                    stale.add(name)
                else:
                    known[name] = books
            elif rivalry.locks():
                hot.add(name)
            else:
                stale.add(name)
        return known, stale

    def keep(self, books: Mapping[str, Books]) -> None:
        """Remember books that have been committed."""
        for name, loaded in books.items():
            known = self._books.get(name)
            if known is not None and known.account.version > loaded.account.version:
                continue
            self.forget(name)
            kept = remembered(loaded)
            if kept is not None and kept.account.version:
                self._books[name] = kept
                self._rows += _rows(kept)
        while self._rows > self._max_rows:
            _, forgotten = self._books.popitem(last=False)
            self._rows -= _rows(forgotten)

    def forget(self, name: str) -> None:
        """Remember no more of an account."""
        known = self._books.pop(name, None)
        if known is not None:
            self._rows -= _rows(known)

    def lost(self, name: str, *, fresh: bool) -> None:
        """Note that somebody else changed an account; `fresh` says that it was just looked up."""
        rivalry = self._rivals.setdefault(name, _Rivalry())
        rivalry.lost(fresh=fresh)
        if len(self._rivals) > self._max_rows:
            self._rivals.clear()

    def won(self, names: Iterable[str]) -> None:
        """Note that nobody else had changed the accounts."""
        if self._rivals:
            for name in names:
                rivalry = self._rivals.get(name)
                if rivalry is not None and rivalry.won():
                    del self._rivals[name]

    def clear(self) -> None:
        """Forget everything."""
        self._books.clear()
        self._rivals.clear()
        self._rows = 0


class _Rivalry:
    """How an account is dealt with that others write as well.

    It is looked up before it is decided, for as many times as it was lost lately; lost even then,
    it is left to the locked path, each time for longer.
    """

    __slots__ = ("doubt", "locked", "locked_next")

    def __init__(self) -> None:
        self.doubt = 0
        self.locked = 0
        self.locked_next = 1

    def locks(self) -> bool:
        """Tell whether it is left to the locked path this time."""
        if not self.locked:
            return False
        self.locked -= 1
        return True

    def lost(self, *, fresh: bool) -> None:
        self.doubt = min(2 * self.doubt + 2, _MAX_TURNS)
        if fresh:
            self.locked = self.locked_next = min(2 * self.locked_next, _MAX_TURNS)

    def won(self) -> bool:
        """Tell whether it can be believed again what is remembered."""
        self.doubt -= 1
        self.locked_next = 1
        return self.doubt <= 0


def _rows(books: Books) -> int:
    return 1 + len(books.grants) + len(books.holds)
