"""Books in a SQLite file."""

from aiocredits.storages.sqlite.storage import SqliteStorage

__all__ = ["SqliteStorage"]
