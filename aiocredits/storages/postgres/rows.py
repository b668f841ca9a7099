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

Columns: TypeAlias = list[Sequence[Any]]
"""One array for each column: they have many types."""

_MICROSECOND = timedelta(microseconds=1)


# A batch writes one instant many times.
@lru_cache(maxsize=4096)
def to_micros(instant: datetime) -> int:
    """Return microseconds since 1970."""
    return (instant - EPOCH) // _MICROSECOND


def load_account(row: Record) -> Account:
    """Return an account from its columns."""
    return Account._make(row)


def load_grant(row: Record) -> Grant:
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
    """Return the columns of ``accounts``, instants as microseconds."""
    columns = _columns(accounts, 10)
    columns[2] = _instants(columns[2])
    columns[9] = _instants(columns[9])
    return columns


def grant_columns(grants: Iterable[Grant]) -> Columns:
    """Return the columns of new ``grants``."""
    columns = _columns(grants, 16)
    columns[9] = [None if cost is None else str(cost) for cost in columns[9]]
    columns[10] = [dump_scope(scope) for scope in columns[10]]
    columns[11] = _instants(columns[11])
    columns[12] = _instants(columns[12])
    columns[15] = _mappings(columns[15])
    return columns


def grant_change_columns(grants: Iterable[Grant]) -> Columns:
    """Return what may change of ``grants``, after account and number."""
    columns = _columns(grants, 16)
    return [*columns[:3], *columns[4:7], _instants(columns[11]), _instants(columns[12])]


def hold_columns(holds: Iterable[Hold]) -> Columns:
    """Return the columns of new ``holds``."""
    columns = _columns(holds, 12)
    columns[5] = _slices(columns[5])
    columns[6] = _instants(columns[6])
    columns[7] = _instants(columns[7])
    columns[11] = _mappings(columns[11])
    return columns


def hold_change_columns(holds: Iterable[Hold]) -> Columns:
    """Return what may change of ``holds``, after account and number."""
    columns = _columns(holds, 12)
    return [*columns[:5], _slices(columns[5]), _instants(columns[7])]


def charge_columns(charges: Iterable[Charge]) -> Columns:
    """Return the columns of ``charges``."""
    columns = _columns(charges, 8)
    columns[3] = _instants(columns[3])
    columns[5] = _slices(columns[5])
    return columns


def entry_columns(entries: Iterable[Entry]) -> Columns:
    """Return the columns of ``entries``."""
    columns = _columns(entries, 17)
    columns[3] = _instants(columns[3])
    columns[8] = _slices(columns[8])
    columns[13] = _mappings(columns[13])
    columns[15] = _mappings(columns[15])
    columns[16] = _mappings(columns[16])
    return columns


def usage_columns(usage: Iterable[Usage]) -> Columns:
    """Return the columns of ``usage``."""
    columns = _columns(usage, 5)
    columns[2] = [service or "" for service in columns[2]]
    columns[3] = ["" if cost is None else str(cost) for cost in columns[3]]
    return columns


def _columns(rows: Iterable[tuple[object, ...]], width: int) -> Columns:
    # Named tuples turn into columns in one call.
    return list(zip(*rows, strict=True)) or [()] * width


def _instants(instants: Iterable[datetime | None]) -> list[int | None]:
    return [None if instant is None else to_micros(instant) for instant in instants]


def _slices(slices: Iterable[Any]) -> list[str]:
    return [dump_slices(parts) for parts in slices]


def _mappings(mappings: Iterable[Any]) -> list[str | None]:
    return [dump_mapping(mapping) if mapping else None for mapping in mappings]
