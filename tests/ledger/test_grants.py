"""Grants: which pays first, and how they begin, end and are taken back."""

from datetime import timedelta
from decimal import Decimal
from itertools import combinations

import pytest

from aiocredits import _commands as c
from aiocredits._amounts import MAX_MICROS
from aiocredits._model import Slice
from aiocredits.errors import (
    GrantClosedError,
    InsufficientCreditsError,
    InvalidAmountError,
    InvalidExpiryError,
)
from tests.ledger.world import ONE, START, World, check, told_by

MICRO = timedelta(microseconds=1)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def taken(world: World, amount: int, service: str | None = None, **options: object) -> list[int]:
    """Return the grants that a charge takes, in their order."""
    order: c.BurnOrder | None = options.get("order")  # type: ignore[assignment]
    command = c.Consume("alice", f"charge {world.account().version}", amount, service=service)
    return [part.grant for part in world.do(command._replace(burn_order=order)).taken]


EARLY = c.AddGrant("alice", "early", ONE, priority=50)

# Each pair differs in one key, and the second of it burns first although the first is older.
LATER_AND_SOONER = {
    "priority": ({}, {"priority": 49}),
    "expiry": ({"expires_at": START + DAY + MICRO}, {"expires_at": START + DAY}),
    "never expires last": ({}, {"expires_at": START + 9999 * DAY}),
    "promo before paid": ({}, {"category": "promo"}),
    "lower cost": ({"unit_cost": Decimal("0.02")}, {"unit_cost": Decimal("0.01")}),
    "no cost counts as zero": ({"unit_cost": Decimal("0.000001")}, {}),
    "scoped before general": ({}, {"scope": frozenset({"chat"})}),
    "effective first": ({"effective_at": START - MICRO}, {"effective_at": START - HOUR}),
}


@pytest.mark.parametrize("rule", LATER_AND_SOONER)
def test_each_key_of_the_burn_order_decides(rule: str) -> None:
    older, newer = LATER_AND_SOONER[rule]
    world = World()
    world.do(EARLY._replace(**older))  # type: ignore[arg-type]
    world.do(EARLY._replace(key="second", **newer))  # type: ignore[arg-type]
    assert taken(world, ONE + 1, "chat") == [2, 1]


def test_among_equals_the_oldest_burns_first() -> None:
    world = World()
    for key in "abc":
        world.do(EARLY._replace(key=key))
    assert taken(world, 3 * ONE) == [1, 2, 3]


# Strongest first: each of them outweighs all that follow it.
ADVANTAGES: list[tuple[str, dict[str, object]]] = [
    ("priority", {"priority": 1}),
    ("expires_at", {"expires_at": START + DAY}),
    ("category", {"category": "promo"}),
    ("unit_cost", {"unit_cost": None}),
    ("scope", {"scope": frozenset({"chat"})}),
    ("effective_at", {"effective_at": START - DAY}),
]


@pytest.mark.parametrize(
    ("strong", "weak"), list(combinations(range(6), 2)), ids=lambda n: ADVANTAGES[n][0]
)
def test_the_keys_decide_in_their_order(strong: int, weak: int) -> None:
    plain = EARLY._replace(unit_cost=Decimal(1), effective_at=START)
    world = World()
    world.do(plain._replace(key="weak", **ADVANTAGES[weak][1]))  # type: ignore[arg-type]
    world.do(plain._replace(key="strong", **ADVANTAGES[strong][1]))  # type: ignore[arg-type]
    assert taken(world, 2 * ONE, "chat") == [2, 1]


def test_a_burn_order_of_ones_own_decides() -> None:
    order: c.BurnOrder = ("unit_cost", "number")
    world = World()
    world.do(EARLY._replace(key="1", priority=0, unit_cost=Decimal(2)))
    world.do(EARLY._replace(key="2", priority=99, unit_cost=Decimal(1)))
    world.do(c.AddGrant("alice", "3", ONE, priority=99, unit_cost=Decimal(1)))
    assert taken(world, 3 * ONE, order=order) == [2, 3, 1]
    assert list(world.books["alice"].grants) == [1, 2, 3]


