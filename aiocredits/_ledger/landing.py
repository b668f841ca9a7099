"""Where credits go that become spendable: to their grants, and from there to debt first."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from aiocredits._amounts import Micros
from aiocredits._ledger.burn import pick
from aiocredits._ledger.draft import Draft
from aiocredits._model import Grant, Slice, Slices, make, total


class Landing(NamedTuple):
    """How the balances move when credits become spendable."""

    available: Micros
    overdraft: Micros
    detail: dict[str, object]


def land(draft: Draft, arrived: Micros, lost: dict[str, object] | None = None) -> Landing:
    """Let credits that have just reached their grants repay what the account owes."""
    detail = {} if lost is None else lost
    if not draft.charges:  # nothing is owed
        return make(Landing, (arrived, 0, detail))
    repaid = _repay(draft)
    paid = sum(micros for _, _, micros in repaid)
    if repaid:
        detail["repaid"] = repaid
    return Landing(arrived - paid, -paid, detail)


def give_back(
    draft: Draft, slices: Slices, *, from_hold: bool, at: datetime | None = None
) -> Landing:
    """Return slices to the grants that they came from.

    What goes back to a grant that has ended is lost at once: nothing prolongs a grant.
    """
    arrived = 0
    expired: list[list[int]] = []
    revoked: list[list[int]] = []
    for number, micros in slices:
        grant = draft.grants[number]
        freed = -micros if from_hold else 0
        if _takes_back(grant, at or draft.at):
            draft.adjust(number, remaining=micros, held=freed)
            draft.due_by(grant.expires_at)  # nobody waited for the end of one that was spent
            arrived += micros
        elif grant.state in {"revoking", "revoked"}:
            draft.adjust(number, held=freed)
            revoked.append([number, micros])
        else:
            draft.adjust(number, held=freed, lapsed=micros)
            expired.append([number, micros])
    lost: dict[str, object] = {}
    if expired:
        lost["expired"] = expired
    if revoked:
        lost["revoked"] = revoked
    return land(draft, arrived, lost)


def split(slices: Slices, micros: Micros) -> tuple[Slices, Slices]:
    """Cut slices in two, so that the first part adds up to `micros`."""
    for index, (grant, part) in enumerate(slices):
        if not micros:
            return slices[:index], slices[index:]
        if part > micros:
            first = (*slices[:index], make(Slice, (grant, micros)))
            return first, (make(Slice, (grant, part - micros)), *slices[index + 1 :])
        micros -= part
    return slices, ()


def merged(slices: Iterable[Slice]) -> Slices:
    """Join neighbouring slices of one grant."""
    parts: list[Slice] = []
    for grant, micros in slices:
        if parts and parts[-1].grant == grant:
            parts[-1] = Slice(grant, parts[-1].micros + micros)
        else:
            parts.append(Slice(grant, micros))
    return tuple(parts)


def _takes_back(grant: Grant, at: datetime) -> bool:
    return grant.state in {"live", "spent"} and (grant.expires_at is None or grant.expires_at > at)


def _repay(draft: Draft) -> list[list[int]]:
    """Pay debts, oldest first, with what may pay for them; return [charge, grant, micros] lists."""
    repaid: list[list[int]] = []
    for number in sorted(draft.charges):
        charge = draft.charges[number]
        if not charge.owed_micros:
            continue
        slices = pick(draft.grants, charge.owed_micros, charge.service)
        if not slices:
            continue
        for grant, micros in slices:
            draft.adjust(grant, remaining=-micros)
            repaid.append([number, grant, micros])
        paid = total(slices)
        draft.put_charge(
            charge._replace(
                owed_micros=charge.owed_micros - paid, slices=merged((*charge.slices, *slices))
            )
        )
        # The debt was counted as usage without a cost; now it has one.
        draft.spend(charge.service, (), paid, at=charge.at, sign=-1)
        draft.spend(charge.service, slices, 0, at=charge.at)
    return repaid
