"""Books that this process has seen last, and how often others have changed them since."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence

from aiocredits._commands import Command, singles
from aiocredits._ledger import remembered
from aiocredits._model import Books

MAX_ROWS = 200_000
"""Accounts, grants and holds that are remembered, all together: some 100 MB at the most."""

_MAX_SHUNS = 64


class BooksCache:
    """The least recently written accounts are forgotten first.

    What is remembered may be out of date: whoever uses it proves it by its version.
    """

    def __init__(self, max_rows: int = MAX_ROWS) -> None:
        self._max_rows = max_rows
        self._rows = 0
        self._books: OrderedDict[str, Books] = OrderedDict()
        self._shunned: dict[str, _Shunned] = {}

    def of(self, commands: Sequence[Command]) -> dict[str, Books]:
        """Return what is remembered of the commands' accounts, but for those to be shunned."""
        found: dict[str, Books] = {}
        shunned: set[str] = set()
        for command in singles(commands):
            name = command.account
            if name in found or name in shunned:
                continue
            books = self._books.get(name)
            if books is not None:
                if self._is_shunned(name):
                    shunned.add(name)
                else:
                    found[name] = books
        return found

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

    def lost(self, name: str) -> None:
        """Note that somebody else changed an account: the longer they do, the longer shun it."""
        shunned = self._shunned.setdefault(name, _Shunned())
        shunned.turns = shunned.length = min(2 * shunned.length, _MAX_SHUNS)
        if len(self._shunned) > self._max_rows:
            self._shunned.clear()

    def won(self, names: Iterable[str]) -> None:
        """Note that nobody else had changed the accounts."""
        if self._shunned:
            for name in names:
                self._shunned.pop(name, None)

    def clear(self) -> None:
        """Forget everything."""
        self._books.clear()
        self._shunned.clear()
        self._rows = 0

    def _is_shunned(self, name: str) -> bool:
        shunned = self._shunned.get(name)
        if shunned is None or not shunned.turns:
            return False
        shunned.turns -= 1
        return True


class _Shunned:
    """For how many more batches an account is left to the locked path."""

    __slots__ = ("length", "turns")

    def __init__(self) -> None:
        self.length = 1
        self.turns = 0


def _rows(books: Books) -> int:
    return 1 + len(books.grants) + len(books.holds)
