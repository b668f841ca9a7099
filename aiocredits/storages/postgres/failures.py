"""What the driver's exceptions mean to the one who asked."""

import asyncio
import copy
from collections.abc import Generator, Sequence
from contextlib import contextmanager

import asyncpg
from asyncpg.exceptions import (
    AdminShutdownError,
    CannotConnectNowError,
    CrashShutdownError,
    DeadlockDetectedError,
    DuplicatePreparedStatementError,
    InvalidAuthorizationSpecificationError,
    InvalidCachedStatementError,
    InvalidCatalogNameError,
    InvalidSchemaNameError,
    InvalidSQLStatementNameError,
    LockNotAvailableError,
    OutdatedSchemaCacheError,
    PostgresConnectionError,
    QueryCanceledError,
    ReadOnlySQLTransactionError,
    SerializationError,
    TooManyConnectionsError,
    UndefinedColumnError,
    UndefinedTableError,
)

from aiocredits._commands import Command, Refused, singles
from aiocredits.errors import (
    ConfigurationError,
    ContentionError,
    CreditError,
    OutcomeUnknownError,
    SchemaOutdatedError,
    StorageError,
    StorageUnavailableError,
)
from aiocredits.storages.base import KeyTakenError
from aiocredits.storages.postgres.connecting import DecideAgainError, UnsureCommitError

IN_THE_WAY = (
    SerializationError,
    DeadlockDetectedError,
    InvalidCachedStatementError,
    OutdatedSchemaCacheError,
)
"""Somebody else, who may have been changing the tables, is out of the way by now."""

GONE = (
    PostgresConnectionError,
    AdminShutdownError,
    CrashShutdownError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
"""There was a connection, and it is of no use any more; another one may do."""

BUSY = (
    *IN_THE_WAY,
    LockNotAvailableError,
    QueryCanceledError,
    DecideAgainError,
    KeyTakenError,
)
"""The server rolled back: nothing was written, and the same again may succeed."""

LOST = (
    *GONE,
    CannotConnectNowError,
    TooManyConnectionsError,
    ReadOnlySQLTransactionError,
    UnsureCommitError,
    OSError,
    EOFError,
)
"""There is no connection any more, or none yet: what was under way happened, or did not."""

_POOLED = (InvalidSQLStatementNameError, DuplicatePreparedStatementError)
_MISSING = (UndefinedTableError, UndefinedColumnError, InvalidSchemaNameError)
_MISTAKES = (InvalidAuthorizationSpecificationError, InvalidCatalogNameError)


def translated(error: Exception) -> Exception:
    """Return what a caller is told; `error` itself if it is not the driver's."""
    if isinstance(error, CreditError) and not isinstance(error, KeyTakenError):
        return error
    if isinstance(error, _POOLED) or "unsupported startup parameter" in str(error):
        return ConfigurationError(
            f"a pooler like PgBouncer stands before the server ({error}): add ?pgbouncer=true to "
            "the URL, or give your own pool statement_cache_size=0"
        )
    if isinstance(error, _MISSING):
        return SchemaOutdatedError(
            f"the tables do not fit: {error}; apply the migrations, and check ?schema="
        )
    if isinstance(error, BUSY):
        return ContentionError(
            f"others kept the books busy until the deadline, and nothing was written ({error}): "
            "try again"
        )
    if isinstance(error, _MISTAKES):
        return StorageUnavailableError(f"PostgreSQL refused the connection: {error}; check the URL")
    if isinstance(error, (*LOST, asyncio.TimeoutError)):
        why = str(error) or type(error).__name__
        return StorageUnavailableError(
            f"PostgreSQL cannot be reached, and nothing was written ({why}): check the URL, the "
            "server and the network"
        )
    if isinstance(error, asyncpg.PostgresError):
        return StorageError(f"PostgreSQL refused, and nothing was written: {error}")
    return error


@contextmanager
def translating() -> Generator[None]:
    """Let no exception of the driver through."""
    try:
        yield
    except Exception as error:
        told = translated(error)
        if told is error:
            raise
        raise told from error


def refused_each(error: StorageError, commands: Sequence[Command]) -> list[Refused]:
    """Return the error for each of the commands, who will raise it apart from each other."""
    refused: list[Refused] = []
    for command in commands:
        own = copy.copy(error)
        own.__cause__ = error.__cause__
        if isinstance(own, OutcomeUnknownError):
            own.key = next(singles([command])).key
        refused.append(Refused(own))
    return refused
