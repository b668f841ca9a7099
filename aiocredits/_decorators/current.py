"""The hold of the call that is running."""

from contextvars import ContextVar

from aiocredits._holding import CreditHold
from aiocredits.errors import UsageError

holding: ContextVar[CreditHold | None] = ContextVar("aiocredits_hold", default=None)


def current_hold() -> CreditHold:
    """Return the hold of the innermost decorated call that is running.

        @ai_generation_credits(limit="length")
        async def write(user_id: str, length: int) -> str:
            answer = await model(length)
            current_hold().use(answer.cost)  # charged instead of the price
            return answer.text

    A call has a hold if it is a stream, if its price depends on the result, or if ``estimate=``
    says what to reserve; others are charged before they run.
    """
    hold = holding.get()
    if hold is None:
        raise UsageError(
            "nothing is held here: current_hold() is for decorated streams, for calls that are "
            "priced by their result, and for those with estimate="
        )
    return hold
