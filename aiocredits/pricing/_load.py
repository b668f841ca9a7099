"""From a text to a book, or to one error that points at every line."""

import os
import tomllib
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import TypeAlias, cast

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from aiocredits.errors import ConfigurationError
from aiocredits.pricing._schema import BookModel
from aiocredits.pricing._toml_lines import Path, lines_of_toml
from aiocredits.pricing.book import PriceBook

LineOf: TypeAlias = Callable[[Path], int | None]

_NOTHING = object()


def load_book(path: str | os.PathLike[str]) -> PriceBook:
    """Read the file, as its suffix says."""
    source = os.fspath(path)
    parsers = {".toml": book_from_toml, ".yaml": book_from_yaml, ".yml": book_from_yaml}
    parse = parsers.get(os.path.splitext(source)[1].lower())  # noqa: PTH122 - a str, made by fspath
    if parse is None:
        raise ConfigurationError(f"{source}: a price book is a .toml, a .yaml or a .yml file")
    try:
        with open(source, encoding="utf-8") as file:  # noqa: PTH123 - as above
            text = file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{source} cannot be read: {error}") from error
    return parse(text, source)


def book_from_toml(text: str, source: str) -> PriceBook:
    """Parse TOML, whose numbers are taken exactly as they are written."""
    try:
        data = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{source} is not TOML: {error}") from error
    return _book(data, source, lambda path: lines_of_toml(text).get(path))


def book_from_yaml(text: str, source: str) -> PriceBook:
    """Parse YAML, whose numbers are taken exactly as they are written."""
    try:
        from aiocredits.pricing._yaml import parse_yaml  # noqa: PLC0415 - pyyaml is an extra
    except ImportError as error:
        raise ConfigurationError(
            f'{source}: YAML needs PyYAML: pip install "aiocredits[yaml]", or write TOML'
        ) from error
    data, line_of = parse_yaml(text, source)
    return _book(data, source, line_of)


def book_from_dict(data: Mapping[str, object], source: str) -> PriceBook:
    """Validate data that has no lines."""
    return _book(data, source, lambda _: None)


def _book(data: object, source: str, line_of: LineOf) -> PriceBook:
    try:
        return BookModel.model_validate(data).to_book()
    except ValidationError as error:
        problems = [_problem(details, data, line_of) for details in error.errors()]
        raise ConfigurationError(
            "\n  ".join([f"{source} is not a price book:", *problems])
        ) from None


def _problem(details: ErrorDetails, data: object, line_of: LineOf) -> str:
    path = _path(details, data)
    missing = details["type"] == "missing"
    line = line_of(path[:-1] if missing else path)
    where = ".".join(str(step) or "''" for step in path) or "the book"
    return f"{where if line is None else f'line {line}, {where}'}: {_message(details)}"


def _path(details: ErrorDetails, data: object) -> Path:
    # pydantic's location also names the kind of each node that it went through.
    path: Path = ()
    for step in details["loc"]:
        inner = _inside(data, step)
        if inner is not _NOTHING:
            data = inner
            path = (*path, step)
    return (*path, details["loc"][-1]) if details["type"] == "missing" else path


def _inside(data: object, step: str | int) -> object:
    if isinstance(data, Mapping):
        return cast("Mapping[object, object]", data).get(step, _NOTHING)
    if isinstance(data, list) and isinstance(step, int):
        return cast("list[object]", data)[step]
    return _NOTHING


def _message(details: ErrorDetails) -> str:
    match details["type"]:
        case "missing":
            return "is missing"
        case "dict_type" | "model_type" | "model_attributes_type":
            return f"is {details['input']!r}, where a table is needed"
        case "extra_forbidden":
            return "is not known here"
        case "union_tag_not_found":
            return 'has no kind, as in { kind = "flat", amount = 1 }'
        case "union_tag_invalid":
            context = details.get("ctx", {})
            return f"kind {context.get('tag')!r} is none of {context.get('expected_tags')}"
        case "value_error":
            return str(details.get("ctx", {}).get("error"))
        case _:
            return f"{details['msg']} (it is {details['input']!r})"
