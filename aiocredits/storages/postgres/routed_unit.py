"""Loading and saving where every statement names one account, so that the engine can route it."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, cast

from asyncpg import Record, UniqueViolationError

from aiocredits._ledger import Changes
from aiocredits._model import Account
from aiocredits.storages.base import KeyTakenError
from aiocredits.storages.postgres.connecting import DecideAgainError
from aiocredits.storages.postgres.pocket import dump_pocket
from aiocredits.storages.postgres.routed_rows import account_row, rows_of
from aiocredits.storages.postgres.rows import numbers
from aiocredits.storages.postgres.saving import placed_for
from aiocredits.storages.postgres.unit import Unit


class RoutedUnit(Unit):
    """A transaction that asks and writes one account after the other, in the order of names."""

    async def save(self, changes: Changes) -> None:
        """Write the changes, or raise what makes the transaction roll back."""
        placed = placed_for(changes, self.pockets)
        for old, new in sorted(changes.accounts):
            await self._swap(old, new, dump_pocket(placed.pockets[new.name]))
        try:
            for name, rows in rows_of(changes, placed):
                if rows:
                    await self._connection.executemany(self._sql[name], rows)
        except UniqueViolationError as error:
            # Distributed tables add a number to the names of their indexes.
            if (error.constraint_name or "").startswith("entries_key"):
                raise KeyTakenError(str(error)) from error
            raise
        self.pockets = {**self.pockets, **placed.pockets}

    async def _swap(self, old: Account, new: Account, pocket: str) -> None:
        query, row = "add_account", (*account_row(new), pocket)
        if old.version:
            query, row = "swap_account", (old.name, old.version, *row[1:])
        if not await self._connection.fetch(self._sql[query], *row):
            raise DecideAgainError

    async def _records(self, query: str, names: Sequence[str], *values: object) -> list[Record]:
        found: list[Record] = []
        for own in _by_account(names, *values):
            found += await self._connection.fetch(self._sql[query], *own)
        return found


def _by_account(names: Sequence[str], values: object = None) -> Iterator[tuple[object, ...]]:
    """Yield each name with what belongs to it: a list has a value for each name, in their order."""
    if values is None:
        yield from ((name,) for name in names)
    elif isinstance(values, list):
        own: defaultdict[str, list[Any]] = defaultdict(list)
        for name, value in zip(names, cast("Sequence[Any]", values), strict=True):
            own[name].append(value)
        yield from ((name, _parameter(of_name)) for name, of_name in own.items())
    else:
        yield from ((name, values) for name in names)


def _parameter(values: list[Any]) -> object:
    # The driver asks the server what it does not know, such as arrays of anything but texts.
    match values[0]:
        case int():
            return numbers(values)
        case datetime():  # usage that is reported late: what expired after the first of it
            return min(values)
        case _:
            return values
