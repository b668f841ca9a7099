"""Which grant pays first."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, get_args

from aiocredits._amounts import Micros
from aiocredits._commands import BurnKey, BurnOrder
from aiocredits._model import Grant, Slice, Slices, make

_NEVER = datetime.max.replace(tzinfo=UTC)

# After Stripe's documented order of applying credit grants, with the further ties broken.
BURN_ORDER: BurnOrder = get_args(BurnKey)

_RANKS: dict[BurnKey, Callable[[Grant], Any]] = {
    "rolled_over": lambda grant: not grant.rolled_over,
    "priority": lambda grant: grant.priority,
    "expires_at": lambda grant: grant.expires_at or _NEVER,
    "category": lambda grant: grant.category != "promo",
    "unit_cost": lambda grant: grant.unit_cost or 0,
    "scope": lambda grant: grant.scope is None,
    "effective_at": lambda grant: grant.effective_at,
    "number": lambda grant: grant.number,
}


def in_burn_order(grants: Iterable[Grant], order: BurnOrder = BURN_ORDER) -> dict[int, Grant]:
    """Return the grants by number, first to burn first."""
    ordered = list(grants)
    if len(ordered) > 1:
        ranks = [_RANKS[key] for key in order]
        ordered.sort(key=lambda grant: [rank(grant) for rank in ranks])
    return {grant.number: grant for grant in ordered}


def pick(
    grants: Mapping[int, Grant],
    needed: Micros,
    service: str | None,
    *,
    order: BurnOrder | None = None,
    any_scope: bool = False,
) -> Slices:
    """Return the slices that pay `needed` for `service`, or all there are if they do not suffice.

    `any_scope` picks whatever is spendable, as a transfer does.
    """
    if order is not None:
        grants = in_burn_order(grants.values(), order)
    slices: list[Slice] = []
    for grant in grants.values():
        remaining = grant.remaining_micros
        if (
            remaining
            and grant.state == "live"
            and (any_scope or grant.scope is None or service in grant.scope)
        ):
            if remaining >= needed:
                slices.append(make(Slice, (grant.number, needed)))
                break
            slices.append(make(Slice, (grant.number, remaining)))
            needed -= remaining
    return tuple(slices)


def spendable(grants: Mapping[int, Grant], service: str | None) -> Micros:
    """Return what a charge for `service` could take."""
    return sum(
        grant.remaining_micros
        for grant in grants.values()
        if grant.state == "live" and (grant.scope is None or service in grant.scope)
    )
