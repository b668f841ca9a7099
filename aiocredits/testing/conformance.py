"""The suite that a storage has to pass."""

# ruff: noqa: S101, PLR2004 - assert is how a test speaks, and its numbers are its example

import asyncio
from random import Random

import pytest

from aiocredits._amounts import ONE_CREDIT
from aiocredits._commands import Accepted, Command, Refused
from aiocredits._queries import (
    AccountsQuery,
    EntriesQuery,
    OpeningQuery,
)
from aiocredits.errors import InsufficientCreditsError
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
    ALL,
    audit,
    require_same_books,
    require_same_outcomes,
)
from aiocredits.testing.histories import RandomHistory
from aiocredits.testing.lifetimes import LifetimeConformance
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


@pytest.mark.asyncio
class StorageConformance(LifetimeConformance):
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

    steps_per_history = 60

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
            assert (await storage.read(OpeningQuery(A))).rows == ()

    async def test_what_is_refused_leaves_no_trace(self, connect: Connect) -> None:
        """No entry, no account, no key: the key of a refused call works afterwards."""
        storage = connect()
        late = consume(A, 9, key="late")
        async with opened(storage):
            await storage.apply([grant(A, 5), hold(A, 1)], at=BEGINNING)
            before = await everything_of(storage, A)
            refused = await storage.apply(
                [late, consume(B, 1), hold(A, 99), transfer(C, 99), late], at=BEGINNING
            )
            assert [type(outcome) for outcome in refused] == [Refused] * 5
            assert await everything_of(storage, A) == before
            assert [account.name for account in (await storage.read(AccountsQuery())).rows] == [A]
            await storage.apply([grant(A, 5)], at=BEGINNING)
            (outcome,) = await storage.apply([late], at=BEGINNING)
            assert receipt_of(outcome).replayed is False

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
            require_same_outcomes(again, [replayed_of(outcome) for outcome in original])
            assert await version_of(first, A) == 4
            assert await version_of(second, B) == 1

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
            require_same_outcomes(again[:5], [replayed_of(outcome) for outcome in original])
            assert receipt_of(again[5]).version == 2
            again = await first.apply([consume(A, 1), *reversed(batch)], at=BEGINNING)
            assert receipt_of(again[0]).version == 5
            expected = [replayed_of(outcome) for outcome in reversed(original)]
            require_same_outcomes(again[1:], expected)

    async def test_an_own_key_that_took_the_last_credits_never_takes_more(
        self, connect: Connect
    ) -> None:
        """Whether the repetition is answered or refused, the books stay as they are."""
        storage = connect()
        charge = consume(A, 5)
        async with opened(storage):
            await storage.apply([grant(A, 5), charge], at=BEGINNING)
            before = await everything_of(storage, A)
            await storage.apply([charge], at=BEGINNING)
            assert await everything_of(storage, A) == before

    async def test_one_key_used_by_many_at_once_acts_once(self, connect: Connect) -> None:
        """All get the same receipt, and only one of them a first-hand one."""
        storages = (connect(), connect())
        charge = consume(A, 1, key="one job")
        async with opened(*storages):
            await storages[0].apply([grant(A, 50)], at=BEGINNING)
            outcomes = await asyncio.gather(
                *(storages[n % 2].apply([charge], at=BEGINNING) for n in range(20))
            )
            receipts = [receipt_of(outcome) for (outcome,) in outcomes]
            assert sorted(receipt.replayed for receipt in receipts) == [False] + [True] * 19
            assert {receipt._replace(replayed=True) for receipt in receipts} == {
                receipts[0]._replace(replayed=True)
            }
            assert await version_of(storages[0], A) == 2

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
                account = (await books_of(storages[0], name)).account
                assert (account.version, account.available_micros) == (61, 30 * ONE_CREDIT)
                assert await audit(storages[1], name) == []

    async def test_an_account_comes_into_being_once(self, connect: Connect) -> None:
        """Also if many are the first to use it."""
        storages = (connect(), connect())
        async with opened(*storages):
            outcomes = await asyncio.gather(
                *(storages[n % 2].apply([grant("new", 1)], at=BEGINNING) for n in range(20))
            )
            versions = sorted(receipt_of(outcome).version for (outcome,) in outcomes)
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
                    books = await books_of(storages[1], A)
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
