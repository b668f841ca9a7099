"""Three ways to put credits into an application that knows no ``async``.

    python examples/sync_examples.py

1. A simple service: a decorator charges each call, and gives back what a failed one cost.
2. Manual control: a hold reserves what the work may cost; it is charged if the work succeeds.
3. A batch: all or nothing, charged once.

`credit_integration_examples.py` tells the same for coroutines. The decorators are the same ones.
"""

import tempfile
import threading
from collections.abc import Generator
from decimal import Decimal
from pathlib import Path

from aiocredits.errors import InsufficientCreditsError
from aiocredits.sync import (
    CreditInfo,
    SyncCreditClient,
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

# Pattern 1: a simple service


@consume_credits(5, "AI Chat Service")
def chat(user_id: str, message: str) -> str:
    if "fail" in message:
        raise RuntimeError("the model is down")
    return f"{user_id} said {message!r}"


@require_credits(10, "Premium Service")
def open_editor(user_id: str) -> str:
    return f"the editor of {user_id}"


@credit_aware(5, "Advice")
def advise(user_id: str, credit_info: CreditInfo | None = None) -> str:
    left = credit_info["current_balance"] if credit_info else Decimal(0)
    return f"{user_id} paid {credit_info and credit_info['credits']} and has {left} left"


@ai_chat_credits("message")
def chat_by_length(user_id: str, message: str) -> str:
    return f"{len(message)} characters for {user_id}"


@file_processing_credits("file_size")
def process_file(user_id: str, file_size: int) -> str:
    return f"{file_size / 10**6:g} MB for {user_id}"


@workflow_credits("complex")
def run_workflow(user_id: str, steps: list[str]) -> str:
    return f"{' and '.join(steps)} for {user_id}"


@ai_generation_credits()
def write_story(user_id: str) -> Generator[str]:
    for number in range(1, 6):
        yield f"Chapter {number} of the story that {user_id} asked for. ".ljust(60, ".")


def simple_service(client: SyncCreditClient) -> None:
    print("1. A simple service")
    print("  ", chat("alice", "hello"))
    print("  ", open_editor("alice"))
    print("  ", advise("alice"))
    print("  ", chat_by_length("alice", "x" * 101))
    print("  ", process_file("alice", 1_500_000))
    print("  ", run_workflow("alice", ["fetch", "sum up"]))
    print("   balance:", client.get_user_balance("alice"))

    try:
        chat("alice", "please fail")
    except RuntimeError as error:
        print(f"   {error}, and the credits came back: {client.get_user_balance('alice')}")

    stream = write_story("alice")
    for chapter in stream:
        print("  ", chapter)
        if "2" in chapter:
            break  # only what was delivered is charged: 120 characters, 4 credits
    stream.close()
    print("   balance:", client.get_user_balance("alice"))

    try:
        open_editor("bob")
    except InsufficientCreditsError as error:
        print("  ", error)


# Pattern 2: manual control


def analyse(client: SyncCreditClient, user_id: str, words: int) -> None:
    if not client.can_afford(user_id, 10):
        print(f"   {user_id} cannot afford an analysis")
        return
    # Asking only informs; the hold is what nobody else can spend meanwhile.
    with client.hold(user_id, 10, "an analysis") as hold:
        if not words:
            raise ValueError("there is nothing to analyse")
        hold.use(words // 100)
    print(f"   analysed {words} words for {hold.used}")


def manual_control(client: SyncCreditClient) -> None:
    print("2. Manual control")
    analyse(client, "bob", 500)
    analyse(client, "alice", 700)
    try:
        analyse(client, "alice", 0)
    except ValueError as error:
        print(f"   {error}, and nothing was charged")
    print("   balance:", client.get_user_balance("alice"))


# Pattern 3: a batch


def convert_all(client: SyncCreditClient, user_id: str, files: list[str]) -> list[str]:
    cost = 3 * len(files)
    # Refused as a whole, before any work; charged once, after all of it; nothing if one fails.
    with client.hold(user_id, cost, f"{len(files)} conversions", service="conversion"):
        return [convert(file) for file in files]


def convert(file: str) -> str:
    if not file.endswith(".doc"):
        raise ValueError(f"{file} cannot be converted")
    return file.replace(".doc", ".pdf")


def batch(client: SyncCreditClient) -> None:
    print("3. A batch")
    print("  ", convert_all(client, "alice", ["a.doc", "b.doc", "c.doc"]))
    for files in (["a.doc", "b.exe"], ["x.doc"] * 1000):
        try:
            convert_all(client, "alice", files)
        except (ValueError, InsufficientCreditsError) as error:
            print("  ", error)
    print("   balance:", client.get_user_balance("alice"))


def quick_functions() -> None:
    print("Quick functions")
    print("   can pay 5:", quick_credit_check("alice", 5))
    receipt = quick_credit_consumption("alice", 5, "a quick one")
    print(f"   paid {receipt.amount}, {receipt.balance} left")
    status = get_user_credit_status("alice")
    summary = status.summary  # or status["summary"]
    print(f"   balance {status['balance']}, spent this month {summary['monthly_spent']}")
    print("   by service:", {service or "-": str(n) for service, n in status.by_service.items()})


def threads(client: SyncCreditClient) -> None:
    print("Threads share the client")
    workers = [threading.Thread(target=chat, args=("alice", "hi")) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    print("   balance:", client.get_user_balance("alice"))


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        url = f"sqlite:///{Path(directory, 'credits.db')}"
        with SyncCreditClient(url) as client:
            client.add_credits("alice", 100, "welcome")
            simple_service(client)
            manual_control(client)
            batch(client)
            quick_functions()
            threads(client)
            print("the books are right:", client.verify().ok)


if __name__ == "__main__":
    main()
