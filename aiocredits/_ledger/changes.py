"""What has to be saved once a batch is decided."""

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import TypeAlias, TypeVar

from aiocredits._amounts import Micros
from aiocredits._ledger.draft import Draft
from aiocredits._ledger.state import Changes
from aiocredits._model import Account, Charge, Entry, Grant, Hold, Usage

T = TypeVar("T")

_Rows: TypeAlias = tuple[list[T], list[T]]
_UsageOf: TypeAlias = tuple[str, date, str | None, Decimal | None]


def changes_of(drafts: Iterable[Draft]) -> Changes:
    """Return what turns the books before into those of the drafts.

    Values are immutable, so that what is the same object is unchanged.
    """
    accounts: list[tuple[Account, Account]] = []
    grants: _Rows[Grant] = ([], [])
    holds: _Rows[Hold] = ([], [])
    charges: _Rows[Charge] = ([], [])
    entries: list[Entry] = []
    usage: list[Usage] = []
    for draft in drafts:
        old = draft.before
        accounts.append((old.account, draft.account))
        _tell_apart(grants, old.grants, draft.grants)
        _tell_apart(holds, old.holds, draft.holds)
        _tell_apart(charges, old.charges, draft.charges)
        entries += draft.entries
        usage += added_up(draft.usage)
    return Changes(
        tuple(accounts),
        tuple(grants[0]),
        tuple(grants[1]),
        tuple(holds[0]),
        tuple(holds[1]),
        (*charges[0], *charges[1]),
        tuple(entries),
        tuple(usage),
    )


def _tell_apart(rows: _Rows[T], old: Mapping[int, T], new: Mapping[int, T]) -> None:
    """Add what is new to the first list, and what is changed to the second."""
    if new is old:
        return
    added, changed = rows
    for number, value in new.items():
        known = old.get(number)
        if known is None:
            added.append(value)
        elif known is not value:
            changed.append(value)


def added_up(usage: list[Usage]) -> list[Usage]:
    """Return one row for each day, service and unit cost of an account."""
    if len(usage) == 1:  # as of most accounts in a batch
        return usage
    sums: dict[_UsageOf, Micros] = {}
    for name, day, service, unit_cost, micros in usage:
        row = (name, day, service, unit_cost)
        sums[row] = sums.get(row, 0) + micros
    return [Usage(*row, micros) for row, micros in sums.items() if micros]
