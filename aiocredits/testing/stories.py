"""Histories written by hand: each tells one part of the contract from its beginning to its edges.

The numbers of grants, holds and charges are the versions of the entries that made them. Every story
is told to the ledger and to a storage, and what they answer is compared; so no story says what is
right, only what is worth asking.
"""

# ruff: noqa: ANN401 - fields of commands are named by hand, and mypy checks the commands

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any, TypeAlias

from aiocredits._amounts import MAX_MICROS, ONE_CREDIT
from aiocredits._commands import (
    ActivateGrant,
    AddGrant,
    CaptureHold,
    Command,
    Configure,
    Consume,
    ExtendHold,
    FailGrant,
    Linked,
    PlaceHold,
    Refund,
    ReleaseHold,
    RevokeGrant,
    SetExpiry,
    Settle,
    Transfer,
)
from aiocredits._names import account_name
from aiocredits.testing.clock import BEGINNING
from aiocredits.testing.histories import Step

Story: TypeAlias = Callable[[], Sequence[Step]]

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
MOMENT = timedelta(microseconds=1)
A, B, C = "alice", "bob", "carol"

NAMES = (
    "7",
    "o'Brien",
    'say "hello"',
    "100 % _ \\ sure?",
    "'; DROP TABLE credit_accounts; --",
    "$1 :name @p ?1 {x}",
    "😀👩‍👩‍👧",
    "Ünïcödé \u202eright to left",
    " leading and trailing ",
    "NULL",
    "a" * 255,
    "😀" * 255,
)

_numbers = count(1)


def key() -> str:
    """Return a key as the library makes them for calls without one."""
    return f"~{next(_numbers):032x}"


def credits(amount: float | str) -> int:
    """Return credits in micro-credits."""
    return int(Decimal(str(amount)) * ONE_CREDIT)


def after(hours: float, *commands: Command) -> Step:
    """Return a step so many hours after the beginning."""
    return Step(BEGINNING + timedelta(hours=hours), commands)


def at(hours: float) -> datetime:
    """Return the instant so many hours after the beginning."""
    return BEGINNING + timedelta(hours=hours)


def grant(account: str = A, amount: float | str = 10, **terms: Any) -> AddGrant:
    """Return an `AddGrant` with a key of its own."""
    return AddGrant(account, key(), credits(amount))._replace(**terms)


def consume(account: str = A, amount: float | str = 1, **terms: Any) -> Consume:
    """Return a `Consume` with a key of its own."""
    return Consume(account, key(), credits(amount))._replace(**terms)


def hold(account: str = A, amount: float | str = 4, **terms: Any) -> PlaceHold:
    """Return a `PlaceHold` of one hour with a key of its own."""
    return PlaceHold(account, key(), credits(amount), HOUR)._replace(**terms)


def capture(number: int, amount: float | str | None = None, **terms: Any) -> CaptureHold:
    """Return a `CaptureHold` of alice's with a key of its own."""
    micros = None if amount is None else credits(amount)
    return CaptureHold(A, key(), number, micros)._replace(**terms)


def refund(number: int, amount: float | str | None = None, **terms: Any) -> Refund:
    """Return a `Refund` of alice's with a key of its own."""
    return Refund(A, key(), number, None if amount is None else credits(amount))._replace(**terms)


def transfer(target: str, amount: float | str, **terms: Any) -> Transfer:
    """Return a `Transfer` from alice with a key of its own."""
    return Transfer(A, key(), target, credits(amount))._replace(**terms)


def grants_begin_and_end() -> Sequence[Step]:
    """Live, scheduled, pending, activated, failed, expired, revoked whole and in part."""
    return [
        after(0, grant(expires_at=at(5)), grant(amount=3, effective_at=at(2), expires_at=at(4))),
        after(0, grant(amount=5, pending=True), grant(amount=6, pending=True, expires_at=at(1))),
        after(0, grant(amount=7, pending=True, effective_at=at(3)), ActivateGrant(A, key(), 5)),
        after(0, grant(amount=8, pending=True), RevokeGrant(A, key(), 7, credits(3))),
        after(0, ActivateGrant(A, key(), 3), ActivateGrant(A, key(), 3), FailGrant(A, key(), 3)),
        after(1, ActivateGrant(A, key(), 4), FailGrant(A, key(), 4), consume(amount=2)),
        after(1, FailGrant(A, key(), 7), FailGrant(A, key(), 7), ActivateGrant(A, key(), 7)),
        after(2, RevokeGrant(A, key(), 2, credits(1)), RevokeGrant(A, key(), 2, credits(9))),
        after(2, SetExpiry(A, key(), 2, at(6)), SetExpiry(A, key(), 1, at(2)), consume(amount=1)),
        after(4, SetExpiry(A, key(), 1, None), SetExpiry(A, key(), 1, at(7)), consume(amount=1)),
        after(6, Settle(A, key()), SetExpiry(A, key(), 2, at(9)), RevokeGrant(A, key(), 2)),
        after(7, RevokeGrant(A, key(), 5), RevokeGrant(A, key(), 5), RevokeGrant(A, key(), 999)),
        after(99, Settle(A, key()), consume(amount=1)),
    ]


