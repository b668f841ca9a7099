"""schema.sql says what the migrations make."""

from importlib.resources import files

import asyncpg

from aiocredits.storages.postgres.sql import PACKAGE, in_schema

COLUMNS = """
SELECT table_name, column_name, ordinal_position, data_type, collation_name, is_nullable,
       column_default
FROM information_schema.columns
WHERE table_schema = $1 AND table_name <> 'schema_version'
ORDER BY table_name, ordinal_position
"""

INDEXES = """
SELECT tablename, indexname, replace(indexdef, $1 || '.', '')
FROM pg_indexes
WHERE schemaname = $1 AND tablename <> 'schema_version'
ORDER BY tablename, indexname
"""

CONSTRAINTS = """
SELECT t.relname, c.conname, pg_get_constraintdef(c.oid)
FROM pg_constraint AS c
JOIN pg_class AS t ON t.oid = c.conrelid
JOIN pg_namespace AS n ON n.oid = t.relnamespace
WHERE n.nspname = $1 AND t.relname <> 'schema_version'
ORDER BY t.relname, c.conname
"""

OPTIONS = """
SELECT t.relname, t.relkind, t.reloptions
FROM pg_class AS t
JOIN pg_namespace AS n ON n.oid = t.relnamespace
WHERE n.nspname = $1 AND t.relname NOT LIKE 'schema_version%'
ORDER BY t.relname
"""


async def test_schema_is_the_sum_of_the_migrations(url: str) -> None:
    connection = await asyncpg.connect(url)
    schema = (files(PACKAGE) / "schema.sql").read_text("utf-8")
    await connection.execute("CREATE SCHEMA whole")
    await connection.execute(in_schema(schema, "whole"))
    for query in (COLUMNS, INDEXES, CONSTRAINTS, OPTIONS):
        migrated = await connection.fetch(query, "aiocredits")
        assert migrated
        assert migrated == await connection.fetch(query, "whole")
    await connection.close()


async def test_every_index_is_of_accounts_and_nothing_crosses_them(url: str) -> None:
    connection = await asyncpg.connect(url)
    for table, name, definition in await connection.fetch(INDEXES, "aiocredits"):
        leads = "(key, account)" if name == "entries_key" else "(account"
        assert leads in definition, (table, name)
    for _, name, definition in await connection.fetch(CONSTRAINTS, "aiocredits"):
        assert not definition.startswith("FOREIGN KEY"), name
    await connection.close()
