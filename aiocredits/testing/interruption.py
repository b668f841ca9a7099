"""Stopping a coroutine at the n-th place where it awaits something."""

import asyncio
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Generic, Literal, TypeAlias, TypeVar, get_args

import anyio

T = TypeVar("T")

Means: TypeAlias = Literal["cancel", "cancel scope", "raise"]
"""A ``Task.cancel()``; an anyio scope, which cancels whatever is awaited; or an exception."""

MEANS: tuple[Means, ...] = get_args(Means)

PATIENCE = 10_000
"""More await points than any operation has: after these, it is running in a circle."""


class InterruptionError(Exception):
    """Raised where a coroutine awaits, in place of the answer that it had got."""


class Interruption:
    """One attempt to stop a coroutine, at its await point number `point`, counted from 0."""

    def __init__(self, means: Means, point: int) -> None:
        self.means = means
        self.point = point
        self.reached = False
        """Whether the coroutine awaited often enough."""

    async def stop(self, work: Coroutine[Any, Any, T]) -> T | None:
        """Return the result of `work` if it has one, and None if the interruption ended it.

        Whatever else `work` raises is raised.
        """
        # In a task of its own: the cancellation is for `work`, and for nobody else.
        task = asyncio.get_running_loop().create_task(self._run(work))
        await asyncio.wait({task})
        if task.cancelled():
            return None
        error = task.exception()
        if isinstance(error, InterruptionError) or isinstance(
            error and error.__cause__, InterruptionError
        ):
            return None
        return task.result()

    async def _run(self, work: Coroutine[Any, Any, T]) -> T:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - for the type checker: it runs in one
        if self.means != "cancel scope":
            return await _Steps(work, self._reach(task.cancel), self.point)
        with anyio.CancelScope() as scope:
            return await _Steps(work, self._reach(scope.cancel), self.point)
        raise asyncio.CancelledError  # the scope has taken it in

    def _reach(self, cancel: Callable[[], object]) -> Callable[[], Exception | None]:
        def reach() -> Exception | None:
            self.reached = True
            if self.means == "raise":
                return InterruptionError("the answer got lost")
            cancel()
            return None

        return reach


class _Steps(Generic[T]):
    """Awaits a coroutine and calls `reach` at one of its await points.

    What `reach` returns is raised there, after what is awaited has come.
    """

    def __init__(
        self, work: Coroutine[Any, Any, T], reach: Callable[[], Exception | None], point: int
    ) -> None:
        self._work = work
        self._reach = reach
        self._point = point

    def __await__(self) -> Generator[Any, Any, T]:
        steps = self._work.__await__()
        error: BaseException | None = None
        for point in range(PATIENCE):
            try:
                awaited = steps.send(None) if error is None else steps.throw(error)
            except StopIteration as stop:
                result: T = stop.value
                return result
            error = self._reach() if point == self._point else None
            try:
                yield awaited
            except BaseException as thrown:  # noqa: BLE001 - passed on, GeneratorExit included
                error = thrown
        raise TimeoutError(f"{self._work!r} has awaited {PATIENCE} times and goes on")
