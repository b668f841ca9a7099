"""A connection, and the thread that it lives in."""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from math import inf
from typing import TypeVar

import aiosqlite

from aiocredits._finish import finish

T = TypeVar("T")


class ConnectionThread(aiosqlite.Connection):
    """An aiosqlite connection that runs a whole function on its thread.

    A batch is some ten statements. Run one by one they would cross between the threads ten times;
    and a task that is cancelled in between would leave a transaction open, which a function that
    has been handed over cannot.
    """

    def __init__(self, open_connection: Callable[[], sqlite3.Connection]) -> None:
        super().__init__(open_connection, iter_chunk_size=64)
        # A client that nobody closes does not keep the interpreter from ending; what was
        # acknowledged is on the disk.
        self._thread.daemon = True

    def join(self) -> None:
        """Wait until the thread, which was told to stop, has done so."""
        self._thread.join()

    async def run(self, function: Callable[[sqlite3.Connection], T]) -> T:
        """Return ``function(connection)``, called on the connection's thread."""
        result: T = await self._execute(function, self._conn)  # type: ignore[no-untyped-call]
        return result


async def connect(open_connection: Callable[[], sqlite3.Connection]) -> ConnectionThread:
    """Start a thread, call `open_connection` on it and return the connection."""
    connection = ConnectionThread(open_connection)
    try:
        await finish(_start(connection), deadline=inf)
    except asyncio.CancelledError:
        await close([connection])
        raise
    except BaseException:
        # It was told to stop, and has to be done with that before its loop may be closed.
        connection.join()
        raise
    return connection


async def close(connections: Sequence[ConnectionThread]) -> None:
    """Close the connections after what they are at, whoever cancels the task that waits for it."""
    await finish(_close_each(connections), deadline=inf)


async def _start(connection: ConnectionThread) -> None:
    await connection  # type: ignore[unused-awaitable]  # it returns itself, as an aiosqlite one


async def _close_each(connections: Sequence[ConnectionThread]) -> None:
    for connection in connections:
        await connection.close()
