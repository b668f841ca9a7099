"""One of several processes that spend from the same accounts until nothing is left."""

import asyncio
import json
import random
import sys

from aiocredits import CreditClient
from aiocredits.errors import InsufficientCreditsError


async def spend(url: str, accounts: list[str], callers: int, seed: int) -> dict[str, int]:
    """Return how many credits were taken from each account."""
    taken = dict.fromkeys(accounts, 0)
    chance = random.Random(seed)

    async def call(client: CreditClient) -> None:
        open_accounts = set(accounts)
        while open_accounts:
            account = chance.choice(sorted(open_accounts))
            try:
                if chance.random() < 0.3:
                    hold = await client.hold_credits(account, 2)
                    receipt = await client.capture_hold(hold.id, 1)
                else:
                    receipt = await client.consume_credits(account, 1)
            except InsufficientCreditsError as refusal:
                if refusal.available == 0:
                    open_accounts.discard(account)
            else:
                assert receipt.amount == 1
                taken[account] += 1

    async with CreditClient(url) as client:
        await asyncio.gather(*(call(client) for _ in range(callers)))
    return taken


if __name__ == "__main__":
    url, accounts, callers, seed = json.loads(sys.argv[1])
    sys.stdout.write(json.dumps(asyncio.run(spend(url, accounts, callers, seed))))
