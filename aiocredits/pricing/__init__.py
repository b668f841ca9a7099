"""Prices: pure, frozen rules that turn a usage into credits, and the books that hold them.

pydantic is imported when a book is read, and not before.
"""

from aiocredits.pricing.book import PriceBook
from aiocredits.pricing.catalogue import CATALOGUE
from aiocredits.pricing.compose import Rounded, Rule
from aiocredits.pricing.listed import Listed
from aiocredits.pricing.price import Price
from aiocredits.pricing.pricelist import PriceList
from aiocredits.pricing.quantities import KB, MB, KiB, MiB, Quantity
from aiocredits.pricing.quote import Part, Quote, Rounding, RoundingMode, make_rounding
from aiocredits.pricing.rules import (
    flat,
    package,
    per_byte,
    per_character,
    per_item,
    per_kilobyte,
    per_megabyte,
    per_second,
    per_step,
    per_token,
)
from aiocredits.pricing.simulation import ServiceChange, Simulation, UsageRecord, simulate
from aiocredits.pricing.tiers import Tier, tiered, volume

__all__ = [
    "CATALOGUE",
    "KB",
    "MB",
    "KiB",
    "Listed",
    "MiB",
    "Part",
    "Price",
    "PriceBook",
    "PriceList",
    "Quantity",
    "Quote",
    "Rounded",
    "Rounding",
    "RoundingMode",
    "Rule",
    "ServiceChange",
    "Simulation",
    "Tier",
    "UsageRecord",
    "flat",
    "make_rounding",
    "package",
    "per_byte",
    "per_character",
    "per_item",
    "per_kilobyte",
    "per_megabyte",
    "per_second",
    "per_step",
    "per_token",
    "simulate",
    "tiered",
    "volume",
]
