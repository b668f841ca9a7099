"""Trying again what the database, or the network, has undone."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import stamina

T = TypeVar("T")


async def retried(
    attempt: Callable[[], Awaitable[T]], on: tuple[type[Exception], ...], *, deadline: float
) -> T:
    """Return what `attempt` returns, as soon as it raises none of `on`; the last one at the end."""
    # The first attempt without the machinery of retries, which costs more than a decision.
    try:
        return await attempt()
    except on:
        pass
    async for again in stamina.retry_context(
        on=on,
        attempts=None,
        timeout=deadline,
        wait_initial=0.002,
        wait_jitter=0.02,
        wait_max=1.0,
    ):
        with again:
            return await attempt()
    raise AssertionError("retries end by an answer or by raising")
