"""Arrays as text: whatever is in a text, it arrives as it was."""

import asyncio

import asyncpg
import pytest

from aiocredits import CreditClient
from aiocredits.storages.postgres import rows

ODD = [
    "",
    "NULL",
    "null",
    '"',
    "\\",
    '\\"',
    "{a,b}",
    "a,b",
    "'",
    " x ",
    "line\nline",
    "ü€",
    '[["a"]]',
]


@pytest.mark.parametrize("values", [[], ["plain", "texts"], ODD, *([text] for text in ODD)])
async def test_texts_arrive_as_they_were(url: str, values: list[str]) -> None:
    connection = await asyncpg.connect(url)
    try:
        assert await connection.fetchval("SELECT $1::text::text[]", rows.texts(values)) == values
    finally:
        await connection.close()


async def test_what_a_batch_is_told_arrives_as_it_was(url: str) -> None:
    names = [text for text in ODD if text and text.isprintable()]
    async with CreditClient(url) as client:
        await client.add_credits("alice", 100)
        await asyncio.gather(
            *(
                client.consume_credits(
                    "alice", 1, odd, service=odd, metadata={odd: odd}, idempotency_key=odd
                )
                for odd in names
            ),
            client.consume_credits("alice", 1),
        )
        told = {entry.description: entry async for entry in client.entries("alice")}
        for odd in names:
            entry = told[odd]
            assert (entry.service, entry.key, entry.metadata) == (odd, odd, {odd: odd})
        assert told[""].service is None
        assert (await client.verify()).ok
