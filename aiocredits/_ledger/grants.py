"""Grants: how credits come in, and how they are taken back unspent."""

from datetime import datetime

from aiocredits._commands import ActivateGrant, AddGrant, FailGrant, RevokeGrant, SetExpiry
from aiocredits._ledger.burn import in_burn_order
from aiocredits._ledger.draft import Draft
from aiocredits._ledger.keys import nothing_to_do, receipt_of, terms_of
from aiocredits._ledger.landing import land
from aiocredits._model import Grant, GrantState, Slice
from aiocredits._receipt import Receipt
from aiocredits.errors import GrantClosedError, InvalidExpiryError, InvalidInputError

MAX_PRIORITY = 100

_ALIVE = frozenset({"pending", "scheduled", "live"})


def add_grant(draft: Draft, command: AddGrant) -> Receipt:
    """Add credits, spendable in [effective_at, expires_at)."""
    draft.require_not_closed()
    if not 0 <= command.priority <= MAX_PRIORITY:
        raise InvalidInputError(
            f"priority {command.priority}: a priority is 0 (burns first) to {MAX_PRIORITY}"
        )
    effective_at = command.effective_at or draft.at
    _require_later(command.expires_at, max(draft.at, effective_at))
    draft.require_room(command.amount_micros)
    waits: GrantState = "pending" if command.pending else "scheduled"
    starts = not command.pending and effective_at <= draft.at
    grant = Grant(
        command.account,
        draft.next_number,
        "live" if starts else waits,
        command.amount_micros,
        command.amount_micros,
        priority=command.priority,
        category=command.category,
        unit_cost=command.unit_cost,
        scope=command.scope,
        effective_at=effective_at,
        expires_at=command.expires_at,
        description=command.description,
        metadata=command.metadata,
    )
    insert(draft, grant)
    arrived = land(draft, command.amount_micros) if starts else land(draft, 0)
    entry = draft.post(
        "grant" if starts else "pledge",
        command.amount_micros,
        available=arrived.available,
        overdraft=arrived.overdraft,
        slices=(Slice(grant.number, command.amount_micros),),
        subject=grant.number,
        description=command.description,
        metadata=command.metadata,
        key=command.key,
        terms=terms_of(command),
        detail={"grant": terms_of_grant(grant), **arrived.detail},
    )
    return receipt_of(entry)


def activate_grant(draft: Draft, command: ActivateGrant) -> Receipt:
    """Make a pending grant spendable; what is active already stays as it is."""
    draft.require_not_closed()
    grant = draft.grant(command.grant)
    if grant.state in {"failed", "expired", "revoked"}:
        raise _closed(draft, grant, "be activated")
    if grant.state != "pending":
        return nothing_to_do(draft, command.key)
    starts = grant.effective_at <= draft.at
    state: GrantState = "live" if starts else "scheduled"
    draft.put_grant(grant._replace(state=state))
    if not starts:
        draft.due_by(grant.effective_at)
    arrived = land(draft, grant.remaining_micros if starts else 0)
    entry = draft.post(
        "grant" if starts else "pledge",
        grant.remaining_micros,
        available=arrived.available,
        overdraft=arrived.overdraft,
        slices=(Slice(grant.number, grant.remaining_micros),),
        subject=grant.number,
        key=command.key,
        terms=terms_of(command),
        detail={"state": state, **arrived.detail},
    )
    return receipt_of(entry)


def fail_grant(draft: Draft, command: FailGrant) -> Receipt:
    """End a pending grant for good."""
    draft.require_not_closed()
    grant = draft.grant(command.grant)
    if grant.state == "failed":
        return nothing_to_do(draft, command.key)
    if grant.state != "pending":
        raise _closed(draft, grant, "fail")
    return _cancel(draft, grant, grant.remaining_micros, "failed", command)


def revoke_grant(draft: Draft, command: RevokeGrant) -> Receipt:
    """Forfeit what is unspent of a grant, or a part of it; what is held stays capturable."""
    draft.require_not_closed()
    grant = draft.grant(command.grant)
    left = grant.remaining_micros
    forfeited = left if command.amount_micros is None else command.amount_micros
    if forfeited > left:
        raise draft.short(forfeited, left)
    whole = command.amount_micros is None
    # One that is spent is revoked all the same: no refund shall revive it.
    if grant.state not in _ALIVE and not (whole and grant.state == "spent"):
        return nothing_to_do(draft, command.key)
    if grant.state in {"pending", "scheduled"}:
        rest: GrantState = grant.state if forfeited < left else "revoked"
        return _cancel(draft, grant, forfeited, rest, command)
    draft.adjust(grant.number, remaining=-forfeited)
    if whole:
        state: GrantState = "revoking" if grant.held_micros else "revoked"
        draft.put_grant(draft.grants[grant.number]._replace(state=state))
    entry = draft.post(
        "revoke",
        forfeited,
        available=-forfeited,
        slices=(Slice(grant.number, forfeited),) if forfeited else (),
        subject=grant.number,
        description=command.description,
        metadata=command.metadata,
        key=command.key,
        terms=terms_of(command),
        detail={"whole": whole},
    )
    return receipt_of(entry)


def set_expiry(draft: Draft, command: SetExpiry) -> Receipt:
    """Move the end of a grant that is alive."""
    draft.require_not_closed()
    grant = draft.grant(command.grant)
    if grant.state not in _ALIVE:
        raise _closed(draft, grant, "change its expiry")
    _require_later(command.expires_at, max(draft.at, grant.effective_at))
    insert(draft, grant._replace(expires_at=command.expires_at))
    entry = draft.post(
        "set_expiry",
        0,
        subject=grant.number,
        key=command.key,
        terms=terms_of(command),
        detail={"expires_at": _iso(command.expires_at)},
    )
    return receipt_of(entry)


def insert(draft: Draft, grant: Grant) -> None:
    """Put a grant in its place in the burn order, and its instants among what is due."""
    draft.put_grants(in_burn_order({**draft.grants, grant.number: grant}.values()))
    draft.due_by(grant.expires_at)
    if grant.state == "scheduled":
        draft.due_by(grant.effective_at)


def terms_of_grant(grant: Grant) -> dict[str, object]:
    """Return what a grant was given with, as JSON, so that its entry tells all about it."""
    return {
        "state": grant.state,
        "priority": grant.priority,
        "category": grant.category,
        "unit_cost": None if grant.unit_cost is None else str(grant.unit_cost),
        "scope": None if grant.scope is None else sorted(grant.scope),
        "effective_at": _iso(grant.effective_at),
        "expires_at": _iso(grant.expires_at),
        "rolled_over": grant.rolled_over,
    }


def _cancel(
    draft: Draft, grant: Grant, micros: int, state: GrantState, command: FailGrant | RevokeGrant
) -> Receipt:
    draft.put_grant(grant._replace(state=state, remaining_micros=grant.remaining_micros - micros))
    entry = draft.post(
        "cancel",
        micros,
        subject=grant.number,
        key=command.key,
        terms=terms_of(command),
        detail={"state": state},
    )
    return receipt_of(entry)


def _require_later(expires_at: datetime | None, than: datetime) -> None:
    if expires_at is not None and expires_at <= than:
        raise InvalidExpiryError(
            f"expires_at {expires_at.isoformat()} is not after {than.isoformat()}, when the grant "
            "begins or the change is made: nothing could ever be spent of it"
        )


def _closed(draft: Draft, grant: Grant, verb: str) -> GrantClosedError:
    user_id, unit = draft.owner
    return GrantClosedError(user_id=user_id, unit=unit, id=grant.id, state=grant.state, verb=verb)


def _iso(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat()
