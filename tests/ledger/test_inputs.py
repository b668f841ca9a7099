"""Input that no books would take: each kind of it, the class of its error and its message."""

import enum
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, TypeAlias
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiocredits import commands
from aiocredits._amounts import MAX_MICROS, plain, to_credits, to_micros, to_micros_or_zero
from aiocredits._names import account_name, make_id, parse_id, split_account
from aiocredits.errors import (
    CreditError,
    InvalidAmountError,
    InvalidExpiryError,
    InvalidInputError,
    InvalidNameError,
)
from tests.ledger.histories import law

Build = Callable[..., object]
Anything: TypeAlias = Any

MOST = "9223372036854.775807"

AMOUNTS = [
    (0.1, 'use Decimal("0.1") or "0.1"'),
    (2.0, 'use Decimal("2.0") or "2.0"'),
    (float("nan"), "is a float"),
    (True, "True is a bool"),
    (False, "False is a bool"),
    (Decimal("NaN"), "not a finite amount"),
    (Decimal("sNaN"), "not a finite amount"),
    ("nan", "not a finite amount"),
    (Decimal("Infinity"), "not a finite amount"),
    ("-inf", "not a finite amount"),
    (-1, "cannot be negative"),
    ("-0.000001", "cannot be negative"),
    (Decimal(-5), "cannot be negative"),
    (0, "must be above zero"),
    ("0.0", "must be above zero"),
    ("0e999999999", "must be above zero"),
    (Decimal("-0"), "must be above zero"),
    ("0.0000001", "has 6 decimals"),
    (Decimal("1.1234567"), "has 6 decimals"),
    ("1e-999999999", "has 6 decimals"),
    ("-0.0000001", "has 6 decimals"),
    ("1e999999999", f"at most {MOST}"),
    ("1e9999999999999999999999", "not a number"),
    (10**13, f"at most {MOST}"),
    ("9223372036854.775808", f"at most {MOST}"),
    (10**5000, f"at most {MOST}"),
    (-(10**5000), "cannot be negative"),
    ("9" * 5000, f"at most {MOST}"),
    ("", "not a number"),
    ("1 000", "not a number"),
    ("1,5", "not a number"),
    ("ten", "not a number"),
    ("0x10", "not a number"),
    (None, "is a NoneType"),
    (b"5", "is a bytes"),
    ([5], "is a list"),
]


def a_short_name(value: object) -> str:
    return f"{value!r:.30}" if not isinstance(value, int) or abs(value) < 10**20 else "huge"


@pytest.mark.parametrize(("amount", "message"), AMOUNTS, ids=a_short_name)
@pytest.mark.parametrize(
    "build",
    [
        lambda amount: commands.add_credits("alice", amount),
        lambda amount: commands.consume_credits("alice", amount),
        lambda amount: commands.hold_credits("alice", amount),
        lambda amount: commands.transfer_credits("alice", "bob", amount),
    ],
    ids=["add", "consume", "hold", "transfer"],
)
def test_what_is_no_amount(build: Build, amount: object, message: str) -> None:
    with pytest.raises(InvalidAmountError, match=re.escape(message)) as caught:
        build(amount)
    assert isinstance(caught.value, ValueError)
    assert caught.value.code == "invalid_amount"
    assert caught.value.amount is amount
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize(
    "build",
    [
        lambda amount: commands.capture_hold("alice:1", amount),
        lambda amount: commands.extend_hold("alice:1", credits=amount),
        lambda amount: commands.refund_credits("alice:1", amount),
        lambda amount: commands.revoke_grant("alice:1", amount),
    ],
    ids=["capture", "extend", "refund", "revoke"],
)
def test_where_an_amount_may_be_left_out_it_may_not_be_nothing(build: Build) -> None:
    for amount in (0, -1, 0.5, True, "0"):
        with pytest.raises(InvalidAmountError):
            build(amount)


def test_an_overdraft_limit_may_be_nothing_and_no_less() -> None:
    assert commands.set_overdraft_limit("alice", 0).overdraft_limit_micros == 0
    wrong: list[Anything] = [-1, 0.5, False, "1e-7", 10**13]
    for amount in wrong:
        with pytest.raises(InvalidAmountError):
            commands.set_overdraft_limit("alice", amount)


