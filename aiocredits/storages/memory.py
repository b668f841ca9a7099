"""Books in memory: the reference that every other storage is held to, and a fast one for tests."""

import bisect
from collections import defaultdict
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from datetime import date, datetime
from decimal import Decimal
from typing import Self, TypeVar, cast

from aiocredits._amounts import Micros
from aiocredits._ledger import (
    Changes,
    KeyOf,
    NumberOf,
    Scope,
    State,
    charge_of,
    in_burn_order,
)
from aiocredits._model import (
    OPEN_GRANT_STATES,
    Account,
    Books,
    Charge,
    Entry,
    Grant,
    Hold,
    Usage,
)
from aiocredits._queries import (
    AccountsQuery,
    BooksQuery,
    EntriesQuery,
    GrantsQuery,
    HoldsQuery,
    OpeningQuery,
    Page,
    Query,
    UsageQuery,
)
from aiocredits.errors import UsageError
from aiocredits.storages.base import KeyTakenError, TransactionalStorage

Row = TypeVar("Row")


class MemoryStorage(TransactionalStorage):
    """Keeps the books for as long as the object lives, closed and opened again included."""

    def __init__(self) -> None:
        self._shelves: dict[str, _Shelf] = {}
        self._names: list[str] = []
        self._keys: dict[KeyOf, Entry] = {}

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Return an empty storage; a ``memory://`` URL names nothing that could be shared."""
        if url != "memory://":
            raise UsageError(f"{url!r}: write 'memory://'; to share books, share the MemoryStorage")
        return cls()

    async def open(self) -> None:
        """Do nothing: there is nothing to connect to."""

    async def close(self) -> None:
        """Do nothing: the books stay, so that a client can be opened on them again."""

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator["MemoryStorage"]:
        """Return the storage itself: nothing awaits between `load` and `save`."""
        yield self

    async def load(self, scope: Scope, at: datetime) -> State:
        """Return what `scope` asks for."""
        grants, holds, charges = (
            _by_account(numbers) for numbers in (scope.grants, scope.holds, scope.charges)
        )
        late = dict(scope.late)
        books = {
            name: self._shelves[name].books(
                at, grants[name], holds[name], charges[name], late.get(name)
            )
            for name in scope.accounts
            if name in self._shelves
        }
        return State(books, {key: self._keys[key] for key in scope.keys if key in self._keys})

    async def save(self, changes: Changes) -> None:
        """Write the changes; the only check comes before the first write."""
        for entry in changes.entries:
            if entry.key is not None and (entry.account, entry.key) in self._keys:
                raise KeyTakenError(f"key {entry.key!r} of account {entry.user_id!r} is taken")
        for _, account in changes.accounts:
            self._shelf(account)
        for grant in (*changes.new_grants, *changes.grants):
            self._shelves[grant.account].put_grant(grant)
        for hold in (*changes.new_holds, *changes.holds):
            self._shelves[hold.account].put_hold(hold)
        for charge in changes.charges:
            self._shelves[charge.account].put_charge(charge)
        for entry in changes.entries:
            self._shelves[entry.account].entries.append(entry)
            if entry.key is not None:
                self._keys[entry.account, entry.key] = entry
        for row in changes.usage:
            usage = self._shelves[row.account].usage
            usage[row.day, row.service, row.unit_cost] += row.spent_micros

    async def read(self, query: Query[Row]) -> Page[Row]:
        """Answer a query."""
        return cast("Page[Row]", self._answer(query))

    def _shelf(self, account: Account) -> None:
        if account.name in self._shelves:
            self._shelves[account.name].account = account
        else:
            self._shelves[account.name] = _Shelf(account)
            bisect.insort(self._names, account.name)

    def _answer(self, query: Query[Row]) -> Page[object]:
        match query:
            case AccountsQuery():
                return _page(self._accounts(query), query.limit)
            case BooksQuery() | EntriesQuery() | GrantsQuery() | HoldsQuery() | UsageQuery():
                shelf = self._shelves.get(query.account) or _Shelf(Account(query.account))
                return shelf.answer(query)
            case OpeningQuery():
                return Page(())
            case _:
                raise TypeError(f"{query!r} is not a query")

    def _accounts(self, query: AccountsQuery) -> Iterable[Account]:
        for name in self._names[bisect.bisect_right(self._names, query.after) :]:
            account = self._shelves[name].account
            if query.due_by is None or (account.due_at and account.due_at <= query.due_by):
                yield account


