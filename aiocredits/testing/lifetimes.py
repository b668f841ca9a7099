"""What a storage has to withstand: being stopped anywhere, opened, closed and opened again."""

# ruff: noqa: S101, PLR2004 - assert is how a test speaks, and its numbers are its example

import asyncio
from itertools import count

import pytest

from aiocredits._amounts import ONE_CREDIT
from aiocredits._commands import Command
from aiocredits._queries import AccountsQuery
from aiocredits.errors import StorageUnavailableError
from aiocredits.testing.asking import (
    Connect,
    books_of,
    everything_of,
    opened,
    receipt_of,
    replayed_of,
    version_of,
)
from aiocredits.testing.clock import BEGINNING
from aiocredits.testing.comparison import (
    audit,
    comparable,
    require_same_books,
    require_same_outcomes,
)
from aiocredits.testing.interruption import MEANS, Interruption, Means
from aiocredits.testing.reference import Reference
from aiocredits.testing.stories import A, consume, grant, hold, transfer


@pytest.mark.asyncio
class LifetimeConformance:
    """The part of `StorageConformance` that stops a storage, closes it and opens it again."""

    needs_opening = True
    """Whether a storage that is not open refuses to work; books in memory are always there."""

    @pytest.fixture
    def connect(self) -> Connect:
        """Return a function that returns a storage; override this."""
        raise NotImplementedError(f"{type(self).__name__} has to override the fixture `connect`")

    # Interruption

    @pytest.mark.parametrize("means", MEANS)
    async def test_apply_stopped_at_any_await_has_done_all_or_nothing(
        self, connect: Connect, means: Means
    ) -> None:
        """And is repeated safely, here or in another storage, whatever had become of it."""
        reference, storages = Reference(), (connect(), connect())
        async with opened(*storages):
            for point in count():
                a, b = f"payer {point}", f"payee {point}"
                start: list[Command] = [grant(a, 9)]
                reference.apply(start, BEGINNING)
                await storages[0].apply(start, at=BEGINNING)
                batch: list[Command] = [
                    consume(a, 2, key="job"),
                    consume(a, 1),
                    hold(a, 2),
                    transfer(b, 3, account=a),
                    consume(b, 1),
                ]
                stopping = Interruption(means, point)
                outcomes = await stopping.stop(storages[0].apply(batch, at=BEGINNING))
                seen = [await version_of(storages[1], name) for name in (a, b)]
                assert seen[0] in {1, 5}, "the payer's books hold a part of the batch"
                assert seen[1] in {0, 2}, "the payee's books hold a part of the batch"
                expected = reference.apply(batch, BEGINNING)
                if outcomes is not None:
                    assert not (stopping.reached and means == "cancel"), "swallowed a cancellation"
                    require_same_outcomes(outcomes, expected)
                again = await storages[point % 2].apply(batch, at=BEGINNING)
                replayed = [replayed_of(outcome) for outcome in expected]
                fresh = comparable(again[0]) == comparable(expected[0])
                if fresh:
                    assert seen == [1, 0], "what readers have seen was forgotten"
                    assert outcomes is None, "what was acknowledged was forgotten"
                require_same_outcomes(again, expected if fresh else replayed)
                if not stopping.reached:
                    break
            await require_same_books(storages[0], reference, BEGINNING, page_size=50)
            for name in reference.names:
                assert await audit(storages[1], name) == []

    @pytest.mark.parametrize("means", MEANS)
    async def test_a_read_stopped_at_any_await_harms_nobody(
        self, connect: Connect, means: Means
    ) -> None:
        """The storage answers the next question."""
        storage = connect()
        async with opened(storage):
            await storage.apply([grant(A, 9), hold(A, 2), consume(A, 1)], at=BEGINNING)
            expected = await everything_of(storage, A)
            for point in count():
                stopping = Interruption(means, point)
                await stopping.stop(everything_of(storage, A))
                assert await everything_of(storage, A) == expected
                if not stopping.reached:
                    break
            (outcome,) = await storage.apply([consume(A, 1)], at=BEGINNING)
            assert receipt_of(outcome).version == 4

    async def test_opening_and_closing_can_be_cancelled_at_any_await(
        self, connect: Connect
    ) -> None:
        """Whatever was left undone is closed by `close`, and the books can be opened again."""
        for verb in ("open", "close"):
            for point in count():
                storage = connect()
                if verb == "close":
                    await storage.open()
                stopping = Interruption("cancel", point)
                await stopping.stop(getattr(storage, verb)())
                await storage.close()
                if not stopping.reached:
                    break
        storage = connect()
        async with opened(storage):
            (outcome,) = await storage.apply([grant(A, 1)], at=BEGINNING)
            assert receipt_of(outcome).version == 1

    # A storage's life

    async def test_books_outlive_their_storage(self, connect: Connect) -> None:
        """What one has written and closed, another one opens, and the same one again."""
        first, second = connect(), connect()
        async with opened(first):
            await first.apply([grant(A, 7)], at=BEGINNING)
        async with opened(second):
            assert (await books_of(second, A)).account.available_micros == 7 * ONE_CREDIT
            await second.apply([consume(A, 1)], at=BEGINNING)
        async with opened(first):
            (outcome,) = await first.apply([consume(A, 1)], at=BEGINNING)
            assert receipt_of(outcome).available_micros == 5 * ONE_CREDIT

    async def test_closing_twice_is_harmless(self, connect: Connect) -> None:
        """And so is closing what was never opened."""
        storage = connect()
        await storage.close()
        await storage.open()
        await storage.close()
        await storage.close()

    async def test_a_storage_that_is_not_open_says_so(self, connect: Connect) -> None:
        """Before it was opened, and after it was closed: the storage, and not its driver."""
        if not self.needs_opening:
            pytest.skip("these books are always open")
        storage = connect()
        for _ in range(2):
            with pytest.raises(StorageUnavailableError):
                await storage.apply([grant(A, 1)], at=BEGINNING)
            with pytest.raises(StorageUnavailableError):
                await storage.read(AccountsQuery())
            await storage.open()
            await storage.close()

    async def test_closing_waits_for_what_is_being_written(self, connect: Connect) -> None:
        """Each of those writes is whole, and those that were acknowledged are in the books."""
        storage = connect()
        await storage.open()
        writes = [
            asyncio.ensure_future(storage.apply([grant(A, 1), grant(A, 1)], at=BEGINNING))
            for _ in range(5)
        ]
        await asyncio.sleep(0)
        await storage.close()
        results = await asyncio.gather(*writes, return_exceptions=True)
        done = [result for result in results if not isinstance(result, BaseException)]
        for result in results:
            if isinstance(result, BaseException):
                assert isinstance(result, StorageUnavailableError), "a driver's own error"
        again = connect()
        async with opened(again):
            version = await version_of(again, A)
            assert version % 2 == 0
            assert version >= 2 * len(done)
