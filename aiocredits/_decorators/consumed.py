"""A price that is known before the work: charged first, and given back if the work fails."""

import asyncio
from contextlib import suppress

from aiocredits._amounts import Micros, to_credits
from aiocredits._decorators.charge import Charge, judge
from aiocredits._decorators.info import CreditInfo
from aiocredits._decorators.terms import Payer, Terms
from aiocredits._finish import claim, finish
from aiocredits._names import new_key
from aiocredits._receipt import Receipt
from aiocredits.errors import RefundExceedsChargeError, RefusalError


class Consumed(Charge):
    """One call with a known price."""

    settles = False

    def __init__(self, terms: Terms, payer: Payer, micros: Micros) -> None:
        super().__init__(terms, payer)
        self._micros = micros
        self._receipt: Receipt | None = None

    async def begin(self) -> None:
        """Charge."""
        if not self._micros:
            return
        if self.payer.key is None:
            await self._take_alone()
        else:
            self._receipt = await claim(self._take(), self._give_back)
            # Whoever made this charge before may still give it back: see `succeed`.
            self.settles = self._receipt.replayed

    async def succeed(self, result: object) -> None:  # noqa: ARG002 - the price was known
        """Make sure that a charge of an earlier call with the same key still stands."""
        self._receipt = await finish(self._take())

    async def fail(self, error: BaseException) -> None:
        """Give the credits back."""
        if self._receipt is not None and judge(self.terms.options.on_error, error) == "refund":
            await self.settle_quietly(self._give_back(self._receipt), error)

    async def info(self) -> CreditInfo:
        """Return the balance after the charge, and what was charged."""
        receipt = self._receipt
        if receipt is None or receipt.replayed:
            balance = await self.balance()
        else:
            balance = receipt.balance
        return CreditInfo(current_balance=balance, credits=to_credits(self._micros))

    async def _take_alone(self) -> None:
        """Charge under a key that nobody else has, which is quicker than a `claim`."""
        key = new_key()
        try:
            self._receipt = await self._consume(key)
        except asyncio.CancelledError as error:
            await self.settle_quietly(self._take_back(key), error)
            raise

    async def _take_back(self, key: str) -> None:
        # Nobody knows whether it was written; once it is for certain, it can be given back.
        with suppress(RefusalError):
            receipt = await self._consume(key)
            await self.client.refund_credits(receipt.id)

    async def _take(self) -> Receipt:
        keys = self.keys()
        receipt = await self._consume(next(keys))
        while receipt.replayed and await self._was_refunded(receipt):
            receipt = await self._consume(next(keys))
        return receipt

    async def _consume(self, key: str | None) -> Receipt:
        options = self.terms.options
        return await self.client.consume_credits(
            self.payer.user_id,
            to_credits(self._micros),
            self.terms.description,
            service=self.terms.service,
            actor=self.payer.actor,
            if_short=options.if_short,
            unit=options.unit,
            idempotency_key=key,
        )

    async def _give_back(self, receipt: Receipt) -> None:
        # A charge that an earlier call with this key made is that call's to give back.
        if receipt.amount_micros and not receipt.replayed:
            await self.client.refund_credits(receipt.id)

    async def _was_refunded(self, receipt: Receipt) -> bool:
        """Ask for more back than was paid: the refusal says what is left, and changes nothing."""
        if not receipt.amount_micros:
            return False
        try:
            await self.client.refund_credits(receipt.id, to_credits(receipt.amount_micros + 1))
        except RefundExceedsChargeError as error:
            return not error.refundable
        return False