class _Shelf:
    """All that is kept of one account; what has ended lies apart from what is open."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.open_grants: dict[int, Grant] = {}
        self.ended_grants: dict[int, Grant] = {}
        self.open_holds: dict[int, Hold] = {}
        self.ended_holds: dict[int, Hold] = {}
        self.owing: dict[int, Charge] = {}
        self.touched_charges: dict[int, Charge] = {}
        self.entries: list[Entry] = []
        self.usage: defaultdict[tuple[date, str | None, Decimal | None], Micros] = defaultdict(int)

    def put_grant(self, grant: Grant) -> None:
        is_open = grant.state in OPEN_GRANT_STATES
        there, elsewhere = self.open_grants, self.ended_grants
        if not is_open:
            there, elsewhere = elsewhere, there
        elsewhere.pop(grant.number, None)
        there[grant.number] = grant

    def put_hold(self, hold: Hold) -> None:
        if hold.state == "open":
            self.open_holds[hold.number] = hold
        else:
            self.open_holds.pop(hold.number, None)
            self.ended_holds[hold.number] = hold

    def put_charge(self, charge: Charge) -> None:
        self.touched_charges[charge.number] = charge
        if charge.owed_micros:
            self.owing[charge.number] = charge
        else:
            self.owing.pop(charge.number, None)

    def books(
        self,
        at: datetime,
        grants: Iterable[int] = (),
        holds: Iterable[int] = (),
        charges: Iterable[int] = (),
        late: datetime | None = None,
    ) -> Books:
        named_holds = {number: hold for number in holds if (hold := self._hold(number))}
        due = {n: hold for n, hold in self.open_holds.items() if hold.expires_at <= at}
        named_charges = {n: charge for n in charges if (charge := self._charge(n))}
        known_holds, known_charges = named_holds | due, self.owing | named_charges
        reached = {
            part.grant
            for slices in (
                *(hold.slices for hold in known_holds.values()),
                *(charge.slices for charge in known_charges.values()),
            )
            for part in slices
        }
        known_grants = [
            *self.open_grants.values(),
            *(
                self.ended_grants[number]
                for number in reached.union(grants)
                if number in self.ended_grants
            ),
            *(self._lapsed_since(late, reached.union(grants)) if late else ()),
        ]
        others = (h.expires_at for n, h in self.open_holds.items() if n not in known_holds)
        return Books(
            self.account,
            in_burn_order(known_grants),
            known_holds,
            known_charges,
            min(others, default=None),
        )

    def answer(self, query: object) -> Page[object]:
        match query:
            case BooksQuery(at=at):
                return Page((self.books(at),))
            case EntriesQuery():
                return self._entries(query)
            case GrantsQuery(after=after, open_only=open_only):
                grants = self.open_grants if open_only else self.open_grants | self.ended_grants
                return _page((grants[n] for n in sorted(grants) if n > after), query.limit)
            case HoldsQuery(after=after, open_only=open_only):
                holds = self.open_holds if open_only else self.open_holds | self.ended_holds
                return _page((holds[n] for n in sorted(holds) if n > after), query.limit)
            case UsageQuery():
                return Page(tuple(self._usage(query)))
            case _:
                raise TypeError(f"{query!r} is not a query about one account")

    def _entries(self, query: EntriesQuery) -> Page[object]:
        end = len(self.entries) if query.before is None else max(0, query.before - 1)
        found = self.entries[query.after : end]
        if query.newest_first:
            found = found[: -query.limit - 2 : -1]
        return _page(found, query.limit)

    def _usage(self, query: UsageQuery) -> Iterable[Usage]:
        sums: defaultdict[tuple[date, str | None, Decimal | None], Micros] = defaultdict(int)
        for (day, service, unit_cost), micros in self.usage.items():
            if query.since <= day <= query.until:
                sums[day if query.by_day else query.since, service, unit_cost] += micros
        for key in sorted(
            sums, key=lambda k: (k[0], k[1] or "", "" if k[2] is None else str(k[2]))
        ):
            yield Usage(self.account.name, *key, sums[key])

    def _hold(self, number: int) -> Hold | None:
        return self.open_holds.get(number) or self.ended_holds.get(number)

    def _charge(self, number: int) -> Charge | None:
        if number in self.touched_charges:
            return self.touched_charges[number]
        if not 1 <= number <= len(self.entries):
            return None
        entry = self.entries[number - 1]
        return charge_of(entry) if entry.kind in {"consume", "capture"} else None

    def _lapsed_since(self, instant: datetime, known: set[int]) -> Iterable[Grant]:
        return (
            grant
            for number, grant in self.ended_grants.items()
            if grant.lapsed_micros
            and grant.expires_at
            and grant.expires_at > instant
            and number not in known
        )


def _by_account(numbers: Iterable[NumberOf]) -> defaultdict[str, list[int]]:
    found: defaultdict[str, list[int]] = defaultdict(list)
    for account, number in numbers:
        found[account].append(number)
    return found


def _page(rows: Iterable[object], limit: int) -> Page[object]:
    found: list[object] = []
    for row in rows:
        if len(found) == limit:
            return Page(tuple(found), more=True)
        found.append(row)
    return Page(tuple(found))