def held_grants_end() -> Sequence[Step]:
    """What is held outlives its grant, and what is freed ends with it."""
    return [
        after(0, grant(expires_at=at(1)), grant(amount=5), hold(amount=12, timeout=5 * HOUR)),
        after(0, RevokeGrant(A, key(), 2), RevokeGrant(A, key(), 2)),  # 4: of which 2 are held
        after(1, Settle(A, key()), SetExpiry(A, key(), 1, at(9))),  # 5: the first grant ended
        after(2, capture(3, 9, final=False), ExtendHold(A, key(), 3, 9 * HOUR)),
        after(2, ReleaseHold(A, key(), 3), ReleaseHold(A, key(), 3), capture(3)),
        after(3, refund(6, 4), refund(6), refund(6, 1), grant(), consume(amount=10)),
    ]


def burning_in_order() -> Sequence[Step]:
    """Priority, expiry, category, cost, scope, beginning, number; and orders of one's own."""
    terms: tuple[dict[str, Any], ...] = (
        {},
        {"priority": 0, "scope": frozenset({"chat"})},
        {"priority": 100},
        {"expires_at": at(500)},
        {"expires_at": at(400), "unit_cost": Decimal("0.02")},
        {"expires_at": at(400), "unit_cost": Decimal("0.01")},
        {"expires_at": at(400), "category": "promo", "unit_cost": Decimal(3)},
        {"scope": frozenset({"chat", "search"})},
        {"effective_at": at(-1)},
        {"rolled_over": False},
    )
    orders = (
        ("unit_cost", "number"),
        ("category", "priority", "number"),
        ("effective_at", "scope"),
    )
    return [
        after(0, *(grant(amount=2, **t) for t in terms if "rolled_over" not in t)),
        *(after(1, consume(amount="2.5", service=s)) for s in ("chat", None, "search", "other")),
        *(after(2, consume(amount="1.5", burn_order=(*o, "number"))) for o in orders),
        after(3, consume(amount=3, service="chat"), consume(amount=99, if_short="partial")),
        after(3, grant(priority=101), grant(priority=-1), grant(expires_at=at(3))),
    ]


def running_short() -> Sequence[Step]:
    """Rejected, taken in part, owed up to the limit, and repaid first, oldest debt first."""
    return [
        after(0, consume(), consume(if_short="partial"), consume(if_short="overdraft")),
        after(0, Configure(A, key(), overdraft_limit_micros=credits(10)), grant(amount=3)),
        after(1, consume(amount=4), consume(amount=4, if_short="partial", service="chat")),
        after(1, consume(amount=4, if_short="overdraft", service="chat")),
        after(2, consume(amount=7, if_short="overdraft", service="search")),
        after(2, consume(amount=6, if_short="overdraft", service="search", actor="kim")),
        after(3, grant(amount=3, scope=frozenset({"search"}), unit_cost=Decimal("0.5"))),
        after(4, grant(amount=2, unit_cost=Decimal("0.1")), hold(amount=1, if_short="overdraft")),
        after(5, refund(6, 3), refund(7), Configure(A, key(), overdraft_limit_micros=0)),
        after(6, consume(if_short="overdraft"), grant(amount=50), consume(amount=45)),
        after(7, refund(6), refund(6, 1)),
    ]


def usage_reported_late() -> Sequence[Step]:
    """Late usage takes what was valid then, what of it has expired since included."""
    return [
        after(0, grant(expires_at=at(2)), grant(amount=5, effective_at=at(3), expires_at=at(8))),
        after(0, Configure(A, key(), time_zone="Pacific/Auckland")),
        after(3, Settle(A, key()), consume(amount=4, occurred_at=at(1), service="chat")),
        after(4, consume(amount=4, occurred_at=at(2) - MOMENT), consume(occurred_at=at(2))),
        after(5, consume(amount=3, occurred_at=at(-30)), consume(amount=9, occurred_at=at(4))),
        after(5, consume(occurred_at=at(6)), refund(7, 2), refund(7)),
        after(9, consume(amount=2, occurred_at=at(1), if_short="partial")),
        after(9, grant(amount=1), consume(amount=9, occurred_at=at(1), if_short="partial")),
    ]


