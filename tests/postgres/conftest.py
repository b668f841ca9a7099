"""One server for each test process, one database for each test."""

from collections.abc import Iterator

import pytest

from tests.servers import Server, running_server


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    with running_server() as server:
        yield server


@pytest.fixture
def url(server: Server) -> Iterator[str]:
    with server.database() as url:
        yield url


@pytest.fixture
def empty_url(server: Server) -> Iterator[str]:
    with server.database(tables=False) as url:
        yield url
