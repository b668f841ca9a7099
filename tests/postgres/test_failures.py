"""Connections that die cost a retry, and never a credit."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from aiocredits import CreditClient
from aiocredits.errors import OutcomeUnknownError, StorageUnavailableError
from aiocredits.storages.postgres import PostgresStorage
from tests.postgres.proxies import Proxy, proxy_to

KILL = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""


@pytest.fixture
async def proxy(url: str) -> AsyncIterator[Proxy]:
    async with proxy_to(url) as proxy:
        yield proxy


async def test_backends_killed_while_writing_lose_nothing(url: str) -> None:
    killer = await asyncpg.connect(url)
    async with CreditClient(url) as client:
        await client.add_credits("alice", 10_000)
        done = 0
        stop = False

        async def consume() -> None:
            nonlocal done
            while not stop:
                await client.consume_credits("alice", 1)
                await client.add_credits("bob", 1)
                done += 1

        callers = [asyncio.create_task(consume()) for _ in range(20)]
        for _ in range(15):
            await asyncio.sleep(0.07)
            await killer.execute(KILL)
        stop = True
        await asyncio.gather(*callers)
        assert await client.get_user_balance("alice") == 10_000 - done
        assert await client.get_user_balance("bob") == done
        assert (await client.verify()).ok
    await killer.close()


@pytest.mark.parametrize("fast", [True, False])
async def test_a_lost_acknowledgement_acts_once(url: str, proxy: Proxy, *, fast: bool) -> None:
    async with CreditClient(proxy.url) as client, CreditClient(url) as other:
        await client.add_credits("alice", 100)
        charge = await client.consume_credits("alice", 10)
        if fast:
            proxy.lose_answer_to(b"a lost report")
            receipt = await client.consume_credits("alice", 1, "a lost report")
        else:
            proxy.lose_answer_to(b"COMMIT;")
            receipt = await client.refund_credits(charge.id, 1)
        assert proxy.lost.is_set()
        assert receipt.replayed
        assert receipt.balance == (89 if fast else 91)
        assert await other.get_user_balance("alice") == receipt.balance
        assert (await other.verify()).ok


async def test_a_read_whose_connection_is_lost_is_asked_again(proxy: Proxy) -> None:
    async with CreditClient(proxy.url) as client:
        await client.add_credits("alice", 100)
        proxy.lose_answer_to(b"alice")
        assert await client.get_user_balance("alice") == 100
        assert proxy.lost.is_set()


async def test_nobody_can_say_whether_it_happened(url: str, proxy: Proxy) -> None:
    async with CreditClient(f"{proxy.url}?deadline=1") as client, CreditClient(url) as other:
        await client.add_credits("alice", 100)
        proxy.lose_answer_to(b"a lost report")
        attempt = asyncio.create_task(client.consume_credits("alice", 1, "a lost report"))
        await proxy.lost.wait()
        proxy.go_down()
        with pytest.raises(OutcomeUnknownError) as unknown:
            await attempt
        proxy.come_up()
        receipt = await client.consume_credits(
            "alice", 1, "a lost report", idempotency_key=unknown.value.key
        )
        assert receipt.replayed
        assert await other.get_user_balance("alice") == 99


async def test_a_server_that_went_away_is_unavailable(proxy: Proxy) -> None:
    async with CreditClient(f"{proxy.url}?deadline=1") as client:
        await client.add_credits("alice", 100)
        proxy.go_down()
        with pytest.raises((StorageUnavailableError, OutcomeUnknownError)):
            await client.consume_credits("alice", 1)
        with pytest.raises(StorageUnavailableError):
            await client.get_user_balance("alice")
        proxy.come_up()
        await client.consume_credits("alice", 1)


async def test_a_cancelled_write_leaves_the_pool_usable(url: str) -> None:
    storage = PostgresStorage(url, pool_size=1)
    async with CreditClient(storage) as client:
        await client.add_credits("alice", 100)
        for delay in (0, 0.0005, 0.001, 0.002, 0.004):
            task = asyncio.create_task(client.consume_credits("alice", 1))
            await asyncio.sleep(delay)
            task.cancel()
        await client.consume_credits("alice", 1)
        assert (await client.verify()).ok
