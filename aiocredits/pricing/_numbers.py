"""Exact numbers: what callers write (`int | Decimal | str`) and what a price computes with.

A price computes with integers and fractions, so that nothing is rounded before the one rounding at
its end: a third of a credit is a third until then.
"""

from decimal import Context, Decimal, Inexact, InvalidOperation
from fractions import Fraction
from typing import TypeAlias

from aiocredits.errors import InvalidAmountError, InvalidInputError

Exact: TypeAlias = int | Fraction

# No rate needs more, and "1e999999999" must not become an integer of that length.
_MAX_DIGITS = 30
_SHOWN_DIGITS = 28


def parse_number(noun: str, value: object) -> Decimal:
    """Return a finite number of zero or more; `noun` names it in the refusal."""
    number = abs(parsed) if (parsed := _parse(noun, value)) == 0 else parsed
    shown = _shown(noun, value)
    if number < 0:
        raise InvalidAmountError(f"{shown}: nothing in a price can be negative", value)
    exponent = int(number.as_tuple().exponent)
    if number.adjusted() >= _MAX_DIGITS or exponent < -_MAX_DIGITS:
        raise InvalidAmountError(
            f"{shown}: at most {_MAX_DIGITS} digits before and after the point are kept",
            value,
        )
    return number


def parse_count(noun: str, value: object) -> int:
    """Return a whole number of one or more."""
    if type(value) is not int or value < 1:
        raise InvalidInputError(f"{noun} {value!r}: a whole number of at least 1 is needed")
    return value


def exact(number: Decimal) -> Exact:
    """Return `number` for exact arithmetic, as an `int` where it is one: that is faster."""
    fraction = Fraction(number)
    return fraction.numerator if fraction.denominator == 1 else fraction


def ratio(numerator: int, denominator: int) -> Exact:
    """Return the exact quotient."""
    return numerator if denominator == 1 else Fraction(numerator, denominator)


def to_decimal(number: Exact) -> Decimal:
    """Return `number` exactly where decimals can, and with 28 digits where they cannot (1/3)."""
    numerator, denominator = number.numerator, number.denominator
    enough = Context(prec=len(str(numerator)) + denominator.bit_length(), traps=[])
    quotient = enough.divide(Decimal(numerator), Decimal(denominator))
    if not enough.flags[Inexact]:
        return quotient
    return Context(prec=_SHOWN_DIGITS).divide(Decimal(numerator), Decimal(denominator))


def plain(number: Exact | Decimal) -> str:
    """Return the shortest plain decimal text: ``95``, ``0.25``."""
    text = f"{number if isinstance(number, Decimal) else to_decimal(number):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _parse(noun: str, value: object) -> Decimal:
    match value:
        case bool():
            raise InvalidAmountError(f"{noun} {value!r} is a bool, not a number", value)
        case float():
            raise InvalidAmountError(
                f"{noun} {value!r} is a float, which cannot be exact: "
                f'use Decimal("{value!r}") or "{value!r}"',
                value,
            )
        case Decimal() | int():
            number = Decimal(value)
        case str():
            number = _from_text(noun, value)
        case _:
            raise InvalidAmountError(
                f"{noun} {value!r} is a {type(value).__name__}: an int, a Decimal or a str is "
                "needed",
                value,
            )
    if not number.is_finite():
        raise InvalidAmountError(f"{_shown(noun, value)} is not a finite number", value)
    return number


def _shown(noun: str, value: object) -> str:
    # A Decimal may be what a book says without quotes, and is shown as it stands there.
    return f"{noun} {value}" if isinstance(value, Decimal) else f"{noun} {value!r}"


def _from_text(noun: str, text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise InvalidAmountError(f"{noun} {text!r} is not a number", text) from None
