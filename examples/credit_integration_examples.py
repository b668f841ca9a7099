"""Three ways to put credits into an application, on a temporary SQLite file.

    python examples/credit_integration_examples.py

1. A simple service: a decorator charges each call, and gives back what a failed one cost.
2. Manual control: a hold reserves what the work may cost; it is charged if the work succeeds.
3. A batch: all or nothing, charged once.

`sync_examples.py` tells the same without ``async``.
"""

import asyncio
import tempfile
from collections.abc import AsyncGenerator
from decimal import Decimal
from pathlib import Path

from aiocredits import (
    CreditClient,
    CreditInfo,
    ai_chat_credits,
    ai_generation_credits,
    consume_credits,
    credit_aware,
    file_processing_credits,
    get_user_credit_status,
    quick_credit_check,
    quick_credit_consumption,
    require_credits,
    workflow_credits,
)
from aiocredits.errors import InsufficientCreditsError

# Pattern 1: a simple service


@consume_credits(5, "AI Chat Service")
async def chat(user_id: str, message: str) -> str:
    if "fail" in message:
        raise RuntimeError("the model is down")
    return f"{user_id} said {message!r}"


@require_credits(10, "Premium Service")
async def open_editor(user_id: str) -> str:
    return f"the editor of {user_id}"


@credit_aware(5, "Advice")
async def advise(user_id: str, credit_info: CreditInfo | None = None) -> str:
    left = credit_info["current_balance"] if credit_info else Decimal(0)
    return f"{user_id} paid {credit_info and credit_info['credits']} and has {left} left"


@ai_chat_credits("message")
async def chat_by_length(user_id: str, message: str) -> str:
    return f"{len(message)} characters for {user_id}"


@file_processing_credits("file_size")
async def process_file(user_id: str, file_size: int) -> str:
    return f"{file_size / 10**6:g} MB for {user_id}"


@workflow_credits("complex")
async def run_workflow(user_id: str, steps: list[str]) -> str:
    return f"{' and '.join(steps)} for {user_id}"


@ai_generation_credits()
async def write_story(user_id: str) -> AsyncGenerator[str]:
    for number in range(1, 6):
        yield f"Chapter {number} of the story that {user_id} asked for. ".ljust(60, ".")


async def simple_service(client: CreditClient) -> None:
    print("1. A simple service")
    print("  ", await chat("alice", "hello"))
    print("  ", await open_editor("alice"))
    print("  ", await advise("alice"))
    print("  ", await chat_by_length("alice", "x" * 101))
    print("  ", await process_file("alice", 1_500_000))
    print("  ", await run_workflow("alice", ["fetch", "sum up"]))
    print("   balance:", await client.get_user_balance("alice"))

    try:
        await chat("alice", "please fail")
    except RuntimeError as error:
        balance = await client.get_user_balance("alice")
        print(f"   {error}, and the credits came back: {balance}")

    stream = write_story("alice")
    async for chapter in stream:
        print("  ", chapter)
        if "2" in chapter:
            break  # only what was delivered is charged: 120 characters, 4 credits
    await stream.aclose()
    print("   balance:", await client.get_user_balance("alice"))

    try:
        await open_editor("bob")
    except InsufficientCreditsError as error:
        print("  ", error)


# Pattern 2: manual control


async def analyse(client: CreditClient, user_id: str, words: int) -> None:
    if not await client.can_afford(user_id, 10):
        print(f"   {user_id} cannot afford an analysis")
        return
    # Asking only informs; the hold is what nobody else can spend meanwhile.
    async with client.hold(user_id, 10, "an analysis") as hold:
        if not words:
            raise ValueError("there is nothing to analyse")
        hold.use(words // 100)
    print(f"   analysed {words} words for {hold.used}")


async def manual_control(client: CreditClient) -> None:
    print("2. Manual control")
    await analyse(client, "bob", 500)
    await analyse(client, "alice", 700)
    try:
        await analyse(client, "alice", 0)
    except ValueError as error:
        print(f"   {error}, and nothing was charged")
    print("   balance:", await client.get_user_balance("alice"))


# Pattern 3: a batch


async def convert_all(client: CreditClient, user_id: str, files: list[str]) -> list[str]:
    cost = 3 * len(files)
    # Refused as a whole, before any work; charged once, after all of it; nothing if one fails.
    async with client.hold(user_id, cost, f"{len(files)} conversions", service="conversion"):
        return [convert(file) for file in files]


def convert(file: str) -> str:
    if not file.endswith(".doc"):
        raise ValueError(f"{file} cannot be converted")
    return file.replace(".doc", ".pdf")


async def batch(client: CreditClient) -> None:
    print("3. A batch")
    print("  ", await convert_all(client, "alice", ["a.doc", "b.doc", "c.doc"]))
    for files in (["a.doc", "b.exe"], ["x.doc"] * 1000):
        try:
            await convert_all(client, "alice", files)
        except (ValueError, InsufficientCreditsError) as error:
            print("  ", error)
    print("   balance:", await client.get_user_balance("alice"))


async def quick_functions() -> None:
    print("Quick functions")
    print("   can pay 5:", await quick_credit_check("alice", 5))
    receipt = await quick_credit_consumption("alice", 5, "a quick one")
    print(f"   paid {receipt.amount}, {receipt.balance} left")
    status = await get_user_credit_status("alice")
    summary = status.summary  # or status["summary"]
    print(f"   balance {status['balance']}, spent this month {summary['monthly_spent']}")
    print("   by service:", {service or "-": str(n) for service, n in status.by_service.items()})


async def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        async with CreditClient(f"sqlite:///{Path(directory, 'credits.db')}") as client:
            await client.add_credits("alice", 100, "welcome")
            await simple_service(client)
            await manual_control(client)
            await batch(client)
            await quick_functions()
            print("the books are right:", (await client.verify()).ok)


if __name__ == "__main__":
    asyncio.run(main())
