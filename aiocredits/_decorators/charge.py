"""What happens to the credits of one call: the questions that the drivers of all shapes ask."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Coroutine, Iterator
from decimal import Decimal
from itertools import count
from typing import Any

from aiocredits._decorators.info import CreditInfo
from aiocredits._decorators.options import Policy, Verdict, verdict
from aiocredits._decorators.terms import Payer, Terms
from aiocredits._finish import finish
from aiocredits._holding import CreditHold

log = logging.getLogger("aiocredits")


class Charge(ABC):
    """One call. Everything here runs on the client's event loop, whatever shape the call has."""

    settles = True
    """Whether a call that succeeds has anything left to do."""
    hold: CreditHold | None = None

    def __init__(self, terms: Terms, payer: Payer) -> None:
        self.terms = terms
        self.payer = payer
        self.client = payer.client

    @abstractmethod
    async def begin(self) -> None:
        """Charge or reserve before the work; a refusal or a cancellation leaves nothing behind."""

    @abstractmethod
    async def succeed(self, result: object) -> None:
        """Settle a call that returned `result`."""

    @abstractmethod
    async def fail(self, error: BaseException) -> None:
        """Settle a call that raised `error`; this itself raises nothing but a cancellation."""

    @abstractmethod
    async def info(self) -> CreditInfo:
        """Return what a `credit_aware` function is told."""

    def keys(self) -> Iterator[str | None]:
        """Yield the key of each attempt: one whose charge was given back needs another one."""
        key = self.payer.key
        yield key
        for attempt in count(2):
            yield f"{key}#{attempt}"

    async def balance(self) -> Decimal:
        """Ask for what the user can spend."""
        return await self.client.get_user_balance(self.payer.user_id, unit=self.terms.options.unit)

    async def settle_quietly(self, work: Coroutine[Any, Any, object], error: BaseException) -> None:
        """Do `work`, though the caller has an exception to raise that matters more."""
        try:
            await finish(work)
        except Exception as failure:  # noqa: BLE001 - whatever it is, `error` goes first
            text = f"the credits of {self.payer.user_id!r} could not be settled: {failure}"
            log.error("%s: %s", self.terms.parameters.function_name, text)  # noqa: TRY400
            error.add_note(text)


def judge(policy: Policy, error: BaseException) -> Verdict:
    """Return what `policy` says; one that fails itself keeps nobody's credits."""
    try:
        return verdict(policy, error)
    except Exception as failure:  # noqa: BLE001 - the error of the call goes first
        error.add_note(f"the policy for errors failed, so nothing was charged: {failure!r}")
        return "refund"
