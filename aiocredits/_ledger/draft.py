"""The draft of one account's books while one command is worked on.

Verbs check first and then write into the draft. Whoever refuses raises, the draft is dropped, and
nothing has happened: no verb has to clean up.
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import NoReturn, TypeAlias
from zoneinfo import ZoneInfo

from aiocredits._amounts import MAX_MICROS, Micros, plain, to_credits
from aiocredits._model import (
    NO_METADATA,
    Account,
    Books,
    Charge,
    Detail,
    Entry,
    EntryKind,
    Grant,
    GrantState,
    Hold,
    Slices,
    Terms,
    Usage,
    make,
)
from aiocredits._names import make_id, split_account
from aiocredits.errors import (
    AccountClosedError,
    AccountFrozenError,
    InsufficientCreditsError,
    InvalidAmountError,
    NotFoundError,
)
from aiocredits.types import Metadata

# What a grant is once nothing of it is left to spend, and nothing held.
_ENDED: dict[GrantState, GrantState] = {
    "live": "spent",
    "expiring": "expired",
    "revoking": "revoked",
}


_Mark: TypeAlias = tuple[
    Account,
    datetime | None,
    Mapping[int, Grant],
    Mapping[int, Hold],
    Mapping[int, Charge],
    int,
    int,
]


class Draft:
    """One account's books, open for writing while a batch is decided.

    `begin` marks where `rollback` goes back to; in between nothing that was marked is changed.
    """

    __slots__ = (
        "_mark",
        "_own_charges",
        "_own_grants",
        "_own_holds",
        "account",
        "at",
        "before",
        "charges",
        "due_at",
        "entries",
        "grants",
        "holds",
        "usage",
    )

    def __init__(self, books: Books, at: datetime) -> None:
        self.before = books
        self.account: Account = books.account
        self.grants: Mapping[int, Grant] = books.grants
        self.holds: Mapping[int, Hold] = books.holds
        self.charges: Mapping[int, Charge] = books.charges
        self.at = max(at, self.account.at)
        self.due_at = self.account.due_at
        self.entries: list[Entry] = []
        self.usage: list[Usage] = []
        # None for the books before: most drafts have one command.
        self._mark: _Mark | None = None
        # Copied when they are first written to: most commands touch one grant, and nothing else.
        self._own_grants: dict[int, Grant] | None = None
        self._own_holds: dict[int, Hold] | None = None
        self._own_charges: dict[int, Charge] | None = None

    def begin(self) -> None:
        """Mark the draft as it is."""
        self._mark = (
            self.account,
            self.due_at,
            self.grants,
            self.holds,
            self.charges,
            len(self.entries),
            len(self.usage),
        )
        self._own_grants = self._own_holds = self._own_charges = None

    def rollback(self) -> None:
        """Be again as `begin` has marked it."""
        mark = self._mark or _mark_of(self.before)
        self.account, self.due_at, self.grants, self.holds, self.charges, old, counted = mark
        del self.entries[old:]
        del self.usage[counted:]
        self.begin()

    def books(self) -> Books:
        """Return the books as the draft has them."""
        timeout = self.before.next_timeout
        return make(Books, (self.account, self.grants, self.holds, self.charges, timeout))

    @property
    def next_number(self) -> int:
        """The number that the next entry will have, and what it brings into being."""
        return self.account.version + 1

    # Writing

    def post(  # one parameter for each column
        self,
        kind: EntryKind,
        amount: Micros,
        *,
        available: Micros = 0,
        held: Micros = 0,
        overdraft: Micros = 0,
        slices: Slices = (),
        subject: int | None = None,
        service: str | None = None,
        actor: str | None = None,
        description: str = "",
        metadata: Metadata = NO_METADATA,
        key: str | None = None,
        terms: Terms | None = None,
        detail: Detail | None = None,
        at: datetime | None = None,
    ) -> Entry:
        """Write an entry that moves the balances by `available`, `held` and `overdraft`."""
        name, version, then, free, reserved, owed, limit, status, zone, _ = self.account
        # A grant may arrive from an account whose clock is behind, and end in the past of this.
        at = self.at if at is None else max(at, then)
        version += 1
        available += free
        held += reserved
        overdraft += owed
        if available > MAX_MICROS or held > MAX_MICROS:
            raise self._too_many(amount)
        self.account = make(
            Account,
            (name, version, at, available, held, overdraft, limit, status, zone, self.due_at),
        )
        entry = make(
            Entry,
            (
                name,
                version,
                kind,
                at,
                amount,
                available,
                held,
                overdraft,
                slices,
                subject,
                service,
                actor,
                description,
                metadata,
                key,
                terms,
                detail,
            ),
        )
        self.entries.append(entry)
        return entry

    def adjust(
        self, number: int, *, remaining: Micros = 0, held: Micros = 0, lapsed: Micros = 0
    ) -> None:
        """Move what is left of a grant, and end or revive it by what that leaves."""
        account, _, state, amount, free, reserved, gone, *terms = self.grants[number]
        remaining += free
        held += reserved
        lapsed += gone
        if not remaining and not held:
            state = _ENDED.get(state, state)
        elif state == "spent":
            state = "live"
        self.put_grant(
            make(Grant, (account, number, state, amount, remaining, held, lapsed, *terms))
        )

    def put_grant(self, grant: Grant) -> None:
        """Write a grant that is there already, and stays where it is in the burn order."""
        if self._own_grants is None:
            self.grants = self._own_grants = dict(self.grants)
        self._own_grants[grant.number] = grant

    def put_grants(self, ordered: dict[int, Grant]) -> None:
        """Write all grants anew, in burn order."""
        self.grants = self._own_grants = ordered

    def put_hold(self, hold: Hold) -> None:
        """Write a hold, new or changed."""
        if self._own_holds is None:
            self.holds = self._own_holds = dict(self.holds)
        self._own_holds[hold.number] = hold

    def put_charge(self, charge: Charge) -> None:
        """Write a charge, new or changed."""
        if self._own_charges is None:
            self.charges = self._own_charges = dict(self.charges)
        self._own_charges[charge.number] = charge

    def due_by(self, instant: datetime | None) -> None:
        """Note that something will happen at `instant`."""
        if instant is not None and (self.due_at is None or instant < self.due_at):
            self.due_at = instant

    def spend(
        self, service: str | None, slices: Slices, owed: Micros, *, at: datetime, sign: int = 1
    ) -> None:
        """Add a charge to the usage of the day of `at`; a `sign` of -1 takes it back."""
        name, day = self.account.name, self.local_day(at)
        for number, micros in slices:
            unit_cost = self.grants[number].unit_cost
            self.usage.append(make(Usage, (name, day, service, unit_cost, sign * micros)))
        if owed:
            self.usage.append(Usage(name, day, service, None, sign * owed))

    # Reading

    def local_day(self, at: datetime) -> date:
        """Return the calendar day of `at` where the account is."""
        zone = self.account.time_zone
        if zone == "UTC":
            return at.date()
        try:
            return at.astimezone(ZoneInfo(zone)).date()
        except OverflowError:  # the day before the calendar begins, or after it ends
            return at.date()

    def grant(self, number: int) -> Grant:
        """Return a grant, or refuse."""
        return self.grants.get(number) or self._missing("grant", number)

    def hold(self, number: int) -> Hold:
        """Return a hold, or refuse."""
        return self.holds.get(number) or self._missing("hold", number)

    def charge(self, number: int) -> Charge:
        """Return a charge, or refuse."""
        return self.charges.get(number) or self._missing("charge", number)

    def require_room(self, arriving: Micros) -> None:
        """Refuse credits that the account could not count, now or once all of them have begun.

        Whatever time does to an account can then be written down: nothing that begins or times out
        adds to the sum.
        """
        account = self.account
        waiting = sum(
            grant.remaining_micros
            for grant in self.grants.values()
            if grant.state in {"pending", "scheduled"}
        )
        if account.available_micros + account.held_micros + waiting + arriving > MAX_MICROS:
            raise self._too_many(arriving)

    def require_not_closed(self) -> None:
        """Refuse if the account is closed."""
        if self.account.status == "closed":
            user_id, unit = self.owner
            raise AccountClosedError(user_id=user_id, unit=unit)

    def require_open(self) -> None:
        """Refuse if the account is closed or frozen."""
        if self.account.status != "open":
            self.require_not_closed()
            user_id, unit = self.owner
            raise AccountFrozenError(user_id=user_id, unit=unit)

    def short(self, required: Micros, available: Micros, service: str | None = None) -> Exception:
        """Return the refusal of a charge that there is too little for."""
        user_id, unit = self.owner
        return InsufficientCreditsError(
            user_id=user_id,
            unit=unit,
            required=to_credits(required),
            available=to_credits(available),
            service=service,
        )

    @property
    def owner(self) -> tuple[str, str]:
        """The user and the unit, as errors name them."""
        return split_account(self.account.name)

    def id(self, number: int) -> str:
        """Return the public id of something in this account."""
        return make_id(self.account.name, number)

    def _too_many(self, arriving: Micros) -> InvalidAmountError:
        user_id, unit = self.owner
        return InvalidAmountError(
            f"account {user_id!r} would have more than {plain(MAX_MICROS)} {unit}, all that "
            "an account can count; spend some first",
            to_credits(arriving),
        )

    def _missing(self, noun: str, number: int) -> NoReturn:
        user_id, unit = self.owner
        raise NotFoundError(user_id=user_id, unit=unit, noun=noun, id=self.id(number))


def _mark_of(books: Books) -> _Mark:
    account, grants, holds, charges, _ = books
    return account, account.due_at, grants, holds, charges, 0, 0
