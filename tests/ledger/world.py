"""Books that know everything, and random histories of commands for them."""

import os
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple, TypeVar

from hypothesis import settings
from hypothesis import strategies as st

from aiocredits import _commands as c
from aiocredits._ledger import Audit, Changes, Decision, State, charge_of, decide, in_burn_order
from aiocredits._model import Account, Books, Charge, Entry, Receipt, Usage, total
from aiocredits._names import check_key
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


# Random histories

EXAMPLES = int(os.environ.get("LEDGER_EXAMPLES", "0"))
law = settings(
    # The gate asks the same of everybody, every time. LEDGER_EXAMPLES=100000 looks further, each
    # time elsewhere, and prints how to see again what it finds.
    max_examples=EXAMPLES or 150,
    derandomize=not EXAMPLES,
    print_blob=True,
    deadline=None,
)


class Step(NamedTuple):
    """One random choice for each question; zero is always the plainest answer."""

    clock: int
    verb: int
    account: int
    amount: int
    named: int
    policy: int
    times: int
    key: int
    scope: int
    linked: int


steps = st.binary(min_size=10, max_size=10).map(lambda raw: Step(*raw))


def histories(most: int = 40) -> st.SearchStrategy[list[Step]]:
    """Return histories whose first steps are credits, so that there is something to spend."""
    funds = steps.map(lambda step: step._replace(verb=0, named=0, times=step.times % 24))
    return st.tuples(
        st.lists(funds, min_size=2, max_size=4), st.lists(steps, min_size=8, max_size=most)
    ).map(lambda parts: [*parts[0], *parts[1]])


Dated = tuple[c.Command, datetime]

_MICRO = timedelta(microseconds=1)
_SECOND = timedelta(seconds=1)
_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

# What is chosen from, the usual more often than the odd.
_WHO = ("alice",) * 11 + ("bob",) * 4 + ("alice\x1fimages",)
_CLOCK = (
    *(timedelta(0),) * 14,
    *(_SECOND,) * 6,
    *(_MICRO, _MICRO, _MINUTE, _MINUTE, _MINUTE, 10 * _MINUTE, 10 * _MINUTE),
    *(_HOUR, 3 * _HOUR, _DAY, -_SECOND, -_HOUR),
)
_AMOUNTS = (ONE, 5 * ONE, 1, 10 * ONE, 3 * ONE, 250_000, 2 * ONE, 40 * ONE)
_ENDS = (None, _HOUR, _DAY, 2 * _MINUTE, 10 * _MINUTE, None, _HOUR, _MICRO)
_BEGINS = (None,) * 9 + (-_DAY, _MINUTE, _HOUR, 3 * _HOUR)
_SERVICES = (None, "chat", "chat", "image")
_SCOPES = (None, None, None, frozenset({"chat"}), frozenset({"chat", "image"}))
_ZONES = ("America/New_York", "UTC", "Asia/Kolkata", "Mars/Olympus")
_TIMEOUTS = (10 * _MINUTE, _MINUTE, _HOUR, _MICRO, 2 * _MINUTE, timedelta(days=2))
_ORDERS: tuple[c.BurnOrder | None, ...] = (
    None,
    None,
    None,
    ("number", "rolled_over", "priority", "expires_at", "category", "unit_cost", "scope"),
)


def pick(choices: Sequence[T], number: int) -> T:
    return choices[number % len(choices)]


