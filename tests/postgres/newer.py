"""The next version of the library: one migration more, and statements that use what it added.

    python -m tests.postgres.newer migrate|spend ARGUMENTS

It is a process of its own, because the version under test must know nothing of it.
"""

import asyncio
import json
import re
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from aiocredits.storages.postgres import PostgresStorage, schema, storage
from aiocredits.storages.postgres.schema import Step
from aiocredits.storages.postgres.settings import SCHEMA
from aiocredits.storages.postgres.sql import statements
from tests.postgres import worker

STEPS = (
    """
    ALTER TABLE {schema}.usage ADD COLUMN note text;
    ALTER TABLE {schema}.entries ADD COLUMN region text, ADD COLUMN tries integer DEFAULT 1;
    ALTER TABLE {schema}.grants ADD COLUMN region text;
    ALTER TABLE {schema}.accounts ADD COLUMN touched timestamptz,
        ADD COLUMN tier text NOT NULL DEFAULT 'basic';
    """,
    """
    CREATE TABLE {schema}.labels (account text COLLATE "C" PRIMARY KEY, label text NOT NULL);
    CREATE INDEX entries_region ON {schema}.entries (account, region) WHERE region IS NOT NULL;
    CREATE INDEX accounts_tier ON {schema}.accounts (account, tier);
    """,
    """
    ALTER TABLE {schema}.charges ADD COLUMN region text NOT NULL DEFAULT '';
    ALTER TABLE {schema}.holds ADD COLUMN region text, ADD COLUMN tries integer NOT NULL DEFAULT 1;
    ALTER TABLE {schema}.accounts SET (fillfactor = 60);
    """,
)
KNOWN = schema.steps()
SQL = statements(SCHEMA)

UPDATE = re.compile(r"(UPDATE \S+\.accounts AS a\s+SET )")


def become(count: int = len(STEPS)) -> None:
    """Let this process know so many migrations more, and write to a column of the first."""
    first = KNOWN[-1].version + 1
    more = [Step(n, f"{n:04}_more", "pre", sql) for n, sql in enumerate(STEPS[:count], first)]
    schema.steps = lambda: (*KNOWN, *more)
    newer = {name: UPDATE.sub(r"\1touched = now(), ", sql) for name, sql in SQL.items()}
    vars(storage)["statements"] = lambda _, *, routed: newer


async def migrate(url: str, count: int) -> list[str]:
    """Apply what is pending of the first `count`, and return its names."""
    become(count)
    return list(await PostgresStorage(url).migrate(kinds=("pre",)))


async def spend(url: str, accounts: list[str], callers: int, seed: int) -> dict[str, int]:
    """Be a worker of that version."""
    become()
    return await worker.spend(url, accounts, callers, seed)


if __name__ == "__main__":
    tasks: dict[str, Callable[..., Coroutine[Any, Any, object]]]
    tasks = {"migrate": migrate, "spend": spend}
    answer = asyncio.run(tasks[sys.argv[1]](*json.loads(sys.argv[2])))
    sys.stdout.write(json.dumps(answer))
