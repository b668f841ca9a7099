"""Deriving the books again from their entries, to prove that nothing is missing."""

from collections.abc import Container, Iterable, Mapping, Sequence
from typing import NamedTuple, TypeVar

from aiocredits._amounts import Micros, plain
from aiocredits._ledger.openings import UsageKey, digest_of, digest_of_usage, sealed
from aiocredits._ledger.replay import Replay
from aiocredits._model import Account, Books, Charge, Entry, Grant, Hold, Usage
from aiocredits._opening import NOTHING, Digest, Opening

Owned = TypeVar("Owned", Grant, Hold)


class Standing(NamedTuple):
    """What the entries add up to so far."""

    books: Books
    totals: Mapping[str, Micros]
    usage: Mapping[UsageKey, Micros]
    """Since the opening."""


class Audit:
    """Reads the entries of one account in order, and says what does not add up.

    It begins with the entry after the `opening`, if the account has one. Given the numbers of the
    `charges` that were ever owed for or refunded, it remembers no others.
    """

    def __init__(
        self,
        name: str,
        opening: Opening | None = None,
        *,
        charges: Container[int] | None = None,
    ) -> None:
        self.opening = Opening(Account(name)) if opening is None else opening
        self.problems: list[str] = []
        self._replay = Replay(self.opening, charges)
        self.draft = self._replay.draft
        if self.opening.account.version:
            self._prove_opening(self.opening)

    def standing(self) -> Standing:
        """Return what the entries add up to so far."""
        books = self.draft.books()
        copied = books._replace(
            grants=dict(books.grants), holds=dict(books.holds), charges=dict(books.charges)
        )
        return Standing(copied, dict(self._replay.totals), dict(self._replay.usage))

    def read(self, entries: Iterable[Entry]) -> None:
        """Take the next entries in."""
        for entry in entries:
            self._read(entry)

    def finish(
        self,
        account: Account,
        grants: Sequence[Grant],
        holds: Sequence[Hold],
        usage: Sequence[Usage],
    ) -> Sequence[str]:
        """Compare with what is kept and return every difference, empty where there is none."""
        opening, draft = self.opening, self.draft
        derived = draft.account._replace(due_at=account.due_at)
        self._compare("account", derived, account)
        ended_grants = self._ended(grants, draft.grants)
        ended_holds = self._ended(holds, draft.holds)
        for grant in grants:
            if grant.number not in ended_grants:
                self._compare(f"grant {grant.id}", draft.grants.get(grant.number), grant)
        for hold in holds:
            if hold.number not in ended_holds:
                self._compare(f"hold {hold.id}", draft.holds.get(hold.number), hold)
        known_grants = len(draft.grants) + opening.ended_grants.size
        self._compare("number of grants", known_grants, len(grants))
        known_holds = len(draft.holds) + opening.ended_holds.size
        self._compare("number of holds", known_holds, len(holds))
        self._prove_ended("grants", opening.ended_grants, ended_grants.values())
        self._prove_ended("holds", opening.ended_holds, ended_holds.values())
        self._compare_usage(usage)
        self._compare("what came in, minus what went out", self._conserved(), 0)
        return self.problems

    def _compare_usage(self, usage: Sequence[Usage]) -> None:
        kept = {(row.day, row.service, row.unit_cost): row.spent_micros for row in usage}
        if not self.opening.account.version:
            derived = {key: micros for key, micros in self._replay.usage.items() if micros}
            self._compare("usage", derived, {key: m for key, m in kept.items() if m})
        elif digest_of_usage(usage_before(kept, self._replay.usage)) != self.opening.usage:
            self.problems.append(
                f"usage: the entries since {self._said()} do not add up to what is kept, or what "
                "was kept before them has changed"
            )

    def _ended(self, kept: Sequence[Owned], derived: Mapping[int, object]) -> dict[int, Owned]:
        """Return those of the rows that had ended before the opening."""
        last = self.opening.account.version
        return {row.number: row for row in kept if row.number <= last and row.number not in derived}

    def _prove_ended(self, noun: str, digest: Digest, rows: Iterable[Grant | Hold]) -> None:
        if digest_of(rows, NOTHING) != digest:
            self.problems.append(f"{noun} that had ended by {self._said()} have changed since")

    def _said(self) -> str:
        return f"the opening at entry {self.opening.account.version}"

    def _prove_opening(self, opening: Opening) -> None:
        if sealed(opening).seal != opening.seal:
            self.problems.append(f"{self._said()} is not as it was written")
        account = opening.account
        if self._derived() != (
            account.available_micros,
            account.held_micros,
            account.overdraft_micros,
        ):
            self.problems.append(f"{self._said()} does not add up")

    def _derived(self) -> tuple[Micros, Micros, Micros]:
        return self._replay.available, self._replay.held, self._replay.owed

    def compare_debts(self, kept: Mapping[int, Charge]) -> None:
        """Compare the charges that are kept as owing something."""
        derived = {number: c for number, c in self.draft.charges.items() if c.owed_micros}
        for number in sorted(derived.keys() | kept.keys()):
            self._compare(f"charge {self.draft.id(number)}", derived.get(number), kept.get(number))

    def _read(self, entry: Entry) -> None:
        draft = self.draft
        account = draft.account
        if entry.version != account.version + 1:
            self.problems.append(f"entry {entry.version} follows entry {account.version}")
        if entry.at < account.at:
            self.problems.append(f"entry {entry.version} is dated before the one it follows")
        try:
            self._replay.follow(entry)
        except (LookupError, TypeError, ValueError) as error:
            self.problems.append(f"entry {entry.version} cannot be followed: {error!r}")
        draft.account = draft.account._replace(
            version=entry.version,
            at=entry.at,
            available_micros=entry.available_micros,
            held_micros=entry.held_micros,
            overdraft_micros=entry.overdraft_micros,
        )
        self._prove(entry)

    def _prove(self, entry: Entry) -> None:
        """Hold the balances that an entry states against what all entries so far add up to."""
        stated = (entry.available_micros, entry.held_micros, entry.overdraft_micros)
        for noun, derived_micros, stated_micros in zip(
            ("available", "held", "overdraft"), self._derived(), stated, strict=True
        ):
            if derived_micros != stated_micros:
                self.problems.append(
                    f"entry {entry.version} says {noun} {plain(stated_micros)}, and the entries "
                    f"add up to {plain(derived_micros)}"
                )

    def _conserved(self) -> Micros:
        """Granted + transferred in + refunded - (available + held + consumed + … - debt)."""
        account = self.draft.account
        totals = self._replay.totals
        came = totals["granted"] + totals["transferred_in"] + totals["refunded"]
        went = sum(totals[name] for name in ("consumed", "expired", "revoked", "transferred_out"))
        there = account.available_micros + account.held_micros - account.overdraft_micros
        return came - went - there

    def _compare(self, noun: str, derived: object, kept: object) -> None:
        if derived != kept:
            self.problems.append(f"{noun}: the entries add up to {derived}, and {kept} is kept")


def usage_before(
    kept: Mapping[UsageKey, Micros], since: Mapping[UsageKey, Micros]
) -> Mapping[UsageKey, Micros]:
    """Return what of the usage that is kept was there before what came `since`."""
    return {key: kept.get(key, 0) - since.get(key, 0) for key in kept.keys() | since.keys()}
