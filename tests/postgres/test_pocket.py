"""What the row of an account keeps of its grants and holds: nobody can tell where it was."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiocredits import CreditClient
from aiocredits._ledger import Changes
from aiocredits._model import Account, Grant, Hold, Slice
from aiocredits.storages.postgres.locked import LockedBatch
from aiocredits.storages.postgres.pocket import (
    EMPTY,
    MAX_GRANTS,
    MAX_TEXT,
    current,
    dump_pocket,
    load_pocket,
    open_holds,
    place,
)
from aiocredits.testing import ManualClock

NOW = datetime(2026, 1, 1, tzinfo=UTC)

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)
numbers = st.integers(1, 2**63 - 1)
instants = st.datetimes(timezones=st.just(UTC))
holds = st.builds(
    Hold,
    st.just("alice"),
    numbers,
    st.just("open"),
    numbers,
    st.integers(0, 2**63 - 1),
    st.lists(st.builds(Slice, numbers, numbers), max_size=4).map(tuple),
    instants,
    instants,
    st.none() | texts,
    st.none() | texts,
    texts,
    st.dictionaries(texts, st.none() | st.booleans() | st.integers() | texts, max_size=3),
)
grants = st.builds(Grant, st.just("alice"), numbers, st.just("live"), numbers, numbers, numbers)


@given(st.lists(grants, max_size=MAX_GRANTS), st.lists(holds, max_size=4))
def test_what_is_put_in_comes_out_as_it_was(some: list[Grant], placed: list[Hold]) -> None:
    known = {grant.number: grant for grant in some}
    new = {hold.number: hold for hold in placed if hold.number not in known}
    account = Account("alice", 1)
    changes = Changes(
        ((account, account),), grants=tuple(known.values()), new_holds=tuple(new.values())
    )
    placement = place(changes, {}, moves=True)
    pocket = load_pocket(dump_pocket(placement.pockets["alice"]))
    assert pocket == placement.pockets["alice"]
    for grant in known.values():
        assert current(grant._replace(remaining_micros=0, held_micros=0), pocket) == grant
    inside = open_holds("alice", pocket)
    assert sum(map(len, pocket.values())) <= MAX_TEXT
    assert not placement.grants
    assert inside | {hold.number: hold for hold in placement.new_holds} == new


def test_an_empty_pocket_is_what_a_new_row_has() -> None:
    assert load_pocket("[]") == EMPTY
    assert dump_pocket(EMPTY) == "[]"


async def kept(url: str) -> tuple[list[int], list[int], list[int]]:
    """Return the numbers of the grants and holds in alice's pocket, and of the holds with rows."""
    connection = await asyncpg.connect(url)
    try:
        pocket = await connection.fetchval("SELECT pocket FROM aiocredits.accounts")
        rows = await connection.fetch("SELECT number FROM aiocredits.holds ORDER BY number")
    finally:
        await connection.close()
    inside = json.loads(pocket)
    grants_ = [each[0] for each in inside if len(each) == 3]
    held = [each[0] for each in inside if len(each) == 10]
    assert len(grants_) + len(held) == len(inside)
    return grants_, held, [row[0] for row in rows]


async def test_more_grants_than_there_is_room_for(url: str) -> None:
    services = [f"service {n}" for n in range(MAX_GRANTS + 4)]
    async with CreditClient(url) as client, CreditClient(url) as other:
        for service in services:
            await client.add_credits("alice", 10, scope=[service])
        for place_ in (client, other, client):
            for service in services:
                await place_.consume_credits("alice", 2, service=service)
        # Those that were first stay in it, whatever changes of them.
        assert (await kept(url))[0] == list(range(1, MAX_GRANTS + 1))
        for reader in (client, other):
            left = [grant.remaining async for grant in reader.grants("alice")]
            assert left == [Decimal(4)] * len(services)
        for service in services:  # the last of each
            await other.consume_credits("alice", 4, service=service)
        assert [grant.state async for grant in client.grants("alice")] == ["spent"] * len(services)
        assert await kept(url) == ([], [], [])
        assert (await client.verify()).ok