def holding() -> Sequence[Step]:
    """Captures in parts, above the hold in each way, releases, extensions and timeouts."""
    return [
        after(0, grant(amount=6, expires_at=at(50)), grant(amount=20, scope=frozenset({"chat"}))),
        after(0, hold(amount=10), hold(amount=10, if_short="partial"), hold(amount=1)),
        after(0, hold(amount=8, service="chat", actor="kim", description="work")),  # 4
        after(0.5, capture(4, 1, final=False), capture(4, 2, final=False)),
        after(0.5, capture(4, 6), capture(4, 6, if_over="cap", final=False), capture(4)),
        after(1, hold(amount=3, service="chat"), ExtendHold(A, key(), 9, 2 * HOUR, credits(2))),
        after(1, ExtendHold(A, key(), 9, None, credits(99)), ExtendHold(A, key(), 9, 31 * DAY)),
        after(2, capture(9, 7, if_over="available"), ExtendHold(A, key(), 9, HOUR)),
        after(2, hold(amount=2, service="chat"), hold(amount=2, service="chat", timeout=31 * DAY)),
        after(2, hold(amount=1, service="chat", timeout=DAY), hold(amount=1, service="chat")),
        after(3, capture(12), ReleaseHold(A, key(), 12), ExtendHold(A, key(), 12, HOUR)),
        after(4, capture(13, 30, if_over="available"), capture(13, 30, if_over="overdraft")),
        after(4, Configure(A, key(), overdraft_limit_micros=credits(100))),
        after(5, capture(13, 30, if_over="overdraft")),
        after(6, refund(18, 4), grant(amount=9), refund(18, 20), refund(11), refund(7, 1)),
        after(60, Settle(A, key()), capture(999), ReleaseHold(A, key(), 999), hold(timeout=-HOUR)),
    ]


def refunding() -> Sequence[Step]:
    """Back to the grants that paid, last slice first; never too much; lost if they ended."""
    return [
        after(0, grant(amount=2, expires_at=at(3)), grant(amount=2, unit_cost=Decimal(1))),
        after(0, grant(amount=9, priority=90), consume(amount=7, service="chat")),
        after(0, refund(4, 8)),
        after(1, refund(4, 1), refund(4, 2), refund(1), refund(99), refund(5)),
        after(4, refund(4), refund(4), consume(amount=6)),
        after(5, RevokeGrant(A, key(), 2), grant(amount=1), refund(8), hold(amount=3)),
        after(5, capture(11, 2), RevokeGrant(A, key(), 3), RevokeGrant(A, key(), 9)),
        after(6, refund(12, 1), refund(12), refund(12)),
        after(7, grant(B), consume(B, 3), Refund(B, key(), 2), Refund(B, key(), 2)),
        after(7, Linked((consume(B, 2), Refund(B, key(), 4), Refund(B, key(), 4, 1)))),
        after(7, Linked((consume(B, 2), Refund(B, key(), 4)))),
    ]


def transferring() -> Sequence[Step]:
    """Grants keep their terms; debts of the receiver are repaid; nobody sends what is not there."""
    images = account_name(A, "images")
    return [
        after(0, grant(amount=2, expires_at=at(9), unit_cost=Decimal("0.1"), category="promo")),
        after(0, grant(amount=4, scope=frozenset({"chat"}), metadata={"order": "№ 1"})),
        after(0, transfer(B, 3), transfer(B, 4), transfer(A, 1), transfer(images, 1)),
        after(1, Configure(C, key(), overdraft_limit_micros=credits(5))),
        after(1, consume(C, 5, if_short="overdraft", service="chat"), transfer(C, 1)),
        after(2, Configure(B, key(), "frozen"), transfer(B, 1), Configure(B, key(), "closed")),
        after(2, transfer(B, 1), grant(), transfer(B, 1), Configure(A, key(), "frozen")),
        after(3, transfer(C, 1), Settle(B, key())),
    ]


