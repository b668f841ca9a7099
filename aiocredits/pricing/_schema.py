"""The shape of a written price book."""

from decimal import Decimal
from functools import partial
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import (
    AfterValidator,
    AwareDatetime,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)

from aiocredits.pricing._nodes import Model, Name, Node, Number, parse_name
from aiocredits.pricing.book import PriceBook, in_utc
from aiocredits.pricing.compose import Rounded, Rule
from aiocredits.pricing.quote import TO_THE_MICRO, Rounding, RoundingMode, make_rounding


def _version(value: object, info: ValidationInfo) -> str:
    # `version = 3` and `version: 1.10` mean the text.
    is_number = isinstance(value, int | Decimal) and not isinstance(value, bool)
    return parse_name(str(value) if is_number else value, info)


Version: TypeAlias = Annotated[
    str, PlainValidator(_version), WithJsonSchema({"type": ["string", "number"]})
]
Instant: TypeAlias = Annotated[AwareDatetime, AfterValidator(partial(in_utc, "effective_from"))]


class RoundingModel(Model):
    to: Number
    mode: RoundingMode = "up"

    @model_validator(mode="after")
    def _check(self) -> Self:
        self.rounding()
        return self

    def rounding(self) -> Rounding:
        return make_rounding(self.to, self.mode)


class RoundNode(RoundingModel):
    kind: Literal["round"]
    price: Node

    @property
    def rule(self) -> Rounded:
        return self.price.rule.round(self.to, self.mode)


Prices: TypeAlias = dict[Name, Annotated[Node | RoundNode, Field(discriminator="kind")]]


class BookModel(Model):
    """A price book of aiocredits."""

    model_config = ConfigDict(title="Price book")

    id: Name
    version: Version = "1"
    effective_from: Instant | None = None
    rounding: RoundingModel | None = None
    prices: Prices
    plans: dict[Name, Prices] = Field(default_factory=dict[str, Prices])
    accounts: dict[Name, Prices] = Field(default_factory=dict[str, Prices])

    def to_book(self) -> PriceBook:
        """Return the book, whose rules were made by the nodes."""
        return PriceBook(
            self.id,
            self.version,
            effective_from=self.effective_from,
            prices=_rules(self.prices),
            plans={plan: _rules(prices) for plan, prices in self.plans.items()},
            accounts={account: _rules(prices) for account, prices in self.accounts.items()},
            rounding=self.rounding.rounding() if self.rounding else TO_THE_MICRO,
        )


def _rules(prices: Prices) -> dict[str, Rule | Rounded]:
    return {sku: node.rule for sku, node in prices.items()}
