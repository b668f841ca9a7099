"""The suite that a storage has to pass."""

# ruff: noqa: S101, PLR2004 - assert is how a test speaks, and its numbers are its example

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import date
from itertools import count
from random import Random
from typing import TypeAlias

import pytest

from aiocredits._amounts import ONE_CREDIT
from aiocredits._commands import Accepted, Command, Outcome, Refused
from aiocredits._model import Books, Receipt
from aiocredits._queries import (
    AccountsQuery,
    BooksQuery,
    EntriesQuery,
    GrantsQuery,
    HoldsQuery,
    UsageQuery,
)
from aiocredits.errors import InsufficientCreditsError, StorageUnavailableError
from aiocredits.storages import Storage
from aiocredits.testing.clock import BEGINNING
from aiocredits.testing.comparison import (
    ALL,
    audit,
    comparable,
    require_same_books,
    require_same_outcomes,
)
from aiocredits.testing.histories import RandomHistory
from aiocredits.testing.interruption import MEANS, Interruption, Means
from aiocredits.testing.reference import Reference
from aiocredits.testing.stories import (
    STORIES,
    A,
    B,
    C,
    Story,
    after,
    consume,
    grant,
    hold,
    key,
    many_at_once,
    transfer,
)

Connect: TypeAlias = Callable[[], Storage]


@asynccontextmanager
async def opened(*storages: Storage) -> AsyncGenerator[None]:
    """Open storages, and close them whatever happens."""
    try:
        for storage in storages:
            await storage.open()
        yield
    finally:
        for storage in storages:
            await storage.close()


