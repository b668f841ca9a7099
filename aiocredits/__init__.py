"""Credits for asyncio applications: an exact ledger in your own database.

    async with CreditClient("sqlite:///credits.db") as client:
        await client.add_credits("alice", 100, "welcome")
        await client.consume_credits("alice", "2.5", "one report")

What is used every day is here. `aiocredits.commands` has every write as a value,
`aiocredits.pricing` the prices, `aiocredits.sync` the quick functions for synchronous code,
`aiocredits.storages` what keeps the books, and `aiocredits.testing` what proves a storage.
"""

import importlib
import typing

from aiocredits._care import Maintenance, Problem, Verification
from aiocredits._client import CreditClient
from aiocredits._holding import CreditHold
from aiocredits._model import Entry, Grant, Hold
from aiocredits._quick import get_user_credit_status, quick_credit_check, quick_credit_consumption
from aiocredits._receipt import Receipt
from aiocredits._status import Balance, CreditStatus, Forecast, Summary
from aiocredits.errors import (
    AccountClosedError,
    AccountFrozenError,
    CaptureExceedsHoldError,
    ConfigurationError,
    ContentionError,
    CreditError,
    EntriesDetachedError,
    EntriesDifferError,
    GrantClosedError,
    HoldClosedError,
    HoldExpiredError,
    IdempotencyConflictError,
    InsufficientCreditsError,
    InvalidAmountError,
    InvalidExpiryError,
    InvalidInputError,
    InvalidNameError,
    LimitExceededError,
    NotFoundError,
    OutcomeUnknownError,
    OverdraftLimitError,
    RefundExceedsChargeError,
    RefusalError,
    SchemaOutdatedError,
    StorageError,
    StorageUnavailableError,
    UsageError,
)
from aiocredits.types import Amount, Clock, UserId

if typing.TYPE_CHECKING:
    from aiocredits._decorators import (
        CallOptions,
        ChargeOptions,
        CreditInfo,
        ai_analysis_credits,
        ai_chat_credits,
        ai_generation_credits,
        consume_credits,
        credit_aware,
        current_hold,
        file_conversion_credits,
        file_processing_credits,
        file_upload_credits,
        require_credits,
        workflow_credits,
    )
    from aiocredits._sync import SyncCreditClient, SyncCreditHold

__all__ = [
    "AccountClosedError",
    "AccountFrozenError",
    "Amount",
    "Balance",
    "CallOptions",
    "CaptureExceedsHoldError",
    "ChargeOptions",
    "Clock",
    "ConfigurationError",
    "ContentionError",
    "CreditClient",
    "CreditError",
    "CreditHold",
    "CreditInfo",
    "CreditStatus",
    "EntriesDetachedError",
    "EntriesDifferError",
    "Entry",
    "Forecast",
    "Grant",
    "GrantClosedError",
    "Hold",
    "HoldClosedError",
    "HoldExpiredError",
    "IdempotencyConflictError",
    "InsufficientCreditsError",
    "InvalidAmountError",
    "InvalidExpiryError",
    "InvalidInputError",
    "InvalidNameError",
    "LimitExceededError",
    "Maintenance",
    "NotFoundError",
    "OutcomeUnknownError",
    "OverdraftLimitError",
    "Problem",
    "Receipt",
    "RefundExceedsChargeError",
    "RefusalError",
    "SchemaOutdatedError",
    "StorageError",
    "StorageUnavailableError",
    "Summary",
    "SyncCreditClient",
    "SyncCreditHold",
    "UsageError",
    "UserId",
    "Verification",
    "ai_analysis_credits",
    "ai_chat_credits",
    "ai_generation_credits",
    "consume_credits",
    "credit_aware",
    "current_hold",
    "file_conversion_credits",
    "file_processing_credits",
    "file_upload_credits",
    "get_user_credit_status",
    "quick_credit_check",
    "quick_credit_consumption",
    "require_credits",
    "workflow_credits",
]

# Half of the modules, and not needed by everybody: imported when they are first asked for.
_LATER = {
    "CallOptions": "aiocredits._decorators",
    "ChargeOptions": "aiocredits._decorators",
    "CreditInfo": "aiocredits._decorators",
    "ai_analysis_credits": "aiocredits._decorators",
    "ai_chat_credits": "aiocredits._decorators",
    "ai_generation_credits": "aiocredits._decorators",
    "consume_credits": "aiocredits._decorators",
    "credit_aware": "aiocredits._decorators",
    "current_hold": "aiocredits._decorators",
    "file_conversion_credits": "aiocredits._decorators",
    "file_processing_credits": "aiocredits._decorators",
    "file_upload_credits": "aiocredits._decorators",
    "require_credits": "aiocredits._decorators",
    "workflow_credits": "aiocredits._decorators",
    "SyncCreditClient": "aiocredits._sync",
    "SyncCreditHold": "aiocredits._sync",
}


if not typing.TYPE_CHECKING:  # a checker knows the names, and finds those that are not there

    def __getattr__(name: str) -> object:
        if name in _LATER:
            found = getattr(importlib.import_module(_LATER[name]), name)
            globals()[name] = found
            return found
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
