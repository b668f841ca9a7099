"""What one would write by hand: a transaction over aiosqlite for each consume.

It keeps what the library keeps of a consume, with the same durability: the account's balance, what
is left of its grant, and an entry under a unique key, in a WAL with ``synchronous=FULL``. It has no
priorities, no expiry, no holds, no refunds, no usage by day and no validation.
"""

import asyncio
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Self

import aiosqlite

SCHEMA = """
CREATE TABLE accounts (
    account TEXT PRIMARY KEY NOT NULL,
    version INTEGER NOT NULL,
    balance INTEGER NOT NULL CHECK (balance >= 0)
) STRICT, WITHOUT ROWID;

CREATE TABLE grants (
    account TEXT PRIMARY KEY NOT NULL,
    remaining INTEGER NOT NULL CHECK (remaining >= 0)
) STRICT, WITHOUT ROWID;

CREATE TABLE entries (
    account TEXT NOT NULL,
    version INTEGER NOT NULL,
    amount INTEGER NOT NULL,
    balance INTEGER NOT NULL,
    description TEXT NOT NULL,
    key TEXT NOT NULL,
    PRIMARY KEY (account, version)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX entries_key ON entries (account, key);
"""

SELECT = "SELECT version, balance FROM accounts WHERE account = ?"
UPDATE_ACCOUNT = "UPDATE accounts SET version = ?, balance = ? WHERE account = ?"
UPDATE_GRANT = "UPDATE grants SET remaining = remaining - ? WHERE account = ?"
INSERT_ENTRY = (
    "INSERT INTO entries (account, version, amount, balance, description, key) "
    "VALUES (?, ?, ?, ?, ?, ?)"
)


class HandWritten:
    """Credits over some connections, each used by one task at a time, in the order of asking."""

    def __init__(self, path: Path, connections: int) -> None:
        self._path = path
        self._size = connections
        self._turn = asyncio.Semaphore(connections)
        self._free: list[aiosqlite.Connection] = []

    async def __aenter__(self) -> Self:
        """Open the connections."""
        for _ in range(self._size):
            connection = await aiosqlite.connect(self._path, isolation_level=None, timeout=30)
            await connection.execute("PRAGMA journal_mode = WAL")
            await connection.execute("PRAGMA synchronous = FULL")
            self._free.append(connection)
        return self

    async def __aexit__(self, *error: object) -> None:
        """Close them."""
        while self._free:
            await self._free.pop().close()

    async def consume(self, account: str, amount: int, description: str, key: str) -> int:
        """Take `amount` and return the balance after it."""
        async with self._turn:
            connection = self._free.pop()
            try:
                return await self._consume(connection, account, amount, description, key)
            finally:
                self._free.append(connection)

    async def _consume(
        self,
        connection: aiosqlite.Connection,
        account: str,
        amount: int,
        description: str,
        key: str,
    ) -> int:
        await connection.execute("BEGIN IMMEDIATE")
        try:
            balance = await self._take(connection, account, amount, description, key)
            await connection.execute("COMMIT")
        except BaseException:
            await connection.execute("ROLLBACK")
            raise
        return balance

    async def _take(
        self,
        connection: aiosqlite.Connection,
        account: str,
        amount: int,
        description: str,
        key: str,
    ) -> int:
        ((version, balance),) = await connection.execute_fetchall(SELECT, (account,))
        if balance < amount:
            raise ValueError(f"{account} has {balance}")
        version, balance = version + 1, balance - amount
        await connection.execute(UPDATE_ACCOUNT, (version, balance, account))
        await connection.execute(UPDATE_GRANT, (amount, account))
        entry = (account, version, amount, balance, description, key)
        await connection.execute(INSERT_ENTRY, entry)
        return int(balance)


def create(path: Path, accounts: Iterable[str], balance: int) -> None:
    """Make the tables, and give each account one grant."""
    names = list(accounts)
    connection = sqlite3.connect(path)
    connection.executescript(f"PRAGMA journal_mode = WAL; {SCHEMA}")
    with connection:
        rows = [(name, balance) for name in names]
        connection.executemany("INSERT INTO accounts VALUES (?, 0, ?)", rows)
        connection.executemany("INSERT INTO grants VALUES (?, ?)", rows)
    connection.close()


def balances(path: Path) -> dict[str, int]:
    """Return every balance, after a look at whether grants and entries agree with it."""
    connection = sqlite3.connect(path)
    rows = connection.execute(
        "SELECT account, balance, version, remaining FROM accounts JOIN grants USING (account)"
    ).fetchall()
    counts = dict(connection.execute("SELECT account, count(*) FROM entries GROUP BY account"))
    connection.close()
    for account, balance, version, remaining in rows:
        assert balance == remaining, account
        assert version == counts.get(account, 0), account
    return {account: balance for account, balance, _, _ in rows}
