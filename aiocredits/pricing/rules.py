# ruff: noqa: D102 - evaluate and breaks are documented where Price declares them
"""Rates: so much for each character, KB, MB, step, second, token or item; and the flat price.

Every rate comes in two forms. In proportion: ``per_character("0.01")``, or with ``per=`` where the
rate is for many, ``per_token(input="0.15", per=1_000_000)``. In started blocks, where the last one
counts in full: ``per_character(1, every=100)`` charges 2 for 101 characters. Nothing costs nothing
in both; a floor is ``minimum=``.

``of=`` names the quantity, which for a decorated function is the parameter to measure.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from aiocredits.errors import ConfigurationError
from aiocredits.pricing._numbers import Exact, exact, parse_number, ratio
from aiocredits.pricing.compose import Rule, merge_measures
from aiocredits.pricing.meter import Measured, Meter, make_meter
from aiocredits.pricing.quantities import UnitName
from aiocredits.pricing.quote import Part
from aiocredits.types import Amount

KINDS: dict[UnitName, str] = {
    "character": "per_character",
    "byte": "per_byte",
    "KB": "per_kilobyte",
    "KiB": "per_kilobyte",
    "MB": "per_megabyte",
    "MiB": "per_megabyte",
    "step": "per_step",
    "second": "per_second",
    "item": "per_item",
    "token": "per_token",
}


@dataclass(frozen=True, slots=True)
class Flat(Rule):
    """The same for any usage."""

    amount: Decimal

    def __post_init__(self) -> None:
        object.__setattr__(self, "measures", {})

    def evaluate(self, usage: Measured, parts: list[Part]) -> Exact:  # noqa: ARG002 - none is needed
        amount = exact(self.amount)
        parts.append(Part("flat", amount, self.amount))
        return amount


@dataclass(frozen=True, slots=True)
class Per(Rule):
    """A rate for each lot of a meter."""

    rate: Decimal
    meter: Meter
    kind: str = field(init=False, repr=False, compare=False)
    _ratio: tuple[int, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "measures", self.meter.measures)
        object.__setattr__(self, "kind", KINDS[self.meter.unit])
        object.__setattr__(self, "_ratio", self.rate.as_integer_ratio())

    def evaluate(self, usage: Measured, parts: list[Part]) -> Exact:
        meter = self.meter
        lots = meter.lots(usage)
        numerator, denominator = self._ratio
        amount = ratio(lots.numerator * numerator, lots.denominator * denominator)
        quantity = usage[meter.of]
        parts.append(
            Part(self.kind, amount, self.rate, meter.of, quantity, meter.base, lots, meter.per)
        )
        return amount


@dataclass(frozen=True, slots=True)
class PerToken(Rule):
    """A rate for each token, by what the token was."""

    rates: tuple[Per, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "measures", merge_measures(self.rates))

    def evaluate(self, usage: Measured, parts: list[Part]) -> Exact:
        return sum(rate.evaluate(usage, parts) for rate in self.rates)


def flat(amount: Amount) -> Rule:
    """Price a call at `amount`, whatever it does.

    >>> (flat(2) + per_item("0.1", of="pages")).quote(pages=5).total
    Decimal('2.5')
    """
    return Flat(parse_number("amount", amount))


def per_character(
    rate: Amount,
    *,
    of: str = "characters",
    per: int | None = None,
    every: int | None = None,
    minimum: Amount | None = None,
) -> Rule:
    """Price the code points of a text.

    >>> per_character("0.01", of="message").quote(message="hello").total
    Decimal('0.05')
    >>> per_character(1, every=100, of="message").quote(message="x" * 101).total
    Decimal('2')
    """
    return _per(rate, make_meter(of, "character", per, every), minimum)


def per_byte(
    rate: Amount,
    *,
    of: str = "bytes",
    per: int | None = None,
    every: int | None = None,
    minimum: Amount | None = None,
) -> Rule:
    """Price the bytes of a buffer, a file or an upload."""
    return _per(rate, make_meter(of, "byte", per, every), minimum)


def per_kilobyte(
    rate: Amount,
    *,
    of: str = "bytes",
    unit: Literal["KB", "KiB"] = "KB",
    per: int | None = None,
    every: int | None = None,
    minimum: Amount | None = None,
) -> Rule:
    """Price each 10^3 bytes, or each 2^10 with ``unit="KiB"``; quantities are in bytes.

    >>> per_kilobyte(1, every=1, of="data").quote(data=b"x" * 1_001).total
    Decimal('2')
    """
    return _per(rate, make_meter(of, unit, per, every), minimum)


def per_megabyte(
    rate: Amount,
    *,
    of: str = "bytes",
    unit: Literal["MB", "MiB"] = "MB",
    per: int | None = None,
    every: int | None = None,
    minimum: Amount | None = None,
) -> Rule:
    """Price each 10^6 bytes, or each 2^20 with ``unit="MiB"``; quantities are in bytes.

    >>> per_megabyte("0.5", of="file_size").quote(file_size=3_000_000).total
    Decimal('1.5')
    """
    return _per(rate, make_meter(of, unit, per, every), minimum)


def per_step(
    rate: Amount,
    *,
    of: str = "steps",
    per: int | None = None,
    every: int | None = None,
    minimum: Amount | None = None,
) -> Rule:
    """Price the steps of a workflow, given as a number or as the collection of them.

    >>> per_step(1, every=5).quote(steps=["fetch", "split", "embed", "store", "tell", "log"]).total
    Decimal('2')
    """
    return _per(rate, make_meter(of, "step", per, every), minimum)


def per_second(
    rate: Amount,
    *,
    of: str = "seconds",
    per: int | None = None,
    every: int | None = None,
    minimum: Amount | None = None,
) -> Rule:
    """Price time, given as an `int`, a `Decimal` or a `timedelta`.

    >>> from datetime import timedelta
    >>> per_second("0.02", every=60).quote(seconds=timedelta(seconds=61)).total
    Decimal('0.04')
    """
    return _per(rate, make_meter(of, "second", per, every), minimum)


def per_item(
    rate: Amount,
    *,
    of: str = "items",
    per: int | None = None,
    every: int | None = None,
    minimum: Amount | None = None,
) -> Rule:
    """Price things that are counted, given as a number or as the collection of them."""
    return _per(rate, make_meter(of, "item", per, every), minimum)


def per_token(
    *,
    input: Amount | None = None,  # noqa: A002 - what every provider calls it
    output: Amount | None = None,
    cached: Amount | None = None,
    per: int | None = None,
    every: int | None = None,
    minimum: Amount | None = None,
) -> Rule:
    """Price ``input_tokens``, ``output_tokens`` and ``cached_tokens``, those that have a rate.

    The three are counted beside each other: a token read from the cache is not an input token too.
    Where a provider reports it inside the input, take it off before.

    >>> price = per_token(input="0.15", output="0.60", cached="0.075", per=1_000_000)
    >>> price.quote(input_tokens=2_000, output_tokens=500, cached_tokens=0).total
    Decimal('0.0006')
    """
    given = {"input": input, "output": output, "cached": cached}
    rates = tuple(
        Per(parse_number(name, rate), make_meter(f"{name}_tokens", "token", per, every))
        for name, rate in given.items()
        if rate is not None
    )
    if not rates:
        raise ConfigurationError("per_token() without a rate: give input=, output= or cached=")
    return _with_minimum(PerToken(rates), minimum)


def package(rate: Amount, *, size: int, of: str, unit: UnitName = "item") -> Rule:
    """Price started packages of `size` units: the same rule as ``per_item(rate, every=size)``.

    >>> package(5, size=100, of="images").quote(images=101).total
    Decimal('10')
    """
    if unit == "token":
        raise ConfigurationError("packages of tokens are per_token(..., every=size)")
    return Per(parse_number("rate", rate), make_meter(of, unit, None, size))


def _per(rate: Amount, meter: Meter, minimum: Amount | None) -> Rule:
    return _with_minimum(Per(parse_number("rate", rate), meter), minimum)


def _with_minimum(rule: Rule, minimum: Amount | None) -> Rule:
    return rule if minimum is None else rule.minimum(minimum)
