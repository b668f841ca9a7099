"""Where the books are kept, and how to keep them somewhere else.

A storage has two verbs, `apply` and `read`, and knows nothing of credits. To write one, subclass
`TransactionalStorage`, prove it with `aiocredits.testing.StorageConformance`, and name it in the
entry-point group ``aiocredits.storages``, with its URL scheme as the entry's name.

Beside the port, this package names all that passes through it: commands and outcomes, what a unit
loads and saves, queries and their rows.
"""

from aiocredits._commands import Accepted, Command, Outcome, Refused
from aiocredits._ledger import (
    Changes,
    KeyOf,
    NumberOf,
    Scope,
    State,
    charge_of,
    decide,
    in_burn_order,
    scope_of,
)
from aiocredits._model import (
    OPEN_GRANT_STATES,
    Account,
    Books,
    Charge,
    Entry,
    Grant,
    Hold,
    Slice,
    Usage,
)
from aiocredits._queries import (
    AccountsQuery,
    BooksQuery,
    EntriesQuery,
    GrantsQuery,
    HoldsQuery,
    OpeningQuery,
    Page,
    Query,
    UsageQuery,
)
from aiocredits.storages.base import (
    KeyTakenError,
    Storage,
    TransactionalStorage,
    Unit,
)
from aiocredits.storages.registry import storage_from_url

__all__ = [
    "OPEN_GRANT_STATES",
    "Accepted",
    "Account",
    "AccountsQuery",
    "Books",
    "BooksQuery",
    "Changes",
    "Charge",
    "Command",
    "EntriesQuery",
    "Entry",
    "Grant",
    "GrantsQuery",
    "Hold",
    "HoldsQuery",
    "KeyOf",
    "KeyTakenError",
    "NumberOf",
    "OpeningQuery",
    "Outcome",
    "Page",
    "Query",
    "Refused",
    "Scope",
    "Slice",
    "State",
    "Storage",
    "TransactionalStorage",
    "Unit",
    "Usage",
    "UsageQuery",
    "charge_of",
    "decide",
    "in_burn_order",
    "scope_of",
    "storage_from_url",
]