async def test_more_holds_than_there_is_room_for(url: str) -> None:
    async with CreditClient(url) as client, CreditClient(url) as other:
        await client.add_credits("alice", 1000)
        held = [await client.hold_credits("alice", 2, f"a picture {n}") for n in range(40)]
        _, inside, rows = await kept(url)
        assert 5 < len(inside) < 35
        assert sorted(inside + rows) == [hold.number for hold in held]
        for reader in (client, other):
            found = [hold async for hold in reader.holds("alice", open_only=True)]
            assert [hold.id for hold in found] == [hold.id for hold in held]
            assert found[39].description == "a picture 39"
            assert (await reader.get_hold(held[0].id)).amount == 2
        for number, hold in enumerate(held):
            await (client, other)[number % 2].capture_hold(hold.id, 1, final=number % 3 > 0)
        found = [hold async for hold in client.holds("alice")]
        assert [hold.state for hold in found] == [
            "captured" if n % 3 else "open" for n in range(40)
        ]
        assert {hold.captured for hold in found} == {Decimal(1)}
        for hold in held[::3]:
            await other.release_hold(hold.id)
        assert (await kept(url))[1:] == ([], [hold.number for hold in held])
        assert (await client.get_balance("alice")).available == 960
        assert (await client.verify()).ok


async def test_a_hold_that_is_too_long_for_a_pocket_has_a_row(url: str) -> None:
    async with CreditClient(url) as client:
        await client.add_credits("alice", 10)
        long = await client.hold_credits("alice", 1, "x" * MAX_TEXT)
        short = await client.hold_credits("alice", 1, metadata={"order": 'a "quoted" \\ one'})
        assert await kept(url) == ([1], [short.number], [long.number])
        async with CreditClient(url) as other:
            assert (await other.get_hold(short.id)).metadata == {"order": 'a "quoted" \\ one'}
            await other.extend_hold(short.id, credits=2)
            await other.capture_hold(short.id, 3)
            await other.capture_hold(long.id)
            assert (await other.get_hold(short.id)).metadata == {"order": 'a "quoted" \\ one'}
        assert (await client.get_balance("alice")).available == 6
        assert (await client.verify()).ok


async def test_holds_time_out_wherever_they_are(url: str) -> None:
    clock = ManualClock(NOW)
    async with CreditClient(url, clock=clock) as client:
        await client.add_credits("alice", 15)
        for minutes, text in ((1, ""), (2, "x" * MAX_TEXT), (3, ""), (4, "x" * MAX_TEXT)):
            await client.hold_credits("alice", 1, text, timeout=timedelta(minutes=minutes))
        for minutes in range(5):
            assert (await client.get_balance("alice")).held == 4 - minutes
            await client.consume_credits("alice", 1)
            clock.advance(timedelta(minutes=1))
        await client.consume_credits("alice", 10)
        assert [hold.state async for hold in client.holds("alice")] == ["expired"] * 4
        assert await kept(url) == ([], [], [2, 3, 4, 5])
        assert (await client.verify()).ok


async def test_holds_that_others_have_placed_are_captured_on_the_fast_path(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with CreditClient(url) as client, CreditClient(url) as other:
        await other.add_credits("alice", 10)
        held = [await other.hold_credits("alice", 1) for _ in range(2)]
        await client.consume_credits("alice", 1)  # does not know the account yet, and looks
        monkeypatch.delattr(LockedBatch, "run")
        for hold in held:
            await client.capture_hold(hold.id)
        assert (await client.get_balance("alice")).available == 7


TAMPERING = {
    "replace(pocket, '[1,7000000,2000000]', '[1,8000000,2000000]')": "grant alice:1",
    "replace(pocket, '[1,7000000,2000000]', '[1,7000000,1000000]')": "grant alice:1",
    "replace(pocket, '[1,7000000,2000000],', '')": "grant alice:1",
    "replace(pocket, '[2,2000000,0,[[1,2000000]]', '[2,2000000,0,[[1,1000000]]')": "hold alice:2",
    "replace(pocket, 'a picture', 'a book')": "hold alice:2",
    "'[[1,7000000,2000000]]'": "hold",
    "DEFAULT": "alice",
}


@pytest.mark.parametrize("pocket", TAMPERING)
async def test_tampering_is_found(url: str, pocket: str) -> None:
    async with CreditClient(url) as client:
        await client.add_credits("alice", 10)
        await client.hold_credits("alice", 2, "a picture")
        await client.consume_credits("alice", 1)
        assert (await client.verify()).ok
        connection = await asyncpg.connect(url)
        try:
            before = await connection.fetchval("SELECT pocket FROM aiocredits.accounts")
            await connection.execute(f"UPDATE aiocredits.accounts SET pocket = {pocket}")  # noqa: S608
            assert await connection.fetchval("SELECT pocket FROM aiocredits.accounts") != before
        finally:
            await connection.close()
        found = (await client.verify()).problems
        assert any(TAMPERING[pocket] in problem.text for problem in found), found
