"""What holds of every history."""

from collections.abc import Callable, Sequence
from datetime import timedelta

from hypothesis import given, note, settings
from hypothesis import strategies as st

from aiocredits import _commands as c
from aiocredits._ledger import project
from aiocredits.storages.memory import MemoryStorage
from tests.ledger.world import (
    Author,
    Dated,
    Step,
    World,
    check,
    histories_with_start,
    run,
    without_bounds,
    without_due,
)


def told(history: Sequence[Step]) -> tuple[World, list[Dated], list[c.Outcome]]:
    world, outcomes = World(), list[c.Outcome]()
    written = Author(world).write(history, outcomes.append)
    for (command, at), outcome in zip(written, outcomes, strict=True):
        note(f"{at:%d %H:%M:%S.%f} {command}\n    -> {without_due(outcome)}")
    return world, written, outcomes


@settings(max_examples=1500)
@given(histories_with_start())
def test_the_books_add_up_after_every_step(history: Sequence[Step]) -> None:
    world = World()
    author = Author(world)

    def look(outcome: c.Outcome) -> None:
        note(f"{author.written[-1]} -> {without_due(outcome)}")
        check(world)

    author.write(history, look)
