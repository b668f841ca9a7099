"""Writing changes: one statement, the smallest that can say them."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from asyncpg import UniqueViolationError

from aiocredits._ledger import Changes, KeyOf
from aiocredits._model import Account, Usage
from aiocredits.storages._codec import dump_mapping, dump_slices
from aiocredits.storages.base import KeyTakenError
from aiocredits.storages.postgres import rows
from aiocredits.storages.postgres.connecting import Driver
from aiocredits.storages.postgres.pocket import Placement, Pockets, dump_pocket, place

# What moves credits of grants that are there, and of their accounts nothing but the balances.
_MOVES = frozenset({"consume", "hold", "extend", "capture", "release", "timeout"})
_CHARGES = frozenset({"consume"})


class Statement(NamedTuple):
    """What writes some changes: the smallest statement that can say them, and its arguments."""

    name: str
    arguments: Sequence[object]
    pockets: Pockets
    """What the pockets of the accounts become."""


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


def statement_for(changes: Changes, pockets: Pockets, new_keys: Sequence[KeyOf] = ()) -> Statement:
    """Return what writes the changes to accounts with these `pockets`.

    An account one of whose `new_keys` has been written before is left out, as one that has changed.
    """
    kinds = {entry.kind for entry in changes.entries}
    moves = _only_moves(changes, kinds)
    placed = place(changes, pockets, moves=moves)
    # New accounts, and accounts of which only due_at was counted anew, need all columns.
    if not moves or placed.holds or not all(map(_has_moved, changes.accounts)):
        return Statement("save", _save(changes, placed, new_keys), placed.pockets)
    if kinds <= _CHARGES and not placed.grants and _are_plain(changes):
        if len(changes.entries) == 1:
            return Statement("charge_one", _charge_one(changes, placed, new_keys), placed.pockets)
        return Statement("charge", _charge(changes, placed, new_keys), placed.pockets)
    return Statement("move", _move(changes, placed, new_keys), placed.pockets)


def placed_for(changes: Changes, pockets: Pockets) -> Placement:
    """Return where the changes are written, to accounts with these `pockets`."""
    kinds = {entry.kind for entry in changes.entries}
    return place(changes, pockets, moves=_only_moves(changes, kinds))


def _only_moves(changes: Changes, kinds: Collection[str]) -> bool:
    """Tell whether nothing changes but how much there is, and what is held."""
    return bool(kinds) and _MOVES.issuperset(kinds) and not changes.charges


def _has_moved(change: tuple[Account, Account]) -> bool:
    old, new = change
    return 0 < old.version < new.version


def _are_plain(changes: Changes) -> bool:
    """Tell whether each account pays for one service, and has nothing held or owed."""
    if len(changes.accounts) != len(changes.usage):
        return False
    if any(entry.actor or entry.detail for entry in changes.entries):
        return False
    return all(map(_is_plain, changes.accounts, changes.usage))


def _is_plain(change: tuple[Account, Account], used: Usage) -> bool:
    old, new = change
    free = not new.held_micros and not new.overdraft_micros
    return free and new.name == used.account and old.due_at == new.due_at


def _pockets(accounts: Iterable[Account], placed: Placement) -> str:
    return rows.texts([dump_pocket(placed.pockets[account.name]) for account in accounts])


def _keys(new_keys: Sequence[KeyOf]) -> rows.Columns:
    return [rows.texts([name for name, _ in new_keys]), rows.texts([key for _, key in new_keys])]


def _save(changes: Changes, placed: Placement, new_keys: Sequence[KeyOf]) -> rows.Columns:
    known = [pair for pair in changes.accounts if pair[0].version]
    added = sorted(after for old, after in changes.accounts if not old.version)
    name, *new = rows.account_columns(after for _, after in known)
    return [
        *_keys(new_keys),
        name,
        rows.numbers(old.version for old, _ in known),
        *new,
        _pockets([after for _, after in known], placed),
        *rows.account_columns(added),
        _pockets(added, placed),
        *rows.grant_columns(changes.new_grants),
        *rows.grant_change_columns(placed.grants),
        *rows.hold_columns(placed.new_holds),
        *rows.hold_change_columns(placed.holds),
        *rows.charge_columns(changes.charges),
        *rows.entry_columns(changes.entries),
        *rows.usage_columns(changes.usage),
    ]


def _move(changes: Changes, placed: Placement, new_keys: Sequence[KeyOf]) -> rows.Columns:
    accounts = {new.name: (old.version, new) for old, new in changes.accounts}
    expected: list[int] = []
    due: list[datetime | None] = []
    pockets: list[str | None] = []
    for entry in changes.entries:
        name = entry.account
        version, new = accounts[name]
        last = entry.version == new.version
        expected.append(version)
        due.append(new.due_at if last else None)
        pockets.append(dump_pocket(placed.pockets[name]) if last else None)
    return [
        *_keys(new_keys),
        *rows.entry_columns(changes.entries),
        rows.numbers(expected),
        rows.instants_or_none(due),
        rows.texts_or_none(pockets),
        *rows.hold_columns(placed.new_holds),
        *rows.usage_columns(changes.usage),
        *rows.moved_grant_columns(placed.grants),
    ]


def _charge(changes: Changes, placed: Placement, new_keys: Sequence[KeyOf]) -> rows.Columns:
    return [
        *_keys(new_keys),
        *rows.charged_account_columns(changes.accounts),
        _pockets([after for _, after in changes.accounts], placed),
        *rows.usage_columns(changes.usage)[1:],
        *rows.charge_entry_columns(changes.entries),
    ]


def _charge_one(changes: Changes, placed: Placement, new_keys: Sequence[KeyOf]) -> list[object]:
    ((old, new),) = changes.accounts
    (used,) = changes.usage
    (entry,) = changes.entries
    return [
        new.name,
        old.version,
        new_keys[0][1] if new_keys else None,
        new.version,
        new.at,
        new.available_micros,
        dump_pocket(placed.pockets[new.name]),
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
