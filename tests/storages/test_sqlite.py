"""Books in a SQLite file are held to the ledger."""

from pathlib import Path

import pytest

from aiocredits.storages.sqlite import SqliteStorage
from aiocredits.testing import StorageConformance
from aiocredits.testing.conformance import Connect


class TestSqlite(StorageConformance):
    @pytest.fixture
    def connect(self, tmp_path: Path) -> Connect:
        return lambda: SqliteStorage(tmp_path / "books.db")
