"""What can be quoted."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import product

from aiocredits.errors import InvalidInputError
from aiocredits.pricing._numbers import Exact
from aiocredits.pricing.meter import Measured
from aiocredits.pricing.quantities import Measure, Quantity
from aiocredits.pricing.quote import TO_THE_MICRO, Part, Quote, settle_quote


@dataclass(frozen=True, slots=True)
class Price:
    """What can be quoted: an immutable value, compared and hashed by what it charges.

    >>> from aiocredits.pricing import flat, per_megabyte
    >>> price = (flat(1) + per_megabyte("0.5", of="upload")).maximum(50)
    >>> price.quantities
    ('upload',)
    >>> price.quote(upload=2_500_000).total
    Decimal('2.25')
    """

    measures: Mapping[str, Measure] = field(init=False, repr=False, compare=False)
    """How each quantity is measured, by its name."""

    @property
    def quantities(self) -> tuple[str, ...]:
        """The names that `quote` and `upper_bound` need."""
        return tuple(self.measures)

    def measure(self, name: str, value: object) -> Quantity:
        """Return how much of the quantity `name` is in `value`, to be added up and quoted later.

        >>> from aiocredits.pricing import per_character
        >>> price = per_character(2, every=100, of="result")
        >>> length = sum(price.measure("result", chunk) for chunk in ["never ", "split"])
        >>> price.quote(result=length).total
        Decimal('2')
        """
        if name not in self.measures:
            needed = ", ".join(map(repr, self.measures)) or "nothing"
            raise InvalidInputError(f"the price measures {needed}, not {name!r}")
        return self.measures[name](name, value)

    def quote(self, /, **usage: object) -> Quote:
        """Return what `usage` costs.

        Each quantity is given by its name, measured (an `int`) or as the thing to measure; names
        that the price does not need are ignored, so that callers need not know it. A quantity that
        is missing or ``None`` is `InvalidInputError`.
        """
        return self._quote(self._measured(usage))

    def upper_bound(self, /, **limits: object) -> Quote:
        """Return the most that any usage within `limits` can cost: what to hold before it is known.

        A volume price can cost less for more, so this is not always the quote of the limits.
        """
        limit = self._measured(limits)
        corners = product(*(self._corners(name, top) for name, top in limit.items()))
        quotes = (self._quote(dict(zip(limit, corner, strict=True))) for corner in corners)
        return max(quotes, key=lambda quote: quote.exact)

    def _quote(self, usage: Measured) -> Quote:
        parts: list[Part] = []
        return self.settle(self.evaluate(usage, parts), parts)

    def _measured(self, usage: Mapping[str, object]) -> dict[str, Exact]:
        measured: dict[str, Exact] = {}
        for name, measure in self.measures.items():
            if name not in usage:
                given = ", ".join(map(repr, usage)) or "nothing"
                raise InvalidInputError(f"the price needs {name!r} and was given {given}")
            quantity = measure(name, usage[name])
            measured[name] = quantity if isinstance(quantity, int) else Fraction(quantity)
        return measured

    def _corners(self, name: str, limit: Exact) -> list[Exact]:
        # Between two breaks more never costs less, so the most is found at a break or the limit.
        return [limit, *(point for point in self.breaks(name) if point < limit)]

    # What a kind of price defines

    def evaluate(self, usage: Measured, parts: list[Part]) -> Exact:
        """Return the credits, exactly, and append the parts that add up to them."""
        raise NotImplementedError

    def breaks(self, name: str) -> Iterable[Exact]:  # noqa: ARG002 - for those that override it
        """Return each quantity of `name` just above which the price may fall."""
        return ()

    def settle(self, amount: Exact, parts: list[Part]) -> Quote:
        """Round the amount and return the quote."""
        return settle_quote(amount, parts, TO_THE_MICRO)
