"""The synchronous client: an asynchronous one on an event loop of its own, in a thread."""

import atexit
import os
import threading
import weakref
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from decimal import Decimal
from enum import Enum
from functools import partial
from types import TracebackType
from typing import Self

from aiocredits import commands
from aiocredits._bridge import disown, own, run
from aiocredits._checks import Duration
from aiocredits._client import CreditClient, UsedClient, utc_now
from aiocredits._commands import BurnKey
from aiocredits._context import unregister
from aiocredits._holding import OnError
from aiocredits._names import CREDITS
from aiocredits._sync.hold import SyncCreditHold
from aiocredits._sync.verbs import CreditVerbs
from aiocredits.errors import UsageError
from aiocredits.storages import Storage
from aiocredits.types import Amount, Clock, IfOver, IfShort, Metadata, UserId


class _Life(Enum):
    UNOPENED = "unopened"
    OPEN = "open"
    CLOSED = "closed"


class SyncCreditClient(CreditVerbs):
    """Credits of many users, for code without an event loop.

        with SyncCreditClient("sqlite:///credits.db") as client:
            client.add_credits("alice", 100, "welcome")
            receipt = client.consume_credits("alice", "2.5", "one report")
            print(receipt.balance)  # 97.5

    The verbs and the arguments are those of `CreditClient`; what is an asynchronous iterator there
    is an iterator here. It opens itself at the first verb, and closes at the end of its block, or
    of the process. Any number of threads can share it, and so can the processes forked from one
    that had it, as long as its storage is a URL.
    """

    def __init__(
        self,
        storage: str | Storage | None = None,
        *,
        clock: Clock = utc_now,
        credit_price: Decimal | int | str = 0,
        burn_order: Sequence[BurnKey] | None = None,
    ) -> None:
        make = partial(
            CreditClient, storage, clock=clock, credit_price=credit_price, burn_order=burn_order
        )
        self._prepare(make, is_default=True)

    @classmethod
    def beside(cls, client: CreditClient) -> Self | None:
        """Return a client of the same books with an event loop of its own, if they can be shared.

        It is nobody's default.
        """
        first = client.sibling()
        if first is None:
            return None
        self = cls.__new__(cls)
        self._prepare(lambda: client.sibling() or first, is_default=False)
        return self

    def _prepare(self, make: Callable[[], CreditClient], *, is_default: bool) -> None:
        self._make = make
        self._client = make()
        self._is_default = is_default
        self._life = _Life.UNOPENED
        self._lock = threading.RLock()
        self._thread = ExitStack()
        _all.add(self)

    # Its life

    @property
    def client(self) -> CreditClient:
        """The asynchronous client that does the work, on an event loop of its own."""
        if self._life is _Life.CLOSED:
            raise UsageError(
                "this SyncCreditClient has been closed: use it inside 'with SyncCreditClient() as "
                "client:', or open() it again"
            )
        if self._life is not _Life.OPEN:
            self.open()
        return self._client

    def open(self) -> Self:
        """Open the storage; the first verb does it for you."""
        with self._lock:
            if self._life is not _Life.OPEN:
                self._start()
                self._life = _Life.OPEN
        return self

    def close(self) -> None:
        """Settle what is unsettled and close the storage; closing twice is harmless."""
        with self._lock:
            if self._life is _Life.OPEN:
                self._life = _Life.CLOSED
                self._thread.close()

    def __enter__(self) -> Self:
        """Open the storage."""
        return self.open()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the storage."""
        self.close()

    def use(self) -> UsedClient:
        """Make this the client of decorators and quick functions inside a ``with`` block."""
        return self.client.use()

    # Holds, as a block

    def hold(
        self,
        user_id: UserId,
        credits: Amount,
        description: str = "",
        *,
        timeout: Duration = commands.DEFAULT_TIMEOUT,
        service: str | None = None,
        actor: str | None = None,
        if_short: IfShort = "reject",
        if_over: IfOver = "available",
        on_error: OnError = "release",
        unit: str = CREDITS,
        metadata: Metadata | None = None,
        idempotency_key: str | None = None,
    ) -> SyncCreditHold:
        """Reserve `credits` for a ``with`` block and charge what the block used.

            with SyncCreditClient("memory://") as client:
                client.add_credits("alice", 20)
                with client.hold("alice", 20) as hold:
                    hold.use("2.5")

        The arguments are those of `hold_credits`, and `if_over` is for what `use` was told above
        the hold.
        """
        client = self.client
        hold = client.hold(
            user_id,
            credits,
            description,
            timeout=timeout,
            service=service,
            actor=actor,
            if_short=if_short,
            if_over=if_over,
            on_error=on_error,
            unit=unit,
            metadata=metadata,
            idempotency_key=idempotency_key,
        )
        return SyncCreditHold(client, hold)

    def resume_hold(
        self, hold_id: str, *, if_over: IfOver = "available", on_error: OnError = "release"
    ) -> SyncCreditHold:
        """Return a hold that was placed elsewhere, for a ``with`` block of this process."""
        client = self.client
        hold = run(client, lambda: client.resume_hold(hold_id, if_over=if_over, on_error=on_error))
        return SyncCreditHold(client, hold)

    # Its thread

    def _start(self) -> None:
        from anyio.from_thread import start_blocking_portal  # noqa: PLC0415 - takes its time

        with ExitStack() as stack:
            portal = stack.enter_context(start_blocking_portal("asyncio"))
            client = self._client
            portal.call(client.open)
            stack.callback(portal.call, client.close)
            if not self._is_default:
                unregister(client)
            if client.loop is not None:
                own(client.loop)
                stack.callback(disown, client.loop)
            self._thread = stack.pop_all()

    def _after_fork(self) -> None:
        # The thread stayed in the parent. What it had open is the parent's as well: it is neither
        # used nor closed here, and kept from being collected, which would close it.
        unregister(self._client)
        _parents.append((self._client, self._thread))
        self._client = self._make()
        self._lock, self._thread = threading.RLock(), ExitStack()
        if self._life is _Life.OPEN:
            self._life = _Life.UNOPENED


_all: "weakref.WeakSet[SyncCreditClient]" = weakref.WeakSet()
_parents: list[tuple[CreditClient, ExitStack]] = []


def _close_all() -> None:
    for client in tuple(_all):
        client.close()


def _renew_all() -> None:
    for client in tuple(_all):
        # Nobody else may call it.
        client._after_fork()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=_renew_all)
