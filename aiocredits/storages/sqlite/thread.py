"""A connection, and the thread that it lives in."""

import sqlite3
from collections.abc import Callable
from typing import TypeVar

import aiosqlite

T = TypeVar("T")


class ConnectionThread(aiosqlite.Connection):
    """An aiosqlite connection that runs a whole function on its thread.

    A batch is some ten statements. Run one by one they would cross between the threads ten times;
    and a task that is cancelled in between would leave a transaction open, which a function that
    has been handed over cannot.
    """

    async def run(self, function: Callable[[sqlite3.Connection], T]) -> T:
        """Return ``function(connection)``, called on the connection's thread."""
        result: T = await self._execute(function, self._conn)  # type: ignore[no-untyped-call]
        return result


async def connect(open_connection: Callable[[], sqlite3.Connection]) -> ConnectionThread:
    """Start a thread, call `open_connection` on it and return the connection."""
    connection = ConnectionThread(open_connection, iter_chunk_size=64)
    await connection  # type: ignore[unused-awaitable]  # it returns itself, as an aiosqlite one
    return connection
