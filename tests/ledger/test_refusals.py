"""Every refusal: its class, its words and numbers, and which one wins when several apply."""

import copy
import pickle
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

import pytest

from aiocredits import _commands as c
from aiocredits import errors
from aiocredits._amounts import MAX_MICROS
from tests.ledger.world import ONE, START, World

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

GRANT, SPENT, PENDING, FAILED, HOLD, CAPTURED, TIMED_OUT, CHARGE = 1, 2, 3, 5, 6, 7, 9, 10
"""What the entries of alice's account brought into being."""


def alice(status: str = "open") -> World:
    """Return a world in which alice has one of everything, and 10 credits to spend."""
    world = World()

    def do(expected: int, command: c.Command, at: datetime = START) -> None:
        assert world.do(command, at).number == expected

    do(GRANT, c.AddGrant("alice", "grant", 20 * ONE, priority=90))
    do(SPENT, c.AddGrant("alice", "spent", ONE, expires_at=START + DAY))
    do(PENDING, c.AddGrant("alice", "pending", 3 * ONE, pending=True))
    do(4, c.AddGrant("alice", "to fail", 3 * ONE, pending=True))
    do(FAILED, c.FailGrant("alice", "failed", 4))
    do(HOLD, c.PlaceHold("alice", "hold", 4 * ONE, HOUR))
    do(CAPTURED, c.PlaceHold("alice", "captured", ONE, HOUR))
    do(8, c.CaptureHold("alice", "capture", CAPTURED))
    do(TIMED_OUT, c.PlaceHold("alice", "timed out", ONE, MINUTE))
    do(CHARGE, c.Consume("alice", "charge", 6 * ONE))
    do(12, c.Configure("alice", "limit", overdraft_limit_micros=2 * ONE), START + MINUTE)
    if status != "open":
        world.do(c.Configure("alice", "status", status), START + MINUTE)  # type: ignore[arg-type]
    return world


NOW = START + MINUTE


class Case(NamedTuple):
    command: c.Command
    error: type[errors.RefusalError]
    code: str
    words: str
    fields: dict[str, object]


