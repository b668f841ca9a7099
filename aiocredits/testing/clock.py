"""A clock that stands still until a test moves it."""

from datetime import UTC, datetime, timedelta

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)


class ManualClock:
    """A clock for ``CreditClient(clock=...)`` whose hands only a test moves.

        clock = ManualClock()
        async with CreditClient("memory://", clock=clock) as client:
            await client.add_credits("alice", 5, expires_at=clock() + timedelta(days=30))
            clock.advance(days=30)
            assert await client.get_user_balance("alice") == 0

    It begins on 1 January 2026, in UTC, unless `now` says otherwise.
    """

    def __init__(self, now: datetime = BEGINNING) -> None:
        self._now = _aware(now)

    def __call__(self) -> datetime:
        """Return the instant that the clock shows."""
        return self._now

    def advance(
        self,
        by: timedelta = timedelta(0),
        *,
        days: float = 0,
        hours: float = 0,
        minutes: float = 0,
        seconds: float = 0,
    ) -> datetime:
        """Move the clock, backwards where the sum is negative, and return what it shows then."""
        self._now += by + timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
        return self._now

    def set(self, now: datetime) -> None:
        """Let the clock show `now`."""
        self._now = _aware(now)


def _aware(instant: datetime) -> datetime:
    if instant.utcoffset() is None:
        raise ValueError(f"{instant!r} has no time zone: write datetime(…, tzinfo=UTC)")
    return instant.astimezone(UTC)
