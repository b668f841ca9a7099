"""Care: writing down what is due, and finding what somebody has changed."""

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from aiocredits import CreditClient
from aiocredits._commands import Command, Outcome
from aiocredits.errors import StorageUnavailableError
from aiocredits.storages.memory import MemoryStorage, _Shelf
from tests.client.conftest import START, Time

HOUR = timedelta(hours=1)


async def busy(client: CreditClient) -> None:
    """Give alice one of everything."""
    await client.set_overdraft_limit("alice", 100)
    await client.add_credits("alice", 10, "welcome", expires_at=START + HOUR)
    await client.add_credits("alice", 5, pending=True)
    hold = await client.hold_credits("alice", 4)
    charge = await client.consume_credits("alice", 3, service="chat")
    await client.capture_hold(hold.id, 1, final=False)
    await client.refund_credits(charge.id, 1)
    await client.consume_credits("alice", 20, if_short="overdraft")


async def test_maintenance_writes_down_what_is_due_and_changes_no_answer(
    client: CreditClient, time: Time
) -> None:
    for number in range(150):
        await client.add_credits(number, 5, expires_at=START + HOUR)
    await client.add_credits("later", 5, expires_at=START + 2 * HOUR)
    time.pass_(hours=1)
    before = await client.get_user_credit_status(7)
    assert (await client.run_maintenance()).accounts == 150
    assert await client.get_user_credit_status(7) == before
    assert (await client.run_maintenance()).accounts == 0
    assert [entry.kind async for entry in client.entries(7)] == ["grant", "expire"]


class ReadOnlyStorage(MemoryStorage):
    """Fails every write, once it is told to."""

    failing = False

    async def apply(self, commands: Sequence[Command], *, at: datetime) -> Sequence[Outcome]:
        if self.failing:
            raise StorageUnavailableError("the database is gone")
        return await super().apply(commands, at=at)


async def test_maintenance_fails_as_its_storage_does(time: Time) -> None:
    storage = ReadOnlyStorage()
    async with CreditClient(storage, clock=time) as client:
        for number in range(3):
            await client.add_credits(number, 5, expires_at=START + HOUR)
        time.pass_(hours=1)
        storage.failing = True
        with pytest.raises(StorageUnavailableError, match="the database is gone"):
            await client.run_maintenance()


async def test_verify_counts_what_it_read(client: CreditClient) -> None:
    await busy(client)
    await client.add_credits("bob", 1)
    everybody = await client.verify()
    assert (everybody.ok, everybody.accounts, everybody.entries) == (True, 2, 9)
    alice = await client.verify("alice")
    assert (alice.ok, alice.accounts, alice.entries) == (True, 1, 8)
    nobody = await client.verify("nobody")
    assert (nobody.ok, nobody.accounts, nobody.entries) == (True, 1, 0)


def account(**changes: int | str) -> Callable[[_Shelf], None]:
    def tamper(shelf: _Shelf) -> None:
        shelf.account = shelf.account._replace(**changes)  # type: ignore[arg-type]

    return tamper


def grant(**changes: int | str | None) -> Callable[[_Shelf], None]:
    def tamper(shelf: _Shelf) -> None:
        number = next(iter(shelf.open_grants))
        shelf.open_grants[number] = shelf.open_grants[number]._replace(**changes)  # type: ignore[arg-type]

    return tamper


def hold(**changes: int | str) -> Callable[[_Shelf], None]:
    def tamper(shelf: _Shelf) -> None:
        number = next(iter(shelf.open_holds))
        shelf.open_holds[number] = shelf.open_holds[number]._replace(**changes)  # type: ignore[arg-type]

    return tamper


def entry(version: int, **changes: int | datetime) -> Callable[[_Shelf], None]:
    def tamper(shelf: _Shelf) -> None:
        shelf.entries[version - 1] = shelf.entries[version - 1]._replace(**changes)  # type: ignore[arg-type]

    return tamper


