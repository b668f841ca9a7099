"""Connections of a pool, and what the driver's exceptions mean."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import asyncpg
from asyncpg import Connection
from asyncpg.pool import Pool, PoolConnectionProxy

from aiocredits.errors import CreditError
from aiocredits.storages.postgres.settings import Settings

Driver: TypeAlias = "Connection[Any] | PoolConnectionProxy[Any]"
"""A connection, whether it came from a pool or not."""


class DecideAgainError(Exception):
    """An account came into being, or moved on, between `load` and `save`."""


class UnsureCommitError(Exception):
    """A commit failed, and what was committed may be there all the same."""


@asynccontextmanager
async def acquired(pool: "Pool[Any]") -> AsyncGenerator["PoolConnectionProxy[Any]"]:
    """Lend a connection; one whose protocol may be out of step never goes back to the pool."""
    connection = await pool.acquire()
    try:
        yield connection
    except (asyncpg.PostgresError, CreditError, DecideAgainError):
        raise
    except BaseException:
        # asyncpg's InternalClientError among others: the server's next answer would be taken for
        # the answer to somebody else's question.
        connection.terminate()
        raise
    finally:
        await pool.release(connection)


# Planning a batch takes longer than writing it, so every statement is planned once, for any batch;
# maybe while the tables are still empty, when reading all of one looks cheaper than its index.
_SESSION = {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "jit": "off",
}


async def create_pool(dsn: str | None, settings: Settings) -> "Pool[Any]":
    """Return an open pool of our own."""
    return await asyncpg.create_pool(
        dsn,
        min_size=1,
        max_size=settings.pool_size,
        # Nothing here changes a session, so there is nothing to reset, and a round trip to save.
        reset=_nothing,
        # Plans are made for the sizes that tables have when a statement is prepared.
        max_cached_statement_lifetime=60,
        # A pooler in transaction mode gives every statement another session.
        statement_cache_size=0 if settings.pgbouncer else 100,
        # Engines that route plan a statement anew where they cannot tell its node from the text.
        server_settings=None if settings.pgbouncer or settings.routed else _SESSION,
    )


async def _nothing(connection: object) -> None:
    """Leave the session as it is."""
