"""The kinds of price in a written book: a pydantic model each.

A model exists for the moment between the text and the rules: every node makes its rule as soon as
it is valid, so that what a rule refuses is reported at the node, with its line.
"""

from decimal import Decimal
from functools import reduce
from operator import add
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    PrivateAttr,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)

from aiocredits.errors import CreditError
from aiocredits.pricing._numbers import parse_number
from aiocredits.pricing.compose import Rule
from aiocredits.pricing.meter import check_name
from aiocredits.pricing.quantities import UnitName
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
from aiocredits.pricing.tiers import tiered, volume

_PLAIN_KINDS = {
    "per_character": per_character,
    "per_byte": per_byte,
    "per_step": per_step,
    "per_second": per_second,
    "per_item": per_item,
}


def _number(value: object, info: ValidationInfo) -> Decimal:
    return parse_number(info.field_name or "number", value)


def parse_name(value: object, info: ValidationInfo) -> str:
    return check_name(info.field_name or "name", value)


_NUMBER_SCHEMA = {"anyOf": [{"type": "number", "minimum": 0}, {"type": "string"}]}
_NAME_SCHEMA = {"type": "string", "minLength": 1, "maxLength": 255}

Number: TypeAlias = Annotated[Decimal, PlainValidator(_number), WithJsonSchema(_NUMBER_SCHEMA)]
Name: TypeAlias = Annotated[str, PlainValidator(parse_name), WithJsonSchema(_NAME_SCHEMA)]
Count: TypeAlias = Annotated[int, Field(strict=True, ge=1)]


class Model(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Node(Model):
    minimum: Number | None = None
    maximum: Number | None = None
    _rule: Rule = PrivateAttr()

    @model_validator(mode="after")
    def _make_rule(self) -> Self:
        try:
            rule = self.build()
            rule = rule if self.minimum is None else rule.minimum(self.minimum)
            self._rule = rule if self.maximum is None else rule.maximum(self.maximum)
        except CreditError as error:
            raise ValueError(str(error)) from error
        return self

    @property
    def rule(self) -> Rule:
        return self._rule

    def build(self) -> Rule:
        raise NotImplementedError


class _Lots(_Node):
    per: Count | None = Field(None, description="The rate is for so many, in proportion.")
    every: Count | None = Field(None, description="The rate is for each started block of so many.")


class FlatNode(_Node):
    kind: Literal["flat"]
    amount: Number

    def build(self) -> Rule:
        return flat(self.amount)


class PerNode(_Lots):
    kind: Literal["per_character", "per_byte", "per_step", "per_second", "per_item"]
    rate: Number
    of: Name | None = Field(None, description="The quantity, or the parameter, to measure.")

    def build(self) -> Rule:
        make = _PLAIN_KINDS[self.kind]
        if self.of is None:
            return make(self.rate, per=self.per, every=self.every)
        return make(self.rate, of=self.of, per=self.per, every=self.every)


class PerKilobyteNode(_Lots):
    kind: Literal["per_kilobyte"]
    rate: Number
    of: Name = "bytes"
    unit: Literal["KB", "KiB"] = "KB"

    def build(self) -> Rule:
        return per_kilobyte(self.rate, of=self.of, unit=self.unit, per=self.per, every=self.every)


class PerMegabyteNode(_Lots):
    kind: Literal["per_megabyte"]
    rate: Number
    of: Name = "bytes"
    unit: Literal["MB", "MiB"] = "MB"

    def build(self) -> Rule:
        return per_megabyte(self.rate, of=self.of, unit=self.unit, per=self.per, every=self.every)


class PerTokenNode(_Lots):
    kind: Literal["per_token"]
    input: Number | None = None
    output: Number | None = None
    cached: Number | None = None

    def build(self) -> Rule:
        return per_token(
            input=self.input,
            output=self.output,
            cached=self.cached,
            per=self.per,
            every=self.every,
        )


class PackageNode(_Node):
    kind: Literal["package"]
    rate: Number
    size: Count
    of: Name
    unit: UnitName = "item"

    def build(self) -> Rule:
        return package(self.rate, size=self.size, of=self.of, unit=self.unit)


class TierModel(Model):
    upto: Number | None = Field(None, description="The last unit of the tier; none for the last.")
    rate: Number


class TiersNode(_Lots):
    kind: Literal["tiered", "volume"]
    of: Name
    unit: UnitName = "item"
    tiers: list[TierModel]

    def build(self) -> Rule:
        make = tiered if self.kind == "tiered" else volume
        pairs = [(tier.upto, tier.rate) for tier in self.tiers]
        return make(pairs, of=self.of, unit=self.unit, per=self.per, every=self.every)


class SumNode(_Node):
    kind: Literal["sum"]
    prices: "list[Node]" = Field(min_length=1)

    def build(self) -> Rule:
        return reduce(add, [node.rule for node in self.prices])


class LimitNode(_Node):
    kind: Literal["minimum", "maximum"]
    amount: Number
    price: "Node"

    def build(self) -> Rule:
        rule = self.price.rule
        return rule.minimum(self.amount) if self.kind == "minimum" else rule.maximum(self.amount)


class FreeNode(_Node):
    kind: Literal["free"]
    quantity: Count
    of: Name
    price: "Node"

    def build(self) -> Rule:
        return self.price.rule.free(self.quantity, of=self.of)


class MultiplyNode(_Node):
    kind: Literal["multiply"]
    factor: Number
    price: "Node"

    def build(self) -> Rule:
        return self.price.rule.multiply(self.factor)


Node: TypeAlias = Annotated[
    FlatNode
    | PerNode
    | PerKilobyteNode
    | PerMegabyteNode
    | PerTokenNode
    | PackageNode
    | TiersNode
    | SumNode
    | LimitNode
    | FreeNode
    | MultiplyNode,
    Field(discriminator="kind"),
]
