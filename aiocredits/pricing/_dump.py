"""From a book to plain data and to TOML."""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import cast

from aiocredits.errors import ConfigurationError
from aiocredits.pricing.book import PriceBook
from aiocredits.pricing.compose import Free, Maximum, Minimum, Multiply, Rounded, Sum
from aiocredits.pricing.listed import Prices
from aiocredits.pricing.meter import Meter
from aiocredits.pricing.price import Price
from aiocredits.pricing.quote import TO_THE_MICRO, Rounding
from aiocredits.pricing.rules import Flat, Per, PerToken
from aiocredits.pricing.tiers import Tier, Tiered, Tiers, Volume

_UNITS_BY_NAME = ("KiB", "MiB")
_BARE_KEY = re.compile("[A-Za-z0-9_-]+")


def book_to_dict(book: PriceBook) -> dict[str, object]:
    """Return the tree, without what is as if it were not said."""
    tree = {**_head(book), "prices": _prices(book.prices)}
    for name, layers in (("plans", book.plans), ("accounts", book.accounts)):
        if layers:
            tree[name] = {layer: _prices(prices) for layer, prices in layers.items()}
    return tree


def price_to_dict(price: Price) -> dict[str, object]:
    """Return one price as its node of the tree."""
    match price:
        case Flat(amount=amount):
            return {"kind": "flat", "amount": f"{amount:f}"}
        case Per(rate=rate, meter=meter, kind=kind):
            return {"kind": kind, "rate": f"{rate:f}", **_meter(meter, _UNITS_BY_NAME)}
        case PerToken(rates=rates):
            return {"kind": "per_token", **_token_rates(rates), **_lot(rates[0].meter)}
        case Tiered() | Volume():
            return _tiers(price)
        case Sum(prices=prices):
            return {"kind": "sum", "prices": [price_to_dict(term) for term in prices]}
        case Minimum() | Maximum():
            return _limited(price)
        case Free(price=inner, quantity=quantity, of=of):
            return {"kind": "free", "quantity": quantity, "of": of, "price": price_to_dict(inner)}
        case Multiply(price=inner, factor=factor):
            return {"kind": "multiply", "factor": f"{factor:f}", "price": price_to_dict(inner)}
        case Rounded(price=inner, rounding=rounding):
            return {"kind": "round", **_rounding(rounding), "price": price_to_dict(inner)}
        case _:
            raise ConfigurationError(
                f"a {type(price).__name__} has no TOML: write the book that it is in in Python"
            )


def book_to_toml(book: PriceBook) -> str:
    """Return the tree as TOML, a table a layer."""
    lines = [f"{key} = {_value(value)}" for key, value in _head(book).items()]
    lines += _table("prices", book.prices)
    for name, layers in (("plans", book.plans), ("accounts", book.accounts)):
        for layer, prices in layers.items():
            lines += _table(f"{name}.{_key(layer)}", prices)
    return "\n".join(lines) + "\n"


def _head(book: PriceBook) -> dict[str, object]:
    head: dict[str, object] = {"id": book.id, "version": book.version}
    if book.effective_from is not None:
        head["effective_from"] = book.effective_from
    if book.rounding != TO_THE_MICRO:
        head["rounding"] = _rounding(book.rounding)
    return head


def _prices(prices: Prices) -> dict[str, object]:
    return {sku: price_to_dict(price) for sku, price in prices.items()}


def _rounding(rounding: Rounding) -> dict[str, object]:
    return {"to": f"{rounding.to:f}", "mode": rounding.mode}


def _meter(meter: Meter, named: tuple[str, ...]) -> dict[str, object]:
    unit = {"unit": meter.unit} if meter.unit in named else {}
    return {"of": meter.of, **unit, **_lot(meter)}


def _lot(meter: Meter) -> dict[str, object]:
    if meter.started:
        return {"every": meter.size}
    return {} if meter.size == 1 else {"per": meter.size}


def _token_rates(rates: tuple[Per, ...]) -> dict[str, object]:
    return {rate.meter.of.removesuffix("_tokens"): f"{rate.rate:f}" for rate in rates}


def _tiers(price: Tiers) -> dict[str, object]:
    kind = "tiered" if isinstance(price, Tiered) else "volume"
    unit = {} if price.meter.unit == "item" else {"unit": price.meter.unit}
    meter = {"of": price.meter.of, **unit, **_lot(price.meter)}
    return {"kind": kind, **meter, "tiers": [_tier(tier) for tier in price.tiers]}


def _tier(tier: Tier) -> dict[str, object]:
    bound = {} if tier.upto is None else {"upto": f"{tier.upto:f}"}
    return {**bound, "rate": f"{tier.rate:f}"}


def _limited(price: Minimum | Maximum) -> dict[str, object]:
    kind = "minimum" if isinstance(price, Minimum) else "maximum"
    amount, inner = f"{price.amount:f}", price_to_dict(price.price)
    # A node's own minimum and maximum apply in this order, so another order is spelled out.
    taken = ("minimum", "maximum") if kind == "minimum" else ("maximum",)
    if any(key in inner for key in taken):
        return {"kind": kind, "amount": amount, "price": inner}
    return {**inner, kind: amount}


def _table(name: str, prices: Prices) -> list[str]:
    nodes = (f"{_key(sku)} = {_value(node)}" for sku, node in _prices(prices).items())
    return ["", f"[{name}]", *nodes]


def _value(value: object, indent: str = "") -> str:
    match value:
        case str():
            return _text(value)
        case int():
            return str(value)
        case list():
            items = cast("list[object]", value)
            deeper = f"{indent}    "
            lines = (f"{deeper}{_value(item, deeper)},\n" for item in items)
            return "[\n" + "".join(lines) + f"{indent}]"
        case Mapping():
            pairs = cast("Mapping[str, object]", value).items()
            return "{ " + ", ".join(f"{key} = {_value(item, indent)}" for key, item in pairs) + " }"
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
        case _:
            raise TypeError(value)


def _key(name: str) -> str:
    return name if _BARE_KEY.fullmatch(name) else _text(name)


def _text(text: str) -> str:
    # What JSON escapes, TOML escapes alike.
    return json.dumps(text, ensure_ascii=False)
