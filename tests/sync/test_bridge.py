"""From whichever thread synchronous code calls: it is served, or refused, and never hangs."""

import asyncio
import signal
import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from aiocredits import CreditClient, SyncCreditClient, consume_credits, sync
from aiocredits._bridge import run
from aiocredits.errors import InsufficientCreditsError, UsageError

USER = "alice"


@consume_credits(5, "Service")
def work(user_id: str) -> str:
    return threading.current_thread().name


@consume_credits(5, "Service")
def stream(user_id: str) -> Generator[int]:
    yield 1
    yield 2


def test_nothing_is_open() -> None:
    for call in (work, sync.get_user_credit_status):
        with pytest.raises(UsageError, match=r"with SyncCreditClient\(\) as client"):
            call(USER)


def test_quick_functions() -> None:
    with SyncCreditClient("memory://") as client:
        client.add_credits(USER, 10)
        assert sync.quick_credit_check(USER, 10)
        assert not sync.quick_credit_check(USER, 11)
        assert sync.quick_credit_consumption(USER, 4, "a report").balance == 6
        assert sync.get_user_credit_status(USER)["balance"] == 6
        with pytest.raises(InsufficientCreditsError):
            sync.quick_credit_consumption(USER, 7)


def test_current_hold() -> None:
    @consume_credits(5, estimate=20)
    def metered(user_id: str) -> None:
        hold = sync.current_hold()
        hold.extend(credits=1)
        assert hold.credits == 21
        hold.use(7)

    with SyncCreditClient("memory://") as client:
        client.add_credits(USER, 100)
        metered(USER)
        assert client.get_user_balance(USER) == 93


def test_clients_given_and_used() -> None:
    one, other = SyncCreditClient("memory://"), SyncCreditClient("memory://")

    @consume_credits(5, client=one)
    def given(user_id: str) -> None: ...

    one.add_credits(USER, 100)
    other.add_credits(USER, 100)
    given(USER)
    with one.use():
        work(USER)
    work(USER)
    assert one.get_user_balance(USER) == 90
    assert other.get_user_balance(USER) == 95
    one.close()
    other.close()


@pytest.mark.parametrize("start", ["to_thread", "thread", "pool"])
async def test_threads_beside_a_loop(start: str) -> None:
    async with CreditClient("memory://") as client:
        await client.add_credits(USER, 100)
        loop, done = asyncio.get_running_loop(), asyncio.Event()
        match start:
            case "to_thread":
                await asyncio.to_thread(work, USER)
            case "thread":

                def in_thread() -> None:
                    work(USER)
                    loop.call_soon_threadsafe(done.set)

                thread = threading.Thread(target=in_thread)
                thread.start()
                await done.wait()
                thread.join()
            case _:
                with ThreadPoolExecutor(1) as pool:
                    await loop.run_in_executor(pool, work, USER)
        assert await client.get_user_balance(USER) == 95


async def test_the_context_arrives() -> None:
    async with CreditClient("memory://") as one, CreditClient("memory://"):
        await one.add_credits(USER, 100)
        with one.use():
            await asyncio.to_thread(work, USER)
        assert await one.get_user_balance(USER) == 95


async def test_refused_on_the_loop_of_books_in_memory() -> None:
    async with CreditClient("memory://") as client:
        await client.add_credits(USER, 100)
        for call in (work, lambda user: next(stream(user)), sync.get_user_credit_status):
            with pytest.raises(UsageError, match="decorate an 'async def' function and 'await' it"):
                call(USER)
        assert await client.get_user_balance(USER) == 100


async def test_served_on_the_loop_by_a_loop_of_its_own(tmp_path: Path) -> None:
    async with CreditClient(f"sqlite:///{tmp_path / 'credits.db'}") as client:
        await client.add_credits(USER, 100)
        # What the first client is writing does not keep the second one out.
        writing = [asyncio.create_task(client.consume_credits(USER, 1)) for _ in range(5)]
        await asyncio.sleep(0)
        assert work(USER)
        assert list(stream(USER)) == [1, 2]
        assert sync.quick_credit_check(USER, 85)
        await asyncio.gather(*writing)
        assert await client.get_user_balance(USER) == 85
        assert (await client.verify()).ok
        with pytest.raises(InsufficientCreditsError):
            work("bob")
    assert not [t for t in threading.enumerate() if "portal" in t.name]


async def test_served_on_the_loop_by_a_synchronous_client() -> None:
    with SyncCreditClient("memory://") as client:
        client.add_credits(USER, 100)
        assert work(USER)
        assert client.get_user_balance(USER) == 95


def test_a_loop_that_has_ended() -> None:
    client = CreditClient("memory://")

    async def forget() -> None:
        await client.open()

    asyncio.run(forget())
    with client.use(), pytest.raises(UsageError, match="has ended"):
        work(USER)
    asyncio.run(_close(client))


async def _close(client: CreditClient) -> None:
    await client.close()


def test_a_loop_that_ends_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aiocredits._bridge.HEARTBEAT", 0.01)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    client = CreditClient("memory://")
    asyncio.run_coroutine_threadsafe(client.open(), loop).result()
    never: list[asyncio.Future[None]] = []

    async def for_ever() -> None:
        never.append(loop.create_future())
        loop.call_soon(loop.stop)
        await never[0]

    with pytest.raises(UsageError, match="ended while synchronous code waited"):
        run(client, for_ever)
    thread.join()
    never[0].cancel()
    loop.run_until_complete(client.close())
    loop.close()


def test_interrupted_while_it_is_charged() -> None:
    """Ctrl+C while the charge is under way: it is given back before the interrupt is seen."""
    began = threading.Event()

    class Slow(CreditClient):
        async def consume_credits(self, *args: object, **kwargs: object) -> object:  # type: ignore[override]
            receipt = await super().consume_credits(*args, **kwargs)  # type: ignore[arg-type]
            began.set()
            await asyncio.Event().wait()
            return receipt

    _interrupt_in_main_thread(began, Slow)


def _interrupt_in_main_thread(began: threading.Event, kind: Callable[[str], CreditClient]) -> None:
    client = SyncCreditClient("memory://")
    client._client = kind("memory://")
    client.open()
    client.add_credits(USER, 100)

    def interrupt() -> None:
        began.wait()
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        run(client.client, lambda: client.client.consume_credits(USER, 5))
    thread.join()
    assert client.get_user_balance(USER) == 95
    client.close()


def test_an_interrupt_cancels_the_work_and_lets_it_end() -> None:
    client = SyncCreditClient("memory://")
    began, tidied = threading.Event(), threading.Event()

    async def long() -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            tidied.set()

    def interrupt() -> None:
        began.wait()
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        run(client.client, long)
    assert tidied.is_set()
    thread.join()
    client.close()


def test_a_call_takes_no_heartbeat() -> None:
    with SyncCreditClient("memory://") as client:
        client.add_credits(USER, 1000)
        began = time.monotonic()
        for _ in range(50):
            work(USER)
        assert time.monotonic() - began < 1
