"""Which client a decorated function means."""

from collections.abc import Callable
from typing import Protocol, TypeAlias

from aiocredits._client import CreditClient
from aiocredits._context import current_client
from aiocredits.errors import ConfigurationError


class LendsClient(Protocol):
    """Has a `CreditClient` that is open on some event loop, as `SyncCreditClient` does."""

    @property
    def client(self) -> CreditClient:
        """The client that does the work."""
        ...


ClientSource: TypeAlias = CreditClient | LendsClient | Callable[[], CreditClient | LendsClient]
"""A client, or a callable that returns one."""


def find_client(source: ClientSource | None) -> CreditClient:
    """Return the client that `source` means; None means the current one."""
    if source is None:
        return current_client()
    found = source() if callable(source) else source
    return found if isinstance(found, CreditClient) else found.client


def check_source(source: object) -> None:
    """Refuse what can never lead to a client."""
    if source is None or callable(source) or isinstance(source, CreditClient):
        return
    # Not hasattr(): that would open a SyncCreditClient, when a module is imported.
    if not hasattr(type(source), "client"):
        raise ConfigurationError(
            f"client={source!r}: pass a CreditClient, a SyncCreditClient, or a callable that "
            "returns one"
        )
