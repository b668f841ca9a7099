"""Holds: reserve, capture, free; and what becomes of them by themselves."""

from datetime import timedelta
from typing import Literal

import pytest

from aiocredits import _commands as c
from aiocredits._model import Slice
from aiocredits.errors import (
    CaptureExceedsHoldError,
    HoldClosedError,
    HoldExpiredError,
    InsufficientCreditsError,
)
from tests.ledger.world import ONE, START, World, check, told_by

MICRO = timedelta(microseconds=1)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def hold_of(amount: int, *grants: int, limit: int = 0, timeout: timedelta = HOUR) -> World:
    """Return a world in which alice's last entry is a hold."""
    world = World()
    if limit:
        world.do(c.Configure("alice", "limit", overdraft_limit_micros=limit * ONE))
    for number, micros in enumerate(grants):
        world.do(c.AddGrant("alice", f"grant {number}", micros * ONE))
    world.do(c.PlaceHold("alice", "hold", amount * ONE, timeout))
    return world


def capture(
    world: World, amount: int | None, key: str = "capture", *, final: bool = True
) -> c.CaptureHold:
    (number,) = world.books["alice"].holds
    return c.CaptureHold(
        "alice", key, number, None if amount is None else amount * ONE, final=final
    )


def test_what_is_held_is_available_to_nobody_else() -> None:
    world = hold_of(3, 5)
    assert world.account()[3:5] == (2 * ONE, 3 * ONE)
    error = world.refusal(c.Consume("alice", "k", 3 * ONE))
    assert isinstance(error, InsufficientCreditsError)
    assert error.available == 2


def test_a_hold_reserves_slices_in_burn_order() -> None:
    world = hold_of(4, 3, 5)
    assert world.books["alice"].holds[3].slices == (Slice(1, 3 * ONE), Slice(2, ONE))


def test_partial_holds_what_there_is_and_never_nothing() -> None:
    world = World()
    partial = c.PlaceHold("alice", "k", 5 * ONE, HOUR, if_short="partial")
    assert isinstance(world.refusal(partial), InsufficientCreditsError)
    world.do(c.AddGrant("alice", "g", 2 * ONE))
    assert told_by(world.do(partial), "amount", "shortfall", "held") == ["2", "3", "2"]


def test_a_capture_takes_the_front_and_frees_the_rest() -> None:
    world = hold_of(6, 3, 5)
    receipt = world.do(capture(world, 4))
    assert receipt.taken == (Slice(1, 3 * ONE), Slice(2, ONE))
    assert told_by(receipt, "amount", "balance", "held") == ["4", "4", "0"]
    assert world.books["alice"].grants[2].remaining_micros == 4 * ONE
    assert world.books["alice"].holds[3].state == "captured"
    check(world)


def test_captures_may_follow_each_other_until_the_hold_is_used_up() -> None:
    world = hold_of(6, 3, 5)
    first = world.do(capture(world, 2, "1", final=False))
    assert told_by(first, "amount", "balance", "held") == ["2", "2", "4"]
    second = world.do(capture(world, 2, "2", final=False))
    assert second.taken == (Slice(1, ONE), Slice(2, ONE))
    assert world.do(capture(world, 2, "3", final=False)).held_micros == 0
    error = world.refusal(capture(world, 1, "4"))
    assert isinstance(error, HoldClosedError)
    hold = world.books["alice"].holds[3]
    assert (hold.state, hold.captured_micros, hold.slices) == ("captured", 6 * ONE, ())
    check(world)


def test_a_capture_without_an_amount_takes_all_that_is_left() -> None:
    world = hold_of(6, 10)
    world.do(capture(world, 2, "1", final=False))
    assert world.do(capture(world, None, "2")).amount_micros == 4 * ONE


def test_each_capture_can_be_refunded() -> None:
    world = hold_of(6, 10)
    first = world.do(capture(world, 2, "1", final=False))
    second = world.do(capture(world, 3, "2"))
    assert world.do(c.Refund("alice", "r1", first.number)).amount_micros == 2 * ONE
    assert world.do(c.Refund("alice", "r2", second.number)).amount_micros == 3 * ONE
    assert world.account().available_micros == 10 * ONE
    check(world)


OVER: list[tuple[Literal["reject", "available", "cap", "overdraft"], int, list[str] | type]] = [
    # if_over, what is captured of a hold of 4 with 2 more there and 3 of overdraft
    ("reject", 5, CaptureExceedsHoldError),
    ("available", 6, ["6", "0", "0", "0", "0"]),
    ("available", 7, InsufficientCreditsError),
    ("cap", 9, ["4", "2", "0", "0", "5"]),
    ("cap", 3, ["3", "3", "0", "0", "0"]),
    ("overdraft", 5, ["5", "1", "0", "0", "0"]),
    ("overdraft", 9, ["9", "0", "0", "3", "0"]),
]


@pytest.mark.parametrize(("if_over", "amount", "expected"), OVER)
def test_above_the_hold(
    if_over: Literal["reject", "available", "cap", "overdraft"],
    amount: int,
    expected: list[str] | type[Exception],
) -> None:
    world = hold_of(4, 6, limit=3)
    command = capture(world, amount)._replace(if_over=if_over)
    if isinstance(expected, type):
        assert type(world.refusal(command)) is expected
        assert world.books["alice"].holds[3].state == "open"
    else:
        receipt = world.do(command)
        assert told_by(receipt, "amount", "balance", "held", "overdraft", "shortfall") == expected
    check(world)


