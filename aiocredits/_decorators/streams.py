"""Generators and async generators: the drivers that charge for a stream.

The hold is placed at the first iteration, so that a stream which nobody reads costs nothing, and
what is inside is made after it. The stream is settled where it ends: at its last item, where it
raises, where its reader leaves it, or where it is collected.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from functools import partial, wraps
from typing import TypeVar

from aiocredits._bridge import run, run_or_post
from aiocredits._decorators.charge import log
from aiocredits._decorators.checked import Checked
from aiocredits._decorators.current import holding
from aiocredits._decorators.shapes import AnyFunction, Plan
from aiocredits._decorators.stream import Streamed
from aiocredits.errors import UsageError

T = TypeVar("T")


def drive_async_generator(
    function: Callable[..., AsyncGenerator[object, object]], plan: Plan
) -> AnyFunction:
    """Charge for an async generator."""

    @wraps(function)
    async def stream(*args: object, **kwargs: object) -> AsyncGenerator[object, object]:
        charge = plan.open_stream(args, kwargs)
        await charge.begin()
        inner: AsyncGenerator[object, object] | None = None
        try:
            if plan.aware:
                args, kwargs = plan.tell(await charge.info(), args, kwargs)
            inner = function(*args, **kwargs)
            step: Awaitable[object] = inner.asend(None)
            while True:
                item = await _awaited(charge, step)
                if not (charge.deliver(item) or await charge.cover()):
                    await _awaited(charge, inner.aclose())
                    break
                try:
                    step = inner.asend((yield item))
                except GeneratorExit:
                    raise
                except BaseException as thrown:  # noqa: BLE001 - it is the inner one's to handle
                    step = inner.athrow(thrown)
        except StopAsyncIteration:
            pass
        except BaseException as error:
            await _close(charge, inner, error)
            raise
        await charge.complete()

    return stream


def drive_generator(
    function: Callable[..., Generator[object, object, object]], plan: Plan
) -> AnyFunction:
    """Charge for a generator, which is read in threads other than that of the client's loop."""

    @wraps(function)
    def stream(*args: object, **kwargs: object) -> Generator[object, object, object]:
        charge = plan.open_stream(args, kwargs)
        client = charge.client
        inner: Generator[object, object, object] | None = None
        result: object = None
        try:
            run(client, charge.begin)
            if plan.aware:
                args, kwargs = plan.tell(run(client, charge.info), args, kwargs)
            inner = function(*args, **kwargs)
            step: Callable[[], object] = partial(inner.send, None)
            while True:
                item = _called(charge, step)
                if not (charge.deliver(item) or run(client, charge.cover)):
                    _called(charge, inner.close)
                    break
                try:
                    step = partial(inner.send, (yield item))
                except GeneratorExit:
                    raise
                except BaseException as thrown:  # noqa: BLE001 - it is the inner one's to handle
                    step = partial(inner.throw, thrown)
        except StopIteration as stop:
            result = stop.value
        except BaseException as error:
            _close_sync(charge, inner, error)
            raise
        run(client, charge.complete)
        return result

    return stream


async def _close(
    charge: Streamed | Checked, inner: AsyncGenerator[object, object] | None, error: BaseException
) -> None:
    """Let the function tidy up, which may still use the hold, and settle."""
    try:
        if inner is not None:
            await _awaited(charge, inner.aclose())
    finally:
        await charge.leave(error)


def _close_sync(
    charge: Streamed | Checked,
    inner: Generator[object, object, object] | None,
    error: BaseException,
) -> None:
    try:
        if inner is not None:
            _called(charge, inner.close)
    finally:
        if not charge.left:
            _leave(charge, error)


def _leave(charge: Streamed | Checked, error: BaseException) -> None:
    try:
        run_or_post(charge.client, lambda: charge.leave(error))
    except UsageError as failure:  # the loop has ended, and with it whoever could be told
        log.error("a stream was left to the timeout of its hold: %s", failure)
        error.add_note(f"the stream was left to the timeout of its hold: {failure}")


# The call is current while the function runs, and no longer: a generator runs in the context of
# whoever reads it, so what it left there would be the reader's.


async def _awaited(charge: Streamed | Checked, step: Awaitable[T]) -> T:
    token = holding.set(charge)
    try:
        return await step
    finally:
        holding.reset(token)


def _called(charge: Streamed | Checked, step: Callable[[], T]) -> T:
    token = holding.set(charge)
    try:
        return step()
    finally:
        holding.reset(token)
