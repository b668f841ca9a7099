"""The one function that decides: state and commands in, outcomes and changes out."""

from collections.abc import Mapping, Sequence
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
from aiocredits._ledger.state import Decision, KeyOf, State, UsageDelta, changes_between
from aiocredits._ledger.transfers import transfer
from aiocredits._model import EPOCH, Account, Books, Entry, Receipt
from aiocredits.errors import CreditError


def decide(state: State, commands: Sequence[Command], at: datetime) -> Decision:
    """Apply the commands in order, each to the books as those before it have left them.

    A refused command leaves no trace. Nothing is read or written but the arguments.
    """
    book = _Book(state)
    outcomes = tuple([book.answer(command, at) for command in commands])
    changes = changes_between(book.before, book.books, book.touched, book.entries, book.usage)
    return Decision(outcomes, changes, book.books)


class _Book:
    """The books while a batch is decided: what accepted commands have filed so far."""

    def __init__(self, state: State) -> None:
        self.before: dict[str, Books] = dict(state.books)
        self.books: dict[str, Books] = dict(state.books)
        self.keys: dict[KeyOf, Entry] = dict(state.keys)
        self.touched: dict[str, None] = {}
        self.entries: list[Entry] = []
        self.usage: list[UsageDelta] = []

    def answer(self, command: Command, at: datetime) -> Outcome:
        desk = _Desk(self.books, self.keys, at)
        try:
            receipt = desk.run_all(command) if isinstance(command, Linked) else desk.run(command)
        except CreditError as error:
            # The traceback would keep the whole batch alive for as long as somebody has the error.
            return Refused(error.with_traceback(None))
        for draft in desk.drafts.values():
            self._file(draft)
        return Accepted(receipt)

    def _due_at(self, name: str) -> datetime | None:
        books = self.books.get(name)
        return books.account.due_at if books else None

    def _file(self, draft: Draft) -> None:
        name = draft.account.name
        # Nothing happened; but what is due next may have been counted anew, and is worth keeping.
        if not draft.entries and draft.due_at == self._due_at(name):
            return
        if name not in self.before:
            self.before[name] = Books(Account(name))
        self.books[name] = draft.books()
        self.touched[name] = None
        self.entries += draft.entries
        self.usage += draft.usage
        for entry in draft.entries:
            if entry.key is not None:
                self.keys[name, entry.key] = entry


class _Desk:
    """One command, or one group, at work: drafts that are filed together or dropped together."""

    __slots__ = ("at", "books", "drafts", "keys")

    def __init__(
        self, books: Mapping[str, Books], keys: Mapping[KeyOf, Entry], at: datetime
    ) -> None:
        self.books = books
        self.keys = keys
        self.at = at
        self.drafts: dict[str, Draft] = {}

    def run_all(self, group: Linked) -> Receipt:
        receipts = tuple(self.run(command) for command in group.commands)
        return Receipt("", 0, "group", 0, 0, EPOCH, 0, 0, 0, linked=receipts)

    def run(self, command: Single) -> Receipt:  # noqa: C901 - one arm a verb
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
            draft = Draft(self.books.get(account) or Books(Account(account)), self.at)
            settle(draft)
            self.drafts[account] = draft
        return draft

    def _recall(self, draft: Draft, number: int) -> None:
        """Make a charge known that a command of the same batch made: no storage has it yet."""
        if number in draft.charges:
            return
        for entry in (*draft.entries, *self.keys.values()):
            if (entry.account, entry.version) == (draft.account.name, number):
                if entry.kind in {"consume", "capture"}:
                    draft.put_charge(charge_of(entry))
                return

    def _written_with(self, account: str, key: str) -> Entry | None:
        if account in self.drafts:  # a member of this group may have written with it
            for entry in self.drafts[account].entries:
                if entry.key == key:
                    return entry
        return self.keys.get((account, key))
