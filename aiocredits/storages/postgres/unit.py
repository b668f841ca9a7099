"""Loading and saving, inside a transaction of one connection."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol, TypeVar

from asyncpg import Record

from aiocredits._commands import Command
from aiocredits._ledger import (
    Changes,
    KeyOf,
    NumberOf,
    Scope,
    State,
    charge_of,
    in_burn_order,
    scope_of,
)
from aiocredits._model import Account, Books, Charge, Entry, Grant, Hold
from aiocredits.storages.postgres import rows
from aiocredits.storages.postgres.connecting import DecideAgainError, Driver
from aiocredits.storages.postgres.pocket import (
    EMPTY,
    Pocket,
    Pockets,
    current,
    load_pocket,
    open_holds,
)
from aiocredits.storages.postgres.saving import save, statement_for


class _Owned(Protocol):
    @property
    def account(self) -> str: ...
    @property
    def number(self) -> int: ...


T = TypeVar("T")
OwnedT = TypeVar("OwnedT", bound=_Owned)


class Unit:
    """A transaction at work on one connection; `sql` has the statements by name."""

    def __init__(
        self,
        connection: Driver,
        sql: Mapping[str, str],
        pockets: Pockets | None = None,
        *,
        lock: bool = True,
    ) -> None:
        self._connection = connection
        self._sql = sql
        self._lock = lock
        self.pockets = pockets or {}
        """What the rows of accounts keep of grants and holds, as loaded or saved last."""

    async def load(self, scope: Scope, at: datetime) -> State:
        """Return what `scope` asks for; see `aiocredits.storages.Unit.load`.

        Accounts that do not exist cannot be locked: `save` finds out whether somebody was faster.
        """
        names = scope.accounts
        query = "lock_accounts" if self._lock else "accounts"
        found = await self._records(query, names)
        accounts = [rows.load_account(row) for row in found]
        self.pockets = {row[0]: load_pocket(row[10]) for row in found}
        charges = await self._charges(scope, accounts)
        holds, timeouts = await self._holds(scope, accounts, at)
        grants = await self._grants(scope, (*holds, *charges))
        grants_of, holds_of = _by_account(grants), _by_account(holds)
        charges_of = _by_account(charges)
        books = {
            account.name: Books(
                account,
                in_burn_order(grants_of[account.name].values()),
                holds_of[account.name],
                charges_of[account.name],
                timeouts.get(account.name),
            )
            for account in accounts
        }
        return State(books, await self._keys(scope.keys))

    async def look_up(
        self, commands: Sequence[Command], names: Collection[str]
    ) -> dict[str, Books]:
        """Return accounts as they are now, unlocked, with open grants and holds that are named.

        Holds in pockets come for nothing, so they are there as well.
        """
        accounts: dict[str, Account] = {}
        pockets: dict[str, Pocket] = {}
        grants: defaultdict[str, list[Grant]] = defaultdict(list)
        for row in await self._records("books", list(names)):
            name = row[0]
            if name not in accounts:
                accounts[name] = rows.load_account(row)
                pockets[name] = load_pocket(row[10])
            if row[11] is not None:
                grants[name].append(current(rows.load_grant(row[11:]), pockets[name]))
        self.pockets = pockets
        named = [pair for pair in scope_of(commands).holds if pair[0] in accounts]
        holds = _by_account(await self._named_holds(named))
        return {
            name: Books(
                account, in_burn_order(grants[name]), open_holds(name, pockets[name]) | holds[name]
            )
            for name, account in accounts.items()
        }

    async def save(self, changes: Changes) -> None:
        """Write the changes, or raise what makes the transaction roll back."""
        if not changes.accounts:
            return
        statement = statement_for(changes, self.pockets)
        written = await save(self._connection, self._sql, statement)
        if len(written) != len(changes.accounts):
            raise DecideAgainError
        self.pockets = {**self.pockets, **statement.pockets}

    async def _grants(self, scope: Scope, reaching: Sequence[Hold | Charge]) -> list[Grant]:
        grants = await self._fetch("open_grants", rows.load_grant, scope.accounts)
        named = {*scope.grants}
        named.update((thing.account, part.grant) for thing in reaching for part in thing.slices)
        named.difference_update((grant.account, grant.number) for grant in grants)
        if named:
            grants += await self._fetch("named_grants", rows.load_grant, *_pairs(named))
        if scope.late:
            lapsed = await self._fetch("lapsed_grants", rows.load_grant, *_pairs(scope.late))
            grants += lapsed
        return [current(grant, self._pocket(grant.account)) for grant in grants]

    async def _holds(
        self, scope: Scope, accounts: Sequence[Account], at: datetime
    ) -> tuple[list[Hold], dict[str, datetime]]:
        """Return holds, and by account when the first of the others ends.

        An account knows a lower bound of when anything is due, so most never get here.
        """
        holds: list[Hold] = []
        timeouts: dict[str, datetime] = {}
        if scope.holds:
            holds += await self._named_holds(scope.holds)
        due = [account.name for account in accounts if account.due_at and account.due_at <= at]
        if due:
            holds += await self._fetch("due_holds", rows.load_hold, due, at)
            found = await self._records("next_timeouts", due, at)
            timeouts = {row[0]: row[1] for row in found}
        for name in due:
            for hold in open_holds(name, self._pocket(name)).values():
                if hold.expires_at <= at:
                    holds.append(hold)
                else:
                    timeouts[name] = min(hold.expires_at, timeouts.get(name, hold.expires_at))
        return holds, timeouts

    async def _named_holds(self, named: Sequence[NumberOf]) -> list[Hold]:
        """Return the holds that are named, from pockets where they are open and found room."""
        names = {name for name, _ in named}
        pockets = {name: open_holds(name, self._pocket(name)) for name in names}
        found = [pockets[name][number] for name, number in named if number in pockets[name]]
        others = [(name, number) for name, number in named if number not in pockets[name]]
        if others:
            found += await self._fetch("named_holds", rows.load_hold, *_pairs(others))
        return found

    def _pocket(self, name: str) -> Pocket:
        # An account that was not there when it was asked for may have grants a moment later.
        return self.pockets.get(name, EMPTY)

    async def _charges(self, scope: Scope, accounts: Sequence[Account]) -> list[Charge]:
        charges: list[Charge] = []
        owing = [account.name for account in accounts if account.overdraft_micros]
        if owing:
            charges += await self._fetch("owing_charges", rows.load_charge, owing)
        if scope.charges:
            named = await self._open_charges(scope.charges)
            charges += await self._fetch("named_charges", rows.load_charge, *_pairs(named))
            known = {(charge.account, charge.number) for charge in charges}
            others = [pair for pair in named if pair not in known]
            entries = await self._fetch("named_entries", rows.load_entry, *_pairs(others))
            charges += [charge_of(e) for e in entries if e.kind in {"consume", "capture"}]
        return charges

    async def _open_charges(self, charges: Sequence[NumberOf]) -> list[NumberOf]:
        """Leave out charges that an opening stands for: who reads on from it knows nothing of them.

        Those in debt are in the opening, and loaded with their account.
        """
        found = await self._records("opening_versions", sorted({name for name, _ in charges}))
        closed = {row[0]: row[1] for row in found}
        return [(name, number) for name, number in charges if number > closed.get(name, 0)]

    async def _keys(self, keys: Sequence[KeyOf]) -> dict[KeyOf, Entry]:
        if not keys:
            return {}
        entries = await self._fetch("entries_by_key", rows.load_entry, *_pairs(keys))
        return {(entry.account, entry.key or ""): entry for entry in entries}

    async def _fetch(
        self, query: str, load: Callable[[Record], T], names: Sequence[str], *values: object
    ) -> list[T]:
        return [load(row) for row in await self._records(query, names, *values)]

    async def _records(self, query: str, names: Sequence[str], *values: object) -> list[Record]:
        return await self._connection.fetch(self._sql[query], names, *values)


def _pairs(pairs: Iterable[tuple[str, Any]]) -> tuple[list[str], list[Any]]:
    ordered = sorted(pairs)
    return [name for name, _ in ordered], [value for _, value in ordered]


def _by_account(things: Iterable[OwnedT]) -> defaultdict[str, dict[int, OwnedT]]:
    found: defaultdict[str, dict[int, OwnedT]] = defaultdict(dict)
    for thing in things:
        found[thing.account][thing.number] = thing
    return found
