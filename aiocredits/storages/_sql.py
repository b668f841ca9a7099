"""SQL lives in .sql files, where every statement has a name: ``-- name: …``."""

import re
from collections.abc import Mapping
from importlib.resources import files
from typing import NamedTuple

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


class Migration(NamedTuple):
    """A numbered step of the schema."""

    version: int
    name: str
    sql: str


def named_queries(package: str, file: str = "queries.sql") -> Mapping[str, str]:
    """Return the statements of a file by their names."""
    text = (files(package) / file).read_text("utf-8")
    _, *parts = _NAME.split(text)
    return {name: sql.strip() for name, sql in zip(parts[::2], parts[1::2], strict=True)}


def migrations(package: str) -> tuple[Migration, ...]:
    """Return the migrations of a storage, oldest first; files are named ``0001_what.sql``."""
    found = [
        Migration(int(file.name[:4]), file.name.removesuffix(".sql"), file.read_text("utf-8"))
        for file in (files(package) / "migrations").iterdir()
        if file.name.endswith(".sql")
    ]
    return tuple(sorted(found))
