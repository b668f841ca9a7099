"""The statements, with the schema's name put in: the one place where SQL is composed."""

from collections.abc import Mapping
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
    others = "routed.sql" if routed else "save.sql"
    named = {**named_queries(PACKAGE), **named_queries(PACKAGE, others)}
    return {name: in_schema(_without_comments(sql), schema) for name, sql in named.items()}


def _without_comments(sql: str) -> str:
    # They are for readers of the file; asyncpg caches no statement above 15 KB.
    return "\n".join(line for line in sql.splitlines() if not line.startswith("--")).strip()
