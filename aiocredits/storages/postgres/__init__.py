"""Books in PostgreSQL."""

from aiocredits.storages.postgres.storage import PostgresStorage

__all__ = ["PostgresStorage"]
