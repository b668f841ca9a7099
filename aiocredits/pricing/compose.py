# ruff: noqa: D102 - evaluate and breaks are documented where Price declares them
"""Rules, and how they are composed.

A `Rule` is a price that can still be composed: `+`, `minimum`, `maximum`, `free`, `multiply`. What
has been rounded, or stands in a book, quotes and is composed no further, because a price is
rounded once, at its end.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain

from aiocredits.errors import ConfigurationError
from aiocredits.pricing._numbers import Exact, exact, parse_count, parse_number
from aiocredits.pricing.meter import Measured
from aiocredits.pricing.price import Price
from aiocredits.pricing.quantities import UNITS, Measure
from aiocredits.pricing.quote import (
    Part,
    Quote,
    Rounding,
    RoundingMode,
    make_rounding,
    settle_quote,
)
from aiocredits.types import Amount


@dataclass(frozen=True, slots=True)
class Rule(Price):
    """A price that can be composed."""

    def __add__(self, other: "Rule") -> "Rule":
        if not isinstance(other, Rule):
            return NotImplemented
        return Sum((*_terms(self), *_terms(other)))

    def minimum(self, amount: Amount) -> "Rule":
        """Charge at least `amount`, for no usage too."""
        return Minimum(self, parse_number("minimum", amount))

    def maximum(self, amount: Amount) -> "Rule":
        """Charge at most `amount`."""
        return Maximum(self, parse_number("maximum", amount))

    def free(self, quantity: int, *, of: str) -> "Rule":
        """Charge nothing for the first `quantity`, counted as it is measured: bytes, not MB."""
        return Free(self, parse_count("free", quantity), of)

    def multiply(self, factor: Amount) -> "Rule":
        """Mark up (``"1.2"``) or down (``"0.8"``)."""
        return Multiply(self, parse_number("factor", factor))

    def round(self, to: Amount, mode: RoundingMode = "up") -> "Rounded":
        """Round the total to a multiple of `to`; the default is up, to the micro-credit."""
        return Rounded(self, make_rounding(to, mode))


@dataclass(frozen=True, slots=True)
class Sum(Rule):
    """Several prices together."""

    prices: tuple[Rule, ...]

    def __post_init__(self) -> None:
        if not self.prices:
            raise ConfigurationError("a sum of no prices: give at least one, or flat(0)")
        object.__setattr__(self, "measures", merge_measures(self.prices))

    def evaluate(self, usage: Measured, parts: list[Part]) -> Exact:
        return sum(price.evaluate(usage, parts) for price in self.prices)

    def breaks(self, name: str) -> Iterable[Exact]:
        return chain.from_iterable(price.breaks(name) for price in self.prices)


@dataclass(frozen=True, slots=True)
class _Wrapper(Rule):
    """Changes what one other price charges."""

    price: Rule

    def __post_init__(self) -> None:
        object.__setattr__(self, "measures", self.price.measures)
        self._check()

    def _check(self) -> None:
        pass

    def breaks(self, name: str) -> Iterable[Exact]:
        return self.price.breaks(name)


@dataclass(frozen=True, slots=True)
class Minimum(_Wrapper):
    """At least an amount."""

    amount: Decimal

    def _check(self) -> None:
        if isinstance(self.price, Maximum):
            _check_order(self.amount, self.price.amount)

    def evaluate(self, usage: Measured, parts: list[Part]) -> Exact:
        amount, floor = self.price.evaluate(usage, parts), exact(self.amount)
        if amount >= floor:
            return amount
        parts.append(Part("minimum", floor - amount, self.amount))
        return floor


@dataclass(frozen=True, slots=True)
class Maximum(_Wrapper):
    """At most an amount."""

    amount: Decimal

    def _check(self) -> None:
        if isinstance(self.price, Minimum):
            _check_order(self.price.amount, self.amount)

    def evaluate(self, usage: Measured, parts: list[Part]) -> Exact:
        amount, cap = self.price.evaluate(usage, parts), exact(self.amount)
        if amount <= cap:
            return amount
        parts.append(Part("maximum", cap - amount, self.amount))
        return cap


@dataclass(frozen=True, slots=True)
class Free(_Wrapper):
    """The first of a quantity for nothing."""

    quantity: int
    of: str

    def _check(self) -> None:
        if self.of not in self.measures:
            needed = ", ".join(map(repr, self.measures)) or "nothing"
            raise ConfigurationError(f"free of {self.of!r}: the price measures {needed}")

    def evaluate(self, usage: Measured, parts: list[Part]) -> Exact:
        measured = usage[self.of]
        if waived := min(measured, self.quantity):
            base = _base(self.measures[self.of])
            parts.append(Part("free", 0, None, self.of, waived, base))
        return self.price.evaluate({**usage, self.of: measured - waived}, parts)

    def breaks(self, name: str) -> Iterable[Exact]:
        shift = self.quantity if name == self.of else 0
        return (point + shift for point in self.price.breaks(name))


@dataclass(frozen=True, slots=True)
class Multiply(_Wrapper):
    """A multiple of a price."""

    factor: Decimal

    def evaluate(self, usage: Measured, parts: list[Part]) -> Exact:
        before = self.price.evaluate(usage, parts)
        amount = before * exact(self.factor)
        if amount != before:
            parts.append(Part("multiply", amount - before, self.factor))
        return amount


@dataclass(frozen=True, slots=True)
class Rounded(Price):
    """A price with a rounding of its own, which ends it."""

    price: Rule
    rounding: Rounding

    def __post_init__(self) -> None:
        object.__setattr__(self, "measures", self.price.measures)

    def evaluate(self, usage: Measured, parts: list[Part]) -> Exact:
        return self.price.evaluate(usage, parts)

    def breaks(self, name: str) -> Iterable[Exact]:
        return self.price.breaks(name)

    def settle(self, amount: Exact, parts: list[Part]) -> Quote:
        return settle_quote(amount, parts, self.rounding)


def _terms(rule: Rule) -> tuple[Rule, ...]:
    return rule.prices if isinstance(rule, Sum) else (rule,)


def merge_measures(prices: Iterable[Price]) -> dict[str, Measure]:
    """Return what all of `prices` measure; one quantity is measured in one way."""
    merged: dict[str, Measure] = {}
    for price in prices:
        for name, measure in price.measures.items():
            if merged.setdefault(name, measure) is not measure:
                raise ConfigurationError(
                    f"{name!r} would be measured in {_base(merged[name])}s and in "
                    f"{_base(measure)}s: give the two quantities two names with of="
                )
    return merged


def _base(measure: Measure) -> str:
    return next(unit.base for unit in UNITS.values() if unit.measure is measure)


def _check_order(minimum: Decimal, maximum: Decimal) -> None:
    if minimum > maximum:
        raise ConfigurationError(f"a minimum of {minimum:f} is above the maximum of {maximum:f}")
