"""Openings as plain values, which any encoding can carry, and the digests that prove them."""

import json
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any, TypeAlias, cast

from aiocredits._amounts import Micros
from aiocredits._model import Account, Charge, Grant, Hold, Slice, Slices
from aiocredits._opening import Digest, Opening

UsageKey: TypeAlias = tuple[date, str | None, Decimal | None]
"""A day, a service and a unit cost."""

_MODULUS = 2**256


def digest_of(rows: Iterable[Grant | Hold], known: Digest) -> Digest:
    """Return `known` with more rows in it.

    A grant that is spent may still be revoked, which moves nothing: both count as the same.
    """
    return _added(known, (_ended(row) for row in rows))


def digest_of_usage(usage: Mapping[UsageKey, Micros]) -> Digest:
    """Return the digest of what was spent, where that is not nothing."""
    return _added(
        Digest(),
        (
            [day.isoformat(), service, None if cost is None else str(cost), micros]
            for (day, service, cost), micros in usage.items()
            if micros
        ),
    )


def sealed(opening: Opening) -> Opening:
    """Return an opening with the seal that belongs to it."""
    return opening._replace(seal=_sha(_fields(opening)).hex())


def dump_opening(opening: Opening) -> dict[str, Any]:
    """Return an opening as numbers, texts, lists and dicts."""
    return {**_fields(opening), "seal": opening.seal}


def load_opening(plain: Mapping[str, Any]) -> Opening:
    """Return what `dump_opening` has written."""
    account = plain["account"]
    ended_grants, ended_holds, usage = (
        Digest(size, int(total, 16)) for size, total in plain["digests"]
    )
    return Opening(
        Account._make((*account[:2], _instant(account[2]), *account[3:9], _perhaps(account[9]))),
        tuple(_load_grant(row) for row in plain["grants"]),
        tuple(_load_hold(row) for row in plain["holds"]),
        tuple(_load_charge(row) for row in plain["charges"]),
        plain["totals"],
        ended_grants,
        ended_holds,
        usage,
        plain["seal"],
    )


def _fields(opening: Opening) -> dict[str, Any]:
    digests = (opening.ended_grants, opening.ended_holds, opening.usage)
    return {
        "account": _plain(opening.account),
        "grants": [_plain(grant) for grant in opening.grants],
        "holds": [_plain(hold) for hold in opening.holds],
        "charges": [_plain(charge) for charge in opening.charges],
        "totals": dict(opening.totals),
        "digests": [[digest.size, f"{digest.total:x}"] for digest in digests],
    }


def _plain(row: Account | Grant | Hold | Charge) -> list[Any]:
    return [_value(value) for value in row]


def _ended(row: Grant | Hold) -> list[Any]:
    account, number, state, *others = _plain(row)
    return [account, number, "spent" if state == "revoked" else state, *others]


def _value(value: object) -> object:
    match value:
        case datetime():
            return value.isoformat()
        case Decimal():
            return str(value)
        case frozenset():
            return sorted(cast("frozenset[str]", value))
        case tuple():  # of slices
            return [list(part) for part in cast("Slices", value)]
        case Mapping():
            return dict(cast("Mapping[str, object]", value))
        case _:
            return value


def _load_grant(row: list[Any]) -> Grant:
    cost, scope, effective_at, expires_at = row[9:13]
    return Grant._make(
        (
            *row[:9],
            None if cost is None else Decimal(cost),
            None if scope is None else frozenset(scope),
            _instant(effective_at),
            _perhaps(expires_at),
            *row[13:],
        )
    )


def _load_hold(row: list[Any]) -> Hold:
    return Hold._make((*row[:5], _slices(row[5]), _instant(row[6]), _instant(row[7]), *row[8:]))


def _load_charge(row: list[Any]) -> Charge:
    return Charge._make((*row[:3], _instant(row[3]), row[4], _slices(row[5]), *row[6:]))


def _added(known: Digest, rows: Iterable[list[Any]]) -> Digest:
    size, total = known
    for row in rows:
        size += 1
        total = (total + int.from_bytes(_sha(row))) % _MODULUS
    return Digest(size, total)


def _sha(plain: object) -> bytes:
    text = json.dumps(plain, separators=(",", ":"), ensure_ascii=False, sort_keys=True)
    return sha256(text.encode()).digest()


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _perhaps(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _slices(parts: list[list[int]]) -> Slices:
    return tuple(Slice(*part) for part in parts)
