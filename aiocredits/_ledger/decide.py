"""The one function that decides: state and commands in, outcomes and changes out."""

from collections.abc import Sequence
from datetime import datetime
from typing import assert_never

from aiocredits._commands import (
    Accepted,
    ActivateGrant,
    AddGrant,
    CaptureHold,
    Command,
    Configure,
    Consume,
    ExtendHold,
    FailGrant,
    Linked,
    Outcome,
    PlaceHold,
    Refund,
    Refused,
    ReleaseHold,
    RevokeGrant,
    SetExpiry,
    Settle,
    Single,
    Transfer,
)
from aiocredits._ledger.changes import changes_of
from aiocredits._ledger.charges import charge_of, consume, refund
from aiocredits._ledger.draft import Draft
from aiocredits._ledger.due import settle
from aiocredits._ledger.grants import (
    activate_grant,
    add_grant,
    fail_grant,
    revoke_grant,
    set_expiry,
)
from aiocredits._ledger.holds import capture_hold, extend_hold, place_hold, release_hold
from aiocredits._ledger.keys import nothing_to_do, receipt_of, require_same
from aiocredits._ledger.settings import configure
from aiocredits._ledger.state import Decision, State
from aiocredits._ledger.transfers import transfer
from aiocredits._model import EPOCH, Account, Books, Entry, make
from aiocredits._receipt import Receipt
from aiocredits.errors import CreditError


def decide(state: State, commands: Sequence[Command], at: datetime) -> Decision:
    """Apply the commands in order, each to the books as those before it have left them.

    A refused command leaves no trace. Nothing is read or written but the arguments.
    """
    desk = _Desk(state, at)
    outcomes = tuple([desk.answer(command) for command in commands])
    # Nothing may have happened; or what is due next was counted anew, which is worth keeping.
    changed = [draft for draft in desk.drafts.values() if draft.account != draft.before.account]
    books = dict(state.books)
    for draft in changed:
        books[draft.account.name] = draft.books()
    return Decision(outcomes, changes_of(changed), books)


class _Desk:
    """A batch at work: one draft for each account that its commands have reached so far."""

    def __init__(self, state: State, at: datetime) -> None:
        self._state = state
        self._at = at
        self.drafts: dict[str, Draft] = {}
        # Those of the command at hand, to be rolled back together if it is refused.
        self._begun: dict[str, Draft] = {}
        self._keys = {key for _, key in state.keys}

    def answer(self, command: Command) -> Outcome:
        self._begun.clear()
        try:
            if isinstance(command, Linked):
                return make(Accepted, (self._run_all(command),))
            return make(Accepted, (self._run(command),))
        except CreditError as error:
            for draft in self._begun.values():
                draft.rollback()
            # The traceback would keep the whole batch alive for as long as somebody has the error.
            return Refused(error.with_traceback(None))

    def _run_all(self, group: Linked) -> Receipt:
        receipts = tuple([self._run(command) for command in group.commands])
        return Receipt("", 0, "group", 0, 0, EPOCH, 0, 0, 0, linked=receipts)

    def _run(self, command: Single) -> Receipt:  # noqa: C901 - one arm a verb
        known = self._written_with(command.account, command.key)
        if known is not None:
            require_same(known, command)
            return receipt_of(known, replayed=True)
        draft = self._draft(command.account)
        match command:
            case Consume():
                return consume(draft, command)
            case PlaceHold():
                return place_hold(draft, command)
            case CaptureHold():
                return capture_hold(draft, command)
            case ReleaseHold():
                return release_hold(draft, command)
            case ExtendHold():
                return extend_hold(draft, command)
            case AddGrant():
                return add_grant(draft, command)
            case Refund():
                self._recall(draft, command.charge)
                return refund(draft, command)
            case Transfer():
                return transfer(draft, self._draft(command.target), command)
            case ActivateGrant():
                return activate_grant(draft, command)
            case FailGrant():
                return fail_grant(draft, command)
            case RevokeGrant():
                return revoke_grant(draft, command)
            case SetExpiry():
                return set_expiry(draft, command)
            case Configure():
                return configure(draft, command)
            case Settle():
                return nothing_to_do(draft, command.key)
            case _:
                assert_never(command)

    def _draft(self, account: str) -> Draft:
        draft = self.drafts.get(account)
        if draft is None:
            books = self._state.books.get(account) or Books(Account(account))
            self.drafts[account] = draft = Draft(books, self._at)
        elif account not in self._begun:
            draft.begin()
        self._begun[account] = draft
        settle(draft)
        return draft

    def _recall(self, draft: Draft, number: int) -> None:
        """Make a charge known that a command of the same batch made: no storage has it yet."""
        if number in draft.charges:
            return
        for entry in draft.entries:
            if entry.version == number and entry.kind in {"consume", "capture"}:
                draft.put_charge(charge_of(entry))

    def _written_with(self, account: str, key: str) -> Entry | None:
        """Return the entry that a key has written in an account, before this batch or in it."""
        if key not in self._keys:
            self._keys.add(key)
            return None
        draft = self.drafts.get(account)
        for entry in draft.entries if draft else ():
            if entry.key == key:
                return entry
        return self._state.keys.get((account, key))
