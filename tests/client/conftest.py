"""A client over books in memory, and the time it lives in."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from aiocredits import CreditClient
from aiocredits.storages.memory import MemoryStorage

START = datetime(2026, 3, 10, 12, tzinfo=UTC)


class Time:
    """A clock that a test sets."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, **parts: float) -> None:
        self.now += timedelta(**parts)


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def storage() -> MemoryStorage:
    return MemoryStorage()


@pytest.fixture
async def client(storage: MemoryStorage, time: Time) -> AsyncIterator[CreditClient]:
    """Yield a client; whatever the test did with it, the books are in order afterwards."""
    async with CreditClient(storage, clock=time, credit_price="0.02") as client:
        yield client
    async with CreditClient(storage, clock=time) as auditor:
        assert (await auditor.verify()).problems == ()