def test_slices_say_how_much_of_each() -> None:
    world = World()
    world.do(EARLY._replace(key="1", amount_micros=300_000))
    world.do(EARLY._replace(key="2", amount_micros=5 * ONE))
    receipt = world.do(c.Consume("alice", "k", ONE))
    assert receipt.taken == (Slice(1, 300_000), Slice(2, 700_000))
    assert receipt.slices == [("alice:1", Decimal("0.3")), ("alice:2", Decimal("0.7"))]
    assert receipt.amount == 1
    assert receipt.balance == Decimal("4.3")


def test_a_scope_pays_for_its_services_only() -> None:
    world = World()
    world.do(c.AddGrant("alice", "scoped", 5 * ONE, scope=frozenset({"chat", "image"})))
    for service in (None, "video", "Chat"):
        error = world.refusal(c.Consume("alice", "k", ONE, service=service))
        assert isinstance(error, InsufficientCreditsError)
        assert error.available == 0
    assert taken(world, ONE, "chat") == [1]
    assert taken(world, ONE, "image") == [1]
    assert world.account().available_micros == 3 * ONE


# Instants


def test_a_scheduled_grant_begins_at_its_instant() -> None:
    world = World()
    receipt = world.do(c.AddGrant("alice", "later", ONE, effective_at=START + HOUR))
    assert receipt.kind == "pledge"
    assert receipt.balance == 0
    assert world.state(1) == "scheduled"
    world.refusal(c.Consume("alice", "k", ONE), START + HOUR - MICRO)
    world.do(c.Consume("alice", "k", ONE), START + HOUR)
    assert [(entry.kind, entry.at) for entry in world.entries["alice"][1:]] == [
        ("grant", START + HOUR),
        ("consume", START + HOUR),
    ]


def test_an_expiry_is_written_at_its_instant_however_late_somebody_looks() -> None:
    world = World()
    world.do(c.AddGrant("alice", "a", ONE, expires_at=START + HOUR))
    world.do(c.AddGrant("alice", "b", ONE, expires_at=START + MINUTE))
    world.do(c.Settle("alice", "look"), START + 9 * DAY)
    assert [(entry.kind, entry.subject, entry.at) for entry in world.entries["alice"][2:]] == [
        ("expire", 2, START + MINUTE),
        ("expire", 1, START + HOUR),
    ]
    assert world.account().at == START + HOUR


def test_a_grant_that_begins_and_ends_unseen_leaves_both_entries() -> None:
    world = World()
    begin, end = START + MINUTE, START + HOUR
    world.do(c.AddGrant("alice", "a", ONE, effective_at=begin, expires_at=end))
    world.do(c.Settle("alice", "look"), START + DAY)
    assert [(e.kind, e.at, e.available_micros) for e in world.entries["alice"][1:]] == [
        ("grant", begin, ONE),
        ("expire", end, 0),
    ]


def test_a_past_beginning_is_now() -> None:
    world = World()
    world.do(c.AddGrant("alice", "a", ONE, effective_at=START - DAY))
    assert world.account().available_micros == ONE


def test_an_end_lies_after_the_beginning() -> None:
    world = World()
    for begin, end in ((None, START), (START + HOUR, START + HOUR), (START - DAY, START - HOUR)):
        command = c.AddGrant("alice", "a", ONE, effective_at=begin, expires_at=end)
        assert isinstance(world.refusal(command), InvalidExpiryError)
    world.do(c.AddGrant("alice", "a", ONE, expires_at=START + MICRO))


def test_set_expiry_moves_the_end_of_what_is_alive() -> None:
    world = World()
    world.do(c.AddGrant("alice", "a", ONE, expires_at=START + HOUR))
    receipt = world.do(c.SetExpiry("alice", "later", 1, START + DAY))
    assert receipt.expires_at == START + DAY
    world.do(c.Consume("alice", "b", 1), START + DAY - MICRO)
    world.do(c.SetExpiry("alice", "sooner", 1, START + DAY + MICRO), START + DAY - MICRO)
    error = world.refusal(c.SetExpiry("alice", "too late", 1, None), START + DAY + MICRO)
    assert isinstance(error, GrantClosedError)
    assert error.state == "expired"


