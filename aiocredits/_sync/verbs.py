"""Every verb of `CreditClient`, waited for: made of the asynchronous ones, so that none differs."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from aiocredits._bridge import run
from aiocredits._client import CreditClient

P = ParamSpec("P")
T = TypeVar("T")

AT_ONCE = 500
"""How many rows of an iterator cross between the threads together: a page."""


class SyncVerbs(ABC):
    """What can be asked for, over whatever has a `CreditClient` that is open on a loop."""

    @property
    @abstractmethod
    def client(self) -> CreditClient:
        """The asynchronous client that does the work."""


def blocking(
    method: Callable[Concatenate[CreditClient, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[SyncVerbs, P], T]:
    """Return a method that waits for what `method` returns."""

    @wraps(method)
    def wait(self: SyncVerbs, /, *args: P.args, **kwargs: P.kwargs) -> T:
        client = self.client
        return run(client, lambda: method(client, *args, **kwargs))

    return wait


def iterating(
    method: Callable[Concatenate[CreditClient, P], AsyncIterator[T]],
) -> Callable[Concatenate[SyncVerbs, P], Iterator[T]]:
    """Return a method that yields what `method` yields, and waits for a page at a time."""

    @wraps(method)
    def iterate(self: SyncVerbs, /, *args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        client = self.client
        rows = method(client, *args, **kwargs)
        while page := run(client, lambda: _some_of(rows)):
            yield from page

    return iterate


async def _some_of(rows: AsyncIterator[T]) -> list[T]:
    page: list[T] = []
    async for row in rows:
        page.append(row)
        if len(page) == AT_ONCE:
            break
    return page


class CreditVerbs(SyncVerbs):
    """The verbs of `CreditClient`, under the same names and with the same arguments."""

    apply_all = blocking(CreditClient.apply_all)

    add_credits = blocking(CreditClient.add_credits)
    consume_credits = blocking(CreditClient.consume_credits)
    refund_credits = blocking(CreditClient.refund_credits)
    transfer_credits = blocking(CreditClient.transfer_credits)

    hold_credits = blocking(CreditClient.hold_credits)
    capture_hold = blocking(CreditClient.capture_hold)
    release_hold = blocking(CreditClient.release_hold)
    extend_hold = blocking(CreditClient.extend_hold)

    activate_grant = blocking(CreditClient.activate_grant)
    fail_grant = blocking(CreditClient.fail_grant)
    revoke_grant = blocking(CreditClient.revoke_grant)
    set_expiry = blocking(CreditClient.set_expiry)

    set_overdraft_limit = blocking(CreditClient.set_overdraft_limit)
    set_time_zone = blocking(CreditClient.set_time_zone)
    freeze_account = blocking(CreditClient.freeze_account)
    unfreeze_account = blocking(CreditClient.unfreeze_account)
    close_account = blocking(CreditClient.close_account)
    reopen_account = blocking(CreditClient.reopen_account)

    get_user_balance = blocking(CreditClient.get_user_balance)
    get_balance = blocking(CreditClient.get_balance)
    can_afford = blocking(CreditClient.can_afford)
    get_user_credit_status = blocking(CreditClient.get_user_credit_status)
    get_grant = blocking(CreditClient.get_grant)
    get_hold = blocking(CreditClient.get_hold)
    get_entry = blocking(CreditClient.get_entry)

    entries = iterating(CreditClient.entries)
    grants = iterating(CreditClient.grants)
    holds = iterating(CreditClient.holds)

    run_maintenance = blocking(CreditClient.run_maintenance)
    verify = blocking(CreditClient.verify)
