"""The past of one account, as its entries tell it: it begins where they begin."""

from datetime import datetime
from decimal import Decimal
from typing import Protocol, TypeVar

from aiocredits._ledger import Audit
from aiocredits._model import Books, Entry
from aiocredits._names import split_account
from aiocredits._opening import Opening
from aiocredits._queries import EntriesQuery, OpeningQuery, Page, Query
from aiocredits._status import Balance
from aiocredits.errors import EntriesDetachedError

Row = TypeVar("Row")

PAGE = 500


class Read(Protocol):
    """Whoever answers queries."""

    async def __call__(self, query: Query[Row]) -> Page[Row]:
        """Return one page of an answer."""
        ...


class Past:
    """Looks back from the account's `newest` entry."""

    def __init__(self, read: Read, account: str, newest: int) -> None:
        self._read = read
        self._account = account
        self._newest = newest

    async def balance(self, instant: datetime, service: str | None) -> Balance:
        """Return the balance at `instant`, or raise `EntriesDetachedError`.

        Credits begin, expire and are freed by entries dated at their instants, so that between two
        entries nothing changes.
        """
        beginning = await self._beginning()
        last = await self._last(beginning, instant, inclusive=True)
        if beginning and last == beginning:
            return Balance.of((await self._opened(beginning, instant)).books, service)
        if service is not None:
            return Balance.of(await self._books_after(beginning, last), service)
        if not last:
            return Balance(Decimal(0), Decimal(0), Decimal(0), 0)
        entry = await self._entry(last)
        return Balance(entry.available, entry.held, entry.overdraft, entry.version)

    async def last_before(self, instant: datetime) -> int:
        """Return the last version dated before `instant`."""
        return await self._last(await self._beginning(), instant)

    async def _last(self, beginning: int, instant: datetime, *, inclusive: bool = False) -> int:
        """Return the last version dated before `instant`; entries are dated in their order.

        Bisecting needs no index over time, which every charge would have to write.
        """
        low, high = beginning, self._newest
        while low < high:
            middle = (low + high + 1) // 2
            at = (await self._entry(middle)).at
            if at < instant or (inclusive and at == instant):
                low = middle
            else:
                high = middle - 1
        return low

    async def _beginning(self) -> int:
        """Return the version before the first entry that is there."""
        page = await self._read(EntriesQuery(self._account, limit=1))
        return page.rows[0].version - 1 if page.rows else self._newest

    async def _entry(self, version: int) -> Entry:
        page = await self._read(EntriesQuery(self._account, version - 1, version + 1, limit=1))
        if not page.rows:  # detached just now
            raise await self._detached(await self._beginning())
        return page.rows[0]

    async def _opening(self) -> Opening | None:
        page = await self._read(OpeningQuery(self._account))
        return page.rows[0] if page.rows else None

    async def _opened(self, beginning: int, instant: datetime) -> Opening:
        """Return the opening before the first entry, if it held at `instant` already."""
        opening = await self._opening()
        if not opening or opening.account.version != beginning or instant < opening.account.at:
            raise await self._detached(beginning)
        return opening

    async def _books_after(self, beginning: int, version: int) -> Books:
        opening = await self._opening()
        if opening is not None and opening.account.version > version:
            opening = None
        if opening is None and beginning:
            raise await self._detached(beginning)
        audit = Audit(self._account, opening)
        after = audit.draft.account.version
        while after < version:
            page = await self._read(EntriesQuery(self._account, after, version + 1, limit=PAGE))
            if not page.rows:  # detached just now
                raise await self._detached(await self._beginning())
            audit.read(page.rows)
            after = page.rows[-1].version
        return audit.draft.books()

    async def _detached(self, beginning: int) -> EntriesDetachedError:
        opening = await self._opening()
        if opening is not None and opening.account.version >= beginning:
            since = opening.account.at
        else:
            since = (await self._entry(beginning + 1)).at
        user_id, unit = split_account(self._account)
        return EntriesDetachedError(user_id=user_id, unit=unit, since=since)
