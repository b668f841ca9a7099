"""Detaching old partitions, once the books of every account are closed up to their end."""

from collections.abc import Sequence
from datetime import datetime

from aiocredits.errors import ConfigurationError, ContentionError, InvalidInputError
from aiocredits.storages.postgres.closing import Closing
from aiocredits.storages.postgres.connecting import Driver
from aiocredits.storages.postgres.ddl import patiently, run
from aiocredits.storages.postgres.partitions import is_partitioned, partitions
from aiocredits.storages.postgres.schema import check
from aiocredits.storages.postgres.sql import of_partitions

_ATTEMPTS = 10


async def detach(
    connection: Driver, schema: str, before: datetime, *, deadline: float
) -> Sequence[str]:
    """Detach the partitions that end by `before`, and return the names of their tables."""
    await _check(connection, schema, before)
    old = [
        (found.until, found.name)
        for found in await partitions(connection, schema)
        if found.until is not None and found.until <= before
    ]
    if not old:
        return ()
    until, tables = max(old)[0], [name for _, name in sorted(old)]
    closing = Closing(connection, schema, until)
    await closing.close_all()
    for _ in range(_ATTEMPTS):
        for table in tables:
            while late := await _not_closed(connection, schema, table):
                await closing.close(late)
        if await patiently(
            connection, schema, deadline, lambda: _detach(connection, schema, tables, until)
        ):
            return tables
    raise ContentionError(
        f"entries dated before {until.isoformat()} were written again and again, and nothing was "
        "detached: is the clock of a process wrong?"
    )


async def _check(connection: Driver, schema: str, before: datetime) -> None:
    await check(connection, schema)
    if not await is_partitioned(connection, schema):
        raise ConfigurationError(
            f"the entries of PostgreSQL schema {schema!r} are one table, from which nothing can be "
            "detached: call partition_entries(), and detach them in some months"
        )
    present = await connection.fetchval(of_partitions("present", schema))
    if before > present:
        raise InvalidInputError(
            f"before={before.isoformat()} lies in the future: books can be closed up to now, "
            f"{present.isoformat()}"
        )


async def _detach(connection: Driver, schema: str, tables: Sequence[str], until: datetime) -> bool:
    """Detach, unless somebody has just written what no opening stands for."""
    for table in tables:
        # Nobody can write into it any more, and everybody can read it.
        await run(connection, schema, "lock_partition", table=table)
        if await _not_closed(connection, schema, table):
            return False
    for table in tables:
        await run(connection, schema, "detach", table=table)
    await run(connection, schema, "move_closed", table=tables[-1], until=until)
    return True


async def _not_closed(connection: Driver, schema: str, table: str) -> Sequence[str]:
    found = await connection.fetch(of_partitions("not_closed", schema, table=table))
    return sorted({row[0] for row in found})
