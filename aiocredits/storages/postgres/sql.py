"""The statements, with the schema's name put in: the one place where SQL is composed."""

from collections.abc import Mapping
from datetime import datetime
from functools import cache

from aiocredits.storages._sql import named_queries

PACKAGE = "aiocredits.storages.postgres"


def quoted(name: str) -> str:
    """Return an identifier that no name can break out of."""
    return '"' + name.replace('"', '""') + '"'


def in_schema(sql: str, schema: str) -> str:
    """Return SQL of this package for tables in `schema`."""
    return sql.replace("{schema}", quoted(schema))


@cache
def statements(schema: str, *, routed: bool = False) -> Mapping[str, str]:
    """Return the named statements for tables in `schema`; `routed`, those of one account each."""
    writes = ["routed.sql"] if routed else ["save.sql", "charge.sql"]
    named: dict[str, str] = {}
    for file in ("queries.sql", *writes):
        named |= named_queries(PACKAGE, file)
    return {name: in_schema(_without_comments(sql), schema) for name, sql in named.items()}


@cache
def _of_partitions() -> Mapping[str, str]:
    return named_queries(PACKAGE, "partitions.sql")


def of_partitions(name: str, schema: str, **parts: str | datetime) -> str:
    """Return a statement of partitions.sql, with names and instants put in."""
    sql = _without_comments(_of_partitions()[name])
    for part, value in parts.items():
        text = quoted(value) if isinstance(value, str) else f"'{value.isoformat()}'"
        sql = sql.replace("{" + part + "}", text)
    return in_schema(sql, schema)


def _without_comments(sql: str) -> str:
    # They are for readers of the file; asyncpg caches no statement above 15 KB.
    return "\n".join(line for line in sql.splitlines() if not line.startswith("--")).strip()
