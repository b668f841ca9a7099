"""Instants: what begins, what ends, and that nobody has to look."""

from datetime import timedelta

import pytest

from aiocredits import _commands as c
from aiocredits.errors import InsufficientCreditsError
from tests.ledger.world import ONE, START, World

SECOND = timedelta(seconds=1)
MICRO = timedelta(microseconds=1)


def test_a_spent_grant_that_a_refund_revives_still_expires_at_its_end() -> None:
    world = World()
    end = START + 10 * SECOND
    world.do(c.AddGrant("alice", "grant", ONE, expires_at=end))
    charge = world.do(c.Consume("alice", "charge", ONE))
    # Something else is due in between, after which nobody waits for a grant with nothing left.
    world.do(c.AddGrant("alice", "other", ONE, expires_at=START + SECOND))
    world.do(c.Settle("alice", "settle"), START + 2 * SECOND)
    world.do(c.Refund("alice", "refund", charge.number), START + 3 * SECOND)
    assert world.account().available_micros == ONE
    assert world.account().due_at == end
    refusal = world.refusal(c.Consume("alice", "late", ONE), end)
    assert isinstance(refusal, InsufficientCreditsError)


def test_what_has_ended_for_the_receiver_cannot_be_transferred() -> None:
    world = World()
    ahead = START + 10 * SECOND
    world.do(c.AddGrant("bob", "bob", ONE), ahead)
    world.do(c.AddGrant("alice", "short", ONE, expires_at=ahead))
    world.do(c.AddGrant("alice", "long", ONE, expires_at=ahead + MICRO))
    refusal = world.refusal(c.Transfer("alice", "both", "bob", 2 * ONE))
    assert isinstance(refusal, InsufficientCreditsError)
    assert refusal.available == 1
    receipt = world.do(c.Transfer("alice", "one", "bob", ONE))
    assert receipt.taken == ((2, ONE),)


def test_what_a_clock_ahead_sent_is_live_from_its_arrival() -> None:
    world = World()
    ahead = START + 10 * SECOND
    world.do(c.AddGrant("bob", "bob", ONE))
    world.do(c.AddGrant("alice", "alice", ONE), ahead)
    receipt = world.do(c.Transfer("alice", "sent", "bob", ONE), START)
    assert receipt.at == ahead
    assert receipt.linked[0].at == START
    assert world.books["bob"].grants[2].effective_at == START


@pytest.mark.parametrize("early", [True, False])
def test_a_grant_is_spendable_from_its_first_instant_until_just_before_its_last(
    early: bool,  # noqa: FBT001 - the two sides of a boundary
) -> None:
    world = World()
    begin, end = START + 10 * SECOND, START + 20 * SECOND
    world.do(c.AddGrant("alice", "grant", 2 * ONE, effective_at=begin, expires_at=end))
    assert isinstance(world.refusal(c.Consume("alice", "a", ONE), begin - MICRO), Exception)
    world.do(c.Consume("alice", "b", ONE), begin)
    if early:
        world.do(c.Consume("alice", "c", ONE), end - MICRO)
    else:
        assert isinstance(world.refusal(c.Consume("alice", "c", ONE), end), Exception)
