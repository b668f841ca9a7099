"""What holds of every history."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from hypothesis import given, note
from hypothesis import strategies as st

from aiocredits import _commands as c
from aiocredits._ledger import Audit, project, spendable
from aiocredits._model import Account, Books
from aiocredits._receipt import Receipt
from aiocredits.storages.memory import MemoryStorage
from tests.ledger.histories import Author, Dated, Step, histories, law
from tests.ledger.world import ACCOUNTS, ONE, World, check, run, said, same_but_bounds

Story = Sequence[Step]


def told(history: Story, *, steady: bool = False) -> tuple[World, list[Dated], list[c.Outcome]]:
    """Return the world after a history, its commands, and their outcomes."""
    world, outcomes = World(), list[c.Outcome]()
    written = Author(world, steady=steady).write(history, outcomes.append)
    for (command, at), outcome in zip(written, outcomes, strict=True):
        note(f"{at:%d %H:%M:%S.%f} {command}\n    -> {said(outcome)}")
    return world, written, outcomes


def receipts(outcome: c.Outcome) -> Iterator[Receipt]:
    """Yield the receipts of those commands that wrote something."""
    if isinstance(outcome, c.Accepted):
        both = outcome.receipt.linked if outcome.receipt.kind == "group" else (outcome.receipt,)
        yield from (receipt for receipt in both if receipt.number)


@law
@given(histories())
def test_the_books_add_up_after_every_step(history: Story) -> None:
    world = World()
    author = Author(world)

    def look(outcome: c.Outcome) -> None:
        note(f"{author.written[-1]} -> {said(outcome)}")
        check(world)

    author.write(history, look)


@law
@given(histories())
def test_refusing_changes_nothing(history: Story) -> None:
    world = World()
    before: list[object] = [world.snapshot()]

    def look(outcome: c.Outcome) -> None:
        if isinstance(outcome, c.Refused):
            assert world.snapshot() == before[-1]
            assert not world.last.changes.entries
            assert not any(world.last.changes)
        before.append(world.snapshot())

    Author(world).write(history, look)


@law
@given(histories())
def test_a_key_acts_once_and_answers_again(history: Story) -> None:
    world, written, outcomes = told(history)
    after = world.snapshot()
    for (command, _), outcome in zip(written, outcomes, strict=True):
        wrote = list(receipts(outcome))
        members = command.commands if isinstance(command, c.Linked) else (command,)
        if len(wrote) == len(members):
            # Days later, and whatever has become of the account since.
            (again,) = world.apply(command, at=world.account().at.replace(year=2028))
            for first, second in zip(wrote, receipts(again), strict=True):
                assert second.replayed
                assert as_first(second) == as_first(first)
    assert world.snapshot() == after


def as_first(receipt: Receipt) -> Receipt:
    linked = tuple(as_first(other) for other in receipt.linked)
    return receipt._replace(replayed=False, linked=linked)


@law
@given(histories())
def test_a_batch_is_its_commands_one_after_the_other(history: Story) -> None:
    world, written, outcomes = told(history)
    batched, answers = World(), list[c.Outcome]()
    for at, batch in groupby(written, key=lambda dated: dated[1]):
        answers += batched.apply(*(command for command, _ in batch), at=at)
    assert [said(a) for a in answers] == [said(o) for o in outcomes]
    assert batched.snapshot() == world.snapshot()


@law
@given(histories())
def test_what_a_storage_is_asked_for_is_enough(history: Story) -> None:
    world, written, outcomes = told(history)
    storage, answers = MemoryStorage(), list[c.Outcome]()
    for command, at in written:
        answers += run(storage.apply([command], at=at))
    assert [said(a) for a in answers] == [said(o) for o in outcomes]
    for name, books in world.books.items():
        shelf = storage._shelves.get(name)
        assert (shelf.account if shelf else Account(name)) == books.account
        if shelf:
            assert shelf.entries == world.entries[name]
            assert shelf.open_grants | shelf.ended_grants == books.grants
            assert shelf.open_holds | shelf.ended_holds == books.holds
            assert world.usage_of(name) == {row: n for row, n in shelf.usage.items() if n}


@law
@given(histories())
def test_the_entries_alone_rebuild_the_books(history: Story) -> None:
    world, _, _ = told(history)
    for name, books in world.books.items():
        audit = Audit(name)
        for entry in world.entries.get(name, []):  # however few at a time are read
            audit.read([entry])
        assert same_but_bounds(audit.draft.books(), books)


@law
@given(histories(), st.sets(st.integers(0, 60)))
def test_looking_makes_no_difference(history: Story, looks: set[int]) -> None:
    world, written, outcomes = told(history, steady=True)
    looked, answers, before = World(), list[c.Outcome](), written[0][1]
    for index, (command, at) in enumerate(written):
        if index in looks:
            for number, name in enumerate(ACCOUNTS):
                moment = before + (at - before) * number / 2
                looked.apply(c.Settle(name, f"~look{index}-{number}"), at=moment)
        answers += looked.apply(command, at=at)
        before = at
    assert [said(a) for a in answers] == [said(o) for o in outcomes]
    for name in ACCOUNTS:  # refusals dropped what they had found due, so both look once more
        for either in (world, looked):
            either.apply(c.Settle(name, "~end"), at=before)
    assert looked.snapshot() == world.snapshot()


@law
@given(histories(), st.sampled_from([None, "chat", "image"]), st.integers(1, 60 * ONE))
def test_a_reader_sees_what_the_next_command_finds(
    history: Story, service: str | None, amount: int
) -> None:
    world, written, _ = told(history)
    at = written[-1][1].replace(year=2027)
    for name in ACCOUNTS:
        books = project(world.books.get(name) or Books(Account(name)), at)
        if books.account.status == "open":
            enough = spendable(books.grants, service) >= amount
            (outcome,) = World.of(world).apply(c.Consume(name, "k", amount, service=service), at=at)
            assert isinstance(outcome, c.Accepted) == enough
        world.apply(c.Settle(name, "~settle"), at=at)
        assert same_but_bounds(world.books.get(name) or Books(Account(name)), books)


@law
@given(histories())
def test_time_never_goes_backwards(history: Story) -> None:
    _, _, outcomes = told(history)
    last: dict[str, Receipt] = {}
    for outcome in outcomes:
        for receipt in receipts(outcome):
            if receipt.replayed:
                continue
            known = last.setdefault(receipt.account, receipt)
            assert known.version <= receipt.version
            assert known.at <= receipt.at
            last[receipt.account] = receipt
