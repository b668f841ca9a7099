"""Writing changes: one statement, the smallest that can say them."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from asyncpg import UniqueViolationError

from aiocredits._ledger import Changes, KeyOf
from aiocredits._model import Account, Grant, Usage
from aiocredits.storages._codec import dump_mapping, dump_slices
from aiocredits.storages.base import KeyTakenError
from aiocredits.storages.postgres import rows
from aiocredits.storages.postgres.connecting import Driver

# What moves credits of grants that are there, and of their accounts nothing but the balances.
_MOVES = frozenset({"consume", "hold", "extend", "capture", "release", "timeout"})
_CHARGES = frozenset({"consume"})


class Statement(NamedTuple):
    """What writes some changes: the smallest statement that can say them, and its arguments."""

    name: str
    arguments: Sequence[object]


async def save(connection: Driver, sql: Mapping[str, str], statement: Statement) -> list[str]:
    """Write the changes of every account that is still as it was, and return those accounts.

    Raises `KeyTakenError`, and then nothing was written, if a key has been written before.
    """
    try:
        written: list[str] | None = await connection.fetchval(
            sql[statement.name], *statement.arguments
        )
    except UniqueViolationError as error:
        # Distributed tables add a number to the names of their indexes.
        if (error.constraint_name or "").startswith("entries_key"):
            raise KeyTakenError(str(error)) from error
        raise
    return written or []


def statement_for(changes: Changes, new_keys: Sequence[KeyOf] = ()) -> Statement:
    """Return what writes the changes.

    An account one of whose `new_keys` has been written before is left out, as one that has changed.
    """
    kinds = {entry.kind for entry in changes.entries}
    # Debt, new accounts, and accounts of which only due_at was counted anew need all columns.
    moves = kinds and kinds <= _MOVES and not changes.charges
    if not moves or not all(map(_has_moved, changes.accounts)):
        return Statement("save", _save(changes, new_keys))
    if not kinds <= _CHARGES or not _are_plain(changes):
        return Statement("move", _move(changes, new_keys))
    if len(changes.entries) == 1:
        return Statement("charge_one", _charge_one(changes, new_keys))
    return Statement("charge", _charge(changes, new_keys))


def _has_moved(change: tuple[Account, Account]) -> bool:
    old, new = change
    return 0 < old.version < new.version


def _are_plain(changes: Changes) -> bool:
    """Tell whether each account pays from one grant for one service, and has nothing else."""
    if not len(changes.accounts) == len(changes.grants) == len(changes.usage):
        return False
    if any(entry.actor or entry.detail for entry in changes.entries):
        return False
    return all(map(_is_plain, changes.accounts, changes.grants, changes.usage))


def _is_plain(change: tuple[Account, Account], grant: Grant, used: Usage) -> bool:
    old, new = change
    free = not new.held_micros and not new.overdraft_micros and grant.state == "live"
    return free and new.name == grant.account == used.account and old.due_at == new.due_at


def _keys(new_keys: Sequence[KeyOf]) -> rows.Columns:
    return [rows.texts([name for name, _ in new_keys]), rows.texts([key for _, key in new_keys])]


def _keys_and_accounts(
    accounts: Sequence[tuple[Account, Account]], new_keys: Sequence[KeyOf]
) -> tuple[rows.Columns, rows.Columns]:
    """Return keys, names and expected versions; and what the accounts become, from version on."""
    name, *new = rows.account_columns(after for _, after in accounts)
    expected = rows.numbers(old.version for old, _ in accounts)
    return [*_keys(new_keys), name, expected], new


def _save(changes: Changes, new_keys: Sequence[KeyOf]) -> rows.Columns:
    known = [pair for pair in changes.accounts if pair[0].version]
    added = sorted(after for old, after in changes.accounts if not old.version)
    expected, new = _keys_and_accounts(known, new_keys)
    return [
        *expected,
        *new,
        *rows.account_columns(added),
        *rows.grant_columns(changes.new_grants),
        *rows.grant_change_columns(changes.grants),
        *rows.hold_columns(changes.new_holds),
        *rows.hold_change_columns(changes.holds),
        *rows.charge_columns(changes.charges),
        *rows.entry_columns(changes.entries),
        *rows.usage_columns(changes.usage),
    ]


def _move(changes: Changes, new_keys: Sequence[KeyOf]) -> rows.Columns:
    expected, new = _keys_and_accounts(changes.accounts, new_keys)
    return [
        *expected,
        *new[:4],
        new[8],
        *rows.moved_grant_columns(changes.grants),
        *rows.hold_columns(changes.new_holds),
        *rows.hold_change_columns(changes.holds),
        *rows.entry_columns(changes.entries),
        *rows.usage_columns(changes.usage),
    ]


def _charge(changes: Changes, new_keys: Sequence[KeyOf]) -> rows.Columns:
    return [
        *_keys(new_keys),
        *rows.charged_account_columns(changes.accounts),
        *rows.charged_grant_columns(changes.grants),
        *rows.usage_columns(changes.usage)[1:],
        *rows.charge_entry_columns(changes.entries),
    ]


def _charge_one(changes: Changes, new_keys: Sequence[KeyOf]) -> list[object]:
    ((old, new),) = changes.accounts
    (grant,) = changes.grants
    (used,) = changes.usage
    (entry,) = changes.entries
    return [
        new.name,
        old.version,
        new_keys[0][1] if new_keys else None,
        new.version,
        new.at,
        new.available_micros,
        grant.number,
        grant.remaining_micros,
        used.day,
        used.service or "",
        "" if used.unit_cost is None else str(used.unit_cost),
        used.spent_micros,
        entry.amount_micros,
        dump_slices(entry.slices),
        entry.service,
        entry.description,
        dump_mapping(entry.metadata),
        entry.key,
        dump_mapping(entry.terms),
    ]