def test_set_expiry_to_never() -> None:
    world = World()
    world.do(c.AddGrant("alice", "a", ONE, expires_at=START + HOUR))
    world.do(c.SetExpiry("alice", "never", 1, None))
    world.do(c.Consume("alice", "b", ONE), START + 9999 * DAY)


def test_set_expiry_puts_a_grant_in_its_new_place() -> None:
    world = World()
    for key, days in (("a", 1), ("b", 2)):
        world.do(c.AddGrant("alice", key, ONE, expires_at=START + days * DAY))
    world.do(c.SetExpiry("alice", "later", 1, START + 3 * DAY))
    assert taken(world, 2 * ONE) == [2, 1]


def test_set_expiry_reaches_what_waits_and_not_before_it_begins() -> None:
    world = World()
    world.do(c.AddGrant("alice", "a", ONE, effective_at=START + HOUR))
    world.do(c.AddGrant("alice", "b", ONE, pending=True))
    early = world.refusal(c.SetExpiry("alice", "k", 1, START + HOUR))
    assert isinstance(early, InvalidExpiryError)
    world.do(c.SetExpiry("alice", "k", 1, START + HOUR + MICRO))
    world.do(c.SetExpiry("alice", "l", 2, START + HOUR))
    world.do(c.Settle("alice", "look"), START + DAY)
    assert {grant.state for grant in world.books["alice"].grants.values()} == {"expired"}


# Pending


def test_a_pending_grant_is_spendable_once_it_is_active() -> None:
    world = World()
    world.do(c.AddGrant("alice", "order", 5 * ONE, pending=True))
    assert world.account().available_micros == 0
    receipt = world.do(c.ActivateGrant("alice", "paid", 1))
    assert told_by(receipt, "kind", "balance") == ["grant", "5"]
    before = world.snapshot()
    again = world.do(c.ActivateGrant("alice", "paid again", 1))
    assert told_by(again, "kind", "number", "balance") == ["nothing", "0", "5"]
    assert world.snapshot() == before


def test_a_payment_that_failed_never_revives_its_grant() -> None:
    world = World()
    world.do(c.AddGrant("alice", "order", 5 * ONE, pending=True))
    world.do(c.FailGrant("alice", "failed", 1))
    assert world.do(c.FailGrant("alice", "failed again", 1)).kind == "nothing"
    error = world.refusal(c.ActivateGrant("alice", "paid", 1))
    assert isinstance(error, GrantClosedError)
    check(world)


def test_a_pending_grant_waits_for_its_beginning_too() -> None:
    world = World()
    world.do(c.AddGrant("alice", "a", ONE, effective_at=START + HOUR, pending=True))
    assert world.do(c.ActivateGrant("alice", "paid", 1)).kind == "pledge"
    assert world.account().available_micros == 0
    world.do(c.Consume("alice", "k", ONE), START + HOUR)


def test_a_pending_grant_lapses_at_its_end() -> None:
    world = World()
    world.do(c.AddGrant("alice", "a", ONE, expires_at=START + HOUR, pending=True))
    error = world.refusal(c.ActivateGrant("alice", "paid", 1), START + HOUR)
    assert isinstance(error, GrantClosedError)
    assert error.state == "expired"


# Revoking


def test_revoking_forfeits_what_is_unspent_and_never_what_was_spent() -> None:
    world = World()
    world.do(c.AddGrant("alice", "a", 10 * ONE))
    charge = world.do(c.Consume("alice", "c", 4 * ONE))
    receipt = world.do(c.RevokeGrant("alice", "r", 1))
    assert told_by(receipt, "amount", "balance") == ["6", "0"]
    assert world.state(1) == "revoked"
    assert world.do(c.RevokeGrant("alice", "r2", 1)).kind == "nothing"
    # What comes back to a revoked grant is not spendable.
    refund = world.do(c.Refund("alice", "back", charge.number))
    assert told_by(refund, "amount", "balance", "expired") == ["4", "0", "0"]
    check(world)


