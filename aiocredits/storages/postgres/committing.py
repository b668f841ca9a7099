"""Transactions whose end is known, or known to be unknown."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from asyncpg import PostgresError

from aiocredits.storages.postgres.connecting import Driver, UnsureCommitError
from aiocredits.storages.postgres.failures import BUSY, LOST


@asynccontextmanager
async def committed(connection: Driver) -> AsyncGenerator[None]:
    """Commit at the end of the block, and roll back if that raises.

    A commit that fails for no reason that means a rollback may have happened all the same: Citus
    says so when it loses a node just then. It raises `UnsureCommitError`.
    """
    committing = False
    try:
        async with connection.transaction(isolation="read_committed"):
            yield
            committing = True
    except PostgresError as error:
        if committing and not isinstance(error, (*BUSY, *LOST)):
            raise UnsureCommitError(str(error)) from error
        raise
