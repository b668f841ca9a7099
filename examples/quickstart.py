"""A week in the life of an account, on a real SQLite file.

    python examples/quickstart.py

Alice buys credits, spends them, and runs out; a job reserves what it might need and pays for what
it used, another one crashes; a charge is refunded, a request is sent twice. At the end the books
are listed, and prove themselves.
"""

import asyncio
import tempfile
import textwrap
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aiocredits import CreditClient, CreditStatus, Entry, Receipt
from aiocredits.errors import InsufficientCreditsError


class Calendar:
    """A clock for the story: time moves when we say so, and the output is always the same."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        """Return the present."""
        return self.now

    def wait(self, *, days: int = 0, hours: int = 0) -> None:
        """Let time pass."""
        self.now += timedelta(days=days, hours=hours)


def title(text: str) -> None:
    print(f"\n{text}")


def say(text: str) -> None:
    print(textwrap.fill(text, 88, initial_indent="  ", subsequent_indent="    "))


def show(receipt: Receipt) -> None:
    slices = ", ".join(f"{amount} of {grant}" for grant, amount in receipt.slices)
    print(f"  {receipt.kind:8} {receipt.amount:>5}   balance {receipt.balance:>5}   {slices}")


def show_line(entry: Entry) -> None:
    balance = f"available {entry.available:>5}   held {entry.held:>2}"
    line = f"{entry.version:>2}  {entry.at:%a %d %H:%M}  {entry.kind:8} {entry.amount:>5}"
    print(f"  {line}   {balance}   {entry.description}".rstrip())


def show_status(status: CreditStatus) -> None:
    say(f"balance {status.balance}")
    say(f"spent this month {status.summary.monthly_spent}, worth {status.summary.monthly_cost}")
    for service, spent in status.by_service.items():
        print(f"    {service or 'other':8} {spent:>5}")


async def render() -> None:
    raise RuntimeError("the renderer ran out of memory")


async def tell(client: CreditClient, calendar: Calendar) -> None:
    title("Monday. Alice buys 100 credits and is given 20, to use within a week.")
    show(await client.add_credits("alice", 100, "100 credits", unit_cost="0.10"))
    monday_in_a_week = calendar.now + timedelta(days=7)
    show(
        await client.add_credits(
            "alice", 20, "welcome gift", category="promo", expires_at=monday_in_a_week
        )
    )

    title("She orders an illustration for 25. What expires first burns first.")
    calendar.wait(hours=1)
    illustration = await client.consume_credits("alice", 25, "illustration", service="images")
    show(illustration)

    title("A film would cost 500. The refusal says what is missing, and changes nothing.")
    try:
        await client.consume_credits("alice", 500, "film", service="video")
    except InsufficientCreditsError as error:
        say(f"{type(error).__name__}: {error}")

    title("A chat holds 30, because nobody knows how long the answer will be.")
    calendar.wait(hours=1)
    async with client.hold("alice", 30, "chat", service="chat") as hold:
        balance = await client.get_balance("alice")
        say(f"meanwhile available {balance.available}, held {balance.held}")
        hold.use("12.5")  # this is what it came to; the rest is free again
    if hold.receipt:
        show(hold.receipt)

    title("A render holds 50 and crashes. The credits come back.")
    calendar.wait(hours=1)
    try:
        async with client.hold("alice", 50, "render", service="images"):
            await render()
    except RuntimeError as error:
        say(f"{type(error).__name__}: {error}")
    say(f"balance {await client.get_user_balance('alice')}")

    title("Tuesday. Her phone loses the network, and sends its request a second time.")
    calendar.wait(days=1)
    for _ in range(2):
        receipt = await client.consume_credits(
            "alice", 8, "translation", service="text", idempotency_key="phone-17"
        )
        verb = "replayed" if receipt.replayed else "charged"
        say(f"{verb} {receipt.amount} as {receipt.id}, balance {receipt.balance}")

    title("The illustration had six fingers: 10 are refunded, to the grants that had paid.")
    show(await client.refund_credits(illustration.id, 10, "six fingers"))

    title("A week later. What was left of the gift has expired, and no sweeper had to run.")
    calendar.wait(days=7)
    show_status(await client.get_user_credit_status("alice"))

    title("Every line of her account, with the balance after it:")
    await client.run_maintenance()  # writes the expiry down, which is true already
    async for entry in client.entries("alice"):
        show_line(entry)

    verification = await client.verify()
    title("Derived again from these lines alone, the books agree:")
    say(f"{verification.entries} entries, ok={verification.ok}")


async def main() -> None:
    calendar = Calendar(datetime(2026, 3, 2, 9, tzinfo=UTC))
    with tempfile.TemporaryDirectory() as directory:
        url = f"sqlite:///{Path(directory) / 'credits.db'}"
        async with CreditClient(url, clock=calendar) as client:
            await tell(client, calendar)


if __name__ == "__main__":
    asyncio.run(main())
