"""What is refused, and how the refusal reads."""

import io
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from aiocredits.errors import ConfigurationError, InvalidAmountError, InvalidInputError
from aiocredits.pricing import (
    Price,
    flat,
    make_rounding,
    package,
    per_byte,
    per_character,
    per_item,
    per_kilobyte,
    per_second,
    per_step,
    per_token,
    tiered,
    volume,
)

NUMBER_TAKERS: dict[str, Callable[[object], object]] = {
    "amount": lambda value: flat(value),  # type: ignore[arg-type]  # noqa: PLW0108
    "rate": lambda value: per_character(value),  # type: ignore[arg-type]  # noqa: PLW0108
    "input": lambda value: per_token(input=value),  # type: ignore[arg-type]
    "minimum": lambda value: flat(1).minimum(value),  # type: ignore[arg-type]
    "maximum": lambda value: flat(1).maximum(value),  # type: ignore[arg-type]
    "factor": lambda value: flat(1).multiply(value),  # type: ignore[arg-type]
    "upto": lambda value: tiered([(value, 1), (None, 1)], of="n"),  # type: ignore[list-item]
}


@pytest.mark.parametrize("noun", NUMBER_TAKERS)
@pytest.mark.parametrize(
    ("value", "message"),
    [
        (0.1, r'0.1 is a float, which cannot be exact: use Decimal\("0.1"\) or "0.1"'),
        (float("nan"), "is a float"),
        (True, "True is a bool, not a number"),
        ("abc", "'abc' is not a number"),
        ("", "'' is not a number"),
        ("NaN", "'NaN' is not a finite number"),
        ("-Infinity", "'-Infinity' is not a finite number"),
        (Decimal("sNaN"), "is not a finite number"),
        (-1, "-1: nothing in a price can be negative"),
        ("-0.1", "'-0.1': nothing in a price can be negative"),
        ("1e999999999", "at most 30 digits"),
        ("1e-999999999", "at most 30 digits"),
        ([1], r"\[1\] is a list: an int, a Decimal or a str is needed"),
    ],
)
def test_a_number_is_refused(noun: str, value: object, message: str) -> None:
    with pytest.raises(InvalidAmountError, match=rf"^{noun} .*{message}") as caught:
        NUMBER_TAKERS[noun](value)
    assert caught.value.amount is value


@pytest.mark.parametrize(
    ("price", "value", "message"),
    [
        (per_character(1), None, "is None: how many characters it has is not known, which is not"),
        (per_character(1), -1, "is -1 characters: a quantity cannot be negative"),
        (per_character(1), 1.5, "is 1.5, a float: characters are counted by an int"),
        (per_character(1), float("nan"), "is nan, a float"),
        (per_character(1), float("inf"), "is inf, a float"),
        (per_character(1), Decimal(1), "a Decimal: characters are counted by an int"),
        (per_character(1), True, "is True, a bool and not a number of characters"),
        (per_character(1), b"hello", "is a bytes, which cannot be counted in characters"),
        (per_byte(1), "hello", r"is a str, and how many bytes .* pass q.encode\(\)"),
        (per_byte(1), None, "is None: how many bytes"),
        (per_byte(1), -1, "is -1 bytes"),
        (per_byte(1), [1], "is a list, which cannot be counted in bytes"),
        (per_byte(1), io.StringIO("text"), "is a StringIO, which cannot be counted in bytes"),
        (per_byte(1), Path("/does/not/exist"), "its size cannot be read: .*No such file"),
        (per_step(1), "plan", "is a str, which cannot be counted in steps"),
        (per_item(1), b"file", "is a bytes, which cannot be counted in items"),
        (per_item(1), False, "a bool"),
        (per_second(1), 0.5, r'is 0.5, a float, .*: use Decimal\("0.5"\) or a timedelta'),
        (per_second(1), Decimal("NaN"), "is not a finite number"),
        (per_second(1), Decimal(-1), "can be negative"),
        (per_second(1), Decimal("1e999999999"), "at most 30 digits"),
        (per_second(1), "1.5", "is a str, which cannot be counted in seconds"),
    ],
)
def test_a_quantity_is_refused(price: Price, value: object, message: str) -> None:
    (name,) = price.quantities
    message = message.replace("q.encode", f"{name}.encode")
    for ask in (price.quote, price.upper_bound):
        with pytest.raises(InvalidInputError, match=rf"^'{name}'.*{message}"):
            ask(**{name: value})
    with pytest.raises(InvalidInputError):
        price.measure(name, value)


