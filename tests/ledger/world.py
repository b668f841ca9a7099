"""Books that know everything, and what must hold of them."""

from collections import Counter
from collections.abc import Coroutine, Iterator, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, TypeVar

from aiocredits import _commands as c
from aiocredits._ledger import Audit, Changes, Decision, State, charge_of, decide, in_burn_order
from aiocredits._model import Account, Books, Charge, Entry, Usage, total
from aiocredits._receipt import Receipt
from aiocredits.errors import CreditError

T = TypeVar("T")

START = datetime(2026, 1, 30, 23, 59, tzinfo=UTC)
ONE = 10**6
"""Micro-credits of one credit."""

ACCOUNTS = ("alice", "bob", "alice\x1fimages")


def run(work: Coroutine[Any, Any, T]) -> T:
    """Return what a coroutine returns that has nothing to wait for."""
    try:
        work.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    raise AssertionError("it waited for something")


class World:
    """The books of everybody, complete: each decision is made on all that there is."""

    def __init__(self) -> None:
        self.books: dict[str, Books] = {}
        self.keys: dict[tuple[str, str], Entry] = {}
        self.entries: dict[str, list[Entry]] = {}
        self.usage: dict[str, Counter[tuple[date, str | None, Decimal | None]]] = {}
        self.last = Decision((), Changes(), {})

    @classmethod
    def of(cls, other: "World") -> "World":
        """Return a copy, to try something on."""
        world = cls()
        world.books = dict(other.books)
        world.keys = dict(other.keys)
        world.entries = {name: list(entries) for name, entries in other.entries.items()}
        world.usage = {name: Counter(usage) for name, usage in other.usage.items()}
        return world

    def apply(self, *commands: c.Command, at: datetime = START) -> Sequence[c.Outcome]:
        self.last = decision = decide(State(self.books, self.keys), commands, at)
        self.books = dict(decision.books)
        for entry in decision.changes.entries:
            self.entries.setdefault(entry.account, []).append(entry)
            if entry.key is not None:
                self.keys[entry.account, entry.key] = entry
            if entry.kind in {"consume", "capture"}:
                books = self.books[entry.account]
                charges = {entry.version: charge_of(entry), **books.charges}
                self.books[entry.account] = books._replace(charges=charges)
        for name, day, service, unit_cost, micros in decision.changes.usage:
            self.usage.setdefault(name, Counter())[day, service, unit_cost] += micros
        return decision.outcomes

    def do(self, command: c.Command, at: datetime = START) -> Receipt:
        (outcome,) = self.apply(command, at=at)
        if isinstance(outcome, c.Refused):
            raise outcome.error
        return outcome.receipt

    def refusal(self, command: c.Command, at: datetime = START) -> CreditError:
        (outcome,) = self.apply(command, at=at)
        assert isinstance(outcome, c.Refused), outcome
        return outcome.error

    def account(self, name: str = "alice") -> Account:
        return self.books[name].account if name in self.books else Account(name)

    def state(self, grant: int, name: str = "alice") -> str:
        return self.books[name].grants[grant].state

    def usage_of(self, name: str) -> dict[tuple[date, str | None, Decimal | None], int]:
        return {row: n for row, n in self.usage.get(name, Counter()).items() if n}

    def usage_rows(self, name: str) -> list[Usage]:
        return [Usage(name, *key, n) for key, n in self.usage.get(name, Counter()).items()]

    def snapshot(self) -> object:
        """Return all that is kept, for comparison."""
        return (
            {name: without_bounds(b) for name, b in self.books.items() if b.account.version},
            {name: list(entries) for name, entries in self.entries.items()},
            dict(self.keys),
            {name: found for name in self.usage if (found := self.usage_of(name))},
        )


def without_bounds(books: Books) -> tuple[object, ...]:
    """Return books for comparison: what is due is a bound, and no fact."""
    return (
        books.account._replace(due_at=None),
        dict(books.grants),
        dict(books.holds),
        dict(books.charges),
    )


def same_but_bounds(one: Books, other: Books) -> bool:
    return without_bounds(one) == without_bounds(other)


def said(outcome: c.Outcome) -> object:
    """Return an outcome for comparison: exceptions are equal if they say the same."""
    if isinstance(outcome, c.Refused):
        return type(outcome.error), outcome.error.args, outcome.error.__dict__
    return outcome.receipt


def told_by(receipt: Receipt, *names: str) -> list[str]:
    """Return fields of a receipt as they print."""
    return [str(getattr(receipt, name)) for name in names]


# What must hold after every step


def check(world: World) -> None:
    for name, books in world.books.items():
        check_account(world, name, books)


