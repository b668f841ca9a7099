"""Partitions of the entries, one a month, and making them out of one table."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import anyio
from asyncpg import PostgresError, UndefinedObjectError

from aiocredits.errors import ConfigurationError, CreditError
from aiocredits.storages.postgres.connecting import Driver
from aiocredits.storages.postgres.ddl import patiently, run
from aiocredits.storages.postgres.schema import check
from aiocredits.storages.postgres.sql import of_partitions

_MARGIN = timedelta(days=7)
_ATTEMPTS = 10
_PAUSE = 0.2


class Partition(NamedTuple):
    """A table with a part of the entries."""

    name: str
    until: datetime | None
    """When its entries end, exclusively; None for the default one, which has all the others."""


async def is_partitioned(connection: Driver, schema: str) -> bool:
    """Tell whether the entries are cut into partitions."""
    kind = await connection.fetchval(of_partitions("entries_kind", schema), schema)
    return str(kind) == "p"


async def partitions(connection: Driver, schema: str) -> Sequence[Partition]:
    """Return the partitions, oldest first, the default one last."""
    found = await connection.fetch(of_partitions("partitions", schema), schema)
    return [Partition(*row) for row in found]


async def partition(
    connection: Driver, schema: str, *, months: int, deadline: float
) -> Sequence[str]:
    """Make the table of entries the first of its partitions; return the names of all new ones."""
    await check(connection, schema)
    made: Sequence[str] = ()
    for _ in range(_ATTEMPTS):
        if await is_partitioned(connection, schema):
            break
        try:
            made = await _cut(connection, schema, deadline)
        except UndefinedObjectError:  # somebody else is at it, with the same constraint
            await asyncio.sleep(_PAUSE)
    return [*made, *await add(connection, schema, months=months, deadline=deadline)]


async def add(connection: Driver, schema: str, *, months: int, deadline: float) -> Sequence[str]:
    """Make the partitions of this month and of `months` more, as far as they are missing."""
    if not await is_partitioned(connection, schema):
        raise ConfigurationError(
            f"the entries of PostgreSQL schema {schema!r} are one table: call partition_entries() "
            "first"
        )
    return await patiently(
        connection, schema, deadline, lambda: _add_missing(connection, schema, months)
    )


def month_of(instant: datetime, later: int = 0) -> datetime:
    """Return when the month of `instant` begins, in UTC, or one so many months later."""
    utc = instant.astimezone(UTC)
    year, month = divmod(utc.year * 12 + utc.month - 1 + later, 12)
    return datetime(year, month + 1, 1, tzinfo=UTC)


async def _cut(connection: Driver, schema: str, deadline: float) -> Sequence[str]:
    present = await connection.fetchval(of_partitions("present", schema))
    until = month_of(present + _MARGIN, 1)
    try:
        await patiently(connection, schema, deadline, lambda: _claim(connection, schema, until))
        await run(connection, schema, "prove_end")
        return await patiently(
            connection, schema, deadline, lambda: _swap(connection, schema, until)
        )
    except UndefinedObjectError:
        raise
    except BaseException:
        await _give_up(connection, schema, deadline)
        raise


async def _claim(connection: Driver, schema: str, until: datetime) -> None:
    if await is_partitioned(connection, schema):  # by somebody faster, just now
        raise UndefinedObjectError("the table is not there any more")
    # Somebody may have been stopped between this and _swap.
    await run(connection, schema, "drop_end")
    await run(connection, schema, "claim_end", until=until)


async def _give_up(connection: Driver, schema: str, deadline: float) -> None:
    with anyio.CancelScope(shield=True), suppress(PostgresError, CreditError, OSError):
        await patiently(connection, schema, deadline, lambda: run(connection, schema, "drop_end"))


async def _swap(connection: Driver, schema: str, until: datetime) -> Sequence[str]:
    if await is_partitioned(connection, schema):  # by somebody faster
        return ()
    suffix = f"before_{until:%Y_%m}"
    table = f"entries_{suffix}"
    await run(connection, schema, "lock_entries")
    await run(connection, schema, "rename_entries", table=table)
    await run(connection, schema, "rename_versions", index=f"{table}_pkey")
    await run(connection, schema, "rename_keys", key=f"entries_key_{suffix}")
    await run(connection, schema, "create_entries", table=table)
    await run(connection, schema, "attach_first", table=table, until=until)
    await run(connection, schema, "drop_proved_end", table=table)
    await _give_rights(connection, schema, table, "entries")
    await _create(connection, schema, "default")
    await run(connection, schema, "attach_default", table="entries_default")
    return (table, "entries_default")


async def _give_rights(connection: Driver, schema: str, of: str, to: str) -> None:
    for row in await connection.fetch(of_partitions("rights", schema), schema, of, to):
        await connection.execute(row[0])


async def _add_missing(connection: Driver, schema: str, months: int) -> Sequence[str]:
    now = await connection.fetchval(of_partitions("server_time", schema))
    ends = [found.until for found in await partitions(connection, schema) if found.until]
    since = max(ends, default=month_of(now))
    made: list[str] = []
    while since <= month_of(now, months):
        made.append(await _add_month(connection, schema, since))
        since = month_of(since, 1)
    return made


async def _add_month(connection: Driver, schema: str, since: datetime) -> str:
    table = await _create(connection, schema, f"{since:%Y_%m}")
    bounds: dict[str, str | datetime] = {
        "table": table,
        "since": since,
        "until": month_of(since, 1),
    }
    await run(connection, schema, "lock_default", "move_from_default", "attach_month", **bounds)
    return table


async def _create(connection: Driver, schema: str, suffix: str) -> str:
    table = f"entries_{suffix}"
    names = {"table": table, "index": f"{table}_pkey", "key": f"entries_key_{suffix}"}
    await run(connection, schema, "create_partition", "create_versions", "create_keys", **names)
    await _give_rights(connection, schema, "entries", table)
    return table