@pytest.mark.parametrize(
    ("amount", "micros"),
    [
        (1, 10**6),
        ("0.000001", 1),
        ("1e-6", 1),
        ("1E+3", 10**9),
        (" 5 ", 5 * 10**6),
        ("1_000", 10**9),
        ("+2", 2 * 10**6),
        (Decimal("0.10"), 10**5),
        ("1." + "0" * 5000, 10**6),
        ("0" * 5000 + "1", 10**6),
        (MOST, MAX_MICROS),
        (Decimal(MOST), MAX_MICROS),
        (9223372036854, 9223372036854 * 10**6),
    ],
    ids=a_short_name,
)
def test_what_is_an_amount(amount: Anything, micros: int) -> None:
    assert to_micros(amount) == micros


@law
@given(st.integers(1, MAX_MICROS))
def test_an_amount_comes_back_as_it_was_and_prints_plainly(micros: int) -> None:
    credits = to_credits(micros)
    assert to_micros(credits) == micros
    assert to_micros(plain(micros)) == micros
    assert str(credits) == plain(micros)
    assert re.fullmatch(r"(0|[1-9]\d*)(\.\d*[1-9])?", plain(micros))


@law
@given(st.one_of(st.decimals(), st.text(), st.integers(), st.floats(), st.booleans()))
def test_an_amount_is_exact_or_refused(amount: Anything) -> None:
    try:
        micros = to_micros_or_zero(amount)
    except InvalidAmountError:
        return
    else:
        assert not isinstance(amount, bool | float)
        assert 0 <= micros <= MAX_MICROS
        assert Decimal(micros).scaleb(-6) == Decimal(amount)


def test_numbers_print_plainly() -> None:
    assert [str(to_credits(n)) for n in (95 * 10**6, 250_000, 0, 100 * 10**6, -(10**6) // 2)] == [
        "95",
        "0.25",
        "0",
        "100",
        "-0.5",
    ]


# Names


class Member(enum.IntEnum):
    CAROL = 7


class Plan(enum.StrEnum):
    TEAM = "team"


BAD_USERS = [
    ("", "has 0 characters"),
    ("x" * 256, "has 256 characters"),
    ("a\nb", "control character"),
    ("a\x00", "control character"),
    ("a\x1fimages", "control character"),
    ("\x7f", "control character"),
    ("\x85", "control character"),
    ("\ud800", "control character"),
    (True, "is a bool"),
    (None, "is a NoneType"),
    (1.5, "is a float"),
    (b"alice", "is a bytes"),
    (("alice",), "is a tuple"),
    (10**255, "more than 255 digits"),
    (10**5000, "more than 255 digits"),
    (-(10**254), "has 256 characters"),
]


@pytest.mark.parametrize(("user_id", "message"), BAD_USERS, ids=a_short_name)
def test_who_is_nobody(user_id: Anything, message: str) -> None:
    with pytest.raises(InvalidNameError, match=re.escape(message)) as caught:
        commands.consume_credits(user_id, 1)
    assert isinstance(caught.value, ValueError)
    assert caught.value.code == "invalid_name"
    with pytest.raises(InvalidNameError):
        commands.transfer_credits("alice", user_id, 1)


@pytest.mark.parametrize(
    "user_id",
    [
        "a",
        "x" * 255,
        "O'Brien",
        "100%",
        "🦊",
        "'; DROP TABLE credit_accounts; --",
        "a:b:17",
        " ",
        "~",
        "\u200b",
        "é" * 255,
        "a\u2028b",
    ],
)
def test_any_other_text_is_somebody(user_id: str) -> None:
    assert account_name(user_id) == user_id
    assert split_account(account_name(user_id, "images")) == (user_id, "images")
    for unit in ("credits", "images"):
        assert parse_id(make_id(account_name(user_id, unit), 17)) == (
            account_name(user_id, unit),
            17,
        )


def test_an_account_is_named_by_its_canonical_text() -> None:
    some = UUID("12345678-1234-5678-1234-567812345678")
    assert account_name(7) == account_name("7") == account_name(Member.CAROL) == "7"
    assert account_name(-7) == "-7"
    assert account_name(some) == account_name(str(some))
    assert account_name(Plan.TEAM) == "team"


@pytest.mark.parametrize(
    "unit", ["", "Images", "9lives", "my unit", "x" * 65, "naïve", "a:b", None, 5, "images\n"]
)
def test_what_is_no_unit(unit: Anything) -> None:
    with pytest.raises(InvalidNameError, match='as in unit="images"'):
        commands.add_credits("alice", 1, unit=unit)


@pytest.mark.parametrize(
    "id",
    [
        *("", "alice", "alice:", ":17", "alice:x", "alice:-1", "alice:1.5", "alice:" + "9" * 19),
        *("alice:17:Images", "alice:²", "a\n:1", 17, None, "x" * 256 + ":1", "alice:17:"),
    ],
)
def test_what_is_no_id(id: Anything) -> None:
    builders: list[Build] = [
        commands.capture_hold,
        commands.release_hold,
        commands.extend_hold,
        commands.refund_credits,
        commands.revoke_grant,
        commands.activate_grant,
        commands.fail_grant,
        lambda it: commands.set_expiry(it, None),
    ]
    for build in builders:
        with pytest.raises(InvalidNameError):
            build(id)


@law
@given(
    st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=255),
    st.sampled_from(["credits", "images", "a.b-c_9"]),
    st.integers(0, 10**18 - 1),
)
def test_an_id_says_where_to_look(user: str, unit: str, number: int) -> None:
    account = account_name(user, unit)
    assert parse_id(make_id(account, number)) == (account, number)


