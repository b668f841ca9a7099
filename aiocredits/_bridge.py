"""From a thread to the event loop that a client is open on, and the refusal to deadlock."""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from contextvars import copy_context
from typing import Any, Generic, Protocol, TypeVar

from aiocredits._finish import DEADLINE
from aiocredits.errors import UsageError

T = TypeVar("T")

HEARTBEAT = 1.0
"""Seconds between two looks at whether the loop that is waited for still runs."""

_own_loops: set[asyncio.AbstractEventLoop] = set()
_posted: set[asyncio.Task[Any]] = set()


class OnLoop(Protocol):
    """What is open on an event loop."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The loop; None while it is not open."""
        ...


def own(loop: asyncio.AbstractEventLoop) -> None:
    """Note that `loop` belongs to this library, so that no code of the caller's runs on it."""
    _own_loops.add(loop)


def disown(loop: asyncio.AbstractEventLoop) -> None:
    """Forget a loop that has ended."""
    _own_loops.discard(loop)


def run(client: OnLoop, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Return the result of `work`, run on the client's loop while this thread waits.

    It never waits for what cannot come: not on the loop's own thread, not for a loop that has
    ended. Interrupted, it cancels the work and lets it end.
    """
    loop = _loop_to_wait_for(client)
    errand = _Errand(loop, work)
    try:
        errand.send()
        return errand.wait()
    except BaseException:
        errand.abandon()
        raise


def run_or_post(client: OnLoop, work: Callable[[], Coroutine[Any, Any, object]]) -> None:
    """Run `work`; where that would deadlock, start it and do not wait.

    For what must be done when a generator is collected, which happens on any thread.
    """
    if client.loop is not None and client.loop is running_loop():
        task = client.loop.create_task(work())
        _posted.add(task)  # a loop keeps no strong reference to its tasks
        task.add_done_callback(_posted.discard)
    else:
        run(client, work)


def running_loop() -> asyncio.AbstractEventLoop | None:
    """Return the loop that runs in this thread, if one does."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


class _Errand(Generic[T]):
    """Work that one thread waits for and another thread's loop does."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, work: Callable[[], Coroutine[Any, Any, T]]
    ) -> None:
        self._loop = loop
        self._work = work
        self._task: asyncio.Task[T] | None = None
        self._answer: Future[T] = Future()

    def send(self) -> None:
        """Ask the loop to start the work, in the context of this thread."""
        try:
            self._loop.call_soon_threadsafe(self._start, context=copy_context())
        except RuntimeError:  # closed just now
            raise _ended() from None

    def _start(self) -> None:
        if self._answer.cancelled():
            return
        self._task = self._loop.create_task(self._work())
        self._task.add_done_callback(self._done)

    def wait(self) -> T:
        """Wait as long as the loop runs."""
        while True:
            try:
                return self._answer.result(HEARTBEAT)
            except TimeoutError:
                if self._answer.done():  # just now, or it was the work that timed out
                    return self._answer.result()
                if not self._loop.is_running():
                    raise _ended() from None
            except CancelledError:  # by the loop, which ends: this thread can cancel nothing
                raise _ended() from None

    def abandon(self) -> None:
        """Cancel the work if it has not ended, and wait until it has tidied up."""
        if self._answer.done() or not self._loop.is_running():
            return
        self._loop.call_soon_threadsafe(self._cancel)
        with suppress(BaseException):
            self._answer.exception(DEADLINE)

    def _cancel(self) -> None:
        if self._task is None:
            self._answer.cancel()
        else:
            self._task.cancel()

    def _done(self, task: asyncio.Task[T]) -> None:
        if task.cancelled():
            self._answer.cancel()
        elif (error := task.exception()) is not None:
            self._answer.set_exception(error)
        else:
            self._answer.set_result(task.result())


def _ended() -> UsageError:
    return UsageError(
        "the event loop of the CreditClient ended while synchronous code waited for it: end the "
        "threads that use a client before its loop"
    )


def _loop_to_wait_for(client: OnLoop) -> asyncio.AbstractEventLoop:
    loop = client.loop
    if loop is None:
        raise UsageError(
            "the CreditClient is not open: open it first, or use SyncCreditClient, which opens "
            "itself"
        )
    if running_loop() is not None and loop not in _own_loops:
        raise UsageError(
            "this is synchronous code on the thread of an event loop, which it would wait for, for "
            "ever: decorate an 'async def' function and 'await' it; or call this one with 'await "
            "asyncio.to_thread(function, ...)'; or give it client=SyncCreditClient(...)"
        )
    if not loop.is_running():
        raise UsageError(
            "the event loop on which the CreditClient was opened has ended: open a client on the "
            "loop that runs, or use SyncCreditClient"
        )
    return loop
