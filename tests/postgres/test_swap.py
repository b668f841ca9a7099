"""The swap by version: whatever is written, it is left out for an account that has moved on."""

import asyncio
from datetime import timedelta

import asyncpg
import pytest

from aiocredits import CreditClient, commands
from aiocredits._commands import Command
from aiocredits._ledger import State, decide
from aiocredits._model import Books
from aiocredits._queries import BooksQuery, EntriesQuery
from aiocredits.storages.postgres.saving import save, statement_for
from aiocredits.storages.postgres.sql import statements
from aiocredits.testing import ManualClock

# Each makes `save` choose the statement that it is named after.
BATCHES: dict[str, list[Command]] = {
    "charge_one": [commands.consume_credits("alice", 1)],
    "charge": [commands.consume_credits("alice", 1), commands.consume_credits("bob", 1)],
    "move": [commands.hold_credits("alice", 1), commands.consume_credits("bob", 10)],
    "save": [commands.add_credits("alice", 1), commands.consume_credits("bob", 1)],
}


@pytest.mark.parametrize("name", BATCHES)
async def test_an_account_that_has_moved_on_is_left_out_and_the_others_are_not(
    url: str, name: str
) -> None:
    batch = BATCHES[name]
    accounts = sorted({command.account for command in batch})  # type: ignore[union-attr]
    async with CreditClient(url) as client:
        for account in accounts:
            await client.add_credits(account, 10)
        before: dict[str, Books] = {}
        at = client._now() + timedelta(seconds=1)
        for account in accounts:
            (before[account],) = (await client._read(BooksQuery(account, at))).rows
        changes = decide(State(before, {}), batch, at).changes
        statement = statement_for(changes, {})
        assert statement.name == name

        await client.consume_credits("alice", 5)
        connection = await asyncpg.connect(url)
        try:
            written = await save(connection, statements("aiocredits"), statement)
        finally:
            await connection.close()

        assert written == [account for account in accounts if account != "alice"]
        assert (await client.get_balance("alice")).available == 5
        assert len((await client._read(EntriesQuery("alice"))).rows) == 2
        assert (await client.verify()).ok


async def test_a_charge_writes_down_that_nothing_is_due_any_more(url: str) -> None:
    """Else whoever looks at the account next would count it anew, each time."""
    clock = ManualClock()
    async with CreditClient(url, clock=clock) as client:
        for user in ("alice", "bob"):
            await client.add_credits(user, 10)
            hold = await client.hold_credits(user, 5, timeout=60)
            await client.release_hold(hold.id)
        clock.advance(seconds=120)
        await client.consume_credits("alice", 1)
        await asyncio.gather(*(client.consume_credits(user, 1) for user in ("alice", "bob")))
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch("SELECT due_at FROM aiocredits.accounts")
        assert [row[0] for row in rows] == [None, None]
    finally:
        await connection.close()
