"""PostgreSQL is held to the ledger."""

import pytest

from aiocredits.storages.postgres import PostgresStorage
from aiocredits.testing import StorageConformance
from aiocredits.testing.asking import Connect


class TestPostgres(StorageConformance):
    @pytest.fixture
    def connect(self, url: str) -> Connect:
        return lambda: PostgresStorage.from_url(url)
