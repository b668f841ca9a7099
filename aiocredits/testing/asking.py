"""Opening storages, and asking them for all that they have."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import date
from typing import TypeAlias

from aiocredits._commands import Accepted, Outcome
from aiocredits._model import Books
from aiocredits._queries import (
    AccountsQuery,
    BooksQuery,
    EntriesQuery,
    GrantsQuery,
    HoldsQuery,
    UsageQuery,
)
from aiocredits._receipt import Receipt
from aiocredits.storages import Storage
from aiocredits.testing.clock import BEGINNING
from aiocredits.testing.comparison import ALL

Connect: TypeAlias = Callable[[], Storage]


@asynccontextmanager
async def opened(*storages: Storage) -> AsyncGenerator[None]:
    """Open storages, and close them whatever happens."""
    try:
        for storage in storages:
            await storage.open()
        yield
    finally:
        for storage in storages:
            await storage.close()


async def books_of(storage: Storage, name: str) -> Books:
    """Return an account's books as a reader sees them."""
    return (await storage.read(BooksQuery(name, BEGINNING))).rows[0]


async def version_of(storage: Storage, name: str) -> int:
    """Return the number of an account's last entry."""
    return (await books_of(storage, name)).account.version


async def everything_of(storage: Storage, name: str) -> Sequence[object]:
    """Return the answers to every query about an account."""
    return [
        await storage.read(AccountsQuery(limit=ALL)),
        await storage.read(BooksQuery(name, BEGINNING)),
        await storage.read(EntriesQuery(name, limit=ALL)),
        await storage.read(GrantsQuery(name, limit=ALL)),
        await storage.read(HoldsQuery(name, limit=ALL)),
        await storage.read(UsageQuery(name, date.min, date.max, by_day=True)),
    ]


def receipt_of(outcome: Outcome) -> Receipt:
    """Return the receipt of what has to have been accepted."""
    assert isinstance(outcome, Accepted), outcome  # noqa: S101 - it is how a test speaks
    return outcome.receipt


def replayed_of(outcome: Outcome) -> Outcome:
    """Return what the same command is answered when it comes again."""
    receipt = receipt_of(outcome)
    linked = tuple(member._replace(replayed=True) for member in receipt.linked)
    return Accepted(receipt._replace(replayed=True, linked=linked))
