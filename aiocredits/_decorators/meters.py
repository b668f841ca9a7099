"""Prices of calls: what is known before the work, and what only its result tells."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping

from aiocredits._amounts import Micros
from aiocredits._decorators.costs import PRICE, Cost, Quantity, Quotes, micros_of
from aiocredits._decorators.parameters import Args, Getter, Kwargs
from aiocredits._decorators.selectors import follow
from aiocredits.errors import ConfigurationError


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
