"""The client: verbs over a storage, and the life of both."""

import asyncio
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum
from types import TracebackType
from typing import Self, TypeVar, get_args

from aiocredits import commands
from aiocredits._batching import GroupCommit
from aiocredits._care import CareVerbs
from aiocredits._checks import Duration, check_unit_cost
from aiocredits._commands import (
    BurnKey,
    CaptureHold,
    Command,
    Consume,
    ExtendHold,
    Linked,
    PlaceHold,
    Single,
    Transfer,
)
from aiocredits._context import abandon_all, register, reset_client, set_client, unregister
from aiocredits._finish import finish
from aiocredits._holding import CreditHold, OnError
from aiocredits._ledger import BURN_ORDER
from aiocredits._names import CREDITS
from aiocredits._queries import Page, Query
from aiocredits._reads import ReadVerbs
from aiocredits._receipt import Receipt
from aiocredits._transaction import CreditTransaction, join
from aiocredits._verbs import CreditVerbs, answer
from aiocredits.errors import ConfigurationError, UsageError
from aiocredits.storages import Storage, storage_from_url
from aiocredits.types import Amount, Clock, IfOver, IfShort, Metadata, UserId

Row = TypeVar("Row")

DEFAULT_URL = "sqlite:///aiocredits.db"
URL_VARIABLE = "AIOCREDITS_URL"


class _Life(Enum):
    UNOPENED = "has not been opened"
    OPEN = "is open"
    CLOSED = "has been closed"


def utc_now() -> datetime:
    """Return the present: the one place where this library reads a clock."""
    return datetime.now(UTC)  # noqa: TID251 - here, so that everybody else is given the time


