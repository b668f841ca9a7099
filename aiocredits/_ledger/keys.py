"""Keys: the same call again gives the same answer again."""

import json
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, cast

from aiocredits._commands import Single
from aiocredits._ledger.draft import Draft
from aiocredits._model import Entry, Slice, Terms, make
from aiocredits._names import is_own_key, split_account
from aiocredits._receipt import Receipt
from aiocredits.errors import IdempotencyConflictError
from aiocredits.types import JsonScalar

# What does not move credits may differ when a call is repeated.
_IGNORED = frozenset({"account", "key", "description", "metadata", "burn_order"})

_PUBLIC_NAMES = {
    "amount_micros": "credits",
    "only_from": "verb",  # what tells unfreezing from reopening
    "overdraft_limit_micros": "overdraft_limit",
    "target": "to_user_id",
}


def terms_of(command: Single) -> Terms | None:
    """Return what a caller has to repeat with the key, or None for a key of the library's own."""
    if is_own_key(command.key):
        return None
    defaults = command._field_defaults
    terms: dict[str, JsonScalar] = {"verb": type(command).__name__}
    for field, value in zip(command._fields, command, strict=True):
        if field not in _IGNORED and value != defaults.get(field):
            terms[field] = _scalar(value)
    return terms


def require_same(entry: Entry, command: Single) -> None:
    """Refuse if the entry that has the command's key was written for something else."""
    fields = _differences(entry, command)
    if fields:
        raise _conflict(entry, fields)


def _differences(entry: Entry, command: Single) -> list[str]:
    terms = terms_of(command)
    if entry.terms is None or terms is None:
        return []
    fields = entry.terms.keys() | terms.keys()
    different = {field for field in fields if entry.terms.get(field) != terms.get(field)}
    return sorted({_PUBLIC_NAMES.get(field, field) for field in different})


def _conflict(entry: Entry, fields: list[str]) -> IdempotencyConflictError:
    user_id, unit = split_account(entry.account)
    return IdempotencyConflictError(user_id=user_id, unit=unit, key=entry.key or "", fields=fields)


def receipt_of(entry: Entry, *, replayed: bool = False) -> Receipt:
    """Return the receipt of the command that wrote `entry`, today as on the first day."""
    account, number, kind, at, amount, available, held, overdraft, slices = entry[:9]
    key, detail = entry.key or "", entry.detail
    moved = (account, number, kind, amount, number, at, available, held, overdraft, slices, key)
    if detail is None:  # as of nearly every charge
        return make(Receipt, (*moved, 0, 0, None, replayed, ()))
    expires_at = detail.get("expires_at")
    shortfall = detail.get("shortfall", 0)
    return make(
        Receipt,
        (
            *moved,
            shortfall if isinstance(shortfall, int) else 0,
            _lost(detail.get("expired")),
            datetime.fromisoformat(expires_at) if isinstance(expires_at, str) else None,
            replayed,
            (_received(entry, replayed=replayed),) if kind == "transfer_out" else (),
        ),
    )


def nothing_to_do(draft: Draft, key: str) -> Receipt:
    """Return the receipt of a command that found everything done."""
    account = draft.account
    return Receipt(
        account.name,
        0,
        "nothing",
        0,
        account.version,
        draft.at,
        account.available_micros,
        account.held_micros,
        account.overdraft_micros,
        key=key,
    )


def _received(sent: Entry, *, replayed: bool) -> Receipt:
    """Return the receiver's side of a transfer, as the sender's entry tells it."""
    detail = cast("dict[str, Any]", sent.detail)
    said = detail["received"]
    return Receipt(
        detail["account"],
        said["number"],
        "transfer_in",
        sent.amount_micros,
        said["number"],
        datetime.fromisoformat(said["at"]),
        said["available"],
        said["held"],
        said["overdraft"],
        tuple([Slice(*part) for part in said["slices"]]),
        replayed=replayed,
    )


def _lost(slices: object) -> int:
    return sum([micros for _, micros in cast("list[list[int]]", slices)]) if slices else 0


def _scalar(value: object) -> JsonScalar:
    match value:
        case None | bool() | int() | str():
            return value
        case datetime():
            return value.isoformat()
        case timedelta():
            return value // timedelta(microseconds=1)
        case Decimal():
            return str(value)
        case frozenset():
            return json.dumps(sorted(cast("frozenset[str]", value)))
        case _:
            raise TypeError(f"{value!r} cannot be compared with what is kept")
