"""What a user sees of an account: balances, and the status that a dashboard shows."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_FLOOR, Decimal
from typing import Literal, Self, overload

from aiocredits._amounts import Micros, to_credits
from aiocredits._ledger import spendable
from aiocredits._model import OPEN_GRANT_STATES, Books, Grant, Usage

FORECAST_DAYS = 30
EXPIRING_WITHIN = timedelta(days=7)


class Fields:
    """Lets ``status["balance"]`` say what ``status.balance`` says."""

    __slots__ = ()

    def __getitem__(self, name: str) -> object:
        if name not in getattr(self, "__dataclass_fields__", ()):
            raise KeyError(name)
        return getattr(self, name)


@dataclass(frozen=True, slots=True)
class Balance(Fields):
    """What an account has at one instant, in credits."""

    available: Decimal
    """What can be spent now; never negative."""
    held: Decimal
    """What is reserved by holds."""
    overdraft: Decimal
    """What is owed."""
    version: int
    """The number of the entry that it is the balance after."""

    @classmethod
    def of(cls, books: Books, service: str | None) -> Self:
        """Return the balance of an account, or what of it can pay for `service`."""
        account = books.account
        if service is None:
            return cls(account.available, account.held, account.overdraft, account.version)
        held = sum(
            grant.held_micros
            for grant in books.grants.values()
            if grant.scope is None or service in grant.scope
        )
        available = spendable(books.grants, service)
        return cls(to_credits(available), to_credits(held), account.overdraft, account.version)


@dataclass(frozen=True, slots=True)
class Summary(Fields):
    """The current calendar month, in the account's time zone."""

    monthly_spent: Decimal
    """Credits charged, less what was refunded of these charges."""
    monthly_cost: Decimal
    """What they cost in money: each slice at its grant's unit cost, else at `credit_price`."""
    month: str
    """Which month, as in ``"2026-11"``."""

    @overload
    def __getitem__(self, name: Literal["monthly_spent", "monthly_cost"]) -> Decimal: ...
    @overload
    def __getitem__(self, name: str) -> object: ...
    def __getitem__(self, name: str) -> object:
        return Fields.__getitem__(self, name)


@dataclass(frozen=True, slots=True)
class Forecast(Fields):
    """How long the balance lasts at the pace of the last 30 days."""

    daily_spent: Decimal
    days_left: int | None
    """Whole days; None if nothing was spent."""
    runs_out_at: datetime | None


@dataclass(frozen=True, slots=True)
class CreditStatus(Fields):
    """All that one page about an account shows."""

    user_id: str
    unit: str
    balance: Decimal
    """What can be spent now."""
    held: Decimal
    overdraft: Decimal
    overdraft_limit: Decimal
    state: str
    """``"open"``, ``"frozen"`` or ``"closed"``."""
    version: int
    summary: Summary
    grants: Sequence[Grant]
    """Every grant that has not ended, in burn order."""
    by_service: Mapping[str | None, Decimal]
    """Credits spent this month by service; None is what named no service."""
    expiring: Sequence[Grant]
    """Grants with something left that ends within a week, soonest first."""
    forecast: Forecast
    at: datetime

    @overload
    def __getitem__(self, name: Literal["summary"]) -> Summary: ...
    @overload
    def __getitem__(self, name: Literal["forecast"]) -> Forecast: ...
    @overload
    def __getitem__(
        self, name: Literal["balance", "held", "overdraft", "overdraft_limit"]
    ) -> Decimal: ...
    @overload
    def __getitem__(self, name: str) -> object: ...
    def __getitem__(self, name: str) -> object:
        return Fields.__getitem__(self, name)


def status_of(
    books: Books,
    month: Sequence[Usage],
    recent: Sequence[Usage],
    *,
    credit_price: Decimal,
    at: datetime,
    month_name: str,
) -> CreditStatus:
    """Put a status together from an account's books and its usage."""
    account = books.account
    recent_micros = sum(row.spent_micros for row in recent)
    expiring = [
        grant
        for grant in books.grants.values()
        if grant.remaining_micros and grant.expires_at and grant.expires_at <= at + EXPIRING_WITHIN
    ]
    return CreditStatus(
        user_id=account.user_id,
        unit=account.unit,
        balance=account.available,
        held=account.held,
        overdraft=account.overdraft,
        overdraft_limit=account.overdraft_limit,
        state=account.status,
        version=account.version,
        summary=Summary(
            monthly_spent=to_credits(sum(row.spent_micros for row in month)),
            monthly_cost=_cost(month, credit_price),
            month=month_name,
        ),
        # What has ended stays in the books until somebody writes that down.
        grants=tuple(g for g in books.grants.values() if g.state in OPEN_GRANT_STATES),
        by_service=_by_service(month),
        expiring=sorted(expiring, key=lambda grant: (grant.expires_at or at, grant.number)),
        forecast=_forecast(account.available_micros, recent_micros, at),
        at=at,
    )


def _cost(month: Iterable[Usage], credit_price: Decimal) -> Decimal:
    cost = sum(
        (row.spent * (credit_price if row.unit_cost is None else row.unit_cost) for row in month),
        Decimal(0),
    )
    return Decimal(f"{cost.normalize():f}")


def _by_service(month: Iterable[Usage]) -> Mapping[str | None, Decimal]:
    spent: dict[str | None, Micros] = {}
    for row in month:
        spent[row.service] = spent.get(row.service, 0) + row.spent_micros
    return {service: to_credits(micros) for service, micros in spent.items() if micros}


def _forecast(available: Micros, recent: Micros, at: datetime) -> Forecast:
    if recent <= 0:
        return Forecast(Decimal(0), None, None)
    days = Decimal(available * FORECAST_DAYS) / recent
    whole = int(days.to_integral_value(ROUND_FLOOR))
    try:
        runs_out_at = at + timedelta(seconds=float(days) * 86400)
    except OverflowError:  # beyond the year 9999
        runs_out_at = None
    return Forecast(to_credits(recent // FORECAST_DAYS), whole, runs_out_at)
