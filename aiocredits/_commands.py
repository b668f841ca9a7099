"""What can be asked of the books, and what they answer.

A command names its account first and carries a key; applying the same command again answers what
it answered before. `Linked` makes one command of several, all or nothing.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal, NamedTuple, TypeAlias

from aiocredits._amounts import Micros
from aiocredits._model import DEFAULT_PRIORITY, NO_METADATA, AccountStatus
from aiocredits._receipt import Receipt
from aiocredits.errors import CreditError
from aiocredits.types import Category, IfOver, IfShort, Metadata

BurnKey: TypeAlias = Literal[
    "rolled_over",
    "priority",
    "expires_at",
    "category",
    "unit_cost",
    "scope",
    "effective_at",
    "number",
]
BurnOrder: TypeAlias = tuple[BurnKey, ...]


class AddGrant(NamedTuple):
    """Add credits; `pending` ones wait for `ActivateGrant`."""

    account: str
    key: str
    amount_micros: Micros
    description: str = ""
    priority: int = DEFAULT_PRIORITY
    category: Category = "paid"
    unit_cost: Decimal | None = None
    scope: frozenset[str] | None = None
    effective_at: datetime | None = None
    expires_at: datetime | None = None
    pending: bool = False
    metadata: Metadata = NO_METADATA


class ActivateGrant(NamedTuple):
    """Make a pending grant spendable."""

    account: str
    key: str
    grant: int


class FailGrant(NamedTuple):
    """End a pending grant whose payment failed."""

    account: str
    key: str
    grant: int


class RevokeGrant(NamedTuple):
    """Forfeit what is unspent of a grant: all of it where `amount_micros` is None."""

    account: str
    key: str
    grant: int
    amount_micros: Micros | None = None
    description: str = ""
    metadata: Metadata = NO_METADATA


class SetExpiry(NamedTuple):
    """Move the end of a grant that is alive; None means never."""

    account: str
    key: str
    grant: int
    expires_at: datetime | None


class Consume(NamedTuple):
    """Charge an account."""

    account: str
    key: str
    amount_micros: Micros
    description: str = ""
    service: str | None = None
    actor: str | None = None
    if_short: IfShort = "reject"
    occurred_at: datetime | None = None
    metadata: Metadata = NO_METADATA
    burn_order: BurnOrder | None = None


class PlaceHold(NamedTuple):
    """Reserve credits until `timeout` has passed."""

    account: str
    key: str
    amount_micros: Micros
    timeout: timedelta
    description: str = ""
    service: str | None = None
    actor: str | None = None
    if_short: IfShort = "reject"
    metadata: Metadata = NO_METADATA
    burn_order: BurnOrder | None = None


class CaptureHold(NamedTuple):
    """Charge what a hold reserves, all of it where `amount_micros` is None."""

    account: str
    key: str
    hold: int
    amount_micros: Micros | None = None
    final: bool = True
    if_over: IfOver = "reject"
    description: str = ""
    metadata: Metadata = NO_METADATA
    burn_order: BurnOrder | None = None


class ReleaseHold(NamedTuple):
    """Free what a hold reserves."""

    account: str
    key: str
    hold: int


class ExtendHold(NamedTuple):
    """Give a hold another timeout, from now, or more credits, or both."""

    account: str
    key: str
    hold: int
    timeout: timedelta | None = None
    amount_micros: Micros = 0
    burn_order: BurnOrder | None = None


class Refund(NamedTuple):
    """Give back a charge, all that is left of it where `amount_micros` is None."""

    account: str
    key: str
    charge: int
    amount_micros: Micros | None = None
    description: str = ""
    metadata: Metadata = NO_METADATA


class Transfer(NamedTuple):
    """Move credits to the account `target`, with the terms of their grants."""

    account: str
    key: str
    target: str
    amount_micros: Micros
    description: str = ""
    metadata: Metadata = NO_METADATA
    burn_order: BurnOrder | None = None


class Configure(NamedTuple):
    """Change what an account is allowed; None leaves a setting as it is."""

    account: str
    key: str
    status: AccountStatus | None = None
    only_from: AccountStatus | None = None
    """Change the status only where it is this one, so that thawing does not reopen."""
    overdraft_limit_micros: Micros | None = None
    time_zone: str | None = None


class Settle(NamedTuple):
    """Write down what has become true by the passing of time."""

    account: str
    key: str


class Linked(NamedTuple):
    """Commands that happen together or not at all; each sees the effects of those before it."""

    commands: "tuple[Single, ...]"


Single: TypeAlias = (
    AddGrant
    | ActivateGrant
    | FailGrant
    | RevokeGrant
    | SetExpiry
    | Consume
    | PlaceHold
    | CaptureHold
    | ReleaseHold
    | ExtendHold
    | Refund
    | Transfer
    | Configure
    | Settle
)
Command: TypeAlias = Single | Linked


class Accepted(NamedTuple):
    """The command happened."""

    receipt: Receipt


class Refused(NamedTuple):
    """The command changed nothing; `error` says why."""

    error: CreditError


Outcome: TypeAlias = Accepted | Refused


def singles(commands: Sequence[Command]) -> Iterator[Single]:
    """Yield the commands one by one, the members of groups in their place."""
    for command in commands:
        if isinstance(command, Linked):
            yield from command.commands
        else:
            yield command


def accounts_of(command: Command) -> tuple[str, ...]:
    """Return the accounts that a command may change, one of them maybe twice."""
    if isinstance(command, Linked):
        return tuple(name for single in command.commands for name in accounts_of(single))
    if isinstance(command, Transfer):
        return command.account, command.target
    return (command.account,)
