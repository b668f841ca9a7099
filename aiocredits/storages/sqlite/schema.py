"""Bringing a file's tables up to date, by itself: a SQLite file has no other administrator."""

import sqlite3
from collections.abc import Iterator

from aiocredits.errors import SchemaOutdatedError
from aiocredits.storages._sql import migrations
from aiocredits.storages.sqlite.unit import SQL

PACKAGE = "aiocredits.storages.sqlite"


def migrate(connection: sqlite3.Connection) -> None:
    """Apply what is pending in one transaction; other processes wait and find it done."""
    steps = migrations(PACKAGE)
    newest = steps[-1].version
    if _version(connection) == newest:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = _version(connection)
        _require_known(version, newest)
        if not version:
            connection.execute(SQL["create_schema"])
        for step in steps[version:]:
            for statement in _statements(step.sql):
                connection.execute(statement)
            connection.execute(SQL["set_schema_version"], (step.version, step.name))
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _require_known(version: int, newest: int) -> None:
    if version > newest:
        raise SchemaOutdatedError(
            f"the tables are at version {version} and this library knows {newest}: a newer "
            "aiocredits wrote this file; upgrade the package"
        )


def _version(connection: sqlite3.Connection) -> int:
    (exists,) = connection.execute(SQL["has_schema"]).fetchone()
    if not exists:
        return 0
    (version,) = connection.execute(SQL["schema_version"]).fetchone()
    return int(version)


def _statements(script: str) -> Iterator[str]:
    # Not executescript(): that commits first, and a migration is all or nothing.
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
