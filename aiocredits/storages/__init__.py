"""Where the books are kept, and how to keep them somewhere else.

A storage has two verbs, `apply` and `read`, and knows nothing of credits. To write one, subclass
`TransactionalStorage`, prove it with `aiocredits.testing.StorageConformance`, and name it in the
entry-point group ``aiocredits.storages``, with its URL scheme as the entry's name.
"""

from aiocredits.storages.base import (
    KeyTakenError,
    Storage,
    TransactionalStorage,
    Unit,
)
from aiocredits.storages.registry import storage_from_url

__all__ = ["KeyTakenError", "Storage", "TransactionalStorage", "Unit", "storage_from_url"]