def settings_change() -> Sequence[Step]:
    """Frozen, thawed, closed, reopened; a limit; a time zone that dates usage."""
    return [
        after(0, grant(), hold(amount=4), hold(amount=1), Configure(A, key(), "frozen", "open")),
        after(0, consume(), hold(), capture(2, 1, final=False), capture(2, 5, if_over="available")),
        after(0, ExtendHold(A, key(), 2, HOUR), ExtendHold(A, key(), 2, None, 1), grant()),
        after(0, Configure(A, key(), "open", "closed"), Configure(A, key(), "closed"), grant()),
        after(0, Configure(A, key(), "open", "frozen"), capture(2), ReleaseHold(A, key(), 2)),
        after(1, Configure(A, key(), "closed"), Configure(A, key(), overdraft_limit_micros=5)),
        after(2, Configure(A, key(), "open", "closed"), Configure(A, key(), "open", "closed")),
        after(2, Configure(A, key(), time_zone="Pacific/Auckland", overdraft_limit_micros=5)),
        after(3, consume(), Configure(A, key(), time_zone="Europe/Nowhere")),
        after(11, consume(), Configure(A, key(), time_zone="America/Los_Angeles")),
        after(12, consume(service="chat"), Configure(A, key()), Configure("new", key(), "closed")),
    ]


def groups() -> Sequence[Step]:
    """All or nothing, also across accounts; members see each other, and neighbours go on."""
    return [
        after(0, Linked((grant(), consume(amount=3), grant(B, 1))), consume(amount=1)),
        after(0, Linked((consume(B), consume(amount=99))), consume(B)),
        after(0, Linked((consume(amount=6), transfer(B, 1), consume(amount=1))), grant(amount=2)),
        after(1, Linked((hold(amount=1), capture(5, "0.5"))), Linked(())),
        after(1, Linked((consume("nobody"),)), Linked((Settle(A, key()), FailGrant(A, key(), 1)))),
        after(2, Linked((grant(C), transfer(C, "1.5"), consume(C, "11.5"), consume(C, "0.1")))),
        after(2, Linked((grant(C, key="k"), grant(C, key="k"), consume(C, 9)))),
        after(3, Linked((grant(C, key="k"), consume(C, 1))), Linked((grant(C, 5, key="k"),))),
    ]


def keys_replay_and_conflict() -> Sequence[Step]:
    """The same call with the same key answers as it did; another one with it is refused."""
    first = grant(key="order-1", expires_at=at(5), scope=frozenset({"chat"}), description="one")
    charge = consume(amount=4, key="job", service="chat", if_short="partial")
    reserve = hold(amount=2, key="hold", service="chat")
    taking = capture(3, 1, key="take", final=False)
    giving = refund(2, 3, key="sorry")
    sending = transfer(B, 1, key="gift")
    limit = Configure(A, "limit", overdraft_limit_micros=credits(5))
    steps = [
        after(0, first, charge, reserve, taking, sending, limit, RevokeGrant(A, "r", 1, 1)),
        after(0, giving, SetExpiry(A, "set", 1, at(4)), ExtendHold(A, "more", 3, 2 * HOUR)),
        after(0, grant(C, key="1", pending=True), grant(C, key="2", pending=True)),
        after(0, ActivateGrant(C, "paid", 1), FailGrant(C, "unpaid", 2), hold(C, key="3")),
        after(0, ReleaseHold(C, "free", 5)),
    ]
    return [
        *steps,
        *(after(1, *step.commands) for step in steps),
        after(1, first._replace(description="two", metadata={"a": 1}), first, first),
        after(1, first._replace(amount_micros=5, scope=None), charge._replace(actor="kim")),
        after(1, charge._replace(service="search"), reserve._replace(timeout=2 * HOUR)),
        after(1, taking._replace(final=True), giving._replace(amount_micros=None)),
        after(1, sending._replace(target=C), consume(amount=4, key="order-1")),
        after(
            1, consume(B, amount=1, key="order-1"), consume(amount=99, key="late", service="chat")
        ),
        after(2, grant(), consume(amount=2, key="late"), Configure(A, key(), "closed")),
        after(3, *steps[0].commands, consume(amount=2, key="late")),
        after(3, grant(B, key="gift"), transfer(B, 1, key="gift"), grant(B, 2, key="gift")),
        after(400, *(command for step in steps for command in step.commands)),
    ]


def clocks_differ() -> Sequence[Step]:
    """Time goes on for each account by itself, and never back, whatever a clock says."""
    return [
        after(10, grant(expires_at=at(11)), hold(amount=4), grant(B, expires_at=at(12))),
        after(5, consume(), consume(B), consume(C), grant(C, expires_at=at(6))),
        after(4, hold(amount=1, timeout=HOUR), capture(2, 1), grant(expires_at=at(9))),
        after(7, transfer(C, 1), consume(C), Settle(C, key())),
        after(11, consume(), transfer(C, 1), consume(B)),
        after(3, consume(), grant(), consume(occurred_at=at(10)), consume(occurred_at=at(11))),
        after(12, Settle(A, key()), Settle(B, key()), Settle(C, key())),
        after(1, Settle(B, key()), consume(B), grant(B)),
    ]


