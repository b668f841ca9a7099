"""Turning what callers write into what commands carry; whatever cannot be is refused here."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import TypeAlias, get_args

from aiocredits._model import NO_METADATA
from aiocredits._names import check_name
from aiocredits.errors import InvalidExpiryError, InvalidInputError, InvalidNameError
from aiocredits.types import Metadata

Duration: TypeAlias = timedelta | float
"""A `timedelta`, or seconds."""

MAX_DESCRIPTION = 10_000
COST_DECIMALS = 12


def check_instant(name: str, instant: datetime | None) -> datetime | None:
    """Return `instant` in UTC; a naive one could be any hour of the day."""
    if instant is None:
        return None
    if not isinstance(instant, datetime) or instant.utcoffset() is None:
        raise InvalidExpiryError(
            f"{name}={instant!r}: an instant is an aware datetime, as in "
            "datetime(2026, 12, 31, tzinfo=UTC)"
        )
    try:
        return instant.astimezone(UTC)
    except OverflowError:
        raise InvalidExpiryError(
            f"{name}={instant!r} lies outside the years 1 to 9999 of UTC: for an end that never "
            "comes, use None"
        ) from None


def check_duration(name: str, duration: Duration) -> timedelta:
    """Return `duration` as a `timedelta`."""
    if isinstance(duration, timedelta):
        return duration
    if isinstance(duration, bool) or not isinstance(duration, int | float):
        raise InvalidExpiryError(f"{name}={duration!r}: a duration is a timedelta, or seconds")
    try:
        return timedelta(seconds=duration)
    except (OverflowError, ValueError):
        raise InvalidExpiryError(f"{name}={duration!r} seconds is no duration") from None


def check_text(name: str, text: str) -> str:
    """Return a description."""
    if not isinstance(text, str):
        raise InvalidInputError(f"{name}={text!r}: a {name} is a str")
    if len(text) > MAX_DESCRIPTION or "\0" in text or _has_surrogate(text):
        raise InvalidInputError(
            f"{name} {text[:40]!r}…: a {name} has at most {MAX_DESCRIPTION} characters, none of "
            "them a NUL or half a surrogate pair"
        )
    return text


def check_metadata(metadata: Metadata | None) -> Metadata:
    """Return a copy of `metadata`, whose keys are str and whose values JSON scalars."""
    if metadata is None:
        return NO_METADATA
    if not isinstance(metadata, Mapping):
        raise InvalidInputError(
            f"metadata={metadata!r}: metadata is a mapping from str to str, int, bool or None"
        )
    if not metadata:
        return NO_METADATA
    for key, value in metadata.items():
        check_text("metadata key", key)
        if isinstance(value, str):
            check_text(f"metadata[{key!r}]", value)
        elif not (value is None or isinstance(value, bool | int)):
            raise InvalidInputError(
                f"metadata[{key!r}]={value!r}: a value is a str, an int, a bool or None; write "
                "anything else as a str"
            )
    return dict(metadata)


def check_scope(scope: Iterable[str] | None) -> frozenset[str] | None:
    """Return the services of a scope."""
    if scope is None:
        return None
    if isinstance(scope, str) or not isinstance(scope, Iterable):
        raise InvalidNameError(
            f"scope={scope!r}: a scope is a set of services, as in {{{scope!r}}}"
        )
    services = tuple(scope)
    if not services:
        raise InvalidNameError(
            "scope is empty, so nothing could ever be paid; None means any service"
        )
    for service in services:
        if service is None:
            raise InvalidNameError("scope names None: a charge for no service needs no scope")
        check_name("service", service)
    return frozenset(services)


def check_unit_cost(cost: Decimal | int | str | None) -> Decimal | None:
    """Return money per credit in its shortest form, so that equal costs are one."""
    if cost is None:
        return None
    if isinstance(cost, bool | float) or not isinstance(cost, Decimal | int | str):
        raise InvalidInputError(f'unit_cost={cost!r}: write Decimal("0.01") or "0.01"')
    try:
        value = Decimal(cost)
    except InvalidOperation:
        raise InvalidInputError(f"unit_cost={cost!r} is not a number") from None
    if not value.is_finite() or value < 0 or value.adjusted() > COST_DECIMALS:
        raise InvalidInputError(f"unit_cost={cost!r}: a cost is zero or more, and finite")
    if -int(value.normalize().as_tuple().exponent) > COST_DECIMALS:
        raise InvalidInputError(f"unit_cost={cost!r}: a cost has at most {COST_DECIMALS} decimals")
    return Decimal(f"{value.normalize():f}") if value else Decimal(0)


def check_choice(name: str, choice: str, choices: object) -> None:
    """Refuse a `choice` that is not one of the Literal `choices`."""
    legal = get_args(choices)
    if choice not in legal:
        raise InvalidInputError(f"{name}={choice!r}: choose one of {', '.join(map(repr, legal))}")


def check_priority(priority: int) -> int:
    """Return `priority` if it is a whole number; the books know which are legal."""
    if isinstance(priority, bool) or not isinstance(priority, int):
        raise InvalidInputError(f"priority={priority!r}: a priority is a whole number, 0 to 100")
    return priority


def check_member(noun: str, name: str | None) -> str | None:
    """Return a service's or an actor's name."""
    return None if name is None else check_name(noun, name)


def _has_surrogate(text: str) -> bool:
    return not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text)
