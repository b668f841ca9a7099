"""The same call again, and another call with the same key."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from aiocredits import _commands as c
from aiocredits import commands
from aiocredits._receipt import Receipt
from aiocredits.errors import IdempotencyConflictError, InsufficientCreditsError
from aiocredits.storages.memory import MemoryStorage
from tests.ledger.world import ONE, START, World, run

DAY = timedelta(days=1)
LATER = datetime(2027, 1, 1, tzinfo=UTC)


@pytest.fixture
def world() -> World:
    world = World()
    world.do(c.AddGrant("alice", "welcome", 100 * ONE))
    return world


CONFLICTS: list[tuple[c.Single, c.Single, tuple[str, ...]]] = [
    (
        commands.consume_credits("alice", 1, idempotency_key="k"),
        commands.consume_credits("alice", 2, idempotency_key="k"),
        ("credits",),
    ),
    (
        commands.consume_credits("alice", 1, service="a", actor="x", idempotency_key="k"),
        commands.consume_credits("alice", 1, service="b", idempotency_key="k"),
        ("actor", "service"),
    ),
    (
        commands.consume_credits("alice", 1, idempotency_key="k"),
        commands.consume_credits("alice", 1, if_short="partial", idempotency_key="k"),
        ("if_short",),
    ),
    (
        commands.consume_credits("alice", 1, idempotency_key="k"),
        commands.consume_credits("alice", 1, occurred_at=START, idempotency_key="k"),
        ("occurred_at",),
    ),
    (
        commands.consume_credits("alice", 1, idempotency_key="k"),
        commands.transfer_credits("alice", "bob", 1, idempotency_key="k"),
        ("to_user_id", "verb"),
    ),
    (
        commands.transfer_credits("alice", "bob", 1, idempotency_key="k"),
        commands.transfer_credits("alice", "carol", 1, idempotency_key="k"),
        ("to_user_id",),
    ),
    (
        commands.hold_credits("alice", 1, timeout=60, idempotency_key="k"),
        commands.hold_credits("alice", 1, timeout=61, idempotency_key="k"),
        ("timeout",),
    ),
    (
        commands.add_credits("alice", 1, expires_at=LATER, idempotency_key="k"),
        commands.add_credits("alice", 1, idempotency_key="k"),
        ("expires_at",),
    ),
    (
        commands.add_credits("alice", 1, scope={"a,b"}, idempotency_key="k"),
        commands.add_credits("alice", 1, scope={"a", "b"}, idempotency_key="k"),
        ("scope",),
    ),
    (
        commands.add_credits("alice", 1, unit_cost="0.1", priority=1, idempotency_key="k"),
        commands.add_credits(
            "alice", 1, unit_cost="0.2", category="promo", pending=True, idempotency_key="k"
        ),
        ("category", "pending", "priority", "unit_cost"),
    ),
    (
        commands.revoke_grant("alice:1", 1, idempotency_key="k"),
        commands.revoke_grant("alice:1", idempotency_key="k"),
        ("credits",),
    ),
    (
        commands.set_overdraft_limit("alice", 1, idempotency_key="k"),
        commands.set_overdraft_limit("alice", 2, idempotency_key="k"),
        ("overdraft_limit",),
    ),
    (
        commands.set_expiry("alice:1", LATER, idempotency_key="k"),
        commands.set_expiry("alice:1", None, idempotency_key="k"),
        ("expires_at",),
    ),
    (
        commands.freeze_account("alice", idempotency_key="k"),
        commands.unfreeze_account("alice", idempotency_key="k"),
        ("status", "verb"),
    ),
]


@pytest.mark.parametrize(("first", "other", "fields"), CONFLICTS)
def test_another_call_with_the_same_key(
    world: World, first: c.Single, other: c.Single, fields: tuple[str, ...]
) -> None:
    world.do(first)
    before = world.snapshot()
    error = world.refusal(other)
    assert isinstance(error, IdempotencyConflictError)
    assert error.fields == fields
    assert error.key == "k"
    for field in fields:
        assert field in str(error)
    assert world.snapshot() == before


def test_unfreezing_is_another_call_than_reopening(world: World) -> None:
    world.do(commands.freeze_account("alice"))
    world.do(commands.unfreeze_account("alice", idempotency_key="k"))
    error = world.refusal(commands.reopen_account("alice", idempotency_key="k"))
    assert isinstance(error, IdempotencyConflictError)
    assert error.fields == ("verb",)


def test_the_charge_and_the_hold_named_count() -> None:
    world = World()
    world.do(c.AddGrant("alice", "welcome", 100 * ONE))
    for number in (2, 3):
        assert world.do(c.Consume("alice", f"c{number}", ONE)).number == number
    for number in (4, 5):
        assert world.do(c.PlaceHold("alice", f"h{number}", ONE, DAY)).number == number
    world.do(c.Refund("alice", "r", 2))
    world.do(c.CaptureHold("alice", "p", 4))
    for command, field in (
        (c.Refund("alice", "r", 3), "charge"),
        (c.CaptureHold("alice", "p", 5), "hold"),
        (c.CaptureHold("alice", "p", 4, if_over="cap", final=False), "final"),
    ):
        error = world.refusal(command)
        assert isinstance(error, IdempotencyConflictError)
        assert field in error.fields


def test_what_moves_no_credits_may_differ(world: World) -> None:
    first = world.do(c.Consume("alice", "k", ONE, "one", metadata={"a": 1}))
    order: c.BurnOrder = ("number",)
    again = world.do(c.Consume("alice", "k", ONE, "two", metadata={"b": 2}, burn_order=order))
    assert again == first._replace(replayed=True)
    assert world.entries["alice"][-1].description == "one"


def test_the_key_outranks_every_rule(world: World) -> None:
    """It is looked up before the account's status, the balance and the thing that is named."""
    charge = world.do(c.Consume("alice", "all", 100 * ONE))
    hold = world.do(c.AddGrant("alice", "more", ONE)) and world.do(
        c.PlaceHold("alice", "hold", ONE, DAY)
    )
    capture = world.do(c.CaptureHold("alice", "capture", hold.number))
    world.do(c.Configure("alice", "close", "closed"))
    assert world.do(c.Consume("alice", "all", 100 * ONE)) == charge._replace(replayed=True)
    again = world.do(c.CaptureHold("alice", "capture", hold.number), LATER)
    assert again == capture._replace(replayed=True)
    conflict = world.refusal(c.Consume("alice", "all", 99 * ONE))
    assert isinstance(conflict, IdempotencyConflictError)


