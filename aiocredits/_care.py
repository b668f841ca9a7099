"""The care of all accounts: writing down what is due, and proving the books."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import date, datetime
from typing import NamedTuple, TypeVar

from aiocredits._commands import Command, Settle
from aiocredits._ledger import Audit
from aiocredits._model import Account, Books, Grant, Hold
from aiocredits._names import CREDITS, account_name, new_key
from aiocredits._opening import Opening
from aiocredits._queries import (
    AccountsQuery,
    BooksQuery,
    EntriesQuery,
    GrantsQuery,
    HoldsQuery,
    OpeningQuery,
    Page,
    Query,
    UsageQuery,
)
from aiocredits._receipt import Receipt
from aiocredits.types import UserId

Row = TypeVar("Row")

PAGE = 500
AT_ONCE = 64
ATTEMPTS = 5


class Maintenance(NamedTuple):
    """What `run_maintenance` did."""

    accounts: int
    """How many accounts had something due."""


class Problem(NamedTuple):
    """A difference between an account's entries and what is kept of it."""

    user_id: str
    unit: str
    text: str


class Verification(NamedTuple):
    """What `verify` found."""

    accounts: int
    entries: int
    problems: tuple[Problem, ...]
    busy: tuple[str, ...] = ()
    """Users whose accounts changed faster than they could be compared: verify them again later."""

    @property
    def ok(self) -> bool:
        """Whether every account was compared, and no difference was found."""
        return not self.problems and not self.busy


class CareVerbs(ABC):
    """What an operator asks for, over whatever takes commands and answers queries."""

    @abstractmethod
    async def submit(self, command: Command) -> Receipt:
        """Return the receipt of `command`, or raise why it was refused."""

    @abstractmethod
    async def _read(self, query: Query[Row]) -> Page[Row]:
        """Return one page of an answer."""

    @abstractmethod
    def _now(self) -> datetime:
        """Return the present, in UTC."""

    async def run_maintenance(self) -> Maintenance:
        """Write down every expiry and timeout that is due; no answer depends on it.

        It keeps the tables tidy. Call it from any scheduler, from as many processes as you like.
        """
        count, due = 0, self._accounts(self._now())
        async for accounts in due:
            try:
                async with asyncio.TaskGroup() as tasks:
                    for account in accounts:
                        tasks.create_task(self.submit(Settle(account.name, new_key())))
            except ExceptionGroup as failures:  # of one storage, and so all alike
                raise failures.exceptions[0] from failures
            count += len(accounts)
        return Maintenance(count)

    async def verify(self, user_id: UserId | None = None, *, unit: str = CREDITS) -> Verification:
        """Derive the books of one user, or of all, from their entries, and compare.

        It reads the whole history, page by page, while the books stay in use.
        """
        found = _Findings()
        if user_id is not None:
            await self._audit(account_name(user_id, unit), found)
        else:
            async for accounts in self._accounts():
                for account in accounts:
                    await self._audit(account.name, found)
        return found.verification()

    async def _accounts(self, due_by: datetime | None = None) -> AsyncIterator[Sequence[Account]]:
        after, more = "", True
        while more:
            page = await self._read(AccountsQuery(after, due_by, AT_ONCE))
            if page.rows:
                yield page.rows
                after = page.rows[-1].name
            more = page.more

    async def _audit(self, name: str, found: "_Findings") -> None:
        """Compare an account while nobody writes to it; start the comparison again if one did."""
        problems: Sequence[str] | None = None
        audit = Audit(name, await self._opening(name))
        for _ in range(ATTEMPTS):
            problems = await self._compared(audit)
            if problems is not None and not problems:
                break
            opening = await self._opening(name)
            if opening != audit.opening:  # entries were put away while they were read
                audit, problems = Audit(name, opening), None
            elif problems is not None:
                break
        if problems is None:
            found.busy.append(audit.draft.account.user_id)
        found.accounts += 1
        found.entries += audit.draft.account.version - audit.opening.account.version
        found.add(audit.draft.account, problems or ())

    async def _compared(self, audit: Audit) -> Sequence[str] | None:
        """Return every difference, or None if the account has moved on in between."""
        name = audit.draft.account.name
        version = await self._read_on(audit)
        grants, holds = await self._all_grants(name), await self._all_holds(name)
        usage = await self._read(UsageQuery(name, date.min, date.max, by_day=True))
        books = await self._kept(name)
        if books.account.version != version:
            return None
        audit.compare_debts(books.charges)
        return audit.finish(books.account, grants, holds, usage.rows)

    async def _opening(self, name: str) -> Opening:
        page = await self._read(OpeningQuery(name))
        return page.rows[0] if page.rows else Opening(Account(name))

    async def _read_on(self, audit: Audit) -> int:
        while True:
            after = audit.draft.account.version
            page = await self._read(EntriesQuery(audit.draft.account.name, after, limit=PAGE))
            audit.read(page.rows)
            if not page.more:
                return audit.draft.account.version

    async def _kept(self, name: str) -> Books:
        # Asked for an instant long past, so that nothing is due and the account is as it is kept.
        page = await self._read(BooksQuery(name, datetime.min.replace(tzinfo=self._now().tzinfo)))
        return page.rows[0]

    async def _all_grants(self, name: str) -> Sequence[Grant]:
        return await self._all(lambda after: GrantsQuery(name, after, limit=PAGE))

    async def _all_holds(self, name: str) -> Sequence[Hold]:
        return await self._all(lambda after: HoldsQuery(name, after, limit=PAGE))

    async def _all(self, ask: Callable[[int], Query[Row]]) -> list[Row]:
        rows: list[Row] = []
        after, more = 0, True
        while more:
            page = await self._read(ask(after))
            rows += page.rows
            more = page.more
            after = getattr(page.rows[-1], "number", after) if page.rows else after
        return rows


class _Findings:
    def __init__(self) -> None:
        self.accounts = 0
        self.entries = 0
        self.busy: list[str] = []
        self._problems: list[Problem] = []

    def add(self, account: Account, problems: Sequence[str]) -> None:
        self._problems += [Problem(account.user_id, account.unit, text) for text in problems]

    def verification(self) -> Verification:
        return Verification(self.accounts, self.entries, tuple(self._problems), tuple(self.busy))
