"""What is measured: characters, bytes, seconds, and things that are counted.

- A **character** is a Unicode code point of a `str`. Its bytes depend on an encoding, so text is
  never measured in bytes, nor bytes in characters.
- A **KB** is 10^3 bytes and an **MB** 10^6. The powers of two are called **KiB** and **MiB**.
- A **second** may be a fraction, as a `Decimal` or a `timedelta`; everything else is whole.

Measured quantities are numbers that add up: measure a stream chunk by chunk, add, and quote the
sum. ``None`` is a quantity nobody knows, which is an error and never zero.
"""

import inspect
import io
import os
from collections.abc import Callable, Sized
from datetime import timedelta
from decimal import Decimal
from typing import (
    Final,
    Literal,
    NamedTuple,
    Protocol,
    TypeAlias,
    TypeGuard,
    cast,
    runtime_checkable,
)

from aiocredits.errors import CreditError, InvalidInputError
from aiocredits.pricing._numbers import parse_number

KB: Final = 10**3
MB: Final = 10**6
KiB: Final = 2**10
MiB: Final = 2**20

Quantity: TypeAlias = int | Decimal
"""How much was measured; a `Decimal` only of seconds."""

Measure: TypeAlias = Callable[[str, object], Quantity]
"""Measures an argument; the first parameter names it in the refusal."""

UnitName: TypeAlias = Literal[
    "character", "byte", "KB", "KiB", "MB", "MiB", "step", "second", "item", "token"
]


def characters(name: str, value: object) -> int:
    """Return the code points of a `str`, or an `int` as it is."""
    return len(value) if isinstance(value, str) else _whole(name, value, "character")


def size_in_bytes(name: str, value: object) -> int:
    """Return the bytes of a buffer, a path, an upload or a binary file, or an `int` as it is.

    A file keeps its position. The size of a path is asked of the file system, which blocks for
    as long as that takes; pass the number of bytes where it matters.
    """
    if type(value) is int:
        return _whole(name, value, "byte")
    match value:
        case bytes() | bytearray():
            return len(value)
        case memoryview():
            return value.nbytes
        case str():
            raise InvalidInputError(
                f"{name!r} is a str, and how many bytes it has depends on the encoding: pass "
                f"{name}.encode(), a Path, or the number of bytes"
            )
        case os.PathLike():
            return _size_of_path(name, cast("os.PathLike[str]", value))
        case _:
            return _size_of_upload(name, value)


def steps(name: str, value: object) -> int:
    """Return how many steps: an `int`, or the length of a collection."""
    return _counted(name, value, "step")


def items(name: str, value: object) -> int:
    """Return how many items: an `int`, or the length of a collection."""
    return _counted(name, value, "item")


def tokens(name: str, value: object) -> int:
    """Return how many tokens: an `int`, or the length of a collection, but never of a text."""
    return _counted(name, value, "token")


def seconds(name: str, value: object) -> Quantity:
    """Return seconds from an `int`, a `Decimal` or a `timedelta`."""
    if isinstance(value, timedelta):
        # Not total_seconds(): that is a float.
        value = Decimal(value // timedelta(microseconds=1)).scaleb(-6)
    if not isinstance(value, Decimal):
        return _whole(name, value, "second")
    try:
        return parse_number(f"{name!r} of seconds", value)
    except CreditError as error:
        raise InvalidInputError(str(error)) from None


class Unit(NamedTuple):
    """A unit that rates are given in, and what it counts."""

    base: str
    measure: Measure
    scale: int = 1
    """How many of the base one unit is."""


UNITS: Final[dict[str, Unit]] = {
    "character": Unit("character", characters),
    "byte": Unit("byte", size_in_bytes),
    "KB": Unit("byte", size_in_bytes, KB),
    "KiB": Unit("byte", size_in_bytes, KiB),
    "MB": Unit("byte", size_in_bytes, MB),
    "MiB": Unit("byte", size_in_bytes, MiB),
    "step": Unit("step", steps),
    "second": Unit("second", seconds),
    "item": Unit("item", items),
    "token": Unit("token", tokens),
}


def _counted(name: str, value: object, base: str) -> int:
    return len(value) if _is_collection(value) else _whole(name, value, base)


def _is_collection(value: object) -> TypeGuard[Sized]:
    is_one_thing = isinstance(value, str | bytes | bytearray | memoryview)
    return isinstance(value, Sized) and not is_one_thing


def _whole(name: str, value: object, base: str) -> int:
    if type(value) is int and value >= 0:
        return value
    raise InvalidInputError(_refusal(name, value, base))


def _refusal(name: str, value: object, base: str) -> str:
    match value:
        case None:
            return f"{name!r} is None: how many {base}s it has is not known, which is not zero"
        case bool():
            return f"{name!r} is {value!r}, a bool and not a number of {base}s"
        case int():
            return f"{name!r} is {value!r} {base}s: a quantity cannot be negative"
        case float() if base == "second":
            return (
                f"{name!r} is {value!r}, a float, which cannot be exact: "
                f'use Decimal("{value!r}") or a timedelta'
            )
        case float() | Decimal():
            return f"{name!r} is {value!r}, a {type(value).__name__}: {base}s are counted by an int"
        case _:
            return f"{name!r} is a {type(value).__name__}, which cannot be counted in {base}s"


def _size_of_path(name: str, path: os.PathLike[str]) -> int:
    try:
        return os.stat(path).st_size  # noqa: PTH116 - any PathLike, not only Path
    except OSError as error:
        raise InvalidInputError(f"{name!r}: its size cannot be read: {error}") from error


def _size_of_upload(name: str, value: object) -> int:
    for attribute in ("nbytes", "size"):  # nbytes first: an array's size counts elements
        if type(size := getattr(value, attribute, None)) is int:
            return _whole(name, size, "byte")
    # Starlette's UploadFile has async methods, and a plain file below them.
    for file in (getattr(value, "file", None), value):
        if isinstance(file, _Seekable) and not _is_text_or_async(file):
            return _size_of_file(file)
    return _whole(name, value, "byte")


@runtime_checkable
class _Seekable(Protocol):
    def read(self, size: int = ..., /) -> object: ...
    def seek(self, offset: int, whence: int = ..., /) -> object: ...
    def tell(self) -> int: ...


def _is_text_or_async(file: _Seekable) -> bool:
    return isinstance(file, io.TextIOBase) or inspect.iscoroutinefunction(file.seek)


def _size_of_file(file: _Seekable) -> int:
    position = file.tell()
    try:
        file.seek(0, os.SEEK_END)
        return file.tell()
    finally:
        file.seek(position)