def check_account(world: World, name: str, books: Books) -> None:
    account, entries = books.account, world.entries.get(name, [])
    assert [entry.version for entry in entries] == list(range(1, account.version + 1))
    assert [entry.at for entry in entries] == sorted(entry.at for entry in entries)
    assert min(account[3:6]) >= 0
    grants, holds, charges = books.grants.values(), books.holds.values(), books.charges.values()
    assert account.available_micros == sum(g.remaining_micros for g in grants if g.state == "live")
    assert account.held_micros == sum(g.held_micros for g in grants)
    assert account.held_micros == sum(total(h.slices) for h in holds if h.state == "open")
    assert account.overdraft_micros == sum(charge.owed_micros for charge in charges)
    assert list(books.grants.items()) == list(in_burn_order(grants).items())
    for grant in grants:
        parts = (grant.remaining_micros, grant.held_micros, grant.lapsed_micros)
        assert min(parts) >= 0
        assert sum(parts) <= grant.amount_micros
        if grant.state == "live":
            assert grant.remaining_micros or grant.held_micros
            assert grant.effective_at <= account.at
            assert grant.expires_at is None or grant.expires_at > account.at
    for hold in holds:
        assert (hold.state == "open") == bool(hold.slices)
        assert all(micros > 0 for _, micros in hold.slices)
    for charge in charges:
        check_charge(books, charge)
    for entry in entries:
        if entry.kind in {"consume", "hold", "extend", "capture"}:
            scopes = [books.grants[number].scope for number, _ in entry.slices]
            assert all(scope is None or entry.service in scope for scope in scopes)
    check_due(books)
    check_overdraft(world, name, entries)
    check_audit(world, name, books)
    check_conservation(account, entries)
    spent = sum(e.amount_micros for e in entries if e.kind in {"consume", "capture"})
    given_back = sum(e.amount_micros for e in entries if e.kind == "refund")
    assert sum(world.usage.get(name, Counter()).values()) == spent - given_back


def check_charge(books: Books, charge: Charge) -> None:
    paid = total(charge.slices)
    assert paid + charge.owed_micros + charge.refunded_micros == charge.amount_micros
    assert min(charge.owed_micros, charge.refunded_micros) >= 0
    if charge.owed_micros:  # what could repay it has repaid it
        assert not [
            grant
            for grant in books.grants.values()
            if grant.state == "live"
            and grant.remaining_micros
            and (grant.scope is None or charge.service in grant.scope)
        ]


def check_due(books: Books) -> None:
    """Nothing happens before the instant that the account names."""
    for instant in ahead(books):
        assert books.account.due_at is not None
        assert books.account.due_at <= instant


def ahead(books: Books) -> Iterator[datetime]:
    for hold in books.holds.values():
        if hold.state == "open":
            yield hold.expires_at
    for grant in books.grants.values():
        if grant.state in {"live", "scheduled", "pending"} and grant.expires_at:
            yield grant.expires_at
        if grant.state == "scheduled":
            yield grant.effective_at


def check_overdraft(world: World, name: str, entries: Sequence[Entry]) -> None:
    limit, before = 0, 0
    for entry in entries:
        if entry.kind == "configure" and entry.detail:
            limit = int(str(entry.detail["overdraft_limit_micros"]))
        assert entry.overdraft_micros <= max(before, limit)
        if entry.overdraft_micros > before:
            assert entry.kind in {"consume", "capture"}
        before = entry.overdraft_micros


def check_audit(world: World, name: str, books: Books) -> None:
    audit = Audit(name)
    audit.read(world.entries.get(name, []))
    rows = world.usage_rows(name)
    assert not audit.finish(
        books.account, list(books.grants.values()), list(books.holds.values()), rows
    )
    assert without_bounds(audit.draft.books()) == without_bounds(books)


def check_conservation(account: Account, entries: Sequence[Entry]) -> None:
    """The equation of the contract, by the entries' own words."""
    sums: Counter[str] = Counter()
    for entry in entries:
        sums[entry.kind] += entry.amount_micros
        for fate in ("expired", "revoked"):
            parts: Any = (entry.detail or {}).get(fate, ())
            sums[f"lost: {fate}"] += sum(micros for _, micros in parts)
    came = sums["grant"] + sums["transfer_in"] + sums["refund"]
    expired = sums["expire"] + sums["lost: expired"] - sums["reinstate"]
    revoked = sums["revoke"] + sums["lost: revoked"]
    consumed = sums["consume"] + sums["capture"]
    there = account.available_micros + account.held_micros - account.overdraft_micros
    assert came == there + consumed + expired + revoked + sums["transfer_out"]
