"""A client's life: opening, closing, loops, URLs and clocks."""

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from threading import Thread

import pytest

from aiocredits import CreditClient, commands
from aiocredits._client import DEFAULT_URL
from aiocredits.errors import ConfigurationError, InvalidInputError, UsageError
from aiocredits.storages.memory import MemoryStorage
from tests.client.conftest import START, Time


def test_making_a_client_does_no_io(tmp_path: Path) -> None:
    CreditClient(f"sqlite:///{tmp_path}/credits.db")
    assert list(tmp_path.iterdir()) == []


async def test_a_client_that_was_never_opened() -> None:
    client = CreditClient("memory://")
    for call in (client.get_user_balance("alice"), client.add_credits("alice", 1), client.verify()):
        with pytest.raises(UsageError, match=r"has not been opened: use it inside 'async with"):
            await call


async def test_a_client_that_was_closed() -> None:
    async with CreditClient("memory://") as client:
        pass
    with pytest.raises(UsageError, match="has been closed"):
        await client.add_credits("alice", 1)
    with pytest.raises(UsageError, match="has been closed"):
        async for _ in client.entries("alice"):
            pass
    await client.close()  # twice is harmless


async def test_a_client_that_is_opened_twice() -> None:
    async with CreditClient("memory://") as client:
        with pytest.raises(UsageError, match="open already: open it once, and share it"):
            await client.open()
        await client.add_credits("alice", 1)


async def test_a_closed_client_can_be_opened_again_on_the_same_books() -> None:
    client = CreditClient(MemoryStorage())
    async with client:
        await client.add_credits("alice", 1)
    async with client:
        assert await client.get_user_balance("alice") == 1


async def test_another_event_loop() -> None:
    async with CreditClient("memory://") as client:
        raised: list[BaseException] = []

        def elsewhere() -> None:
            try:
                asyncio.run(client.get_user_balance("alice"))
            except UsageError as error:
                raised.append(error)

        thread = Thread(target=elsewhere)
        thread.start()
        await asyncio.to_thread(thread.join)
        assert "opened on another event loop" in str(raised[0])


def test_with_instead_of_async_with() -> None:
    with (
        pytest.raises(UsageError, match=r"async with CreditClient\(\) as client:"),
        CreditClient("memory://"),
    ):
        raise AssertionError("never reached")


async def test_closing_waits_for_what_is_being_written() -> None:
    storage = MemoryStorage()
    async with CreditClient(storage) as client:
        writing = [asyncio.create_task(client.add_credits("alice", 1)) for _ in range(1000)]
        await asyncio.sleep(0)
    assert all(task.result().amount == 1 for task in writing)


# URLs


async def test_the_environment_names_the_storage(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AIOCREDITS_URL", f"sqlite:///{tmp_path}/named.db")
    async with CreditClient() as client:
        await client.add_credits("alice", 1)
    assert (tmp_path / "named.db").exists()
    async with CreditClient("memory://") as client:  # what is written outranks it
        assert await client.get_user_balance("alice") == 0


@pytest.mark.parametrize("url", [None, ""])
async def test_without_a_url_it_is_a_file_here(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, url: str | None
) -> None:
    monkeypatch.chdir(tmp_path)
    if url is None:
        monkeypatch.delenv("AIOCREDITS_URL", raising=False)
    else:
        monkeypatch.setenv("AIOCREDITS_URL", url)
    async with CreditClient() as client:
        await client.add_credits("alice", 1)
    assert DEFAULT_URL == "sqlite:///aiocredits.db"
    assert (tmp_path / "aiocredits.db").exists()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mongodb://localhost", "no storage is known for 'mongodb' URLs; known are memory,"),
        ("", "is no storage URL: write for example 'sqlite:///credits.db'"),
        ("credits.db", "is no storage URL"),
        ("://", "no storage is known for '' URLs"),
    ],
)
def test_an_unknown_url(url: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        CreditClient(url)


def test_memory_names_nothing_to_share() -> None:
    with pytest.raises(UsageError, match="share the MemoryStorage"):
        CreditClient("memory://shared")


def test_settings_that_cannot_work() -> None:
    with pytest.raises(ConfigurationError, match="burn_order"):
        CreditClient("memory://", burn_order=["price"])  # type: ignore[list-item]
    with pytest.raises(ConfigurationError, match="at most once"):
        CreditClient("memory://", burn_order=["number", "number"])
    with pytest.raises(InvalidInputError, match="unit_cost"):
        CreditClient("memory://", credit_price=0.1)  # type: ignore[arg-type]


async def test_a_burn_order_of_ones_own() -> None:
    storage = MemoryStorage()
    async with CreditClient(storage, burn_order=["number"]) as client:
        await client.add_credits("alice", 1, priority=90)
        await client.add_credits("alice", 1, priority=10)
        receipt = await client.consume_credits("alice", 1)
        (grouped,) = await client.apply_all(commands.consume_credits("alice", "0.5"))
    assert [receipt.slices[0][0], grouped.slices[0][0]] == ["alice:1", "alice:2"]
    async with CreditClient(storage, burn_order=["priority"]) as client:
        await client.refund_credits(receipt.id)
        receipt = await client.consume_credits("alice", 1)
    assert [grant for grant, _ in receipt.slices] == ["alice:2", "alice:1"]


# Clocks


async def test_a_clock_without_a_time_zone() -> None:
    async with CreditClient("memory://", clock=datetime.now) as client:
        for call in (client.add_credits("alice", 1), client.get_user_balance("alice")):
            with pytest.raises(ConfigurationError, match="has no time zone"):
                await call


async def test_a_clock_in_another_zone_counts_in_utc() -> None:
    paris = timezone(timedelta(hours=1))
    async with CreditClient("memory://", clock=lambda: START.astimezone(paris)) as client:
        receipt = await client.add_credits("alice", 1)
    assert receipt.at == START
    assert receipt.at.tzinfo is UTC


async def test_the_time_of_an_account_never_goes_backwards(
    client: CreditClient, time: Time
) -> None:
    await client.add_credits("alice", 10, expires_at=START + timedelta(hours=1))
    time.pass_(minutes=30)
    await client.consume_credits("alice", 1)
    time.pass_(minutes=-60)
    receipt = await client.consume_credits("alice", 1)
    assert receipt.at == START + timedelta(minutes=30)
    assert await client.get_user_balance("alice") == 8
    other = await client.add_credits("bob", 1)
    assert other.at == START - timedelta(minutes=30)
    time.pass_(minutes=90)
    assert await client.get_user_balance("alice") == 0
