"""The verbs that read: balances, status, and the pages behind them."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import NoReturn, TypeVar
from zoneinfo import ZoneInfo

from aiocredits._amounts import to_micros
from aiocredits._checks import check_instant, check_member
from aiocredits._ledger import project, spendable
from aiocredits._model import Books, Entry, Grant, Hold
from aiocredits._names import CREDITS, Reference, account_name, make_id, parse_id, split_account
from aiocredits._past import Past
from aiocredits._queries import (
    BooksQuery,
    EntriesQuery,
    GrantsQuery,
    HoldsQuery,
    Page,
    Query,
    UsageQuery,
)
from aiocredits._status import FORECAST_DAYS, Balance, CreditStatus, status_of
from aiocredits.errors import NotFoundError
from aiocredits.types import Amount, UserId

Row = TypeVar("Row")

PAGE = 500


class ReadVerbs(ABC):
    """Every read, over whatever answers queries."""

    credit_price: Decimal
    """What a credit costs, in money, where its grant does not say."""

    @abstractmethod
    async def _read(self, query: Query[Row]) -> Page[Row]:
        """Return one page of an answer."""

    @abstractmethod
    def _now(self) -> datetime:
        """Return the present, in UTC."""

    async def get_user_balance(
        self, user_id: UserId, *, service: str | None = None, unit: str = CREDITS
    ) -> Decimal:
        """Return what the user can spend now, in all or for one `service`; 0 for a new user."""
        return (await self.get_balance(user_id, service=service, unit=unit)).available

    async def get_balance(
        self,
        user_id: UserId,
        *,
        service: str | None = None,
        unit: str = CREDITS,
        at: datetime | None = None,
    ) -> Balance:
        """Return what is available, held and owed: now, or at any instant in the past or future.

        For one `service` it counts the grants that may pay for it. A past instant costs a few
        look-ups; together with a `service` it reads the history up to then. Raises
        `EntriesDetachedError` for an instant whose entries have been detached.
        """
        account = account_name(user_id, unit)
        check_member("service", service)
        instant = check_instant("at", at)
        books = await self._books(account, instant or self._now())
        # The present is never the past, even for a clock that is behind the account's time.
        if instant is not None and instant < books.account.at:
            past = Past(self._read, account, books.account.version)
            return await past.balance(instant, service)
        return Balance.of(books, service)

    async def can_afford(
        self, user_id: UserId, credits: Amount, *, service: str | None = None, unit: str = CREDITS
    ) -> bool:
        """Tell whether `consume_credits` with these arguments would succeed now.

        It only informs: only the charge itself can know, so nothing should rely on it.
        """
        needed = to_micros(credits)
        books = await self._books(account_name(user_id, unit), self._now())
        check_member("service", service)
        return books.account.status == "open" and spendable(books.grants, service) >= needed

    async def get_user_credit_status(self, user_id: UserId, *, unit: str = CREDITS) -> CreditStatus:
        """Return balance, this month's spending, grants and forecast.

        ``status.balance`` and ``status["balance"]`` both work. It is as fast after a million
        entries as after one.
        """
        account, now = account_name(user_id, unit), self._now()
        books = await self._books(account, now)
        today = now.astimezone(ZoneInfo(books.account.time_zone)).date()
        month = await self._read(UsageQuery(account, today.replace(day=1), _last_day(today)))
        since = today - timedelta(days=FORECAST_DAYS - 1)
        recent = await self._read(UsageQuery(account, since, today))
        return status_of(
            books,
            month.rows,
            recent.rows,
            credit_price=self.credit_price,
            at=now,
            month_name=f"{today:%Y-%m}",
        )

    async def entries(
        self,
        user_id: UserId,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        newest_first: bool = False,
        unit: str = CREDITS,
    ) -> AsyncIterator[Entry]:
        """Yield the account's entries, dated in [since, until); pages are fetched as they are used.

        An entry's `version` is its number, without gaps, and each has the balance after it.
        """
        account = account_name(user_id, unit)
        start = check_instant("since", since)
        end = check_instant("until", until)
        version = (await self._books(account, self._now())).account.version
        past = Past(self._read, account, version)
        after = await past.last_before(start) if start else 0
        # What is written while this runs comes along, unless an end was asked for.
        before = await past.last_before(end) + 1 if end else None
        while True:
            page = await self._read(EntriesQuery(account, after, before, newest_first, PAGE))
            for entry in page.rows:
                yield entry
            if not page.more:
                return
            if newest_first:
                before = page.rows[-1].version
            else:
                after = page.rows[-1].version

    def grants(
        self, user_id: UserId, *, open_only: bool = False, unit: str = CREDITS
    ) -> AsyncIterator[Grant]:
        """Yield the account's grants in order of their making, as they are kept."""
        account = account_name(user_id, unit)
        return self._numbered(lambda after: GrantsQuery(account, after, open_only, PAGE))

    def holds(
        self, user_id: UserId, *, open_only: bool = False, unit: str = CREDITS
    ) -> AsyncIterator[Hold]:
        """Yield the account's holds in order of their making, as they are kept."""
        account = account_name(user_id, unit)
        return self._numbered(lambda after: HoldsQuery(account, after, open_only, PAGE))

    async def get_grant(self, grant_id: str) -> Grant:
        """Return one grant, or raise `NotFoundError`."""
        named = parse_id(grant_id)
        return await self._one(
            "grant", GrantsQuery(named.account, named.number - 1, limit=1), named
        )

    async def get_hold(self, hold_id: str) -> Hold:
        """Return one hold, or raise `NotFoundError`."""
        named = parse_id(hold_id)
        return await self._one("hold", HoldsQuery(named.account, named.number - 1, limit=1), named)

    async def get_entry(self, entry_id: str) -> Entry:
        """Return one entry by its id, as a receipt gives it, or raise `NotFoundError`."""
        named = parse_id(entry_id)
        query = EntriesQuery(named.account, named.number - 1, named.number + 1, limit=1)
        page = await self._read(query)
        return page.rows[0] if page.rows else _missing("entry", named)

    async def _books(self, account: str, at: datetime) -> Books:
        page = await self._read(BooksQuery(account, at))
        return project(page.rows[0], at)

    async def _one(self, noun: str, query: Query[Row], named: Reference) -> Row:
        page = await self._read(query)
        for row in page.rows:
            if getattr(row, "number", None) == named.number:
                return row
        return _missing(noun, named)

    async def _numbered(self, ask: Callable[[int], Query[Row]]) -> AsyncIterator[Row]:
        after = 0
        while True:
            page = await self._read(ask(after))
            for row in page.rows:
                yield row
            if not page.more:
                return
            after = getattr(page.rows[-1], "number", after)


def _missing(noun: str, named: Reference) -> NoReturn:
    user_id, unit = split_account(named.account)
    name = make_id(named.account, named.number)
    raise NotFoundError(user_id=user_id, unit=unit, noun=noun, id=name)


def _last_day(day: date) -> date:
    first_of_next = (day.replace(day=28) + timedelta(days=4)).replace(day=1)
    return first_of_next - timedelta(days=1)
