"""The charge of a stream: always held, whatever its price, because nobody knows who reads it."""

import asyncio
from time import monotonic

from aiocredits._amounts import Micros, to_credits
from aiocredits._context import settle_at_close
from aiocredits._decorators.charge import judge
from aiocredits._decorators.held import Held
from aiocredits._decorators.meters import Meter
from aiocredits._decorators.terms import Payer, Terms
from aiocredits._finish import finish
from aiocredits._holding import CreditHold
from aiocredits.errors import HoldExpiredError, InsufficientCreditsError, RefusalError, UsageError


class Streamed(Held):
    """One stream, paid for as it is delivered."""

    def __init__(self, terms: Terms, payer: Payer, estimate: Micros, meter: Meter) -> None:
        super().__init__(terms, payer, estimate, meter)
        self._due: Micros = 0
        """What the stream costs with the item that is on its way."""
        self._delivered: Micros = 0
        """What it cost with the last item that was delivered."""
        self._exhausted = False
        self.left = False
        """Whether the stream is settled."""
        self._renew_at = monotonic() + self.timeout.total_seconds() / 2

    async def begin(self) -> None:
        """Reserve."""
        await super().begin()
        settle_at_close(self.client, self)

    def deliver(self, item: object) -> bool:
        """Count an item; tell whether it is paid for, or else `cover` must be asked."""
        self._due = self.meter.add(item)
        is_paid_for = self.paid or self._due <= self.reserved
        if is_paid_for and not self.left and monotonic() < self._renew_at:
            self._delivered = self._due
            return True
        return False

    async def cover(self) -> bool:
        """See that the item is paid for; tell whether it may be delivered."""
        if self.left:
            raise UsageError(
                f"{self.terms.parameters.function_name}() is read on after its CreditClient was "
                "closed: read streams to their end inside 'async with CreditClient()'"
            )
        try:
            covered = await self._cover()
        except InsufficientCreditsError:
            self._exhausted = True
            raise
        if covered:
            self._delivered = self._due
        else:
            self._exhausted = True
        return covered

    async def complete(self) -> None:
        """Charge a stream that came to its end."""
        self.left = True
        due = self.noted(self._delivered if self._exhausted else self.meter.total)
        try:
            await finish(self.settle(due))
        except RefusalError as error:
            await self.settle_quietly(self.settle_in_part(due), error)
            raise

    async def leave(self, error: BaseException) -> None:
        """Settle a stream that was left before its end, or that failed."""
        if self.left:
            return
        self.left = True
        options = self.terms.options
        left = isinstance(error, GeneratorExit | asyncio.CancelledError)
        policy = options.on_disconnect if left else options.on_error
        keep = self._exhausted or judge(policy, error) == "keep"
        due = self.noted(self._delivered) if keep else 0
        await self.settle_quietly(self.settle_in_part(due), error)

    async def abandon(self) -> None:
        """Settle a stream that nobody has ended while there was time."""
        await self.leave(GeneratorExit())

    async def _cover(self) -> bool:
        if monotonic() >= self._renew_at:
            await self._renew()
        if self._due <= self.reserved or self.paid:
            return True
        match self.terms.options.on_exhausted:
            case "stop":
                return False
            case "raise":
                self.require_reserved(self._due)
            case "extend":
                await self._extend()
            case "overdraft":
                pass
        return True

    async def _extend(self) -> None:
        try:
            if self.hold is None:
                self.hold = await self.place(self._due)
            else:
                await self._extend_hold(self.hold)
        except InsufficientCreditsError:
            if self.terms.options.if_short == "reject":
                raise

    async def _extend_hold(self, hold: CreditHold) -> None:
        need = self._due - self.reserved
        try:
            # As much again, so that a long stream asks a few times and not for every item.
            await hold.extend(credits=to_credits(max(need, self._due)))
        except InsufficientCreditsError as error:
            await hold.extend(credits=max(to_credits(need), error.available))
        except HoldExpiredError:
            await self._replace(hold)

    async def _renew(self) -> None:
        self._renew_at = monotonic() + self.timeout.total_seconds() / 2
        if self.hold is None or self.hold.settled:
            return
        try:
            await self.hold.extend(timeout=self.timeout)
        except HoldExpiredError:
            await self._replace(self.hold)

    async def _replace(self, expired: CreditHold) -> None:
        """Hold again what the stream has cost, after its reader was away for too long."""
        self.hold = await self.place(self._due)
        if self.hold is not None and expired.used_micros:
            self.hold.use(expired.used)
