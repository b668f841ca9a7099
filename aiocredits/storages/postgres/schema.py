"""The tables: whether they fit, and bringing them up to date when asked to.

A migration is ``pre`` or ``post``: a ``pre`` one is applied before the new version of the library
is deployed and leaves the old one working; a ``post`` one when no old process is left. A ``pre``
one adds, and rewrites no table: who reads in a snapshot from before would find it empty.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

from aiocredits.errors import SchemaOutdatedError
from aiocredits.storages._sql import migrations
from aiocredits.storages.postgres.connecting import Driver
from aiocredits.storages.postgres.failures import IN_THE_WAY
from aiocredits.storages.postgres.retrying import retried
from aiocredits.storages.postgres.settings import DEADLINE
from aiocredits.storages.postgres.sql import PACKAGE, in_schema, statements


class Step(NamedTuple):
    """A numbered step of the schema."""

    version: int
    name: str
    kind: str
    sql: str


def steps() -> tuple[Step, ...]:
    """Return the migrations, oldest first; files are named ``0001_what.pre.sql``."""
    found: list[Step] = []
    for version, file_name, sql in migrations(PACKAGE):
        name, _, kind = file_name.rpartition(".")
        found.append(Step(version, name, kind, sql))
    return tuple(found)


async def check(connection: Driver, schema: str) -> None:
    """Raise `SchemaOutdatedError` unless this version of the library can work on the tables.

    It can if every ``pre`` migration that it knows has been applied, and no ``post`` one that it
    does not know.
    """
    applied = await _applied(connection, schema)
    _refuse_newer(applied, schema)
    missing = [step for step in _pending(applied) if step.kind == "pre"]
    if missing:
        names = ", ".join(step.name for step in missing)
        raise SchemaOutdatedError(
            f"PostgreSQL schema {schema!r} lacks {names}: apply it with "
            "'await PostgresStorage(url).migrate()', or open the storage with ?auto_migrate=true"
        )


async def migrate(
    connection: Driver,
    schema: str,
    kinds: Sequence[str] = ("pre", "post"),
    *,
    deadline: float = DEADLINE,
) -> Sequence[str]:
    """Apply what is pending, in one transaction, and return its names.

    It waits for callers, who may wait for it: whom the server ends of the two tries again.
    """
    return await retried(
        partial(_migrate, connection, schema, kinds), IN_THE_WAY, deadline=deadline
    )


async def _migrate(connection: Driver, schema: str, kinds: Sequence[str]) -> Sequence[str]:
    sql = statements(schema)
    async with connection.transaction(isolation="read_committed"):
        await connection.fetch(sql["lock_schema"], schema)
        applied = await _applied(connection, schema)
        _refuse_newer(applied, schema)
        pending = [step for step in _pending(applied) if step.kind in kinds]
        if pending and not applied:
            await connection.execute(sql["create_schema"])
            await connection.execute(sql["create_schema_version"])
        for step in pending:
            await connection.execute(in_schema(step.sql, schema))
            await connection.execute(sql["note_migration"], step.version, step.name, step.kind)
    return [step.name for step in pending]


def _pending(applied: Sequence[Any]) -> list[Step]:
    done = {version for version, _, _ in applied}
    return [step for step in steps() if step.version not in done]


def _refuse_newer(applied: Sequence[Any], schema: str) -> None:
    newest = max(step.version for step in steps())
    newer = [name for version, name, kind in applied if version > newest and kind == "post"]
    if newer:
        raise SchemaOutdatedError(
            f"PostgreSQL schema {schema!r} has {', '.join(newer)}, which this version of "
            "aiocredits does not know and cannot work with: upgrade the package"
        )


async def _applied(connection: Driver, schema: str) -> Sequence[Any]:
    sql = statements(schema)
    if not await connection.fetchval(sql["has_schema"], schema):
        return ()
    return await connection.fetch(sql["applied_migrations"])
