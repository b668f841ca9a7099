"""Shape x way out x kind of price: the books afterwards.

The function yields or returns texts of 60 characters. Prices: 5 a call; the catalogue's chat, by an
argument of 101 characters (2 credits); its generation, by the result (2 per started 100).
"""

import asyncio
import gc
from collections.abc import AsyncGenerator, Callable, Generator
from decimal import Decimal
from typing import Any, Literal, TypeVar

import pytest

from aiocredits import SyncCreditClient, ai_chat_credits, ai_generation_credits, consume_credits
from tests.decorators.books import START, USER, BoomError, opened, settled

PRICES: dict[str, Callable[[], Callable[[Any], Any]]] = {
    "fixed": lambda: consume_credits(5, "Service"),
    "by argument": lambda: ai_chat_credits("message"),
    "by result": ai_generation_credits,
    "by result, limited": lambda: ai_generation_credits(limit=500),
}
T = TypeVar("T")
MESSAGE = "m" * 101
TEXT = "x" * 60

# What a call costs that returns one text.
CALL = {"fixed": 5, "by argument": 2, "by result": 2, "by result, limited": 2}
# What a stream costs after so many texts.
STREAM = {
    "fixed": {0: 0, 1: 5, 2: 5, 3: 5},
    "by argument": {0: 0, 1: 2, 2: 2, 3: 2},
    "by result": {0: 0, 1: 2, 2: 4, 3: 4},
    "by result, limited": {0: 0, 1: 2, 2: 4, 3: 4},
}
End = Literal["return", "raise", "wait"]
every_price = pytest.mark.parametrize("price", PRICES)


def charged(price: str) -> Callable[[Callable[..., T]], Callable[..., T]]:
    return PRICES[price]()


def make_coroutine(price: str, entered: asyncio.Event) -> Any:
    @charged(price)
    async def work(user_id: str, message: str, end: End) -> str:
        entered.set()
        if end == "raise":
            raise BoomError
        if end == "wait":
            await asyncio.Event().wait()
        return TEXT

    return work


def make_function(price: str) -> Any:
    @charged(price)
    def work(user_id: str, message: str, end: End) -> str:
        if end == "raise":
            raise BoomError
        return TEXT

    return work


def make_async_generator(price: str) -> Any:
    @charged(price)
    async def work(user_id: str, message: str, end: End = "return") -> AsyncGenerator[str]:
        yield TEXT
        yield TEXT
        if end == "raise":
            raise BoomError
        if end == "wait":
            await asyncio.Event().wait()
        yield TEXT

    return work


def make_generator(price: str) -> Any:
    @charged(price)
    def work(user_id: str, message: str, end: End = "return") -> Generator[str]:
        yield TEXT
        yield TEXT
        if end == "raise":
            raise BoomError
        yield TEXT

    return work


class TestCoroutine:
    @every_price
    async def test_return(self, price: str) -> None:
        async with opened() as client:
            assert await make_coroutine(price, asyncio.Event())(USER, MESSAGE, "return") == TEXT
            assert await settled(client) == CALL[price]

    @every_price
    async def test_raise(self, price: str) -> None:
        async with opened() as client:
            with pytest.raises(BoomError):
                await make_coroutine(price, asyncio.Event())(USER, MESSAGE, "raise")
            assert await settled(client) == 0

    @every_price
    async def test_cancelled(self, price: str) -> None:
        async with opened() as client:
            entered = asyncio.Event()
            task = asyncio.ensure_future(make_coroutine(price, entered)(USER, MESSAGE, "wait"))
            await entered.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await settled(client) == 0

    @every_price
    async def test_cancelled_again_and_again(self, price: str) -> None:
        async with opened() as client:
            entered = asyncio.Event()
            task = asyncio.ensure_future(make_coroutine(price, entered)(USER, MESSAGE, "wait"))
            await entered.wait()
            while not task.done():
                task.cancel()
                await asyncio.sleep(0)
            assert await settled(client) == 0

    @every_price
    @pytest.mark.parametrize("steps", range(12))
    async def test_cancelled_while_it_is_charged(self, price: str, steps: int) -> None:
        async with opened() as client:
            work = make_coroutine(price, asyncio.Event())
            task = asyncio.ensure_future(work(USER, MESSAGE, "return"))
            for _ in range(steps):
                await asyncio.sleep(0)
            task.cancel()
            try:
                await task
            except asyncio.CancelledError:
                # Cancelled while its result was being charged, a call has happened.
                assert await settled(client) in {0, CALL[price] * (price.startswith("by result"))}
            else:
                assert await settled(client) == CALL[price]


