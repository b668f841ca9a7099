"""What the processes of the crash tests run: ``python program.py VERB FILE …``.

They say on standard output what they do, a line each, and wait on standard input to be let go.
"""

import asyncio
import json
import os
import sys
from collections import Counter

from aiocredits import CreditClient
from aiocredits.errors import InsufficientCreditsError


def say(line: str) -> None:
    """Write a line in one piece: what is in the pipe outlives the process."""
    os.write(1, f"{line}\n".encode())


async def spend(file: str, count: str) -> None:
    """Consume a credit in each of `count` tasks, all at once, and report how they ended."""

    async def one(client: CreditClient) -> str:
        try:
            await client.consume_credits("alice", 1)
        except InsufficientCreditsError:
            return "refused"
        except Exception as error:  # noqa: BLE001 - reported, and the test fails
            return repr(error)
        return "accepted"

    async with CreditClient(f"sqlite:///{file}") as client:
        say("ready")
        await asyncio.to_thread(sys.stdin.readline)
        results = await asyncio.gather(*(one(client) for _ in range(int(count))))
    say(json.dumps(Counter(results)))


async def write_until_killed(file: str, name: str) -> None:
    """Say every key before it is used and after it was acknowledged; never end."""

    async def one(client: CreditClient, worker: int) -> None:
        number = 0
        while True:
            number += 1
            key = f"{name}-{worker}-{number}"
            say(f"try {key}")
            receipt = await client.consume_credits("alice", 1, idempotency_key=key)
            say(f"ack {key} {receipt.version}")

    async with CreditClient(f"sqlite:///{file}") as client:
        await asyncio.gather(*(one(client, worker) for worker in range(16)))


async def forget_to_close(file: str) -> None:
    client = await CreditClient(f"sqlite:///{file}").open()
    await client.add_credits("alice", 1)


async def leave_while_writing(file: str) -> None:
    client = await CreditClient(f"sqlite:///{file}").open()
    tasks = [asyncio.create_task(client.add_credits("alice", 1)) for _ in range(50)]
    await tasks[0]


async def raise_in_the_block(file: str) -> None:
    async with CreditClient(f"sqlite:///{file}") as client:
        await client.add_credits("alice", 1)
        raise SystemExit(3)


VERBS = {
    verb.__name__: verb
    for verb in (
        spend,
        write_until_killed,
        forget_to_close,
        leave_while_writing,
        raise_in_the_block,
    )
}

if __name__ == "__main__":
    asyncio.run(VERBS[sys.argv[1]](*sys.argv[2:]))
