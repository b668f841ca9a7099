"""A decoration: one function, and what its calls cost."""

from typing import Any, cast

from aiocredits._decorators.charge import Charge
from aiocredits._decorators.checked import Checked
from aiocredits._decorators.consumed import Consumed
from aiocredits._decorators.costs import PriceOfCall
from aiocredits._decorators.held import Held
from aiocredits._decorators.info import CreditInfo
from aiocredits._decorators.options import Options
from aiocredits._decorators.parameters import CREDIT_INFO, Args, Kwargs, Parameters
from aiocredits._decorators.prices import pricing_of
from aiocredits._decorators.shapes import (
    AnyFunction,
    drive_coroutine,
    drive_function,
    require_function,
    shape_of,
)
from aiocredits._decorators.stream import Streamed
from aiocredits._decorators.streams import drive_async_generator, drive_generator
from aiocredits._decorators.terms import Terms
from aiocredits.errors import ConfigurationError

DRIVERS = {
    "coroutine": drive_coroutine,
    "function": drive_function,
    "generator": drive_generator,
    "async generator": drive_async_generator,
}


class Decoration:
    """Makes the charge of each call; the same for all shapes."""

    def __init__(
        self,
        function: AnyFunction,
        price: PriceOfCall,
        service: str | None,
        options: Options,
        *,
        aware: bool = False,
        check_only: bool = False,
    ) -> None:
        self._shape = shape_of(function)
        self._parameters = Parameters(function, hidden=CREDIT_INFO if aware else None)
        self._check_only = check_only
        self._pricing = pricing_of(
            price,
            self._parameters,
            estimate=options.estimate,
            limit=options.limit,
            usage=options.usage,
        )
        if check_only and self._pricing.depends_on_result:
            raise ConfigurationError(
                "require_credits() looks before the work: the price cannot depend on the result"
            )
        waits = self._shape in {"function", "generator"}
        self._terms = Terms(self._parameters, self._pricing, service, options, waits=waits)
        self.aware = self._parameters.hidden_at is not None

    def open(self, args: Args, kwargs: Kwargs) -> Charge:
        """Return the charge of one call, or raise what is wrong with the call."""
        self._parameters.check(args, kwargs)
        payer = self._terms.payer(args, kwargs)
        estimate = self._pricing.estimate(args, kwargs)
        if self._check_only:
            return Checked(self._terms, payer, estimate)
        if self._pricing.depends_on_result:
            return Held(self._terms, payer, estimate, self._pricing.meter(args, kwargs))
        return Consumed(self._terms, payer, estimate)

    def open_stream(self, args: Args, kwargs: Kwargs) -> Streamed | Checked:
        """Return the charge of one stream."""
        self._parameters.check(args, kwargs)
        payer = self._terms.payer(args, kwargs)
        estimate = self._pricing.estimate(args, kwargs)
        if self._check_only:
            return Checked(self._terms, payer, estimate)
        return Streamed(self._terms, payer, estimate, self._pricing.meter(args, kwargs))

    def tell(
        self, info: CreditInfo, args: Args, kwargs: dict[str, object]
    ) -> tuple[Args, dict[str, object]]:
        """Return the arguments with `credit_info` among them, unless the caller passed one."""
        index = self._parameters.hidden_at
        if CREDIT_INFO in kwargs or index is None:
            return args, kwargs
        if len(args) > index:
            return (*args[:index], dict(info), *args[index:]), kwargs
        return args, {**kwargs, CREDIT_INFO: dict(info)}

    def decorate(self, function: AnyFunction) -> AnyFunction:
        """Return `function` with the charge around it."""
        decorated = DRIVERS[self._shape](function, self)
        if self.aware:
            # What the decorator fills in is nobody else's to fill in: not FastAPI's either.
            decorated.__signature__ = self._parameters.signature  # type: ignore[attr-defined]
            decorated.__annotations__ = {
                name: kind
                for name, kind in decorated.__annotations__.items()
                if name != CREDIT_INFO
            }
        return decorated


def decorated(
    function: AnyFunction,
    price: PriceOfCall,
    service: str | None,
    options: Options,
    *,
    aware: bool,
    check_only: bool,
) -> AnyFunction:
    """Return `function` with a charge around it, or refuse what cannot be charged for."""
    if isinstance(function, staticmethod | classmethod):
        descriptor = cast("Any", function)  # it is no function, but a decorator is given one
        inner = decorated(
            descriptor.__func__, price, service, options, aware=aware, check_only=check_only
        )
        return cast("AnyFunction", type(descriptor)(inner))
    require_function(function)
    decoration = Decoration(function, price, service, options, aware=aware, check_only=check_only)
    return decoration.decorate(function)