@pytest.mark.asyncio
class StorageConformance:
    """Holds a storage to the answers of the pure ledger.

    Subclass it under a name that begins with ``Test``, and say how to connect:

        class TestMyStorage(StorageConformance):
            @pytest.fixture
            def connect(self, tmp_path):
                return lambda: MyStorage(tmp_path / "books")

    Every test asks for `connect` once and must find no books there. Within a test, each call of it
    returns another storage over the same books, not opened yet; where books cannot be shared, as
    in memory, it may return the same object again. The tests need pytest-asyncio, in either mode.
    """

    needs_opening = True
    """Whether a storage that is not open refuses to work; books in memory are always there."""

    steps_per_history = 60

    @pytest.fixture
    def connect(self) -> Connect:
        """Return a function that returns a storage; override this."""
        raise NotImplementedError(f"{type(self).__name__} has to override the fixture `connect`")

    # The answers

    @pytest.mark.parametrize("seed", range(12))
    async def test_random_histories_have_the_outcomes_and_books_of_the_ledger(
        self, connect: Connect, seed: int
    ) -> None:
        """Two storages over the same books, used in turns, answer as the ledger alone does."""
        history, reference = RandomHistory(seed), Reference()
        storages = (connect(), connect())
        chance = Random(seed)  # noqa: S311 - repeatable, not secret
        async with opened(*storages):
            for number in range(self.steps_per_history):
                step = history.step(reference)
                expected = reference.apply(step.commands, step.at)
                found = await chance.choice(storages).apply(step.commands, at=step.at)
                what = f"outcomes of step {number} of history {seed}, {step},"
                require_same_outcomes(found, expected, what)
                if number % 20 == 19:
                    await require_same_books(chance.choice(storages), reference, step.at)
            for name in reference.names:
                assert await audit(storages[0], name) == []

    @pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
    async def test_stories_have_the_outcomes_and_books_of_the_ledger(
        self, connect: Connect, story: Story
    ) -> None:
        """Each rule of the contract, up to its edges, after every step where books are small."""
        reference, storage = Reference(), connect()
        async with opened(storage):
            steps = story()
            for number, step in enumerate(steps):
                expected = reference.apply(step.commands, step.at)
                found = await storage.apply(step.commands, at=step.at)
                require_same_outcomes(found, expected, f"outcomes of step {number} of the story")
                if len(reference.names) <= 3:
                    await require_same_books(storage, reference, step.at)
            await require_same_books(storage, reference, steps[-1].at, page_size=50)
            for name in reference.names[:20]:
                assert await audit(storage, name) == []

    async def test_a_batch_is_answered_as_its_commands_one_by_one_would_be(
        self, connect: Connect
    ) -> None:
        """How commands are gathered into batches makes no difference."""
        one_by_one = Reference()
        storage = connect()
        async with opened(storage):
            steps = many_at_once()
            for step in steps:
                expected = [one_by_one.apply([command], step.at)[0] for command in step.commands]
                found = await storage.apply(step.commands, at=step.at)
                require_same_outcomes(found, expected)
            await require_same_books(storage, one_by_one, steps[-1].at, page_size=50)

    async def test_no_command_means_no_outcome(self, connect: Connect) -> None:
        """An empty batch is legal, and leaves nothing behind."""
        storage = connect()
        async with opened(storage):
            assert list(await storage.apply([], at=BEGINNING)) == []
            assert (await storage.read(AccountsQuery())).rows == ()

    async def test_what_is_refused_leaves_no_trace(self, connect: Connect) -> None:
        """No entry, no account, no key: the key of a refused call works afterwards."""
        storage = connect()
        late = consume(A, 9, key="late")
        async with opened(storage):
            await storage.apply([grant(A, 5), hold(A, 1)], at=BEGINNING)
            before = await self._everything(storage, A)
            refused = await storage.apply(
                [late, consume(B, 1), hold(A, 99), transfer(C, 99), late], at=BEGINNING
            )
            assert [type(outcome) for outcome in refused] == [Refused] * 5
            assert await self._everything(storage, A) == before
            assert [account.name for account in (await storage.read(AccountsQuery())).rows] == [A]
            await storage.apply([grant(A, 5)], at=BEGINNING)
            (outcome,) = await storage.apply([late], at=BEGINNING)
            assert _receipt(outcome).replayed is False

    @pytest.mark.parametrize("page_size", [1, 2, 7, 8, 9])
    async def test_pages_follow_each_other_without_gaps(
        self, connect: Connect, page_size: int
    ) -> None:
        """Pages of one row, pages that end exactly at the last row, and a page for all."""
        reference, storage = Reference(), connect()
        async with opened(storage):
            for name in ("1", "2", "10", "a", "B", "é", "😀", "~"):
                commands: list[Command] = [grant(name, 2), hold(name, 1)]
                commands += [grant(name, 1), hold(name, 1)]
                commands += [consume(name, 1, service=str(n)) for n in range(4)]
                reference.apply(commands, BEGINNING)
                await storage.apply(commands, at=BEGINNING)
            await require_same_books(storage, reference, BEGINNING, page_size=page_size)

    # Keys

    async def test_a_key_acts_once_in_whatever_storage_it_comes_again(
        self, connect: Connect
    ) -> None:
        """Another storage over the same books answers what the first one answered."""
        first, second = connect(), connect()
        batch: list[Command] = [
            grant(A, 5, key="welcome"),
            consume(A, 2, key="job"),
            hold(A, 1, key="hold"),
            transfer(B, 1, key="gift"),
        ]
        async with opened(first, second):
            original = await first.apply(batch, at=BEGINNING)
            again = await second.apply(batch, at=after(1000).at)
            require_same_outcomes(again, [_replayed(outcome) for outcome in original])
            assert await self._version(first, A) == 4
            assert await self._version(second, B) == 1

    async def test_a_repeated_batch_of_the_librarys_own_keys_acts_once(
        self, connect: Connect
    ) -> None:
        """As after a lost connection, also next to commands that are new."""
        first, second = connect(), connect()
        batch: list[Command] = [grant(A, 20), consume(A, 2), hold(A, 1), transfer(B, 1)]
        batch.append(grant(C, 5))
        async with opened(first, second):
            original = await first.apply(batch, at=BEGINNING)
            again = await second.apply([*batch, consume(C, 1)], at=BEGINNING)
            require_same_outcomes(again[:5], [_replayed(outcome) for outcome in original])
            assert _receipt(again[5]).version == 2
            again = await first.apply([consume(A, 1), *reversed(batch)], at=BEGINNING)
            assert _receipt(again[0]).version == 5
            expected = [_replayed(outcome) for outcome in reversed(original)]
            require_same_outcomes(again[1:], expected)

    async def test_an_own_key_that_took_the_last_credits_never_takes_more(
        self, connect: Connect
    ) -> None:
        """Whether the repetition is answered or refused, the books stay as they are."""
        storage = connect()
        charge = consume(A, 5)
        async with opened(storage):
            await storage.apply([grant(A, 5), charge], at=BEGINNING)
            before = await self._everything(storage, A)
            await storage.apply([charge], at=BEGINNING)
            assert await self._everything(storage, A) == before

    async def test_one_key_used_by_many_at_once_acts_once(self, connect: Connect) -> None:
        """All get the same receipt, and only one of them a first-hand one."""
        storages = (connect(), connect())
        charge = consume(A, 1, key="one job")
        async with opened(*storages):
            await storages[0].apply([grant(A, 50)], at=BEGINNING)
            outcomes = await asyncio.gather(
                *(storages[n % 2].apply([charge], at=BEGINNING) for n in range(20))
            )
            receipts = [_receipt(outcome) for (outcome,) in outcomes]
            assert sorted(receipt.replayed for receipt in receipts) == [False] + [True] * 19
            assert {receipt._replace(replayed=True) for receipt in receipts} == {
                receipts[0]._replace(replayed=True)
            }
            assert await self._version(storages[0], A) == 2

    # Concurrency

    async def test_many_at_once_never_spend_more_than_there_is(self, connect: Connect) -> None:
        """Sixty want one of forty credits, through two storages; versions have no gap."""
        storages = (connect(), connect())
        async with opened(*storages):
            await storages[0].apply([grant(A, 40)], at=BEGINNING)
            outcomes = await asyncio.gather(
                *(storages[n % 2].apply([consume(A, 1)], at=BEGINNING) for n in range(60))
            )
            accepted = [o.receipt for (o,) in outcomes if isinstance(o, Accepted)]
            refused = [o.error for (o,) in outcomes if isinstance(o, Refused)]
            assert sorted(receipt.version for receipt in accepted) == [*range(2, 42)]
            assert sorted(receipt.available_micros for receipt in accepted) == [
                left * ONE_CREDIT for left in range(40)
            ]
            assert {type(error) for error in refused} == {InsufficientCreditsError}
            assert len(refused) == 20
            for storage in storages:
                assert await audit(storage, A) == []

    async def test_opposite_transfers_at_once_neither_block_nor_lose(
        self, connect: Connect
    ) -> None:
        """Two accounts in two orders are how deadlocks begin."""
        storages = (connect(), connect())
        back = transfer(A, 1)._replace(account=B)
        async with opened(*storages):
            await storages[0].apply([grant(A, 30), grant(B, 30)], at=BEGINNING)
            outcomes = await asyncio.gather(
                *(
                    storages[n // 2 % 2].apply(
                        [transfer(B, 1) if n % 2 else back._replace(key=key())], at=BEGINNING
                    )
                    for n in range(60)
                )
            )
            assert [type(outcome) for (outcome,) in outcomes] == [Accepted] * 60
            for name in (A, B):
                account = (await self._books(storages[0], name)).account
                assert (account.version, account.available_micros) == (61, 30 * ONE_CREDIT)
                assert await audit(storages[1], name) == []

    async def test_an_account_comes_into_being_once(self, connect: Connect) -> None:
        """Also if many are the first to use it."""
        storages = (connect(), connect())
        async with opened(*storages):
            outcomes = await asyncio.gather(
                *(storages[n % 2].apply([grant("new", 1)], at=BEGINNING) for n in range(20))
            )
            versions = sorted(_receipt(outcome).version for (outcome,) in outcomes)
            assert versions == [*range(1, 21)]
            assert await audit(storages[0], "new") == []

    async def test_a_reader_sees_every_batch_as_a_whole(self, connect: Connect) -> None:
        """Account, grants and holds of one answer belong together while others write."""
        storages = (connect(), connect())

        async def write() -> None:
            for number in range(15):
                await storages[number % 2].apply(
                    [grant(A, 2), consume(A, 1), hold(A, 1, timeout=after(9).at - BEGINNING)],
                    at=BEGINNING,
                )

        async with opened(*storages):
            writing = asyncio.ensure_future(write())
            try:
                while not writing.done():
                    books = await self._books(storages[1], A)
                    account, grants = books.account, books.grants.values()
                    assert account.version % 3 == 0
                    assert account.available_micros == sum(g.remaining_micros for g in grants)
                    assert account.held_micros == sum(g.held_micros for g in grants)
                    entries = await storages[0].read(EntriesQuery(A, limit=ALL))
                    assert len(entries.rows) % 3 == 0
                    await asyncio.sleep(0)
            finally:
                await asyncio.wait({writing})
            writing.result()

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
                seen = [await self._version(storages[1], name) for name in (a, b)]
                assert seen[0] in {1, 5}, "the payer's books hold a part of the batch"
                assert seen[1] in {0, 2}, "the payee's books hold a part of the batch"
                expected = reference.apply(batch, BEGINNING)
                if outcomes is not None:
                    assert not (stopping.reached and means == "cancel"), "swallowed a cancellation"
                    require_same_outcomes(outcomes, expected)
                again = await storages[point % 2].apply(batch, at=BEGINNING)
                replayed = [_replayed(outcome) for outcome in expected]
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
            expected = await self._everything(storage, A)
            for point in count():
                stopping = Interruption(means, point)
                await stopping.stop(self._everything(storage, A))
                assert await self._everything(storage, A) == expected
                if not stopping.reached:
                    break
            (outcome,) = await storage.apply([consume(A, 1)], at=BEGINNING)
            assert _receipt(outcome).version == 4

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
            assert _receipt(outcome).version == 1

    # A storage's life

    async def test_books_outlive_their_storage(self, connect: Connect) -> None:
        """What one has written and closed, another one opens, and the same one again."""
        first, second = connect(), connect()
        async with opened(first):
            await first.apply([grant(A, 7)], at=BEGINNING)
        async with opened(second):
            assert (await self._books(second, A)).account.available_micros == 7 * ONE_CREDIT
            await second.apply([consume(A, 1)], at=BEGINNING)
        async with opened(first):
            (outcome,) = await first.apply([consume(A, 1)], at=BEGINNING)
            assert _receipt(outcome).available_micros == 5 * ONE_CREDIT

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
            version = await self._version(again, A)
            assert version % 2 == 0
            assert version >= 2 * len(done)

    # What the tests stand on

    async def _books(self, storage: Storage, name: str) -> Books:
        return (await storage.read(BooksQuery(name, BEGINNING))).rows[0]

    async def _version(self, storage: Storage, name: str) -> int:
        return (await self._books(storage, name)).account.version

    async def _everything(self, storage: Storage, name: str) -> Sequence[object]:
        return [
            await storage.read(AccountsQuery(limit=ALL)),
            await storage.read(BooksQuery(name, BEGINNING)),
            await storage.read(EntriesQuery(name, limit=ALL)),
            await storage.read(GrantsQuery(name, limit=ALL)),
            await storage.read(HoldsQuery(name, limit=ALL)),
            await storage.read(UsageQuery(name, date.min, date.max, by_day=True)),
        ]


def _receipt(outcome: Outcome) -> Receipt:
    assert isinstance(outcome, Accepted), outcome
    return outcome.receipt


def _replayed(outcome: Outcome) -> Outcome:
    receipt = _receipt(outcome)
    linked = tuple(member._replace(replayed=True) for member in receipt.linked)
    return Accepted(receipt._replace(replayed=True, linked=linked))
