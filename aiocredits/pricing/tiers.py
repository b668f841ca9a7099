# ruff: noqa: D102 - evaluate and breaks are documented where Price declares them
"""Prices that change with the quantity: graduated tiers, and volume.

With bounds of 100 and 1000, the 101st item is the first of the second tier. In a graduated price
(`tiered`) it alone has the second rate; in a `volume` price all 101 have it, so 101 can cost less
than 100, and `upper_bound` looks below the limit too.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise
from typing import NamedTuple

from aiocredits.errors import ConfigurationError, InvalidInputError
from aiocredits.pricing._numbers import Exact, exact, parse_number, ratio
from aiocredits.pricing.compose import Rule
from aiocredits.pricing.meter import Measured, Meter, make_meter
from aiocredits.pricing.quantities import UnitName
from aiocredits.pricing.quote import Part
from aiocredits.types import Amount


class Tier(NamedTuple):
    """A rate, and the last unit it is for; the last tier has no bound."""

    upto: Decimal | None
    rate: Decimal


@dataclass(frozen=True, slots=True)
class Tiers(Rule):
    """A meter whose rate depends on how much it has counted."""

    tiers: tuple[Tier, ...]
    meter: Meter
    _steps: tuple[tuple[Exact | None, Exact, Decimal], ...] = field(
        init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        _check_bounds([tier.upto for tier in self.tiers])
        steps = tuple(
            (None if tier.upto is None else exact(tier.upto), exact(tier.rate), tier.rate)
            for tier in self.tiers
        )
        object.__setattr__(self, "measures", self.meter.measures)
        object.__setattr__(self, "_steps", steps)

    def _part(self, kind: str, lots: Exact, rate: Exact, shown: Decimal, quantity: Exact) -> Part:
        meter = self.meter
        return Part(kind, lots * rate, shown, meter.of, quantity, meter.base, lots, meter.per)


@dataclass(frozen=True, slots=True)
class Tiered(Tiers):
    """Graduated: each unit has the rate of the tier it falls in."""

    def evaluate(self, usage: Measured, parts: list[Part]) -> Exact:
        meter = self.meter
        units = meter.lots(usage) * meter.size
        total: Exact = 0
        lower: Exact = 0
        for upto, rate, shown in self._steps:
            upper = units if upto is None else min(units, upto)
            lots = (upper - lower) * ratio(1, meter.size)
            part = self._part("tiered", lots, rate, shown, lots * meter.lot)
            parts.append(part)
            total += part.exact
            lower = upper
            if upper == units:
                break
        return total


@dataclass(frozen=True, slots=True)
class Volume(Tiers):
    """All units have the rate of the tier that the last one falls in."""

    def evaluate(self, usage: Measured, parts: list[Part]) -> Exact:
        lots = self.meter.lots(usage)
        units = lots * self.meter.size
        rate, shown = next(
            (rate, shown) for upto, rate, shown in self._steps if upto is None or units <= upto
        )
        part = self._part("volume", lots, rate, shown, usage[self.meter.of])
        parts.append(part)
        return part.exact

    def breaks(self, name: str) -> Iterable[Exact]:
        bounds = (upto for upto, _, _ in self._steps if upto is not None)
        return map(self.meter.last_within, bounds) if name == self.meter.of else ()


def tiered(
    tiers: Iterable[tuple[Amount | None, Amount]],
    *,
    of: str,
    unit: UnitName = "item",
    per: int | None = None,
    every: int | None = None,
) -> Rule:
    """Price by graduated tiers ``(up to and including, rate)``, the last one ``(None, rate)``.

    Bounds count `unit`; a rate is for one of it, for `per` or for each started `every`.

    >>> price = tiered([(1_000, "0.01"), (10_000, "0.008"), (None, "0.005")], of="steps")
    >>> print(price.quote(steps=1_500).explain())
    steps: 1000 items, 1000 * 0.01 per item = 10
    steps: 500 items, 500 * 0.008 per item = 4
    total: 14
    """
    return Tiered(_parse(tiers), make_meter(of, unit, per, every))


def volume(
    tiers: Iterable[tuple[Amount | None, Amount]],
    *,
    of: str,
    unit: UnitName = "item",
    per: int | None = None,
    every: int | None = None,
) -> Rule:
    """Price everything at the rate of the tier that the total reaches.

    >>> price = volume([(100, "1"), (None, "0.5")], of="images")
    >>> price.quote(images=101).total, price.upper_bound(images=101).total
    (Decimal('50.5'), Decimal('100'))
    """
    return Volume(_parse(tiers), make_meter(of, unit, per, every))


def _parse(tiers: Iterable[tuple[Amount | None, Amount]]) -> tuple[Tier, ...]:
    return tuple(map(_parse_tier, tiers))


def _parse_tier(tier: tuple[Amount | None, Amount]) -> Tier:
    try:
        upto, rate = tier
    except (TypeError, ValueError):
        raise InvalidInputError(
            f'tier {tier!r}: a tier is a pair (upto, rate), as in (1000, "0.01") or (None, "0.01")'
        ) from None
    return Tier(None if upto is None else parse_number("upto", upto), parse_number("rate", rate))


def _check_bounds(bounds: list[Decimal | None]) -> None:
    if not bounds or bounds[-1] is not None:
        raise ConfigurationError(
            "the last tier has no bound, so that every quantity has a price: end with (None, rate)"
        )
    finite = [bound for bound in bounds[:-1] if bound is not None]
    rising = all(low < high for low, high in pairwise([Decimal(0), *finite]))
    if len(finite) != len(bounds) - 1 or not rising:
        raise ConfigurationError("the bounds of tiers rise from one to the next, and begin above 0")
