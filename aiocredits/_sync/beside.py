"""Synchronous code on an event loop's own thread, which that loop cannot serve."""

import asyncio
import threading
from weakref import WeakKeyDictionary

from aiocredits._bridge import running_loop
from aiocredits._client import CreditClient
from aiocredits._context import settle_at_close
from aiocredits._sync.client import SyncCreditClient


class _Companion:
    """A second client of the same books, which ends when the first one does."""

    def __init__(self, client: SyncCreditClient) -> None:
        self.client = client

    async def abandon(self) -> None:
        await asyncio.to_thread(self.client.close)


_companions: WeakKeyDictionary[CreditClient, _Companion] = WeakKeyDictionary()
_lock = threading.Lock()


def reachable(client: CreditClient) -> CreditClient:
    """Return a client that this thread can wait for.

    It is `client`, unless its loop is the one that runs here. Then it is another client of the same
    books, on a loop of its own; where the books cannot be shared, whoever waits is refused.
    """
    if client.loop is None or client.loop is not running_loop():
        return client
    with _lock:
        companion = _companions.get(client)
        if companion is None:
            beside = SyncCreditClient.beside(client)
            if beside is None:
                return client
            companion = _companions[client] = _Companion(beside)
            settle_at_close(client, companion)
    return companion.client.open().client