TAMPERING: dict[str, tuple[Callable[[_Shelf], object], str]] = {
    "more available": (account(available_micros=10**6), "account"),
    "less held": (account(held_micros=0), "account"),
    "no debt": (account(overdraft_micros=0), "account"),
    "another limit": (account(overdraft_limit_micros=10**12), "account"),
    "another status": (account(status="frozen"), "account"),
    "more left of a grant": (grant(remaining_micros=10**6), "grant alice:"),
    "a grant that never expires": (grant(expires_at=None), "grant alice:"),
    "another priority": (grant(priority=1), "grant alice:"),
    "another state": (grant(state="revoked"), "grant alice:"),
    "a hold that is released": (hold(state="released"), "hold alice:4"),
    "a hold with nothing captured": (hold(captured_micros=0), "hold alice:4"),
    "a grant that is gone": (lambda shelf: shelf.open_grants.clear(), "number of grants"),
    "a hold that is gone": (lambda shelf: shelf.open_holds.clear(), "number of holds"),
    "usage that is gone": (lambda shelf: shelf.usage.clear(), "usage"),
    "a charge of another amount": (entry(5, amount_micros=1), "entry 5 says"),
    "another balance after": (entry(5, available_micros=1), "entry 5 says available"),
    "another held after": (entry(4, held_micros=1), "entry 4 says held"),
    "another debt after": (entry(8, overdraft_micros=1), "entry 8 says overdraft"),
    "an entry at another time": (
        entry(2, at=START - HOUR),
        "entry 2 is dated before",
    ),
    "a debt that is forgiven": (lambda shelf: shelf.owing.clear(), "charge"),
}


@pytest.mark.parametrize("what", TAMPERING)
async def test_verify_finds_tampering(time: Time, what: str) -> None:
    storage = MemoryStorage()
    tamper, words = TAMPERING[what]
    async with CreditClient(storage, clock=time) as client:
        await busy(client)
        assert (await client.verify()).ok
        tamper(storage._shelves["alice"])
        found = await client.verify()
    assert not found.ok
    assert {problem.user_id for problem in found.problems} == {"alice"}
    assert any(problem.text.startswith(words) for problem in found.problems), found.problems


async def test_verify_finds_an_entry_that_is_gone(time: Time) -> None:
    storage = MemoryStorage()
    async with CreditClient(storage, clock=time) as client:
        await client.add_credits("alice", 1)
        await client.add_credits("alice", 2)
        await client.add_credits("alice", 3)
        del storage._shelves["alice"].entries[1]
        found = await client.verify("alice")
    assert "entry 3 follows entry 1" in {problem.text for problem in found.problems}


SQL = {
    "UPDATE credit_accounts SET available = available + 1": "account",
    "UPDATE credit_grants SET remaining = remaining + 1 WHERE number = 2": "grant alice:2",
    "DELETE FROM credit_grants WHERE number = 3": "number of grants",
    "UPDATE credit_holds SET slices = '[[2, 1]]'": "hold alice:4",
    "UPDATE credit_usage SET spent = spent + 1 WHERE service = 'chat'": "usage",
    "UPDATE credit_entries SET amount = amount + 1 WHERE version = 5": "entry 5 says",
    "DELETE FROM credit_entries WHERE version = 1": "entry 2 follows entry 0",
}


@pytest.mark.parametrize("statement", SQL)
async def test_verify_finds_what_was_changed_in_the_file(
    tmp_path: Path, time: Time, statement: str
) -> None:
    path = tmp_path / "credits.db"
    async with CreditClient(f"sqlite:///{path}", clock=time) as client:
        await busy(client)
        assert (await client.verify()).ok
    with closing(sqlite3.connect(path)) as connection, connection:
        assert connection.execute(statement).rowcount > 0
    async with CreditClient(f"sqlite:///{path}", clock=time) as client:
        found = await client.verify()
    assert any(problem.text.startswith(SQL[statement]) for problem in found.problems), found


async def test_verify_stays_quiet_while_others_write(client: CreditClient) -> None:
    await client.add_credits("alice", 10_000)
    done = asyncio.Event()

    async def write() -> None:
        while not done.is_set():
            await client.consume_credits("alice", "0.01")

    writers = [asyncio.create_task(write()) for _ in range(5)]
    seen: Counter[bool] = Counter()
    for _ in range(10):
        found = await client.verify()
        assert found.problems == ()
        seen[found.ok] += 1
    done.set()
    await asyncio.gather(*writers)
    assert (await client.verify()).ok