class TestAsyncGenerator:
    @every_price
    async def test_end(self, price: str) -> None:
        async with opened() as client:
            texts = [text async for text in make_async_generator(price)(USER, MESSAGE)]
            assert len(texts) == 3
            assert await settled(client) == STREAM[price][3]

    @every_price
    async def test_raise(self, price: str) -> None:
        async with opened() as client:
            with pytest.raises(BoomError):
                async for _ in make_async_generator(price)(USER, MESSAGE, "raise"):
                    pass
            assert await settled(client) == 0

    @every_price
    async def test_never_started(self, price: str) -> None:
        async with opened() as client:
            stream = make_async_generator(price)(USER, MESSAGE)
            assert await settled(client) == 0
            await stream.aclose()
            del stream
            make_async_generator(price)(USER, MESSAGE)
            gc.collect()
            assert await settled(client) == 0

    @every_price
    async def test_closed(self, price: str) -> None:
        async with opened() as client:
            stream = make_async_generator(price)(USER, MESSAGE)
            await anext(stream)
            await stream.aclose()
            assert (await client.get_balance(USER)).held == 0
            assert await settled(client) == STREAM[price][1]

    @every_price
    async def test_break(self, price: str) -> None:
        async with opened() as client:
            count = 0
            async for _ in make_async_generator(price)(USER, MESSAGE):
                count += 1
                if count == 2:
                    break
            assert await settled(client) == STREAM[price][2]

    @every_price
    async def test_collected(self, price: str) -> None:
        async with opened() as client:
            stream = make_async_generator(price)(USER, MESSAGE)
            await anext(stream)
            cycle: list[object] = [stream]
            cycle.append(cycle)
            del stream, cycle
            gc.collect()
            assert await settled(client) == STREAM[price][1]

    @every_price
    async def test_cancelled(self, price: str) -> None:
        async with opened() as client:
            two = asyncio.Event()

            async def read() -> None:
                count = 0
                async for _ in make_async_generator(price)(USER, MESSAGE, "wait"):
                    count += 1
                    if count == 2:
                        two.set()

            task = asyncio.create_task(read())
            await two.wait()
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await settled(client) == STREAM[price][2]

    @every_price
    async def test_cancelled_by_its_reader(self, price: str) -> None:
        """Cancelled between two items, a stream is left where its reader forgets it."""
        async with opened() as client:
            one = asyncio.Event()

            async def read() -> None:
                async for _ in make_async_generator(price)(USER, MESSAGE):
                    one.set()
                    await asyncio.Event().wait()

            task = asyncio.create_task(read())
            await one.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            del task
            gc.collect()
            assert await settled(client) == STREAM[price][1]

    @every_price
    async def test_thrown_into(self, price: str) -> None:
        async with opened() as client:
            stream = make_async_generator(price)(USER, MESSAGE)
            await anext(stream)
            with pytest.raises(BoomError):
                await stream.athrow(BoomError())
            assert await settled(client) == 0

    @every_price
    async def test_client_closed_before_the_stream(self, price: str) -> None:
        async with opened() as client:
            stream = make_async_generator(price)(USER, MESSAGE)
            await anext(stream)
            await client.close()
            await stream.aclose()
            await client.open()
            assert (await client.get_balance(USER)).held == 0
            assert await settled(client) == STREAM[price][1]


@pytest.fixture
def sync_client() -> Generator[SyncCreditClient]:
    with SyncCreditClient("memory://") as client:
        client.add_credits(USER, START)
        yield client
        assert client.verify().ok


def spent(client: SyncCreditClient) -> Decimal:
    assert client.get_balance(USER).held == 0
    return START - client.get_user_balance(USER)


class TestFunction:
    @every_price
    def test_return(self, price: str, sync_client: SyncCreditClient) -> None:
        assert make_function(price)(USER, MESSAGE, "return") == TEXT
        assert spent(sync_client) == CALL[price]

    @every_price
    def test_raise(self, price: str, sync_client: SyncCreditClient) -> None:
        with pytest.raises(BoomError):
            make_function(price)(USER, MESSAGE, "raise")
        assert spent(sync_client) == 0


class TestGenerator:
    @every_price
    def test_end(self, price: str, sync_client: SyncCreditClient) -> None:
        assert len(list(make_generator(price)(USER, MESSAGE))) == 3
        assert spent(sync_client) == STREAM[price][3]

    @every_price
    def test_raise(self, price: str, sync_client: SyncCreditClient) -> None:
        with pytest.raises(BoomError):
            list(make_generator(price)(USER, MESSAGE, "raise"))
        assert spent(sync_client) == 0

    @every_price
    def test_never_started(self, price: str, sync_client: SyncCreditClient) -> None:
        stream = make_generator(price)(USER, MESSAGE)
        stream.close()
        make_generator(price)(USER, MESSAGE)
        gc.collect()
        assert spent(sync_client) == 0

    @every_price
    def test_closed(self, price: str, sync_client: SyncCreditClient) -> None:
        stream = make_generator(price)(USER, MESSAGE)
        next(stream)
        stream.close()
        assert spent(sync_client) == STREAM[price][1]

    @every_price
    def test_break(self, price: str, sync_client: SyncCreditClient) -> None:
        for count, _ in enumerate(make_generator(price)(USER, MESSAGE), 1):
            if count == 2:
                break
        assert spent(sync_client) == STREAM[price][2]

    @every_price
    def test_collected(self, price: str, sync_client: SyncCreditClient) -> None:
        stream = make_generator(price)(USER, MESSAGE)
        next(stream)
        cycle: list[object] = [stream]
        cycle.append(cycle)
        del stream, cycle
        gc.collect()
        assert spent(sync_client) == STREAM[price][1]

    @every_price
    def test_client_closed_before_the_stream(
        self, price: str, sync_client: SyncCreditClient
    ) -> None:
        stream = make_generator(price)(USER, MESSAGE)
        next(stream)
        sync_client.close()
        sync_client.open()
        assert spent(sync_client) == STREAM[price][1]
        stream.close()
        assert spent(sync_client) == STREAM[price][1]

    @every_price
    async def test_collected_on_the_loop(self, price: str) -> None:
        """Read in a thread and dropped on the loop, as a server does it: no deadlock."""
        async with opened() as client:
            stream = make_generator(price)(USER, MESSAGE)
            await asyncio.to_thread(next, stream)
            del stream
            gc.collect()
            assert await settled(client) == STREAM[price][1]