def test_a_failed_call_leaves_its_key_free(world: World) -> None:
    error = world.refusal(c.Consume("alice", "k", 101 * ONE))
    assert isinstance(error, InsufficientCreditsError)
    assert not world.do(c.Consume("alice", "k", ONE)).replayed


def test_a_call_that_found_nothing_to_do_leaves_its_key_free(world: World) -> None:
    receipt = world.do(c.Configure("alice", "k", "open", "frozen"))
    assert (receipt.kind, receipt.number, receipt.key) == ("nothing", 0, "k")
    assert not world.do(c.Consume("alice", "k", ONE)).replayed


def test_keys_are_unique_per_account_and_unit(world: World) -> None:
    for account in ("alice", "bob", "alice\x1fimages"):
        assert not world.do(c.AddGrant(account, "k", ONE)).replayed


def test_a_transfer_repeats_both_receipts_and_leaves_the_receivers_keys_alone(
    world: World,
) -> None:
    world.do(c.AddGrant("bob", "k", 5 * ONE))
    world.do(c.AddGrant("alice", "second", 5 * ONE))
    first = world.do(c.Transfer("alice", "k", "bob", 102 * ONE))
    assert first.linked[0].amount_micros == 102 * ONE
    assert first.linked[0].slices == [("bob:2", Decimal(100)), ("bob:3", Decimal(2))]
    world.do(c.Consume("bob", "spent", 50 * ONE))
    again = world.do(c.Transfer("alice", "k", "bob", 102 * ONE))
    assert again.replayed
    assert again.linked[0].replayed
    assert unreplayed(again) == first


def unreplayed(receipt: Receipt) -> Receipt:
    return receipt._replace(
        replayed=False, linked=tuple(one._replace(replayed=False) for one in receipt.linked)
    )


def test_a_group_repeats_what_it_knows_and_does_the_rest(world: World) -> None:
    one, two = c.Consume("alice", "one", ONE), c.Consume("alice", "two", 2 * ONE)
    first = world.do(one)
    group = world.do(c.Linked((one, two, two)))
    assert [receipt.replayed for receipt in group.linked] == [True, False, True]
    assert group.linked[0] == first._replace(replayed=True)
    assert world.account().available_micros == 97 * ONE


def test_a_refused_group_leaves_all_keys_free(world: World) -> None:
    one, two = c.Consume("alice", "one", ONE), c.Consume("alice", "two", 100 * ONE)
    before = world.snapshot()
    assert isinstance(world.refusal(c.Linked((one, two))), InsufficientCreditsError)
    assert world.snapshot() == before
    assert not world.do(one).replayed


def test_a_key_of_the_librarys_own_acts_once_and_compares_nothing(world: World) -> None:
    command = commands.consume_credits("alice", 1)
    first = world.do(command)
    assert world.do(command) == first._replace(replayed=True)
    assert world.entries["alice"][-1].terms is None


def test_a_caller_who_repeats_a_key_of_the_librarys_own_gets_the_first_answer() -> None:
    """After an unknown outcome the caller has nothing but that key."""
    storage = MemoryStorage()
    first = commands.consume_credits("alice", 5)
    run(storage.apply([c.AddGrant("alice", "welcome", 5 * ONE)], at=START))
    (outcome,) = run(storage.apply([first], at=START))
    again = commands.consume_credits("alice", 5, idempotency_key=str(first.key))
    (answer,) = run(storage.apply([again], at=START))
    assert isinstance(outcome, c.Accepted)
    assert answer == c.Accepted(outcome.receipt._replace(replayed=True))
