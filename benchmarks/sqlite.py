"""Consuming on SQLite, against a hand-written transaction for each consume.

    python benchmarks/sqlite.py [--quick] [--directory PATH]

Both sides keep the same facts of a consume, just as durably (see `handwritten.py`), and take turns
in one process, each workload in new databases. The hand-written side has one connection or four,
whichever is faster at the workload. At the end `verify` derives every balance of the library from
its entries, and the balances of both sides are compared with what was consumed.
"""

import asyncio
import itertools
import random
import statistics
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from aiocredits import CreditClient
from aiocredits.commands import add_credits
from handwritten import HandWritten, balances, create
from measure import (
    Json,
    Sample,
    environment,
    finish,
    options,
    progress,
    requirement,
    run_callers,
    summary,
)

ACCOUNTS = [f"user-{number}" for number in range(1000)]
HOT = "hot"
GRANTED = 1_000_000_000


@dataclass(frozen=True)
class Workload:
    """How many callers consume from which accounts."""

    title: str
    callers: int
    accounts: Sequence[str]
    keyed: bool = False
    """Whether each call names a key of its own, which the library has to look up."""
    turns: int = 1
    """Into how many turns the time of a round is cut, where the disk's mood changes quickly."""


WORKLOADS = {
    "many_accounts": Workload("64 callers, 1,000 accounts", 64, ACCOUNTS),
    "hot_account": Workload("64 callers, one hot account", 64, [HOT]),
    "keyed": Workload("64 callers, 1,000 accounts, their own keys", 64, ACCOUNTS, keyed=True),
    "lone_caller": Workload("one caller, 1,000 accounts", 1, ACCOUNTS, turns=20),
}


class Books(Protocol):
    """One side of the comparison."""

    taken: Counter[str]

    async def consume(self, account: str, *, keyed: bool) -> None:
        """Take one credit."""


@dataclass
class Library:
    """One client, shared by all callers."""

    client: CreditClient
    taken: Counter[str] = field(default_factory=Counter)
    numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    async def consume(self, account: str, *, keyed: bool) -> None:
        """Take one credit."""
        key = f"request-{next(self.numbers):012}" if keyed else None
        await self.client.consume_credits(account, 1, "a report", idempotency_key=key)
        self.taken[account] += 1


@dataclass
class ByHand:
    """Transactions written by hand; every entry has a key, and they come in order."""

    books: HandWritten
    taken: Counter[str]
    numbers: "itertools.count[int]"

    async def consume(self, account: str, *, keyed: bool) -> None:  # noqa: ARG002 - always keyed
        """Take one credit."""
        key = f"request-{next(self.numbers):012}"
        await self.books.consume(account, 1, "a report", key)
        self.taken[account] += 1


@dataclass
class Turns:
    """What the rounds of one workload gave."""

    by_hand: list[Sample] = field(default_factory=list)
    library: list[Sample] = field(default_factory=list)
    connections: int = 1

    @property
    def speedup(self) -> float:
        """How many times as many consumes a second the library did, in the median round."""
        pairs = zip(self.library, self.by_hand, strict=True)
        return statistics.median(library.rate / by_hand.rate for library, by_hand in pairs)

    @property
    def slowdown(self) -> float:
        """How many times as long a consume of the library took, in the median round."""
        return 1 / self.speedup

    def report(self) -> dict[str, Json]:
        """Return both sides and their ratios."""
        return {
            "hand_written": {"connections": self.connections, **summary(self.by_hand)},
            "aiocredits": summary(self.library),
            "speedup": round(self.speedup, 2),
        }


async def take_turns(
    workload: Workload,
    library: Library,
    by_hand: Mapping[int, ByHand],
    *,
    rounds: int,
    seconds: float,
) -> Turns:
    """Measure the library and the faster of the hand-written pools, round by round."""
    turns = Turns()
    # The round that warms up also tells how many connections suit the hand-written side.
    await consume_for(library, workload, seconds)
    tried = {size: await consume_for(books, workload, seconds) for size, books in by_hand.items()}
    turns.connections = max(tried, key=lambda size: tried[size].rate)
    for _ in range(rounds * workload.turns):
        rival = by_hand[turns.connections]
        turns.by_hand.append(await consume_for(rival, workload, seconds / workload.turns))
        turns.library.append(await consume_for(library, workload, seconds / workload.turns))
    return turns


async def consume_for(books: Books, workload: Workload, seconds: float) -> Sample:
    """Let the callers of a workload consume until the time is up."""
    chance = random.Random(1)

    async def consume(_: int) -> None:
        await books.consume(chance.choice(workload.accounts), keyed=workload.keyed)

    return await run_callers(consume, callers=workload.callers, seconds=seconds)


async def run(
    workload: Workload, directory: Path, *, rounds: int, seconds: float
) -> tuple[Turns, dict[str, Json]]:
    """Measure a workload in new databases, and check what both sides left behind."""
    path = directory / "by-hand.db"
    create(path, workload.accounts, GRANTED)
    async with (
        CreditClient(f"sqlite:///{directory / 'library.db'}") as client,
        HandWritten(path, 1) as one,
        HandWritten(path, 4) as four,
    ):
        await client.apply_all(*(add_credits(account, GRANTED) for account in workload.accounts))
        library = Library(client)
        numbers, taken = itertools.count(), Counter[str]()
        by_hand = {1: ByHand(one, taken, numbers), 4: ByHand(four, taken, numbers)}
        turns = await take_turns(workload, library, by_hand, rounds=rounds, seconds=seconds)
        verification = await client.verify()
        assert verification.ok, verification.problems
        for account in workload.accounts:
            left = GRANTED - library.taken[account]
            assert await client.get_user_balance(account) == left, account
    expected = {account: GRANTED - taken[account] for account in workload.accounts}
    assert balances(path) == expected
    return turns, {**turns.report(), "entries_verified": verification.entries}


def requirements(turns: Mapping[str, Turns]) -> list[Json]:
    """Return what is asked of the library."""
    many, hot, lone = turns["many_accounts"], turns["hot_account"], turns["lone_caller"]
    rate = statistics.median(sample.rate for sample in many.library)
    hot_rate = statistics.median(sample.rate for sample in hot.library)
    return [
        requirement("many accounts: times as fast", many.speedup, at_least=10),
        requirement("hot account: times as fast", hot.speedup, at_least=10),
        requirement("lone caller: times as long", lone.slowdown, at_most=1.3),
        requirement("many accounts: consumes a second", rate, at_least=10_000),
        requirement("hot account: consumes a second", hot_rate, at_least=10_000),
    ]


def main() -> None:
    arguments = options(__doc__).parse_args()
    rounds, seconds = (3, 0.5) if arguments.quick else (7, 2.0)
    report: dict[str, Json] = {"benchmark": "sqlite"}
    turns: dict[str, Turns] = {}
    for name, workload in WORKLOADS.items():
        progress(f"{workload.title} …")
        with tempfile.TemporaryDirectory(dir=arguments.directory) as path:
            report.setdefault("environment", environment(Path(path)))
            measured = run(workload, Path(path), rounds=rounds, seconds=seconds)
            turns[name], report[name] = asyncio.run(measured)
    finish(report, requirements(turns))


if __name__ == "__main__":
    main()
