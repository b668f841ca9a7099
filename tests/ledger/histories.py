"""Random histories of commands, for the laws."""

import os
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple, TypeVar

from hypothesis import settings
from hypothesis import strategies as st

from aiocredits import _commands as c
from aiocredits._names import check_key
from tests.ledger.world import ACCOUNTS, ONE, START, World

T = TypeVar("T")

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
