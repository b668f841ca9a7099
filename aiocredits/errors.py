"""What can go wrong, as a tree.

    CreditError
    ├── InvalidInputError (ValueError)      refused before the books were asked
    │   ├── InvalidAmountError
    │   ├── InvalidExpiryError
    │   └── InvalidNameError
    ├── RefusalError                        the books said no, and nothing changed
    │   ├── InsufficientCreditsError
    │   ├── OverdraftLimitError
    │   ├── LimitExceededError
    │   ├── IdempotencyConflictError
    │   ├── AccountFrozenError
    │   ├── AccountClosedError
    │   ├── NotFoundError (LookupError)
    │   ├── GrantClosedError
    │   ├── HoldExpiredError
    │   ├── HoldClosedError
    │   ├── CaptureExceedsHoldError
    │   └── RefundExceedsChargeError
    ├── StorageError                        the database, never the credits
    │   ├── StorageUnavailableError
    │   ├── ContentionError
    │   ├── SchemaOutdatedError
    │   └── OutcomeUnknownError
    ├── EntriesDetachedError (LookupError)  the past was put away
    ├── EntriesDifferError                  books that do not add up are not put away
    ├── ConfigurationError                  a setting that cannot work
    └── UsageError                          a call that cannot work

Every message names the account, the numbers and the next step; every class has a stable `code`;
every instance pickles.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar


def _restore(
    cls: "type[CreditError]", args: tuple[object, ...], fields: dict[str, object]
) -> "CreditError":
    error = cls.__new__(cls)
    error.args = args
    error.__dict__.update(fields)
    return error


def _plain(difference: Decimal) -> Decimal:
    """Return what prints as ``1``, not ``1.0``: subtracting keeps the decimals of both."""
    return Decimal(f"{difference.normalize():f}")


class CreditError(Exception):
    """The base of all that this library raises."""

    code: ClassVar[str] = "credit_error"
    """A stable name for programs to branch on."""

    def __reduce__(self) -> tuple[Any, ...]:
        # The default would call __init__ with the message alone and lose the numbers.
        return _restore, (type(self), self.args, self.__dict__.copy())


# Input that no books would take


class InvalidInputError(CreditError, ValueError):
    """A value was refused before anything was asked of the books."""

    code = "invalid_input"


class InvalidAmountError(InvalidInputError):
    """Not a positive number of credits with at most six decimals, or out of the 64-bit range."""

    code = "invalid_amount"

    def __init__(self, message: str, amount: object) -> None:
        super().__init__(message)
        self.amount = amount


class InvalidExpiryError(InvalidInputError):
    """An instant or a duration that cannot be an end: past, naive, or too far away."""

    code = "invalid_expiry"


class InvalidNameError(InvalidInputError):
    """A user, unit, service, key or id that cannot be a name."""

    code = "invalid_name"


# Refusals by the books


class RefusalError(CreditError):
    """The books refused: nothing was written, and the key of the call is still free."""

    code = "refused"

    def __init__(self, message: str, *, user_id: str, unit: str) -> None:
        super().__init__(message)
        self.user_id = user_id
        self.unit = unit


class InsufficientCreditsError(RefusalError):
    """Fewer credits can be spent than the call needs."""

    code = "insufficient_credits"

    def __init__(
        self,
        *,
        user_id: str,
        unit: str,
        required: Decimal,
        available: Decimal,
        service: str | None = None,
    ) -> None:
        purpose = f" for {service!r}" if service else ""
        self.required = required
        self.available = available
        self.shortfall = _plain(required - available)
        self.service = service
        super().__init__(
            f"account {user_id!r} needs {required:f} {unit}{purpose} and has {available:f}: "
            f"{self.shortfall:f} {unit} are missing; add credits and try again",
            user_id=user_id,
            unit=unit,
        )


class OverdraftLimitError(RefusalError):
    """A charge would take the debt of the account past its overdraft limit."""

    code = "overdraft_limit"

    def __init__(
        self,
        *,
        user_id: str,
        unit: str,
        required: Decimal,
        available: Decimal,
        overdraft: Decimal,
        overdraft_limit: Decimal,
    ) -> None:
        self.required = required
        self.available = available
        self.overdraft = overdraft
        self.overdraft_limit = overdraft_limit
        left = max(overdraft_limit - overdraft, Decimal(0))
        self.shortfall = _plain(required - available - left)
        super().__init__(
            f"account {user_id!r} needs {required:f} {unit}, has {available:f} and owes "
            f"{overdraft:f} of an overdraft limit of {overdraft_limit:f}: {self.shortfall:f} "
            f"{unit} too many; add credits or raise the limit",
            user_id=user_id,
            unit=unit,
        )


class LimitExceededError(RefusalError):
    """A charge would take an account, or one of its actors, past a limit."""

    code = "limit_exceeded"


class IdempotencyConflictError(RefusalError):
    """The key was used before, for something else."""

    code = "idempotency_conflict"

    def __init__(self, *, user_id: str, unit: str, key: str, fields: Sequence[str]) -> None:
        self.key = key
        self.fields = tuple(fields)
        super().__init__(
            f"account {user_id!r} has used the key {key!r} before, with another "
            f"{' and another '.join(fields)}; use a new key for a new operation",
            user_id=user_id,
            unit=unit,
        )


class AccountFrozenError(RefusalError):
    """A frozen account takes no new charge and no new hold."""

    code = "account_frozen"

    def __init__(self, *, user_id: str, unit: str) -> None:
        super().__init__(
            f"account {user_id!r} ({unit}) is frozen: no new charges or holds until "
            "unfreeze_account()",
            user_id=user_id,
            unit=unit,
        )


class AccountClosedError(RefusalError):
    """A closed account takes nothing but releases, expiry and its reopening."""

    code = "account_closed"

    def __init__(self, *, user_id: str, unit: str) -> None:
        super().__init__(
            f"account {user_id!r} ({unit}) is closed: reopen_account() before anything else",
            user_id=user_id,
            unit=unit,
        )


class NotFoundError(RefusalError, LookupError):
    """The account has no such grant, hold or charge."""

    code = "not_found"

    def __init__(self, *, user_id: str, unit: str, noun: str, id: str) -> None:
        self.noun = noun
        self.id = id
        super().__init__(
            f"account {user_id!r} ({unit}) has no {noun} {id!r}: use the id that its receipt gave",
            user_id=user_id,
            unit=unit,
        )


class GrantClosedError(RefusalError):
    """The grant has ended, so it can be neither activated nor changed."""

    code = "grant_closed"

    def __init__(self, *, user_id: str, unit: str, id: str, state: str, verb: str) -> None:
        self.id = id
        self.state = state
        super().__init__(
            f"account {user_id!r} ({unit}): grant {id!r} is {state}, so it cannot {verb}; "
            "add a new grant instead",
            user_id=user_id,
            unit=unit,
        )


class HoldExpiredError(RefusalError):
    """The hold ran into its timeout, and its credits were freed."""

    code = "hold_expired"

    def __init__(self, *, user_id: str, unit: str, id: str, expired_at: datetime) -> None:
        self.id = id
        self.expired_at = expired_at
        super().__init__(
            f"account {user_id!r} ({unit}): hold {id!r} timed out at {expired_at.isoformat()} and "
            "freed its credits; charge with consume_credits(), and hold longer or extend_hold() "
            "in time",
            user_id=user_id,
            unit=unit,
        )


class HoldClosedError(RefusalError):
    """The hold was captured or released before."""

    code = "hold_closed"

    def __init__(self, *, user_id: str, unit: str, id: str, state: str) -> None:
        self.id = id
        self.state = state
        super().__init__(
            f"account {user_id!r} ({unit}): hold {id!r} is already {state}; place a new hold, or "
            "capture with final=False while more is to come",
            user_id=user_id,
            unit=unit,
        )


class CaptureExceedsHoldError(RefusalError):
    """A capture asked for more than its hold has left."""

    code = "capture_exceeds_hold"

    def __init__(
        self, *, user_id: str, unit: str, id: str, required: Decimal, held: Decimal
    ) -> None:
        self.id = id
        self.required = required
        self.held = held
        self.shortfall = _plain(required - held)
        super().__init__(
            f"account {user_id!r}: hold {id!r} has {held:f} {unit} left and {required:f} were to "
            f'be captured, {self.shortfall:f} too many; pass if_over="available", "cap" or '
            '"overdraft", or extend_hold() first',
            user_id=user_id,
            unit=unit,
        )


class RefundExceedsChargeError(RefusalError):
    """The refunds of a charge would exceed it."""

    code = "refund_exceeds_charge"

    def __init__(
        self, *, user_id: str, unit: str, id: str, required: Decimal, refundable: Decimal
    ) -> None:
        self.id = id
        self.required = required
        self.refundable = refundable
        super().__init__(
            f"account {user_id!r}: charge {id!r} has {refundable:f} {unit} left to refund and "
            f"{required:f} were asked for; refund at most {refundable:f}, or add credits instead",
            user_id=user_id,
            unit=unit,
        )


class EntriesDetachedError(CreditError, LookupError):
    """The entries that would tell have been detached; see "Old entries" in the documentation."""

    code = "entries_detached"

    def __init__(self, *, user_id: str, unit: str, since: datetime) -> None:
        self.user_id, self.unit, self.since = user_id, unit, since
        super().__init__(
            f"account {user_id!r} ({unit}): the entries before {since.isoformat()} have been "
            "detached; ask for an instant from then on, or look into the tables that were put away"
        )


class EntriesDifferError(CreditError):
    """An account's entries do not add up to what is kept of it, so they have to stay."""

    code = "entries_differ"

    def __init__(self, *, user_id: str, unit: str, problems: Sequence[str]) -> None:
        self.user_id, self.unit, self.problems = user_id, unit, tuple(problems)
        super().__init__(
            f"account {user_id!r} ({unit}) does not add up, and nothing was detached: "
            f"{'; '.join(self.problems)}; see what verify() says, and mend it first"
        )


# The database


class StorageError(CreditError):
    """The storage failed; it never means that credits are missing."""

    code = "storage_error"


class StorageUnavailableError(StorageError):
    """The database cannot be reached or opened; nothing was written."""

    code = "storage_unavailable"


class ContentionError(StorageError):
    """Others kept the books busy until the deadline; nothing was written."""

    code = "contention"


class SchemaOutdatedError(StorageError):
    """The tables in the database do not fit this version of the library."""

    code = "schema_outdated"


class OutcomeUnknownError(StorageError):
    """A deadline passed and nobody can say whether it happened.

    Calling again with ``idempotency_key=error.key`` is safe: it acts once at the most.
    """

    code = "outcome_unknown"

    def __init__(self, message: str, *, key: str) -> None:
        super().__init__(message)
        self.key = key


# Mistakes in the program


class ConfigurationError(CreditError):
    """A setting that cannot work; the message says what to change."""

    code = "configuration"


class UsageError(CreditError):
    """A call that cannot work; the message says what to write instead."""

    code = "usage"
