"""The three decorators that take any price."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar, Unpack

from aiocredits._decorators.costs import PriceOfCall
from aiocredits._decorators.decorator import decorator
from aiocredits._decorators.options import CALL_OPTIONS, CallOptions, ChargeOptions, Options

P = ParamSpec("P")
T = TypeVar("T")


def consume_credits(
    price: PriceOfCall, service: str | None = None, **options: Unpack[ChargeOptions]
) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Charge each call of a function, a method, a generator or a coroutine of any kind.

        @consume_credits(5, "AI Chat Service")
        async def chat(user_id: str, message: str) -> str: ...

    `price` is an amount; a rule of `aiocredits.pricing`, whose quantities are parameters of the
    function, or ``result``; or a callable that takes such by name and returns an amount. `service`
    is what the charge is for, and its description.

    A price that is known before the work is charged before it, and given back if the function
    raises, whatever it raises. One that depends on the result is reserved, and charged when it is
    known. Streams are always reserved, and charged for what was delivered. See `ChargeOptions`
    for the rest. The type of the function stays what it was.
    """
    return decorator(price, service, Options.of(options))


def require_credits(
    price: PriceOfCall, service: str | None = None, **options: Unpack[CallOptions]
) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Refuse each call of a function whose user does not have `price`, and charge nothing.

        @require_credits(10, "Premium Service")
        async def open_editor(user_id: str) -> Editor: ...

    It only looks. What it saw may be spent a moment later: to rely on it, use `consume_credits`.
    """
    return decorator(price, service, Options.of(options, known=CALL_OPTIONS), check_only=True)


def credit_aware(
    price: PriceOfCall = 0, service: str | None = None, **options: Unpack[ChargeOptions]
) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Charge as `consume_credits` does, and tell the function about it if it asks.

        @credit_aware(5, "Service")
        async def answer(user_id: str, credit_info: dict[str, Decimal] | None = None) -> str: ...

    ``credit_info["current_balance"]`` is what the user can spend after the charge, and
    ``credit_info["credits"]`` what was charged, or reserved. The parameter is filled in by the
    decorator and is not part of the signature that FastAPI and others see.
    """
    return decorator(price, service, Options.of(options), aware=True)
