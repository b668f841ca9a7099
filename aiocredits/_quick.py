"""Quick functions: one question, asked of the current client."""

from aiocredits._context import current_client
from aiocredits._receipt import Receipt
from aiocredits._status import CreditStatus
from aiocredits.types import Amount, UserId


async def quick_credit_check(
    user_id: UserId, credits: Amount, *, service: str | None = None
) -> bool:
    """Tell whether the user could pay `credits` now; it only informs."""
    return await current_client().can_afford(user_id, credits, service=service)


async def quick_credit_consumption(
    user_id: UserId,
    credits: Amount,
    description: str = "",
    *,
    service: str | None = None,
    idempotency_key: str | None = None,
) -> Receipt:
    """Charge `credits`, or raise `InsufficientCreditsError`."""
    return await current_client().consume_credits(
        user_id, credits, description, service=service, idempotency_key=idempotency_key
    )


async def get_user_credit_status(user_id: UserId) -> CreditStatus:
    """Return balance, this month's spending, grants and forecast."""
    return await current_client().get_user_credit_status(user_id)
