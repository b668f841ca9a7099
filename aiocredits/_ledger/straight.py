"""The straight way: what `decide` says of most charges and holds, said in less time.

It is for accounts that are asked for nothing but that, where one live grant pays each time and
nothing else happens. Wherever there is more to it, a refusal above all, it has no opinion. So it
never says anything that `decide` would not: tests/ledger/test_straight.py holds it to that.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TypeAlias

from aiocredits._amounts import Micros
from aiocredits._commands import CaptureHold, Consume, PlaceHold, Single
from aiocredits._ledger.burn import pick
from aiocredits._ledger.carry import MAX_HOLDS
from aiocredits._ledger.changes import added_up
from aiocredits._ledger.holds import MAX_TIMEOUT, until
from aiocredits._ledger.keys import terms_of
from aiocredits._ledger.state import Changes
from aiocredits._model import NO_HOLDS, Account, Books, Entry, Grant, Hold, Slice, Usage, make
from aiocredits._receipt import Receipt

_NO_TIME = timedelta(0)

_Grants: TypeAlias = dict[int, Grant]
_Holds: TypeAlias = dict[int, Hold]
_Step: TypeAlias = tuple[Account, Receipt]
"""An account after a command, and its receipt."""


class Straight:
    """A batch, account by account, as far as it goes straight."""

    def __init__(self, at: datetime) -> None:
        self._at = at
        self._accounts: list[tuple[Account, Account]] = []
        self._grants: list[Grant] = []
        self._placed: list[Hold] = []
        self._ended: list[Hold] = []
        self._entries: list[Entry] = []
        self._usage: list[Usage] = []
        self.books: dict[str, Books] = {}
        """Of the accounts that went straight, as they are remembered."""

    def go(self, books: Books, commands: Sequence[Single]) -> Sequence[Receipt] | None:
        """Return what the commands do to remembered books of which nothing is due.

        None says nothing about them: they are for `decide`.
        """
        old, before, known, charges, timeout = books
        if old.status != "open" or old.at > self._at or not _are_different(commands):
            return None
        account, grants, holds = old, dict(before), dict(known)
        receipts: list[Receipt] = []
        for command in commands:
            step: _Step | None = None
            if type(command) is Consume:
                step = self._consume(account, grants, command)
            elif type(command) is PlaceHold:
                step = self._place(account, grants, holds, command)
            elif type(command) is CaptureHold and command.hold in known:
                step = self._capture(account, grants, holds, command)
            if step is None:
                self._take_back(commands[: len(receipts)])
                return None
            account, receipt = step
            receipts.append(receipt)
        self._accounts.append((old, account))
        self._grants += [grant for n, grant in grants.items() if grant is not before[n]]
        if len(commands) > 1:
            self._add_up(sum(type(command) is not PlaceHold for command in commands))
        self.books[old.name] = make(Books, (account, grants, holds or NO_HOLDS, charges, timeout))
        return receipts

    @property
    def changes(self) -> Changes:
        """What has to be saved."""
        return Changes(
            tuple(self._accounts),
            grants=tuple(self._grants),
            new_holds=tuple(self._placed),
            holds=tuple(self._ended),
            entries=tuple(self._entries),
            usage=tuple(self._usage),
        )

    def _add_up(self, charges: int) -> None:
        """Make the usage of the last charges, all of one account, as few rows as it is."""
        if charges > 1:
            self._usage[-charges:] = added_up(self._usage[-charges:])

    def _take_back(self, commands: Sequence[Single]) -> None:
        """Forget what the last account has left here, as it goes straight only in part."""
        for command in commands:
            self._entries.pop()
            if type(command) is PlaceHold:
                self._placed.pop()
                continue
            self._usage.pop()
            if type(command) is CaptureHold:
                self._ended.pop()

    # What is made here is written out flat, in the order of its fields: with helpers that fill in
    # and unpack, a hold took a quarter longer to decide.

    def _consume(self, account: Account, grants: _Grants, command: Consume) -> _Step | None:
        name, key, amount, description, service, actor, _, then, metadata, order = command
        slices = pick(grants, amount, service, order=order)
        if len(slices) != 1 or slices[0].micros != amount or then is not None:
            return None
        _, version, _, available, held, overdraft, limit, status, zone, due_at = account
        at, source = self._at, slices[0].grant
        grant = _moved(grants[source], -amount, 0)
        if zone != "UTC" or not _stays(grant, at):
            return None
        version += 1
        available -= amount
        grants[source] = grant
        self._usage.append(make(Usage, (name, at.date(), service, grant.unit_cost, amount)))
        self._entries.append(make(Entry, (
            name, version, "consume", at, amount, available, held, overdraft, slices, None, service,
            actor, description, metadata, key, terms_of(command), None,
        )))  # fmt: skip
        return make(Account, (
            name, version, at, available, held, overdraft, limit, status, zone, due_at,
        )), make(Receipt, (
            name, version, "consume", amount, version, at, available, held, overdraft, slices, key,
            0, 0, None, False, (),
        ))  # fmt: skip

    def _place(
        self, account: Account, grants: _Grants, holds: _Holds, command: PlaceHold
    ) -> _Step | None:
        name, key, amount, lasts, description, service, actor, _, metadata, order = command
        slices = pick(grants, amount, service, order=order)
        if len(slices) != 1 or slices[0].micros != amount or not _NO_TIME < lasts <= MAX_TIMEOUT:
            return None
        if len(holds) >= MAX_HOLDS:
            return None
        _, number, _, available, held, overdraft, limit, status, zone, due_at = account
        at = self._at
        number += 1
        available -= amount
        held += amount
        expires_at = at + lasts
        if due_at is None or expires_at < due_at:
            due_at = expires_at
        source = slices[0].grant
        grants[source] = _moved(grants[source], -amount, amount)
        holds[number] = hold = make(Hold, (
            name, number, "open", amount, 0, slices, at, expires_at, service, actor, description,
            metadata,
        ))  # fmt: skip
        self._placed.append(hold)
        self._entries.append(make(Entry, (
            name, number, "hold", at, amount, available, held, overdraft, slices, number, service,
            actor, description, metadata, key, terms_of(command), until(expires_at),
        )))  # fmt: skip
        return make(Account, (
            name, number, at, available, held, overdraft, limit, status, zone, due_at,
        )), make(Receipt, (
            name, number, "hold", amount, number, at, available, held, overdraft, slices, key, 0, 0,
            expires_at, False, (),
        ))  # fmt: skip

    def _capture(
        self, account: Account, grants: _Grants, holds: _Holds, command: CaptureHold
    ) -> _Step | None:
        name, key, number, asked, final, _, description, metadata, _ = command
        hold = holds.get(number)
        if hold is None or len(hold.slices) != 1 or account.time_zone != "UTC":
            return None
        _, version, _, available, held, overdraft, limit, status, zone, due_at = account
        at, slices, service = self._at, hold.slices, hold.service
        ((source, reserved),) = slices
        amount = reserved if asked is None else asked
        freed = reserved - amount
        grant = _moved(grants[source], freed, -reserved)
        if freed < 0 or (freed and not final) or not _stays(grant, at):
            return None
        version += 1
        available += freed
        held -= reserved
        detail = None
        if freed:
            slices, detail = (make(Slice, (source, amount)),), {"freed": [[source, freed]]}
        grants[source] = grant
        del holds[number]
        self._ended.append(hold.left_with((), "captured", amount))
        self._usage.append(make(Usage, (name, at.date(), service, grant.unit_cost, amount)))
        self._entries.append(make(Entry, (
            name, version, "capture", at, amount, available, held, overdraft, slices, number,
            service, hold.actor, description, metadata, key, terms_of(command), detail,
        )))  # fmt: skip
        return make(Account, (
            name, version, at, available, held, overdraft, limit, status, zone, due_at,
        )), make(Receipt, (
            name, version, "capture", amount, version, at, available, held, overdraft, slices, key,
            0, 0, None, False, (),
        ))  # fmt: skip


def _are_different(commands: Sequence[Single]) -> bool:
    """Tell whether no command is there twice, by its key."""
    return len(commands) == 1 or len({command.key for command in commands}) == len(commands)


def _moved(grant: Grant, free: Micros, held: Micros) -> Grant:
    remaining, reserved = grant[4:6]
    return make(Grant, (*grant[:4], remaining + free, reserved + held, *grant[6:]))


def _stays(grant: Grant, at: datetime) -> bool:
    """Tell whether the grant is live and stays so: it has not ended, and something is left."""
    left = grant.remaining_micros or grant.held_micros
    expires_at = grant.expires_at
    return bool(left) and grant.state == "live" and (expires_at is None or expires_at > at)
