"""What a price may be given as, and what a cost is."""

from collections.abc import Callable
from decimal import Decimal
from typing import Protocol, TypeAlias, cast

from aiocredits._amounts import Micros, to_micros_or_zero
from aiocredits.types import Amount

Quantity: TypeAlias = int | Decimal


class Quoted(Protocol):
    """What a usage costs, as a `Quote` of `aiocredits.pricing` says it."""

    @property
    def micros(self) -> Micros:
        """In micro-credits."""
        ...


class Quotes(Protocol):
    """What can be quoted, as a `Price` of `aiocredits.pricing` can.

    A protocol, because that package takes time to import, and a fixed price does not need it.
    """

    @property
    def quantities(self) -> tuple[str, ...]:
        """The names of what it measures."""
        ...

    def measure(self, name: str, value: object) -> Quantity:
        """Return how much of a quantity is in `value`."""
        ...

    def quote(self, /, **usage: object) -> Quoted:
        """Return what `usage` costs."""
        ...

    def upper_bound(self, /, **limits: object) -> Quoted:
        """Return the most that usage within `limits` can cost."""
        ...


Cost: TypeAlias = Amount | Quoted
PriceOfCall: TypeAlias = Amount | Quotes | Callable[..., Cost]
"""An amount, a rule whose quantities are arguments or ``result``, or a callable of such."""

Estimate: TypeAlias = Amount | Callable[..., Cost]
Limit: TypeAlias = Quantity | str | Callable[..., Quantity]

PRICE = "the price"


def micros_of(cost: Cost) -> Micros:
    """Return a cost in micro-credits; nothing may cost nothing."""
    micros: object = getattr(cost, "micros", None)
    if isinstance(micros, int):
        return micros
    return to_micros_or_zero(cast("Amount", cost))  # which refuses whatever else it is
