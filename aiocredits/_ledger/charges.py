"""Charges: taking credits, and giving them back."""

from datetime import datetime

from aiocredits._amounts import Micros, to_credits
from aiocredits._commands import BurnOrder, Consume, Refund
from aiocredits._ledger.burn import in_burn_order, pick, spendable
from aiocredits._ledger.draft import Draft
from aiocredits._ledger.keys import receipt_of, terms_of
from aiocredits._ledger.landing import give_back, split
from aiocredits._model import Charge, Entry, Grant, Slice, Slices, total
from aiocredits._receipt import Receipt
from aiocredits.errors import InvalidInputError, OverdraftLimitError, RefundExceedsChargeError


def consume(draft: Draft, command: Consume) -> Receipt:
    """Charge an account: all or nothing, unless `if_short` says otherwise."""
    draft.require_open()
    if command.occurred_at is not None:
        return _consume_late(draft, command, command.occurred_at)
    slices = pick(draft.grants, command.amount_micros, command.service, order=command.burn_order)
    return _charge(draft, command, slices, draft.at)


def refund(draft: Draft, command: Refund) -> Receipt:
    """Give back a charge, or a part of it: debt first, then to its grants, last slice first."""
    draft.require_not_closed()
    charge = draft.charge(command.charge)
    left = charge.amount_micros - charge.refunded_micros
    amount = left if command.amount_micros is None else command.amount_micros
    if amount > left or not left:
        raise _exceeds_charge(draft, charge, amount or charge.amount_micros, left)
    forgiven = min(charge.owed_micros, amount)
    back, keep = split(charge.slices[::-1], amount - forgiven)
    draft.require_room(total(back))
    draft.put_charge(
        charge._replace(
            owed_micros=charge.owed_micros - forgiven,
            refunded_micros=charge.refunded_micros + amount,
            slices=keep[::-1],
        )
    )
    draft.spend(charge.service, back, forgiven, at=charge.at, sign=-1)
    landing = give_back(draft, back, from_hold=False)
    entry = draft.post(
        "refund",
        amount,
        available=landing.available,
        overdraft=landing.overdraft - forgiven,
        slices=back,
        subject=charge.number,
        service=charge.service,
        description=command.description,
        metadata=command.metadata,
        key=command.key,
        terms=terms_of(command),
        detail=landing.detail or None,
    )
    return receipt_of(entry)


def charge_of(entry: Entry) -> Charge:
    """Return the charge that `entry` made, as it was then: neither repaid nor refunded."""
    detail = entry.detail or {}
    occurred_at = detail.get("occurred_at")
    return Charge(
        entry.account,
        entry.version,
        entry.amount_micros,
        datetime.fromisoformat(occurred_at) if isinstance(occurred_at, str) else entry.at,
        entry.service,
        entry.slices,
        entry.amount_micros - total(entry.slices),
    )


def require_overdraft(draft: Draft, required: Micros, available: Micros) -> Micros:
    """Return what has to go into debt, or refuse if that is past the limit."""
    account = draft.account
    owed = required - available
    if account.overdraft_micros + owed > account.overdraft_limit_micros:
        user_id, unit = draft.owner
        raise OverdraftLimitError(
            user_id=user_id,
            unit=unit,
            required=to_credits(required),
            available=to_credits(available),
            overdraft=account.overdraft,
            overdraft_limit=account.overdraft_limit,
        )
    return owed


def _charge(draft: Draft, command: Consume, slices: Slices, at: datetime) -> Receipt:
    amount, taken, owed = command.amount_micros, total(slices), 0
    detail: dict[str, object] = {}
    if taken < amount:
        match command.if_short:
            case "reject":
                found = max(taken, spendable(draft.grants, command.service))
                raise draft.short(amount, found, command.service)
            case "partial":
                detail["shortfall"] = amount - taken
                amount = taken
            case "overdraft":
                owed = require_overdraft(draft, amount, taken)
    if command.occurred_at is not None:
        detail["occurred_at"] = at.isoformat()
    service = command.service
    for grant, micros in slices:
        draft.adjust(grant, remaining=-micros)
    draft.spend(service, slices, owed, at=at)
    entry = draft.post(
        "consume",
        amount,
        available=-taken,
        overdraft=owed,
        slices=slices,
        service=service,
        actor=command.actor,
        description=command.description,
        metadata=command.metadata,
        key=command.key,
        terms=terms_of(command),
        detail=detail or None,
    )
    if owed:
        draft.put_charge(charge_of(entry))
    return receipt_of(entry)


def _consume_late(draft: Draft, command: Consume, occurred_at: datetime) -> Receipt:
    """Charge what was valid at `occurred_at`, what of it has expired since included; then the rest.

    Usage that nothing valid then can pay for is still owed, so it is charged as if it were new.
    """
    if occurred_at > draft.at:
        raise InvalidInputError(
            f"occurred_at {occurred_at.isoformat()} lies after {draft.at.isoformat()}, the present "
            f"of account {draft.account.user_id!r}: usage is charged after it happened"
        )
    candidates = _valid_then(draft, command.service, occurred_at, command.burn_order)
    slices: list[Slice] = []
    reinstated: list[Slice] = []
    needed = command.amount_micros
    for grant in candidates:
        part = min(needed, grant.remaining_micros + grant.lapsed_micros)
        if not part:
            continue
        slices.append(Slice(grant.number, part))
        if part > grant.remaining_micros:
            reinstated.append(Slice(grant.number, part - grant.remaining_micros))
        needed -= part
    seen = {grant.number for grant in candidates}
    if needed:
        others = {number: grant for number, grant in draft.grants.items() if number not in seen}
        slices += pick(others, needed, command.service, order=command.burn_order)
    _reinstate(draft, tuple(reinstated))
    return _charge(draft, command, tuple(slices), occurred_at)


def _valid_then(
    draft: Draft, service: str | None, instant: datetime, order: BurnOrder | None
) -> list[Grant]:
    ordered = in_burn_order(draft.grants.values(), order) if order else draft.grants
    return [grant for grant in ordered.values() if _was_valid(grant, service, instant)]


def _was_valid(grant: Grant, service: str | None, instant: datetime) -> bool:
    return (
        (grant.state == "live" or (grant.lapsed_micros > 0 and grant.state != "revoked"))
        and grant.effective_at <= instant
        and (grant.expires_at is None or instant < grant.expires_at)
        and (grant.scope is None or service in grant.scope)
    )


def _reinstate(draft: Draft, slices: Slices) -> None:
    if not slices:
        return
    for grant, micros in slices:
        draft.adjust(grant, remaining=micros, lapsed=-micros)
    micros = total(slices)
    draft.post("reinstate", micros, available=micros, slices=slices)


def _exceeds_charge(
    draft: Draft, charge: Charge, required: Micros, left: Micros
) -> RefundExceedsChargeError:
    user_id, unit = draft.owner
    return RefundExceedsChargeError(
        user_id=user_id,
        unit=unit,
        id=draft.id(charge.number),
        required=to_credits(required),
        refundable=to_credits(left),
    )
