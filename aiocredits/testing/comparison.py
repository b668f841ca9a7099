"""Holding what a storage says against what the reference says."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar, cast

from aiocredits._commands import Accepted, Outcome, Refused
from aiocredits._ledger import Audit, project
from aiocredits._model import EPOCH, Account, Books, Usage
from aiocredits._queries import (
    AccountsQuery,
    BooksQuery,
    EntriesQuery,
    GrantsQuery,
    HoldsQuery,
    Query,
    UsageQuery,
)
from aiocredits.storages import Storage
from aiocredits.testing.reference import Reference

Row = TypeVar("Row")

NOBODY = "nobody has ever used this account"
END_OF_TIME = datetime.max.replace(tzinfo=UTC)
ALL = 1_000_000
"""A limit that no page of a test reaches."""


class Difference(AssertionError):  # noqa: N818 - what it is, in a report of pytest
    """A storage answered something else than the ledger."""


def require_equal(what: str, found: object, expected: object) -> None:
    """Raise a `Difference` unless the two are equal, with what differs inside them."""
    if found != expected:
        raise Difference("\n".join([f"{what} differ", *_unequal("", found, expected)]))


def require_same_outcomes(
    found: Sequence[Outcome], expected: Sequence[Outcome], what: str = "outcomes"
) -> None:
    """Compare outcomes one by one: receipts as they are, refusals by type, message and numbers."""
    require_equal(f"numbers of {what}", len(found), len(expected))
    for index, (one, other) in enumerate(zip(found, expected, strict=True)):
        require_equal(f"{what}[{index}]", comparable(one), comparable(other))


def comparable(outcome: Outcome) -> object:
    """Return an outcome as something that can be compared and printed."""
    match outcome:
        case Accepted(receipt):
            return receipt
        case Refused(error):
            return type(error).__name__, str(error), vars(error)


async def require_same_books(
    storage: Storage, reference: Reference, at: datetime, *, page_size: int = 3
) -> None:
    """Compare the answers to every query, in pages of every kind, about a dozen of the accounts."""
    await _compare_accounts(storage, reference, at, page_size)
    every = max(1, len(reference.names) // 12)
    for name in (*reference.names[::every], NOBODY):
        await _compare_books(storage, reference, name, at)
        await _compare_entries(storage, reference, name, page_size)
        for open_only in (False, True):
            await _compare_grants(storage, reference, name, page_size, open_only=open_only)
            await _compare_holds(storage, reference, name, page_size, open_only=open_only)
        await _compare_usage(storage, reference, name)


async def audit(storage: Storage, name: str) -> Sequence[str]:
    """Derive an account from its entries and return every difference from what is kept."""
    proof = Audit(name)
    proof.read((await storage.read(EntriesQuery(name, limit=ALL))).rows)
    kept = (await storage.read(BooksQuery(name, EPOCH))).rows[0].account
    grants = (await storage.read(GrantsQuery(name, limit=ALL))).rows
    holds = (await storage.read(HoldsQuery(name, limit=ALL))).rows
    usage = (await storage.read(UsageQuery(name, date.min, date.max, by_day=True))).rows
    return proof.finish(kept, grants, holds, usage)


async def _compare_accounts(
    storage: Storage, reference: Reference, at: datetime, page_size: int
) -> None:
    expected = [reference.account(name) for name in reference.names]
    found = await _in_pages(
        storage, lambda last: AccountsQuery(last.name if last else "", limit=page_size), page_size
    )
    require_equal("accounts", _without_due(found), _without_due(expected))
    for account in found:
        _check_due(account, reference.next_event(account.name))
    for due_by in (EPOCH, at, _later(at, days=2), END_OF_TIME):
        await _compare_due(storage, reference, due_by, page_size)


async def _compare_due(
    storage: Storage, reference: Reference, due_by: datetime, page_size: int
) -> None:
    """Every account that has something due must be there; one may be that only had something."""
    found = await _in_pages(
        storage,
        lambda last: AccountsQuery(last.name if last else "", due_by, page_size),
        page_size,
    )
    names = [account.name for account in found]
    require_equal("names of due accounts, in their order", names, sorted(set(names)))
    require_equal(
        "due accounts",
        _without_due(found),
        _without_due(reference.account(name) for name in names),
    )
    for name in reference.names:
        event = reference.next_event(name)
        if event is not None and event <= due_by:
            require_equal(f"{name!r} is among those due by {due_by}", name in names, expected=True)
    for account in found:
        is_due = account.due_at is not None and account.due_at <= due_by
        require_equal(f"{account.name!r}, listed as due by {due_by}, is due", is_due, expected=True)


async def _compare_books(storage: Storage, reference: Reference, name: str, at: datetime) -> None:
    for instant in (EPOCH, at, _later(at, days=2), _later(at, days=4000)):
        page = await storage.read(BooksQuery(name, instant))
        require_equal(f"rows of books of {name!r}", (len(page.rows), page.more), (1, False))
        found, expected = page.rows[0], reference.books(name, instant)
        what = f"books of {name!r} at {instant}"
        _check_due(found.account, reference.next_event(name))
        # When the next hold ends needs to be known only where something is due.
        due = found.account.due_at
        if found.next_timeout is not None or (due is not None and due <= instant):
            require_equal(f"next_timeout in {what}", found.next_timeout, expected.next_timeout)
        require_equal(what, _without_order(found), _without_order(expected))
        require_equal(f"burn order in {what}", list(found.grants), list(expected.grants))
        projected = project(found, instant), project(expected, instant)
        require_equal(f"projected {what}", *map(_without_order, projected))


async def _compare_entries(
    storage: Storage, reference: Reference, name: str, page_size: int
) -> None:
    expected = reference.entries(name)
    found = await _in_pages(
        storage,
        lambda last: EntriesQuery(name, last.version if last else 0, limit=page_size),
        page_size,
    )
    require_equal(f"entries of {name!r}", found, expected)
    found = await _in_pages(
        storage,
        lambda last: EntriesQuery(name, 0, last and last.version, True, page_size),  # noqa: FBT003
        page_size,
    )
    require_equal(f"entries of {name!r}, newest first", found, expected[::-1])
    newest = len(expected)
    for after, before in ((0, 1), (1, newest), (newest // 2, newest // 2 + 2), (newest, None)):
        inside = [e for e in expected if after < e.version and e.version < (before or newest + 1)]
        for newest_first in (False, True):
            page = await storage.read(EntriesQuery(name, after, before, newest_first, ALL))
            rows = list(page.rows[::-1] if newest_first else page.rows)
            require_equal(f"entries of {name!r} in ({after}, {before})", rows, inside)


async def _compare_grants(
    storage: Storage, reference: Reference, name: str, page_size: int, *, open_only: bool
) -> None:
    found = await _in_pages(
        storage,
        lambda last: GrantsQuery(name, last.number if last else 0, open_only, page_size),
        page_size,
    )
    what = f"{'open ' if open_only else ''}grants of {name!r}"
    require_equal(what, found, reference.grants(name, open_only=open_only))


async def _compare_holds(
    storage: Storage, reference: Reference, name: str, page_size: int, *, open_only: bool
) -> None:
    found = await _in_pages(
        storage,
        lambda last: HoldsQuery(name, last.number if last else 0, open_only, page_size),
        page_size,
    )
    what = f"{'open ' if open_only else ''}holds of {name!r}"
    require_equal(what, found, reference.holds(name, open_only=open_only))


async def _compare_usage(storage: Storage, reference: Reference, name: str) -> None:
    days = sorted(
        {row.day for row in reference.usage(name, date.min, date.max, by_day=True)} or {date.min}
    )
    spans = {(date.min, date.max), (days[0], days[0]), (days[0], days[-1]), (days[-1], date.max)}
    for since, until in sorted(spans):
        for by_day in (False, True):
            what = f"usage of {name!r} from {since} to {until}{', by day' if by_day else ''}"
            page = await storage.read(UsageQuery(name, since, until, by_day))
            found = [row for row in page.rows if row.spent_micros]
            order = [(row.day, row.service or "") for row in found]
            require_equal(f"order of {what}", order, sorted(order))
            expected = reference.usage(name, since, until, by_day=by_day)
            require_equal(
                what, _sorted(found), _sorted(row for row in expected if row.spent_micros)
            )
            require_equal(f"more of {what}", page.more, expected=False)


async def _in_pages(
    storage: Storage, ask: Callable[[Row | None], Query[Row]], page_size: int
) -> list[Row]:
    """Follow the pages to their end; each but the last must be full, and say that more follows."""
    rows: list[Row] = []
    while True:
        page = await storage.read(ask(rows[-1] if rows else None))
        if page.more:
            require_equal("rows of a page with more behind it", len(page.rows), page_size)
        elif rows and not page.rows:
            raise Difference(f"more was promised behind {rows[-1]}, and nothing is there")
        rows += page.rows
        if not page.more:
            return rows


def _later(at: datetime, *, days: int) -> datetime:
    return at + min(timedelta(days=days), END_OF_TIME - at)


def _check_due(account: Account, event: datetime | None) -> None:
    if event is not None and (account.due_at is None or account.due_at > event):
        raise Difference(
            f"account {account.name!r} says that nothing is due before {account.due_at}, and "
            f"something is at {event}"
        )


def _without_due(accounts: Iterable[Account]) -> list[Account]:
    return [account._replace(due_at=None) for account in accounts]


def _without_order(books: Books) -> Books:
    return books._replace(
        account=books.account._replace(due_at=None),
        grants=dict(books.grants),
        holds=dict(books.holds),
        charges=dict(books.charges),
        next_timeout=None,
    )


def _sorted(usage: Iterable[Usage]) -> list[Usage]:
    return sorted(usage, key=lambda row: (row.day, row.service or "", str(row.unit_cost)))


def _unequal(path: str, found: object, expected: object) -> list[str]:
    """Return a line for each leaf that differs."""
    parts, others = _parts(found), _parts(expected)
    if parts is None or others is None or parts.keys() != others.keys():
        return [f"{path}: {found!r} where {expected!r} is expected"]
    return [
        line
        for name, part in parts.items()
        if part != others[name]
        for line in _unequal(path + name, part, others[name])
    ]


def _parts(value: object) -> dict[str, object] | None:
    """Return what a value is made of, by what leads there; None for a leaf."""
    whole = cast("Any", value)
    if hasattr(value, "_fields"):
        return {f".{field}": getattr(value, field) for field in whole._fields}
    if isinstance(value, dict):
        return {f"[{key!r}]": part for key, part in whole.items()}
    if isinstance(value, list | tuple):
        return {f"[{index}]": part for index, part in enumerate(whole)}
    return None
