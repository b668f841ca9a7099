"""A price as it stands in a book."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from aiocredits.pricing._numbers import Exact
from aiocredits.pricing.compose import Rounded, Rule
from aiocredits.pricing.meter import Measured
from aiocredits.pricing.price import Price
from aiocredits.pricing.quote import Part, Quote, Rounding, settle_quote

Prices: TypeAlias = Mapping[str, Rule | Rounded]
"""Prices by sku: the name of the service that is charged for."""


@dataclass(frozen=True, slots=True)
class Listed(Price):
    """A price as it stands in a book: its quotes name the book, the version and the sku."""

    price: Rule | Rounded
    rounding: Rounding
    book: str
    version: str
    sku: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "measures", self.price.measures)

    def evaluate(self, usage: Measured, parts: list[Part]) -> Exact:  # noqa: D102 - see Price
        return self.price.evaluate(usage, parts)

    def breaks(self, name: str) -> Iterable[Exact]:  # noqa: D102 - see Price
        return self.price.breaks(name)

    def settle(self, amount: Exact, parts: list[Part]) -> Quote:  # noqa: D102 - see Price
        quote = settle_quote(amount, parts, self.rounding)
        return quote._replace(book=self.book, version=self.version, sku=self.sku)
