"""The accounts that the last batches left in memory, for as long as nobody else has written."""

import sqlite3
from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime

from aiocredits._ledger import Scope, State, carried_over, suffices
from aiocredits._model import Books
from aiocredits.storages.sqlite.unit import SQL, Unit

CAPACITY = 4096
"""Accounts; each is one or two kilobytes."""


class Cache:
    """Saves a batch from reading what the one before it has written.

    It is exact, not merely likely: under the write lock ``data_version`` tells whether any other
    connection has committed since, and then everything is forgotten.
    """

    def __init__(self) -> None:
        self._books: OrderedDict[str, Books] = OrderedDict()
        self._data_version = -1

    def load(self, connection: sqlite3.Connection, unit: Unit, scope: Scope, at: datetime) -> State:
        """Return what `scope` asks for, from memory where that suffices."""
        (data_version,) = connection.execute(SQL["data_version"]).fetchone()
        if data_version != self._data_version:
            self._books.clear()
            self._data_version = data_version
        named = {name for name, _ in (*scope.grants, *scope.holds, *scope.charges, *scope.late)}
        known: dict[str, Books] = {}
        for name in scope.accounts:
            books = self._books.get(name)
            if books is not None and name not in named and suffices(books, at):
                known[name] = books
        if not known:
            return unit.load(scope, at)
        missing = tuple(name for name in scope.accounts if name not in known)
        state = unit.load(scope._replace(accounts=missing), at, known)
        return State({**known, **state.books}, state.keys)

    def keep(self, books: Mapping[str, Books]) -> None:
        """Remember what a batch has committed, and forget what was not used for longest."""
        for name, after in books.items():
            carried = carried_over(after)
            if carried is None:
                self._books.pop(name, None)
            else:
                self._books[name] = carried
                self._books.move_to_end(name)
        while len(self._books) > CAPACITY:
            self._books.popitem(last=False)

    def clear(self) -> None:
        """Forget everything: nobody can say what was committed."""
        self._books.clear()
