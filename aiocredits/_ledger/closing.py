"""Closing books up to an entry, so that what came before it need not be read again."""

from collections.abc import Collection, Mapping, Sequence
from typing import TypeVar

from aiocredits._ledger.audit import Audit, Standing, usage_before
from aiocredits._ledger.openings import UsageKey, digest_of, digest_of_usage, sealed
from aiocredits._model import OPEN_GRANT_STATES, Books, Charge, Grant, Hold, Usage
from aiocredits._opening import Opening

Owned = TypeVar("Owned", Grant, Hold)


def closed(standing: Standing, audit: Audit, kept: Sequence[Usage]) -> Opening:
    """Return the opening of an account at `standing`, which `audit` has since read to the end.

    What later entries are about has to be in it. Entries still to come are about nothing else:
    a charge that is left out can no longer be refunded, and what has ended does not change.
    """
    before, after = standing.books, audit.draft.books()
    charges = _charges(before, after)
    reached = {part.grant for charge in charges for part in charge.slices}
    grants = [
        grant for number, grant in before.grants.items() if number in reached or _may_change(grant)
    ]
    holds = [hold for hold in before.holds.values() if hold.state == "open"]
    return sealed(
        Opening(
            before.account._replace(due_at=None),
            tuple(grants),
            tuple(holds),
            charges,
            {name: micros for name, micros in standing.totals.items() if micros},
            digest_of(_others(before.grants, grants), audit.opening.ended_grants),
            digest_of(_others(before.holds, holds), audit.opening.ended_holds),
            digest_of_usage(_usage_at(standing, audit, kept)),
        )
    )


def _charges(before: Books, after: Books) -> tuple[Charge, ...]:
    return tuple(
        charge
        for number, charge in before.charges.items()
        if charge.owed_micros or after.charges[number] != charge
    )


def _may_change(grant: Grant) -> bool:
    # What expired unspent may still pay for usage that is reported late.
    return grant.state in OPEN_GRANT_STATES or grant.lapsed_micros > 0


def _others(rows: Mapping[int, Owned], but: Collection[Owned]) -> list[Owned]:
    left_out = {row.number for row in but}
    return [row for number, row in rows.items() if number not in left_out]


def _usage_at(standing: Standing, audit: Audit, kept: Sequence[Usage]) -> Mapping[UsageKey, int]:
    now = {(row.day, row.service, row.unit_cost): row.spent_micros for row in kept}
    later = audit.standing().usage
    since = {key: micros - standing.usage.get(key, 0) for key, micros in later.items()}
    return usage_before(now, since)