class CreditClient(CreditVerbs, ReadVerbs, CareVerbs):
    """Credits of many users, in one storage.

        async with CreditClient("sqlite:///credits.db") as client:
            await client.add_credits("alice", 100, "welcome")
            receipt = await client.consume_credits("alice", "2.5", "one report")
            print(receipt.balance)  # 97.5

    `storage` is a URL, or a `Storage` object; without one it is the environment's
    ``AIOCREDITS_URL``, else ``sqlite:///aiocredits.db``. Making a client does no I/O; opening it
    belongs to one event loop, and all calls to the same. A client can be used by any number of
    tasks at once, and is the faster for it: what they ask at the same time is written together.

    `clock` returns the present as an aware datetime. `credit_price` is what a credit costs, in
    money, where its grant does not say. `burn_order` lists what decides which grant pays first.
    """

    def __init__(
        self,
        storage: str | Storage | None = None,
        *,
        clock: Clock = utc_now,
        credit_price: Decimal | int | str = 0,
        burn_order: Sequence[BurnKey] | None = None,
    ) -> None:
        if storage is None:
            storage = os.environ.get(URL_VARIABLE) or DEFAULT_URL
        self._storage = storage_from_url(storage) if isinstance(storage, str) else storage
        self._clock = clock
        self._burn_order = _checked_order(burn_order)
        self.credit_price = check_unit_cost(credit_price) or Decimal(0)
        self._life = _Life.UNOPENED
        self._loop: asyncio.AbstractEventLoop | None = None
        self._commits = GroupCommit(self._storage, self._now)

    # Its life

    async def open(self) -> Self:
        """Open the storage, on this event loop; `async with` does it for you."""
        if self._life is _Life.OPEN:
            raise UsageError("this CreditClient is open already: open it once, and share it")
        await self._storage.open()
        self._loop = asyncio.get_running_loop()
        self._life = _Life.OPEN
        register(self)
        return self

    async def close(self) -> None:
        """Wait for what is being written and close the storage; closing twice is harmless."""
        if self._life is _Life.OPEN:
            # Streams that are not read any more: later nobody could charge for what they gave.
            await finish(abandon_all(self))
        if self._life is not _Life.OPEN:
            return
        self._life = _Life.CLOSED
        unregister(self)
        await finish(self._close())

    async def __aenter__(self) -> Self:
        """Open the storage."""
        return await self.open()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the storage."""
        await self.close()

    def __enter__(self) -> Self:
        """Say which of two things to write."""
        raise UsageError(
            "CreditClient is asynchronous: write 'async with CreditClient() as client:' in a "
            "coroutine, or 'with SyncCreditClient() as client:' in synchronous code"
        )

    def __exit__(self, *error: object) -> None:
        """Never be reached: `__enter__` raises."""

    def use(self) -> "UsedClient":
        """Make this the client of decorators and quick functions inside a ``with`` block."""
        return UsedClient(self)

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The event loop that the client is open on; None while it is not open."""
        return self._loop if self._life is _Life.OPEN else None

    def sibling(self) -> "CreditClient | None":
        """Return a client of the same books for another event loop, even one that blocks this.

        It is None where the storage cannot do that.
        """
        share = getattr(self._storage, "sibling", None)
        if share is None:
            return None
        return CreditClient(
            share(),
            clock=self._clock,
            credit_price=self.credit_price,
            burn_order=self._burn_order,
        )

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
    ) -> CreditHold:
        """Reserve `credits` for an ``async with`` block and charge what the block used.

            async with client.hold("alice", 20) as hold:
                answer = await model(question)
                hold.use(price(answer))

        The arguments are those of `hold_credits`; `if_over` is for what `use` was told above the
        hold, as in `capture_hold`.
        """

        def place() -> PlaceHold:
            return commands.hold_credits(
                user_id,
                credits,
                description,
                timeout=timeout,
                service=service,
                actor=actor,
                if_short=if_short,
                unit=unit,
                metadata=metadata,
                idempotency_key=idempotency_key,
            )

        return CreditHold(self, place, on_error=on_error, if_over=if_over)

    async def resume_hold(
        self, hold_id: str, *, if_over: IfOver = "available", on_error: OnError = "release"
    ) -> CreditHold:
        """Return a hold that was placed elsewhere, for an ``async with`` block of this process."""
        hold = await self.get_hold(hold_id)
        return CreditHold(self, None, hold, on_error=on_error, if_over=if_over)

    # A transaction of the caller's

    def in_transaction(self, connection: object) -> CreditTransaction:
        """Return the same verbs, for use inside a transaction of yours: PostgreSQL only.

            async with pool.acquire() as connection, connection.transaction():
                await connection.execute("INSERT INTO reports …")
                await client.in_transaction(connection).consume_credits("alice", 5, "a report")

        Your rows and the charge are committed together, or neither is. `connection` is asyncpg's,
        to the database that the credits are in.
        """
        self._require_open()
        storage = join(self._storage, connection)
        return CreditTransaction(storage, self._now, self._in_own_order, self.credit_price)

    # What the verbs stand on

    async def submit(self, command: Command) -> Receipt:
        """Return the receipt of one of `aiocredits.commands`, or raise why it was refused."""
        self._require_open()
        return answer(await self._commits.submit(self._in_own_order(command)))

    async def _read(self, query: Query[Row]) -> Page[Row]:
        self._require_open()
        return await self._storage.read(query)

    def _now(self) -> datetime:
        now = self._clock()
        if now.utcoffset() is None:
            raise ConfigurationError(
                f"the clock returned {now!r}, which has no time zone: return datetime.now(UTC)"
            )
        return now if now.utcoffset() == timedelta(0) else now.astimezone(UTC)

    def _require_open(self) -> None:
        if self._life is not _Life.OPEN:
            raise UsageError(
                f"this CreditClient {self._life.value}: use it inside "
                "'async with CreditClient() as client:'"
            )
        if asyncio.get_running_loop() is not self._loop:
            raise UsageError(
                "this CreditClient was opened on another event loop: open one on each loop, or use "
                "SyncCreditClient from threads"
            )

    def _in_own_order(self, command: Command) -> Command:
        if self._burn_order is None:
            return command
        if isinstance(command, Linked):
            return Linked(tuple(self._one_in_own_order(member) for member in command.commands))
        return self._one_in_own_order(command)

    def _one_in_own_order(self, command: Single) -> Single:
        match command:
            case Consume() | PlaceHold() | CaptureHold() | ExtendHold() | Transfer():
                return command._replace(burn_order=self._burn_order)
            case _:
                return command

    async def _close(self) -> None:
        await self._commits.drain()
        await self._storage.close()


class UsedClient:
    """``with client.use():`` - the block's decorators and quick functions mean this client."""

    def __init__(self, client: CreditClient) -> None:
        self._client = client

    def __enter__(self) -> CreditClient:
        """Make the client the one of this context."""
        self._token = set_client(self._client)
        return self._client

    def __exit__(self, *error: object) -> None:
        """Put back what was there before."""
        reset_client(self._token)


def _checked_order(order: Sequence[BurnKey] | None) -> tuple[BurnKey, ...] | None:
    if order is None or tuple(order) == BURN_ORDER:
        return None
    legal = get_args(BurnKey)
    if len(set(order)) != len(order) or not set(order) <= set(legal):
        raise ConfigurationError(
            f"burn_order {tuple(order)!r}: list some of {', '.join(legal)}, each at most once"
        )
    # Whatever is not listed decides ties as it does by default, so that the order is total.
    return (*order, *(key for key in BURN_ORDER if key not in order))
