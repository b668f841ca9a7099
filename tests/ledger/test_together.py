"""Several accounts, several commands: transfers, groups, batches, units."""

from datetime import timedelta
from decimal import Decimal

from aiocredits import _commands as c
from aiocredits.errors import (
    AccountClosedError,
    InsufficientCreditsError,
    NotFoundError,
)
from tests.ledger.world import ONE, START, World, check, told_by

HOUR = timedelta(hours=1)


def test_a_transfer_keeps_the_terms_of_every_grant() -> None:
    world = World()
    world.do(
        c.AddGrant(
            "alice",
            "one",
            2 * ONE,
            priority=7,
            category="promo",
            unit_cost=Decimal("0.25"),
            scope=frozenset({"chat"}),
            expires_at=START + HOUR,
        )
    )
    world.do(c.AddGrant("alice", "two", 5 * ONE))
    receipt = world.do(c.Transfer("alice", "t", "bob", 3 * ONE, "a gift"))
    assert told_by(receipt, "amount", "balance") == ["3", "4"]
    assert told_by(receipt.linked[0], "user_id", "amount", "balance") == ["bob", "3", "3"]
    given, got = world.books["alice"].grants, world.books["bob"].grants
    for mine, theirs, amount in ((1, 1, 2), (2, 2, 1)):
        # priority, category, unit cost, scope, effective_at, expires_at
        assert got[theirs][7:13] == given[mine][7:13]
        assert got[theirs].amount_micros == got[theirs].remaining_micros == amount * ONE
        assert got[theirs].description == "a gift"
    assert world.state(1) == "spent"
    check(world)


def test_a_transfer_moves_what_is_free_and_of_any_scope() -> None:
    world = World()
    world.do(c.AddGrant("alice", "g", 5 * ONE, scope=frozenset({"chat"})))
    world.do(c.PlaceHold("alice", "h", 2 * ONE, HOUR, service="chat"))
    assert isinstance(world.refusal(c.Transfer("alice", "t", "bob", 4 * ONE)), Exception)
    world.do(c.Transfer("alice", "t", "bob", 3 * ONE))
    assert world.account("bob").available_micros == 3 * ONE


def test_a_transfer_repays_the_receivers_debt() -> None:
    world = World()
    world.do(c.Configure("bob", "limit", overdraft_limit_micros=5 * ONE))
    world.do(c.Consume("bob", "owe", 4 * ONE, if_short="overdraft"))
    world.do(c.AddGrant("alice", "g", 5 * ONE))
    receipt = world.do(c.Transfer("alice", "t", "bob", 5 * ONE))
    assert told_by(receipt.linked[0], "balance", "overdraft") == ["1", "0"]
    check(world)


def test_a_transfer_happens_in_both_accounts_or_in_none() -> None:
    world = World()
    world.do(c.AddGrant("alice", "g", 5 * ONE))
    world.do(c.Configure("bob", "close", "closed"))
    before = world.snapshot()
    error = world.refusal(c.Transfer("alice", "t", "bob", ONE))
    assert isinstance(error, AccountClosedError)
    assert error.user_id == "bob"
    assert world.snapshot() == before


def test_a_group_is_all_or_nothing_across_accounts() -> None:
    world = World()
    world.do(c.AddGrant("alice", "g", 5 * ONE))
    group = (
        c.Consume("alice", "1", 2 * ONE),
        c.AddGrant("bob", "2", 2 * ONE),
        c.Consume("bob", "3", 3 * ONE),
    )
    before = world.snapshot()
    error = world.refusal(c.Linked(group))
    assert isinstance(error, InsufficientCreditsError)
    assert error.user_id == "bob"
    assert error.available == 2
    assert world.snapshot() == before
    receipt = world.do(c.Linked((*group[:2], c.Consume("bob", "3", 2 * ONE))))
    assert [one.user_id for one in receipt.linked] == ["alice", "bob", "bob"]
    assert [str(one.balance) for one in receipt.linked] == ["3", "2", "0"]


def test_each_member_of_a_group_sees_those_before_it() -> None:
    world = World()
    world.do(
        c.Linked(
            (
                c.AddGrant("alice", "1", 5 * ONE),
                c.Consume("alice", "2", 2 * ONE),
                c.Refund("alice", "3", 2),
                c.PlaceHold("alice", "4", 5 * ONE, HOUR),
                c.CaptureHold("alice", "5", 4),
            )
        )
    )
    assert told_by(world.do(c.Settle("alice", "look")), "version", "balance") == ["5", "0"]
    check(world)


def test_a_refused_command_does_not_disturb_its_neighbours() -> None:
    world = World()
    outcomes = world.apply(
        c.AddGrant("alice", "1", 5 * ONE),
        c.Consume("alice", "2", 9 * ONE),
        c.Linked((c.Consume("alice", "3", ONE), c.Refund("alice", "4", 99))),
        c.Consume("alice", "5", 5 * ONE),
    )
    assert isinstance(outcomes[0], c.Accepted)
    assert isinstance(outcomes[1], c.Refused)
    assert isinstance(outcomes[2], c.Refused)
    assert isinstance(outcomes[2].error, NotFoundError)
    assert isinstance(outcomes[3], c.Accepted)
    assert outcomes[3].receipt.version == 2


def test_a_unit_is_an_account_of_its_own() -> None:
    world = World()
    world.do(c.AddGrant("alice", "g", 5 * ONE))
    receipt = world.do(c.AddGrant("alice\x1fimages", "g", 3 * ONE))
    assert told_by(receipt, "id", "user_id", "unit", "balance") == [
        "alice:1:images",
        "alice",
        "images",
        "3",
    ]
    error = world.refusal(c.Consume("alice\x1fimages", "c", 4 * ONE))
    assert isinstance(error, InsufficientCreditsError)
    assert (error.user_id, error.unit) == ("alice", "images")
    assert "needs 4 images and has 3: 1 images are missing" in str(error)
    world.do(c.Configure("alice", "f", "frozen", "open"))
    world.do(c.Consume("alice\x1fimages", "c", ONE))


def test_thawing_does_not_reopen_and_reopening_does_not_thaw() -> None:
    world = World()
    world.do(c.Configure("alice", "1", "frozen", "open"))
    assert world.do(c.Configure("alice", "2", "open", "closed")).kind == "nothing"
    assert world.do(c.Configure("alice", "3", "frozen", "open")).kind == "nothing"
    assert world.account().status == "frozen"
    world.do(c.Configure("alice", "4", "closed"))
    assert isinstance(world.refusal(c.Configure("alice", "5", "open", "frozen")), Exception)
    world.do(c.Configure("alice", "6", "open", "closed"))
    assert world.account().status == "open"


def test_time_passes_in_a_closed_account() -> None:
    world = World()
    world.do(c.AddGrant("alice", "g", 5 * ONE, expires_at=START + HOUR))
    world.do(c.PlaceHold("alice", "h", 2 * ONE, HOUR))
    world.do(c.Configure("alice", "close", "closed"))
    world.do(c.Settle("alice", "look"), START + HOUR)
    assert world.account()[3:6] == (0, 0, 0)
    check(world)
