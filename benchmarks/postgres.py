"""Consuming on PostgreSQL, against the best statement for one consume that one would write by hand.

    python benchmarks/postgres.py [--quick] [--loop uvloop] [--only NAME …] [--directory PATH]

All sides use one server with ``fsync`` and ``synchronous_commit`` on, and take turns, so that a
busy machine slows them alike. ``AIOCREDITS_TEST_POSTGRES`` names a server to use instead of one
that is started here. At the end `verify` derives every balance of the library from its entries,
and the balances of both sides are compared with what was consumed.
"""

import argparse
import asyncio
import json
import random
import statistics
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

from aiocredits import CreditClient
from aiocredits.commands import add_credits
from aiocredits.storages.postgres import PostgresStorage
from measure import (
    Json,
    Sample,
    environment,
    finish,
    milliseconds,
    options,
    progress,
    requirement,
    run_callers,
    summary,
)
from postgres_rivals import ByHand, Ceiling

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.servers import running_server

T = TypeVar("T")

ACCOUNTS = [f"user-{number:04}" for number in range(1000)]
HOT = ["hot"]
GRANTED = 1_000_000_000
PROCESSES = 4
CALLERS_EACH = 32


@dataclass
class Library:
    """One client, shared by all callers."""

    client: CreditClient
    worker: int = 0
    taken: Counter[str] = field(default_factory=Counter)
    numbers: "count[int]" = field(default_factory=count)

    async def consume(self, account: str) -> None:
        """Take one credit."""
        await self.client.consume_credits(account, 1, "a report")
        self.taken[account] += 1

    async def consume_keyed(self, account: str) -> None:
        """Take one credit, with a key of the caller's."""
        key = f"request-{self.worker}-{next(self.numbers):012}"
        await self.client.consume_credits(account, 1, "a report", idempotency_key=key)
        self.taken[account] += 1

    async def hold_and_capture(self, account: str) -> None:
        """Reserve two credits and take one of them."""
        hold = await self.client.hold_credits(account, 2, "a report")
        await self.client.capture_hold(hold.id, 1)
        self.taken[account] += 1


@dataclass
class Race:
    """Sides that take turns at one workload."""

    callers: int
    accounts: Sequence[str]
    sides: Mapping[str, Callable[[str], Awaitable[None]]]
    turns: int = 1
    """Into how many turns the time of a round is cut, where the machine's mood changes quickly."""


async def run_race(race: Race, *, rounds: int, seconds: float) -> dict[str, list[Sample]]:
    """Measure the sides in turns, after one round that warms up."""
    samples: dict[str, list[Sample]] = {side: [] for side in race.sides}
    for side in race.sides.values():
        await consume_for(side, race.accounts, race.callers, min(seconds, 1.0))
    for _ in range(rounds * race.turns):
        for name, side in race.sides.items():
            sample = await consume_for(side, race.accounts, race.callers, seconds / race.turns)
            samples[name].append(sample)
    return samples


async def consume_for(
    consume: Callable[[str], Awaitable[None]],
    accounts: Sequence[str],
    callers: int,
    seconds: float,
) -> Sample:
    """Let callers consume until the time is up."""
    chance = random.Random(1)

    async def work(_: int) -> None:
        await consume(chance.choice(accounts))

    return await run_callers(work, callers=callers, seconds=seconds)


def ratio(of: Sequence[Sample], to: Sequence[Sample]) -> float:
    """Return how many times as fast one side was, in the median round."""
    return statistics.median(a.rate / b.rate for a, b in zip(of, to, strict=True))


def p50_ratio(of: Sequence[Sample], to: Sequence[Sample]) -> float:
    """Return how many times as long one side took, in the median round."""
    return statistics.median(
        a.percentile(50) / b.percentile(50) for a, b in zip(of, to, strict=True)
    )


