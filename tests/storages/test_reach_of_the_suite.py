"""What the histories of the suite reach: everything that there is to reach."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import get_args

from aiocredits import _commands, errors
from aiocredits._commands import Accepted, Command, Outcome, Refused, Single, singles
from aiocredits._model import AccountStatus, EntryKind, GrantState, HoldState
from aiocredits.testing.histories import RandomHistory
from aiocredits.testing.reference import Reference
from aiocredits.testing.stories import STORIES

# What a later version of the books refuses.
NOT_YET = {"LimitExceededError"}


def told() -> Iterator[tuple[Reference, Command, Outcome]]:
    """Yield the books, a command and its outcome, for each of every story and some histories."""
    for story in STORIES:
        books = Reference()
        for step in story():
            yield from answered(books, step.commands, books.apply(step.commands, step.at))
    for seed in range(12):
        books, history = Reference(), RandomHistory(seed)
        for _ in range(60):
            step = history.step(books)
            yield from answered(books, step.commands, books.apply(step.commands, step.at))


def answered(
    books: Reference, commands: Sequence[Command], outcomes: Sequence[Outcome]
) -> Iterator[tuple[Reference, Command, Outcome]]:
    for command, outcome in zip(commands, outcomes, strict=True):
        yield books, command, outcome


def test_every_verb_is_accepted_refused_and_replayed() -> None:
    accepted, refused, replayed = set[type](), set[type](), set[type]()
    for _, command, outcome in told():
        kind = type(command)
        if isinstance(outcome, Refused):
            refused.add(kind)
        else:
            accepted.add(kind)
            if outcome.receipt.replayed:
                replayed.add(kind)
    verbs = set(get_args(Single)) | {_commands.Linked}
    assert verbs == accepted
    assert verbs - refused == {_commands.Settle}
    # A group has no key of its own, and settling writes no entry that could have one.
    assert verbs - replayed == {_commands.Settle, _commands.Linked}


def test_every_kind_of_entry_and_every_state_occurs() -> None:
    kinds, grants, holds, statuses = set[str](), set[str](), set[str](), set[str]()
    for books, command, _ in told():
        for name in {single.account for single in singles([command])}:
            kinds |= {entry.kind for entry in books.entries(name)[-5:]}
            grants |= {grant.state for grant in books.grants(name)}
            holds |= {hold.state for hold in books.holds(name)}
            statuses.add(books.account(name).status)
    # "repay" is told in the detail of the entry that brought the credits.
    assert set(get_args(EntryKind)) - kinds <= {"repay"}
    assert set(get_args(GrantState)) == grants
    assert set(get_args(HoldState)) == holds
    assert set(get_args(AccountStatus)) == statuses


def test_every_refusal_of_the_books_occurs() -> None:
    found = {type(o.error).__name__ for _, _, o in told() if isinstance(o, Refused)}
    known = {kind.__name__ for kind in errors.RefusalError.__subclasses__()}
    assert known - found == NOT_YET
    assert {"InvalidAmountError", "InvalidExpiryError", "InvalidInputError"} <= found


def test_what_receipts_can_tell_is_told() -> None:
    receipts = [o.receipt for _, _, o in told() if isinstance(o, Accepted)]
    assert any(receipt.shortfall_micros for receipt in receipts)
    assert any(receipt.expired_micros for receipt in receipts)
    assert any(receipt.overdraft_micros for receipt in receipts)
    assert any(len(receipt.taken) > 2 for receipt in receipts)
    assert any(receipt.linked for receipt in receipts)


def test_a_history_is_the_same_for_the_same_seed() -> None:
    def tell(seed: int) -> list[object]:
        books, history = Reference(), RandomHistory(seed)
        steps = []
        for _ in range(20):
            steps.append(step := history.step(books))
            books.apply(step.commands, step.at)
        return list(steps)

    assert tell(1) == tell(1)
    assert tell(1) != tell(2)


def test_importing_the_library_imports_neither_the_suite_nor_pytest_nor_a_driver() -> None:
    code = (
        "import sys, aiocredits\n"
        "print(sorted({'pytest', 'sqlite3', 'aiosqlite', 'asyncpg', 'aiocredits.testing'}"
        " & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_importing_the_suite_imports_no_driver() -> None:
    code = (
        "import sys, aiocredits.testing\n"
        "print(sorted({'sqlite3', 'aiosqlite', 'asyncpg'} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
