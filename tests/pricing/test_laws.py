"""What holds of every price."""

import pickle
from copy import deepcopy
from datetime import datetime
from fractions import Fraction
from math import ceil

from hypothesis import given
from hypothesis import strategies as st

from aiocredits.pricing import PriceBook, RoundingMode, make_rounding, volume
from tests.pricing.trees import (
    Tree,
    Usage,
    amounts,
    book_of,
    cost,
    monotone_trees,
    price_of,
    rates,
    trees,
    usages,
)

steps = st.sampled_from(["0.000001", "0.01", "0.25", "1", "7"])
# The bounds are naive because the strategy gives each its zone.
instants = st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=st.timezones())  # noqa: DTZ001
modes = st.sampled_from(["up", "down", "half_even"])


@given(trees, usages)
def test_a_quote_is_exact_until_it_is_rounded_up_once(tree: Tree, usage: Usage) -> None:
    quote = price_of(tree).quote(**usage)
    assert quote.exact == cost(tree, usage)
    assert quote.micros == ceil(cost(tree, usage) * 10**6)
    assert quote.total * 10**6 == quote.micros


@given(trees, usages, steps, modes)
def test_the_parts_add_up_to_the_total(
    tree: Tree, usage: Usage, to: str, mode: RoundingMode
) -> None:
    quote = price_of(tree).round(to, mode).quote(**usage)
    assert sum(part.exact for part in quote.parts) == Fraction(quote.total)
    for part in quote.parts:
        if part.times is not None and part.rate is not None:
            assert part.exact == part.times * Fraction(part.rate)


@given(monotone_trees, usages, usages, steps, modes)
def test_more_never_costs_less(
    tree: Tree, some: Usage, extra: Usage, to: str, mode: RoundingMode
) -> None:
    price = price_of(tree).round(to, mode)
    more = {name: some[name] + extra[name] for name in some}
    assert price.quote(**some).micros <= price.quote(**more).micros


@given(trees, usages, usages)
def test_nothing_within_the_limits_costs_more_than_the_upper_bound(
    tree: Tree, usage: Usage, extra: Usage
) -> None:
    price = price_of(tree)
    limit = {name: usage[name] + extra[name] for name in usage}
    assert price.quote(**usage).micros <= price.upper_bound(**limit).micros


@given(monotone_trees, usages)
def test_where_more_never_costs_less_the_upper_bound_is_the_quote_of_the_limit(
    tree: Tree, limit: Usage
) -> None:
    price = price_of(tree)
    assert price.upper_bound(**limit) == price.quote(**limit)


@given(
    st.sets(st.integers(1, 60), max_size=3).map(sorted),
    st.lists(amounts, min_size=4, max_size=4),
    st.tuples(st.integers(1, 12), st.none()) | st.tuples(st.none(), st.integers(1, 12)),
    st.integers(1, 12),
    st.integers(0, 80),
)
def test_the_upper_bound_of_a_volume_price_is_reached(
    bounds: list[int], rates: list[str], lots: tuple[int | None, int | None], free: int, limit: int
) -> None:
    tiers = [*zip(bounds, rates, strict=False), (None, rates[-1])]
    per, every = lots
    one = volume(tiers, of="n", per=per, every=every).free(free, of="n")
    two = volume([(20, rates[0]), (None, rates[1])], of="n").multiply("0.01")
    price = one + two
    most = max(price.quote(n=n).exact for n in range(limit + 1))
    assert price.upper_bound(n=limit).exact == most


@given(rates(), usages, usages)
def test_two_usages_cost_no_less_than_both_together(tree: Tree, one: Usage, two: Usage) -> None:
    price = price_of(tree)
    both = {name: one[name] + two[name] for name in one}
    apart = price.quote(**one).exact + price.quote(**two).exact
    assert apart >= price.quote(**both).exact
    if "every" not in tree:
        assert apart == price.quote(**both).exact


@given(rates())
def test_nothing_costs_nothing(tree: Tree) -> None:
    nothing = {tree["of"]: 0}
    assert price_of(tree).quote(**nothing).micros == 0


@given(trees, usages, steps, modes)
def test_rounding_moves_less_than_one_step_and_in_its_direction(
    tree: Tree, usage: Usage, to: str, mode: RoundingMode
) -> None:
    exact = cost(tree, usage)
    total = Fraction(price_of(tree).round(to, mode).quote(**usage).total)
    step = Fraction(to)
    assert total % step == 0
    assert abs(total - exact) < step
    match mode:
        case "up":
            assert total >= exact
        case "down":
            assert total <= exact
        case "half_even":
            assert total == round(exact / step) * step


@given(
    trees,
    trees,
    steps,
    modes,
    instants,
    st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=20),
)
def test_a_book_survives_toml(  # noqa: PLR0917
    tree: Tree, other: Tree, to: str, mode: RoundingMode, begin: datetime, name: str
) -> None:
    data = {
        "id": name,
        "version": "7",
        "effective_from": begin,
        "rounding": {"to": to, "mode": mode},
        "prices": {name: tree, "round": {"kind": "round", "to": to, "mode": mode, "price": other}},
        "plans": {name: {name: other}},
        "accounts": {name: {"it": tree}},
    }
    book = PriceBook.from_dict(data)
    assert PriceBook.from_toml(book.to_toml()) == book
    assert PriceBook.from_dict(book.to_dict()) == book


@given(trees, usages)
def test_a_price_is_a_value(tree: Tree, usage: Usage) -> None:
    price, again = price_of(tree), price_of(tree)
    assert price == again
    assert hash(price) == hash(again)
    for copy in (pickle.loads(pickle.dumps(price)), deepcopy(price)):  # noqa: S301 - our own
        assert copy == price
        assert copy.quote(**usage) == price.quote(**usage)


@given(trees)
def test_a_book_pickles(tree: Tree) -> None:
    book = book_of(tree)
    copy = pickle.loads(pickle.dumps(book))  # noqa: S301 - our own
    assert copy == book
    assert hash(copy) == hash(book)


@given(trees, trees, trees)
def test_addition_is_associative(one: Tree, two: Tree, three: Tree) -> None:
    a, b, c = price_of(one), price_of(two), price_of(three)
    assert (a + b) + c == a + (b + c)


def test_rounding_half_goes_to_the_even_multiple() -> None:
    rounding = make_rounding("0.5", "half_even")
    halves = [Fraction(n, 4) for n in range(1, 8, 2)]
    assert [rounding.apply(half) / 10**6 for half in halves] == [0, 1, 1, 2]
