"""A storage as a third party would write one: all books in one file that is replaced as a whole.

It is small and right rather than fast: every transaction reads and writes everything.
"""

import asyncio
import os
import pickle
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Self, TypeAlias, TypeVar, cast

from aiocredits.errors import ConfigurationError, StorageUnavailableError
from aiocredits.storages import (
    OPEN_GRANT_STATES,
    Account,
    AccountsQuery,
    Books,
    BooksQuery,
    Changes,
    Charge,
    EntriesQuery,
    Entry,
    Grant,
    GrantsQuery,
    Hold,
    HoldsQuery,
    KeyOf,
    KeyTakenError,
    NumberOf,
    OpeningQuery,
    Page,
    Query,
    Scope,
    State,
    TransactionalStorage,
    Usage,
    UsageQuery,
    charge_of,
    in_burn_order,
)

Row = TypeVar("Row")
UsageOf = tuple[str, date, str | None, Decimal | None]
Table: TypeAlias = defaultdict[str, dict[int, Row]]
"""Rows by account and number."""


def table() -> "Table[Row]":
    return defaultdict(dict)


@dataclass
class Tables:
    """Everything, as a database would keep it in tables; also a unit of work upon it."""

    accounts: dict[str, Account] = field(default_factory=dict)
    grants: Table[Grant] = field(default_factory=table)
    holds: Table[Hold] = field(default_factory=table)
    charges: Table[Charge] = field(default_factory=table)
    entries: Table[Entry] = field(default_factory=table)
    keys: dict[KeyOf, int] = field(default_factory=dict)
    usage: dict[UsageOf, int] = field(default_factory=dict)

    async def load(self, scope: Scope, at: datetime) -> State:
        books = {n: self.books(n, scope, at) for n in scope.accounts if n in self.accounts}
        keys = {key: self.entries[key[0]][self.keys[key]] for key in scope.keys if key in self.keys}
        return State(books, keys)

    def books(self, name: str, scope: Scope, at: datetime) -> Books:
        still_open = [h for h in self.holds[name].values() if h.state == "open"]
        holds = {h.number: h for h in still_open if h.expires_at <= at}
        holds |= {n: self.holds[name][n] for n in named(scope.holds, name) & {*self.holds[name]}}
        charges = {c.number: c for c in self.charges[name].values() if c.owed_micros}
        charges |= {n: c for n in named(scope.charges, name) if (c := self.charge(name, n))}
        return Books(
            self.accounts[name],
            in_burn_order(self.grants_for(name, scope, [*holds.values(), *charges.values()])),
            holds,
            charges,
            min((h.expires_at for h in still_open if h.number not in holds), default=None),
        )

    def grants_for(
        self, name: str, scope: Scope, reaching: Iterable[Hold | Charge]
    ) -> Iterator[Grant]:
        reached = named(scope.grants, name)
        reached |= {part.grant for thing in reaching for part in thing.slices}
        late = dict(scope.late).get(name)
        for grant in self.grants[name].values():
            lapsed = late and grant.lapsed_micros and grant.expires_at and grant.expires_at > late
            if grant.state in OPEN_GRANT_STATES or grant.number in reached or lapsed:
                yield grant

    def charge(self, account: str, number: int) -> Charge | None:
        if number in self.charges[account]:
            return self.charges[account][number]
        entry = self.entries[account].get(number)
        return charge_of(entry) if entry and entry.kind in {"consume", "capture"} else None

    async def save(self, changes: Changes) -> None:
        for entry in changes.entries:
            if entry.key is not None:
                if (entry.account, entry.key) in self.keys:
                    raise KeyTakenError(f"key {entry.key!r} is taken")
                self.keys[entry.account, entry.key] = entry.version
            self.entries[entry.account][entry.version] = entry
        self.accounts |= {after.name: after for _, after in changes.accounts}
        for grant in (*changes.new_grants, *changes.grants):
            self.grants[grant.account][grant.number] = grant
        for hold in (*changes.new_holds, *changes.holds):
            self.holds[hold.account][hold.number] = hold
        for charge in changes.charges:
            self.charges[charge.account][charge.number] = charge
        for row in changes.usage:
            self.add_usage((row.account, row.day, row.service, row.unit_cost), row.spent_micros)

    def add_usage(self, of: UsageOf, micros: int) -> None:
        self.usage[of] = self.usage.get(of, 0) + micros

    def answer(self, query: object) -> Page[object]:
        match query:
            case AccountsQuery(after, due_by, limit):
                accounts = (self.accounts[n] for n in sorted(self.accounts) if n > after)
                return self.page(
                    (a for a in accounts if not due_by or (a.due_at and a.due_at <= due_by)), limit
                )
            case BooksQuery(name, at):
                if name not in self.accounts:
                    return Page((Books(Account(name)),))
                return Page((self.books(name, Scope((name,)), at),))
            case EntriesQuery(name, after, before, newest_first, limit):
                entries = [
                    entry
                    for entry in in_order(self.entries[name])
                    if after < entry.version and (before is None or entry.version < before)
                ]
                return self.page(entries[::-1] if newest_first else entries, limit)
            case GrantsQuery(name, after, open_only, limit):
                grants = (g for g in in_order(self.grants[name]) if g.number > after)
                return self.page(
                    (g for g in grants if not open_only or g.state in OPEN_GRANT_STATES), limit
                )
            case HoldsQuery(name, after, open_only, limit):
                holds = (h for h in in_order(self.holds[name]) if h.number > after)
                return self.page((h for h in holds if not open_only or h.state == "open"), limit)
            case UsageQuery():
                return Page(tuple(self.usage_of(query)))
            case OpeningQuery():
                return Page(())
            case _:
                raise TypeError(f"{query!r} is not a query")

    def page(self, rows: Iterable[object], limit: int) -> Page[object]:
        found = list(rows)
        return Page(tuple(found[:limit]), more=len(found) > limit)

    def usage_of(self, query: UsageQuery) -> Iterator[Usage]:
        sums: defaultdict[tuple[date, str | None, Decimal | None], int] = defaultdict(int)
        for (account, day, service, cost), micros in self.usage.items():
            if account == query.account and query.since <= day <= query.until:
                sums[day if query.by_day else query.since, service, cost] += micros
        for key in sorted(sums, key=lambda k: (k[0], k[1] or "", str(k[2] or ""))):
            yield Usage(query.account, *key, sums[key])


