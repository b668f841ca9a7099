"""From whichever thread synchronous code calls: it is served, or refused, and never hangs."""

import asyncio
import signal
import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from aiocredits import CreditClient, Receipt, SyncCreditClient, consume_credits, sync
from aiocredits._bridge import run
from aiocredits._commands import Command
from aiocredits.errors import InsufficientCreditsError, UsageError
from aiocredits.pricing import per_character

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


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("kind", ["function", "by result", "stream"])
def test_interrupted_while_it_is_charged(
    moment: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl+C while the credits are taken, or just after: they come back."""
    client = SyncCreditClient("memory://")
    client.add_credits(USER, 100)
    began = threading.Event()
    original = CreditClient.submit

    async def slow(self: CreditClient, command: Command) -> Receipt:
        receipt = await original(self, command) if moment == "after" else None
        began.set()
        while not interrupted.is_set():  # noqa: ASYNC110 - set by a thread
            await asyncio.sleep(0)
        return receipt or await original(self, command)

    interrupted = threading.Event()

    def interrupt() -> None:
        began.wait()
        monkeypatch.setattr(CreditClient, "submit", original)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        interrupted.set()

    def by_result(user_id: str) -> str:
        return "x"

    calls: dict[str, Callable[[], object]] = {
        "function": lambda: work(USER),
        "by result": lambda: consume_credits(per_character(1, of="result"))(by_result)(USER),
        "stream": lambda: next(stream(USER)),
    }
    monkeypatch.setattr(CreditClient, "submit", slow)
    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        calls[kind]()
    thread.join()
    found = client.get_balance(USER)
    assert (found.available, found.held) == (Decimal(100), Decimal(0))
    assert client.verify().ok
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


def test_the_loop_ends_while_a_thread_waits() -> None:
    refused = []

    def wait(client: CreditClient) -> None:
        with pytest.raises(UsageError, match="ended while") as caught:
            run(client, asyncio.Event().wait)
        refused.append(caught.value)

    async def main() -> threading.Thread:
        client = await CreditClient("memory://").open()
        thread = threading.Thread(target=wait, args=(client,))
        thread.start()
        while len(asyncio.all_tasks()) < 2:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0)
        await client.close()
        return thread

    asyncio.run(main()).join()
    assert refused


@pytest.mark.parametrize(
    ("options", "delivered", "spent"),
    [({}, 2, 20), ({"on_exhausted": "stop", "estimate": 10}, 1, 10)],
)
def test_a_stream_that_runs_out(options: Any, delivered: int, spent: int) -> None:
    @consume_credits(per_character(1, of="result"), **options)
    def write(user_id: str) -> Generator[str]:
        for _ in range(4):
            yield "x" * 10

    with SyncCreditClient("memory://") as client:
        client.add_credits(USER, 25)
        got: list[str] = []
        with nullcontext() if options else pytest.raises(InsufficientCreditsError):
            got.extend(write(USER))
        if options:
            assert len(got) == delivered
        found = client.get_balance(USER)
        assert (25 - found.available, found.held) == (Decimal(spent), Decimal(0))
