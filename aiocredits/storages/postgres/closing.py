"""Closing the books of accounts up to an instant, each on its own, so that it can be resumed."""

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import date, datetime
from typing import NamedTuple, TypeVar

from aiocredits._ledger import Audit, Standing, closed, dump_opening
from aiocredits._model import Account, Entry, Usage
from aiocredits._names import split_account
from aiocredits._opening import Opening
from aiocredits._queries import (
    EntriesQuery,
    GrantsQuery,
    HoldsQuery,
    OpeningQuery,
    Query,
    UsageQuery,
)
from aiocredits.errors import ContentionError, EntriesDifferError
from aiocredits.storages.postgres import rows
from aiocredits.storages.postgres.connecting import Driver
from aiocredits.storages.postgres.reading import answer
from aiocredits.storages.postgres.sql import of_partitions, statements

Row = TypeVar("Row")

_PAGE = 500
_ACCOUNTS = 100
_ATTEMPTS = 10


class _Closed(NamedTuple):
    opening: Opening
    seen: int
    """The last version that was read."""


class Closing:
    """Closes books up to `until`, which is the end of a partition."""

    def __init__(self, connection: Driver, schema: str, until: datetime) -> None:
        self._connection = connection
        self._schema = schema
        self._sql: Mapping[str, str] = statements(schema)
        self._until = until

    async def close_all(self) -> None:
        """Close every account that is not closed yet, or raise `EntriesDifferError`."""
        after = ""
        while names := await self._column("accounts_to_close", after, self._until, _ACCOUNTS):
            await self.close(names)
            after = names[-1]

    async def close(self, names: Sequence[str]) -> None:
        """Close some accounts, whether they have been closed before or not."""
        for name in names:
            await self._close(name)

    async def _close(self, name: str) -> None:
        for _ in range(_ATTEMPTS):
            # One snapshot of all that is compared, however long it takes.
            async with self._connection.transaction(isolation="repeatable_read", readonly=True):
                found = await self._proved(name)
            if found is None:
                await self._execute("keep_opening", name, self._until)
                return
            if await self._put(found):
                return
        raise ContentionError(
            f"old charges of account {name!r} were refunded again and again while its books were "
            "closed: try again"
        )

    async def _proved(self, name: str) -> _Closed | None:
        """Return the opening at the last entry before `until`, None if there is none to close."""
        page = await answer(self._connection, self._sql, OpeningQuery(name), inside=True)
        opening: Opening | None = page.rows[0] if page.rows else None
        charges = {int(number) for number in await self._column("charge_numbers", name)}
        audit = Audit(name, opening, charges=charges)
        standing = await self._read_through(audit)
        if standing is None:
            return None
        usage = await self._compare(audit)
        if audit.problems:
            user_id, unit = split_account(name)
            raise EntriesDifferError(user_id=user_id, unit=unit, problems=audit.problems)
        return _Closed(closed(standing, audit, usage), audit.draft.account.version)

    async def _read_through(self, audit: Audit) -> Standing | None:
        """Read all entries, and return how the books stood at `until`."""
        first, standing = audit.draft.account.version, None
        async for entries in self._pages(audit):
            before = [entry for entry in entries if entry.at < self._until]
            audit.read(before)
            if len(before) < len(entries):
                if audit.draft.account.version == first:
                    return None
                standing = standing or audit.standing()
                audit.read(entries[len(before) :])
        if audit.draft.account.version == first:
            return None
        return standing or audit.standing()

    async def _pages(self, audit: Audit) -> AsyncIterator[Sequence[Entry]]:
        more = True
        while more:
            account = audit.draft.account
            query = EntriesQuery(account.name, account.version, limit=_PAGE)
            page = await answer(self._connection, self._sql, query, inside=True)
            more = page.more
            if page.rows:
                yield page.rows

    async def _compare(self, audit: Audit) -> Sequence[Usage]:
        """Hold all that is kept of the account against what its entries add up to."""
        name = audit.draft.account.name
        fetch, sql = self._connection.fetch, self._sql
        (account,) = [rows.load_account(row) for row in await fetch(sql["accounts"], [name])]
        owing = [rows.load_charge(row) for row in await fetch(sql["owing_charges"], [name])]
        grants = await self._all(lambda after: GrantsQuery(name, after, limit=_PAGE))
        holds = await self._all(lambda after: HoldsQuery(name, after, limit=_PAGE))
        days = UsageQuery(name, date.min, date.max, by_day=True)
        usage = (await answer(self._connection, self._sql, days, inside=True)).rows
        audit.compare_debts({charge.number: charge for charge in owing})
        audit.finish(account, grants, holds, usage)
        return usage

    async def _all(self, ask: Callable[[int], Query[Row]]) -> list[Row]:
        found: list[Row] = []
        after, more = 0, True
        while more:
            page = await answer(self._connection, self._sql, ask(after), inside=True)
            found += page.rows
            more = page.more
            after = page.rows[-1].number if page.rows else after
        return found

    async def _put(self, found: _Closed) -> bool:
        """Write an opening, unless an old charge that is not in it has just been refunded."""
        account: Account = found.opening.account
        async with self._connection.transaction(isolation="read_committed"):
            await self._execute("touch_account", account.name)
            crossing = of_partitions("refunds_across", self._schema)
            name, version = account.name, account.version
            if await self._connection.fetchval(crossing, name, found.seen, version):
                return False
            state = json.dumps(dump_opening(found.opening), ensure_ascii=False)
            await self._execute("put_opening", name, version, self._until, state)
        return True

    async def _column(self, statement: str, *parameters: object) -> list[str]:
        sql = of_partitions(statement, self._schema)
        return [row[0] for row in await self._connection.fetch(sql, *parameters)]

    async def _execute(self, statement: str, *parameters: object) -> None:
        await self._connection.execute(of_partitions(statement, self._schema), *parameters)
