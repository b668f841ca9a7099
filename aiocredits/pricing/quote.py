"""A quote: a price applied to a usage, with its parts."""

from decimal import Decimal
from fractions import Fraction
from typing import Literal, NamedTuple, TypeAlias

from aiocredits._amounts import MAX_MICROS, ONE_CREDIT, Micros, to_credits, to_micros
from aiocredits.errors import InvalidAmountError, InvalidInputError
from aiocredits.pricing._numbers import Exact, plain, to_decimal
from aiocredits.types import Amount

RoundingMode: TypeAlias = Literal["up", "down", "half_even"]
_MODES = ("up", "down", "half_even")


class Rounding(NamedTuple):
    """To which multiple a total is rounded, once, at its end."""

    step: Micros = 1
    mode: RoundingMode = "up"

    @property
    def to(self) -> Decimal:
        """The step in credits."""
        return to_credits(self.step)

    def apply(self, amount: Exact) -> Micros:
        """Return `amount` credits in micro-credits, as a multiple of the step."""
        divisor = amount.denominator * self.step
        count, rest = divmod(amount.numerator * ONE_CREDIT, divisor)
        if rest and self._goes_up(count, rest, divisor):
            count += 1
        return count * self.step

    def _goes_up(self, count: int, rest: int, divisor: int) -> bool:
        if self.mode == "half_even":
            return (2 * rest, count % 2) >= (divisor, 1)
        return self.mode == "up"


TO_THE_MICRO = Rounding()


def make_rounding(to: Amount, mode: RoundingMode = "up") -> Rounding:
    """Return a checked `Rounding`; `to` is an amount of credits, six decimals at the most."""
    if mode not in _MODES:
        raise InvalidInputError(f"rounding mode {mode!r}: it is one of {', '.join(_MODES)}")
    return Rounding(to_micros(to), mode)


class Part(NamedTuple):
    """One line of a quote. The lines of a quote add up to its total, exactly."""

    kind: str
    """The rule that wrote the line: ``"per_character"`` and the like, ``"minimum"`` …."""
    exact: Exact
    """Credits, which a maximum, a discount or rounding down takes away."""
    rate: Decimal | None = None
    """The rate of a measured line; the floor, the cap, the factor or the step of another."""
    of: str | None = None
    quantity: Exact | None = None
    """How much was measured, in `unit`."""
    unit: str | None = None
    times: Exact | None = None
    """How often the rate was charged, which `amount` is the product of."""
    per: str | None = None
    """What one rate buys: ``"started 100 characters"``."""

    @property
    def amount(self) -> Decimal:
        """Credits: exact, but for fractions such as a third, which keep 28 digits."""
        return to_decimal(self.exact)

    def __str__(self) -> str:
        if self.quantity is None:
            return self._adjustment()
        plural = "" if self.quantity == 1 else "s"
        counted = f"{self.of}: {plain(self.quantity)} {self.unit}{plural}"
        if self.times is None or self.rate is None:
            return f"{counted} free"
        product = f"{plain(self.times)} * {plain(self.rate)} per {self.per}"
        return f"{counted}, {product} = {plain(self.exact)}"

    def _adjustment(self) -> str:
        if self.kind == "flat" or self.rate is None:
            return f"{self.kind}: {plain(self.exact)}"
        sign = "+" if self.exact >= 0 else ""
        return f"{self.kind} {plain(self.rate)}: {sign}{plain(self.exact)}"


class Quote(NamedTuple):
    """What a usage costs."""

    micros: Micros
    exact: Exact
    """Credits before the rounding."""
    parts: tuple[Part, ...] = ()
    book: str | None = None
    version: str | None = None
    sku: str | None = None

    @property
    def total(self) -> Decimal:
        """Credits, with six decimals at the most."""
        return to_credits(self.micros)

    def explain(self) -> str:
        """Return the parts, one a line, and the total.

        >>> from aiocredits.pricing import per_character
        >>> price = per_character(1, every=100, of="message").minimum(5)
        >>> print(price.quote(message="x" * 101).explain())
        message: 101 characters, 2 * 1 per started 100 characters = 2
        minimum 5: +3
        total: 5
        """
        source = f" ({self.sku}, book {self.book}, version {self.version})" if self.book else ""
        return "\n".join([*map(str, self.parts), f"total: {plain(self.total)}{source}"])


def settle_quote(exact: Exact, parts: list[Part], rounding: Rounding) -> Quote:
    """Round `exact` once and return the quote."""
    micros = rounding.apply(exact)
    if micros > MAX_MICROS:
        raise InvalidAmountError(
            f"this usage costs {plain(exact)} credits, and an amount is at most "
            f"{plain(to_credits(MAX_MICROS))}",
            to_decimal(exact),
        )
    difference = Fraction(micros, ONE_CREDIT) - exact if micros != exact * ONE_CREDIT else 0
    if difference:
        parts.append(Part("round", difference, rounding.to))
    return Quote(micros, exact, tuple(parts))
