"""The options that all decorators take, in one place."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, Self, TypeAlias, TypedDict

from aiocredits._checks import Duration, check_choice, check_duration
from aiocredits._decorators.clients import ClientSource, check_source
from aiocredits._decorators.costs import Estimate, Limit
from aiocredits._decorators.selectors import Selector
from aiocredits._names import CREDITS, account_name
from aiocredits.commands import DEFAULT_TIMEOUT
from aiocredits.errors import ConfigurationError, CreditError
from aiocredits.types import IfShort

Verdict: TypeAlias = Literal["refund", "keep"]
Policy: TypeAlias = Verdict | Callable[[BaseException], Verdict]
OnExhausted: TypeAlias = Literal["stop", "extend", "overdraft", "raise"]


class CallOptions(TypedDict, total=False):
    """Whose call it is, and whom to ask about it."""

    user: Selector
    """Whose credits: a parameter (``"user_id"`` unless said otherwise), ``"request.user.id"``,
    ``"{org}:{user.id}"``, or a callable of the arguments that its own parameters name."""
    client: ClientSource
    """A `CreditClient` or a `SyncCreditClient`, or a callable that returns one. Unless given, it is
    the client of the context (``with client.use():``), or else the one that was opened last."""
    unit: str
    """What is counted: ``"credits"`` unless said otherwise."""


class ChargeOptions(CallOptions, total=False):
    """How a call is charged."""

    actor: Selector
    """Who it was, within the account: selected like `user`."""
    idempotency_key: Selector
    """Calls with the same key are charged once: a template such as ``"order:{order_id}"``, the
    name of a parameter, or a callable. Where the key comes out as None the call has none."""
    if_short: IfShort
    """What to do when the credits do not suffice, as in `consume_credits` of the client."""
    on_error: Policy
    """``"refund"`` (the default) gives the credits back when the function raises; ``"keep"``
    charges all the same, a stream for what it delivered; a callable is given the exception and
    returns one of the two."""
    on_disconnect: Policy
    """The same for a stream that is left before its end, whose default is ``"keep"``."""
    on_exhausted: OnExhausted
    """What to do when a result or a stream costs more than was reserved. ``"extend"`` (the
    default) reserves more, and raises `InsufficientCreditsError` when there is no more;
    ``"stop"`` ends the stream before the item that is not paid for, and takes of a finished call
    what was reserved; ``"overdraft"`` goes into debt; ``"raise"`` raises at once."""
    estimate: Estimate
    """What to reserve before the work: an amount, or a callable of arguments."""
    limit: Limit
    """Or the most that the result can measure: a number, a parameter's name, or a callable. Then
    the upper bound of the price is reserved."""
    usage: Mapping[str, str]
    """Where a rule finds its quantities, if not under their own names, as in
    ``{"output_tokens": "result.usage.output_tokens"}``."""
    timeout: Duration
    """When what is reserved is free again, whatever happens; long streams renew it."""


CALL_OPTIONS: frozenset[str] = CallOptions.__optional_keys__
CHARGE_OPTIONS: frozenset[str] = ChargeOptions.__optional_keys__


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Checked options, with their defaults."""

    user: Selector = "user_id"
    client: ClientSource | None = None
    unit: str = CREDITS
    actor: Selector | None = None
    idempotency_key: Selector | None = None
    if_short: IfShort = "reject"
    on_error: Policy = "refund"
    on_disconnect: Policy = "keep"
    on_exhausted: OnExhausted = "extend"
    estimate: Estimate | None = None
    limit: Limit | None = None
    usage: Mapping[str, str] | None = None
    timeout: Duration = DEFAULT_TIMEOUT

    @classmethod
    def of(cls, given: CallOptions, *, known: frozenset[str] = CHARGE_OPTIONS) -> Self:
        """Return the options that a decorator was given."""
        if unknown := [name for name in given if name not in known]:
            raise ConfigurationError(
                f"unknown option {unknown[0]!r}; there are: {', '.join(sorted(known))}"
            )
        options = cls(**given)
        options._check()
        return options

    def _check(self) -> None:
        try:
            check_choice("if_short", self.if_short, IfShort)
            check_choice("on_exhausted", self.on_exhausted, OnExhausted)
            for name, policy in (
                ("on_error", self.on_error),
                ("on_disconnect", self.on_disconnect),
            ):
                if not callable(policy):
                    check_choice(name, policy, Verdict)
            check_duration("timeout", self.timeout)
            account_name("anybody", self.unit)
        except CreditError as error:
            raise ConfigurationError(str(error)) from None
        check_source(self.client)
        if self.estimate is not None and self.limit is not None:
            raise ConfigurationError("estimate= and limit= both say what to reserve: give one")


def verdict(policy: Policy, error: BaseException) -> Verdict:
    """Return what a policy says about one exception."""
    return policy(error) if callable(policy) else policy
