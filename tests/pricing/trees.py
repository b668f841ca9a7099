"""Any price as the tree of a book, and what it costs, computed a second way."""

from collections.abc import Callable
from fractions import Fraction
from math import ceil
from typing import Any

from hypothesis import strategies as st

from aiocredits.pricing import PriceBook, Rounded, Rule

Tree = dict[str, Any]
Usage = dict[str, int]

QUANTITIES = {"text": "per_character", "file": "per_megabyte", "steps": "per_step", "n": "per_item"}
SCALES = {"byte": 1, "KB": 1000, "KiB": 1024, "MB": 10**6, "MiB": 2**20}
UNITS = {"text": ["character"], "file": list(SCALES), "steps": ["step"], "n": ["item"]}

amounts = st.decimals(0, 1000, places=7).map(lambda number: f"{number:f}")
factors = st.decimals(0, 3, places=3).map(lambda number: f"{number:f}")
lots: st.SearchStrategy[Tree] = st.one_of(
    st.just({}),
    st.integers(1, 1000).map(lambda n: {"per": n}),
    st.integers(1, 1000).map(lambda n: {"every": n}),
)
usages = st.fixed_dictionaries(dict.fromkeys(QUANTITIES, st.integers(0, 5_000_000)))
# No minimum is above a maximum: that is refused.
floors = st.decimals(0, 500, places=7).map(lambda number: f"{number:f}")
limits = st.fixed_dictionaries({}, optional={"minimum": floors, "maximum": st.just("500")})


@st.composite
def rates(draw: st.DrawFn) -> Tree:
    of = draw(st.sampled_from(sorted(QUANTITIES)))
    tree = {"kind": QUANTITIES[of], "rate": draw(amounts), "of": of, **draw(lots)}
    if of == "file":
        tree["unit"] = draw(st.sampled_from(["MB", "MiB"]))
    return tree


@st.composite
def tiers(draw: st.DrawFn, kind: str) -> Tree:
    of = draw(st.sampled_from(sorted(QUANTITIES)))
    bounds = sorted(draw(st.sets(st.integers(1, 5000), max_size=3)))
    rows = [{"upto": str(bound), "rate": draw(amounts)} for bound in bounds]
    unit = draw(st.sampled_from(UNITS[of]))
    rows.append({"rate": draw(amounts)})
    return {"kind": kind, "of": of, "unit": unit, "tiers": rows, **draw(lots)}


def tree_quantities(tree: Tree) -> set[str]:
    inner = [*tree.get("prices", []), *([tree["price"]] if "price" in tree else [])]
    return set().union({tree["of"]} if "of" in tree else set(), *map(tree_quantities, inner))


def _wrapped(tree: Tree) -> st.SearchStrategy[Tree]:
    options = [
        st.builds(lambda limit: {**tree, **limit}, limits),
        st.builds(lambda factor: {"kind": "multiply", "factor": factor, "price": tree}, factors),
        st.builds(lambda a: {"kind": "minimum", "amount": a, "price": tree}, floors),
    ]
    if of := sorted(tree_quantities(tree)):
        free = st.builds(
            lambda q, n: {"kind": "free", "quantity": q, "of": n, "price": tree},
            st.integers(1, 3000),
            st.sampled_from(of),
        )
        options.append(free)
    return st.one_of(options)


def _composed(inner: st.SearchStrategy[Tree]) -> st.SearchStrategy[Tree]:
    sums = st.lists(inner, min_size=2, max_size=3).map(lambda ps: {"kind": "sum", "prices": ps})
    return st.one_of(sums, inner.flatmap(_wrapped))


flats = st.builds(lambda amount: {"kind": "flat", "amount": amount}, amounts)
monotone_trees = st.recursive(st.one_of(flats, rates(), tiers("tiered")), _composed, max_leaves=5)
trees = st.recursive(
    st.one_of(flats, rates(), tiers("tiered"), tiers("volume")), _composed, max_leaves=5
)


def book_of(tree: Tree) -> PriceBook:
    return PriceBook.from_dict({"id": "b", "prices": {"it": tree}})


def price_of(tree: Tree) -> Rule:
    price = book_of(tree).prices["it"]
    assert not isinstance(price, Rounded)
    return price


def cost(tree: Tree, usage: Usage) -> Fraction:
    """Return the credits by the definition of each kind, with none of the library's code."""
    amount = _COSTS.get(tree["kind"], _rate_cost)(tree, usage)
    amount = max(amount, Fraction(tree.get("minimum", 0)))
    return min(amount, Fraction(tree["maximum"])) if "maximum" in tree else amount


def _units(tree: Tree, usage: Usage) -> Fraction:
    units = Fraction(usage[tree["of"]], SCALES.get(tree.get("unit", ""), 1))
    return Fraction(ceil(units / tree["every"]) * tree["every"]) if "every" in tree else units


def _size(tree: Tree) -> int:
    return int(tree["every"] if "every" in tree else tree.get("per", 1))


def _rate_cost(tree: Tree, usage: Usage) -> Fraction:
    return _units(tree, usage) / _size(tree) * Fraction(tree["rate"])


def _tiered_cost(tree: Tree, usage: Usage) -> Fraction:
    units, total, lower = _units(tree, usage), Fraction(0), Fraction(0)
    for tier in tree["tiers"]:
        upper = Fraction(tier.get("upto", units + lower))
        total += max(min(units, upper) - lower, Fraction(0)) * Fraction(tier["rate"])
        lower = upper
    return total / _size(tree)


def _volume_cost(tree: Tree, usage: Usage) -> Fraction:
    units = _units(tree, usage)
    tier = next(t for t in tree["tiers"] if "upto" not in t or units <= Fraction(t["upto"]))
    return units / _size(tree) * Fraction(tier["rate"])


def _free_cost(tree: Tree, usage: Usage) -> Fraction:
    left = max(usage[tree["of"]] - tree["quantity"], 0)
    return cost(tree["price"], {**usage, tree["of"]: left})


_COSTS: dict[str, Callable[[Tree, Usage], Fraction]] = {
    "flat": lambda tree, _: Fraction(tree["amount"]),
    "tiered": _tiered_cost,
    "volume": _volume_cost,
    "free": _free_cost,
    "sum": lambda tree, usage: sum((cost(t, usage) for t in tree["prices"]), Fraction(0)),
    "multiply": lambda tree, usage: cost(tree["price"], usage) * Fraction(tree["factor"]),
    "minimum": lambda tree, usage: max(cost(tree["price"], usage), Fraction(tree["amount"])),
}
