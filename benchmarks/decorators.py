"""What a decorator costs a coroutine, beyond the storage call that it makes.

    python benchmarks/decorators.py [--quick]

The same charge is made by the decorated coroutine and by hand, in turns, on a storage that does
nothing but answer. What is given is the median, over the rounds, of the difference within a round.
"""

import asyncio
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from aiocredits import CreditClient, Receipt, ai_chat_credits, consume_credits
from aiocredits._commands import Accepted, Command, Outcome, singles
from aiocredits.storages.memory import MemoryStorage
from measure import Json, finish, options, requirement

LIMIT_US = 30
MESSAGE = "x" * 101


class InstantStorage(MemoryStorage):
    """Accepts everything and keeps nothing: what is left is everything around the books."""

    async def apply(self, commands: Sequence[Command], *, at: datetime) -> Sequence[Outcome]:
        """Accept all of them."""
        return [self._accept(command, at) for command in commands]

    def _accept(self, command: Command, at: datetime) -> Outcome:
        single = next(singles([command]))
        return Accepted(Receipt(single.account, 1, "consume", 5_000_000, 1, at, 0, 0, 0))


@consume_credits(5, "Service")
async def decorated(user_id: str, message: str) -> str:  # noqa: ARG001 - who pays
    return message


@ai_chat_credits("message")
async def priced(user_id: str, message: str) -> str:  # noqa: ARG001 - who pays
    return message


async def bare(user_id: str, message: str) -> str:  # noqa: ARG001 - who pays
    return message


async def seconds_a_call(call: Callable[[], Awaitable[object]], calls: int) -> float:
    began = time.perf_counter()
    for _ in range(calls):
        await call()
    return (time.perf_counter() - began) / calls


async def measure(rounds: int, calls: int) -> dict[str, float]:
    """Return microseconds a call, for each way beyond the call by hand."""
    async with CreditClient(InstantStorage()) as client:

        async def by_hand() -> str:
            await client.consume_credits("alice", 5, "Service", service="Service")
            return await bare("alice", MESSAGE)

        ways: dict[str, Callable[[], Awaitable[object]]] = {
            "consume_credits": lambda: decorated("alice", message=MESSAGE),
            "ai_chat_credits": lambda: priced("alice", MESSAGE),
        }
        base: list[float] = []
        beyond: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(rounds):
            alone = await seconds_a_call(by_hand, calls)
            base.append(alone)
            for name, call in ways.items():
                beyond[name].append(await seconds_a_call(call, calls) - alone)
        medians = {"by_hand": base, **beyond}
        return {name: 1e6 * statistics.median(each) for name, each in medians.items()}


def main() -> None:
    arguments = options(__doc__).parse_args()
    rounds, calls = (20, 200) if arguments.quick else (60, 1000)
    figures = asyncio.run(measure(rounds, calls))
    report: dict[str, Json] = {
        "benchmark": "decorators",
        "python": sys.version.split()[0],
        "storage_call_by_hand_us": round(figures.pop("by_hand"), 2),
        "beyond_it_us": {name: round(value, 2) for name, value in figures.items()},
    }
    required = [
        requirement(f"@{name} on a coroutine: microseconds", value, at_most=LIMIT_US)
        for name, value in figures.items()
    ]
    finish(report, required)


if __name__ == "__main__":
    main()
