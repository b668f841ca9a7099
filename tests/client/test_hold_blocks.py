"""``async with client.hold(...)``: whatever leaves the block, the hold ends."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

import anyio
import pytest

from aiocredits import CreditClient, CreditHold, Hold
from aiocredits._amounts import MAX_MICROS, to_credits
from aiocredits._commands import CaptureHold, Command, Outcome, ReleaseHold
from aiocredits.errors import (
    HoldClosedError,
    HoldExpiredError,
    InsufficientCreditsError,
    InvalidAmountError,
    InvalidInputError,
    StorageUnavailableError,
    UsageError,
)
from aiocredits.storages.memory import MemoryStorage
from aiocredits.types import Amount
from tests.client.conftest import START, Time


class LeftError(Exception):
    """What leaves a block."""


async def use(hold: CreditHold, *amounts: Amount) -> None:
    async with hold:
        for amount in amounts:
            hold.use(amount)


async def leave(hold: CreditHold, *, used: Sequence[Amount] = ()) -> None:
    async with hold:
        for amount in used:
            hold.use(amount)
        raise LeftError


async def books(client: CreditClient) -> tuple[str, str]:
    balance = await client.get_balance("alice")
    return str(balance.available), str(balance.held)


@pytest.fixture(autouse=True)
async def funds(client: CreditClient) -> None:
    await client.add_credits("alice", 100)


async def test_leaving_normally_charges_the_whole_hold(client: CreditClient) -> None:
    async with client.hold("alice", 20, service="chat") as hold:
        assert await books(client) == ("80", "20")
        assert hold.credits == 20
        assert hold.expires_at == START + timedelta(minutes=15)
    assert await books(client) == ("80", "0")
    assert hold.receipt is not None
    assert (str(hold.receipt.amount), hold.receipt.kind) == ("20", "capture")


async def test_leaving_normally_charges_what_was_used(client: CreditClient) -> None:
    async with client.hold("alice", 20) as hold:
        hold.use(3)
        hold.use("0.5")
        assert hold.used == Decimal("3.5")
    assert await books(client) == ("96.5", "0")


async def test_using_nothing_charges_nothing(client: CreditClient) -> None:
    async with client.hold("alice", 20) as hold:
        hold.use_nothing()
    assert await books(client) == ("100", "0")
    async with client.hold("alice", 20) as hold:
        hold.use_nothing()
        hold.use(1)
        hold.use_nothing()
    assert await books(client) == ("99", "0")


async def test_an_exception_frees_everything(client: CreditClient) -> None:
    with pytest.raises(LeftError):
        await leave(client.hold("alice", 20), used=[3])
    assert await books(client) == ("100", "0")


async def test_an_exception_charges_what_was_used_if_asked(client: CreditClient) -> None:
    with pytest.raises(LeftError):
        await leave(client.hold("alice", 20, on_error="capture"), used=[3])
    assert await books(client) == ("97", "0")
    with pytest.raises(LeftError):  # nobody said that anything was used
        await leave(client.hold("alice", 20, on_error="capture"))
    assert await books(client) == ("97", "0")


async def test_using_more_than_the_hold_takes_more_if_there_is_more(client: CreditClient) -> None:
    async with client.hold("alice", 20) as hold:
        hold.use(30)
    assert await books(client) == ("70", "0")


async def test_using_more_than_there_is_charges_the_hold_and_says_so(client: CreditClient) -> None:
    with pytest.raises(InsufficientCreditsError):
        async with client.hold("alice", 20) as hold:
            hold.use(101)
    assert await books(client) == ("80", "0")
    async with client.hold("alice", 20, if_over="cap") as hold:
        hold.use(101)
    assert await books(client) == ("60", "0")
    assert hold.receipt is not None
    assert hold.receipt.shortfall == 81


async def test_using_more_than_can_be_counted_charges_the_hold(client: CreditClient) -> None:
    most = to_credits(MAX_MICROS)
    with pytest.raises(InvalidAmountError):
        await use(client.hold("alice", 20), most, most)
    assert await books(client) == ("80", "0")


async def test_ending_it_sooner(client: CreditClient) -> None:
    async with client.hold("alice", 20) as hold:
        receipt = await hold.capture(5)
        assert hold.settled
    assert hold.receipt == receipt
    async with client.hold("alice", 20) as hold:
        await hold.release()
    assert await books(client) == ("95", "0")


async def test_several_captures_and_the_rest_at_the_end(client: CreditClient) -> None:
    async with client.hold("alice", 20) as hold:
        await hold.capture(5, final=False)
        assert hold.credits == 15
        await hold.extend(credits=10, timeout=3600)
        assert hold.credits == 25
        assert hold.expires_at == START + timedelta(hours=1)
        hold.use(7)
    assert await books(client) == ("88", "0")


async def test_a_timeout_inside_the_block(client: CreditClient, time: Time) -> None:
    async def work() -> None:
        async with client.hold("alice", 20, timeout=60) as hold:
            time.pass_(minutes=1)
            hold.use(3)

    with pytest.raises(HoldExpiredError):
        await work()
    assert await books(client) == ("100", "0")


async def test_a_block_that_cannot_begin(client: CreditClient) -> None:
    with pytest.raises(InsufficientCreditsError):
        async with client.hold("alice", 101):
            raise AssertionError("never reached")
    with pytest.raises(InvalidAmountError):
        async with client.hold("alice", 0):
            raise AssertionError("never reached")
    with pytest.raises(InvalidInputError, match="on_error"):
        client.hold("alice", 1, on_error="ignore")  # type: ignore[arg-type]
    assert await books(client) == ("100", "0")


async def test_a_hold_is_used_once(client: CreditClient) -> None:
    hold = client.hold("alice", 1)
    with pytest.raises(UsageError, match="not placed yet"):
        _ = hold.id
    async with hold:
        pass
    with pytest.raises(UsageError, match=r"call client.hold\(\) again"):
        async with hold:
            pass


async def test_a_hold_is_resumed_elsewhere(
    client: CreditClient, storage: MemoryStorage, time: Time
) -> None:
    placed = await client.hold_credits("alice", 20)
    async with CreditClient(storage, clock=time) as other:
        async with await other.resume_hold(placed.id) as hold:
            assert hold.credits == 20
            hold.use(4)
        with pytest.raises(HoldClosedError):
            async with await other.resume_hold(placed.id):
                pass
    assert await books(client) == ("96", "0")


# Cancellation

ROUNDS = 12


async def settled(client: CreditClient) -> None:
    """Wait until whatever a cancelled task left behind has been written."""
    await client.get_user_balance("alice")
    for _ in range(ROUNDS):
        await asyncio.sleep(0)
    assert [hold async for hold in client.holds("alice", open_only=True)] == list[Hold]()


@pytest.mark.parametrize("rounds", range(ROUNDS))
async def test_a_task_that_is_cancelled_at_any_point(client: CreditClient, rounds: int) -> None:
    async def work() -> None:
        async with client.hold("alice", 20) as hold:
            await asyncio.sleep(0)
            hold.use(5)
            await asyncio.sleep(0)

    task = asyncio.create_task(work())
    for _ in range(rounds):
        await asyncio.sleep(0)
    task.cancel()
    done, _ = await asyncio.wait({task})
    await settled(client)
    charged = [entry async for entry in client.entries("alice") if entry.kind == "capture"]
    # Cancelled in the block it is free; past the block it is charged, and nothing in between.
    assert await books(client) == (("95", "0") if charged else ("100", "0"))
    assert done.pop().cancelled() or charged


@pytest.mark.parametrize("rounds", range(ROUNDS))
async def test_a_cancel_scope_at_any_point(client: CreditClient, rounds: int) -> None:
    async with anyio.create_task_group() as tasks:

        async def work() -> None:
            async with client.hold("alice", 20) as hold:
                await anyio.lowlevel.checkpoint()
                hold.use(5)
                await anyio.lowlevel.checkpoint()

        tasks.start_soon(work)
        for _ in range(rounds):
            await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()
    await settled(client)
    charged = [entry async for entry in client.entries("alice") if entry.kind == "capture"]
    assert await books(client) == (("95", "0") if charged else ("100", "0"))


@pytest.mark.parametrize("rounds", range(ROUNDS))
async def test_a_task_that_is_cancelled_again_and_again(client: CreditClient, rounds: int) -> None:
    async def work() -> None:
        async with client.hold("alice", 20):
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    for _ in range(rounds):
        await asyncio.sleep(0)
    while not task.done():
        task.cancel()
        await asyncio.sleep(0)
    await settled(client)
    assert await books(client) == ("100", "0")


async def test_a_timeout_of_the_caller(client: CreditClient) -> None:
    async def work() -> None:
        async with asyncio.timeout(0.01), client.hold("alice", 20, on_error="capture") as hold:
            hold.use(5)
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await work()
    await settled(client)
    assert await books(client) == ("95", "0")


# When the storage fails


class FailingStorage(MemoryStorage):
    """Fails to end holds while it is told to."""

    failing = False

    async def apply(self, commands: Sequence[Command], *, at: datetime) -> Sequence[Outcome]:
        if self.failing and any(isinstance(c, CaptureHold | ReleaseHold) for c in commands):
            raise StorageUnavailableError("the database is gone")
        return await super().apply(commands, at=at)


async def test_what_left_the_block_is_not_hidden_by_a_storage_that_fails(time: Time) -> None:
    storage = FailingStorage()
    async with CreditClient(storage, clock=time) as client:
        await client.add_credits("alice", 100)
        storage.failing = True
        with pytest.raises(LeftError) as caught:
            async with client.hold("alice", 20):
                raise LeftError
        assert "alice:2" in caught.value.__notes__[0]
        with pytest.raises(StorageUnavailableError):
            async with client.hold("alice", 20):
                pass
        time.pass_(minutes=15)  # the net under it all
        assert await books(client) == ("100", "0")