@pytest.mark.parametrize(
    "key", ["", "x" * 256, "a\tb", "~mine", "~" + "A" * 32, "~" + "a" * 31, 5, b"k", "\udfff"]
)
def test_what_is_no_key(key: Anything) -> None:
    with pytest.raises(InvalidNameError, match="idempotency_key"):
        commands.consume_credits("alice", 1, idempotency_key=key)


def test_the_key_that_an_unknown_outcome_names_can_be_used_again() -> None:
    own = commands.consume_credits("alice", 1).key
    assert commands.consume_credits("alice", 1, idempotency_key=own).key == own


@pytest.mark.parametrize("name", ["", "x" * 256, "a\x1bb", 5, ["chat"]])
def test_what_is_no_service_and_no_actor(name: Anything) -> None:
    with pytest.raises(InvalidNameError, match="service"):
        commands.consume_credits("alice", 1, service=name)
    with pytest.raises(InvalidNameError, match="actor"):
        commands.hold_credits("alice", 1, actor=name)


@pytest.mark.parametrize(
    "scope", ["chat", 5, [], set(), [""], ["a\nb"], [None], [5], {"a": 1, "": 2}]
)
def test_what_is_no_scope(scope: Anything) -> None:
    with pytest.raises(InvalidNameError):
        commands.add_credits("alice", 1, scope=scope)


def test_a_scope_is_any_iterable_of_services() -> None:
    assert commands.add_credits("alice", 1, scope=(s for s in "ab")).scope == frozenset("ab")


# Instants, durations, choices, texts


@pytest.mark.parametrize(
    "instant",
    [
        datetime(2026, 12, 31),  # noqa: DTZ001 - that is the mistake
        "2026-12-31",
        1767139200,
        timedelta(days=1),
        datetime.max.replace(tzinfo=timezone(-timedelta(hours=5))),
        datetime.min.replace(tzinfo=timezone(timedelta(hours=5))),
    ],
    ids=str,
)
def test_what_is_no_instant(instant: Anything) -> None:
    builders: list[Build] = [
        lambda: commands.add_credits("alice", 1, expires_at=instant),
        lambda: commands.add_credits("alice", 1, effective_at=instant),
        lambda: commands.consume_credits("alice", 1, occurred_at=instant),
        lambda: commands.set_expiry("alice:1", instant),
    ]
    for build in builders:
        with pytest.raises(InvalidExpiryError) as caught:
            build()
        assert caught.value.code == "invalid_expiry"


