"""Several books, one after the other."""

from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

from aiocredits.errors import ConfigurationError
from aiocredits.pricing.book import PriceBook
from aiocredits.pricing.listed import Listed
from aiocredits.types import UserId

_EVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, init=False)
class PriceList:
    """Books by the instant from which on they are in force, whichever order they came in.

    >>> from datetime import UTC, datetime
    >>> from aiocredits.pricing import flat
    >>> november = PriceBook("11", prices={"scan": flat(1)})
    >>> december = PriceBook(
    ...     "12", prices={"scan": flat(2)}, effective_from=datetime(2026, 12, 1, tzinfo=UTC)
    ... )
    >>> prices = PriceList(december, november)
    >>> prices.price("scan", at=datetime(2026, 11, 30, tzinfo=UTC)).quote().total
    Decimal('1')
    """

    books: tuple[PriceBook, ...]

    def __init__(self, *books: PriceBook) -> None:
        if not books:
            raise ConfigurationError("a price list without books: give at least one")
        ordered = tuple(sorted(books, key=_begin))
        for first, second in pairwise(ordered):
            if _begin(first) == _begin(second):
                raise ConfigurationError(
                    f"books {first.id!r} and {second.id!r} are both in force from "
                    f"{first.effective_from} on: give each an effective_from of its own"
                )
        object.__setattr__(self, "books", ordered)

    def at(self, at: datetime) -> PriceBook:
        """Return the book in force: the last one that has begun."""
        for book in reversed(self.books):
            if book.is_in_force(at):
                return book
        raise ConfigurationError(
            f"no book is in force at {at}: the first, {self.books[0].id!r}, begins at "
            f"{self.books[0].effective_from}"
        )

    def price(
        self, sku: str, *, at: datetime, plan: str | None = None, user_id: UserId | None = None
    ) -> Listed:
        """Return the price of `sku` in the book in force."""
        return self.at(at).price(sku, plan=plan, user_id=user_id)


def _begin(book: PriceBook) -> datetime:
    return book.effective_from or _EVER
