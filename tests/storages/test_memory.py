"""Books in memory are held to the ledger."""

import pytest

from aiocredits.storages.memory import MemoryStorage
from aiocredits.testing import StorageConformance
from aiocredits.testing.asking import Connect


class TestMemory(StorageConformance):
    needs_opening = False

    @pytest.fixture
    def connect(self) -> Connect:
        storage = MemoryStorage()
        return lambda: storage
