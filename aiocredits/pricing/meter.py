"""A meter: which quantity a rule counts, in which unit, and in what lots."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TypeAlias

from aiocredits.errors import ConfigurationError, InvalidInputError
from aiocredits.pricing._numbers import Exact, parse_count, ratio
from aiocredits.pricing.quantities import UNITS, Measure, Unit, UnitName

Measured: TypeAlias = Mapping[str, Exact]
"""The quantities of one usage, by name."""

_MAX_NAME = 255
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Meter:
    """Counts the quantity `of` in lots of `size` units: a started lot in full, or in proportion."""

    of: str
    unit: UnitName
    size: int = 1
    started: bool = False
    base: str = field(init=False, repr=False, compare=False)
    lot: int = field(init=False, repr=False, compare=False)
    """The size of a lot in base units."""
    per: str = field(init=False, repr=False, compare=False)
    """What one rate buys: ``"started 100 characters"``."""

    def __post_init__(self) -> None:
        check_name("of", self.of)
        if self.unit not in UNITS:
            raise InvalidInputError(f"unit {self.unit!r}: it is one of {', '.join(UNITS)}")
        parse_count("every" if self.started else "per", self.size)
        known = UNITS[self.unit]
        object.__setattr__(self, "base", known.base)
        object.__setattr__(self, "lot", known.scale * self.size)
        object.__setattr__(self, "per", _label(self.unit, self.size, known, started=self.started))

    @property
    def measures(self) -> dict[str, Measure]:
        """How to measure an argument for this meter, by its name."""
        return {self.of: UNITS[self.unit].measure}

    def lots(self, usage: Measured) -> Exact:
        """Return how many lots to charge for."""
        quantity = usage[self.of]
        if self.started:
            return -(-quantity // self.lot)
        if self.lot == 1:
            return quantity
        return Fraction(quantity, self.lot)

    def last_within(self, units: Exact) -> Exact:
        """Return the largest quantity that is charged as at most `units` units."""
        if self.started:
            return units // self.size * self.lot
        quantity = units * ratio(self.lot, self.size)
        return quantity if self.base == "second" else quantity // 1


def make_meter(of: str, unit: UnitName, per: int | None, every: int | None) -> Meter:
    """Return the meter of a rule that takes `per` (in proportion) or `every` (started lots)."""
    if per is not None and every is not None:
        raise ConfigurationError(
            f"per={per!r} prices in proportion and every={every!r} prices started blocks: "
            "choose one"
        )
    size = per if every is None else every
    return Meter(of, unit, 1 if size is None else size, every is not None)


def check_name(noun: str, name: object) -> str:
    """Return `name` if it can be one."""
    if not isinstance(name, str) or not 1 <= len(name) <= _MAX_NAME or _CONTROL.search(name):
        raise InvalidInputError(
            f"{noun} {name!r}: a name is text of 1 to {_MAX_NAME} characters, control characters "
            "excluded"
        )
    return name


def _label(name: str, size: int, unit: Unit, *, started: bool) -> str:
    plural = f"{name}s" if unit.base == name else name
    amount = name if size == 1 else f"{size} {plural}"
    return f"started {amount}" if started else amount
