"""The verbs that read: balances now and then, status, pages."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from aiocredits import CreditClient
from aiocredits._reads import PAGE
from tests.client.conftest import START, Time

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MICRO = timedelta(microseconds=1)


async def available(
    client: CreditClient, at: datetime | None = None, service: str | None = None
) -> str:
    return str((await client.get_balance("alice", at=at, service=service)).available)


async def test_a_balance_of_the_past_the_present_and_the_future(
    client: CreditClient, time: Time
) -> None:
    await client.add_credits("alice", 10)
    await client.add_credits("alice", 5, expires_at=START + 2 * HOUR)
    await client.add_credits("alice", 7, effective_at=START + 3 * HOUR)
    time.pass_(hours=1)
    await client.hold_credits("alice", 1, timeout=3600)
    expected = {
        START - MICRO: "0",
        START: "15",
        START + HOUR - MICRO: "15",
        START + HOUR: "14",
        START + 2 * HOUR - MICRO: "14",
        # The hold ends and the grant that it is of, both at this instant: 10 are left.
        START + 2 * HOUR: "10",
        START + 3 * HOUR: "17",
    }
    for instant, credits in expected.items():
        assert await available(client, instant) == credits
    time.pass_(days=9)
    await client.run_maintenance()
    for instant, credits in expected.items():
        assert await available(client, instant) == credits


async def test_a_balance_for_one_service(client: CreditClient, time: Time) -> None:
    await client.add_credits("alice", 10)
    await client.add_credits("alice", 5, scope={"chat"})
    time.pass_(hours=1)
    await client.consume_credits("alice", 12, service="chat")
    await client.hold_credits("alice", 1)
    for service, now, then in (("chat", "2", "15"), ("image", "2", "10"), (None, "2", "15")):
        assert await available(client, service=service) == now
        assert await available(client, START, service) == then
    balance = await client.get_balance("alice", service="chat")
    assert (str(balance.held), str(balance.overdraft), balance.version) == ("1", "0", 4)
    assert balance["available"] == balance.available
    with pytest.raises(KeyError):
        balance["of"]
    with pytest.raises(KeyError):
        balance["_"]


async def test_what_can_be_afforded(client: CreditClient) -> None:
    await client.add_credits("alice", 5, scope={"chat"})
    await client.add_credits("alice", 1)
    for credits, service, expected in (
        (6, "chat", True),
        ("6.000001", "chat", False),
        (1, None, True),
        (2, "image", False),
    ):
        assert await client.can_afford("alice", credits, service=service) is expected
    assert await client.can_afford("nobody", 1) is False
    await client.freeze_account("alice")
    assert await client.can_afford("alice", 1) is False


# Status


async def test_a_status_says_it_in_both_ways(client: CreditClient) -> None:
    await client.add_credits("alice", 100, unit_cost="0.01")
    await client.add_credits("alice", 10, priority=10)
    await client.consume_credits("alice", 15, service="chat")
    hold = await client.hold_credits("alice", 5)
    status = await client.get_user_credit_status("alice")
    assert status["balance"] == status.balance == 90
    assert status["held"] == 5
    assert status.version == 4
    assert (status.user_id, status.unit, status.state, status.at) == (
        *("alice", "credits", "open", START),
    )
    # 10 at the price of the client, and 5 at what they were bought for.
    summary = status.summary
    assert [str(summary.monthly_spent), str(summary.monthly_cost)] == ["15", "0.25"]
    assert status["summary"] == summary
    assert summary["monthly_spent"] == summary.monthly_spent
    assert summary["month"] == "2026-03"
    assert dict(status.by_service) == {"chat": 15}
    assert [grant.id for grant in status.grants] == ["alice:1"]
    await client.capture_hold(hold.id)
    status = await client.get_user_credit_status("alice")
    assert [str(status.summary.monthly_spent), str(status.summary.monthly_cost)] == ["20", "0.3"]


async def test_the_status_of_nobody(client: CreditClient) -> None:
    status = await client.get_user_credit_status("nobody")
    assert (str(status.balance), str(status.summary.monthly_cost), status.version) == ("0", "0", 0)
    assert status.forecast.days_left is None
    assert list(status.grants) == []


async def test_refunds_and_repaid_debts_in_the_month(client: CreditClient, time: Time) -> None:
    await client.set_overdraft_limit("alice", 100)
    charge = await client.consume_credits("alice", 10, if_short="overdraft")
    summary = (await client.get_user_credit_status("alice")).summary
    assert [str(summary.monthly_spent), str(summary.monthly_cost)] == ["10", "0.2"]
    await client.add_credits("alice", 10, unit_cost="0.5")
    summary = (await client.get_user_credit_status("alice")).summary
    assert [str(summary.monthly_spent), str(summary.monthly_cost)] == ["10", "5"]
    time.pass_(hours=1)
    await client.refund_credits(charge.id, 4)
    summary = (await client.get_user_credit_status("alice")).summary
    assert [str(summary.monthly_spent), str(summary.monthly_cost)] == ["6", "3"]


@pytest.mark.parametrize(
    ("zone", "instant", "month"),
    [
        ("UTC", datetime(2026, 3, 31, 23, 59, 59, tzinfo=UTC), "2026-03"),
        ("UTC", datetime(2026, 4, 1, tzinfo=UTC), "2026-04"),
        ("America/New_York", datetime(2026, 4, 1, 3, 59, tzinfo=UTC), "2026-03"),
        ("America/New_York", datetime(2026, 4, 1, 4, tzinfo=UTC), "2026-04"),
        ("Asia/Tokyo", datetime(2026, 3, 31, 15, tzinfo=UTC), "2026-04"),
        ("Asia/Tokyo", datetime(2026, 12, 31, 15, tzinfo=UTC), "2027-01"),
    ],
)
async def test_a_month_begins_where_the_account_is(
    client: CreditClient, time: Time, zone: str, instant: datetime, month: str
) -> None:
    await client.set_time_zone("alice", zone)
    await client.add_credits("alice", 10)
    time.now = instant - MICRO
    await client.consume_credits("alice", 1)
    time.now = instant
    await client.consume_credits("alice", 2)
    status = await client.get_user_credit_status("alice")
    assert status.summary.month == month
    began = instant.minute == 0 and instant.second == 0
    assert str(status.summary.monthly_spent) == ("2" if began else "3")


async def test_usage_of_another_month_is_not_of_this_one(client: CreditClient, time: Time) -> None:
    await client.add_credits("alice", 10)
    await client.consume_credits("alice", 1, occurred_at=datetime(2026, 2, 28, 23, tzinfo=UTC))
    assert (await client.get_user_credit_status("alice")).summary.monthly_spent == 0
    time.now = datetime(2026, 4, 1, tzinfo=UTC)
    assert (await client.get_user_credit_status("alice")).summary.monthly_spent == 0


async def test_what_is_expiring_soon(client: CreditClient, time: Time) -> None:
    for days in (8, 7, 1):
        await client.add_credits("alice", days, expires_at=START + days * DAY)
    await client.add_credits("alice", 9)
    expiring = (await client.get_user_credit_status("alice")).expiring
    assert [str(grant.remaining) for grant in expiring] == ["1", "7"]
    await client.consume_credits("alice", 1)
    time.pass_(days=1)
    expiring = (await client.get_user_credit_status("alice")).expiring
    assert [str(grant.remaining) for grant in expiring] == ["7", "8"]


async def test_a_forecast(client: CreditClient, time: Time) -> None:
    await client.add_credits("alice", 100)
    for _ in range(30):
        await client.consume_credits("alice", 1)
        time.pass_(days=1)
    time.pass_(days=-1)
    forecast = (await client.get_user_credit_status("alice")).forecast
    assert (str(forecast.daily_spent), forecast.days_left) == ("1", 70)
    assert forecast.runs_out_at == time.now + 70 * DAY
    time.pass_(days=30)
    assert (await client.get_user_credit_status("alice")).forecast.days_left is None


async def test_a_forecast_beyond_the_calendar(client: CreditClient) -> None:
    await client.add_credits("alice", 9_000_000_000_000)
    await client.consume_credits("alice", "0.000001")
    forecast = (await client.get_user_credit_status("alice")).forecast
    assert forecast.runs_out_at is None
    assert forecast.days_left is not None


# Pages


async def test_entries_over_several_pages(client: CreditClient, time: Time) -> None:
    await client.add_credits("alice", 10_000)
    for _ in range(2 * PAGE + 10):
        time.pass_(seconds=1)
        await client.consume_credits("alice", 1)
    everything = [entry.version async for entry in client.entries("alice")]
    newest = 2 * PAGE + 11
    assert everything == list(range(1, newest + 1))
    backwards = [entry.version async for entry in client.entries("alice", newest_first=True)]
    assert backwards == everything[::-1]
    since, until = START + timedelta(seconds=5), START + timedelta(seconds=PAGE + 20)
    middle = [entry.version async for entry in client.entries("alice", since=since, until=until)]
    assert middle == list(range(6, PAGE + 21))
    middle = [
        entry.version
        async for entry in client.entries("alice", since=since, until=until, newest_first=True)
    ]
    assert middle == list(range(PAGE + 20, 5, -1))
    last = [entry.version async for entry in client.entries("alice", since=time.now)]
    assert last == [newest]
    assert [e async for e in client.entries("alice", until=START)] == []
    assert [e async for e in client.entries("alice", since=time.now + MICRO)] == []
    assert [e async for e in client.entries("nobody", since=START, until=time.now)] == []


async def test_each_entry_has_the_balance_after_it(client: CreditClient) -> None:
    await client.add_credits("alice", 10, "welcome", metadata={"a": 1})
    await client.consume_credits("alice", 4, "work", service="chat", actor="carol")
    entries = [entry async for entry in client.entries("alice")]
    assert [(e.id, str(e.amount), str(e.available), e.description) for e in entries] == [
        ("alice:1", "10", "10", "welcome"),
        ("alice:2", "4", "6", "work"),
    ]
    assert (entries[1].service, entries[1].actor, entries[1].user_id) == ("chat", "carol", "alice")
    assert await client.get_entry("alice:2") == entries[1]
    assert entries[0].metadata == {"a": 1}


async def test_grants_and_holds_over_several_pages(client: CreditClient, time: Time) -> None:
    for number in range(PAGE + 5):
        await client.add_credits("alice", 1, expires_at=START + (HOUR if number % 2 else DAY))
    holds = [await client.hold_credits("alice", 1, timeout=60) for _ in range(3)]
    await client.release_hold(holds[1].id)
    assert len([grant async for grant in client.grants("alice")]) == PAGE + 5
    assert [hold.state async for hold in client.holds("alice")] == ["open", "released", "open"]
    assert len([hold async for hold in client.holds("alice", open_only=True)]) == 2
    time.pass_(hours=2)
    # As they are kept: what is due is not written down yet.
    assert len([grant async for grant in client.grants("alice", open_only=True)]) == PAGE + 5
    await client.run_maintenance()
    assert len([grant async for grant in client.grants("alice", open_only=True)]) == 253
    assert [hold async for hold in client.holds("alice", open_only=True)] == []
    assert [grant async for grant in client.grants("nobody")] == []


async def test_units_are_read_apart(client: CreditClient) -> None:
    await client.add_credits("alice", 10)
    await client.add_credits("alice", 3, unit="images", unit_cost=2)
    await client.consume_credits("alice", 1, unit="images")
    status = await client.get_user_credit_status("alice", unit="images")
    assert (status.unit, str(status.balance)) == ("images", "2")
    assert status.summary.monthly_cost == Decimal(2)
    assert len([entry async for entry in client.entries("alice", unit="images")]) == 2
    assert await client.get_user_balance("alice") == 10
    assert await client.can_afford("alice", 3, unit="images") is False
