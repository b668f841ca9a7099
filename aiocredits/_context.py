"""Which client the decorators and the quick functions mean."""

import asyncio
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Protocol
from weakref import WeakKeyDictionary, WeakSet

from aiocredits.errors import UsageError

if TYPE_CHECKING:
    from aiocredits._client import CreditClient


class Unsettled(Protocol):
    """Holds credits until it is settled, and may never get to that by itself."""

    async def abandon(self) -> None:
        """Settle now."""
        ...


_of_context: ContextVar["CreditClient | None"] = ContextVar("aiocredits_client", default=None)
# The process default is a stack, not a context variable: what a lifespan sets is not visible in
# the contexts of requests.
_open_clients: list["CreditClient"] = []
_unsettled: "WeakKeyDictionary[CreditClient, WeakSet[Unsettled]]" = WeakKeyDictionary()


def current_client() -> "CreditClient":
    """Return the client of this context, else the one that was opened last in this process.

    Where an event loop runs, one that was opened on it is preferred.
    """
    client = _of_context.get()
    if client is not None:
        return client
    if _open_clients:
        return _nearest()
    raise UsageError(
        "no CreditClient is open: open one first, as in 'async with CreditClient() as client:', or "
        "in synchronous code 'with SyncCreditClient() as client:'; or pass client="
    )


def _nearest() -> "CreditClient":
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return _open_clients[-1]
    here = (client for client in reversed(_open_clients) if client.loop is loop)
    return next(here, _open_clients[-1])


def set_client(client: "CreditClient") -> "Token[CreditClient | None]":
    """Make `client` the one of this context; return what `reset_client` wants."""
    return _of_context.set(client)


def reset_client(token: "Token[CreditClient | None]") -> None:
    """Make the client of this context the one that it was before."""
    _of_context.reset(token)


def register(client: "CreditClient") -> None:
    """Make an opened client the process default."""
    _open_clients.append(client)


def unregister(client: "CreditClient") -> None:
    """Forget a closed client."""
    _open_clients[:] = [other for other in _open_clients if other is not client]


def settle_at_close(client: "CreditClient", unsettled: Unsettled) -> None:
    """Abandon `unsettled` before the client closes, if it is still alive then."""
    _unsettled.setdefault(client, WeakSet()).add(unsettled)


async def abandon_all(client: "CreditClient") -> None:
    """Abandon what would be left unsettled."""
    for unsettled in _unsettled.pop(client, ()):
        await unsettled.abandon()
