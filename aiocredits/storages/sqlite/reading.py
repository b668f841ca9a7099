"""Answering queries, on a reader's thread and from one snapshot."""

import sqlite3
from collections.abc import Callable
from typing import TypeVar

from aiocredits._ledger import Scope
from aiocredits._model import Account, Books
from aiocredits._queries import (
    AccountsQuery,
    BooksQuery,
    EntriesQuery,
    GrantsQuery,
    HoldsQuery,
    OpeningQuery,
    Page,
    UsageQuery,
)
from aiocredits.storages.sqlite import rows
from aiocredits.storages.sqlite.unit import SQL, Unit

T = TypeVar("T")

_NO_END = 2**63 - 1


def answer(connection: sqlite3.Connection, query: object) -> Page[object]:
    """Return one page."""
    match query:
        case BooksQuery(account=name, at=at):
            connection.execute("BEGIN")
            try:
                state = Unit(connection).load(Scope((name,)), at)
            finally:
                connection.execute("ROLLBACK")
            return Page((state.books.get(name) or Books(Account(name)),))
        case EntriesQuery(account=name, after=after, limit=limit):
            sql = SQL["page_entries_newest_first" if query.newest_first else "page_entries"]
            before = _NO_END if query.before is None else query.before
            return _page(connection, sql, limit, (name, after, before), rows.load_entry)
        case GrantsQuery(account=name, after=after, limit=limit):
            sql = SQL["page_open_grants" if query.open_only else "page_grants"]
            return _page(connection, sql, limit, (name, after), rows.load_grant)
        case HoldsQuery(account=name, after=after, limit=limit):
            sql = SQL["page_open_holds" if query.open_only else "page_holds"]
            return _page(connection, sql, limit, (name, after), rows.load_hold)
        case UsageQuery(account=name, since=since, until=until):
            sql = SQL["usage_by_day" if query.by_day else "usage"]
            days = (since.isoformat(), until.isoformat())
            usage = connection.execute(sql, (name, *days))
            return Page(tuple(rows.load_usage(row) for row in usage))
        case AccountsQuery(after=after, limit=limit):
            if query.due_by is None:
                return _page(connection, SQL["page_accounts"], limit, (after,), rows.load_account)
            due = (after, rows.to_time(query.due_by))
            return _page(connection, SQL["page_due_accounts"], limit, due, rows.load_account)
        case OpeningQuery():
            return Page(())
        case _:
            raise TypeError(f"{query!r} is not a query")


def _page(
    connection: sqlite3.Connection,
    sql: str,
    limit: int,
    parameters: tuple[object, ...],
    load: Callable[[rows.Values], T],
) -> Page[object]:
    """Return at most `limit` rows; the statement asks for one more, to know if there are more."""
    found = [load(row) for row in connection.execute(sql, (limit + 1, *parameters))]
    return Page(tuple(found[:limit]), more=len(found) > limit)
