"""Holds: credits reserved before the work, and charged for what it turned out to cost."""

from datetime import datetime, timedelta
from functools import lru_cache

from aiocredits._amounts import Micros, to_credits
from aiocredits._commands import CaptureHold, ExtendHold, PlaceHold, ReleaseHold
from aiocredits._ledger.burn import pick, spendable
from aiocredits._ledger.charges import charge_of, require_overdraft
from aiocredits._ledger.draft import Draft
from aiocredits._ledger.keys import nothing_to_do, receipt_of, terms_of
from aiocredits._ledger.landing import give_back, land, merged, split
from aiocredits._model import Hold, Slices, make, total
from aiocredits._receipt import Receipt
from aiocredits.errors import (
    CaptureExceedsHoldError,
    CreditError,
    HoldClosedError,
    HoldExpiredError,
    InvalidExpiryError,
    InvalidInputError,
)

MAX_TIMEOUT = timedelta(days=30)


def place_hold(draft: Draft, command: PlaceHold) -> Receipt:
    """Reserve credits; with ``if_short="partial"`` what there is of them."""
    draft.require_open()
    _require_timeout(command.timeout)
    slices = pick(draft.grants, command.amount_micros, command.service, order=command.burn_order)
    held = total(slices)
    if held < command.amount_micros and not (command.if_short == "partial" and held):
        if command.if_short == "overdraft":
            raise InvalidInputError(
                'a hold reserves credits that are there: use if_short="reject" or "partial", and '
                'capture with if_over="overdraft"'
            )
        raise draft.short(
            command.amount_micros, spendable(draft.grants, command.service), command.service
        )
    hold = make(
        Hold,
        (
            command.account,
            draft.next_number,
            "open",
            held,
            0,
            slices,
            draft.at,
            draft.at + command.timeout,
            command.service,
            command.actor,
            command.description,
            command.metadata,
        ),
    )
    draft.put_hold(hold)
    _reserve(draft, slices)
    draft.due_by(hold.expires_at)
    detail: dict[str, object] = until(hold.expires_at)
    if held < command.amount_micros:
        detail["shortfall"] = command.amount_micros - held
    entry = draft.post(
        "hold",
        held,
        available=-held,
        held=held,
        slices=slices,
        subject=hold.number,
        service=hold.service,
        actor=hold.actor,
        description=hold.description,
        metadata=hold.metadata,
        key=command.key,
        terms=terms_of(command),
        detail=detail,
    )
    return receipt_of(entry)


def capture_hold(draft: Draft, command: CaptureHold) -> Receipt:
    """Charge what was used of a hold; unless more is to follow, free the rest."""
    draft.require_not_closed()
    hold = _open_hold(draft, command.hold)
    held = hold.held_micros
    asked = held if command.amount_micros is None else command.amount_micros
    amount, extra = _settle_excess(draft, hold, asked, command)
    captured, rest = split(hold.slices, amount)
    freed, kept = (rest, ()) if command.final else ((), rest)
    slices = merged((*captured, *extra)) if extra else captured
    added = total(extra)
    owed = max(0, amount - held - added)
    for grant, micros in captured:
        draft.adjust(grant, held=-micros)
    for grant, micros in extra:
        draft.adjust(grant, remaining=-micros)
    landing = give_back(draft, freed, from_hold=True) if freed else land(draft, 0)
    draft.put_hold(hold.left_with(kept, "open" if kept else "captured", amount))
    draft.spend(hold.service, slices, owed, at=draft.at)
    detail = landing.detail
    if amount < asked:
        detail["shortfall"] = asked - amount
    if freed:
        detail["freed"] = [list(part) for part in freed]
    if extra:
        detail["extra"] = [list(part) for part in extra]
    entry = draft.post(
        "capture",
        amount,
        available=landing.available - added,
        held=total(kept) - held,
        overdraft=landing.overdraft + owed,
        slices=slices,
        subject=hold.number,
        service=hold.service,
        actor=hold.actor,
        description=command.description,
        metadata=command.metadata,
        key=command.key,
        terms=terms_of(command),
        detail=detail or None,
    )
    if owed:
        draft.put_charge(charge_of(entry))
    return receipt_of(entry)