CASES = {
    "insufficient": Case(
        c.Consume("alice", "k", 11 * ONE + 500_000, service="chat"),
        errors.InsufficientCreditsError,
        "insufficient_credits",
        "account 'alice' needs 11.5 credits for 'chat' and has 10: 1.5 credits are missing; add "
        "credits and try again",
        {
            "required": Decimal("11.5"),
            "available": Decimal(10),
            "shortfall": Decimal("1.5"),
            "service": "chat",
        },
    ),
    "insufficient to hold": Case(
        c.PlaceHold("alice", "k", 11 * ONE, HOUR),
        errors.InsufficientCreditsError,
        "insufficient_credits",
        "needs 11 credits and has 10: 1 credits are missing",
        {"required": Decimal(11), "available": Decimal(10), "shortfall": Decimal(1)},
    ),
    "insufficient to extend": Case(
        c.ExtendHold("alice", "k", HOLD, amount_micros=11 * ONE),
        errors.InsufficientCreditsError,
        "insufficient_credits",
        "needs 11 credits and has 10",
        {"required": Decimal(11), "available": Decimal(10), "shortfall": Decimal(1)},
    ),
    "insufficient to transfer": Case(
        c.Transfer("alice", "k", "bob", 11 * ONE),
        errors.InsufficientCreditsError,
        "insufficient_credits",
        "needs 11 credits and has 10",
        {"required": Decimal(11), "available": Decimal(10), "shortfall": Decimal(1)},
    ),
    "insufficient to capture more": Case(
        c.CaptureHold("alice", "k", HOLD, 15 * ONE, if_over="available"),
        errors.InsufficientCreditsError,
        "insufficient_credits",
        "needs 11 credits and has 10",
        {"required": Decimal(11), "available": Decimal(10), "shortfall": Decimal(1)},
    ),
    "insufficient to revoke": Case(
        c.RevokeGrant("alice", "k", GRANT, 11 * ONE),
        errors.InsufficientCreditsError,
        "insufficient_credits",
        "needs 11 credits and has 10",
        {"required": Decimal(11), "available": Decimal(10), "shortfall": Decimal(1)},
    ),
    "overdraft": Case(
        c.Consume("alice", "k", 12 * ONE + 1, if_short="overdraft"),
        errors.OverdraftLimitError,
        "overdraft_limit",
        "account 'alice' needs 12.000001 credits, has 10 and owes 0 of an overdraft limit of 2: "
        "0.000001 credits too many; add credits or raise the limit",
        {
            "required": Decimal("12.000001"),
            "available": Decimal(10),
            "overdraft": Decimal(0),
            "overdraft_limit": Decimal(2),
            "shortfall": Decimal("0.000001"),
        },
    ),
    "overdraft by capture": Case(
        c.CaptureHold("alice", "k", HOLD, 17 * ONE, if_over="overdraft"),
        errors.OverdraftLimitError,
        "overdraft_limit",
        "needs 13 credits, has 10",
        {"required": Decimal(13), "available": Decimal(10), "shortfall": Decimal(1)},
    ),
    "no grant": Case(
        c.ActivateGrant("alice", "k", 99),
        errors.NotFoundError,
        "not_found",
        "account 'alice' (credits) has no grant 'alice:99': use the id that its receipt gave",
        {"noun": "grant", "id": "alice:99"},
    ),
    "a hold is no grant": Case(
        c.RevokeGrant("alice", "k", HOLD),
        errors.NotFoundError,
        "not_found",
        "has no grant 'alice:6'",
        {"noun": "grant", "id": "alice:6"},
    ),
    "a charge is no hold": Case(
        c.CaptureHold("alice", "k", CHARGE),
        errors.NotFoundError,
        "not_found",
        "has no hold 'alice:10'",
        {"noun": "hold", "id": "alice:10"},
    ),
    "a hold is no charge": Case(
        c.Refund("alice", "k", HOLD),
        errors.NotFoundError,
        "not_found",
        "has no charge 'alice:6'",
        {"noun": "charge", "id": "alice:6"},
    ),
    "a grant of somebody else": Case(
        c.SetExpiry("bob", "k", GRANT, None),
        errors.NotFoundError,
        "not_found",
        "account 'bob' (credits) has no grant 'bob:1'",
        {"user_id": "bob", "noun": "grant", "id": "bob:1"},
    ),
    "grant failed": Case(
        c.ActivateGrant("alice", "k", 4),
        errors.GrantClosedError,
        "grant_closed",
        "account 'alice' (credits): grant 'alice:4' is failed, so it cannot be activated; add a "
        "new grant instead",
        {"id": "alice:4", "state": "failed"},
    ),
    "grant active": Case(
        c.FailGrant("alice", "k", GRANT),
        errors.GrantClosedError,
        "grant_closed",
        "grant 'alice:1' is live, so it cannot fail",
        {"id": "alice:1", "state": "live"},
    ),
    "grant spent": Case(
        c.SetExpiry("alice", "k", 4, None),
        errors.GrantClosedError,
        "grant_closed",
        "so it cannot change its expiry",
        {"id": "alice:4", "state": "failed"},
    ),
    "hold timed out": Case(
        c.CaptureHold("alice", "k", TIMED_OUT),
        errors.HoldExpiredError,
        "hold_expired",
        "account 'alice' (credits): hold 'alice:9' timed out at 2026-01-31T00:00:00+00:00 and "
        "freed its credits; charge with consume_credits(), and hold longer or extend_hold() "
        "in time",
        {"id": "alice:9", "expired_at": START + MINUTE},
    ),
    "hold timed out, extended": Case(
        c.ExtendHold("alice", "k", TIMED_OUT, HOUR),
        errors.HoldExpiredError,
        "hold_expired",
        "timed out",
        {"id": "alice:9"},
    ),
    "hold captured": Case(
        c.CaptureHold("alice", "k", CAPTURED),
        errors.HoldClosedError,
        "hold_closed",
        "account 'alice' (credits): hold 'alice:7' is already captured; place a new hold, or "
        "capture with final=False while more is to come",
        {"id": "alice:7", "state": "captured"},
    ),
    "capture exceeds": Case(
        c.CaptureHold("alice", "k", HOLD, 5 * ONE),
        errors.CaptureExceedsHoldError,
        "capture_exceeds_hold",
        "account 'alice': hold 'alice:6' has 4 credits left and 5 were to be captured, 1 too many; "
        'pass if_over="available", "cap" or "overdraft", or extend_hold() first',
        {"id": "alice:6", "required": Decimal(5), "held": Decimal(4), "shortfall": Decimal(1)},
    ),
    "refund exceeds": Case(
        c.Refund("alice", "k", CHARGE, 6 * ONE + 1),
        errors.RefundExceedsChargeError,
        "refund_exceeds_charge",
        "account 'alice': charge 'alice:10' has 6 credits left to refund and 6.000001 were asked "
        "for; refund at most 6, or add credits instead",
        {"id": "alice:10", "required": Decimal("6.000001"), "refundable": Decimal(6)},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_refusal_says_who_what_and_how_much_and_changes_nothing(name: str) -> None:
    case, world = CASES[name], alice()
    before = world.snapshot()
    error = world.refusal(case.command, NOW)
    assert type(error) is case.error
    assert error.code == case.code
    assert case.words in str(error)
    for field, value in ({"user_id": "alice", "unit": "credits"} | case.fields).items():
        assert getattr(error, field) == value
    assert world.snapshot() == before
    assert not any(world.last.changes)


def pickled(error: Exception) -> Exception:
    clone: Exception = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
    return clone


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("clone", [copy.copy, copy.deepcopy, pickled])
def test_a_refusal_travels(name: str, clone: Callable[[Exception], Exception]) -> None:
    error = alice().refusal(CASES[name].command, NOW)
    other = clone(error)
    assert type(other) is type(error)
    assert str(other) == str(error)
    assert other.__dict__ == error.__dict__
    assert other.args == error.args


ALL = [
    cls
    for cls in vars(errors).values()
    if isinstance(cls, type) and issubclass(cls, errors.CreditError)
]


def test_every_error_has_a_base_and_a_code_of_its_own() -> None:
    codes = [cls.code for cls in ALL]
    assert len(set(codes)) == len(codes)
    assert all(cls.__doc__ and "code" in vars(cls) for cls in ALL)
    assert issubclass(errors.InvalidInputError, ValueError)
    assert issubclass(errors.NotFoundError, LookupError)
    assert not any(
        issubclass(cls, errors.StorageError) for cls in ALL if cls.__name__.startswith("Insuf")
    )


def test_errors_of_the_program_and_the_database_travel_too() -> None:
    for error in (
        errors.OutcomeUnknownError("nobody knows", key="~k"),
        errors.ContentionError("busy"),
        errors.UsageError("write it so"),
        errors.InvalidAmountError("too much", 10**30),
    ):
        clone = pickled(error)
        assert (type(clone), clone.args, clone.__dict__) == (
            type(error),
            error.args,
            error.__dict__,
        )


def test_refusals_of_input_by_the_books_leave_no_trace() -> None:
    world = alice()
    before = world.snapshot()
    bad: list[tuple[c.Command, type[Exception], str]] = [
        (
            c.AddGrant("alice", "k", ONE, priority=101),
            errors.InvalidInputError,
            "0 (burns first) to",
        ),
        (c.AddGrant("alice", "k", ONE, priority=-1), errors.InvalidInputError, "priority -1"),
        (c.AddGrant("alice", "k", ONE, expires_at=NOW), errors.InvalidExpiryError, "is not after"),
        (
            c.AddGrant("alice", "k", ONE, effective_at=NOW + DAY, expires_at=NOW + DAY),
            errors.InvalidExpiryError,
            "nothing could ever be spent",
        ),
        (c.SetExpiry("alice", "k", GRANT, NOW), errors.InvalidExpiryError, "is not after"),
        (
            c.PlaceHold("alice", "k", ONE, timedelta(0)),
            errors.InvalidExpiryError,
            "at most 30 days",
        ),
        (c.PlaceHold("alice", "k", ONE, -DAY), errors.InvalidExpiryError, "more than nothing"),
        (c.PlaceHold("alice", "k", ONE, 30 * DAY + MINUTE), errors.InvalidExpiryError, "30 days"),
        (c.ExtendHold("alice", "k", HOLD, timedelta(0)), errors.InvalidExpiryError, "30 days"),
        (
            c.PlaceHold("alice", "k", 11 * ONE, HOUR, if_short="overdraft"),
            errors.InvalidInputError,
            'if_over="overdraft"',
        ),
        (
            c.Consume("alice", "k", ONE, occurred_at=NOW + timedelta(microseconds=1)),
            errors.InvalidInputError,
            "the present of account 'alice'",
        ),
        (c.Transfer("alice", "k", "alice", ONE), errors.InvalidInputError, "transfer to itself"),
        (
            c.Configure("alice", "k", time_zone="Mars/Olympus"),
            errors.InvalidInputError,
            "Europe/Berlin",
        ),
        (c.Configure("alice", "k", time_zone="../etc/passwd"), errors.InvalidInputError, "IANA"),
        (c.Configure("alice", "k", time_zone=""), errors.InvalidInputError, "IANA"),
        (c.Configure("alice", "k", time_zone="America"), errors.InvalidInputError, "IANA"),
        (c.AddGrant("alice", "k", MAX_MICROS), errors.InvalidAmountError, "spend some first"),
    ]
    for command, kind, words in bad:
        error = world.refusal(command, NOW)
        assert type(error) is kind, command
        assert words in str(error)
        assert world.snapshot() == before
        assert not any(world.last.changes)


# Which refusal wins

CLOSED, FROZEN = errors.AccountClosedError, errors.AccountFrozenError
OK: None = None

MATRIX: dict[str, tuple[c.Command, type[Exception] | None, type[Exception] | None]] = {
    # verb: command, on a frozen account, on a closed one
    "add_credits": (c.AddGrant("alice", "k", ONE), OK, CLOSED),
    "activate_grant": (c.ActivateGrant("alice", "k", PENDING), OK, CLOSED),
    "fail_grant": (c.FailGrant("alice", "k", PENDING), OK, CLOSED),
    "revoke_grant": (c.RevokeGrant("alice", "k", GRANT), OK, CLOSED),
    "set_expiry": (c.SetExpiry("alice", "k", GRANT, NOW + DAY), OK, CLOSED),
    "consume_credits": (c.Consume("alice", "k", ONE), FROZEN, CLOSED),
    "late usage": (c.Consume("alice", "k", ONE, occurred_at=START), FROZEN, CLOSED),
    "hold_credits": (c.PlaceHold("alice", "k", ONE, HOUR), FROZEN, CLOSED),
    "capture_hold": (c.CaptureHold("alice", "k", HOLD), OK, CLOSED),
    "capture above": (
        c.CaptureHold("alice", "k", HOLD, 5 * ONE, if_over="available"),
        FROZEN,
        CLOSED,
    ),
    "capture in debt": (
        c.CaptureHold("alice", "k", HOLD, 5 * ONE, if_over="overdraft"),
        FROZEN,
        CLOSED,
    ),
    "capture capped": (c.CaptureHold("alice", "k", HOLD, 5 * ONE, if_over="cap"), OK, CLOSED),
    "release_hold": (c.ReleaseHold("alice", "k", HOLD), OK, OK),
    "extend_hold": (c.ExtendHold("alice", "k", HOLD, HOUR), OK, CLOSED),
    "extend with more": (c.ExtendHold("alice", "k", HOLD, HOUR, ONE), FROZEN, CLOSED),
    "refund_credits": (c.Refund("alice", "k", CHARGE), OK, CLOSED),
    "transfer out": (c.Transfer("alice", "k", "bob", ONE), FROZEN, CLOSED),
    "transfer in": (c.Transfer("bob", "k", "alice", ONE), OK, CLOSED),
    "set_overdraft_limit": (c.Configure("alice", "k", overdraft_limit_micros=ONE), OK, CLOSED),
    "set_time_zone": (c.Configure("alice", "k", time_zone="Europe/Berlin"), OK, CLOSED),
    "freeze_account": (c.Configure("alice", "k", "frozen", "open"), OK, CLOSED),
    "unfreeze_account": (c.Configure("alice", "k", "open", "frozen"), OK, CLOSED),
    "close_account": (c.Configure("alice", "k", "closed"), OK, OK),
    "reopen_account": (c.Configure("alice", "k", "open", "closed"), OK, OK),
    "run_maintenance": (c.Settle("alice", "k"), OK, OK),
}


@pytest.mark.parametrize("status", ["open", "frozen", "closed"])
@pytest.mark.parametrize("verb", MATRIX)
def test_what_a_status_forbids(status: str, verb: str) -> None:
    command, frozen, closed = MATRIX[verb]
    world = alice(status)
    world.do(c.AddGrant("bob", "bob", ONE))
    expected = {"open": None, "frozen": frozen, "closed": closed}[status]
    (outcome,) = world.apply(command, at=NOW)
    if expected is None:
        assert isinstance(outcome, c.Accepted)
    else:
        assert isinstance(outcome, c.Refused)
        assert type(outcome.error) is expected
        assert "alice" in str(outcome.error)


PRECEDENCE: list[tuple[str, c.Command, type[Exception]]] = [
    # The account's status comes before what is named …
    ("closed", c.ActivateGrant("alice", "k", 99), CLOSED),
    ("closed", c.CaptureHold("alice", "k", 99), CLOSED),
    ("closed", c.Refund("alice", "k", 99), CLOSED),
    ("closed", c.CaptureHold("alice", "k", TIMED_OUT), CLOSED),
    ("frozen", c.ExtendHold("alice", "k", 99, HOUR, ONE), FROZEN),
    # … and before what is asked for.
    ("closed", c.AddGrant("alice", "k", MAX_MICROS, priority=101, expires_at=START), CLOSED),
    ("closed", c.Consume("alice", "k", 99 * ONE), CLOSED),
    ("frozen", c.Consume("alice", "k", 99 * ONE), FROZEN),
    ("frozen", c.Consume("alice", "k", ONE, occurred_at=NOW + DAY), FROZEN),
    ("frozen", c.PlaceHold("alice", "k", 99 * ONE, timedelta(0)), FROZEN),
    ("frozen", c.Transfer("alice", "k", "bob", 99 * ONE), FROZEN),
    ("closed", c.SetExpiry("alice", "k", GRANT, START), CLOSED),
    ("closed", c.Configure("alice", "k", time_zone="Mars/Olympus"), CLOSED),
    # A transfer to oneself can never work, whatever the status.
    ("closed", c.Transfer("alice", "k", "alice", ONE), errors.InvalidInputError),
    # What is named, before the state that it is in, before an instant, before an amount.
    ("open", c.CaptureHold("alice", "k", 99, 99 * ONE), errors.NotFoundError),
    ("open", c.CaptureHold("alice", "k", TIMED_OUT, 99 * ONE), errors.HoldExpiredError),
    ("open", c.CaptureHold("alice", "k", CAPTURED, 99 * ONE), errors.HoldClosedError),
    ("open", c.ExtendHold("alice", "k", 99, timedelta(0)), errors.NotFoundError),
    ("open", c.ExtendHold("alice", "k", TIMED_OUT, timedelta(0)), errors.HoldExpiredError),
    ("open", c.ExtendHold("alice", "k", HOLD, timedelta(0), 99 * ONE), errors.InvalidExpiryError),
    ("open", c.SetExpiry("alice", "k", 99, START), errors.NotFoundError),
    ("open", c.SetExpiry("alice", "k", 4, START), errors.GrantClosedError),
    ("open", c.PlaceHold("alice", "k", 99 * ONE, timedelta(0)), errors.InvalidExpiryError),
    ("open", c.AddGrant("alice", "k", MAX_MICROS, expires_at=START), errors.InvalidExpiryError),
    (
        "open",
        c.Consume("alice", "k", 99 * ONE, occurred_at=NOW + DAY),
        errors.InvalidInputError,
    ),
    # A capture above its hold: first that it is above, then the status, then the shortage.
    ("frozen", c.CaptureHold("alice", "k", HOLD, 99 * ONE), errors.CaptureExceedsHoldError),
    ("frozen", c.CaptureHold("alice", "k", HOLD, 99 * ONE, if_over="available"), FROZEN),
    (
        "frozen",
        c.CaptureHold("alice", "k", TIMED_OUT, 99 * ONE, if_over="overdraft"),
        errors.HoldExpiredError,
    ),
    # if_short decides which shortage it is.
    ("open", c.Consume("alice", "k", 99 * ONE, if_short="overdraft"), errors.OverdraftLimitError),
]


@pytest.mark.parametrize(("status", "command", "expected"), PRECEDENCE)
def test_which_refusal_wins(status: str, command: c.Command, expected: type[Exception]) -> None:
    assert type(alice(status).refusal(command, NOW)) is expected


def test_the_first_refusal_of_a_group_is_the_groups() -> None:
    world = alice()
    group = c.Linked(
        (
            c.Consume("alice", "1", ONE),
            c.CaptureHold("alice", "2", 99),
            c.Consume("alice", "3", 99 * ONE),
        )
    )
    before = world.snapshot()
    assert isinstance(world.refusal(group, NOW), errors.NotFoundError)
    assert world.snapshot() == before


def test_a_senders_refusal_comes_before_the_receivers() -> None:
    world = alice("closed")
    world.do(c.Configure("bob", "freeze", "frozen", "open"))
    error = world.refusal(c.Transfer("bob", "k", "alice", ONE), NOW)
    assert isinstance(error, FROZEN)
    assert error.user_id == "bob"