def test_an_instant_is_kept_in_utc() -> None:
    noon = datetime(2026, 7, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    kept = commands.add_credits("alice", 1, expires_at=noon).expires_at
    assert kept == noon
    assert kept is not None
    assert kept.tzinfo is UTC


@pytest.mark.parametrize("timeout", ["60", True, float("nan"), float("inf"), 1e300, None, 10**400])
def test_what_is_no_timeout(timeout: Anything) -> None:
    with pytest.raises(InvalidExpiryError, match="timeout"):
        commands.hold_credits("alice", 1, timeout=timeout)


def test_a_timeout_is_a_timedelta_or_seconds() -> None:
    for timeout in (90, 90.0, timedelta(seconds=90)):
        assert commands.hold_credits("alice", 1, timeout=timeout).timeout == timedelta(seconds=90)


WRONG: dict[str, Build] = {
    "category": lambda: commands.add_credits("a", 1, category="free"),  # type: ignore[arg-type]
    "if_short": lambda: commands.consume_credits("a", 1, if_short="maybe"),  # type: ignore[arg-type]
    "if_short=": lambda: commands.hold_credits("a", 1, if_short=None),  # type: ignore[arg-type]
    "if_over": lambda: commands.capture_hold("a:1", if_over="partial"),  # type: ignore[arg-type]
    "priority": lambda: commands.add_credits("a", 1, priority=True),
    "priority=": lambda: commands.add_credits("a", 1, priority="1"),  # type: ignore[arg-type]
    "unit_cost": lambda: commands.add_credits("a", 1, unit_cost=0.1),  # type: ignore[arg-type]
    "unit_cost=": lambda: commands.add_credits("a", 1, unit_cost="-1"),
    "unit_cost='": lambda: commands.add_credits("a", 1, unit_cost="1e-13"),
    "unit_cost=D": lambda: commands.add_credits("a", 1, unit_cost=Decimal("NaN")),
    "unit_cost=T": lambda: commands.add_credits("a", 1, unit_cost=True),
    "unit_cost='t": lambda: commands.add_credits("a", 1, unit_cost="ten"),
    "unit_cost='1e": lambda: commands.add_credits("a", 1, unit_cost="1e99"),
    "description": lambda: commands.consume_credits("a", 1, None),  # type: ignore[arg-type]
    "description ": lambda: commands.consume_credits("a", 1, "x" * 10_001),
    "description '": lambda: commands.consume_credits("a", 1, "\0"),
    "description '\\u": lambda: commands.consume_credits("a", 1, "\ud800"),
    "metadata": lambda: commands.consume_credits("a", 1, metadata={"cost": 0.5}),  # type: ignore[dict-item]
    "metadata[": lambda: commands.consume_credits("a", 1, metadata={"x": [1]}),  # type: ignore[dict-item]
    "metadata key": lambda: commands.consume_credits("a", 1, metadata={1: "x"}),  # type: ignore[dict-item]
    "metadata=": lambda: commands.consume_credits("a", 1, metadata=["x"]),  # type: ignore[arg-type]
    "metadata='": lambda: commands.consume_credits("a", 1, metadata="x"),  # type: ignore[arg-type]
    "metadata['x']": lambda: commands.consume_credits("a", 1, metadata={"x": "\0"}),
}


@pytest.mark.parametrize("message", WRONG)
def test_what_is_no_argument(message: str) -> None:
    with pytest.raises(InvalidInputError, match=re.escape(message.rstrip(" "))) as caught:
        WRONG[message]()
    assert caught.value.code == "invalid_input"
    assert isinstance(caught.value, CreditError)


def test_a_unit_cost_has_one_form() -> None:
    costs = [commands.add_credits("a", 1, unit_cost=x).unit_cost for x in ("0.10", "1e-1", "0.1")]
    assert [str(cost) for cost in costs] == ["0.1"] * 3
    assert str(commands.add_credits("a", 1, unit_cost="1e3").unit_cost) == "1000"
    assert str(commands.add_credits("a", 1, unit_cost=Decimal("-0")).unit_cost) == "0"


def test_metadata_is_copied() -> None:
    mine = {"order": 17}
    kept = commands.consume_credits("alice", 1, metadata=mine).metadata
    mine["order"] = 18
    assert kept == {"order": 17}