def release_hold(draft: Draft, command: ReleaseHold) -> Receipt:
    """Free all that a hold still reserves; one that has ended stays as it is."""
    hold = draft.hold(command.hold)
    if hold.state != "open":
        return nothing_to_do(draft, command.key)
    landing = give_back(draft, hold.slices, from_hold=True)
    draft.put_hold(hold.left_with((), "released"))
    held = hold.held_micros
    entry = draft.post(
        "release",
        held,
        available=landing.available,
        held=-held,
        overdraft=landing.overdraft,
        slices=hold.slices,
        subject=hold.number,
        service=hold.service,
        actor=hold.actor,
        key=command.key,
        terms=terms_of(command),
        detail=landing.detail or None,
    )
    return receipt_of(entry)


def extend_hold(draft: Draft, command: ExtendHold) -> Receipt:
    """Give a hold more time, from now, or more credits, or both."""
    more = command.amount_micros
    if more:
        draft.require_open()
    else:
        draft.require_not_closed()
    hold = _open_hold(draft, command.hold)
    expires_at = hold.expires_at
    if command.timeout is not None:
        _require_timeout(command.timeout)
        expires_at = draft.at + command.timeout
    slices = pick(draft.grants, more, hold.service, order=command.burn_order) if more else ()
    if total(slices) < more:
        raise draft.short(more, total(slices), hold.service)
    _reserve(draft, slices)
    draft.put_hold(
        hold._replace(
            amount_micros=hold.amount_micros + more,
            slices=merged((*hold.slices, *slices)),
            expires_at=expires_at,
        )
    )
    draft.due_by(expires_at)
    entry = draft.post(
        "extend",
        more,
        available=-more,
        held=more,
        slices=slices,
        subject=hold.number,
        service=hold.service,
        actor=hold.actor,
        key=command.key,
        terms=terms_of(command),
        detail=until(expires_at),
    )
    return receipt_of(entry)


def until(expires_at: datetime) -> dict[str, object]:
    """Return what an entry says of when its hold ends by itself."""
    return {"expires_at": _text(expires_at)}


# The holds of a batch mostly end at one instant.
@lru_cache(maxsize=256)
def _text(instant: datetime) -> str:
    return instant.isoformat()


def _reserve(draft: Draft, slices: Slices) -> None:
    for grant, micros in slices:
        draft.adjust(grant, remaining=-micros, held=micros)


def _settle_excess(
    draft: Draft, hold: Hold, asked: Micros, command: CaptureHold
) -> tuple[Micros, Slices]:
    """Return what to charge in all, and the slices taken from outside the hold."""
    held = hold.held_micros
    over = asked - held
    if over <= 0:
        return asked, ()
    if command.if_over == "reject":
        user_id, unit = draft.owner
        raise CaptureExceedsHoldError(
            user_id=user_id,
            unit=unit,
            id=hold.id,
            required=to_credits(asked),
            held=to_credits(held),
        )
    if command.if_over == "cap":
        return held, ()
    draft.require_open()  # what lies above the hold is a new charge
    extra = pick(draft.grants, over, hold.service, order=command.burn_order)
    if total(extra) < over:
        if command.if_over == "available":
            raise draft.short(over, total(extra), hold.service)
        require_overdraft(draft, over, total(extra))
    return asked, extra


def _open_hold(draft: Draft, number: int) -> Hold:
    hold = draft.hold(number)
    if hold.state == "open":
        return hold
    raise _ended(draft, hold)


def _ended(draft: Draft, hold: Hold) -> CreditError:
    user_id, unit = draft.owner
    if hold.state == "expired":
        return HoldExpiredError(user_id=user_id, unit=unit, id=hold.id, expired_at=hold.expires_at)
    return HoldClosedError(user_id=user_id, unit=unit, id=hold.id, state=hold.state)


def _require_timeout(timeout: timedelta) -> None:
    if not timedelta(0) < timeout <= MAX_TIMEOUT:
        raise InvalidExpiryError(
            f"timeout {timeout}: a hold ends by itself, after more than nothing and at most "
            f"{MAX_TIMEOUT.days} days"
        )
