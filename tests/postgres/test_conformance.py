"""PostgreSQL is held to the ledger, whether statements have to be routed by account or not."""

from collections.abc import Iterator

import pytest

from aiocredits.storages.postgres import PostgresStorage
from aiocredits.testing import StorageConformance
from aiocredits.testing.asking import Connect
from tests.postgres.routing import only_routed


class TestPostgres(StorageConformance):
    @pytest.fixture
    def connect(self, url: str) -> Connect:
        return lambda: PostgresStorage.from_url(url)


class TestRouted(StorageConformance):
    """Every statement that is sent is looked at, and has to name one account."""

    @pytest.fixture
    def connect(self, url: str) -> Iterator[Connect]:
        with only_routed() as statements:
            yield lambda: PostgresStorage.from_url(f"{url}&routed=true")
        assert statements
