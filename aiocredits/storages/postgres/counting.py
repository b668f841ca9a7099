"""Knowing when nothing is under way any more."""

import asyncio
from types import TracebackType


class UnderWay:
    """Counts the blocks that somebody is in: ``with under_way: …``."""

    def __init__(self) -> None:
        self._count = 0
        self._nothing = asyncio.Event()
        self._nothing.set()

    def __enter__(self) -> None:
        """Come in."""
        self._count += 1
        self._nothing.clear()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Go out."""
        self._count -= 1
        if not self._count:
            self._nothing.set()

    async def end(self) -> None:
        """Wait until nobody is in."""
        await self._nothing.wait()
