"""Transfers: credits move between accounts and keep the terms of their grants."""

from aiocredits._commands import Transfer
from aiocredits._ledger.burn import pick
from aiocredits._ledger.draft import Draft
from aiocredits._ledger.grants import insert, terms_of_grant
from aiocredits._ledger.keys import receipt_of, terms_of
from aiocredits._ledger.landing import land
from aiocredits._model import Entry, Grant, Slice, total
from aiocredits._receipt import Receipt
from aiocredits.errors import InvalidInputError


def transfer(source: Draft, target: Draft, command: Transfer) -> Receipt:
    """Move credits of any scope, in burn order, in one step."""
    if source is target:
        raise InvalidInputError(
            f"account {source.account.user_id!r} cannot transfer to itself: name another one"
        )
    source.require_open()
    target.require_not_closed()
    grants = source.grants
    if target.at > source.at:  # what has ended where it would arrive stays where it is
        grants = {
            number: grant
            for number, grant in grants.items()
            if grant.expires_at is None or grant.expires_at > target.at
        }
    slices = pick(grants, command.amount_micros, None, order=command.burn_order, any_scope=True)
    if total(slices) < command.amount_micros:
        raise source.short(command.amount_micros, total(slices))
    for grant, micros in slices:
        source.adjust(grant, remaining=-micros)
    received = [_receive(target, source.grants[part.grant], part, command) for part in slices]
    sent = source.post(
        "transfer_out",
        command.amount_micros,
        available=-command.amount_micros,
        slices=slices,
        description=command.description,
        metadata=command.metadata,
        key=command.key,
        terms=terms_of(command),
        detail={"account": command.target, "received": _received(received)},
    )
    return receipt_of(sent)


def _received(entries: list[Entry]) -> dict[str, object]:
    """Return what the sender's entry says of the receiver's, whose own keys stay free.

    The key belongs to the sender's account, and so does all that its repetition answers.
    """
    last = entries[-1]
    return {
        "number": last.version,
        "at": last.at.isoformat(),
        "available": last.available_micros,
        "held": last.held_micros,
        "overdraft": last.overdraft_micros,
        "slices": [[entry.version, entry.amount_micros] for entry in entries],
    }


def _receive(draft: Draft, given: Grant, part: Slice, command: Transfer) -> Entry:
    grant = given._replace(
        account=command.target,
        number=draft.next_number,
        state="live",
        amount_micros=part.micros,
        remaining_micros=part.micros,
        held_micros=0,
        lapsed_micros=0,
        effective_at=min(given.effective_at, draft.at),
        description=command.description,
        metadata=command.metadata,
    )
    draft.require_room(part.micros)
    insert(draft, grant)
    landing = land(draft, part.micros)
    return draft.post(
        "transfer_in",
        part.micros,
        available=landing.available,
        overdraft=landing.overdraft,
        slices=(Slice(grant.number, part.micros),),
        subject=grant.number,
        description=command.description,
        metadata=command.metadata,
        detail={
            "account": command.account,
            "grant": terms_of_grant(grant),
            **landing.detail,
        },
    )
