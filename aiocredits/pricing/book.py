"""Price books: named, versioned and dated, with layers for plans and for accounts.

A book is a value, and the same tree in Python, TOML and YAML. Once charges were made by it, it does
not change: the next prices are the next book, and a `PriceList` knows which is in force.
"""

from collections.abc import Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, field
from datetime import UTC, datetime
from difflib import get_close_matches
from os import PathLike
from types import MappingProxyType

from aiocredits.errors import ConfigurationError, InvalidInputError
from aiocredits.pricing.compose import Rounded, Rule
from aiocredits.pricing.listed import Listed, Prices
from aiocredits.pricing.meter import check_name
from aiocredits.pricing.quote import TO_THE_MICRO, Rounding
from aiocredits.types import UserId


@dataclass(frozen=True, slots=True)
class PriceBook:
    """Prices that are in force from an instant on.

    `plans` and `accounts` replace single prices for a plan and for an account; an account wins over
    its plan. `rounding` is for the prices that have none of their own.

    >>> from aiocredits.pricing import per_character
    >>> chat = per_character(1, every=100, of="message")
    >>> trial = chat.free(1_000, of="message")
    >>> book = PriceBook("2026-11", prices={"chat": chat}, plans={"trial": {"chat": trial}})
    >>> book.price("chat").quote(message="x" * 101).total
    Decimal('2')
    >>> book.price("chat", plan="trial").quote(message="x" * 101).total
    Decimal('0')
    """

    id: str
    version: str = "1"
    _: KW_ONLY
    effective_from: datetime | None = None
    """From when on, an aware datetime; None is since ever."""
    prices: Prices
    plans: Mapping[str, Prices] = field(default_factory=dict[str, Prices])
    accounts: Mapping[str, Prices] = field(default_factory=dict[str, Prices])
    rounding: Rounding = TO_THE_MICRO

    def __post_init__(self) -> None:
        check_name("book id", self.id)
        check_name("book version", self.version)
        if self.effective_from is not None:
            _set(self, "effective_from", in_utc("effective_from", self.effective_from))
        _set(self, "prices", _frozen(self.prices))
        _set(self, "plans", _frozen_layers("plan", self.plans))
        _set(self, "accounts", _frozen_layers("account", self.accounts))

    def __hash__(self) -> int:
        return hash((self.id, self.version, self.effective_from))

    def __reduce__(self) -> tuple[object, ...]:
        # Read-only mappings do not pickle.
        layers = [{k: dict(v) for k, v in of.items()} for of in (self.plans, self.accounts)]
        head = (self.id, self.version, self.effective_from)
        return _thawed, (*head, dict(self.prices), *layers, self.rounding)

    def price(
        self,
        sku: str,
        *,
        plan: str | None = None,
        user_id: UserId | None = None,
        at: datetime | None = None,
    ) -> Listed:
        """Return the price of `sku` for an account on a plan.

        A plan or an account without a price of its own has that of the book. A `sku` without any
        is `ConfigurationError`, never free; so is an `at` before the book is in force.
        """
        if at is not None and not self.is_in_force(at):
            raise ConfigurationError(
                f"book {self.id!r} is in force from {self.effective_from} on, not at {at}"
            )
        price = self.find_price(sku, plan=plan, user_id=user_id)
        if price is None:
            raise ConfigurationError(self._unknown(sku))
        return price

    def find_price(
        self, sku: str, *, plan: str | None = None, user_id: UserId | None = None
    ) -> Listed | None:
        """Return the price of `sku`, in force or not, or None where there is none."""
        for layer in self._layers(plan, user_id):
            if (price := layer.get(sku)) is not None:
                return self._listed(sku, price)
        return None

    def is_in_force(self, at: datetime) -> bool:
        """Tell whether the book has begun; it ends when the next one of its list begins."""
        return self.effective_from is None or self.effective_from <= in_utc("at", at)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> "PriceBook":
        """Read a ``.toml``, ``.yaml`` or ``.yml`` file.

        Whatever is wrong with it is one `ConfigurationError` that names each line and path.
        """
        from aiocredits.pricing._load import load_book  # noqa: PLC0415 - pydantic is imported late

        return load_book(path)

    @classmethod
    def from_toml(cls, text: str, *, source: str = "TOML text") -> "PriceBook":
        """Parse TOML; `source` is what errors call it.

        >>> book = PriceBook.from_toml('''
        ... id = "2026-11"
        ... [prices]
        ... chat = { kind = "per_character", rate = 1, every = 100, of = "message" }
        ... ''')
        >>> book.price("chat").quote(message="hello").total
        Decimal('1')
        """
        from aiocredits.pricing._load import book_from_toml  # noqa: PLC0415 - as in load

        return book_from_toml(text, source)

    @classmethod
    def from_yaml(cls, text: str, *, source: str = "YAML text") -> "PriceBook":
        """Parse YAML, which needs ``aiocredits[yaml]``; `source` is what errors call it."""
        from aiocredits.pricing._load import book_from_yaml  # noqa: PLC0415 - as in load

        return book_from_yaml(text, source)

    @classmethod
    def from_dict(cls, data: Mapping[str, object], *, source: str = "the mapping") -> "PriceBook":
        """Validate the tree of a TOML or YAML book as Python values; floats are refused."""
        from aiocredits.pricing._load import book_from_dict  # noqa: PLC0415 - as in load

        return book_from_dict(data, source)

    def to_dict(self) -> dict[str, object]:
        """Return the tree that `from_dict` takes; numbers are texts."""
        from aiocredits.pricing._dump import book_to_dict  # noqa: PLC0415 - seldom needed

        return book_to_dict(self)

    def to_toml(self) -> str:
        """Return the book as TOML, from which `from_toml` makes an equal book."""
        from aiocredits.pricing._dump import book_to_toml  # noqa: PLC0415 - seldom needed

        return book_to_toml(self)

    @staticmethod
    def json_schema() -> dict[str, object]:
        """Return the JSON Schema of a book, for editors that check and complete TOML and YAML."""
        from aiocredits.pricing._schema import BookModel  # noqa: PLC0415 - as in load

        return BookModel.model_json_schema()

    def _layers(self, plan: str | None, user_id: UserId | None) -> Iterator[Prices]:
        if user_id is not None:
            yield self.accounts.get(str(user_id), {})
        if plan is not None:
            yield self.plans.get(plan, {})
        yield self.prices

    def _listed(self, sku: str, price: Rule | Rounded) -> Listed:
        rounding = price.rounding if isinstance(price, Rounded) else self.rounding
        return Listed(price, rounding, self.id, self.version, sku)

    def _unknown(self, sku: str) -> str:
        close = get_close_matches(sku, self.prices, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"it has {', '.join(self.prices)}"
        return f"book {self.id!r} has no price for {sku!r}: {hint}"


def _thawed(  # noqa: PLR0917 - called by pickle only
    id: str,
    version: str,
    effective_from: datetime | None,
    prices: Prices,
    plans: Mapping[str, Prices],
    accounts: Mapping[str, Prices],
    rounding: Rounding,
) -> PriceBook:
    return PriceBook(
        id,
        version,
        effective_from=effective_from,
        prices=prices,
        plans=plans,
        accounts=accounts,
        rounding=rounding,
    )


def _set(book: PriceBook, name: str, value: object) -> None:
    object.__setattr__(book, name, value)


def in_utc(noun: str, at: datetime) -> datetime:
    """Return an aware instant in UTC."""
    if not isinstance(at, datetime) or at.utcoffset() is None:
        raise InvalidInputError(f"{noun} {at!r}: an aware datetime is needed, as in tzinfo=UTC")
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise InvalidInputError(f"{noun} {at!r} is outside the years 1 to 9999 of UTC") from None


def _frozen(prices: Prices) -> Prices:
    for sku, price in prices.items():
        check_name("sku", sku)
        if not isinstance(price, Rule | Rounded):
            raise ConfigurationError(
                f"the price of {sku!r} is a {type(price).__name__}: make it with per_character() "
                "and the like, or with flat()"
            )
    return MappingProxyType(dict(prices))


def _frozen_layers(noun: str, layers: Mapping[str, Prices]) -> Mapping[str, Prices]:
    for name in layers:
        check_name(noun, name)
    return MappingProxyType({name: _frozen(prices) for name, prices in layers.items()})