class Author:
    """Turns steps into dated commands that name what is there."""

    def __init__(self, world: World, *, steady: bool = False) -> None:
        self.world = world
        self.at = START
        self.steady = steady
        """Whether the clock never goes backwards."""
        self.written: list[Dated] = []

    def write(self, history: Sequence[Step], after: Callable[[c.Outcome], None]) -> list[Dated]:
        """Apply a history step by step and return its commands."""
        steps = iter(history)
        for step in steps:
            passed = pick(_CLOCK, step.clock)
            self.at += max(passed, timedelta(0)) if self.steady else passed
            command: c.Command = self.command(step)
            if step.linked >= 224 and (other := next(steps, None)):
                command = c.Linked((self.command(step), self.command(other)))
            if step.linked % 16 == 15 and self.written:  # the same again
                command = repeated(pick(self.written, step.named)[0])
            self.written.append((command, self.at))
            (outcome,) = self.world.apply(command, at=self.at)
            after(outcome)
        return self.written

    def command(self, step: Step) -> c.Single:
        account = pick(_WHO, step.account)
        key, amount = self._key(step), pick(_AMOUNTS, step.amount)
        try:
            return pick(_VERBS, step.verb)(self, step, account, key, amount)
        except LookupError:  # there is nothing yet that it could name
            return _add(self, step, account, key, amount)

    def _key(self, step: Step) -> str:
        if step.key % 8 == 7:
            return f"again-{step.key // 8 % 3}"
        number = len(self.written) * 1000 + step.key
        return f"key-{number}" if step.key % 2 else f"~{number:030x}{step.verb % 256:02x}"

    def grant(self, step: Step) -> tuple[str, int]:
        """Return the account and the number of some grant, or of what is none."""
        return self._named("grants", step)

    def hold(self, step: Step) -> tuple[str, int]:
        return self._named("holds", step)

    def charge(self, step: Step) -> tuple[str, int]:
        return self._named("charges", step)

    def _named(self, nouns: str, step: Step) -> tuple[str, int]:
        known = [
            (name, number)
            for name, books in self.world.books.items()
            for number in getattr(books, nouns)
        ]
        if step.named >= 248:
            return pick(ACCOUNTS, step.account), step.named % 32
        if not known:
            raise LookupError(nouns)
        # The latest most often: the first may have ended long ago.
        return (
            pick(known[-8:], -1 - step.named % 8) if step.named < 160 else pick(known, step.named)
        )

    def moment(self, offset: timedelta | None) -> datetime | None:
        return None if offset is None else self.at + offset


def repeated(command: c.Command) -> c.Command:
    """Return a command as its caller repeats it, key and all."""
    if isinstance(command, c.Linked):
        return c.Linked(tuple(_repeated(member) for member in command.commands))
    return _repeated(command)


def _repeated(command: c.Single) -> c.Single:
    return command._replace(key=check_key(command.key))


def _maybe(amount: int, step: Step) -> int | None:
    return amount if step.policy % 2 else None


