"""Writing changes: one statement, the smallest that can say them."""

from collections.abc import Mapping, Sequence

from asyncpg import UniqueViolationError

from aiocredits._ledger import Changes, KeyOf
from aiocredits._model import Account, Books
from aiocredits.storages._codec import dump_mapping, dump_slices
from aiocredits.storages.base import KeyTakenError
from aiocredits.storages.postgres import rows
from aiocredits.storages.postgres.connecting import Driver


async def save(
    connection: Driver,
    sql: Mapping[str, str],
    changes: Changes,
    *,
    before: Mapping[str, Books] | None = None,
    new_keys: Sequence[KeyOf] = (),
) -> list[str]:
    """Write the changes of every account that is still as it was, and return those accounts.

    An account one of whose `new_keys` has been written before is left out as well. Raises
    `KeyTakenError`, and then nothing was written, if any other key has been. With the books as they
    were `before`, it can choose a leaner statement.
    """
    query, arguments = _statement(changes, before, new_keys)
    try:
        written = await connection.fetch(sql[query], *arguments)
    except UniqueViolationError as error:
        # Distributed tables add a number to the names of their indexes.
        if (error.constraint_name or "").startswith("entries_key"):
            raise KeyTakenError(str(error)) from error
        raise
    return [row[0] for row in written]


def _statement(
    changes: Changes, before: Mapping[str, Books] | None, new_keys: Sequence[KeyOf]
) -> tuple[str, Sequence[object]]:
    if before is None or not _only_moves(changes, before):
        return "save", _save(changes, new_keys)
    if changes.new_holds or changes.holds or not _only_charges(changes, before):
        return "move", _move(changes, new_keys)
    if (
        len(changes.accounts)
        == len(changes.grants)
        == len(changes.usage)
        == 1
        == len(changes.entries)
    ):
        return "charge_one", _charge_one(changes, new_keys)
    return "charge", _charge(changes, new_keys)


def _only_moves(changes: Changes, before: Mapping[str, Books]) -> bool:
    if changes.new_grants or changes.charges:
        return False
    # Between overdraft and due_at; from priority on.
    if any(old[5:9] != new[5:9] or not old.version for old, new in changes.accounts):
        return False
    return all(
        before[grant.account].grants[grant.number][7:] == grant[7:] for grant in changes.grants
    )


def _only_charges(changes: Changes, before: Mapping[str, Books]) -> bool:
    # From held on, in both.
    if any(old[4:] != new[4:] for old, new in changes.accounts):
        return False
    return all(
        before[grant.account].grants[grant.number][5:] == grant[5:] for grant in changes.grants
    )


def _keys_and_accounts(
    accounts: Sequence[tuple[Account, Account]], new_keys: Sequence[KeyOf]
) -> tuple[rows.Columns, rows.Columns]:
    """Return keys, names and expected versions; and what the accounts become, from version on."""
    name, *new = rows.account_columns(after for _, after in accounts)
    expected = rows.array_of(old.version for old, _ in accounts)
    return [[n for n, _ in new_keys], [key for _, key in new_keys], name, expected], new


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
        *rows.grant_change_columns(changes.grants)[:6],
        *rows.hold_columns(changes.new_holds),
        *rows.hold_change_columns(changes.holds),
        *rows.entry_columns(changes.entries),
        *rows.usage_columns(changes.usage),
    ]


def _charge(changes: Changes, new_keys: Sequence[KeyOf]) -> rows.Columns:
    expected, new = _keys_and_accounts(changes.accounts, new_keys)
    return [
        *expected,
        *new[:3],
        *rows.grant_change_columns(changes.grants)[:4],
        *rows.entry_columns(changes.entries),
        *rows.usage_columns(changes.usage),
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
        grant.state,
        grant.remaining_micros,
        used.day,
        used.service or "",
        "" if used.unit_cost is None else str(used.unit_cost),
        used.spent_micros,
        entry.kind,
        entry.amount_micros,
        entry.held_micros,
        entry.overdraft_micros,
        dump_slices(entry.slices),
        *entry[9:13],
        dump_mapping(entry.metadata),
        entry.key,
        dump_mapping(entry.terms),
        dump_mapping(entry.detail),
    ]
