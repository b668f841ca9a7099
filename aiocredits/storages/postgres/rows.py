"""From rows to values of the model, and from values to one array for each column."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, TypeAlias, cast

from asyncpg import Record

from aiocredits._model import EPOCH, Account, Charge, Entry, Grant, Hold, Usage
from aiocredits.storages._codec import (
    dump_mapping,
    dump_scope,
    dump_slices,
    load_mapping,
    load_metadata,
    load_scope,
    load_slices,
)

Columns: TypeAlias = list[str | None]
"""One argument for each column, the text of an array: a driver would encode one by one."""

Values: TypeAlias = Record | Sequence[Any]
"""A row, or the part of one that comes from one table."""

_MICROSECOND = timedelta(microseconds=1)


# A batch writes one instant many times.
@lru_cache(maxsize=4096)
def to_micros(instant: datetime) -> str:
    """Return microseconds since 1970, as text."""
    return str((instant - EPOCH) // _MICROSECOND)


def load_account(row: Values) -> Account:
    """Return an account from its columns."""
    return Account._make(row[:10])


def load_grant(row: Values) -> Grant:
    """Return a grant from its columns."""
    cost = row[9]
    return Grant._make(
        (
            *row[:9],
            None if cost is None else Decimal(cost),
            load_scope(row[10]),
            *row[11:15],
            load_metadata(row[15]),
        )
    )


def load_hold(row: Values) -> Hold:
    """Return a hold from its columns."""
    return Hold._make((*row[:5], load_slices(row[5]), *row[6:11], load_metadata(row[11])))


def load_charge(row: Record) -> Charge:
    """Return a charge from its columns."""
    return Charge._make((*row[:5], load_slices(row[5]), *row[6:]))


def load_entry(row: Record) -> Entry:
    """Return an entry from its columns."""
    return Entry._make(
        (
            *row[:8],
            load_slices(row[8]),
            *row[9:13],
            load_metadata(row[13]),
            row[14],
            load_mapping(row[15]),
            load_mapping(row[16]),
        )
    )


def load_usage(row: Record) -> Usage:
    """Return usage from its columns."""
    account, day, service, cost, spent = row
    return Usage(account, day, service or None, Decimal(cost) if cost else None, spent)


def account_columns(accounts: Iterable[Account]) -> Columns:
    """Return the columns of ``accounts``."""
    c = _columns(accounts, 10)
    return [
        texts(c[0]),
        numbers(c[1]),
        _instants(c[2]),
        *map(numbers, c[3:7]),
        *map(texts, c[7:9]),
        instants_or_none(c[9]),
    ]


def charged_account_columns(changes: Sequence[tuple[Account, Account]]) -> Columns:
    """Return names, expected versions, and what a charge changes."""
    # Not by _columns: of so few columns of so wide rows that is no faster.
    return [
        texts([new.name for _, new in changes]),
        numbers([old.version for old, _ in changes]),
        numbers([new.version for _, new in changes]),
        _instants([new.at for _, new in changes]),
        numbers([new.available_micros for _, new in changes]),
    ]


def grant_columns(grants: Iterable[Grant]) -> Columns:
    """Return the columns of new ``grants``."""
    c = _columns(grants, 16)
    return [
        texts(c[0]),
        numbers(c[1]),
        texts(c[2]),
        *map(numbers, c[3:8]),
        texts(c[8]),
        texts_or_none([None if cost is None else str(cost) for cost in c[9]]),
        texts_or_none([dump_scope(scope) for scope in c[10]]),
        _instants(c[11]),
        instants_or_none(c[12]),
        _array(["t" if rolled_over else "f" for rolled_over in c[13]]),
        texts(c[14]),
        _mappings(c[15]),
    ]


def grant_change_columns(grants: Iterable[Grant]) -> Columns:
    """Return what may change of ``grants``, after account and number."""
    c = _columns(grants, 16)
    return [
        texts(c[0]),
        numbers(c[1]),
        texts(c[2]),
        *map(numbers, c[4:7]),
        _instants(c[11]),
        instants_or_none(c[12]),
    ]


def moved_grant_columns(grants: Iterable[Grant]) -> Columns:
    """Return what holds and charges change of ``grants``, after account and number."""
    c = _columns([grant[:7] for grant in grants], 7)
    return [texts(c[0]), numbers(c[1]), texts(c[2]), *map(numbers, c[4:7])]


def hold_columns(holds: Iterable[Hold]) -> Columns:
    """Return the columns of new ``holds``."""
    c = _columns(holds, 12)
    return [
        texts(c[0]),
        numbers(c[1]),
        texts(c[2]),
        numbers(c[3]),
        numbers(c[4]),
        _slices(c[5]),
        _instants(c[6]),
        _instants(c[7]),
        *map(texts_or_none, c[8:10]),
        texts(c[10]),
        _mappings(c[11]),
    ]


def hold_change_columns(holds: Iterable[Hold]) -> Columns:
    """Return what may change of ``holds``, after account and number."""
    c = _columns([hold[:8] for hold in holds], 8)
    return [
        texts(c[0]),
        numbers(c[1]),
        texts(c[2]),
        numbers(c[3]),
        numbers(c[4]),
        _slices(c[5]),
        _instants(c[7]),
    ]


def charge_columns(charges: Iterable[Charge]) -> Columns:
    """Return the columns of ``charges``."""
    c = _columns(charges, 8)
    return [
        texts(c[0]),
        numbers(c[1]),
        numbers(c[2]),
        _instants(c[3]),
        texts_or_none(c[4]),
        _slices(c[5]),
        numbers(c[6]),
        numbers(c[7]),
    ]


def entry_columns(entries: Iterable[Entry]) -> Columns:
    """Return the columns of ``entries``."""
    c = _columns(entries, 17)
    return [
        texts(c[0]),
        numbers(c[1]),
        texts(c[2]),
        _instants(c[3]),
        *map(numbers, c[4:8]),
        _slices(c[8]),
        _numbers_or_none(c[9]),
        *map(texts_or_none, c[10:12]),
        texts(c[12]),
        _mappings(c[13]),
        texts_or_none(c[14]),
        _mappings(c[15]),
        _mappings(c[16]),
    ]


def charge_entry_columns(entries: Iterable[Entry]) -> Columns:
    """Return the columns of entries of charges that are all alike."""
    c = _columns(entries, 17)
    return [
        texts(c[0]),
        numbers(c[1]),
        _instants(c[3]),
        numbers(c[4]),
        numbers(c[5]),
        _slices(c[8]),
        texts_or_none(c[10]),
        texts(c[12]),
        _mappings(c[13]),
        texts_or_none(c[14]),
        _mappings(c[15]),
    ]


def usage_columns(usage: Iterable[Usage]) -> Columns:
    """Return the columns of ``usage``."""
    c = _columns(usage, 5)
    return [
        texts(c[0]),
        _array([day.isoformat() for day in c[1]]),
        texts([service or "" for service in c[2]]),
        texts(["" if cost is None else str(cost) for cost in c[3]]),
        numbers(c[4]),
    ]


def _columns(rows: Iterable[tuple[Any, ...]], width: int) -> list[Sequence[Any]]:
    # Named tuples turn into columns in one call.
    return list(zip(*rows, strict=True)) or [()] * width


def _array(elements: Iterable[str]) -> str:
    return "{" + ",".join(elements) + "}"


def numbers(values: Iterable[int]) -> str:
    """Return the text of an array of numbers."""
    return _array(map(str, values))


def texts(values: Sequence[str]) -> str:
    """Return the text of an array of texts."""
    if not values:
        return "{}"
    joined = '","'.join(values)
    if "\\" in joined or joined.count('"') != 2 * (len(values) - 1):
        joined = '","'.join([_escaped(value) for value in values])
    return f'{{"{joined}"}}'


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')


def texts_or_none(values: Sequence[str | None]) -> str | None:
    """Return the text of an array of texts, or None if there are none."""
    if not any(values):
        return None
    if None in values:
        quoted = ["NULL" if value is None else f'"{_escaped(value)}"' for value in values]
        return _array(quoted)
    return texts(cast("Sequence[str]", values))


def _numbers_or_none(values: Sequence[int | None]) -> str | None:
    if not any(values):  # nothing is numbered 0
        return None
    return _array(["NULL" if value is None else str(value) for value in values])


def _instants(instants: Sequence[datetime]) -> str:
    return _array(map(to_micros, instants))


def instants_or_none(instants: Sequence[datetime | None]) -> str:
    """Return the text of an array of microseconds since 1970."""
    return _array(["NULL" if instant is None else to_micros(instant) for instant in instants])


def _slices(slices: Iterable[Any]) -> str:
    return texts([dump_slices(parts) for parts in slices])


def _mappings(mappings: Sequence[Any]) -> str | None:
    if not any(mappings):
        return None
    return texts_or_none([dump_mapping(mapping) if mapping else None for mapping in mappings])
