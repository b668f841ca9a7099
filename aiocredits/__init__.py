"""Credits for asyncio applications: an exact ledger in your own database.

    async with CreditClient("sqlite:///credits.db") as client:
        await client.add_credits("alice", 100, "welcome")
        await client.consume_credits("alice", "2.5", "one report")

What is used every day is here. `aiocredits.commands` has every write as a value,
`aiocredits.pricing` the prices, `aiocredits.sync` the quick functions for synchronous code,
`aiocredits.storages` what keeps the books, and `aiocredits.testing` what proves a storage.
"""

from aiocredits._care import Maintenance, Problem, Verification
from aiocredits._client import CreditClient
from aiocredits._decorators import (
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
from aiocredits._holding import CreditHold
from aiocredits._model import Entry, Grant, Hold, Receipt
from aiocredits._quick import get_user_credit_status, quick_credit_check, quick_credit_consumption
from aiocredits._status import Balance, CreditStatus, Forecast, Summary
from aiocredits._sync import SyncCreditClient, SyncCreditHold
from aiocredits.errors import (
    AccountClosedError,
    AccountFrozenError,
    CaptureExceedsHoldError,
    ConfigurationError,
    ContentionError,
    CreditError,
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

__all__ = [
    "AccountClosedError",
    "AccountFrozenError",
    "Amount",
    "Balance",
    "CaptureExceedsHoldError",
    "Clock",
    "ConfigurationError",
    "ContentionError",
    "CreditClient",
    "CreditError",
    "CreditHold",
    "CreditInfo",
    "CreditStatus",
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