def test_a_debt_by_capture_is_a_debt_like_any_other() -> None:
    world = hold_of(4, 6, limit=3)
    receipt = world.do(capture(world, 9)._replace(if_over="overdraft"))
    world.do(c.AddGrant("alice", "more", 10 * ONE))
    back = world.do(c.Refund("alice", "r", receipt.number))
    assert told_by(back, "amount", "balance", "overdraft") == ["9", "16", "0"]
    check(world)


def test_credits_held_stay_capturable_when_their_grant_expires() -> None:
    world = World()
    world.do(c.AddGrant("alice", "g", 5 * ONE, expires_at=START + MINUTE))
    world.do(c.PlaceHold("alice", "h", 3 * ONE, HOUR))
    receipt = world.do(c.CaptureHold("alice", "c", 2, ONE, final=False), START + 2 * MINUTE)
    assert told_by(receipt, "amount", "balance", "held") == ["1", "0", "2"]
    assert world.state(1) == "expiring"
    freed = world.do(c.ReleaseHold("alice", "r", 2), START + 3 * MINUTE)
    assert told_by(freed, "amount", "expired", "balance", "held") == ["2", "2", "0", "0"]
    assert world.state(1) == "expired"
    check(world)


def test_a_hold_ends_exactly_at_its_instant() -> None:
    for wait, expected in ((HOUR - MICRO, None), (HOUR, HoldExpiredError)):
        world = hold_of(3, 5)
        (outcome,) = world.apply(capture(world, 1), at=START + wait)
        if expected is None:
            assert isinstance(outcome, c.Accepted)
        else:
            assert isinstance(outcome, c.Refused)
            assert type(outcome.error) is expected


def test_a_timeout_frees_what_is_held_at_its_own_instant() -> None:
    world = hold_of(3, 5)
    receipt = world.do(c.Consume("alice", "k", 5 * ONE), START + DAY)
    assert receipt.balance == 0
    timeout = world.entries["alice"][-2]
    assert (timeout.kind, timeout.at, timeout.available_micros) == (
        "timeout",
        START + HOUR,
        5 * ONE,
    )
    assert world.books["alice"].holds[2].state == "expired"


def test_at_one_instant_holds_end_first_then_grants_and_then_others_begin() -> None:
    world = World()
    world.do(c.AddGrant("alice", "old", 5 * ONE, expires_at=START + HOUR))
    world.do(c.AddGrant("alice", "new", 5 * ONE, effective_at=START + HOUR))
    world.do(c.PlaceHold("alice", "h", 2 * ONE, HOUR))
    world.do(c.Settle("alice", "look"), START + DAY)
    last = world.entries["alice"][-3:]
    assert [(entry.kind, entry.available_micros // ONE) for entry in last] == [
        ("timeout", 3),
        ("expire", 0),
        ("grant", 5),
    ]
    check(world)


def test_release_frees_everything_and_of_what_has_ended_nothing() -> None:
    world = hold_of(3, 5)
    assert told_by(world.do(c.ReleaseHold("alice", "r", 2)), "amount", "balance") == ["3", "5"]
    before = world.snapshot()
    assert world.do(c.ReleaseHold("alice", "r2", 2)).kind == "nothing"
    assert world.snapshot() == before
    world = hold_of(3, 5)
    world.do(c.Settle("alice", "look"), START + HOUR)
    assert world.do(c.ReleaseHold("alice", "r", 2), START + HOUR).kind == "nothing"


def test_extend_counts_from_now_and_may_shorten() -> None:
    world = hold_of(3, 5)
    later = world.do(c.ExtendHold("alice", "e", 2, HOUR), START + MINUTE)
    assert later.expires_at == START + MINUTE + HOUR
    world.do(capture(world, 1, final=False), START + HOUR + MINUTE - MICRO)
    now = START + HOUR + MINUTE - MICRO
    sooner = world.do(c.ExtendHold("alice", "f", 2, MICRO), now)
    assert sooner.expires_at == START + HOUR + MINUTE
    assert isinstance(world.refusal(capture(world, 1, "late"), now + MICRO), HoldExpiredError)


def test_extend_may_reserve_more_in_one_step() -> None:
    world = hold_of(3, 5, 5)
    receipt = world.do(c.ExtendHold("alice", "e", 3, amount_micros=4 * ONE))
    assert told_by(receipt, "amount", "balance", "held") == ["4", "3", "7"]
    assert receipt.expires_at == START + HOUR
    hold = world.books["alice"].holds[3]
    assert hold.slices == (Slice(1, 5 * ONE), Slice(2, 2 * ONE))
    assert hold.amount_micros == 7 * ONE
    assert isinstance(
        world.refusal(c.ExtendHold("alice", "f", 3, DAY, 9 * ONE)), InsufficientCreditsError
    )
    assert world.books["alice"].holds[3].expires_at == START + HOUR


def test_a_hold_lasts_thirty_days_at_most() -> None:
    world = hold_of(3, 5, timeout=30 * DAY)
    assert world.books["alice"].holds[2].expires_at == START + 30 * DAY
    assert isinstance(world.refusal(c.PlaceHold("alice", "k", ONE, 30 * DAY + MICRO)), Exception)


def test_a_scoped_grant_is_held_for_its_service() -> None:
    world = World()
    world.do(c.AddGrant("alice", "g", 5 * ONE, scope=frozenset({"chat"})))
    assert isinstance(world.refusal(c.PlaceHold("alice", "h", ONE, HOUR)), Exception)
    world.do(c.PlaceHold("alice", "h", ONE, HOUR, service="chat"))
    # What is captured above the hold, or added to it, is for the service of the hold.
    world.do(c.ExtendHold("alice", "e", 2, amount_micros=ONE))
    receipt = world.do(c.CaptureHold("alice", "c", 2, 4 * ONE, if_over="available"))
    assert receipt.amount == 4
    assert world.entries["alice"][-1].service == "chat"
