"""Loading and saving, inside a transaction and on the connection's thread."""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol, TypeVar

from aiocredits._ledger import Changes, KeyOf, NumberOf, Scope, State, charge_of, in_burn_order
from aiocredits._model import Account, Books, Charge, Entry, Grant, Hold
from aiocredits.storages._sql import named_queries
from aiocredits.storages.sqlite import rows

SQL = named_queries("aiocredits.storages.sqlite")


class _Owned(Protocol):
    @property
    def account(self) -> str: ...
    @property
    def number(self) -> int: ...


T = TypeVar("T")
OwnedT = TypeVar("OwnedT", bound=_Owned)


class Unit:
    """A transaction at work on one connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._loaded: dict[NumberOf, Grant] = {}

    def load(self, scope: Scope, at: datetime, known: Mapping[str, Books] | None = None) -> State:
        """Return what `scope` asks for but for `known`; see `aiocredits.storages.Unit.load`."""
        for books in (known or {}).values():
            self._loaded.update(((g.account, g.number), g) for g in books.grants.values())
        if not scope.accounts:
            return State({}, self._keys(scope.keys))
        names = json.dumps(scope.accounts)
        accounts = self._fetch("accounts", (names,), rows.load_account)
        charges = self._charges(scope, accounts, names)
        holds, timeouts = self._holds(scope, accounts, names, at)
        grants = self._grants(scope, (*holds, *charges), names)
        self._loaded.update(((grant.account, grant.number), grant) for grant in grants)
        grants_of = _by_account(grants)
        holds_of = _by_account(holds)
        charges_of = _by_account(charges)
        found = {
            account.name: Books(
                account,
                in_burn_order(grants_of[account.name].values()),
                holds_of[account.name],
                charges_of[account.name],
                timeouts.get(account.name),
            )
            for account in accounts
        }
        return State(found, self._keys(scope.keys))

    def save(self, changes: Changes) -> None:
        """Write the changes."""
        added = [after for before, after in changes.accounts if not before.version]
        changed = [after for before, after in changes.accounts if before.version]
        self._write("insert_account", rows.dump_account, added)
        self._write("update_account", rows.dump_account, changed)
        self._write("insert_grant", rows.dump_grant, changes.new_grants)
        moved: list[Grant] = []
        others: list[Grant] = []
        for grant in changes.grants:
            (moved if self._only_moved(grant) else others).append(grant)
        self._write("move_grant", rows.dump_grant_move, moved)
        self._write("update_grant", rows.dump_grant_change, others)
        self._write("insert_hold", rows.dump_hold, changes.new_holds)
        self._write("update_hold", rows.dump_hold_change, changes.holds)
        self._write("save_charge", rows.dump_charge, changes.charges)
        # Sorted, so that neighbours in the indexes are written one after the other.
        self._write("insert_entry", rows.dump_entry, sorted(changes.entries))
        self._write("add_usage", rows.dump_usage, changes.usage)

    def _only_moved(self, grant: Grant) -> bool:
        """Tell whether nothing changed but what is left and what is held."""
        old = self._loaded[grant.account, grant.number]
        return old.state == grant.state and old[6:] == grant[6:]

    def _grants(self, scope: Scope, reaching: Sequence[Hold | Charge], names: str) -> list[Grant]:
        grants = self._fetch("open_grants", (names,), rows.load_grant)
        named = {*scope.grants}
        named.update((thing.account, part.grant) for thing in reaching for part in thing.slices)
        named.difference_update((grant.account, grant.number) for grant in grants)
        if named:
            grants += self._fetch("named_grants", (_pairs(named),), rows.load_grant)
        if scope.late:
            late = [(name, rows.to_time(instant)) for name, instant in scope.late]
            grants += self._fetch("lapsed_grants", (json.dumps(late),), rows.load_grant)
        return grants

    def _holds(
        self, scope: Scope, accounts: Sequence[Account], names: str, at: datetime
    ) -> tuple[list[Hold], dict[str, datetime]]:
        """Return holds, and by account when the first of the others ends.

        An account knows a lower bound of when anything is due, so most never get here.
        """
        holds: list[Hold] = []
        timeouts: dict[str, datetime] = {}
        if scope.holds:
            holds += self._fetch("named_holds", (_pairs(scope.holds),), rows.load_hold)
        due = [account.name for account in accounts if account.due_at and account.due_at <= at]
        if due:
            now = rows.to_time(at)
            holds += self._fetch("due_holds", (names, now), rows.load_hold)
            for name in due:
                (first,) = self._connection.execute(SQL["next_timeout"], (name, now)).fetchone()
                if first is not None:
                    timeouts[name] = rows.from_time(first)
        return holds, timeouts

    def _charges(self, scope: Scope, accounts: Sequence[Account], names: str) -> list[Charge]:
        charges: list[Charge] = []
        if any(account.overdraft_micros for account in accounts):
            charges += self._fetch("owing_charges", (names,), rows.load_charge)
        if scope.charges:
            charges += self._fetch("named_charges", (_pairs(scope.charges),), rows.load_charge)
            known = {(charge.account, charge.number) for charge in charges}
            others = [pair for pair in scope.charges if pair not in known]
            entries = self._fetch("named_entries", (_pairs(others),), rows.load_entry)
            charges += [charge_of(e) for e in entries if e.kind in {"consume", "capture"}]
        return charges

    def _keys(self, keys: Sequence[KeyOf]) -> dict[KeyOf, Entry]:
        if not keys:
            return {}
        entries = self._fetch("entries_by_key", (json.dumps(keys),), rows.load_entry)
        return {(entry.account, entry.key or ""): entry for entry in entries}

    def _fetch(
        self, query: str, parameters: Iterable[object], load: Callable[[rows.Values], T]
    ) -> list[T]:
        return [load(row) for row in self._connection.execute(SQL[query], tuple(parameters))]

    def _write(self, query: str, dump: Callable[[T], rows.Values], values: Sequence[T]) -> None:
        if values:
            self._connection.executemany(SQL[query], [dump(value) for value in values])


def _pairs(numbers: Iterable[NumberOf]) -> str:
    return json.dumps(sorted(numbers))


def _by_account(things: Iterable[OwnedT]) -> defaultdict[str, dict[int, OwnedT]]:
    found: defaultdict[str, dict[int, OwnedT]] = defaultdict(dict)
    for thing in things:
        found[thing.account][thing.number] = thing
    return found
