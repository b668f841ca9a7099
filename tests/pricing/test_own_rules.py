"""A rule that the package does not have."""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

import pytest

from aiocredits.errors import ConfigurationError
from aiocredits.pricing import Part, PriceBook, Rule, flat
from aiocredits.pricing.meter import Measured
from aiocredits.pricing.quantities import items


@dataclass(frozen=True, slots=True)
class EvenForFree(Rule):
    """1 for each item where their number is odd."""

    of: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "measures", {self.of: items})

    def evaluate(self, usage: Measured, parts: list[Part]) -> int | Fraction:
        amount = usage[self.of] * (usage[self.of] % 2)
        parts.append(Part("even_for_free", amount))
        return amount

    def breaks(self, name: str) -> Iterable[int]:
        return range(1, 100, 2) if name == self.of else ()


PRICE = (EvenForFree("socks") + flat(1)).multiply(2)


def test_it_is_composed_and_quoted_like_any_other() -> None:
    assert PRICE.quantities == ("socks",)
    assert PRICE.quote(socks=3).total == 8
    assert PRICE.quote(socks=["left", "right"]).total == 2
    assert PRICE.upper_bound(socks=4).total == 8


def test_it_stands_in_a_book_that_has_no_toml() -> None:
    book = PriceBook("b", prices={"socks": PRICE})
    assert book.price("socks").quote(socks=1).total == 4
    with pytest.raises(ConfigurationError, match="a EvenForFree has no TOML"):
        book.to_toml()
