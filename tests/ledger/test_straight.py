"""The straight way says what `decide` says, or nothing."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given

from aiocredits import _commands as c
from aiocredits._ledger import Changes, State, decide, decide_cached, remembered, suffices
from aiocredits._ledger.carry import MAX_HOLDS
from aiocredits._ledger.straight import Straight
from aiocredits._model import Books
from aiocredits._receipt import Receipt
from tests.ledger.histories import Author, histories, law
from tests.ledger.histories import Step as Choice
from tests.ledger.world import ONE, START, World

HOUR = timedelta(hours=1)


def straight(books: Books, *several: c.Single, at: datetime = START) -> Sequence[Receipt] | None:
    """Return what the straight way answers, once it is what `decide` says too."""
    way = Straight(at)
    receipts = way.go(books, several)
    if receipts is None:
        assert way.changes == Changes()
        assert not way.books
        return None
    name = books.account.name
    decision = decide(State({name: books}, {}), several, at)
    assert decision.outcomes == tuple(map(c.Accepted, receipts))
    for said, right in zip(way.changes, decision.changes, strict=True):
        assert sorted(said, key=repr) == sorted(right, key=repr)
    kept = remembered(decision.books[name])
    assert kept is not None
    way_books = way.books[name]
    assert way_books._replace(next_timeout=None) == kept._replace(next_timeout=None)
    assert list(way_books.grants) == list(kept.grants)
    return receipts


class Comparison(World):
    """Compares both ways before each command, on what a storage would remember.

    Of each account it remembers what it was asked for since its clock last moved.
    """

    def __init__(self) -> None:
        super().__init__()
        self.batches: dict[str, tuple[Books, datetime, list[c.Single]]] = {}

    def apply(self, *several: c.Command, at: datetime = START) -> Sequence[c.Outcome]:
        for command in c.singles(several):
            books = self.remembered(command.account)
            if books is None or not suffices(books, at):
                continue
            straight(books, command, at=at)
            first, then, commands = self.batches.get(command.account, (books, at, []))
            if then != at or straight(first, *commands, command, at=at) is None:
                first, commands = books, []
            self.batches[command.account] = first, at, [*commands, command]
        return super().apply(*several, at=at)

    def remembered(self, name: str = "alice") -> Books | None:
        return remembered(self.books[name]) if name in self.books else None


@law
@given(histories())
def test_it_says_what_decide_says(history: list[Choice]) -> None:
    Author(Comparison()).write(history, lambda outcome: None)


def add(amount: int = 10, number: int = 1, **terms: Any) -> c.AddGrant:
    return c.AddGrant("alice", f"g{number}", amount * ONE)._replace(**terms)


def hold(amount: int = 2, number: int = 1) -> c.PlaceHold:
    return c.PlaceHold("alice", f"h{number}", amount * ONE, HOUR, "a report", "chat", "bob")


def capture(amount: int | None = None, hold: int = 2) -> c.CaptureHold:
    return c.CaptureHold("alice", "c", hold, amount and amount * ONE)


def consume(amount: int = 2, number: int = 1) -> c.Consume:
    return c.Consume("alice", f"k{number}", amount * ONE, "a report", "chat", "bob")


STRAIGHT: Mapping[str, tuple[c.Single, ...]] = {
    "a charge": (add(), consume()),
    "beside a hold": (add(), hold(), consume()),
    "of all but what is held": (add(4), hold(), consume()),
    "from a grant with a cost": (add(unit_cost=Decimal("0.5")), consume()),
    "of the grant that may pay": (add(scope=frozenset({"image"})), add(number=2), consume()),
    "a hold": (add(), hold()),
    "of all there is": (add(2), hold()),
    "with a key of the library's": (add(), hold()._replace(key="~" + 32 * "0")),
    "beside others": (add(), hold(), hold(number=2)),
    "that ends before the others": (add(), hold(), hold(number=2)._replace(timeout=HOUR / 2)),
    "of the second grant": (add(scope=frozenset({"image"})), add(number=2), hold()),
    "in an order of its own": (
        add(),
        add(number=2, priority=1),
        hold()._replace(burn_order=("number", "rolled_over")),
    ),
    "of a grant that ends": (add(expires_at=START + HOUR / 2), hold()),
    "a capture": (add(), hold(), capture()),
    "of a part": (add(), hold(), capture(1)),
    "of one of two": (add(), hold(), hold(number=2), capture(1, hold=3)),
    "of the last credits, and some come back": (add(2), hold(), capture(1)),
    "of a part with a cost": (add(unit_cost=Decimal("0.5")), hold(), capture(1)),
    "that says final": (add(), hold(), capture(1), hold(number=2), capture(1, hold=4)),
}

NOT_STRAIGHT: Mapping[str, tuple[c.Single, ...]] = {
    "a charge of too much": (add(1), consume()),
    "a charge of the last credit": (add(2), consume()),
    "a charge of two grants": (add(1), add(number=2), consume()),
    "a charge of long ago": (add(), consume()._replace(occurred_at=START)),
    "a charge of another day": (
        add(),
        c.Configure("alice", "z", time_zone="Asia/Kolkata"),
        consume(),
    ),
    "a charge into debt": (
        add(1),
        c.Configure("alice", "l", overdraft_limit_micros=ONE),
        consume()._replace(if_short="overdraft"),
    ),
    "too little": (add(1), hold()),
    "of two grants": (add(1), add(1, 2), hold()),
    "for too long": (add(), hold()._replace(timeout=timedelta(days=31))),
    "for no time": (add(), hold()._replace(timeout=timedelta(0))),
    "in part": (add(1), hold()._replace(if_short="partial")),
    "above the hold": (add(), hold(), capture(3)._replace(if_over="available")),
    "of the last credit": (add(2), hold(), capture()),
    "not the last of it": (add(), hold(), capture(1)._replace(final=False)),
    "of two slices": (add(1), add(1, 2), hold(), capture(1, hold=3)),
    "of a grant that was revoked": (
        add(),
        hold(),
        hold(number=2),
        c.RevokeGrant("alice", "r", 1),
        capture(1),
    ),
    "that is not there": (add(), hold(), capture(hold=7)),
    "of somebody frozen": (add(), c.Configure("alice", "f", status="frozen"), hold()),
    "where it is another day": (
        add(),
        c.Configure("alice", "z", time_zone="Asia/Kolkata"),
        hold(),
        capture(hold=3),
    ),
}


def last_of(several: Sequence[c.Single]) -> Sequence[Receipt] | None:
    """Return what the straight way answers to the last command, after the others."""
    world = Comparison()
    *before, last = several
    for command in before:
        world.do(command)
    books = world.remembered()
    assert books is not None
    return straight(books, last)


@pytest.mark.parametrize("case", STRAIGHT)
def test_what_is_common_goes_straight(case: str) -> None:
    assert last_of(STRAIGHT[case]) is not None


@pytest.mark.parametrize("case", NOT_STRAIGHT)
def test_what_is_more_than_that_does_not(case: str) -> None:
    assert last_of(NOT_STRAIGHT[case]) is None


def test_a_clock_behind_and_a_grant_that_has_ended_do_not_go_straight() -> None:
    world = Comparison()
    world.do(add(expires_at=START + HOUR / 2))
    world.do(hold())
    books = world.remembered()
    assert books is not None
    assert straight(books, hold(number=2)) is not None
    assert straight(books, hold(number=2), at=START - HOUR) is None
    assert straight(books, capture(), at=START + HOUR / 2) is None


def test_several_commands_of_one_account_go_straight_together() -> None:
    world = Comparison()
    world.do(add(4))
    world.do(add(number=2))
    for number in range(3):
        world.do(hold(1, number))
    books = world.remembered()
    assert books is not None
    first, second, third = books.holds
    ends = [capture(hold=number)._replace(key=f"c{number}") for number in (first, second)]
    assert straight(books, *ends, hold(1, 7)) is not None
    assert straight(books, hold(1, 7), hold(number=8)) is not None
    # For two credits the first grant has only one left.
    assert straight(books, ends[0], hold(number=8)) is None
    assert straight(books, ends[0], consume(1), hold(1, 7), consume(1, 2)) is not None
    assert straight(books, consume(1), ends[0]) is not None
    assert straight(books, ends[0], consume(number=2), ends[1]) is None
    assert straight(books, ends[0], add(number=9), ends[1]) is None
    assert straight(books, ends[0], ends[0]) is None
    assert straight(books, hold(1, 7), hold(1, 7)) is None
    assert straight(books, ends[0], capture(hold=first)) is None
    assert straight(books, hold(1, 7), capture(hold=third + 1)) is None


def test_who_goes_straight_only_in_part_takes_nothing_from_others() -> None:
    world = Comparison()
    for user in ("alice", "bob"):
        world.do(add()._replace(account=user))
        world.do(hold()._replace(account=user))
    alice, bob = world.remembered("alice"), world.remembered("bob")
    assert alice is not None
    assert bob is not None
    way, alone = Straight(START), Straight(START)
    for each in (way, alone):
        assert each.go(alice, [hold(number=2), capture(1), consume()]) is not None
    of_bob: list[Any] = [hold(number=2), capture(1), consume(), consume(number=2, amount=20)]
    assert way.go(bob, [command._replace(account="bob") for command in of_bob]) is None
    assert way.changes == alone.changes
    assert way.books == alone.books


def test_not_more_holds_are_remembered_than_are_worth_it() -> None:
    world = Comparison()
    world.do(add())
    world.do(hold())
    books = world.remembered()
    assert books is not None
    many = dict.fromkeys(range(-MAX_HOLDS, 0), books.holds[2])
    assert straight(books._replace(holds=many), hold(number=2)) is None
    del many[-MAX_HOLDS]
    assert straight(books._replace(holds=many), hold(number=2)) is not None


def test_straight_or_not_a_batch_is_decided_in_order() -> None:
    world = Comparison()
    users = ("alice", "bob", "carol", "dave", "erin")
    for user in users:
        world.do(add()._replace(account=user))
    world.do(hold()._replace(account="bob"))
    batch: list[c.Command] = [
        hold(),  # straight
        c.AddGrant("carol", "k1", ONE),
        capture(1)._replace(account="bob"),  # straight
        hold()._replace(account="dave"),  # straight
        c.Consume("erin", "k2", 10 * ONE),
        hold(number=2)._replace(account="dave"),
        c.AddGrant("erin", "k3", ONE),
    ]
    known = {user: books for user in users if (books := world.remembered(user))}
    cached = decide_cached(known, batch, START)
    whole = decide(State(known, {}), batch, START)
    assert [cached.outcomes[place] for place in range(7)] == list(whole.outcomes)
    assert cached.places == {
        "alice": [0],
        "bob": [2],
        "carol": [1],
        "dave": [3, 5],
        "erin": [4, 6],
    }
    for one, other in zip(cached.changes, whole.changes, strict=True):
        assert sorted(map(repr, one)) == sorted(map(repr, other))
    assert cached.books == {user: remembered(whole.books[user]) for user in users}
