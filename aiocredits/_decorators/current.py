"""The call that is running, and its hold."""

from contextvars import ContextVar
from typing import TYPE_CHECKING

from aiocredits._holding import CreditHold
from aiocredits.errors import UsageError

if TYPE_CHECKING:
    from aiocredits._decorators.charge import Charge

holding: ContextVar["Charge | None"] = ContextVar("aiocredits_call", default=None)
"""The innermost decorated call that has a hold."""


def current_charge() -> "tuple[Charge, CreditHold]":
    """Return the innermost decorated call that has a hold, and its hold."""
    charge = holding.get()
    if charge is None or charge.hold is None:
        raise UsageError(
            "nothing is held here: current_hold() is for decorated streams, for calls that are "
            "priced by their result, and for those with estimate="
        )
    return charge, charge.hold


def current_hold() -> CreditHold:
    """Return the hold of the innermost decorated call that is running.

        @ai_generation_credits(limit="length")
        async def write(user_id: str, length: int) -> str:
            answer = await model(length)
            current_hold().use(answer.cost)  # charged instead of the price
            return answer.text

    A call has a hold if it is a stream, if its price depends on the result, or if ``estimate=``
    says what to reserve; others are charged before they run. In synchronous functions it is
    `aiocredits.sync.current_hold`.
    """
    return current_charge()[1]
