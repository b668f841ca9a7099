"""From rows to values of the model, and from values to one array for each column."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, TypeAlias

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

Columns: TypeAlias = list[Sequence[str | bool | None] | str | None]
"""One argument for each column: texts as an array, numbers as the text of an array."""

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
    return Account._make(row)


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


def load_hold(row: Record) -> Hold:
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
        c[0],
        array_of(c[1]),
        _instants(c[2]),
        *map(array_of, c[3:7]),
        *c[7:9],
        _instants_or_none(c[9]),
    ]


def charged_account_columns(changes: Iterable[tuple[Account, Account]]) -> Columns:
    """Return names, expected versions, and what a charge changes."""
    old, new = zip(*changes, strict=True)
    c = _columns([account[:4] for account in new], 4)
    return [
        c[0],
        array_of([account.version for account in old]),
        array_of(c[1]),
        _instants(c[2]),
        array_of(c[3]),
    ]


def grant_columns(grants: Iterable[Grant]) -> Columns:
    """Return the columns of new ``grants``."""
    c = _columns(grants, 16)
    return [
        c[0],
        array_of(c[1]),
        c[2],
        *map(array_of, c[3:8]),
        c[8],
        [None if cost is None else str(cost) for cost in c[9]],
        [dump_scope(scope) for scope in c[10]],
        _instants(c[11]),
        _instants_or_none(c[12]),
        *c[13:15],
        _mappings(c[15]),
    ]


def grant_change_columns(grants: Iterable[Grant]) -> Columns:
    """Return what may change of ``grants``, after account and number."""
    c = _columns(grants, 16)
    return [
        c[0],
        array_of(c[1]),
        c[2],
        *map(array_of, c[4:7]),
        _instants(c[11]),
        _instants_or_none(c[12]),
    ]


def charged_grant_columns(grants: Iterable[Grant]) -> Columns:
    """Return what a charge changes of ``grants``, after account and number."""
    c = _columns([grant[:5] for grant in grants], 5)
    return [c[0], array_of(c[1]), c[2], array_of(c[4])]


def hold_columns(holds: Iterable[Hold]) -> Columns:
    """Return the columns of new ``holds``."""
    c = _columns(holds, 12)
    return [
        c[0],
        array_of(c[1]),
        c[2],
        array_of(c[3]),
        array_of(c[4]),
        _slices(c[5]),
        _instants(c[6]),
        _instants(c[7]),
        *map(_texts, c[8:10]),
        c[10],
        _mappings(c[11]),
    ]


def hold_change_columns(holds: Iterable[Hold]) -> Columns:
    """Return what may change of ``holds``, after account and number."""
    c = _columns(holds, 12)
    return [
        c[0],
        array_of(c[1]),
        c[2],
        array_of(c[3]),
        array_of(c[4]),
        _slices(c[5]),
        _instants(c[7]),
    ]


def charge_columns(charges: Iterable[Charge]) -> Columns:
    """Return the columns of ``charges``."""
    c = _columns(charges, 8)
    return [
        c[0],
        array_of(c[1]),
        array_of(c[2]),
        _instants(c[3]),
        _texts(c[4]),
        _slices(c[5]),
        array_of(c[6]),
        array_of(c[7]),
    ]


def entry_columns(entries: Iterable[Entry]) -> Columns:
    """Return the columns of ``entries``."""
    c = _columns(entries, 17)
    return [
        c[0],
        array_of(c[1]),
        c[2],
        _instants(c[3]),
        *map(array_of, c[4:8]),
        _slices(c[8]),
        _numbers_or_none(c[9]),
        *map(_texts, c[10:12]),
        c[12],
        _mappings(c[13]),
        _texts(c[14]),
        _mappings(c[15]),
        _mappings(c[16]),
    ]


def usage_columns(usage: Iterable[Usage]) -> Columns:
    """Return the columns of ``usage``."""
    c = _columns(usage, 5)
    return [
        c[0],
        _array([day.isoformat() for day in c[1]]),
        [service or "" for service in c[2]],
        ["" if cost is None else str(cost) for cost in c[3]],
        array_of(c[4]),
    ]


def _columns(rows: Iterable[tuple[Any, ...]], width: int) -> list[Sequence[Any]]:
    # Named tuples turn into columns in one call.
    return list(zip(*rows, strict=True)) or [()] * width


def _array(texts: Iterable[str]) -> str:
    return "{" + ",".join(texts) + "}"


def array_of(numbers: Iterable[int]) -> str:
    """Return the text of an array."""
    return _array(map(str, numbers))


def _numbers_or_none(numbers: Sequence[int | None]) -> str | None:
    if not any(numbers):  # nothing is numbered 0
        return None
    return _array(["NULL" if number is None else str(number) for number in numbers])


def _instants(instants: Sequence[datetime]) -> str:
    return _array(map(to_micros, instants))


def _instants_or_none(instants: Sequence[datetime | None]) -> str:
    return _array(["NULL" if instant is None else to_micros(instant) for instant in instants])


def _texts(texts: Sequence[str | None]) -> Sequence[str | None] | None:
    return texts if any(texts) else None


def _slices(slices: Iterable[Any]) -> list[str]:
    return [dump_slices(parts) for parts in slices]


def _mappings(mappings: Sequence[Any]) -> list[str | None] | None:
    if not any(mappings):
        return None
    return [dump_mapping(mapping) if mapping else None for mapping in mappings]
