"""The shapes of functions, each with its thin driver: it asks the charge, and runs the function.

The shape is found out once, when the function is decorated. Streams are in `streams`.
"""

import inspect
from collections.abc import Awaitable, Callable
from contextvars import Token
from functools import partial, wraps
from typing import Any, Literal, Protocol, TypeAlias

from aiocredits._bridge import run
from aiocredits._decorators.charge import Charge
from aiocredits._decorators.checked import Checked
from aiocredits._decorators.current import holding
from aiocredits._decorators.info import CreditInfo
from aiocredits._decorators.parameters import Args, Kwargs, name_of
from aiocredits._decorators.stream import Streamed
from aiocredits.errors import ConfigurationError, UsageError

Shape: TypeAlias = Literal["coroutine", "function", "generator", "async generator"]
AnyFunction: TypeAlias = Callable[..., Any]


class Plan(Protocol):
    """What a driver needs to know of the decoration."""

    def open(self, args: Args, kwargs: Kwargs) -> Charge:
        """Return the charge of one call, or raise what is wrong with the call."""
        ...

    def open_stream(self, args: Args, kwargs: Kwargs) -> Streamed | Checked:
        """Return the charge of one stream."""
        ...

    @property
    def aware(self) -> bool:
        """Whether the function asks for `credit_info`."""
        ...

    def tell(
        self, info: CreditInfo, args: Args, kwargs: dict[str, object]
    ) -> tuple[Args, dict[str, object]]:
        """Return the arguments with `credit_info` among them."""
        ...


def shape_of(function: AnyFunction) -> Shape:
    """Return what calling `function` gives: partials and callable objects are looked into."""
    while isinstance(function, partial):
        function = function.func
    if not inspect.isroutine(function):
        function = type(function).__call__
    if inspect.isasyncgenfunction(function):
        return "async generator"
    if inspect.isgeneratorfunction(function):
        return "generator"
    return "coroutine" if inspect.iscoroutinefunction(function) else "function"


def require_function(function: object) -> None:
    """Refuse what is not a function, or means something else."""
    if inspect.isclass(function):
        raise ConfigurationError(
            f"{name_of(function)} is a class: decorate the method that does the work"
        )
    if not callable(function):
        raise ConfigurationError(
            f"{function!r} cannot be called: write the decorator with its price, as in "
            "@consume_credits(5, 'Service'), and below @property and the like"
        )


def drive_coroutine(function: Callable[..., Awaitable[object]], plan: Plan) -> AnyFunction:
    """Charge around an ``await``."""

    @wraps(function)
    async def call(*args: object, **kwargs: object) -> object:
        charge = plan.open(args, kwargs)
        await charge.begin()
        token = holding.set(charge) if charge.hold else None
        try:
            if plan.aware:
                args, kwargs = plan.tell(await charge.info(), args, kwargs)
            result = await function(*args, **kwargs)
        except BaseException as error:
            await charge.fail(error)
            raise
        finally:
            if token:
                holding.reset(token)
        if charge.settles:
            await charge.succeed(result)
        return result

    return call


def drive_function(function: AnyFunction, plan: Plan) -> AnyFunction:
    """Charge around a plain call, which waits for the client's loop in another thread."""

    @wraps(function)
    def call(*args: object, **kwargs: object) -> object:
        charge = plan.open(args, kwargs)
        token: Token[Charge | None] | None = None
        try:
            # In here, because Ctrl+C may be seen just after it was charged.
            run(charge.client, charge.begin)
            token = holding.set(charge) if charge.hold else None
            if plan.aware:
                args, kwargs = plan.tell(run(charge.client, charge.info), args, kwargs)
            result = _not_awaitable(function(*args, **kwargs), function)
        except BaseException as failure:
            error = failure
            run(charge.client, lambda: charge.fail(error))
            raise
        finally:
            if token:
                holding.reset(token)
        if charge.settles:
            run(charge.client, lambda: charge.succeed(result))
        return result

    return call


def _not_awaitable(result: object, function: AnyFunction) -> object:
    if not inspect.isawaitable(result):
        return result
    if inspect.iscoroutine(result):
        result.close()
    raise UsageError(
        f"{name_of(function)}() is a plain function and returned something to await, whose work "
        "cannot be charged for: decorate the 'async def' function behind it"
    )