def units_and_strangers() -> Sequence[Step]:
    """Units of one user are accounts apart, and so are users whose names look alike."""
    images, minutes = account_name(A, "images"), account_name(A, "minutes")
    return [
        after(0, grant(images, 3), grant(minutes, 2), grant(amount=1), consume(images, 2)),
        after(0, *(grant(name, key="same") for name in ("a", "A", "á", "a\u0301", "a "))),
        after(1, *(consume(name, key="again") for name in ("a", "A", "á", "a\u0301", "a "))),
        after(1, *(Settle(name, key()) for name in ("unknown", "unseen"))),
        after(1, consume("unknown"), CaptureHold("unseen", key(), 1), Refund("unseen", key(), 1)),
        after(1, ReleaseHold(images, key(), 1), Refund(minutes, key(), 2), consume(minutes, 3)),
    ]


def names_of_every_kind() -> Sequence[Step]:
    """Names, keys, services, actors and texts come back as they were given."""
    steps: list[Step] = []
    for name in NAMES:
        words: dict[str, Any] = {"service": name, "actor": name}
        words["description"] = f"{name}\n\t{name * 4}"
        facts: dict[str, Any] = {"metadata": {name: name, "yes": True, "no": None, "n": 2**40}}
        steps += [
            after(0, grant(name, key=name, scope=frozenset({name, "x"}), **facts)),
            after(0, consume(name, **words, **facts), hold(name, **words, **facts)),
            after(1, grant(name, key=name, scope=frozenset({name, "x"}))),
            after(1, consume(name, key=name), transfer(f"{name[:250]} too", 1, account=name)),
        ]
    return steps


def extremes() -> Sequence[Step]:
    """The largest amounts, the longest times, and one step beyond."""
    end, beginning = datetime.max.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC)
    most: dict[str, Any] = {"amount_micros": MAX_MICROS}
    return [
        after(0, grant(**most, expires_at=end, effective_at=beginning), grant(amount="0.000001")),
        after(0, hold(**most), hold(amount="0.000001"), ReleaseHold(A, key(), 2)),
        after(0, hold(**most, timeout=timedelta(days=30)), capture(4, "0.000001", final=False)),
        after(0, capture(4), refund(6), consume(**most), consume(amount="0.000001")),
        after(1, Configure(B, key(), overdraft_limit_micros=MAX_MICROS)),
        after(1, consume(B, **most, if_short="overdraft"), consume(B, if_short="overdraft")),
        after(1, grant(B, **most, unit_cost=Decimal("999999999.123456789")), grant(B)),
        after(2, grant(C, **most), transfer(C, 1), Transfer(C, key(), A, MAX_MICROS)),
        after(3, grant(C, amount="0.000001", unit_cost=Decimal("0.000000001"))),
        Step(end - timedelta(days=60), (consume(C, amount="0.000001"), grant(C, expires_at=end))),
        Step(end - timedelta(days=59), (hold(C, 1, timeout=timedelta(days=30)), Settle(A, key()))),
    ]


def many_at_once() -> Sequence[Step]:
    """A batch of hundreds, over hundreds of accounts and over one."""
    names = [f"user {number}" for number in range(120)]

    def charges() -> Iterator[Command]:
        for number, name in enumerate(names):
            yield consume(name, number % 4 + 1, key=f"job {number}" if number % 2 else key())

    many = tuple(charges())
    return [
        after(0, *(grant(name, 3, key="welcome") for name in names), grant(amount=200)),
        after(1, *many, *(consume() for _ in range(250)), *many),
        after(2, *many, *(hold(name, 1) for name in names)),
        after(9, *(Settle(name, key()) for name in names)),
        after(9, *(grant(name, 3, key="welcome") for name in reversed(names)), *many[::2]),
    ]


STORIES: tuple[Story, ...] = (
    grants_begin_and_end,
    held_grants_end,
    burning_in_order,
    running_short,
    usage_reported_late,
    holding,
    refunding,
    transferring,
    settings_change,
    groups,
    keys_replay_and_conflict,
    clocks_differ,
    units_and_strangers,
    names_of_every_kind,
    extremes,
    many_at_once,
)