def test_revoking_what_is_spent_keeps_a_refund_from_reviving_it() -> None:
    world = World()
    world.do(c.AddGrant("alice", "a", 4 * ONE))
    charge = world.do(c.Consume("alice", "c", 4 * ONE))
    assert world.do(c.RevokeGrant("alice", "r", 1)).kind == "revoke"
    assert world.do(c.Refund("alice", "back", charge.number)).balance == 0
    check(world)


def test_a_part_can_be_revoked_and_the_grant_lives_on() -> None:
    world = World()
    world.do(c.AddGrant("alice", "a", 10 * ONE))
    world.do(c.RevokeGrant("alice", "r", 1, 3 * ONE))
    assert world.account().available_micros == 7 * ONE
    charge = world.do(c.Consume("alice", "c", 7 * ONE))
    world.do(c.Refund("alice", "back", charge.number))
    assert world.account().available_micros == 7 * ONE


def test_what_is_held_of_a_revoked_grant_can_be_captured_and_is_not_given_back() -> None:
    world = World()
    world.do(c.AddGrant("alice", "a", 10 * ONE))
    hold = world.do(c.PlaceHold("alice", "h", 4 * ONE, HOUR))
    assert world.do(c.RevokeGrant("alice", "r", 1)).amount == 6
    assert world.state(1) == "revoking"
    receipt = world.do(c.CaptureHold("alice", "c", hold.number, 3 * ONE))
    assert told_by(receipt, "amount", "balance", "held") == ["3", "0", "0"]
    assert world.state(1) == "revoked"
    check(world)


@pytest.mark.parametrize("wait", [{"pending": True}, {"effective_at": START + HOUR}])
def test_what_waits_can_be_revoked(wait: dict[str, object]) -> None:
    world = World()
    world.do(c.AddGrant("alice", "a", 10 * ONE)._replace(**wait))  # type: ignore[arg-type]
    world.do(c.RevokeGrant("alice", "part", 1, 4 * ONE))
    assert world.state(1) in {"pending", "scheduled"}
    assert world.books["alice"].grants[1].remaining_micros == 6 * ONE
    world.do(c.RevokeGrant("alice", "rest", 1, 6 * ONE))
    assert world.state(1) == "revoked"
    world.do(c.Settle("alice", "look"), START + DAY)
    assert world.account().available_micros == 0
    check(world)


# Room


def test_an_account_counts_up_to_its_limit() -> None:
    world = World()
    world.do(c.AddGrant("alice", "most", MAX_MICROS - 1))
    world.do(c.AddGrant("alice", "last", 1))
    for number, waits in enumerate(({}, {"pending": True}, {"effective_at": START + DAY})):
        command = c.AddGrant("alice", f"more {number}", 1)._replace(**waits)  # type: ignore[arg-type]
        error = world.refusal(command)
        assert isinstance(error, InvalidAmountError)
        assert "spend some first" in str(error)


def test_nothing_that_time_does_is_more_than_an_account_can_count() -> None:
    """A hold that ends, or a grant that begins, must not stop the account for ever."""
    world = World()
    world.do(c.AddGrant("alice", "most", MAX_MICROS))
    world.do(c.PlaceHold("alice", "all", MAX_MICROS, HOUR))
    assert isinstance(world.refusal(c.AddGrant("alice", "more", 1)), InvalidAmountError)
    charge = world.do(c.CaptureHold("alice", "capture", 2, MAX_MICROS - 5))
    world.do(c.AddGrant("alice", "again", MAX_MICROS - 5, effective_at=START + HOUR))
    assert isinstance(world.refusal(c.Refund("alice", "r", charge.number)), InvalidAmountError)
    world.do(c.AddGrant("bob", "bob", 1))
    assert isinstance(world.refusal(c.Transfer("bob", "t", "alice", 1)), InvalidAmountError)
    world.do(c.Settle("alice", "look"), START + DAY)
    assert world.account().available_micros == MAX_MICROS
