"""A storage of another package: found by its entry point, held to the same suite."""

from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from aiocredits import CreditClient
from aiocredits.errors import ConfigurationError
from aiocredits.storages import registry, storage_from_url
from aiocredits.testing import StorageConformance
from aiocredits.testing.asking import Connect
from tests.storages.file_storage import FileStorage


class TestFileStorage(StorageConformance):
    @pytest.fixture
    def connect(self, tmp_path: Path) -> Connect:
        return lambda: FileStorage(tmp_path / "books")


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("file", "tests.storages.file_storage:FileStorage", registry.ENTRY_POINTS)

    def entry_points(*, group: str) -> list[EntryPoint]:
        return [point] if group == "aiocredits.storages" else []

    monkeypatch.setattr("importlib.metadata.entry_points", entry_points)
    if hasattr(registry, "entry_points"):
        monkeypatch.setattr(registry, "entry_points", entry_points)


@pytest.mark.usefixtures("installed")
async def test_a_storage_is_found_by_the_scheme_of_its_entry_point(tmp_path: Path) -> None:
    url = f"file:///{tmp_path}/books"
    assert type(storage_from_url(url)) is FileStorage
    async with CreditClient(url) as client:
        await client.add_credits("alice", 10)
        await client.consume_credits("alice", 3)
    async with CreditClient(url) as client:
        assert await client.get_user_balance("alice") == 7
        assert (await client.verify()).ok


@pytest.mark.usefixtures("installed")
def test_a_built_in_storage_cannot_be_replaced_and_an_unknown_one_is_told_the_known() -> None:
    assert type(storage_from_url("memory://")).__name__ == "MemoryStorage"
    with pytest.raises(ConfigurationError, match="file, memory, postgres, postgresql, sqlite"):
        storage_from_url("mongo://x")


@pytest.mark.parametrize("url", ["", "books.db", "/books.db", "sqlite:books.db", "sqlite"])
def test_what_is_no_url_is_told_what_one_looks_like(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"sqlite:///credits\.db"):
        storage_from_url(url)
