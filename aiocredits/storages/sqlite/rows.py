"""Between the values of the model and the rows of the tables."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, TypeAlias

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

Values: TypeAlias = tuple[Any, ...]
"""A row as the driver takes and gives it: its columns have many types."""

_MICROSECOND = timedelta(microseconds=1)


# A batch writes one instant many times.
@lru_cache(maxsize=1024)
def to_time(instant: datetime) -> int:
    """Return microseconds since 1970."""
    return (instant - EPOCH) // _MICROSECOND


@lru_cache(maxsize=1024)
def from_time(microseconds: int) -> datetime:
    """Return the instant, in UTC."""
    return EPOCH + timedelta(microseconds=microseconds)


def dump_account(account: Account) -> Values:
    """Return a row for ``insert_account`` and ``update_account``."""
    return (
        account.name,
        account.version,
        to_time(account.at),
        *account[3:9],
        None if account.due_at is None else to_time(account.due_at),
    )


def load_account(row: Values) -> Account:
    """Return an account from its columns."""
    due_at = row[9]
    return Account._make(
        (
            row[0],
            row[1],
            from_time(row[2]),
            *row[3:9],
            None if due_at is None else from_time(due_at),
        )
    )


def dump_grant(grant: Grant) -> Values:
    """Return a row for ``insert_grant``."""
    return (
        *grant[:9],
        None if grant.unit_cost is None else str(grant.unit_cost),
        dump_scope(grant.scope),
        to_time(grant.effective_at),
        None if grant.expires_at is None else to_time(grant.expires_at),
        int(grant.rolled_over),
        grant.description,
        dump_mapping(grant.metadata),
    )


def dump_grant_move(grant: Grant) -> Values:
    """Return a row for ``move_grant``."""
    return (grant.account, grant.number, grant.remaining_micros, grant.held_micros)


def dump_grant_change(grant: Grant) -> Values:
    """Return a row for ``update_grant``."""
    return (
        grant.account,
        grant.number,
        grant.state,
        grant.remaining_micros,
        grant.held_micros,
        grant.lapsed_micros,
        to_time(grant.effective_at),
        None if grant.expires_at is None else to_time(grant.expires_at),
    )


def load_grant(row: Values) -> Grant:
    """Return a grant from its columns."""
    return Grant._make(
        (
            *row[:9],
            None if row[9] is None else Decimal(row[9]),
            load_scope(row[10]),
            from_time(row[11]),
            None if row[12] is None else from_time(row[12]),
            bool(row[13]),
            row[14],
            load_metadata(row[15]),
        )
    )


def dump_hold(hold: Hold) -> Values:
    """Return a row for ``insert_hold``."""
    return (
        *hold[:5],
        dump_slices(hold.slices),
        to_time(hold.placed_at),
        to_time(hold.expires_at),
        *hold[8:11],
        dump_mapping(hold.metadata),
    )


def dump_hold_change(hold: Hold) -> Values:
    """Return a row for ``update_hold``."""
    return (*hold[:5], dump_slices(hold.slices), to_time(hold.expires_at))


def load_hold(row: Values) -> Hold:
    """Return a hold from its columns."""
    return Hold._make(
        (
            *row[:5],
            load_slices(row[5]),
            from_time(row[6]),
            from_time(row[7]),
            *row[8:11],
            load_metadata(row[11]),
        )
    )


def dump_charge(charge: Charge) -> Values:
    """Return a row for ``save_charge``."""
    return (
        *charge[:3],
        to_time(charge.at),
        charge.service,
        dump_slices(charge.slices),
        *charge[6:],
    )


def load_charge(row: Values) -> Charge:
    """Return a charge from its columns."""
    return Charge._make(
        (
            *row[:3],
            from_time(row[3]),
            row[4],
            load_slices(row[5]),
            *row[6:],
        )
    )


def dump_entry(entry: Entry) -> Values:
    """Return a row for ``insert_entry``."""
    return (
        *entry[:3],
        to_time(entry.at),
        *entry[4:8],
        dump_slices(entry.slices),
        *entry[9:13],
        dump_mapping(entry.metadata),
        entry.key,
        dump_mapping(entry.terms),
        dump_mapping(entry.detail),
    )


def load_entry(row: Values) -> Entry:
    """Return an entry from its columns."""
    return Entry._make(
        (
            *row[:3],
            from_time(row[3]),
            *row[4:8],
            load_slices(row[8]),
            *row[9:13],
            load_metadata(row[13]),
            row[14],
            load_mapping(row[15]),
            load_mapping(row[16]),
        )
    )


def dump_usage(usage: Usage) -> Values:
    """Return a row for ``add_usage``."""
    return (
        usage.account,
        usage.day.isoformat(),
        usage.service or "",
        "" if usage.unit_cost is None else str(usage.unit_cost),
        usage.spent_micros,
    )


def load_usage(row: Values) -> Usage:
    """Return usage from its columns."""
    account, day, service, unit_cost, spent = row
    return Usage(
        account,
        date.fromisoformat(day),
        service or None,
        Decimal(unit_cost) if unit_cost else None,
        spent,
    )
