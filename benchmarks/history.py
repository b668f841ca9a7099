"""Whether anything gets slower, or larger, as history grows.

    python benchmarks/history.py [--quick] [--directory PATH]

Two accounts lived through the same year, one with 100 entries and one with a million: charges for
five services, and now and then a grant that they used up. Balance, status and consuming are then
measured on both in turns. `--quick` makes the long history 20,000 entries.
"""

import asyncio
import gc
import itertools
import resource
import statistics
import sys
import tempfile
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aiocredits import CreditClient
from aiocredits.commands import add_credits, consume_credits
from measure import (
    Json,
    Sample,
    Work,
    environment,
    finish,
    options,
    progress,
    requirement,
    run_callers,
    summary,
)

SHORT, LONG = "short", "long"
CHARGES = 999
"""How many charges use up a grant in the long history."""
RESERVE = 1_000_000_000
YEAR = timedelta(days=365)
SERVICES = ("chat", "images", "search", "speech", "video")
MEBIBYTE = 2**20


@dataclass
class Calendar:
    """The clock of the client, which the history moves on."""

    now: datetime = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        """Return the present."""
        return self.now


@dataclass(frozen=True)
class Sizes:
    """How much is done."""

    grants: int
    rounds: int
    seconds: float


async def live_a_year(
    client: CreditClient, calendar: Calendar, user_id: str, *, grants: int, charges: int
) -> list[int]:
    """Use up some grants in a year; return the peak of this process's memory after each."""
    began, peaks = calendar.now, []
    await client.add_credits(user_id, RESERVE, "reserve", priority=100)
    for number in range(1, grants + 1):
        services = itertools.islice(itertools.cycle(SERVICES), charges)
        await client.apply_all(
            add_credits(user_id, charges, "top-up"),
            *(consume_credits(user_id, 1, "a call", service=service) for service in services),
        )
        calendar.now = began + YEAR * number / grants
        peaks.append(peak_memory())
    calendar.now = began
    return peaks


def peak_memory() -> int:
    """Return the most memory that this process ever had, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


async def compare(
    work: Callable[[str], Work], sizes: Sizes, *, callers: int = 1
) -> tuple[dict[str, Json], float]:
    """Do the same to both accounts in turns; return the figures and how much slower the long is."""
    samples: dict[str, list[Sample]] = {SHORT: [], LONG: []}
    for user_id in (SHORT, LONG):
        await run_callers(work(user_id), callers=callers, seconds=sizes.seconds)
    for _ in range(sizes.rounds):
        for user_id in (SHORT, LONG):
            sample = await run_callers(work(user_id), callers=callers, seconds=sizes.seconds)
            samples[user_id].append(sample)
    pairs = zip(samples[SHORT], samples[LONG], strict=True)
    ratio = statistics.median(short.rate / long.rate for short, long in pairs)
    figures = {user_id: summary(of_user) for user_id, of_user in samples.items()}
    return {**figures, "ratio": round(ratio, 3)}, ratio


async def traced_growth(client: CreditClient, consumes: int) -> int:
    """Return how many bytes of Python objects are left behind by consuming."""

    async def consume(times: int) -> None:
        for _ in range(times // 50):
            await asyncio.gather(
                *(client.consume_credits(LONG, 1, "a call", service="chat") for _ in range(50))
            )
        gc.collect()

    tracemalloc.start()
    await consume(1000)
    before, _ = tracemalloc.get_traced_memory()
    await consume(consumes)
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return after - before


async def run(directory: Path, sizes: Sizes) -> tuple[dict[str, Json], list[Json]]:
    """Make both histories, measure, and check the books."""
    calendar = Calendar()
    url = f"sqlite:///{directory / 'history.db'}"
    async with CreditClient(url, clock=calendar) as client:
        progress(f"a year with {sizes.grants * (CHARGES + 1):,} entries …")
        await live_a_year(client, calendar, SHORT, grants=33, charges=2)
        peaks = await live_a_year(client, calendar, LONG, grants=sizes.grants, charges=CHARGES)
        calendar.now += YEAR

        progress("balance, status and consuming, of both in turns …")
        balance, balance_ratio = await compare(
            lambda user_id: lambda _: client.get_user_balance(user_id), sizes
        )
        status, status_ratio = await compare(
            lambda user_id: lambda _: client.get_user_credit_status(user_id), sizes
        )
        consume, consume_ratio = await compare(
            lambda user_id: lambda _: client.consume_credits(user_id, 1, "a call", service="chat"),
            sizes,
            callers=64,
        )
        growth = await traced_growth(client, 20 * sizes.grants)

        progress("verifying both accounts from their entries …")
        verification = await client.verify()
        assert verification.ok, verification.problems
    # By half of it, the pages that SQLite keeps in memory are as many as they may be.
    early, late = peaks[len(peaks) // 2], peaks[-1]
    report: dict[str, Json] = {
        "entries": verification.entries,
        "verified": verification.ok,
        "get_user_balance": balance,
        "get_user_credit_status": status,
        "consume_credits": consume,
        "memory": {
            "peak_mib_after_half": round(early / MEBIBYTE, 1),
            "peak_mib_after_all": round(late / MEBIBYTE, 1),
            "traced_growth_bytes": growth,
            "traced_consumes": 20 * sizes.grants,
        },
    }
    return report, [
        requirement("balance: times as long", balance_ratio, at_most=2),
        requirement("status: times as long", status_ratio, at_most=2),
        requirement("consume: times as long", consume_ratio, at_most=2),
        requirement("peak memory: all of the history against half", late / early, at_most=1.25),
        requirement("objects left by consuming: KiB", growth / 1024, at_most=256),
    ]


def main() -> None:
    arguments = options(__doc__).parse_args()
    sizes = Sizes(20, 3, 0.3) if arguments.quick else Sizes(1000, 7, 1.0)
    with tempfile.TemporaryDirectory(dir=arguments.directory) as name:
        directory = Path(name)
        surroundings = environment(directory)
        report, required = asyncio.run(run(directory, sizes))
    finish({"benchmark": "history", "environment": surroundings, **report}, required)


if __name__ == "__main__":
    main()
