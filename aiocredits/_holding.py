"""``async with client.hold(...)``: reserve, work, charge for what was used."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from types import TracebackType
from typing import Literal, Self, TypeAlias

from aiocredits._amounts import Micros, to_credits, to_micros
from aiocredits._checks import Duration, check_choice
from aiocredits._commands import PlaceHold
from aiocredits._finish import finish
from aiocredits._model import Hold
from aiocredits._receipt import Receipt
from aiocredits._verbs import CreditVerbs
from aiocredits.errors import InvalidInputError, RefusalError, StorageError, UsageError
from aiocredits.types import Amount, IfOver

OnError: TypeAlias = Literal["release", "capture"]


class CreditHold:
    """Credits that are reserved while a block runs.

    Leaving the block normally charges what `use` was told, or the whole hold if it was told
    nothing; if that is more than can be paid, the hold is charged and the refusal raised. Leaving
    it by an exception or a cancellation frees everything, or charges what `use` was told if
    `on_error` is ``"capture"``. `capture` and `release` inside the block end it sooner.
    """

    def __init__(
        self,
        client: CreditVerbs,
        place: Callable[[], PlaceHold] | None,
        hold: Hold | None = None,
        *,
        on_error: OnError = "release",
        if_over: IfOver = "available",
    ) -> None:
        check_choice("on_error", on_error, OnError)
        self._client = client
        self._place = place
        self._on_error = on_error
        self._if_over: IfOver = if_over
        self._used: Micros | None = None
        self._settled = False
        self._id: str | None = hold.id if hold else None
        self._held: Micros = hold.held_micros if hold else 0
        self._expires_at: datetime | None = hold.expires_at if hold else None
        self.placed: Receipt | None = None
        """What placed the hold, if that was done here."""
        self.receipt: Receipt | None = None
        """What ended the hold, once something has."""

    @property
    def id(self) -> str:
        """The hold's id; any process can capture or release the hold by it."""
        if self._id is None:
            raise UsageError("the hold is not placed yet: use it inside 'async with'")
        return self._id

    @property
    def credits(self) -> Decimal:
        """What is still reserved."""
        return to_credits(self._held)

    @property
    def held_micros(self) -> Micros:
        """What is still reserved, in micro-credits."""
        return self._held

    @property
    def used_micros(self) -> Micros | None:
        """What `use` was told so far, in micro-credits; None if it was told nothing."""
        return self._used

    @property
    def settled(self) -> bool:
        """Whether the hold has been captured or released here."""
        return self._settled

    @property
    def expires_at(self) -> datetime | None:
        """When the hold ends by itself."""
        return self._expires_at

    @property
    def used(self) -> Decimal:
        """What `use` was told so far."""
        return to_credits(self._used or 0)

    def use(self, credits: Amount) -> None:
        """Note that `credits` were used; leaving the block charges the sum of such notes."""
        self._used = (self._used or 0) + to_micros(credits)

    def use_nothing(self) -> None:
        """Note that nothing was used so far, so that leaving the block charges nothing."""
        self._used = self._used or 0

    async def capture(
        self, credits: Amount | None = None, *, final: bool = True, if_over: IfOver | None = None
    ) -> Receipt:
        """Charge now; unless ``final=False``, that ends the hold."""
        micros = None if credits is None else to_micros(credits)
        return await finish(self.capture_now(micros, final=final, if_over=if_over))

    async def release(self) -> Receipt:
        """Free what is still reserved; that ends the hold."""
        return await finish(self.release_now())

    async def extend(
        self,
        *,
        timeout: Duration | None = None,  # noqa: ASYNC109 - the hold's, not the call's
        credits: Amount | None = None,
    ) -> Receipt:
        """Give the hold another timeout, counted from now, or more credits, or both."""
        receipt = await self._client.extend_hold(self.id, timeout=timeout, credits=credits)
        self._held += receipt.amount_micros
        self._expires_at = receipt.expires_at
        return receipt

    async def __aenter__(self) -> Self:
        """Place the hold, or raise why it cannot be."""
        if self._place is not None:
            if self._id is not None:
                raise UsageError(f"hold {self._id!r} was placed before: call client.hold() again")
            command = self._place()
            try:
                await finish(self._submit(command))
            except BaseException:
                await self._release_if_placed()
                raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Charge or free, whatever it was that left the block."""
        if self._settled:
            return
        keep = error is None or self._on_error == "capture"
        if keep and self._used != 0 and (error is None or self._used):
            try:
                await finish(self.capture_now(self._used))
            except (RefusalError, InvalidInputError):
                await self._take_the_hold(error)
                if error is None:
                    raise
            except StorageError as failure:
                if error is None:
                    raise
                self._leave_behind(error, failure)
        else:
            await self._release_after(error)

    # For those who shield by themselves

    async def place_now(self) -> Receipt:
        """Place the hold; a cancellation leaves it open whether that has happened."""
        if self._place is None:
            raise UsageError("a hold that is resumed was placed before")
        return await self._submit(self._place())

    async def capture_now(
        self, micros: Micros | None, *, final: bool = True, if_over: IfOver | None = None
    ) -> Receipt:
        """Capture; a cancellation leaves it open whether that has happened."""
        receipt = await self._client.capture_hold(
            self.id,
            None if micros is None else to_credits(micros),
            final=final,
            if_over=if_over or self._if_over,
        )
        self._held -= min(self._held, receipt.amount_micros)
        if final or not self._held:
            self._end(receipt)
        return receipt

    async def release_now(self) -> Receipt:
        """Release; a cancellation leaves it open whether that has happened."""
        receipt = await self._client.release_hold(self.id)
        self._end(receipt)
        return receipt

    async def _submit(self, command: PlaceHold) -> Receipt:
        receipt = await self._client.submit(command)
        self.placed = receipt
        self._id = receipt.id
        self._held = receipt.amount_micros
        self._expires_at = receipt.expires_at
        return receipt

    async def _release_if_placed(self) -> None:
        """Leave no hold behind if the cancellation came after it was placed."""
        if self._id is not None:
            await finish(self._client.release_hold(self._id))

    async def _take_the_hold(self, error: BaseException | None) -> None:
        """Charge what was reserved for work that used more than there is: it was done."""
        try:
            await finish(self.capture_now(None))
        except (RefusalError, InvalidInputError):
            await self._release_after(error)

    async def _release_after(self, error: BaseException | None) -> None:
        try:
            await self.release()
        except StorageError as failure:
            if error is None:
                raise
            self._leave_behind(error, failure)

    def _leave_behind(self, error: BaseException, failure: StorageError) -> None:
        # What left the block matters more, a cancellation above all: the hold ends by itself.
        error.add_note(f"hold {self.id!r} was left to its timeout: {failure}")

    def _end(self, receipt: Receipt) -> None:
        self._settled = True
        self._held = 0
        self.receipt = receipt
