"""Answering queries, each from one snapshot."""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from asyncpg import Record

from aiocredits._ledger import Scope, carried_over, load_opening, suffices
from aiocredits._model import Account, Books, Grant, Hold
from aiocredits._opening import Opening
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
from aiocredits.storages.postgres import rows
from aiocredits.storages.postgres.connecting import Driver
from aiocredits.storages.postgres.pocket import current, load_pocket, open_holds
from aiocredits.storages.postgres.unit import Unit

T = TypeVar("T")

_NO_END = 2**63 - 1


async def answer(
    connection: Driver,
    sql: Mapping[str, str],
    query: object,
    *,
    inside: bool = False,
    unit: type[Unit] = Unit,
) -> Page[Any]:
    """Return one page; `inside` a transaction of the caller's, what that one sees."""
    match query:
        case BooksQuery():
            reader = unit(connection, sql, lock=False)
            return Page((await _books(connection, reader, query, inside=inside),))
        case EntriesQuery(account=name, after=after, limit=limit):
            page = "page_entries_newest_first" if query.newest_first else "page_entries"
            before = _NO_END if query.before is None else query.before
            parameters = (name, after, before)
            return await _page(connection, sql[page], limit, parameters, rows.load_entry)
        case GrantsQuery(account=name, after=after, limit=limit):
            page = "page_open_grants" if query.open_only else "page_grants"
            return await _page(connection, sql[page], limit, (name, after), _grant)
        case HoldsQuery(account=name, after=after, limit=limit):
            page = "page_open_holds" if query.open_only else "page_holds"
            found = await connection.fetch(sql[page], limit + 1, name, after)
            return _cut(_holds(query, found), limit)
        case UsageQuery(account=name, since=since, until=until):
            usage = sql["usage_by_day" if query.by_day else "usage"]
            found = await connection.fetch(usage, name, since, until)
            return Page(tuple(rows.load_usage(row) for row in found))
        case AccountsQuery(after=after, due_by=due_by, limit=limit):
            page = "page_due_accounts" if due_by else "page_accounts"
            due = (after, due_by) if due_by else (after,)
            return await _page(connection, sql[page], limit, due, rows.load_account)
        case OpeningQuery(account=name):
            found = await connection.fetch(sql["opening"], name)
            return Page(tuple(_opening(name, *row) for row in found))
        case _:
            raise TypeError(f"{query!r} is not a query")


def _opening(name: str, version: int, state: str) -> Opening:
    with suppress(LookupError, TypeError, ValueError):
        opening = load_opening(json.loads(state))
        if opening.account[:2] == (name, version):
            return opening
    return Opening(Account(name, version))  # without a seal: nobody wrote this one


async def _books(connection: Driver, unit: Unit, query: BooksQuery, *, inside: bool) -> Books:
    found = (await unit.look_up((), (query.account,))).get(query.account)
    if found is None:
        return Books(Account(query.account))
    if suffices(found, query.at) and (books := carried_over(found)) is not None:
        return books
    # Something is due or owed, and takes more than the one statement whose snapshot that was.
    scope = Scope((query.account,))
    if inside:
        state = await unit.load(scope, query.at)
    else:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            state = await unit.load(scope, query.at)
    return state.books.get(query.account) or Books(Account(query.account))


async def _page(
    connection: Driver,
    sql: str,
    limit: int,
    parameters: tuple[object, ...],
    load: Callable[[Record], T],
) -> Page[T]:
    """Return at most `limit` rows; the statement asks for one more, to know if there are more."""
    return _cut([load(row) for row in await connection.fetch(sql, limit + 1, *parameters)], limit)


def _cut(found: list[T], limit: int) -> Page[T]:
    return Page(tuple(found[:limit]), more=len(found) > limit)


def _grant(row: Record) -> Grant:
    return current(rows.load_grant(row), load_pocket(row[16]))


def _holds(query: HoldsQuery, found: Sequence[Record]) -> list[Hold]:
    """Return holds that have rows, and those in the pocket, in one order."""
    if not found:
        return []
    holds = [rows.load_hold(row[1:]) for row in found if row[1] is not None]
    inside = open_holds(query.account, load_pocket(found[0][0])).values()
    holds += [hold for hold in inside if hold.number > query.after]
    return sorted(holds, key=lambda hold: hold.number)
