"""The clock that tests move."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from aiocredits import CreditClient
from aiocredits.testing import ManualClock


def test_it_stands_still_until_it_is_moved() -> None:
    clock = ManualClock()
    assert clock() == clock() == datetime(2026, 1, 1, tzinfo=UTC)
    assert clock.advance(days=1, hours=2, minutes=3, seconds=4) == clock()
    assert clock() == datetime(2026, 1, 2, 2, 3, 4, tzinfo=UTC)
    clock.advance(timedelta(days=-1))
    assert clock() == datetime(2026, 1, 1, 2, 3, 4, tzinfo=UTC)
    clock.set(datetime(2030, 1, 1, 1, tzinfo=timezone(timedelta(hours=1))))
    assert clock() == datetime(2030, 1, 1, tzinfo=UTC)


def test_it_shows_no_time_without_a_zone() -> None:
    with pytest.raises(ValueError, match="has no time zone"):
        ManualClock(datetime(2026, 1, 1))  # noqa: DTZ001 - what is refused
    with pytest.raises(ValueError, match="has no time zone"):
        ManualClock().set(datetime(2026, 1, 1))  # noqa: DTZ001 - as above


async def test_a_client_lives_by_it() -> None:
    clock = ManualClock()
    async with CreditClient("memory://", clock=clock) as client:
        await client.add_credits("alice", 5, expires_at=clock() + timedelta(days=30))
        clock.advance(days=30, seconds=-1)
        assert await client.get_user_balance("alice") == 5
        clock.advance(seconds=1)
        assert await client.get_user_balance("alice") == 0
