"""Amounts: what callers write (`int | Decimal | str`) and what the books keep.

Inside, an amount is an ``int`` of micro-credits (10^-6 credit) that fits a signed 64-bit column.
"""

from decimal import Decimal, InvalidOperation
from typing import TypeAlias

from aiocredits.errors import InvalidAmountError
from aiocredits.types import Amount

Micros: TypeAlias = int
"""An exact number of micro-credits."""

DECIMALS = 6
ONE_CREDIT: Micros = 10**DECIMALS
MAX_MICROS: Micros = 2**63 - 1

_SHOWN = 60


def to_micros(amount: Amount) -> Micros:
    """Return a positive `amount` in micro-credits, or raise `InvalidAmountError`."""
    micros = to_micros_or_zero(amount)
    if micros == 0:
        raise InvalidAmountError(f"{_shown(amount)} credits: an amount must be above zero", amount)
    return micros


def to_micros_or_zero(amount: Amount) -> Micros:
    """Return `amount` in micro-credits where zero has a meaning, as in a limit of nothing."""
    whole = type(amount) is int  # not a bool, and needs no parsing
    micros = int(amount) * ONE_CREDIT if whole else _exact_micros(_parse(amount), amount)
    if micros < 0:
        raise InvalidAmountError(
            f"{_shown(amount)} credits: an amount cannot be negative; use the verb that moves the "
            "credits the other way",
            amount,
        )
    if micros > MAX_MICROS:
        raise _too_much(amount)
    return micros


def to_credits(micros: Micros) -> Decimal:
    """Return micro-credits as a `Decimal` that prints plainly: ``95``, ``0.25``."""
    whole, fraction = divmod(micros, ONE_CREDIT)
    if not fraction:
        return Decimal(whole)
    return Decimal(plain(micros))


def plain(micros: Micros) -> str:
    """Return micro-credits as the shortest plain decimal text."""
    sign, micros = ("-", -micros) if micros < 0 else ("", micros)
    whole, fraction = divmod(micros, ONE_CREDIT)
    if not fraction:
        return f"{sign}{whole}"
    return f"{sign}{whole}.{fraction:0{DECIMALS}d}".rstrip("0")


def _parse(amount: object) -> Decimal:
    match amount:
        case bool():
            raise InvalidAmountError(f"{amount!r} is a bool, not an amount of credits", amount)
        case float():
            raise InvalidAmountError(
                f"{amount!r} is a float, which cannot be exact: "
                f'use Decimal("{amount!r}") or "{amount!r}"',
                amount,
            )
        case Decimal() | int():
            return Decimal(amount)
        case str():
            try:
                return Decimal(amount)
            except InvalidOperation:
                raise InvalidAmountError(f"{_shown(amount)} is not a number", amount) from None
        case _:
            raise InvalidAmountError(
                f"{amount!r} is a {type(amount).__name__}: an amount is an int, a Decimal or a str",
                amount,
            )


def _exact_micros(value: Decimal, amount: object) -> Micros:
    if not value.is_finite():
        raise InvalidAmountError(f"{_shown(amount)} is not a finite amount of credits", amount)
    if not value:
        return 0
    # Exponent and digits are bounded before any arithmetic: neither "1e999999999" nor a million
    # zeros behind the point must build that integer.
    if value.adjusted() > len(str(MAX_MICROS)):
        raise _too_much(amount)
    sign, digits, exponent = value.as_tuple()
    text = "".join(map(str, digits)).lstrip("0")
    significant = text.rstrip("0")
    shift = int(exponent) + len(text) - len(significant) + DECIMALS
    if shift < 0:
        raise InvalidAmountError(
            f"{_shown(amount)} credits: one credit has {DECIMALS} decimals; round the amount first",
            amount,
        )
    micros: int = int(significant) * 10**shift
    return -micros if sign else micros


def _too_much(amount: object) -> InvalidAmountError:
    return InvalidAmountError(
        f"{_shown(amount)} credits: an amount is at most {to_credits(MAX_MICROS)} credits", amount
    )


def _shown(amount: object) -> str:
    """Return `amount` as a message shows it: not all of its digits, which may be a million."""
    if isinstance(amount, int) and abs(amount) > MAX_MICROS:
        return f"{'-' if amount < 0 else ''}(more than {MAX_MICROS})"
    text = repr(amount)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
