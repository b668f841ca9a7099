"""The answers that every storage is held to: the pure ledger over all that ever happened.

Nothing is selected, indexed or forgotten here. `decide` is given the whole past of each account,
and a query is a comprehension over it: what a storage leaves out of `load` shows as a difference.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import TypeAlias

from aiocredits._amounts import Micros
from aiocredits._commands import Command, Outcome
from aiocredits._ledger import KeyOf, State, charge_of, decide, in_burn_order
from aiocredits._model import OPEN_GRANT_STATES, Account, Books, Entry, Grant, Hold, Usage

UsageKey: TypeAlias = tuple[date, str | None, Decimal | None]


class Reference:
    """Books without a database."""

    def __init__(self) -> None:
        self._books: dict[str, Books] = {}
        self._keys: dict[KeyOf, Entry] = {}
        self._entries: defaultdict[str, list[Entry]] = defaultdict(list)
        self._usage: defaultdict[str, defaultdict[UsageKey, Micros]] = defaultdict(
            lambda: defaultdict(int)
        )

    def apply(self, commands: Sequence[Command], at: datetime) -> Sequence[Outcome]:
        """Apply commands as a storage would, and return their outcomes."""
        decision = decide(State(self._books, self._keys), commands, at)
        for entry in decision.changes.entries:
            self._entries[entry.account].append(entry)
            if entry.key is not None:
                self._keys[entry.account, entry.key] = entry
        for row in decision.changes.usage:
            key = (row.day, row.service, row.unit_cost)
            self._usage[row.account][key] += row.spent_micros
        for account, _ in decision.changes.accounts:
            self._books[account.name] = self._kept(decision.books[account.name])
        return decision.outcomes

    @property
    def names(self) -> list[str]:
        """The names of all accounts, in the order of their code points."""
        return sorted(self._books)

    def account(self, name: str) -> Account:
        """Return an account, also one that nobody has used yet."""
        return self._all_of(name).account

    def entries(self, name: str) -> list[Entry]:
        """Return the entries of an account by version."""
        return self._entries[name][:]

    def grants(self, name: str, *, open_only: bool = False) -> list[Grant]:
        """Return the grants of an account by number."""
        grants = sorted(self._all_of(name).grants.values(), key=lambda grant: grant.number)
        return [grant for grant in grants if not open_only or grant.state in OPEN_GRANT_STATES]

    def holds(self, name: str, *, open_only: bool = False) -> list[Hold]:
        """Return the holds of an account by number."""
        holds = sorted(self._all_of(name).holds.values(), key=lambda hold: hold.number)
        return [hold for hold in holds if not open_only or hold.state == "open"]

    def usage(self, name: str, since: date, until: date, *, by_day: bool) -> list[Usage]:
        """Return what was spent in some days, in no particular order."""
        sums: defaultdict[UsageKey, Micros] = defaultdict(int)
        for (day, service, unit_cost), micros in self._usage[name].items():
            if since <= day <= until:
                sums[day if by_day else since, service, unit_cost] += micros
        return [Usage(name, *key, micros) for key, micros in sums.items()]

    def books(self, name: str, at: datetime) -> Books:
        """Return what `load` gives for a charge at `at`."""
        everything = self._all_of(name)
        due = {
            number: hold
            for number, hold in everything.holds.items()
            if hold.state == "open" and hold.expires_at <= at
        }
        owing = {n: charge for n, charge in everything.charges.items() if charge.owed_micros}
        slices = [hold.slices for hold in due.values()] + [c.slices for c in owing.values()]
        reached = {part.grant for parts in slices for part in parts}
        grants = {
            number: grant
            for number, grant in everything.grants.items()
            if grant.state in OPEN_GRANT_STATES or number in reached
        }
        others = (hold.expires_at for hold in self.holds(name, open_only=True))
        later = min((instant for instant in others if instant > at), default=None)
        return Books(everything.account, grants, due, owing, later)

    def next_event(self, name: str) -> datetime | None:
        """Return when something happens in an account by the passing of time, if ever."""
        return min(self._ahead(self._all_of(name)), default=None)

    @staticmethod
    def _ahead(books: Books) -> Iterator[datetime]:
        for hold in books.holds.values():
            if hold.state == "open":
                yield hold.expires_at
        for grant in books.grants.values():
            if grant.state == "scheduled":
                yield grant.effective_at
            if grant.state in {"pending", "scheduled", "live"} and grant.expires_at is not None:
                yield grant.expires_at

    def _all_of(self, name: str) -> Books:
        return self._books.get(name) or Books(Account(name))

    def _kept(self, books: Books) -> Books:
        charges = dict(books.charges)
        for entry in self._entries[books.account.name]:
            if entry.kind in {"consume", "capture"}:
                charges.setdefault(entry.version, charge_of(entry))
        return books._replace(grants=in_burn_order(books.grants.values()), charges=charges)
