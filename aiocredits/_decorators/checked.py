"""`require_credits`: a look before the work, and nothing else."""

from aiocredits._amounts import Micros, to_credits
from aiocredits._decorators.charge import Charge
from aiocredits._decorators.info import CreditInfo
from aiocredits._decorators.terms import Payer, Terms
from aiocredits._ledger import spendable
from aiocredits.errors import AccountClosedError, AccountFrozenError, InsufficientCreditsError


class Checked(Charge):
    """One call that needs credits to be there, and consumes none."""

    settles = False
    left = True
    """There is never anything to settle."""

    def __init__(self, terms: Terms, payer: Payer, micros: Micros) -> None:
        super().__init__(terms, payer)
        self._micros = micros

    async def begin(self) -> None:
        """Raise what a charge would raise now."""
        user_id, unit = self.payer.user_id, self.terms.options.unit
        service = self.terms.service
        needed = to_credits(self._micros)
        if not needed or await self.client.can_afford(user_id, needed, service=service, unit=unit):
            return
        status = await self.client.get_user_credit_status(user_id, unit=unit)
        if status.state == "closed":
            raise AccountClosedError(user_id=status.user_id, unit=unit)
        if status.state == "frozen":
            raise AccountFrozenError(user_id=status.user_id, unit=unit)
        grants = {grant.number: grant for grant in status.grants}
        raise InsufficientCreditsError(
            user_id=status.user_id,
            unit=unit,
            required=needed,
            available=to_credits(spendable(grants, service)),
            service=service,
        )

    async def succeed(self, result: object) -> None:
        """Do nothing."""

    async def fail(self, error: BaseException) -> None:
        """Do nothing."""

    # A stream

    def deliver(self, item: object) -> bool:  # noqa: ARG002 - it costs nothing
        """Let every item through."""
        return True

    async def cover(self) -> bool:
        """Let every item through."""
        return True

    async def complete(self) -> None:
        """Do nothing."""

    async def leave(self, error: BaseException) -> None:
        """Do nothing."""

    async def info(self) -> CreditInfo:
        """Return the balance, and what is required of it."""
        return CreditInfo(current_balance=await self.balance(), credits=to_credits(self._micros))
