"""Binding a price to the parameters of a function, or refusing what cannot be bound."""

import inspect
from collections.abc import Callable, Mapping
from typing import cast

from aiocredits._amounts import Micros
from aiocredits._decorators.costs import (
    PRICE,
    Cost,
    Estimate,
    Limit,
    PriceOfCall,
    Quotes,
    micros_of,
)
from aiocredits._decorators.meters import (
    AskedPricing,
    Estimated,
    KnownPricing,
    Pricing,
    RulePricing,
)
from aiocredits._decorators.parameters import Args, Getter, Kwargs, Parameters
from aiocredits._decorators.selectors import RESULT, asking, names_asked, path, split_path
from aiocredits.errors import ConfigurationError
from aiocredits.types import Amount


def pricing_of(
    price: PriceOfCall,
    parameters: Parameters,
    *,
    estimate: Estimate | None = None,
    limit: Limit | None = None,
    usage: Mapping[str, str] | None = None,
) -> Pricing:
    """Bind `price` to the parameters of a function, or refuse what cannot be."""
    is_rule = hasattr(price, "quantities")
    if is_rule:
        pricing = _of_rule(cast("Quotes", price), parameters, limit, usage or {})
    elif callable(price):
        pricing = _of_callable(price, parameters, needs_estimate=estimate is None)
    else:
        pricing = KnownPricing(_constant(cast("Amount", price)))
    if usage and not is_rule:
        raise ConfigurationError("usage= says where a rule finds its quantities: give it a rule")
    if limit is not None and not isinstance(pricing, RulePricing):
        raise ConfigurationError(
            "limit= bounds what a rule measures of the result, and this price measures none of "
            "it: drop limit=, or use estimate="
        )
    if estimate is None:
        return pricing
    return Estimated(pricing, _amount_getter(estimate, parameters, "estimate="))


def _of_rule(
    price: Quotes, parameters: Parameters, limit: Limit | None, usage: Mapping[str, str]
) -> Pricing:
    if unknown := [name for name in usage if name not in price.quantities]:
        needed = ", ".join(map(repr, price.quantities)) or "nothing"
        raise ConfigurationError(f"usage= names {unknown[0]!r}, and the price measures {needed}")
    before: dict[str, Getter] = {}
    after: dict[str, list[str]] = {}
    for name in price.quantities:
        where = usage.get(name, name)
        root, *steps = split_path(where, PRICE)
        if root == RESULT and RESULT not in parameters:
            after[name] = steps
        else:
            before[name] = path(where, parameters, PRICE)
    if after:
        return RulePricing(price, before, after, _limit_getter(limit, parameters))

    def quote(args: Args, kwargs: Kwargs) -> Micros:
        return price.quote(**{name: read(args, kwargs) for name, read in before.items()}).micros

    return KnownPricing(quote if before else _constant(price.quote()))


def _of_callable(
    function: Callable[..., Cost], parameters: Parameters, *, needs_estimate: bool
) -> Pricing:
    names = names_asked(function, parameters, PRICE)
    if names is None or RESULT not in names or RESULT in parameters:
        return KnownPricing(_amount_getter(function, parameters, PRICE))
    if needs_estimate:
        raise ConfigurationError(
            f"{parameters.function_name}() is priced by its result: say with estimate= what to "
            "reserve before the work"
        )
    reads = {name: parameters.getter(name, PRICE) for name in names if name != RESULT}
    return AskedPricing(function, reads)


def _constant(amount: Cost) -> Callable[[Args, Kwargs], Micros]:
    micros = micros_of(amount)
    return lambda _args, _kwargs: micros


def _amount_getter(
    amount: Estimate, parameters: Parameters, wanted: str
) -> Callable[[Args, Kwargs], Micros]:
    if not callable(amount):
        return _constant(amount)
    function = amount
    ask = asking(function, parameters, wanted)
    return lambda args, kwargs: micros_of(ask(args, kwargs))  # type: ignore[arg-type]


def _limit_getter(limit: Limit | None, parameters: Parameters) -> Getter:
    if limit is None:
        # The least that a result can be, so that who cannot pay for any is refused before the work.
        return lambda _args, _kwargs: 1
    if callable(limit):
        return asking(limit, parameters, "limit=")
    if isinstance(limit, str):
        return path(limit, parameters, f"limit={limit!r}")
    if inspect.isclass(limit):
        raise ConfigurationError(f"limit={limit!r} is no quantity")
    return lambda _args, _kwargs: limit
