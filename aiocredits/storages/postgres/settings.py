"""What a URL says: ours is taken out, the rest is the driver's."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from aiocredits.errors import ConfigurationError

SCHEMA = "aiocredits"
LANES = 2
POOL_SIZE = 10
DEADLINE = 30.0

_MAX_IDENTIFIER = 63
_YES_OR_NO = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


def _yes_or_no(text: str) -> bool:
    return _YES_OR_NO[text.lower()]


_PARSERS: Mapping[str, Callable[[str], Any]] = {
    "schema": str,
    "auto_migrate": _yes_or_no,
    "pgbouncer": _yes_or_no,
    "lanes": int,
    "pool_size": int,
    "deadline": float,
    "routed": _yes_or_no,
}


class Settings(NamedTuple):
    """How the storage works."""

    schema: str = SCHEMA
    auto_migrate: bool = False
    pgbouncer: bool = False
    lanes: int = LANES
    pool_size: int = POOL_SIZE
    deadline: float = DEADLINE
    routed: bool = False
    """Whether each statement is about one account, for an engine that sends it to its node."""

    def checked(self) -> "Settings":
        """Return the settings, or raise `ConfigurationError`."""
        name = self.schema
        if not name or "\0" in name or len(name.encode()) > _MAX_IDENTIFIER:
            raise ConfigurationError(
                f"schema {name!r}: a schema's name has 1 to {_MAX_IDENTIFIER} bytes"
            )
        if self.lanes < 1 or self.pool_size < 1 or self.deadline <= 0:
            raise ConfigurationError("lanes, pool_size and deadline must be above zero")
        return self


def parse_url(url: str) -> tuple[str, Settings]:
    """Return the driver's URL and our settings."""
    parts = urlsplit(url)
    mine: dict[str, str] = {}
    drivers: list[tuple[str, str]] = []
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name in _PARSERS:
            mine[name] = value
        else:
            drivers.append((name, value))
    dsn = urlunsplit((parts.scheme, parts.netloc, parts.path, urlencode(drivers), ""))
    if not parts.netloc:  # urlunsplit forgets the slashes of a URL without a host
        dsn = f"{parts.scheme}://{parts.path}" + (f"?{urlencode(drivers)}" if drivers else "")
    return dsn, _settings(url, mine)


def _settings(url: str, options: dict[str, str]) -> Settings:
    try:
        parsed = {name: _PARSERS[name](value) for name, value in options.items()}
        return Settings(**parsed).checked()
    except (KeyError, ValueError):
        raise ConfigurationError(
            f"{url!r}: options are ?schema=name, auto_migrate=true, pgbouncer=true, lanes=2, "
            "pool_size=10, deadline=30, in seconds, and routed=true"
        ) from None
