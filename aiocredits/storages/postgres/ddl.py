"""Changing tables that are in use: quickly or not at all, and then again."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeVar

import stamina
from asyncpg.exceptions import DeadlockDetectedError, LockNotAvailableError

from aiocredits.errors import ContentionError
from aiocredits.storages.postgres.connecting import Driver
from aiocredits.storages.postgres.sql import of_partitions, statements

T = TypeVar("T")

_LOCKED = (LockNotAvailableError, DeadlockDetectedError)


async def patiently(
    connection: Driver, schema: str, deadline: float, work: Callable[[], Awaitable[T]]
) -> T:
    """Run `work` in a transaction that waits briefly for locks, again and again.

    It is the only one at a time in its schema. Raises `ContentionError` after about `deadline`
    seconds, and then nothing was changed.
    """
    try:
        async for attempt in stamina.retry_context(
            on=_LOCKED, attempts=None, timeout=deadline, wait_initial=0.1, wait_max=2.0
        ):
            with attempt:
                async with connection.transaction(isolation="read_committed"):
                    await connection.execute(of_partitions("wait_briefly", schema))
                    await connection.fetch(statements(schema)["lock_schema"], schema)
                    return await work()
    except _LOCKED as error:
        raise ContentionError(
            f"the entries could not be locked for half a second within {deadline:g} seconds, and "
            "this step changed nothing: look for long transactions, and try again"
        ) from error
    raise AssertionError("retries end by an answer or by raising")


async def run(connection: Driver, schema: str, *names: str, **parts: str | datetime) -> None:
    """Execute statements of partitions.sql, one after the other."""
    for name in names:
        await connection.execute(of_partitions(name, schema, **parts))