def _add(author: Author, step: Step, account: str, key: str, amount: int) -> c.Single:
    return c.AddGrant(
        account,
        key,
        10 * amount,
        priority=pick((50, 50, 50, 10, 90, 0, 100, 50, 101), step.policy // 16),
        category=pick(("paid", "promo"), step.policy),
        unit_cost=pick((None, Decimal("0.01"), Decimal("0.02")), step.policy // 4),
        scope=pick(_SCOPES, step.scope),
        effective_at=author.moment(pick(_BEGINS, step.times // 8)),
        expires_at=author.moment(pick(_ENDS, step.times)),
        pending=step.named % 8 == 7,
    )


def _consume(author: Author, step: Step, account: str, key: str, amount: int) -> c.Single:
    late = (None,) * 9 + (-_MINUTE, -_HOUR, -_HOUR, -_DAY, -_SECOND, -3 * _HOUR, _MINUTE)
    return c.Consume(
        account,
        key,
        amount,
        service=pick(_SERVICES, step.scope),
        actor=pick((None, "carol"), step.named),
        if_short=pick(("reject", "partial", "overdraft", "overdraft"), step.policy),
        occurred_at=author.moment(pick(late, step.times)),
        burn_order=pick(_ORDERS, step.policy // 4),
    )


def _hold(author: Author, step: Step, account: str, key: str, amount: int) -> c.Single:
    odd = (timedelta(0), timedelta(days=31))
    return c.PlaceHold(
        account,
        key,
        amount,
        pick(_TIMEOUTS, step.times) if step.times < 248 else pick(odd, step.times),
        service=pick(_SERVICES, step.scope),
        if_short=pick(("reject", "partial", "partial", "partial", "overdraft"), step.policy),
        burn_order=pick(_ORDERS, step.policy // 4),
    )


def _capture(author: Author, step: Step, account: str, key: str, amount: int) -> c.Single:
    account, number = author.hold(step)
    return c.CaptureHold(
        account,
        key,
        number,
        _maybe(amount, step),
        final=step.policy % 4 < 2,
        if_over=pick(("reject", "available", "cap", "overdraft"), step.policy // 4),
    )


def _refund(author: Author, step: Step, account: str, key: str, amount: int) -> c.Single:
    account, number = author.charge(step)
    return c.Refund(account, key, number, _maybe(amount, step))


def _release(author: Author, step: Step, account: str, key: str, amount: int) -> c.Single:
    account, number = author.hold(step)
    return c.ReleaseHold(account, key, number)


def _extend(author: Author, step: Step, account: str, key: str, amount: int) -> c.Single:
    account, number = author.hold(step)
    timeout = pick((None, *_TIMEOUTS), step.times)
    return c.ExtendHold(account, key, number, timeout, _maybe(amount, step) or 0)


def _revoke(author: Author, step: Step, account: str, key: str, amount: int) -> c.Single:
    account, number = author.grant(step)
    return c.RevokeGrant(account, key, number, _maybe(amount, step))


def _activate(author: Author, step: Step, account: str, key: str, amount: int) -> c.Single:
    account, number = _pending(author) or author.grant(step)
    return c.ActivateGrant(account, key, number)


def _fail(author: Author, step: Step, account: str, key: str, amount: int) -> c.Single:
    account, number = author.grant(step)
    return c.FailGrant(account, key, number)


def _pending(author: Author) -> tuple[str, int] | None:
    for name, books in author.world.books.items():
        for number, grant in books.grants.items():
            if grant.state == "pending":
                return name, number
    return None


def _set_expiry(author: Author, step: Step, account: str, key: str, amount: int) -> c.Single:
    account, number = author.grant(step)
    return c.SetExpiry(account, key, number, author.moment(pick(_ENDS, step.times)))


def _transfer(author: Author, step: Step, account: str, key: str, amount: int) -> c.Single:
    target = pick((*ACCOUNTS[::-1], "bob", "alice"), step.named)
    return c.Transfer(account, key, target, amount)


def _limit(author: Author, step: Step, account: str, key: str, amount: int) -> c.Single:
    return c.Configure(account, key, overdraft_limit_micros=pick((5, 3, 0), step.policy) * amount)


def _configure(author: Author, step: Step, account: str, key: str, amount: int) -> c.Single:
    status = author.world.account(account).status
    thaws: dict[str, c.Single] = {
        "frozen": c.Configure(account, key, "open", "frozen"),
        "closed": c.Configure(account, key, "open", "closed"),
    }
    if status in thaws and step.policy < 192:
        return thaws[status]
    return pick(
        (
            c.Configure(account, key, time_zone=pick(_ZONES, step.scope)),
            c.Configure(account, key, "frozen", "open"),
            c.Configure(account, key, "closed"),
            c.Configure(account, key, time_zone="UTC"),
        ),
        step.policy,
    )


def _settle(author: Author, step: Step, account: str, key: str, amount: int) -> c.Single:
    return c.Settle(account, key)


_Builder = Callable[[Author, Step, str, str, int], c.Single]
_VERBS: tuple[_Builder, ...] = (
    _add,
    _consume,
    _hold,
    _capture,
    _refund,
    _release,
    _extend,
    _revoke,
    _activate,
    _transfer,
    _limit,
    _set_expiry,
    _configure,
    _fail,
    _settle,
    _consume,
    _consume,
    _consume,
    _hold,
    _hold,
    _capture,
    _capture,
    _refund,
    _refund,
    _add,
    _limit,
)
