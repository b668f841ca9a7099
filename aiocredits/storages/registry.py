"""From a URL to a storage: names map to places, and nothing is imported before it is used."""

from importlib import import_module

from aiocredits.errors import ConfigurationError
from aiocredits.storages.base import Storage

ENTRY_POINTS = "aiocredits.storages"

BUILT_IN = {
    "memory": "aiocredits.storages.memory:MemoryStorage",
    "sqlite": "aiocredits.storages.sqlite:SqliteStorage",
    "postgres": "aiocredits.storages.postgres:PostgresStorage",
    "postgresql": "aiocredits.storages.postgres:PostgresStorage",
}


def storage_from_url(url: str) -> Storage:
    """Return the storage for `url`, by its scheme; no I/O."""
    scheme, separator, _ = url.partition("://")
    if not separator:
        raise ConfigurationError(
            f"{url!r} is no storage URL: write for example 'sqlite:///credits.db' or 'memory://'"
        )
    return _storage_class(scheme).from_url(url)


def _storage_class(scheme: str) -> type[Storage]:
    if scheme in BUILT_IN:
        module, _, name = BUILT_IN[scheme].partition(":")
        found: type[Storage] = getattr(import_module(module), name)
        return found
    from importlib.metadata import entry_points  # noqa: PLC0415 - 15 ms that few need

    plugins = {point.name: point for point in entry_points(group=ENTRY_POINTS)}
    if scheme in plugins:
        loaded: type[Storage] = plugins[scheme].load()
        return loaded
    known = ", ".join(sorted({*BUILT_IN, *plugins}))
    raise ConfigurationError(
        f"no storage is known for {scheme!r} URLs; known are {known}; a package adds another in "
        f"the entry-point group {ENTRY_POINTS!r}"
    )
