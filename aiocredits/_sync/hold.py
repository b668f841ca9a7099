"""``with client.hold(...)``: reserve, work, charge for what was used."""

from datetime import datetime
from decimal import Decimal
from types import TracebackType
from typing import Self

from aiocredits._bridge import run
from aiocredits._checks import Duration
from aiocredits._client import CreditClient
from aiocredits._holding import CreditHold
from aiocredits._receipt import Receipt
from aiocredits.types import Amount, IfOver


class SyncCreditHold:
    """A `CreditHold` for a ``with`` block."""

    def __init__(self, client: CreditClient, hold: CreditHold) -> None:
        self._client = client
        self._hold = hold

    @property
    def id(self) -> str:
        """The hold's id; any process can capture or release the hold by it."""
        return self._hold.id

    @property
    def credits(self) -> Decimal:
        """What is still reserved."""
        return self._hold.credits

    @property
    def expires_at(self) -> datetime | None:
        """When the hold ends by itself."""
        return self._hold.expires_at

    @property
    def used(self) -> Decimal:
        """What `use` was told so far."""
        return self._hold.used

    @property
    def receipt(self) -> Receipt | None:
        """What ended the hold, once something has."""
        return self._hold.receipt

    def use(self, credits: Amount) -> None:
        """Note that `credits` were used; leaving the block charges the sum of such notes."""
        self._hold.use(credits)

    def use_nothing(self) -> None:
        """Note that nothing was used so far, so that leaving the block charges nothing."""
        self._hold.use_nothing()

    def capture(
        self, credits: Amount | None = None, *, final: bool = True, if_over: IfOver | None = None
    ) -> Receipt:
        """Charge now; unless ``final=False``, that ends the hold."""
        return run(self._client, lambda: self._hold.capture(credits, final=final, if_over=if_over))

    def release(self) -> Receipt:
        """Free what is still reserved; that ends the hold."""
        return run(self._client, self._hold.release)

    def extend(self, *, timeout: Duration | None = None, credits: Amount | None = None) -> Receipt:
        """Give the hold another timeout, counted from now, or more credits, or both."""
        return run(self._client, lambda: self._hold.extend(timeout=timeout, credits=credits))

    def __enter__(self) -> Self:
        """Place the hold, or raise why it cannot be."""
        run(self._client, self._hold.__aenter__)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Charge or free, whatever it was that left the block."""
        run(self._client, lambda: self._hold.__aexit__(kind, error, traceback))
