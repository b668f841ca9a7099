"""What the library is measured against: statements written by hand, and rows without rules.

The single statement is the best that we know for one consume: it updates the account if it has
enough, and its one grant, inserts the entry with its key under a unique index, and adds to the
usage of the day; all of it in one round trip. So it makes durable what the library does of such a
charge; it knows no expiry, priority, hold, refund or second grant. A leaner one leaves the usage
out.

The ceiling writes the rows that the library writes for a consume, in the library's own tables, 64
to a statement and from two connections, and decides nothing. No rule can be faster.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from itertools import count
from typing import Any, Self

import asyncpg

CONNECTIONS = 16
BATCH = 64

# As the library's own sessions: rows are found through their indexes, by plans that are made once.
SESSION = {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "jit": "off",
}

SCHEMA = """
CREATE SCHEMA by_hand;

CREATE TABLE by_hand.accounts (
    account   text COLLATE "C" PRIMARY KEY,
    version   bigint NOT NULL,
    available bigint NOT NULL CHECK (available >= 0)
) WITH (fillfactor = 50);

CREATE TABLE by_hand.grants (
    account   text COLLATE "C" NOT NULL,
    number    bigint NOT NULL,
    remaining bigint NOT NULL CHECK (remaining >= 0),
    PRIMARY KEY (account, number)
) WITH (fillfactor = 50);

CREATE TABLE by_hand.entries (
    account     text COLLATE "C" NOT NULL,
    version     bigint NOT NULL,
    kind        text NOT NULL,
    at          timestamptz NOT NULL,
    amount      bigint NOT NULL,
    available   bigint NOT NULL,
    grant_      bigint NOT NULL,
    description text NOT NULL,
    key         text COLLATE "C" NOT NULL,
    PRIMARY KEY (account, version)
);

CREATE UNIQUE INDEX entries_key ON by_hand.entries (key, account);

CREATE TABLE by_hand.usage (
    account text COLLATE "C" NOT NULL,
    day     date NOT NULL,
    service text COLLATE "C" NOT NULL,
    spent   bigint NOT NULL,
    PRIMARY KEY (account, day, service)
) WITH (fillfactor = 50);
"""

FILL_ACCOUNTS = "INSERT INTO by_hand.accounts SELECT a, 1, $2 FROM unnest($1::text[]) AS a"
FILL_GRANTS = "INSERT INTO by_hand.grants SELECT a, 1, $2 FROM unnest($1::text[]) AS a"

_CONSUME = """
WITH charged AS (
    UPDATE by_hand.accounts SET version = version + 1, available = available - $2
    WHERE account = $1 AND available >= $2
    RETURNING version, available
),
paid AS (
    UPDATE by_hand.grants AS g SET remaining = g.remaining - $2
    FROM charged
    WHERE g.account = $1 AND g.number = 1 AND g.remaining >= $2
    RETURNING g.number
)%s
INSERT INTO by_hand.entries (
    account, version, kind, at, amount, available, grant_, description, key
)
SELECT $1, c.version, 'consume', now(), $2, c.available, p.number, $3, $4
FROM charged AS c, paid AS p
RETURNING version
"""

_USAGE = """,
usage AS (
    INSERT INTO by_hand.usage AS u (account, day, service, spent)
    SELECT $1, current_date, '', $2 FROM charged
    ON CONFLICT (account, day, service) DO UPDATE SET spent = u.spent + excluded.spent
)"""

CONSUME = _CONSUME % _USAGE
CONSUME_LEANER = _CONSUME % ""

LOCK = "SELECT version, available FROM by_hand.accounts WHERE account = $1 FOR UPDATE"
CHARGE = "UPDATE by_hand.accounts SET version = $2, available = $3 WHERE account = $1"
PAY = "UPDATE by_hand.grants SET remaining = remaining - $2 WHERE account = $1 AND number = 1"
COUNT = """
INSERT INTO by_hand.usage AS u (account, day, service, spent) VALUES ($1, current_date, '', $2)
ON CONFLICT (account, day, service) DO UPDATE SET spent = u.spent + excluded.spent
"""
ENTER = """
INSERT INTO by_hand.entries (
    account, version, kind, at, amount, available, grant_, description, key
)
VALUES ($1, $2, 'consume', now(), $3, $4, 1, $5, $6)
"""

BALANCES = "SELECT account, available FROM by_hand.accounts"

ROWS = """
WITH changed AS (
    UPDATE ceiling.accounts AS a
    SET version = a.version + 1, available = a.available - c.amount, at = now()
    FROM unnest($1::text::text[], $2::text::bigint[]) AS c (account, amount)
    WHERE a.account = c.account
),
grants AS (
    UPDATE ceiling.grants AS g SET remaining = g.remaining - c.amount
    FROM unnest($1::text::text[], $2::text::bigint[]) AS c (account, amount)
    WHERE g.account = c.account AND g.number = 1
),
usage AS (
    INSERT INTO ceiling.usage AS u (account, day, service, unit_cost, spent)
    SELECT c.account, current_date, '', '', c.amount
    FROM unnest($1::text::text[], $2::text::bigint[]) AS c (account, amount)
    ON CONFLICT (account, day, service, unit_cost) DO UPDATE SET spent = u.spent + excluded.spent
)
INSERT INTO ceiling.entries (
    account, version, kind, at, amount, available, held, overdraft, slices, description, key
)
SELECT c.account, c.version, 'consume', now(), c.amount, c.version, 0, 0, '[[1,1000000]]',
       'a report', c.key
