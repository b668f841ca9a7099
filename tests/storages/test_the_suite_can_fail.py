"""Storages that are wrong in one way each: the conformance suite has to notice every one."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import pytest

from aiocredits._commands import Command, Outcome, Refused
from aiocredits._ledger import Changes, Scope, State
from aiocredits._model import Account, Books, Charge, Grant, Hold
from aiocredits._queries import AccountsQuery, EntriesQuery, Page, Query
from aiocredits.errors import StorageError
from aiocredits.testing import StorageConformance
from aiocredits.testing.clock import BEGINNING
from aiocredits.testing.comparison import Difference, require_equal
from aiocredits.testing.reference import Reference
from aiocredits.testing.stories import A, grant
from tests.storages.file_storage import FileStorage, Tables, UsageOf

Row = TypeVar("Row")


class LosesUpdates(FileStorage):
    """Reads, lets others write, and writes over it."""

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Tables]:
        tables = self.read_file()
        await asyncio.sleep(0)
        yield tables
        self.write_file(tables)


class WritesHalf(FileStorage):
    """Acts on each command by itself, so that a batch can be cut in two."""

    async def apply(self, commands: Sequence[Command], *, at: datetime) -> Sequence[Outcome]:
        outcomes: list[Outcome] = []
        for command in commands:
            outcomes += await super().apply([command], at=at)
            await asyncio.sleep(0)
        return outcomes


class SwallowsCancellation(FileStorage):
    """Takes a cancelled wait for an answered one."""

    async def apply(self, commands: Sequence[Command], *, at: datetime) -> Sequence[Outcome]:
        outcomes = await super().apply(commands, at=at)
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(0)
        return outcomes


class AcknowledgesTooSoon(FileStorage):
    """Keeps what it acknowledged in memory until it is closed."""

    kept: Tables | None = None

    def read_file(self) -> Tables:
        return self.kept or super().read_file()

    def write_file(self, tables: Tables) -> None:
        self.kept = tables

    async def close(self) -> None:
        self.kept = None
        await super().close()


class StopsAtARefusal(FileStorage):
    """Takes back a whole batch because one command of it was refused."""

    async def apply(self, commands: Sequence[Command], *, at: datetime) -> Sequence[Outcome]:
        before = self.read_file()
        outcomes = await super().apply(commands, at=at)
        if any(isinstance(outcome, Refused) for outcome in outcomes):
            self.write_file(before)
        return outcomes


class DropsAnOutcome(FileStorage):
    """Answers equal commands once."""

    async def apply(self, commands: Sequence[Command], *, at: datetime) -> Sequence[Outcome]:
        once = [c for number, c in enumerate(commands) if c not in commands[:number]]
        return await super().apply(once, at=at)


class RaisesItsOwnErrors(FileStorage):
    """Lets an error of what it is built on through."""

    def read_file(self) -> Tables:
        if not self.is_open:
            raise FileNotFoundError(self.path)
        return super().read_file()


class CannotCloseTwice(FileStorage):
    async def close(self) -> None:
        if not self.is_open:
            raise StorageError("closed")
        await super().close()


class HidesErrors(FileStorage):
    """Says "nothing there" where it should say that it cannot know."""

    async def read(self, query: Query[Row]) -> Page[Row]:
        return await super().read(query) if self.is_open else Page(())


class NeverSaysMore(Tables):
    def page(self, rows: Iterable[object], limit: int) -> Page[object]:
        return super().page(rows, limit)._replace(more=False)


class PromisesMore(Tables):
    def page(self, rows: Iterable[object], limit: int) -> Page[object]:
        page = super().page(rows, limit)
        return page._replace(more=len(page.rows) == limit)


class CountsFromTheWrongEnd(Tables):
    """Takes the oldest page of the newest entries."""

    def answer(self, query: object) -> Page[object]:
        if isinstance(query, EntriesQuery) and query.newest_first:
            page = super().answer(replace(query, newest_first=False))
            return Page(page.rows[::-1], page.more)
        return super().answer(query)


class SortsNamesWithoutCase(Tables):
    def answer(self, query: object) -> Page[object]:
        if isinstance(query, AccountsQuery) and query.due_by is None:
            names = sorted(self.accounts, key=str.lower)
            after = names.index(query.after) + 1 if query.after else 0
            return self.page((self.accounts[name] for name in names[after:]), query.limit)
        return super().answer(query)


class IgnoresKeys(Tables):
    async def load(self, scope: Scope, at: datetime) -> State:
        return (await super().load(scope, at))._replace(keys={})

    async def save(self, changes: Changes) -> None:
        self.keys.clear()
        await super().save(changes)


class ForgetsOwnKeys(Tables):
    """Has no unique index, so that a repeated batch acts twice."""

    async def save(self, changes: Changes) -> None:
        await super().save(changes)
        self.keys = {key: number for key, number in self.keys.items() if key[1][0] != "~"}


class SharesKeysBetweenAccounts(Tables):
    async def load(self, scope: Scope, at: datetime) -> State:
        state = await super().load(scope, at)
        numbers = {key: (account, number) for (account, key), number in self.keys.items()}
        found = {asked: numbers[asked[1]] for asked in scope.keys if asked[1] in numbers}
        return state._replace(keys={k: self.entries[a][n] for k, (a, n) in found.items()})


class ForgetsWhatSlicesReach(Tables):
    """Loads no grant that has ended, though a hold or a charge has a part of it."""

    def grants_for(
        self, name: str, scope: Scope, reaching: Iterable[Hold | Charge]
    ) -> Iterator[Grant]:
        return super().grants_for(name, scope, ())


class ForgetsLateUsage(Tables):
    def grants_for(
        self, name: str, scope: Scope, reaching: Iterable[Hold | Charge]
    ) -> Iterator[Grant]:
        return super().grants_for(name, scope._replace(late=()), reaching)


class ForgetsDebts(Tables):
    def books(self, name: str, scope: Scope, at: datetime) -> Books:
        books = super().books(name, scope, at)
        return books._replace(charges={n: c for n, c in books.charges.items() if not c.owed_micros})


class ForgetsRefunds(Tables):
    """Derives every charge from its entry, as if it were whole."""

    async def save(self, changes: Changes) -> None:
        await super().save(changes._replace(charges=()))


class ForgetsTimeouts(Tables):
    def books(self, name: str, scope: Scope, at: datetime) -> Books:
        books = super().books(name, scope, at)
        asked = {number for _, number in scope.holds}
        return books._replace(holds={n: h for n, h in books.holds.items() if n in asked})


class ForgetsTheNextTimeout(Tables):
    def books(self, name: str, scope: Scope, at: datetime) -> Books:
        return super().books(name, scope, at)._replace(next_timeout=None)


class ForgetsSlicesOfHolds(Tables):
    async def save(self, changes: Changes) -> None:
        kept = tuple(hold._replace(slices=hold.slices[:1]) for hold in changes.new_holds)
        await super().save(changes._replace(new_holds=kept))


class BurnsInOrderOfMaking(Tables):
    def books(self, name: str, scope: Scope, at: datetime) -> Books:
        books = super().books(name, scope, at)
        return books._replace(grants=dict(sorted(books.grants.items())))


class KeepsMilliseconds(Tables):
    async def save(self, changes: Changes) -> None:
        entries = tuple(
            entry._replace(at=entry.at.replace(microsecond=entry.at.microsecond // 1000 * 1000))
            for entry in changes.entries
        )
        await super().save(changes._replace(entries=entries))


class KeepsAmountsAsFloats(Tables):
    async def save(self, changes: Changes) -> None:
        accounts = tuple(
            (old, new._replace(available_micros=int(float(new.available_micros))))
            for old, new in changes.accounts
        )
        await super().save(changes._replace(accounts=accounts))


class CutsLongTexts(Tables):
    async def save(self, changes: Changes) -> None:
        entries = tuple(e._replace(description=e.description[:255]) for e in changes.entries)
        await super().save(changes._replace(entries=entries))


class KeepsNoMetadata(Tables):
    async def save(self, changes: Changes) -> None:
        grants = tuple(grant._replace(metadata={}) for grant in changes.new_grants)
        await super().save(changes._replace(new_grants=grants))


class WritesUsageOver(Tables):
    """Sets what was spent on a day, where it should add to it."""

    def add_usage(self, of: UsageOf, micros: int) -> None:
        self.usage[of] = micros


class MakesAccountsByLooking(Tables):
    async def load(self, scope: Scope, at: datetime) -> State:
        state = await super().load(scope, at)
        self.accounts = {name: Account(name) for name in scope.accounts} | self.accounts
        return state


def on(tables_kind: type[Tables]) -> type[FileStorage]:
    return type(tables_kind.__name__, (FileStorage,), {"tables": tables_kind})


# Which case notices; most are noticed by many others too.
WRONG: dict[type[FileStorage], str] = {
    LosesUpdates: "never_spend_more_than_there_is",
    WritesHalf: "apply_stopped_at_any_await_has_done_all_or_nothing[raise]",
    SwallowsCancellation: "apply_stopped_at_any_await_has_done_all_or_nothing[cancel]",
    AcknowledgesTooSoon: "books_outlive_their_storage",
    StopsAtARefusal: "[running_short]",
    DropsAnOutcome: "[keys_replay_and_conflict]",
    RaisesItsOwnErrors: "a_storage_that_is_not_open_says_so",
    CannotCloseTwice: "closing_twice_is_harmless",
    HidesErrors: "a_storage_that_is_not_open_says_so",
    on(NeverSaysMore): "pages_follow_each_other_without_gaps[7]",
    on(PromisesMore): "pages_follow_each_other_without_gaps[8]",
    on(CountsFromTheWrongEnd): "pages_follow_each_other_without_gaps[2]",
    on(SortsNamesWithoutCase): "[units_and_strangers]",
    on(IgnoresKeys): "[keys_replay_and_conflict]",
    on(ForgetsOwnKeys): "a_repeated_batch_of_the_librarys_own_keys_acts_once",
    on(SharesKeysBetweenAccounts): "[keys_replay_and_conflict]",
    on(ForgetsWhatSlicesReach): "[held_grants_end]",
    on(ForgetsLateUsage): "[usage_reported_late]",
    on(ForgetsDebts): "[running_short]",
    on(ForgetsRefunds): "[refunding]",
    on(ForgetsTimeouts): "[holding]",
    on(ForgetsTheNextTimeout): "[holding]",
    on(ForgetsSlicesOfHolds): "[held_grants_end]",
    on(BurnsInOrderOfMaking): "[burning_in_order]",
    on(KeepsMilliseconds): "[extremes]",
    on(KeepsAmountsAsFloats): "[extremes]",
    on(CutsLongTexts): "[names_of_every_kind]",
    on(KeepsNoMetadata): "[transferring]",
    on(WritesUsageOver): "[running_short]",
    on(MakesAccountsByLooking): "what_is_refused_leaves_no_trace",
}

Test: TypeAlias = Callable[..., Any]


def cases_of_the_suite() -> Iterator[tuple[str, Test, dict[str, object]]]:
    """Yield each test, once for each of its parameters."""
    suite = StorageConformance()
    for name, test in inspect.getmembers(suite, inspect.iscoroutinefunction):
        if name.startswith("test_"):
            marks = getattr(test, "pytestmark", [])
            for mark in marks:
                argument, values = mark.args
                for value in values:
                    yield f"{name}[{getattr(value, '__name__', value)}]", test, {argument: value}
            if not marks:
                yield name, test, {}


@pytest.mark.parametrize("kind", WRONG, ids=lambda kind: kind.__name__)
async def test_the_suite_notices(kind: type[FileStorage], tmp_path: Path) -> None:
    (case,) = [case for case in cases_of_the_suite() if case[0].endswith(WRONG[kind])]
    _, test, arguments = case
    with pytest.raises((Exception, pytest.fail.Exception)):
        await test(connect=lambda: kind(tmp_path / "wrong"), **arguments)
    # It is the storage that fails there, and not the test.
    await test(connect=lambda: FileStorage(tmp_path / "right"), **arguments)


def test_a_difference_says_where_it_is_and_what_was_expected() -> None:
    found, expected = Reference(), Reference()
    found.apply([grant(A, 5)], BEGINNING)
    expected.apply([grant(A, 7)], BEGINNING)
    with pytest.raises(Difference) as told:
        require_equal("books", found.books(A, BEGINNING), expected.books(A, BEGINNING))
    assert str(told.value).splitlines() == [
        "books differ",
        ".account.available_micros: 5000000 where 7000000 is expected",
        ".grants[1].amount_micros: 5000000 where 7000000 is expected",
        ".grants[1].remaining_micros: 5000000 where 7000000 is expected",
    ]