def named(numbers: Iterable[NumberOf], name: str) -> set[int]:
    return {number for account, number in numbers if account == name}


def in_order(rows: dict[int, Row]) -> list[Row]:
    return [rows[number] for number in sorted(rows)]


# One lock for each file: this storage is for one process.
_locks: defaultdict[Path, asyncio.Lock] = defaultdict(asyncio.Lock)


class FileStorage(TransactionalStorage):
    """Books in a file; ``file:///relative`` and ``file:////absolute``."""

    tables: type[Tables] = Tables

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.is_open = False

    @classmethod
    def from_url(cls, url: str) -> Self:
        scheme, _, path = url.partition(":///")
        if scheme != "file" or not path:
            raise ConfigurationError(f"{url!r}: write 'file:///relative' or 'file:////absolute'")
        return cls(Path(path))

    async def open(self) -> None:
        if not self.path.parent.is_dir():
            raise StorageUnavailableError(f"{self.path.parent} is not there: make the directory")
        self.is_open = True

    async def close(self) -> None:
        self.is_open = False

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Tables]:
        async with _locks[self.path]:
            # What the unit does to these tables is nowhere else until they are written. Nothing
            # after this line awaits, so nothing can cancel it.
            tables = self.read_file()
            yield tables
            self.write_file(tables)

    async def read(self, query: Query[Row]) -> Page[Row]:
        return cast("Page[Row]", self.read_file().answer(query))

    def read_file(self) -> Tables:
        if not self.is_open:
            raise StorageUnavailableError(f"{self.path} is not open: open the storage first")
        if not self.path.exists():
            return self.tables()
        with self.path.open("rb") as file:
            tables: Tables = pickle.load(file)  # noqa: S301 - written by nobody else
        return tables

    def write_file(self, tables: Tables) -> None:
        draft = self.path.with_suffix(".draft")
        with draft.open("wb") as file:
            pickle.dump(tables, file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self.path)
