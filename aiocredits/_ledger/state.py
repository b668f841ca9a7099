"""What `decide` is given, and what it gives back."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple, TypeAlias

from aiocredits._amounts import Micros
from aiocredits._commands import Outcome
from aiocredits._model import Account, Books, Charge, Entry, Grant, Hold, Usage

KeyOf: TypeAlias = tuple[str, str]
"""An account's name and a key."""

NumberOf: TypeAlias = tuple[str, int]
"""An account's name and the number of a grant, a hold or a charge in it."""


class Scope(NamedTuple):
    """What `decide` needs to know for some commands; sorted, so that locks have one order."""

    accounts: tuple[str, ...]
    keys: tuple[KeyOf, ...] = ()
    grants: tuple[NumberOf, ...] = ()
    holds: tuple[NumberOf, ...] = ()
    charges: tuple[NumberOf, ...] = ()
    late: tuple[tuple[str, datetime], ...] = ()
    """Accounts with late usage, which may reach grants that have expired since that instant."""


class State(NamedTuple):
    """The books as they are before the commands."""

    books: Mapping[str, Books]
    """By the account's name; an account that does not exist yet may be absent."""
    keys: Mapping[KeyOf, Entry]
    """The entries that the asked keys have written."""


class UsageDelta(NamedTuple):
    """An increment of one row of usage."""

    account: str
    day: date
    service: str | None
    unit_cost: Decimal | None
    micros: Micros


class Changes(NamedTuple):
    """What to save, all of it or nothing."""

    accounts: tuple[tuple[Account, Account], ...] = ()
    """Before and after; a version of 0 before means that the account is new."""
    new_grants: tuple[Grant, ...] = ()
    grants: tuple[Grant, ...] = ()
    """Changed in state, remaining, held, lapsed, effective_at or expires_at."""
    new_holds: tuple[Hold, ...] = ()
    holds: tuple[Hold, ...] = ()
    """Changed in state, amount, captured, slices or expires_at."""
    charges: tuple[Charge, ...] = ()
    """To be written over what is kept of them, if anything is."""
    entries: tuple[Entry, ...] = ()
    usage: tuple[Usage, ...] = ()
    """Increments."""


class Decision(NamedTuple):
    """The answers to the commands, one each and in order, and what they change."""

    outcomes: tuple[Outcome, ...]
    changes: Changes
    books: Mapping[str, Books]
    """The books after the commands, of every account that was asked for."""


def changes_between(
    before: Mapping[str, Books],
    after: Mapping[str, Books],
    touched: Iterable[str],
    entries: list[Entry],
    usage: list[UsageDelta],
) -> Changes:
    """Return what has to be saved so that `before` becomes `after`.

    Values are immutable, so that what is the same object is unchanged.
    """
    accounts: list[tuple[Account, Account]] = []
    new_grants: list[Grant] = []
    grants: list[Grant] = []
    new_holds: list[Hold] = []
    holds: list[Hold] = []
    charges: list[Charge] = []
    for name in touched:
        old, new = before[name], after[name]
        accounts.append((old.account, new.account))
        for number, grant in new.grants.items():
            known = old.grants.get(number)
            if known is None:
                new_grants.append(grant)
            elif known is not grant:
                grants.append(grant)
        for number, hold in new.holds.items():
            reserved = old.holds.get(number)
            if reserved is None:
                new_holds.append(hold)
            elif reserved is not hold:
                holds.append(hold)
        charges += [
            charge
            for number, charge in new.charges.items()
            if old.charges.get(number) is not charge
        ]
    return Changes(
        tuple(accounts),
        tuple(new_grants),
        tuple(grants),
        tuple(new_holds),
        tuple(holds),
        tuple(charges),
        tuple(entries),
        _added_up(usage),
    )


def _added_up(deltas: list[UsageDelta]) -> tuple[Usage, ...]:
    sums: dict[tuple[str, date, str | None, Decimal | None], Micros] = {}
    for account, day, service, unit_cost, micros in deltas:
        key = (account, day, service, unit_cost)
        sums[key] = sums.get(key, 0) + micros
    return tuple([Usage(*key, micros) for key, micros in sums.items() if micros])
