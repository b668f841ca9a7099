"""The client's verbs inside a transaction that the caller has begun."""

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Protocol, TypeVar, runtime_checkable

from aiocredits._commands import Command, Outcome
from aiocredits._queries import Page, Query
from aiocredits._reads import ReadVerbs
from aiocredits._receipt import Receipt
from aiocredits._verbs import CreditVerbs, answer
from aiocredits.errors import ConfigurationError
from aiocredits.types import Clock

Row = TypeVar("Row")


class Joined(Protocol):
    """A storage's two verbs inside somebody else's transaction."""

    async def apply(self, commands: Sequence[Command], *, at: datetime) -> Sequence[Outcome]:
        """Run the commands; they last if the transaction is committed."""
        ...

    async def read(self, query: Query[Row]) -> Page[Row]:
        """Answer a query with what the transaction sees."""
        ...


@runtime_checkable
class Joinable(Protocol):
    """A storage that can take part in a transaction of its driver's connection."""

    def joined(self, connection: object) -> Joined:
        """Return the storage's verbs inside the transaction that `connection` is in."""
        ...


class CreditTransaction(CreditVerbs, ReadVerbs):
    """The verbs of a client, inside a transaction of yours; `CreditClient.in_transaction` makes it.

    Receipts are of what will be true once you commit. A refusal is raised as always and leaves your
    transaction usable. The accounts that you write to stay locked until your transaction ends: keep
    it short, and do not wait inside it for the client's own verbs on the same accounts, which wait
    for you.
    """

    def __init__(
        self,
        storage: Joined,
        clock: Clock,
        prepare: Callable[[Command], Command],
        credit_price: Decimal,
    ) -> None:
        self._storage = storage
        self._clock = clock
        self._prepare = prepare
        self.credit_price = credit_price

    async def submit(self, command: Command) -> Receipt:
        """Return the receipt of one of `aiocredits.commands`, or raise why it was refused."""
        (outcome,) = await self._storage.apply([self._prepare(command)], at=self._clock())
        return answer(outcome)

    async def _read(self, query: Query[Row]) -> Page[Row]:
        return await self._storage.read(query)

    def _now(self) -> datetime:
        return self._clock()


def join(storage: object, connection: object) -> Joined:
    """Return the storage's verbs inside a transaction, or say that it has none."""
    if not isinstance(storage, Joinable):
        raise ConfigurationError(
            f"{type(storage).__name__} cannot take part in a transaction of yours: keep the "
            "credits in PostgreSQL, beside your own tables, with CreditClient('postgresql://…')"
        )
    return storage.joined(connection)
