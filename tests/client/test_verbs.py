"""The verbs that write: receipts, repetitions, groups."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from aiocredits import CreditClient, Receipt, commands
from aiocredits.errors import (
    AccountFrozenError,
    CreditError,
    IdempotencyConflictError,
    InsufficientCreditsError,
    InvalidAmountError,
    InvalidInputError,
    InvalidNameError,
    NotFoundError,
    UsageError,
)
from aiocredits.storages.memory import MemoryStorage
from tests.client.conftest import START, Time


async def test_receipts_say_what_happened(client: CreditClient) -> None:
    added = await client.add_credits("alice", 100, "welcome", metadata={"campaign": 7})
    assert (added.id, added.kind, added.version, added.at) == ("alice:1", "grant", 1, START)
    assert added.user_id == "alice"
    spent = await client.consume_credits("alice", "2.5", "one report", service="reports")
    assert [str(spent.amount), str(spent.balance)] == ["2.5", "97.5"]
    assert spent.slices == [("alice:1", Decimal("2.5"))]
    assert not spent.replayed
    assert repr(spent.balance) == "Decimal('97.5')"


async def test_numbers_print_plainly(client: CreditClient) -> None:
    await client.add_credits("alice", Decimal("100.000"))
    await client.consume_credits("alice", 5)
    assert str(await client.get_user_balance("alice")) == "95"
    await client.consume_credits("alice", "94.750000")
    assert str(await client.get_user_balance("alice")) == "0.25"
    assert f"{await client.get_user_balance('nobody')}" == "0"


async def test_users_are_told_apart_by_their_text(client: CreditClient) -> None:
    some = UUID("12345678-1234-5678-1234-567812345678")
    await client.add_credits(7, 1)
    await client.add_credits("7", 2)
    await client.add_credits(some, 4)
    assert await client.get_user_balance(7) == 3
    assert await client.get_user_balance(str(some)) == 4
    assert (await client.consume_credits(7, 1)).user_id == "7"


@pytest.mark.parametrize(
    "user_id", ["Robert'); DROP TABLE credit_accounts;--", "100%", "🦊:1", "x" * 255, " ", "_"]
)
async def test_any_text_is_a_user(client: CreditClient, user_id: str) -> None:
    added = await client.add_credits(user_id, 5)
    hold = await client.hold_credits(user_id, 2)
    await client.capture_hold(hold.id, 1)
    await client.revoke_grant(added.id)
    assert await client.get_user_balance(user_id) == 0
    assert [entry.kind async for entry in client.entries(user_id)] == [
        *("grant", "hold", "capture", "revoke"),
    ]


Call = Callable[[CreditClient], Coroutine[object, object, object]]
REFUSED: list[tuple[type[CreditError], Call]] = [
    (InvalidAmountError, lambda c: c.add_credits("alice", 0)),
    (InvalidAmountError, lambda c: c.consume_credits("alice", "0.0000001")),
    (InvalidAmountError, lambda c: c.consume_credits("alice", 0.5)),  # type: ignore[arg-type]
    (InvalidAmountError, lambda c: c.hold_credits("alice", "1e999999999")),
    (InvalidAmountError, lambda c: c.can_afford("alice", -1)),
    (InvalidNameError, lambda c: c.add_credits("", 1)),
    (InvalidNameError, lambda c: c.get_user_balance("a\nb")),
    (InvalidNameError, lambda c: c.get_user_balance("alice", unit="No")),
    (InvalidNameError, lambda c: c.get_balance("alice", service="")),
    (InvalidNameError, lambda c: c.can_afford("alice", 1, service="\0")),
    (InvalidNameError, lambda c: c.get_grant("alice")),
    (InvalidNameError, lambda c: c.refund_credits("alice")),
    (InvalidInputError, lambda c: c.add_credits("alice", 1, priority=101)),
    (InvalidInputError, lambda c: c.set_time_zone("alice", "Mars/Olympus")),
    (InsufficientCreditsError, lambda c: c.consume_credits("alice", 1)),
    (NotFoundError, lambda c: c.release_hold("alice:1")),
    (NotFoundError, lambda c: c.get_hold("alice:1")),
    (NotFoundError, lambda c: c.get_grant("alice:1")),
    (NotFoundError, lambda c: c.get_entry("alice:0")),
    (NotFoundError, lambda c: c.resume_hold("alice:1")),
    (UsageError, lambda c: c.apply_all()),
    (UsageError, lambda c: c.apply_all(("alice", 5))),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("error", "call"), REFUSED)
async def test_what_is_refused_leaves_nothing_behind(
    client: CreditClient, storage: MemoryStorage, error: type[CreditError], call: Call
) -> None:
    with pytest.raises(error):
        await call(client)
    assert not storage._shelves
    assert not storage._keys


async def test_the_same_call_again(
    client: CreditClient, storage: MemoryStorage, time: Time
) -> None:
    await client.add_credits("alice", 10)
    first = await client.consume_credits("alice", 4, "x", idempotency_key="order-1")
    time.pass_(days=400)
    async with CreditClient(storage, clock=time) as other:
        again = await other.consume_credits("alice", 4, "y", idempotency_key="order-1")
    assert again.replayed
    assert again == first._replace(replayed=True)
    with pytest.raises(IdempotencyConflictError) as caught:
        await client.consume_credits("alice", 5, idempotency_key="order-1")
    assert caught.value.fields == ("credits",)
    assert await client.get_user_balance("alice") == 6


async def test_the_same_call_at_the_same_time(client: CreditClient) -> None:
    await client.add_credits("alice", 10)
    receipts = await asyncio.gather(
        *(client.consume_credits("alice", 4, idempotency_key="k") for _ in range(50))
    )
    assert sum(not receipt.replayed for receipt in receipts) == 1
    assert {receipt.id for receipt in receipts} == {"alice:2"}
    assert await client.get_user_balance("alice") == 6


async def test_many_at_once_never_overspend(client: CreditClient) -> None:
    await client.add_credits("alice", 50)
    outcomes = await asyncio.gather(
        *(client.consume_credits("alice", 1) for _ in range(200)), return_exceptions=True
    )
    receipts = [outcome for outcome in outcomes if isinstance(outcome, Receipt)]
    assert len(receipts) == 50
    assert sorted(receipt.version for receipt in receipts) == list(range(2, 52))
    assert all(isinstance(o, Receipt | InsufficientCreditsError) for o in outcomes)


async def test_a_group_is_all_or_nothing(client: CreditClient) -> None:
    await client.add_credits("alice", 10)
    receipts = await client.apply_all(
        commands.consume_credits("alice", 4, idempotency_key="a"),
        commands.add_credits("bob", 4, "his share"),
    )
    assert [receipt.user_id for receipt in receipts] == ["alice", "bob"]
    with pytest.raises(InsufficientCreditsError):
        await client.apply_all(
            commands.add_credits("bob", 4), commands.consume_credits("alice", 40)
        )
    assert await client.get_user_balance("bob") == 4
    again = await client.apply_all(
        commands.consume_credits("alice", 4, idempotency_key="a"),
        commands.add_credits("bob", 1),
    )
    assert [receipt.replayed for receipt in again] == [True, False]


async def test_the_life_of_a_hold_in_single_verbs(client: CreditClient, time: Time) -> None:
    await client.add_credits("alice", 10)
    hold = await client.hold_credits("alice", 6, "a job", timeout=timedelta(minutes=5))
    assert hold.expires_at == START + timedelta(minutes=5)
    time.pass_(minutes=4)
    await client.extend_hold(hold.id, timeout=600, credits=2)
    time.pass_(minutes=9)
    part = await client.capture_hold(hold.id, 3, final=False)
    rest = await client.capture_hold(hold.id, 1)
    assert [str(part.held), str(rest.held), str(rest.balance)] == ["5", "0", "6"]
    assert (await client.release_hold(hold.id)).kind == "nothing"
    kept = await client.get_hold(hold.id)
    assert (kept.state, str(kept.captured), str(kept.held)) == ("captured", "4", "0")


async def test_settings(client: CreditClient) -> None:
    await client.set_overdraft_limit("alice", "2.5")
    receipt = await client.consume_credits("alice", 2, if_short="overdraft")
    assert [str(receipt.balance), str(receipt.overdraft)] == ["0", "2"]
    await client.set_overdraft_limit("alice", 0)
    await client.freeze_account("alice")
    with pytest.raises(AccountFrozenError):
        await client.consume_credits("alice", 1)
    await client.unfreeze_account("alice")
    await client.close_account("alice")
    assert (await client.get_user_credit_status("alice")).state == "closed"
    await client.reopen_account("alice")
    pending = await client.add_credits("alice", 5, pending=True)
    await client.activate_grant(pending.id)
    await client.set_expiry(pending.id, START + timedelta(days=1))
    failed = await client.add_credits("alice", 5, pending=True)
    await client.fail_grant(failed.id)
    assert (await client.get_grant(failed.id)).state == "failed"
    assert await client.get_user_balance("alice") == 3


async def test_a_transfer(client: CreditClient) -> None:
    await client.add_credits("alice", 5, priority=3)
    receipt = await client.transfer_credits("alice", "bob", 2, idempotency_key="t")
    again = await client.transfer_credits("alice", "bob", 2, idempotency_key="t")
    assert [again.replayed, again.linked[0].replayed] == [True, True]
    assert str(receipt.linked[0].balance) == "2"
    assert (await client.get_grant("bob:1")).priority == 3
