"""From changes to the rows of statements that write one row each."""

from collections.abc import Iterator
from datetime import datetime
from typing import TypeAlias

from aiocredits._ledger import Changes
from aiocredits._model import Account, Charge, Entry, Grant, Hold, Usage
from aiocredits.storages._codec import dump_mapping, dump_scope, dump_slices
from aiocredits.storages.postgres.pocket import Placement

Row: TypeAlias = tuple[object, ...]


def rows_of(changes: Changes, placed: Placement) -> Iterator[tuple[str, list[Row]]]:
    """Yield the names of statements, each with its rows; all but the accounts themselves."""
    yield "add_grant", [_grant(grant) for grant in changes.new_grants]
    yield "change_grant", [_grant_change(grant) for grant in placed.grants]
    yield "add_hold", [_hold(hold) for hold in placed.new_holds]
    yield "change_hold", [_hold_change(hold) for hold in placed.holds]
    yield "put_charge", [_charge(charge) for charge in changes.charges]
    yield "add_entry", [_entry(entry) for entry in changes.entries]
    # Sums of one day may be added to by two transactions of one account, never by two accounts.
    yield "add_usage", [_usage(used) for used in changes.usage]


def account_row(account: Account) -> Row:
    """Return the row of an account."""
    return (*account[:2], _instant(account.at), *account[3:9], _instant(account.due_at))


def _grant(grant: Grant) -> Row:
    cost = None if grant.unit_cost is None else str(grant.unit_cost)
    return (
        *grant[:9],
        cost,
        dump_scope(grant.scope),
        _instant(grant.effective_at),
        _instant(grant.expires_at),
        *grant[13:15],
        dump_mapping(grant.metadata),
    )


def _grant_change(grant: Grant) -> Row:
    return (
        *grant[:3],
        *grant[4:7],
        _instant(grant.effective_at),
        _instant(grant.expires_at),
    )


def _hold(hold: Hold) -> Row:
    return (
        *hold[:5],
        dump_slices(hold.slices),
        _instant(hold.placed_at),
        _instant(hold.expires_at),
        *hold[8:11],
        dump_mapping(hold.metadata),
    )


def _hold_change(hold: Hold) -> Row:
    return (*hold[:5], dump_slices(hold.slices), _instant(hold.expires_at))


def _charge(charge: Charge) -> Row:
    return (
        *charge[:3],
        _instant(charge.at),
        charge.service,
        dump_slices(charge.slices),
        *charge[6:],
    )


def _entry(entry: Entry) -> Row:
    return (
        *entry[:3],
        _instant(entry.at),
        *entry[4:8],
        dump_slices(entry.slices),
        *entry[9:13],
        dump_mapping(entry.metadata),
        entry.key,
        dump_mapping(entry.terms),
        dump_mapping(entry.detail),
    )


def _usage(used: Usage) -> Row:
    cost = "" if used.unit_cost is None else str(used.unit_cost)
    return (used.account, used.day, used.service or "", cost, used.spent_micros)


def _instant(instant: datetime | None) -> str | None:
    # The driver would take the last instant of the calendar for infinity.
    return None if instant is None else instant.isoformat()
