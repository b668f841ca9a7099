"""What every decorator returns."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

from aiocredits._decorators.costs import PriceOfCall
from aiocredits._decorators.options import Options

P = ParamSpec("P")
T = TypeVar("T")


def decorator(
    price: PriceOfCall,
    service: str | None,
    options: Options,
    *,
    aware: bool = False,
    check_only: bool = False,
) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Return a decorator that charges `price` and keeps the type of what it decorates."""

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        # Here, so that whoever decorates nothing does not wait for the import.
        from aiocredits._decorators.plan import decorated  # noqa: PLC0415

        result = decorated(function, price, service, options, aware=aware, check_only=check_only)
        return cast("Callable[P, T]", result)

    return decorate
