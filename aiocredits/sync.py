"""For code without an event loop: the names of `aiocredits`, without ``await``.

    from aiocredits.sync import SyncCreditClient, consume_credits, quick_credit_check

    @consume_credits(5, "Report")
    def report(user_id: str) -> str: ...

    with SyncCreditClient() as client:
        if quick_credit_check("alice", 5):
            print(report("alice"))

The decorators are those of `aiocredits`, which see for themselves what they decorate.
"""

from aiocredits._bridge import run
from aiocredits._context import current_client
from aiocredits._decorators import (
    CreditInfo,
    ai_analysis_credits,
    ai_chat_credits,
    ai_generation_credits,
    consume_credits,
    credit_aware,
    file_conversion_credits,
    file_processing_credits,
    file_upload_credits,
    require_credits,
    workflow_credits,
)
from aiocredits._decorators.current import current_charge
from aiocredits._decorators.options import Verdict
from aiocredits._receipt import Receipt
from aiocredits._status import CreditStatus
from aiocredits._sync import SyncCreditClient, SyncCreditHold, reachable
from aiocredits.types import Amount, UserId

__all__ = [
    "CreditInfo",
    "SyncCreditClient",
    "SyncCreditHold",
    "Verdict",
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


def quick_credit_check(user_id: UserId, credits: Amount, *, service: str | None = None) -> bool:
    """Tell whether the user could pay `credits` now; it only informs."""
    client = reachable(current_client())
    return run(client, lambda: client.can_afford(user_id, credits, service=service))


def quick_credit_consumption(
    user_id: UserId,
    credits: Amount,
    description: str = "",
    *,
    service: str | None = None,
    idempotency_key: str | None = None,
) -> Receipt:
    """Charge `credits`, or raise `InsufficientCreditsError`."""
    client = reachable(current_client())
    return run(
        client,
        lambda: client.consume_credits(
            user_id, credits, description, service=service, idempotency_key=idempotency_key
        ),
    )


def get_user_credit_status(user_id: UserId) -> CreditStatus:
    """Return balance, this month's spending, grants and forecast."""
    client = reachable(current_client())
    return run(client, lambda: client.get_user_credit_status(user_id))


def current_hold() -> SyncCreditHold:
    """Return the hold of the innermost decorated call that is running."""
    charge, hold = current_charge()
    return SyncCreditHold(charge.client, hold)
