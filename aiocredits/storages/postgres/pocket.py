"""What the row of an account keeps of its grants and holds: its pocket.

Every command writes the row of its account. What charges and holds change of grants and holds is
kept in it, so that they write no rows of those:

    [[grant, remaining, held], …, [hold, amount, captured, slices, …], …]

What a pocket says of a grant counts, and not what its row says; that one is written again when
anything else changes of the grant, such as its state. A hold is in the pocket while it is open, and
gets a row when it ends. A pocket has room for a few of each; whatever does not fit is in its row.
"""

import json
from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import NamedTuple, TypeAlias

from aiocredits._ledger import Changes
from aiocredits._model import EPOCH, NO_METADATA, Grant, Hold, Slice, make
from aiocredits.storages._codec import dump_json, dump_slices
from aiocredits.storages.postgres.rows import to_micros

MAX_GRANTS = 8
MAX_TEXT = 1200
"""Characters: some eight holds and their grants. The server would begin to compress 2 kB."""

_SHORTEST = 60
"""Hardly a hold has fewer characters: with less room than that, none is written down to see."""

_MICROSECOND = timedelta(microseconds=1)

Pocket: TypeAlias = Mapping[int, str]
"""Grants and open holds by their number, each as it is written: no number is given twice."""

Pockets: TypeAlias = Mapping[str, Pocket]
"""By the account's name."""

EMPTY: Pocket = {}


class Placement(NamedTuple):
    """Where changes are written: in the pockets, and of grants and holds what needs its row."""

    pockets: Pockets
    grants: Collection[Grant]
    new_holds: Collection[Hold]
    holds: Collection[Hold]


def dump_pocket(pocket: Pocket) -> str:
    """Return what is written into the row."""
    return f"[{','.join(pocket.values())}]"


def load_pocket(text: str) -> Pocket:
    """Return what `dump_pocket` wrote."""
    return {each[0]: dump_json(each) for each in json.loads(text)}


def current(grant: Grant, pocket: Pocket) -> Grant:
    """Return a grant as it is, from what its row says of it."""
    moved = pocket.get(grant.number)
    if moved is None:
        return grant
    _, remaining, held = json.loads(moved)
    return grant._replace(remaining_micros=remaining, held_micros=held)


def open_holds(account: str, pocket: Pocket) -> dict[int, Hold]:
    """Return the holds that are in the pocket of an account."""
    return {
        number: _load_hold(account, text) for number, text in pocket.items() if not _is_grant(text)
    }


def place(changes: Changes, pockets: Pockets, *, moves: bool) -> Placement:
    """Put into the `pockets` what fits of the changes.

    With `moves` nothing but credits moved: of a grant that is live nothing else has changed.
    """
    after = {new.name: dict(pockets.get(new.name, EMPTY)) for _, new in changes.accounts}
    grants: list[Grant] = []
    for grant in changes.grants:
        name, number, state, _, remaining, held = grant[:6]
        pocket = after[name]
        if moves and state == "live" and (number in pocket or _has_room(pocket)):
            pocket[number] = f"[{number},{remaining},{held}]"
        else:
            pocket.pop(number, None)
            grants.append(grant)
    new_holds: list[Hold] = []
    holds: list[Hold] = []
    for hold in changes.holds:  # before the new ones: what ends makes room
        pocket = after[hold.account]
        if pocket.pop(hold.number, None) is None:
            holds.append(hold)
        elif not _fits(hold, pocket):
            new_holds.append(hold)
    new_holds += [hold for hold in changes.new_holds if not _fits(hold, after[hold.account])]
    return make(Placement, (after, grants, new_holds, holds))


def _has_room(pocket: Pocket) -> bool:
    """Tell whether one more grant may be put into a pocket."""
    return sum(map(_is_grant, pocket.values())) < MAX_GRANTS


def _is_grant(text: str) -> bool:
    return text.count(",") == 2  # noqa: PLR2004 - as it has three numbers


def _fits(hold: Hold, pocket: dict[int, str]) -> bool:
    """Put an open hold into a pocket, unless there is no room for it."""
    room = MAX_TEXT - sum(map(len, pocket.values()))
    if hold.state != "open" or room < _SHORTEST:
        return False
    text = _dump_hold(hold)
    if len(text) > room:
        return False
    pocket[hold.number] = text
    return True


def _dump_hold(hold: Hold) -> str:
    _, number, _, amount, captured, slices, placed, expires, service, actor, text, metadata = hold
    return (
        f"[{number},{amount},{captured},{dump_slices(slices)},{to_micros(placed)},"
        f"{to_micros(expires)},{dump_json((service, actor, text, metadata or None))[1:]}"
    )


def _load_hold(account: str, dumped: str) -> Hold:
    number, amount, captured, slices, placed, expires, *terms = json.loads(dumped)
    service, actor, description, metadata = terms
    return Hold(
        account,
        number,
        "open",
        amount,
        captured,
        tuple([Slice(*part) for part in slices]),
        EPOCH + placed * _MICROSECOND,
        EPOCH + expires * _MICROSECOND,
        service,
        actor,
        description,
        metadata or NO_METADATA,
    )
