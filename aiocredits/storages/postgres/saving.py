"""Writing changes: one statement, whichever path decided them."""

from collections.abc import Collection, Mapping

from asyncpg import UniqueViolationError

from aiocredits._ledger import Changes, KeyOf
from aiocredits.storages.base import KeyTakenError
from aiocredits.storages.postgres import rows
from aiocredits.storages.postgres.connecting import Driver


async def save(
    connection: Driver,
    sql: Mapping[str, str],
    changes: Changes,
    new_keys: Collection[KeyOf] = (),
) -> list[str]:
    """Write the changes of every account that is still as it was, and return those accounts.

    An account one of whose `new_keys` has been written before is left out as well. Raises
    `KeyTakenError`, and then nothing was written, if any other key has been.
    """
    try:
        written = await connection.fetch(sql["save"], *_arguments(changes, new_keys))
    except UniqueViolationError as error:
        # Distributed tables add a number to the names of their indexes.
        if (error.constraint_name or "").startswith("entries_key"):
            raise KeyTakenError(str(error)) from error
        raise
    return [row[0] for row in written]


def _arguments(changes: Changes, new_keys: Collection[KeyOf]) -> rows.Columns:
    known = sorted(pair for pair in changes.accounts if pair[0].version)
    added = sorted(after for before, after in changes.accounts if not before.version)
    name, version, *settings = rows.account_columns(after for _, after in known)
    return [
        [account for account, _ in new_keys],
        [key for _, key in new_keys],
        name,
        rows.array_of(before.version for before, _ in known),
        version,
        *settings,
        *rows.account_columns(added),
        *rows.grant_columns(changes.new_grants),
        *rows.grant_change_columns(changes.grants),
        *rows.hold_columns(changes.new_holds),
        *rows.hold_change_columns(changes.holds),
        *rows.charge_columns(changes.charges),
        *rows.entry_columns(changes.entries),
        *rows.usage_columns(changes.usage),
    ]
