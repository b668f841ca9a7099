"""Charges: partial, in debt, late, and given back."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from aiocredits import _commands as c
from aiocredits._model import Slice
from aiocredits.errors import OverdraftLimitError, RefundExceedsChargeError
from tests.ledger.world import ONE, START, World, check, told_by

MICRO = timedelta(microseconds=1)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
CHAT = frozenset({"chat"})


def world_of(*amounts: int, limit: int = 0) -> World:
    world = World()
    for number, amount in enumerate(amounts):
        world.do(c.AddGrant("alice", f"grant {number}", amount * ONE))
    if limit:
        world.do(c.Configure("alice", "limit", overdraft_limit_micros=limit * ONE))
    return world


def owe(world: World, amount: int, key: str = "owe", service: str | None = None) -> int:
    command = c.Consume("alice", key, amount * ONE, service=service, if_short="overdraft")
    return world.do(command).number


# Short


def test_partial_takes_what_there_is_and_says_what_is_missing() -> None:
    world = world_of(3)
    receipt = world.do(c.Consume("alice", "k", 5 * ONE, if_short="partial"))
    assert told_by(receipt, "amount", "shortfall", "balance") == ["3", "2", "0"]
    nothing = world.do(c.Consume("alice", "l", 5 * ONE, if_short="partial"))
    assert told_by(nothing, "amount", "shortfall", "kind") == ["0", "5", "consume"]
    assert nothing.taken == ()
    check(world)


def test_partial_takes_no_more_than_is_asked() -> None:
    receipt = world_of(3).do(c.Consume("alice", "k", 3 * ONE, if_short="partial"))
    assert told_by(receipt, "amount", "shortfall") == ["3", "0"]


def test_overdraft_goes_to_its_limit_and_not_a_micro_further() -> None:
    world = world_of(3, limit=2)
    error = world.refusal(c.Consume("alice", "k", 5 * ONE + 1, if_short="overdraft"))
    assert isinstance(error, OverdraftLimitError)
    receipt = world.do(c.Consume("alice", "k", 5 * ONE, if_short="overdraft"))
    assert told_by(receipt, "amount", "balance", "overdraft") == ["5", "0", "2"]
    assert receipt.slices == [("alice:1", Decimal(3))]
    assert isinstance(world.refusal(c.Consume("alice", "l", 1, if_short="overdraft")), Exception)


def test_a_limit_that_is_lowered_leaves_the_debt_as_it_is() -> None:
    world = world_of(limit=5)
    owe(world, 4)
    world.do(c.Configure("alice", "lower", overdraft_limit_micros=ONE))
    assert world.account().overdraft_micros == 4 * ONE
    error = world.refusal(c.Consume("alice", "k", 2 * ONE, if_short="overdraft"))
    assert isinstance(error, OverdraftLimitError)
    assert error.shortfall == 2


def test_credits_that_arrive_repay_debt_first_oldest_first() -> None:
    world = world_of(limit=10)
    first, second = owe(world, 2, "1"), owe(world, 3, "2")
    receipt = world.do(c.AddGrant("alice", "g", 4 * ONE))
    assert told_by(receipt, "amount", "balance", "overdraft") == ["4", "0", "1"]
    charges = world.books["alice"].charges
    assert charges[first].owed_micros == 0
    assert charges[second].owed_micros == ONE
    assert world.do(c.AddGrant("alice", "h", 4 * ONE)).available_micros == 3 * ONE


def test_credits_that_begin_or_come_back_repay_debt_too() -> None:
    world = world_of(5, limit=10)
    hold = world.do(c.PlaceHold("alice", "h", 5 * ONE, HOUR))
    owe(world, 6)
    assert world.do(c.ReleaseHold("alice", "r", hold.number)).overdraft_micros == ONE
    world.do(c.AddGrant("alice", "later", 5 * ONE, effective_at=START + HOUR))
    assert world.account().overdraft_micros == ONE
    settled = world.do(c.Settle("alice", "look"), START + HOUR)
    assert told_by(settled, "balance", "overdraft") == ["4", "0"]
    check(world)


def test_scoped_credits_repay_only_what_they_could_have_paid() -> None:
    world = world_of(limit=10)
    owe(world, 1, "any")
    owe(world, 2, "image", "image")
    owe(world, 3, "chat", "chat")
    receipt = world.do(c.AddGrant("alice", "g", 10 * ONE, scope=CHAT))
    assert told_by(receipt, "balance", "overdraft") == ["7", "3"]
    # General credits repay the rest.
    receipt = world.do(c.AddGrant("alice", "h", 10 * ONE))
    assert told_by(receipt, "balance", "overdraft") == ["14", "0"]
    check(world)


def test_a_repaid_debt_is_counted_at_the_cost_of_what_paid_it() -> None:
    world = world_of(limit=10)
    owe(world, 2)
    assert world.usage_of("alice") == {(START.date(), None, None): 2 * ONE}
    cost = Decimal("0.5")
    world.do(c.AddGrant("alice", "g", 5 * ONE, unit_cost=cost), START + DAY)
    assert world.usage_of("alice") == {(START.date(), None, cost): 2 * ONE}


# Refunds


def test_a_refund_goes_back_last_slice_first() -> None:
    world = world_of(2, 3, 4)
    charge = world.do(c.Consume("alice", "c", 8 * ONE))
    assert charge.taken == (Slice(1, 2 * ONE), Slice(2, 3 * ONE), Slice(3, 3 * ONE))
    first = world.do(c.Refund("alice", "r1", charge.number, 4 * ONE))
    assert first.taken == (Slice(3, 3 * ONE), Slice(2, ONE))
    second = world.do(c.Refund("alice", "r2", charge.number, 3 * ONE))
    assert second.taken == (Slice(2, 2 * ONE), Slice(1, ONE))
    rest = world.do(c.Refund("alice", "r3", charge.number))
    assert rest.taken == (Slice(1, ONE),)
    error = world.refusal(c.Refund("alice", "r4", charge.number))
    assert isinstance(error, RefundExceedsChargeError)
    assert error.refundable == 0
    assert world.account().available_micros == 9 * ONE


def test_a_refund_never_prolongs_a_grant() -> None:
    world = World()
    world.do(c.AddGrant("alice", "short", 2 * ONE, expires_at=START + HOUR))
    world.do(c.AddGrant("alice", "long", 2 * ONE))
    charge = world.do(c.Consume("alice", "c", 3 * ONE))
    in_time = world.do(c.Refund("alice", "r1", charge.number, 2 * ONE), START + HOUR - MICRO)
    assert told_by(in_time, "amount", "expired", "balance") == ["2", "0", "3"]
    too_late = world.do(c.Refund("alice", "r2", charge.number, ONE), START + HOUR)
    assert told_by(too_late, "amount", "expired", "balance") == ["1", "1", "2"]
    check(world)


def test_a_refund_forgives_debt_before_it_gives_credits_back() -> None:
    world = world_of(3, limit=5)
    charge = owe(world, 5)
    first = world.do(c.Refund("alice", "r1", charge, ONE))
    assert told_by(first, "amount", "balance", "overdraft") == ["1", "0", "1"]
    assert first.taken == ()
    rest = world.do(c.Refund("alice", "r2", charge))
    assert told_by(rest, "amount", "balance", "overdraft") == ["4", "3", "0"]
    assert rest.taken == (Slice(1, 3 * ONE),)


def test_a_refund_of_debt_that_was_repaid_goes_to_the_grant_that_repaid_it() -> None:
    world = world_of(3, limit=5)
    charge = owe(world, 5)
    world.do(c.AddGrant("alice", "salary", 10 * ONE))
    receipt = world.do(c.Refund("alice", "r", charge, 4 * ONE))
    assert receipt.taken == (Slice(4, 2 * ONE), Slice(1, 2 * ONE))
    assert told_by(receipt, "balance", "overdraft") == ["12", "0"]


def test_a_refund_repays_what_is_owed_for_other_charges() -> None:
    world = world_of(3, limit=5)
    paid = world.do(c.Consume("alice", "c", 3 * ONE))
    owe(world, 2)
    receipt = world.do(c.Refund("alice", "r", paid.number))
    assert told_by(receipt, "amount", "balance", "overdraft") == ["3", "1", "0"]
    check(world)


def test_a_refund_is_taken_from_the_usage_of_the_day_of_its_charge() -> None:
    world = world_of(3)
    charge = world.do(c.Consume("alice", "c", 3 * ONE, service="chat"))
    world.do(c.Refund("alice", "r", charge.number, ONE), START + 9 * DAY)
    assert world.usage_of("alice") == {(START.date(), "chat", None): 2 * ONE}


def test_a_refund_of_a_partial_charge_is_of_what_was_taken() -> None:
    world = world_of(3)
    charge = world.do(c.Consume("alice", "c", 5 * ONE, if_short="partial"))
    assert isinstance(world.refusal(c.Refund("alice", "r", charge.number, 4 * ONE)), Exception)
    assert world.do(c.Refund("alice", "r", charge.number)).amount_micros == 3 * ONE


# Late


def test_late_usage_is_charged_to_what_was_valid_then() -> None:
    world = World()
    world.do(c.AddGrant("alice", "new", 5 * ONE, priority=0, effective_at=START + HOUR))
    world.do(c.AddGrant("alice", "old", 5 * ONE, expires_at=START + DAY))
    now = START + 2 * HOUR
    late = world.do(c.Consume("alice", "c", 6 * ONE, occurred_at=START + MINUTE), now)
    assert late.taken == (Slice(2, 5 * ONE), Slice(1, ONE))
    assert world.do(c.Consume("alice", "d", ONE), now).taken == (Slice(1, ONE),)


@pytest.mark.parametrize(("before", "reaches"), [(MICRO, True), (timedelta(0), False)])
def test_late_usage_reinstates_what_has_expired_since(before: timedelta, reaches: bool) -> None:  # noqa: FBT001 - the two sides of a boundary
    world = World()
    end = START + HOUR
    world.do(c.AddGrant("alice", "old", 5 * ONE, expires_at=end))
    command = c.Consume("alice", "c", 2 * ONE, occurred_at=end - before)
    if not reaches:
        assert isinstance(world.refusal(command, START + DAY), Exception)
        return
    receipt = world.do(command, START + DAY)
    assert told_by(receipt, "amount", "balance") == ["2", "0"]
    grant = world.books["alice"].grants[1]
    assert (grant.lapsed_micros, grant.remaining_micros, grant.state) == (3 * ONE, 0, "expired")
    assert [entry.kind for entry in world.entries["alice"]] == [
        "grant",
        "expire",
        "reinstate",
        "consume",
    ]
    check(world)
    # What comes back of it expires again at once.
    assert world.do(c.Refund("alice", "r", receipt.number), START + DAY).expired_micros == 2 * ONE
    check(world)


def test_late_usage_does_not_reach_what_was_revoked() -> None:
    world = World()
    world.do(c.AddGrant("alice", "old", 5 * ONE, expires_at=START + HOUR))
    charge = world.do(c.Consume("alice", "c", 5 * ONE))
    world.do(c.Refund("alice", "back", charge.number), START + HOUR)
    assert world.books["alice"].grants[1].lapsed_micros == 5 * ONE
    late = c.Consume("alice", "late", ONE, occurred_at=START)
    assert World.of(world).do(late, START + DAY).amount == 1
    world.do(c.RevokeGrant("alice", "revoke", 1), START + DAY)
    assert isinstance(world.refusal(late, START + DAY), Exception)
    check(world)


def test_late_usage_is_charged_within_scopes() -> None:
    world = World()
    world.do(c.AddGrant("alice", "chat", 5 * ONE, scope=CHAT, expires_at=START + HOUR))
    late = c.Consume("alice", "late", ONE, service="image", occurred_at=START)
    assert isinstance(world.refusal(late, START + DAY), Exception)
    assert world.do(late._replace(service="chat"), START + DAY).amount == 1


def test_late_usage_begins_no_earlier_than_its_grant() -> None:
    world = World()
    end = START + HOUR
    world.do(c.AddGrant("alice", "old", 5 * ONE, effective_at=START, expires_at=end))
    too_early = c.Consume("alice", "c", ONE, occurred_at=START - MICRO)
    assert isinstance(world.refusal(too_early, START + DAY), Exception)
    world.do(c.Consume("alice", "c", ONE, occurred_at=START), START + DAY)


def test_late_usage_is_counted_on_its_own_day_and_dated_now() -> None:
    world = world_of(5)
    world.do(c.Consume("alice", "c", ONE, occurred_at=START - DAY), START + DAY)
    assert world.usage_of("alice") == {((START - DAY).date(), None, None): ONE}
    assert world.entries["alice"][-1].at == START + DAY


def test_usage_of_the_present_instant_is_not_late() -> None:
    world = world_of(5)
    assert world.do(c.Consume("alice", "c", ONE, occurred_at=START)).amount_micros == ONE


# Days


@pytest.mark.parametrize(
    ("zone", "instant", "day"),
    [
        ("UTC", datetime(2026, 3, 1, 0, tzinfo=UTC), date(2026, 3, 1)),
        ("America/New_York", datetime(2026, 3, 1, 4, 59, 59, tzinfo=UTC), date(2026, 2, 28)),
        ("America/New_York", datetime(2026, 3, 1, 5, tzinfo=UTC), date(2026, 3, 1)),
        ("Asia/Kolkata", datetime(2026, 3, 31, 18, 30, tzinfo=UTC), date(2026, 4, 1)),
        ("Asia/Kolkata", datetime(2026, 3, 31, 18, 29, tzinfo=UTC), date(2026, 3, 31)),
        ("America/New_York", datetime.min.replace(tzinfo=UTC), date.min),
    ],
)
def test_a_day_is_the_accounts_own(zone: str, instant: datetime, day: date) -> None:
    world = World()
    world.do(c.AddGrant("alice", "g", ONE), START + 999 * DAY)
    world.do(c.Configure("alice", "zone", time_zone=zone), START + 999 * DAY)
    world.do(c.Consume("alice", "c", ONE, occurred_at=instant), START + 999 * DAY)
    assert world.usage_of("alice") == {(day, None, None): ONE}
