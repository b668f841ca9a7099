"""What `decide` is given, and what it gives back."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple, TypeAlias

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

    def joined(self, other: "Changes") -> "Changes":
        """Return these changes and those of other accounts."""
        return Changes(
            self.accounts + other.accounts,
            self.new_grants + other.new_grants,
            self.grants + other.grants,
            self.new_holds + other.new_holds,
            self.holds + other.holds,
            self.charges + other.charges,
            self.entries + other.entries,
            self.usage + other.usage,
        )


class Decision(NamedTuple):
    """The answers to the commands, one each and in order, and what they change."""

    outcomes: tuple[Outcome, ...]
    changes: Changes
    books: Mapping[str, Books]
    """The books after the commands, of every account that was asked for."""
