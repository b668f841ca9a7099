"""What can be read. Every answer comes in pages, so that none grows with history."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Generic, NamedTuple, TypeVar

from aiocredits._model import Account, Books, Entry, Grant, Hold, Usage
from aiocredits._opening import Opening

Row = TypeVar("Row")

PAGE = 100


class Page(NamedTuple, Generic[Row]):
    """Some rows of an answer."""

    rows: tuple[Row, ...]
    more: bool = False
    """Whether there are rows behind these; ask again from the last one."""


class Query(Generic[Row]):
    """A question whose answer has rows of one type."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class BooksQuery(Query[Books]):
    """One account as `load` gives it for a charge at `at`: one row, also for an unknown account."""

    account: str
    at: datetime


@dataclass(frozen=True, slots=True)
class EntriesQuery(Query[Entry]):
    """Entries whose version is in the open interval (`after`, `before`), by version."""

    account: str
    after: int = 0
    before: int | None = None
    newest_first: bool = False
    limit: int = PAGE


@dataclass(frozen=True, slots=True)
class GrantsQuery(Query[Grant]):
    """Grants with a number above `after`, by number."""

    account: str
    after: int = 0
    open_only: bool = False
    limit: int = PAGE


@dataclass(frozen=True, slots=True)
class HoldsQuery(Query[Hold]):
    """Holds with a number above `after`, by number."""

    account: str
    after: int = 0
    open_only: bool = False
    limit: int = PAGE


@dataclass(frozen=True, slots=True)
class UsageQuery(Query[Usage]):
    """What was spent from day `since` to day `until`, both inclusive, in the account's time zone.

    One row for each service and unit cost, dated `since`; with `by_day`, one for each day as well.
    The rows are few by nature and come as one page, ordered by day, service and unit cost.
    """

    account: str
    since: date
    until: date
    by_day: bool = False


@dataclass(frozen=True, slots=True)
class AccountsQuery(Query[Account]):
    """Accounts with a name above `after`, by name; with `due_by`, those with something due."""

    after: str = ""
    due_by: datetime | None = None
    limit: int = PAGE


@dataclass(frozen=True, slots=True)
class OpeningQuery(Query[Opening]):
    """Where the entries of an account may be read from: one row, or none to read all of them.

    Storages that never part with an entry have none.
    """

    account: str
