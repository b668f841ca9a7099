"""What the row of an account keeps of its grants and holds: its pocket.

Every command writes the row of its account. What charges and holds change of grants and holds is
kept in it, so that they write no rows of those:

    [[[grant, remaining, held], …], [[hold, amount, captured, slices, …], …]]

What a pocket says of a grant counts, and not what its row says; that one is written again when
anything else changes of the grant, such as its state. A hold is in the pocket while it is open, and
gets a row when it ends. A pocket has room for a few of each; whatever does not fit is in its row.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta
from typing import NamedTuple, TypeAlias

from aiocredits._ledger import Changes
from aiocredits._model import EPOCH, NO_METADATA, Grant, Hold, Slice, make
from aiocredits.storages._codec import dump_json, dump_mapping, dump_slices
from aiocredits.storages.postgres.rows import to_micros

MAX_GRANTS = 8
MAX_TEXT = 1000
"""Characters of holds: some eight of them. With rows of 2 kB the server would begin to compress."""

_SHORTEST = 60
"""Hardly a hold has fewer characters: with less room than that, none is written down to see."""

_MICROSECOND = timedelta(microseconds=1)


class Pocket(NamedTuple):
    """What the row of one account keeps of what is inside it."""

    grants: Mapping[int, str] = {}
    """What is left and what is held of each grant, as it is written."""
    holds: Mapping[int, str] = {}
    """Open holds, each as it is written."""

    def current(self, grant: Grant) -> Grant:
        """Return a grant as it is, from what its row says of it."""
        moved = self.grants.get(grant.number)
        if moved is None:
            return grant
        _, remaining, held = json.loads(moved)
        return grant._replace(remaining_micros=remaining, held_micros=held)

    def open_holds(self, account: str) -> dict[int, Hold]:
        """Return the holds that are in it."""
        return {number: _load_hold(account, text) for number, text in self.holds.items()}


EMPTY = Pocket()
Pockets: TypeAlias = Mapping[str, Pocket]


class Placement(NamedTuple):
    """Where changes are written: in the pockets, and of grants and holds what needs its row."""

    pockets: Pockets
    grants: Collection[Grant]
    new_holds: Collection[Hold]
    holds: Collection[Hold]


def dump_pocket(pocket: Pocket) -> str:
    """Return what is written into the row."""
    grants, holds = pocket
    return f"[[{','.join(grants.values())}],[{','.join(holds.values())}]]"


_NOTHING = dump_pocket(EMPTY)


def load_pocket(text: str) -> Pocket:
    """Return what `dump_pocket` wrote."""
    if text == _NOTHING:
        return EMPTY
    grants, holds = [{each[0]: dump_json(each) for each in part} for part in json.loads(text)]
    return Pocket(grants, holds)


def place(changes: Changes, pockets: Pockets, *, moves: bool) -> Placement:
    """Put into the `pockets` what fits of the changes.

    With `moves` nothing but credits moved: of a grant that is live nothing else has changed.
    """
    after = {new.name: pockets.get(new.name, EMPTY) for _, new in changes.accounts}
    grants = _place_grants(changes.grants, after, moves=moves)
    if not changes.new_holds and not changes.holds:
        return make(Placement, (after, grants, (), ()))
    return make(Placement, (after, grants, *_place_holds(changes, after)))


def _place_grants(
    grants: Iterable[Grant], pockets: dict[str, Pocket], *, moves: bool
) -> list[Grant]:
    """Change the pockets, and return the grants whose rows are to be changed."""
    rows: list[Grant] = []
    for grant in grants:
        name, number, state, _, remaining, held = grant[:6]
        kept, holds = pockets[name]
        if moves and state == "live" and (number in kept or len(kept) < MAX_GRANTS):
            pockets[name] = make(
                Pocket, ({**kept, number: f"[{number},{remaining},{held}]"}, holds)
            )
            continue
        rows.append(grant)
        if number in kept:
            pockets[name] = Pocket({n: text for n, text in kept.items() if n != number}, holds)
    return rows


def _place_holds(changes: Changes, pockets: dict[str, Pocket]) -> tuple[list[Hold], list[Hold]]:
    """Change the pockets, and return the holds that get rows and those whose rows change."""
    names = {hold.account for hold in (*changes.holds, *changes.new_holds)}
    inside = {name: dict(pockets[name].holds) for name in names}
    added: list[Hold] = []
    changed: list[Hold] = []
    for hold in changes.holds:  # before the new ones: what ends makes room
        own = inside[hold.account]
        if own.pop(hold.number, None) is None:
            changed.append(hold)
        elif not _fits(hold, own):
            added.append(hold)
    added += [hold for hold in changes.new_holds if not _fits(hold, inside[hold.account])]
    for name, own in inside.items():
        pockets[name] = make(Pocket, (pockets[name].grants, own))
    return added, changed


def _fits(hold: Hold, inside: dict[int, str]) -> bool:
    """Put an open hold into a pocket, unless there is no room for it."""
    room = MAX_TEXT - sum(map(len, inside.values()))
    if hold.state != "open" or room < _SHORTEST:
        return False
    text = _dump_hold(hold)
    if len(text) > room:
        return False
    inside[hold.number] = text
    return True


def _dump_hold(hold: Hold) -> str:
    _, number, _, amount, captured, slices, placed, expires, service, actor, text, metadata = hold
    return (
        f"[{number},{amount},{captured},{dump_slices(slices)},{to_micros(placed)},"
        f"{to_micros(expires)},{_text(service)},{_text(actor)},{dump_json(text)},"
        f"{dump_mapping(metadata) or 'null'}]"
    )


def _text(text: str | None) -> str:
    return "null" if text is None else dump_json(text)


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
