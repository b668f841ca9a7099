"""Prices of calls: what is known before the work, and what only its result tells."""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Protocol, TypeAlias, cast

from aiocredits._amounts import Micros, to_micros_or_zero
from aiocredits._decorators.parameters import Args, Getter, Kwargs, Parameters
from aiocredits._decorators.selectors import RESULT, asking, follow, names_asked, path, split_path
from aiocredits.errors import ConfigurationError
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


class Meter(ABC):
    """What one call costs, as its results come in."""

    @property
    @abstractmethod
    def total(self) -> Micros:
        """What the call costs with the results so far."""

    @abstractmethod
    def add(self, result: object) -> Micros:
        """Count a result, or one item of a stream; return the total."""


class Pricing(ABC):
    """A price, bound to the parameters of one function."""

    depends_on_result = True

    @abstractmethod
    def estimate(self, args: Args, kwargs: Kwargs) -> Micros:
        """Return what to reserve before the work; the price itself where that is known."""

    @abstractmethod
    def meter(self, args: Args, kwargs: Kwargs) -> Meter:
        """Return what counts the results of one call."""


class KnownMeter(Meter):
    """A cost that no result changes."""

    def __init__(self, total: Micros) -> None:
        self._total = total

    @property
    def total(self) -> Micros:
        return self._total

    def add(self, result: object) -> Micros:  # noqa: ARG002 - see Meter
        return self._total


class KnownPricing(Pricing):
    """A price that the arguments decide."""

    depends_on_result = False

    def __init__(self, amount: Callable[[Args, Kwargs], Micros]) -> None:
        self.amount = amount

    def estimate(self, args: Args, kwargs: Kwargs) -> Micros:
        return self.amount(args, kwargs)

    def meter(self, args: Args, kwargs: Kwargs) -> Meter:
        return KnownMeter(self.amount(args, kwargs))


class RulePricing(Pricing):
    """A rule of `aiocredits.pricing` that measures results."""

    def __init__(
        self,
        price: Quotes,
        before: Mapping[str, Getter],
        after: Mapping[str, list[str]],
        limit: Getter,
    ) -> None:
        self._price = price
        self._before = before
        self._after = after
        self._limit = limit

    def estimate(self, args: Args, kwargs: Kwargs) -> Micros:
        limit = self._limit(args, kwargs)
        limits = dict.fromkeys(self._after, limit)
        return self._price.upper_bound(**self._measured(args, kwargs), **limits).micros

    def meter(self, args: Args, kwargs: Kwargs) -> Meter:
        return _RuleMeter(self._price, self._measured(args, kwargs), self._after)

    def _measured(self, args: Args, kwargs: Kwargs) -> dict[str, Quantity]:
        return {
            name: self._price.measure(name, read(args, kwargs))
            for name, read in self._before.items()
        }


class _RuleMeter(Meter):
    def __init__(
        self, price: Quotes, before: dict[str, Quantity], after: Mapping[str, list[str]]
    ) -> None:
        self._price = price
        self._after = after
        self._usage: dict[str, Quantity] = before | dict.fromkeys(after, 0)

    @property
    def total(self) -> Micros:
        return self._price.quote(**self._usage).micros

    def add(self, result: object) -> Micros:
        for name, steps in self._after.items():
            value = follow(result, steps, PRICE)
            # An item of a stream that carries no usage; of a plain result, None is an error.
            if value is not None or not steps:
                self._usage[name] += self._price.measure(name, value)
        return self.total


class AskedPricing(Pricing):
    """A callable that is asked for the price of each result."""

    def __init__(self, function: Callable[..., Cost], reads: Mapping[str, Getter]) -> None:
        self._function = function
        self._reads = reads

    def estimate(self, args: Args, kwargs: Kwargs) -> Micros:  # noqa: ARG002 - see Pricing
        raise ConfigurationError(
            "a callable that prices the result needs estimate=: what to reserve before the work"
        )

    def meter(self, args: Args, kwargs: Kwargs) -> Meter:
        asked = {name: read(args, kwargs) for name, read in self._reads.items()}
        return _AskedMeter(self._function, asked)


class _AskedMeter(Meter):
    def __init__(self, function: Callable[..., Cost], asked: Mapping[str, object]) -> None:
        self._function = function
        self._asked = asked
        self._total: Micros = 0

    @property
    def total(self) -> Micros:
        return self._total

    def add(self, result: object) -> Micros:
        self._total += micros_of(self._function(**self._asked, result=result))
        return self._total


class Estimated(Pricing):
    """Another price, with an estimate of the caller's own."""

    def __init__(self, pricing: Pricing, estimate: Callable[[Args, Kwargs], Micros]) -> None:
        self._pricing = pricing
        self._estimate = estimate

    def estimate(self, args: Args, kwargs: Kwargs) -> Micros:
        return self._estimate(args, kwargs)

    def meter(self, args: Args, kwargs: Kwargs) -> Meter:
        return self._pricing.meter(args, kwargs)


def micros_of(cost: Cost) -> Micros:
    """Return a cost in micro-credits; nothing may cost nothing."""
    micros: object = getattr(cost, "micros", None)
    if isinstance(micros, int):
        return micros
    return to_micros_or_zero(cast("Amount", cost))  # which refuses whatever else it is


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
