"""What the tests of decorators share: a client with one user, and a look at the books."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal

from aiocredits import CreditClient

START = 1000
USER = "alice"


class BoomError(Exception):
    """What a decorated function raises."""


@asynccontextmanager
async def opened(credits: int = START) -> AsyncIterator[CreditClient]:
    """Open a client whose user has credits; the books prove themselves at the end."""
    async with CreditClient("memory://") as client:
        await client.add_credits(USER, credits)
        yield client
        found = await client.verify()
        assert found.ok, found.problems


async def settled(client: CreditClient) -> Decimal:
    """Wait until nothing is held, and return what was spent."""
    async with asyncio.timeout(10):
        while (await client.get_balance(USER)).held:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0)
    return START - await client.get_user_balance(USER)


async def kinds(client: CreditClient) -> Sequence[str]:
    """Return the kinds of all entries but the first grant."""
    return [entry.kind async for entry in client.entries(USER)][1:]
