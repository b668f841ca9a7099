"""Many tasks and processes, never a credit too many."""

import asyncio
import json
import os
import sys
from collections import Counter
from pathlib import Path

import pytest

from aiocredits import CreditClient
from aiocredits.errors import InsufficientCreditsError

WORKER = Path(__file__).with_name("worker.py")
ROOT = Path(__file__).parents[2]


async def test_two_hundred_tasks_never_overspend(url: str) -> None:
    async with CreditClient(url) as client:
        await client.add_credits("alice", 150)

        async def consume() -> bool:
            try:
                await client.consume_credits("alice", 1)
            except InsufficientCreditsError:
                return False
            return True

        taken = await asyncio.gather(*(consume() for _ in range(200)))
        assert sum(taken) == 150
        assert await client.get_user_balance("alice") == 0
        assert (await client.verify()).ok


async def test_transfers_in_circles_end(url: str) -> None:
    users = [f"user {number}" for number in range(8)]
    async with CreditClient(url) as one, CreditClient(url) as two:
        for user in users:
            await one.add_credits(user, 100)
        await asyncio.gather(
            *(
                client.transfer_credits(users[n % 8], users[(n * step + 1) % 8], 1)
                for client, step in ((one, 3), (two, 5))
                for n in range(60)
                if n % 8 != (n * step + 1) % 8
            )
        )
        balances = [await one.get_user_balance(user) for user in users]
        assert sum(balances) == 800
        assert (await one.verify()).ok


@pytest.mark.parametrize("accounts", [["hot"], [f"user {number}" for number in range(20)]])
async def test_processes_share_accounts_to_the_last_credit(url: str, accounts: list[str]) -> None:
    each = 600 // len(accounts)
    async with CreditClient(url) as client:
        for account in accounts:
            await client.add_credits(account, each)
        taken: Counter[str] = Counter()
        for answer in await asyncio.gather(*(_spend(url, accounts, n) for n in range(3))):
            taken.update(answer)
        assert taken == dict.fromkeys(accounts, each)
        assert (await client.verify()).ok


async def test_two_clients_fight_over_one_account(url: str) -> None:
    async with CreditClient(url) as one, CreditClient(url) as two:
        await one.add_credits("alice", 100)
        for _ in range(20):
            await one.consume_credits("alice", 1)
            await two.consume_credits("alice", 1)
        await asyncio.gather(
            *(client.consume_credits("alice", 1) for client in (one, two) for _ in range(30))
        )
        assert await two.get_user_balance("alice") == 0
        with pytest.raises(InsufficientCreditsError):
            await one.consume_credits("alice", 1)
        await two.add_credits("alice", 1)
        assert (await one.consume_credits("alice", 1)).balance == 0
        assert (await one.verify()).ok


async def test_a_key_acts_once_whoever_uses_it(url: str) -> None:
    async with CreditClient(url) as one, CreditClient(url) as two:
        await one.add_credits("alice", 100)
        await two.consume_credits("alice", 1)
        receipts = await asyncio.gather(
            *(
                client.consume_credits("alice", 5, idempotency_key="order 7")
                for client in (one, two)
                for _ in range(20)
            )
        )
        assert len({receipt.id for receipt in receipts}) == 1
        assert sum(not receipt.replayed for receipt in receipts) == 1
        assert await one.get_user_balance("alice") == 94
        # Remembered books do not know the key, and are not asked whether it is new.
        await two.consume_credits("alice", 1)
        assert (await two.consume_credits("alice", 5, idempotency_key="order 7")).replayed


async def test_a_new_account_is_made_once(url: str) -> None:
    async with CreditClient(url) as one, CreditClient(url) as two:
        await asyncio.gather(
            *(client.add_credits("new", 1) for client in (one, two) for _ in range(10))
        )
        assert await one.get_user_balance("new") == 20
        assert (await one.verify()).ok


async def _spend(url: str, accounts: list[str], seed: int) -> dict[str, int]:
    worker = await asyncio.create_subprocess_exec(
        sys.executable,
        WORKER,
        json.dumps([url, accounts, 16, seed]),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    output, _ = await worker.communicate()
    assert worker.returncode == 0
    answer: dict[str, int] = json.loads(output)
    return answer
