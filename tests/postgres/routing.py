"""A look at every statement that the driver sends: does it name one account?"""

import re
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from unittest.mock import patch

from asyncpg import Connection
from asyncpg.connection import LoggedQuery

from aiocredits.storages.postgres.sql import statements

_TRANSACTION = re.compile(r"BEGIN|COMMIT|ROLLBACK|SAVEPOINT|RELEASE SAVEPOINT")
_SCHEMA = re.compile(r"\bpg_catalog\.|\.schema_version\b")
_OF_ONE = re.compile(r"\baccount = \$(\d+)")
_ONE_ROW = re.compile(r'INSERT INTO "\w+"\.\w+ (AS u )?\(\s*account, [^()]*\)\s*VALUES \(\s*\$1, ')
_OF_MANY = re.compile(r"\bunnest\b|account = ANY|\bWITH\b|\baccount IN\b|\),\s*\(")


@contextmanager
def only_routed(schema: str = "aiocredits") -> Generator[list[LoggedQuery]]:
    """Fail at the end unless every statement of the block was routed, but for pages of accounts."""
    sent: list[LoggedQuery] = []
    initialise: Callable[..., None] = Connection.__init__

    def watched(self: Connection, *arguments: object, **options: object) -> None:
        initialise(self, *arguments, **options)
        self.add_query_logger(sent.append)

    with patch.object(Connection, "__init__", watched):
        yield sent
    sql = statements(schema, routed=True)
    over_accounts = {sql["page_accounts"], sql["page_due_accounts"]}
    wrong = {
        query.query
        for query in sent
        if query.query not in over_accounts and not is_routed(query.query, query.args)
    }
    assert not wrong, wrong


def is_routed(sql: str, arguments: Sequence[object]) -> bool:
    """Tell whether a statement is about one account that its parameters name."""
    if _TRANSACTION.match(sql) or _SCHEMA.search(sql):
        return True
    if _OF_MANY.search(sql):
        return False
    if sql.startswith("INSERT"):
        return bool(_ONE_ROW.match(sql)) and _names(arguments, 1)
    places = {int(place) for place in _OF_ONE.findall(sql)}
    return len(places) == 1 and _names(arguments, places.pop())


def _names(arguments: Sequence[object], place: int) -> bool:
    # Of a statement that is executed for many rows, the arguments are rows.
    rows = arguments if isinstance(arguments[0], tuple) else [arguments]
    return all(isinstance(row[place - 1], str) for row in rows)  # type: ignore[index]
