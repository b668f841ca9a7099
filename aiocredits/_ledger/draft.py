"""The draft of one account's books while one command is worked on.

Verbs check first and then write into the draft. Whoever refuses raises, the draft is dropped, and
nothing has happened: no verb has to clean up.
"""

from datetime import date, datetime
from typing import NoReturn
from zoneinfo import ZoneInfo

from aiocredits._amounts import MAX_MICROS, Micros, plain, to_credits
from aiocredits._ledger.state import UsageDelta
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


class Draft:
    """One account's books, open for writing."""

    __slots__ = (
        "_own_charges",
        "_own_holds",
        "account",
        "at",
        "charges",
        "due_at",
        "entries",
        "grants",
        "holds",
        "next_timeout",
        "usage",
    )

    def __init__(self, books: Books, at: datetime) -> None:
        account = books.account
        self.account = account
        self.at = max(at, account.at)
        self.due_at = account.due_at
        self.next_timeout = books.next_timeout
        self.grants = dict(books.grants)
        # Most commands touch neither, so these are copied when they are first written to.
        self.holds = books.holds
        self.charges = books.charges
        self._own_holds: dict[int, Hold] | None = None
        self._own_charges: dict[int, Charge] | None = None
        self.entries: list[Entry] = []
        self.usage: list[UsageDelta] = []

    def books(self) -> Books:
        """Return the books as the draft has them."""
        return Books(self.account, self.grants, self.holds, self.charges, self.next_timeout)

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
        old = self.account
        new = Account(
            old.name,
            old.version + 1,
            # A grant may arrive from an account whose clock is behind, and end in the past of this.
            self.at if at is None else max(at, old.at),
            old.available_micros + available,
            old.held_micros + held,
            old.overdraft_micros + overdraft,
            *old[6:9],
            self.due_at,
        )
        if new.available_micros > MAX_MICROS or new.held_micros > MAX_MICROS:
            raise self._too_many(amount)
        entry = Entry(
            new.name,
            new.version,
            kind,
            new.at,
            amount,
            new.available_micros,
            new.held_micros,
            new.overdraft_micros,
            slices,
            subject,
            service,
            actor,
            description,
            metadata,
            key,
            terms,
            detail,
        )
        self.account = new
        self.entries.append(entry)
        return entry

    def adjust(
        self, number: int, *, remaining: Micros = 0, held: Micros = 0, lapsed: Micros = 0
    ) -> None:
        """Move what is left of a grant, and end or revive it by what that leaves."""
        grant = self.grants[number]
        remaining += grant.remaining_micros
        held += grant.held_micros
        state = grant.state
        if not remaining and not held:
            state = _ENDED.get(state, state)
        elif state == "spent":
            state = "live"
        lapsed += grant.lapsed_micros
        # _make is a third of _replace's time, and every charge adjusts a grant.
        self.grants[number] = Grant._make(
            (*grant[:2], state, grant[3], remaining, held, lapsed, *grant[7:])
        )

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
            self.usage.append(UsageDelta(name, day, service, unit_cost, sign * micros))
        if owed:
            self.usage.append(UsageDelta(name, day, service, None, sign * owed))

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
