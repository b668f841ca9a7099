"""Names: how an account, and what is inside it, is called.

The books know an account by one text: the user's, followed by its unit where that is not credits.
A grant, a hold or a charge is called by its account and the number of the entry that brought it
into being, ``"alice:17"``; so an id says where to look, and nothing has to be searched.
"""

import re
import sys
from typing import NamedTuple
from uuid import UUID

from aiocredits.errors import InvalidNameError
from aiocredits.types import UserId

if sys.version_info >= (3, 14):
    from uuid import uuid7
else:
    from uuid_utils import uuid7

CREDITS = "credits"
MAX_NAME = 255
_TOO_LONG = 10**MAX_NAME

# ASCII has a character for just this, and no user can be named with it: control characters are out.
_UNIT_SEPARATOR = "\x1f"
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_UNIT = re.compile(r"[a-z][a-z0-9_.-]{0,63}")
_MAX_DIGITS = 18  # so that a number fits a 64-bit column
_OWN_KEY = re.compile(r"~[0-9a-f]{32}")


def account_name(user_id: UserId, unit: str = CREDITS) -> str:
    """Return the name that the books have for `user_id` and `unit`."""
    user = _canonical(user_id)
    if unit == CREDITS:
        return user
    if not isinstance(unit, str) or not _UNIT.fullmatch(unit):
        raise InvalidNameError(
            f"unit {unit!r}: a unit is 1 to 64 lower-case letters, digits, '_', '-' or '.', and "
            'begins with a letter, as in unit="images"'
        )
    return f"{user}{_UNIT_SEPARATOR}{unit}"


def split_account(account: str) -> tuple[str, str]:
    """Return the user and the unit of an account's name."""
    user, separator, unit = account.partition(_UNIT_SEPARATOR)
    return user, unit if separator else CREDITS


class Reference(NamedTuple):
    """What an id points to."""

    account: str
    number: int


def make_id(account: str, number: int) -> str:
    """Return the public id of what entry `number` brought into being."""
    user, unit = split_account(account)
    return f"{user}:{number}" if unit == CREDITS else f"{user}:{number}:{unit}"


def parse_id(id: str) -> Reference:
    """Return what `id` points to, or raise `InvalidNameError`."""
    head, _, tail = str(id).rpartition(":")
    unit = CREDITS
    if not tail.isascii() or not tail.isdigit():
        unit = tail
        head, _, tail = head.rpartition(":")
    if not (head and tail.isascii() and tail.isdigit() and len(tail) <= _MAX_DIGITS):
        raise InvalidNameError(
            f'{id!r} is not an id: an id reads "alice:17", as a receipt gives it'
        )
    return Reference(account_name(head, unit), int(tail))


def check_name(noun: str, name: str | None) -> str | None:
    """Return `name`, a service or an actor, if it can be one."""
    if name is None:
        return None
    if not isinstance(name, str):
        raise InvalidNameError(f"{noun} {name!r} is a {type(name).__name__}: a {noun} is a str")
    return _checked(noun, name)


def check_key(key: str) -> str:
    """Return `key` if a caller may use it; keys that begin with ``~`` are the library's own."""
    if not isinstance(key, str):
        raise InvalidNameError(f"idempotency_key {key!r} is a {type(key).__name__}: a key is a str")
    if key.startswith("~") and not _OWN_KEY.fullmatch(key):
        raise InvalidNameError(
            f"idempotency_key {key!r}: keys that begin with '~' are the library's own; begin "
            "yours with anything else"
        )
    if key.startswith("~"):
        return _KnownKey(key)
    return _checked("idempotency_key", key)


class _KnownKey(str):
    """A key that the library made up and somebody has used before: it may have been written."""

    __slots__ = ()


def is_new_key(key: str) -> bool:
    """Tell whether `key` was made up for this call, so that nothing can have been written yet."""
    return key.startswith("~") and not isinstance(key, _KnownKey)


def new_key() -> str:
    """Return a key for a call that has none, so that its repetition by the library acts once.

    It begins with the time, so that the index over the keys grows at its end.
    """
    return f"~{uuid7().hex}"


def is_own_key(key: str) -> bool:
    """Tell whether the library made up `key` because the caller gave none."""
    return key.startswith("~")


def _canonical(user_id: UserId) -> str:
    match user_id:
        case str():
            return _checked("user_id", user_id)
        case bool():
            raise InvalidNameError(f"user_id {user_id!r} is a bool, not somebody's name")
        case int():
            # The members of an enumeration are called by their number, whatever they print.
            if abs(user_id) >= _TOO_LONG:  # said first, because str() has a limit of its own
                raise InvalidNameError(f"a user_id of more than {MAX_NAME} digits is no name")
            return _checked("user_id", str(int(user_id)))
        case UUID():
            return str(user_id)
        case _:
            raise InvalidNameError(
                f"user_id {user_id!r} is a {type(user_id).__name__}: a user_id is a str, an int "
                "or a UUID"
            )


def _checked(noun: str, name: str) -> str:
    if not 1 <= len(name) <= MAX_NAME:
        raise InvalidNameError(
            f"{noun} {name!r} has {len(name)} characters: 1 to {MAX_NAME} are legal"
        )
    if not name.isprintable() and _CONTROL.search(name):
        raise InvalidNameError(f"{noun} {name!r} has a control character in it: leave it out")
    return name