class UploadWithoutSize:
    size = None


def test_an_upload_of_unknown_size_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="UploadWithoutSize, which cannot be counted"):
        per_byte(1).quote(bytes=UploadWithoutSize())


def test_a_missing_quantity_is_named() -> None:
    with pytest.raises(InvalidInputError, match="needs 'message' and was given 'mesage'"):
        per_character(1, of="message").quote(mesage="hello")
    with pytest.raises(InvalidInputError, match="measures 'message', not 'mesage'"):
        per_character(1, of="message").measure("mesage", "hello")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: per_character(1, per=2, every=2), "choose one"),
        (per_token, "give input=, output= or cached="),
        (lambda: package(1, size=2, of="t", unit="token"), "per_token"),
        (lambda: per_character(1, of="x") + per_byte(1, of="x"), "characters and in bytes"),
        (lambda: flat(1).free(1, of="x"), "free of 'x': the price measures nothing"),
        (lambda: per_step(1).free(1, of="x"), "free of 'x': the price measures 'steps'"),
        (lambda: flat(1).minimum(5).maximum(3), "a minimum of 5 is above the maximum of 3"),
        (lambda: flat(1).maximum(3).minimum(5), "a minimum of 5 is above the maximum of 3"),
        (lambda: tiered([], of="n"), "the last tier has no bound"),
        (lambda: volume([(1, 1)], of="n"), "the last tier has no bound"),
        (lambda: tiered([(None, 1), (None, 1)], of="n"), "the bounds of tiers rise"),
        (lambda: tiered([(2, 1), (2, 1), (None, 1)], of="n"), "the bounds of tiers rise"),
        (lambda: tiered([(0, 1), (None, 1)], of="n"), "begin above 0"),
    ],
)
def test_a_combination_that_cannot_work_is_refused(
    make: Callable[[], object], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        make()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: per_character(1, every=0), "every 0: a whole number of at least 1"),
        (lambda: per_character(1, per=-1), "per -1: a whole number of at least 1"),
        (lambda: per_character(1, every=True), "every True"),
        (lambda: per_character(1, every=1.0), "every 1.0"),  # type: ignore[arg-type]
        (lambda: per_step(1).free(0, of="steps"), "free 0"),
        (lambda: per_character(1, of=""), "of ''"),
        (lambda: per_kilobyte(1, unit="kB"), "unit 'kB': it is one of .*KB, KiB"),  # type: ignore[arg-type]
        (lambda: tiered([1], of="n"), r"tier 1: a tier is a pair \(upto, rate\)"),  # type: ignore[list-item]
        (lambda: flat(1).round("0.01", "nearest"), "rounding mode 'nearest'"),  # type: ignore[arg-type]
        (lambda: flat(1).round(0), "above zero"),
        (lambda: flat(1).round("0.0000001"), "6 decimals"),
        (lambda: make_rounding(0.1), "float"),  # type: ignore[arg-type]
    ],
)
def test_a_value_that_cannot_be_is_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        make()


def test_a_total_out_of_range_is_refused() -> None:
    with pytest.raises(InvalidAmountError, match=r"at most 9223372036854\.775807"):
        per_character(10**12).quote(characters=10)


def test_what_is_rounded_is_composed_no_further() -> None:
    rounded = flat(1).round("0.01")
    with pytest.raises(TypeError):
        flat(1) + rounded  # type: ignore[operator]
    with pytest.raises(TypeError):
        rounded + flat(1)  # type: ignore[operator]


def test_a_price_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        flat(1).amount = Decimal(2)  # type: ignore[attr-defined]
