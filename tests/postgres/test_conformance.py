"""PostgreSQL is held to the ledger, whether statements have to be routed by account or not."""

from collections.abc import Iterator

import pytest

from aiocredits.storages.postgres import PostgresStorage, pocket
from aiocredits.testing import StorageConformance
from aiocredits.testing.asking import Connect
from tests.postgres.routing import only_routed


class TestPostgres(StorageConformance):
    @pytest.fixture
    def connect(self, url: str) -> Connect:
        return lambda: PostgresStorage.from_url(url)


class TestSmallPockets(StorageConformance):
    """Some grants and holds are in the row of their account, and others next to them are not."""

    @pytest.fixture
    def connect(self, url: str, monkeypatch: pytest.MonkeyPatch) -> Connect:
        monkeypatch.setattr(pocket, "MAX_GRANTS", 1)
        monkeypatch.setattr(pocket, "MAX_TEXT", 150)
        return lambda: PostgresStorage.from_url(url)


class TestRouted(StorageConformance):
    """Every statement that is sent is looked at, and has to name one account."""

    @pytest.fixture
    def connect(self, url: str) -> Iterator[Connect]:
        with only_routed() as statements:
            yield lambda: PostgresStorage.from_url(f"{url}&routed=true")
        assert statements
