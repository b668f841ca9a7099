"""What history would have cost at other prices."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Literal, NamedTuple, TypeAlias

from aiocredits._amounts import Micros, to_credits, to_micros_or_zero
from aiocredits.errors import ConfigurationError, CreditError, InvalidInputError
from aiocredits.pricing.book import PriceBook
from aiocredits.pricing.price import Price
from aiocredits.pricing.pricelist import PriceList
from aiocredits.types import Amount, UserId

NewPrices: TypeAlias = PriceBook | PriceList | Mapping[str, Price]
"""Prices by service: a book whatever its date, a list by the date of each record, or a mapping."""


class UsageRecord(NamedTuple):
    """A usage that was charged."""

    service: str
    quantities: Mapping[str, object]
    """What was used, as `Price.quote` takes it."""
    charged: Amount
    """Credits."""
    at: datetime
    user_id: UserId | None = None
    plan: str | None = None


class ServiceChange(NamedTuple):
    """What one service was charged, and would be."""

    service: str
    calls: int
    old_micros: Micros
    new_micros: Micros

    @property
    def old(self) -> Decimal:
        """Credits that were charged."""
        return to_credits(self.old_micros)

    @property
    def new(self) -> Decimal:
        """Credits at the new prices."""
        return to_credits(self.new_micros)

    @property
    def difference(self) -> Decimal:
        """New less old: what the change brings in."""
        return to_credits(self.new_micros - self.old_micros)


class Simulation(NamedTuple):
    """The changes, by service and in all."""

    services: tuple[ServiceChange, ...]
    """Ordered by name."""
    total: ServiceChange


def simulate(
    new_prices: NewPrices,
    history: Iterable[UsageRecord],
    *,
    unpriced: Literal["error", "keep"] = "error",
) -> Simulation:
    """Price `history` again.

    A service without a new price is an error, because it would otherwise count as free;
    ``unpriced="keep"`` lets it cost what it did.

    >>> from datetime import UTC, datetime
    >>> from aiocredits.pricing import flat
    >>> noon = datetime(2026, 11, 1, 12, tzinfo=UTC)
    >>> history = [UsageRecord("scan", {}, "1", noon), UsageRecord("scan", {}, "1.5", noon)]
    >>> total = simulate({"scan": flat(2)}, history).total
    >>> total.old, total.new, total.difference
    (Decimal('2.5'), Decimal('4'), Decimal('1.5'))
    """
    sums: dict[str, ServiceChange] = {}
    for record in history:
        service = record.service
        old = to_micros_or_zero(record.charged)
        new = _price_again(new_prices, record, old if unpriced == "keep" else None)
        before = sums.get(service, ServiceChange(service, 0, 0, 0))
        sums[service] = _plus(before, ServiceChange(service, 1, old, new))
    total = ServiceChange("total", 0, 0, 0)
    for change in sums.values():
        total = _plus(total, change)
    return Simulation(tuple(sums[service] for service in sorted(sums)), total)


def _plus(first: ServiceChange, second: ServiceChange) -> ServiceChange:
    return ServiceChange(
        first.service,
        first.calls + second.calls,
        first.old_micros + second.old_micros,
        first.new_micros + second.new_micros,
    )


def _price_again(new_prices: NewPrices, record: UsageRecord, kept: Micros | None) -> Micros:
    price = _find(new_prices, record)
    if price is not None:
        return _quote(price, record)
    if kept is not None:
        return kept
    raise ConfigurationError(
        f'there is no new price for {record.service!r}: add one, or pass unpriced="keep" to let it '
        "cost what it did"
    )


def _find(new_prices: NewPrices, record: UsageRecord) -> Price | None:
    match new_prices:
        case PriceBook():
            book = new_prices
        case PriceList():
            book = new_prices.at(record.at)
        case _:
            return new_prices.get(record.service)
    return book.find_price(record.service, plan=record.plan, user_id=record.user_id)


def _quote(price: Price, record: UsageRecord) -> Micros:
    try:
        return price.quote(**record.quantities).micros
    except CreditError as error:
        raise InvalidInputError(
            f"{record.service!r} of {record.at.isoformat()} cannot be priced again: {error}"
        ) from error