@dataclass
class Bench:
    """All sides, connected to one database."""

    url: str
    library: Library
    by_hand: ByHand
    rounds: int
    seconds: float
    report: dict[str, Json] = field(default_factory=dict)
    required: list[Json] = field(default_factory=list)

    async def race(self, name: str, race: Race) -> dict[str, list[Sample]]:
        """Run a race and report it."""
        progress(f"{name} …")
        samples = await run_race(race, rounds=self.rounds, seconds=self.seconds)
        self.report[name] = {side: summary(turns) for side, turns in samples.items()}
        return samples

    def require(self, name: str, value: float, **bound: float) -> None:
        """Note a figure that has a bound."""
        self.required.append(requirement(name, value, **bound))

    async def many(self) -> None:
        """64 callers, 1,000 accounts; the ceiling beside them."""
        sides = {
            "one statement": self.by_hand.consume,
            "one statement, no usage": self.by_hand.consume_leaner,
            "transaction": self.by_hand.consume_in_transaction,
            "aiocredits": self.library.consume,
            "aiocredits, keyed": self.library.consume_keyed,
        }
        samples = await self.race("64 callers, 1,000 accounts", Race(64, ACCOUNTS, sides, turns=3))
        speed = ratio(samples["aiocredits"], samples["one statement"])
        self.require("1,000 accounts: times the statement", speed, at_least=4)
        await self.against_ceiling("1,000 accounts", ACCOUNTS)

    async def hot(self) -> None:
        """64 callers, one account."""
        sides = {
            "one statement": self.by_hand.consume,
            "one statement, no usage": self.by_hand.consume_leaner,
            "aiocredits": self.library.consume,
        }
        samples = await self.race("64 callers, one hot account", Race(64, HOT, sides))
        speed = ratio(samples["aiocredits"], samples["one statement"])
        self.require("hot account: times the statement", speed, at_least=15)

    async def crowd(self) -> None:
        """1,000 callers."""
        sides = {"one statement": self.by_hand.consume, "aiocredits": self.library.consume}
        await self.race("1,000 callers, 1,000 accounts", Race(1000, ACCOUNTS, sides))
        await self.race("1,000 callers, one hot account", Race(1000, HOT, sides))

    async def lone(self) -> None:
        """One caller at a time."""
        sides = {"one statement": self.by_hand.consume, "aiocredits": self.library.consume}
        samples = await self.race("one caller, 1,000 accounts", Race(1, ACCOUNTS, sides, turns=4))
        slow = p50_ratio(samples["aiocredits"], samples["one statement"])
        self.require("lone caller: p50, times the statement", slow, at_most=1.3)

    async def holds(self) -> None:
        """A hold and its capture, against a consume."""
        sides = {"consume": self.library.consume, "hold + capture": self.library.hold_and_capture}
        samples = await self.race("64 callers, holds", Race(64, ACCOUNTS, sides, turns=3))
        share = ratio(samples["hold + capture"], samples["consume"])
        self.require("hold + capture pairs: times the consumes", share, at_least=0.5)

    async def grants(self) -> None:
        """Accounts with 1, 5 and 50 live grants."""
        users = [f"rich-{number}" for number in range(200)]
        sides: dict[str, Callable[[str], Awaitable[None]]] = {}
        for number in (1, 5, 50):
            for user in users:
                grants = [add_credits(f"{user}-{number}", GRANTED // 50) for _ in range(number)]
                await self.library.client.apply_all(*grants)
            sides[f"{number} grants"] = self.of_rich(number)
        samples = await self.race("64 callers, 200 accounts by grants", Race(64, users, sides))
        cost = ratio(samples["1 grants"], samples["50 grants"])
        self.require("50 grants: times the cost of 1", cost, at_most=2)

    def of_rich(self, number: int) -> Callable[[str], Awaitable[None]]:
        """Return what consumes from a user's account that has this many grants."""

        async def consume(user: str) -> None:
            await self.library.consume(f"{user}-{number}")

        return consume

    async def processes(self) -> None:
        """Four processes with 32 callers each."""
        for name, accounts, at_least in (("hot", HOT, 6.0), ("1,000", ACCOUNTS, 1.5)):
            title = f"{PROCESSES} processes x {CALLERS_EACH} callers, {name} account(s)"
            progress(f"{title} …")
            rates: dict[str, list[float]] = {"by_hand": [], "library": []}
            for turn in range(self.rounds):
                for side, kept in rates.items():
                    kept.append(await self.crew(side, accounts, turn))
            speed = statistics.median(
                a / b for a, b in zip(rates["library"], rates["by_hand"], strict=True)
            )
            self.report[title] = {
                side: {"per_second": round(statistics.median(kept))} for side, kept in rates.items()
            }
            self.require(f"{title}: times the statement", speed, at_least=at_least)

    async def crew(self, side: str, accounts: Sequence[str], turn: int) -> float:
        """Return what processes do in a second, all together."""
        orders = [
            {
                "url": self.url,
                "side": side,
                "accounts": list(accounts),
                "seconds": self.seconds,
                "worker": 100 * (turn + 1) + number + (50 if len(accounts) == 1 else 0),
                "start": time.time() + 3,
            }
            for number in range(PROCESSES)
        ]
        workers = [
            await asyncio.create_subprocess_exec(
                sys.executable, __file__, "--worker", json.dumps(order), stdout=-1
            )
            for order in orders
        ]
        answers = [json.loads((await worker.communicate())[0]) for worker in workers]
        taken = self.by_hand.taken if side == "by_hand" else self.library.taken
        for answer in answers:
            taken.update(answer["taken"])
        return sum(float(answer["rate"]) for answer in answers)

    async def against_ceiling(self, name: str, accounts: Sequence[str]) -> None:
        """Compare with rows that nobody decided about."""
        ceiling = Ceiling(self.url, accounts)
        shares, rates = [], []
        for _ in range(self.rounds):
            sample = await consume_for(self.library.consume, accounts, 64, self.seconds)
            rates.append(await ceiling.rate(self.seconds))
            shares.append(sample.rate / rates[-1])
        self.report[f"ceiling, {name}"] = {
            "per_second": round(statistics.median(rates)),
            "share reached": round(statistics.median(shares), 3),
        }

    async def check(self) -> None:
        """Prove the library's books, and that both sides say what was consumed."""
        progress("verifying every account from its entries …")
        verification = await self.library.client.verify()
        assert verification.ok, (verification.problems[:5], verification.busy[:5])
        for account in (*ACCOUNTS, *HOT):
            left = await self.library.client.get_user_balance(account)
            assert left == GRANTED - self.library.taken[account], account
        for account, kept in (await self.by_hand.balances()).items():
            assert kept == GRANTED - self.by_hand.taken[account], account
        self.report["verified"] = {"entries": verification.entries, "ok": True}


WORKLOADS: Mapping[str, Callable[[Bench], Coroutine[Any, Any, None]]] = {
    "many": Bench.many,
    "hot": Bench.hot,
    "crowd": Bench.crowd,
    "lone": Bench.lone,
    "holds": Bench.holds,
    "grants": Bench.grants,
    "processes": Bench.processes,
}


async def run(url: str, names: Sequence[str], *, rounds: int, seconds: float) -> Bench:
    """Measure workloads in one database, and check what they left behind."""
    for schema in ("aiocredits", "ceiling"):
        await PostgresStorage(url, schema=schema).migrate()
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(CreditClient(url))
        by_hand = await ByHand.connect(url)
        stack.push_async_callback(by_hand.close)
        await by_hand.create([*ACCOUNTS, *HOT], GRANTED)
        await client.apply_all(*(add_credits(account, GRANTED) for account in (*ACCOUNTS, *HOT)))
        ceiling = await stack.enter_async_context(
            CreditClient(PostgresStorage(url, schema="ceiling"))
        )
        await ceiling.apply_all(*(add_credits(account, GRANTED) for account in ACCOUNTS))
        bench = Bench(url, Library(client), by_hand, rounds, seconds)
        for name in names:
            await WORKLOADS[name](bench)
        await bench.check()
    return bench


async def work(order: Mapping[str, Any]) -> dict[str, Json]:
    """Be one of several processes."""
    side: Library | ByHand
    async with AsyncExitStack() as stack:
        if order["side"] == "library":
            client = await stack.enter_async_context(CreditClient(order["url"]))
            side = Library(client, order["worker"])
        else:
            side = await ByHand.connect(order["url"], order["worker"])
            stack.push_async_callback(side.close)
        await asyncio.sleep(max(0, order["start"] - time.time()))
        accounts = order["accounts"]
        await consume_for(side.consume, accounts, CALLERS_EACH, 1.0)  # together, to warm up
        sample = await consume_for(side.consume, accounts, CALLERS_EACH, order["seconds"])
        return {
            "rate": sample.rate,
            "p50_ms": milliseconds(sample.percentile(50)),
            "taken": dict(side.taken),
        }


def on_loop(name: str, main: Coroutine[Any, Any, T]) -> T:
    """Run on the event loop that was asked for."""
    if name == "uvloop":
        import uvloop  # noqa: PLC0415 - only where it is asked for

        return uvloop.run(main)
    return asyncio.run(main)


def parsed() -> argparse.Namespace:
    """Return the command line."""
    parser = options(__doc__)
    parser.add_argument("--loop", choices=["asyncio", "uvloop"], default="asyncio")
    parser.add_argument("--only", nargs="+", choices=list(WORKLOADS), default=list(WORKLOADS))
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    arguments = parsed()
    if arguments.worker:
        print(json.dumps(asyncio.run(work(json.loads(arguments.worker)))))
        return
    rounds, seconds = (3, 1.0) if arguments.quick else (5, 3.0)
    with running_server(durable=True) as server:
        url = server.new_database(tables=False)
        bench = on_loop(arguments.loop, run(url, arguments.only, rounds=rounds, seconds=seconds))
    surroundings = environment(arguments.directory or Path.cwd())
    finish(
        {
            "benchmark": "postgres",
            "loop": arguments.loop,
            "environment": surroundings,
            **bench.report,
        },
        bench.required,
    )


if __name__ == "__main__":
    main()
