"""A price that only the result tells: reserved first, and captured when it is known."""

from aiocredits._amounts import Micros, to_credits, to_micros_or_zero
from aiocredits._checks import check_duration
from aiocredits._decorators.charge import Charge, judge
from aiocredits._decorators.info import CreditInfo
from aiocredits._decorators.meters import Meter
from aiocredits._decorators.terms import Payer, Terms
from aiocredits._finish import claim, finish
from aiocredits._holding import CreditHold
from aiocredits.errors import (
    HoldClosedError,
    HoldExpiredError,
    InsufficientCreditsError,
    RefusalError,
)
from aiocredits.types import IfOver

_IF_OVER: dict[str, IfOver] = {
    "extend": "available",
    "overdraft": "overdraft",
    "raise": "available",  # never reached above the hold: see `require_reserved`
    "stop": "cap",
}


class Held(Charge):
    """One call whose credits are reserved while it runs."""

    def __init__(self, terms: Terms, payer: Payer, estimate: Micros, meter: Meter) -> None:
        super().__init__(terms, payer)
        self._estimate = estimate
        self.meter = meter
        self.paid = False
        """Whether an earlier call with the same key was charged already."""
        self.timeout = check_duration("timeout", terms.options.timeout)

    @property
    def reserved(self) -> Micros:
        """What is reserved now."""
        return self.hold.held_micros if self.hold else 0

    async def begin(self) -> None:
        """Reserve."""
        if self._estimate:
            self.hold = await self.place(self._estimate)

    async def succeed(self, result: object) -> None:
        """Charge what the call cost; if that cannot be paid, raise it and charge nothing."""
        try:
            due = self.noted(self.meter.add(result))
            self.require_reserved(due)
            await finish(self.settle(due))
        except BaseException as error:
            await self.settle_quietly(self._free(), error)
            raise

    async def fail(self, error: BaseException) -> None:
        """Free the hold, or charge it."""
        keep = judge(self.terms.options.on_error, error) == "keep"
        due = self.noted(self.reserved) if keep else 0
        await self.settle_quietly(self.settle_in_part(due), error)

    async def info(self) -> CreditInfo:
        """Return the balance beside what is reserved, and what is reserved."""
        placed = self.hold.placed if self.hold else None
        if placed is None or placed.replayed:
            balance = await self.balance()
        else:
            balance = placed.balance
        return CreditInfo(current_balance=balance, credits=to_credits(self.reserved))

    # Reserving

    async def place(self, micros: Micros) -> CreditHold | None:
        """Return a hold; None where an earlier call paid, or where all will be debt."""
        try:
            return await claim(self._place_now(micros), _release)
        except InsufficientCreditsError:
            if self.terms.options.if_short == "overdraft":
                return None
            raise

    async def _place_now(self, micros: Micros) -> CreditHold | None:
        for key in self.keys():
            hold = self._unplaced(micros, key)
            receipt = await hold.place_now()
            if not receipt.replayed or await self._is_open(hold):
                return hold
            if self.paid:
                break
        return None

    async def _is_open(self, hold: CreditHold) -> bool:
        """Tell whether the hold of an earlier call with the same key can still be used."""
        try:
            await hold.extend(timeout=self.timeout)
        except HoldExpiredError:
            return False
        except HoldClosedError as error:
            self.paid = error.state == "captured"
            return False
        return True

    def _unplaced(self, micros: Micros, key: str | None) -> CreditHold:
        options = self.terms.options
        return self.client.hold(
            self.payer.user_id,
            to_credits(micros),
            self.terms.description,
            timeout=self.timeout,
            service=self.terms.service,
            actor=self.payer.actor,
            if_short="reject" if options.if_short == "reject" else "partial",
            unit=options.unit,
            idempotency_key=key,
        )

    def require_reserved(self, due: Micros) -> None:
        """Refuse what costs more than was reserved, if that is what was asked for."""
        if self.terms.options.on_exhausted != "raise" or self.paid or due <= self.reserved:
            return
        raise InsufficientCreditsError(
            user_id=str(self.payer.user_id),
            unit=self.terms.options.unit,
            required=to_credits(due),
            available=to_credits(self.reserved),
            service=self.terms.service,
        )

    # Settling

    def noted(self, due: Micros) -> Micros:
        """Return what the function said that it used, or else `due`."""
        noted = self.hold.used_micros if self.hold else None
        return due if noted is None else noted

    async def settle(self, due: Micros) -> None:
        """Charge `due` and free the rest, unless the function did so itself."""
        if self.paid or (self.hold is not None and self.hold.settled):
            return
        if not due:
            await self._free()
        elif self.hold is None:
            await self._consume(due)
        else:
            await self._capture(self.hold, due)

    async def settle_in_part(self, due: Micros) -> None:
        """Charge what can be charged: the work is done, and nobody is left to be refused."""
        try:
            await self.settle(due)
        except RefusalError:
            if self.hold is not None:
                await _capture_what_there_is(self.hold, due)

    async def _capture(self, hold: CreditHold, due: Micros) -> None:
        try:
            await hold.capture_now(due, if_over=self._if_over())
        except HoldExpiredError:
            await self._consume(due)
        except HoldClosedError:
            # Another call with the same key was faster, and is the one that pays.
            if hold.placed is None or not hold.placed.replayed:
                raise
        except InsufficientCreditsError:
            if self.terms.options.if_short != "partial":
                raise
            await _capture_what_there_is(hold, due)

    async def _consume(self, due: Micros) -> None:
        key = self.payer.key
        await self.client.consume_credits(
            self.payer.user_id,
            to_credits(due),
            self.terms.description,
            service=self.terms.service,
            actor=self.payer.actor,
            if_short=self.terms.options.if_short,
            unit=self.terms.options.unit,
            idempotency_key=None if key is None else f"{key}#late",
        )

    async def _free(self) -> None:
        if self.hold is not None:
            await _release(self.hold)

    def _if_over(self) -> IfOver:
        options = self.terms.options
        return "overdraft" if options.if_short == "overdraft" else _IF_OVER[options.on_exhausted]


async def _capture_what_there_is(hold: CreditHold, due: Micros) -> None:
    try:
        await hold.capture_now(due, if_over="available")
    except InsufficientCreditsError as error:
        more = to_micros_or_zero(error.available)
        await hold.capture_now(hold.held_micros + more, if_over="available")


async def _release(hold: CreditHold | None) -> None:
    # A hold of an earlier call with the same key may still be in use there; it ends by its timeout.
    if hold is not None and not hold.settled and hold.placed and not hold.placed.replayed:
        await hold.release_now()
