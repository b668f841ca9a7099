"""Letting what must finish finish, whoever cancels the task that waits for it."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import anyio

from aiocredits.errors import CreditError, StorageUnavailableError

T = TypeVar("T")

DEADLINE = 10.0


async def finish(work: Coroutine[Any, Any, T], *, deadline: float = DEADLINE) -> T:
    """Return the result of `work`, which runs to its end; a cancellation is raised after that.

    A shielded scope keeps out the cancellations of anyio and of frameworks that build on it, and a
    task of its own keeps out ``Task.cancel()``. After `deadline` seconds the waiting ends, and the
    work goes on without it.
    """
    loop = asyncio.get_running_loop()
    task = loop.create_task(work)
    end = loop.time() + deadline
    cancelled: asyncio.CancelledError | None = None
    with anyio.CancelScope(shield=True):
        while not task.done() and (left := end - loop.time()) > 0:
            try:
                await asyncio.wait({task}, timeout=left)
            except asyncio.CancelledError as error:
                cancelled = error
    if cancelled is not None:
        if task.done() and not task.cancelled():
            task.exception()  # seen, and outranked by the cancellation
        raise cancelled
    if not task.done():
        raise StorageUnavailableError(
            f"the storage did not answer within {deadline:g} seconds; the write goes on, and a "
            "hold that it does not settle ends by its timeout"
        )
    return task.result()


async def claim(
    take: Coroutine[Any, Any, T], give_back: Callable[[T], Coroutine[Any, Any, object]]
) -> T:
    """Return what `take` returns. Cancelled meanwhile, let it end and give back what it took.

    A plain await would leave it open whether a charge that was under way has happened.
    """
    task = asyncio.get_running_loop().create_task(take)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await finish(_undo(task, give_back))
        raise


async def _undo(
    task: asyncio.Task[T], give_back: Callable[[T], Coroutine[Any, Any, object]]
) -> None:
    try:
        taken = await task
    except (CreditError, asyncio.CancelledError):
        return
    await give_back(taken)