FROM unnest($1::text::text[], $2::text::bigint[], $3::text::bigint[], $4::text::text[])
    AS c (account, amount, version, key)
"""


class ByHand:
    """Consumes written by hand, over a pool."""

    def __init__(self, pool: "asyncpg.Pool[Any]", worker: int = 0) -> None:
        self._pool = pool
        self._keys = count()
        self._worker = worker
        self.taken: Counter[str] = Counter()

    @classmethod
    async def connect(cls, url: str, worker: int = 0) -> Self:
        """Return consumes over a pool of their own."""
        pool = await asyncpg.create_pool(url, min_size=CONNECTIONS, max_size=CONNECTIONS)
        return cls(pool, worker)

    async def close(self) -> None:
        """Close the pool."""
        await self._pool.close()

    async def create(self, accounts: Sequence[str], granted: int) -> None:
        """Make the tables and fill them."""
        await self._pool.execute(SCHEMA)
        await self._pool.execute(FILL_ACCOUNTS, accounts, granted)
        await self._pool.execute(FILL_GRANTS, accounts, granted)

    async def consume(self, account: str) -> None:
        """Take one credit, in one statement."""
        await self._consume(CONSUME, account)

    async def consume_leaner(self, account: str) -> None:
        """Take one credit, in one statement that does not add to the usage of the day."""
        await self._consume(CONSUME_LEANER, account)

    async def _consume(self, statement: str, account: str) -> None:
        async with self._pool.acquire() as connection:
            version = await connection.fetchval(statement, account, 1, "a report", self._key())
        assert version is not None
        self.taken[account] += 1

    async def consume_in_transaction(self, account: str) -> None:
        """Take one credit, in a transaction of five statements."""
        async with self._pool.acquire() as connection, connection.transaction():
            row = await connection.fetchrow(LOCK, account)
            assert row is not None
            version, available = row
            assert available >= 1
            await connection.execute(CHARGE, account, version + 1, available - 1)
            await connection.execute(PAY, account, 1)
            await connection.execute(COUNT, account, 1)
            key = self._key()
            await connection.execute(ENTER, account, version + 1, 1, available - 1, "a report", key)
        self.taken[account] += 1

    async def balances(self) -> dict[str, int]:
        """Return what every account has left."""
        return dict(await self._pool.fetch(BALANCES))

    def _key(self) -> str:
        return f"request-{self._worker}-{next(self._keys):012}"


class Ceiling:
    """Rows as the library writes them, and no rules."""

    def __init__(self, url: str, accounts: Sequence[str]) -> None:
        self._url = url
        # Each connection has accounts of its own, and so never waits for the other.
        self._shares = (accounts[::2], accounts[1::2]) if len(accounts) > 1 else (accounts,)
        self._versions = Counter(dict.fromkeys(accounts, 1_000_000))
        self._keys = count()

    async def rate(self, seconds: float) -> float:
        """Return how many consumes a second were written."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        counts = await asyncio.gather(*(self._write(share, end) for share in self._shares))
        return sum(counts) / seconds

    async def _write(self, accounts: Sequence[str], end: float) -> int:
        connection = await asyncpg.connect(self._url, server_settings=SESSION)
        chance, written, loop = random.Random(1), 0, asyncio.get_running_loop()
        try:
            while loop.time() < end:
                if len(accounts) > BATCH:
                    names = chance.sample(accounts, BATCH)
                else:
                    names = [accounts[0]] * BATCH
                await connection.execute(ROWS, *self._rows(names))
                written += BATCH
        finally:
            await connection.close()
        return written

    def _rows(self, names: Sequence[str]) -> tuple[str, ...]:
        versions = []
        for name in names:
            self._versions[name] += 1
            versions.append(self._versions[name])
        keys = [f"{next(self._keys):032}" for _ in names]
        columns = (names, ["1000000"] * len(names), map(str, versions), keys)
        return tuple("{" + ",".join(column) + "}" for column in columns)
