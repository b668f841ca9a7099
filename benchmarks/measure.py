"""What the benchmarks share: callers, rounds, statistics and the report.

Whatever is compared is measured in turns, round by round in one process, and compared within each
round. So a machine that is busy for a while slows both sides, and the median of the ratios says
more than two runs could.
"""

import argparse
import asyncio
import json
import os
import platform
import sqlite3
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

Json: TypeAlias = Mapping[str, "Json"] | Sequence["Json"] | str | int | float | bool | None
Work: TypeAlias = Callable[[int], Awaitable[object]]
"""One operation of one caller, who is known by its number."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What some callers got done, and how long each operation took, shortest first."""

    seconds: float
    latencies: Sequence[float]
    processor: float
    """Seconds of processor time that this process took, callers and all."""

    @property
    def count(self) -> int:
        """How many operations were done."""
        return len(self.latencies)

    @property
    def rate(self) -> float:
        """Operations a second."""
        return self.count / self.seconds

    def percentile(self, percent: float) -> float:
        """Return the latency that `percent` of the operations did not exceed, in seconds."""
        return self.latencies[min(self.count - 1, int(self.count * percent / 100))]


async def run_callers(work: Work, *, callers: int, seconds: float) -> Sample:
    """Let each caller do `work`, one operation after the other, until the time is up."""
    latencies: list[float] = []
    began, began_processor = time.perf_counter(), time.process_time()
    deadline = began + seconds

    async def call(caller: int) -> None:
        now = time.perf_counter()
        while now < deadline:
            await work(caller)
            before, now = now, time.perf_counter()
            latencies.append(now - before)

    await asyncio.gather(*(call(caller) for caller in range(callers)))
    processor = time.process_time() - began_processor
    return Sample(time.perf_counter() - began, sorted(latencies), processor)


def summary(samples: Sequence[Sample]) -> dict[str, Json]:
    """Return the median rate of the rounds, and the latencies of all their operations."""
    every = Sample(
        sum(sample.seconds for sample in samples),
        sorted(latency for sample in samples for latency in sample.latencies),
        sum(sample.processor for sample in samples),
    )
    return {
        "per_second": round(statistics.median(sample.rate for sample in samples)),
        "p50_ms": milliseconds(every.percentile(50)),
        "p99_ms": milliseconds(every.percentile(99)),
        "processor_us": round(every.processor / every.count * 1e6, 1),
        "operations": every.count,
    }


def milliseconds(seconds: float) -> float:
    """Return milliseconds with three decimals."""
    return round(seconds * 1000, 3)


def requirement(name: str, value: float, *, at_least: float = 0, at_most: float = 0) -> Json:
    """Return a figure beside its bound, and whether it keeps it."""
    if at_least:
        bound: dict[str, Json] = {"at_least": at_least, "met": value >= at_least}
    else:
        bound = {"at_most": at_most, "met": value <= at_most}
    return {"name": name, "value": round(value, 3), **bound}


def options(description: str | None) -> argparse.ArgumentParser:
    """Return a parser with the options that every benchmark has."""
    parser = argparse.ArgumentParser(
        description=(description or "").split("\n", maxsplit=1)[0],
        epilog="JSON goes to standard output, progress to standard error. The exit status is 1 if "
        "a requirement was not met.",
    )
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    parser.add_argument(
        "--directory", type=Path, help="where the databases are made; default: the temporary one"
    )
    return parser


def progress(text: str) -> None:
    """Say something to whoever waits."""
    print(text, file=sys.stderr, flush=True)


def environment(directory: Path) -> Json:
    """Return what the figures depend on."""
    return {
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "system": f"{platform.system()} {platform.machine()}",
        "cpus": os.cpu_count(),
        "fsync_ms": _fsync_ms(directory),
    }


def finish(report: Mapping[str, Json], requirements: Sequence[Json]) -> None:
    """Print the report as JSON and exit: with 1 if a requirement was not met."""
    met = all(isinstance(each, Mapping) and each["met"] for each in requirements)
    print(json.dumps({**report, "requirements": requirements, "met": met}, indent=2))
    raise SystemExit(not met)


def _fsync_ms(directory: Path, times: int = 50) -> float:
    """Return how long this disk takes to keep 4 KiB for good: no lone commit can be faster."""
    durations = []
    path = directory / "fsync"
    with path.open("wb", buffering=0) as file:
        for _ in range(times):
            began = time.perf_counter()
            file.write(bytes(4096))
            os.fsync(file.fileno())
            durations.append(time.perf_counter() - began)
    path.unlink()
    return milliseconds(statistics.median(durations))
