"""What may be decided on remembered books: they may accept, and never refuse.

Whoever remembers an account cannot know whether somebody else has changed it since. An acceptance
is harmless, because it is saved only if the account still has the version that was remembered; a
refusal saves nothing, so nothing would prove it. It is left to a fresh load.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from aiocredits._commands import (
    Accepted,
    AddGrant,
    CaptureHold,
    Command,
    Consume,
    ExtendHold,
    Linked,
    Outcome,
    PlaceHold,
    ReleaseHold,
    Single,
    Transfer,
    accounts_of,
)
from aiocredits._ledger.carry import remembered, suffices
from aiocredits._ledger.decide import decide
from aiocredits._ledger.state import Changes, State
from aiocredits._ledger.straight import Straight
from aiocredits._model import Books, make

_OF_HOLDS = frozenset({CaptureHold, ReleaseHold, ExtendHold})
_CHEAP = frozenset({Consume, PlaceHold, AddGrant, *_OF_HOLDS})


class CachedDecision(NamedTuple):
    """What was accepted on remembered books, and has to be proved by its versions."""

    outcomes: Mapping[int, Outcome]
    """By the place of their command in the batch."""
    places: Mapping[str, Sequence[int]]
    """By account, the places of its commands: they stand and fall together."""
    changes: Changes
    books: Mapping[str, Books | None]
    """What to remember of the accounts of `places` afterwards, None for nothing."""


def is_cheap(command: Command) -> bool:
    """Tell whether a command needs no more than its account, open grants and the hold it names."""
    kind = type(command)
    return kind in _CHEAP and (kind is not Consume or command.occurred_at is None)  # type: ignore[union-attr]


def decide_cached(
    cached: Mapping[str, Books], commands: Sequence[Command], at: datetime
) -> CachedDecision:
    """Decide every account all of whose commands are accepted on its remembered books."""
    places = _decidable(cached, commands, at)
    straight = Straight(at)
    outcomes: dict[int, Outcome] = {}
    for name, own in places.items():
        receipts = straight.go(cached[name], [commands[place] for place in own])  # type: ignore[misc]
        if receipts is not None:
            for place, receipt in zip(own, receipts, strict=True):
                outcomes[place] = make(Accepted, (receipt,))
    went = straight.books
    if len(went) == len(places):
        return CachedDecision(outcomes, places, straight.changes, went)
    rest = {name: own for name, own in places.items() if name not in went}
    decided = _decided(rest, cached, commands, at)
    if not went:
        return decided
    return CachedDecision(
        {**outcomes, **decided.outcomes},
        {**{name: places[name] for name in went}, **decided.places},
        straight.changes.joined(decided.changes),
        {**went, **decided.books},
    )


def _decided(
    places: Mapping[str, Sequence[int]],
    cached: Mapping[str, Books],
    commands: Sequence[Command],
    at: datetime,
) -> CachedDecision:
    chosen = sorted([place for of_account in places.values() for place in of_account])
    state = State({name: cached[name] for name in places}, {})
    decision = decide(state, [commands[place] for place in chosen], at)
    outcomes = dict(zip(chosen, decision.outcomes, strict=True))
    refused = {place for place, outcome in outcomes.items() if type(outcome) is not Accepted}
    unproved = {name for name in places if decision.books[name] is cached[name]}
    if refused:
        unproved |= {name for name, own in places.items() if not refused.isdisjoint(own)}
    changes = decision.changes
    if unproved:
        places = {name: own for name, own in places.items() if name not in unproved}
        changes = _without(unproved, changes)
    return CachedDecision(
        outcomes,
        places,
        changes,
        {name: remembered(decision.books[name]) for name in places},
    )


def _decidable(
    cached: Mapping[str, Books], commands: Sequence[Command], at: datetime
) -> dict[str, list[int]]:
    """Return the places of the commands by account, of accounts that need nothing else."""
    places: dict[str, list[int]] = {}
    others: set[str] = set()
    for place, command in enumerate(commands):
        if isinstance(command, Linked) or type(command) is Transfer:
            others.update(accounts_of(command))
            continue
        name = command.account
        own = places.get(name)
        if own is None:
            books = cached.get(name)
            if name in others or books is None or not suffices(books, at):
                others.add(name)
                continue
            places[name] = own = []
        own.append(place)
        if not _needs_no_more(cached[name], command):
            others.add(name)
    for name in others:
        places.pop(name, None)
    return places


def _needs_no_more(books: Books, command: Single) -> bool:
    if type(command) in _OF_HOLDS:
        return command.hold in books.holds  # type: ignore[union-attr]
    return is_cheap(command)


def _without(names: set[str], changes: Changes) -> Changes:
    return Changes(
        tuple(pair for pair in changes.accounts if pair[1].name not in names),
        tuple(grant for grant in changes.new_grants if grant.account not in names),
        tuple(grant for grant in changes.grants if grant.account not in names),
        tuple(hold for hold in changes.new_holds if hold.account not in names),
        tuple(hold for hold in changes.holds if hold.account not in names),
        tuple(charge for charge in changes.charges if charge.account not in names),
        tuple(entry for entry in changes.entries if entry.account not in names),
        tuple(row for row in changes.usage if row.account not in names),
    )
