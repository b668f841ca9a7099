"""The verbs that write: each sends one command and returns its receipt, or raises its refusal."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from functools import wraps
from inspect import Parameter, signature
from typing import Any, Concatenate, ParamSpec

from aiocredits import commands
from aiocredits._commands import Command, Linked, Outcome, Refused, Single
from aiocredits._receipt import Receipt
from aiocredits.errors import UsageError

P = ParamSpec("P")


class WriteVerbs(ABC):
    """Every write, over whatever takes commands."""

    @abstractmethod
    async def submit(self, command: Command) -> Receipt:
        """Return the receipt of one of `aiocredits.commands`, or raise why it was refused."""

    async def apply_all(self, *group: Single) -> tuple[Receipt, ...]:
        """Apply a group of `aiocredits.commands`, all of it or nothing, also across accounts.

        Each command sees the effects of those before it. The first refusal is raised, and then
        nothing of the group has happened. Each member may have its own ``idempotency_key``; one
        that was written before answers again what it answered then.
        """
        if not group:
            raise UsageError("apply_all() was given nothing: pass some of aiocredits.commands")
        for member in group:
            if not isinstance(member, Single):
                raise UsageError(
                    f"apply_all() was given {member!r}: pass values of aiocredits.commands, as in "
                    'commands.consume_credits("alice", 5)'
                )
        receipt = await self.submit(Linked(group))
        return receipt.linked


def verb(
    build: Callable[P, Single],
) -> Callable[Concatenate[WriteVerbs, P], Coroutine[Any, Any, Receipt]]:
    """Return a method that submits what `build` makes of its arguments."""

    @wraps(build)
    async def call(self: WriteVerbs, /, *args: P.args, **kwargs: P.kwargs) -> Receipt:
        return await self.submit(build(*args, **kwargs))

    own = signature(build)
    myself = Parameter("self", Parameter.POSITIONAL_OR_KEYWORD)
    call.__signature__ = own.replace(  # type: ignore[attr-defined]
        parameters=[myself, *own.parameters.values()], return_annotation=Receipt
    )
    return call


def answer(outcome: Outcome) -> Receipt:
    """Return an outcome's receipt, or raise its refusal."""
    if isinstance(outcome, Refused):
        raise outcome.error
    return outcome.receipt


class CreditVerbs(WriteVerbs):
    """The verbs of credits."""

    add_credits = verb(commands.add_credits)
    consume_credits = verb(commands.consume_credits)
    refund_credits = verb(commands.refund_credits)
    transfer_credits = verb(commands.transfer_credits)

    hold_credits = verb(commands.hold_credits)
    capture_hold = verb(commands.capture_hold)
    release_hold = verb(commands.release_hold)
    extend_hold = verb(commands.extend_hold)

    activate_grant = verb(commands.activate_grant)
    fail_grant = verb(commands.fail_grant)
    revoke_grant = verb(commands.revoke_grant)
    set_expiry = verb(commands.set_expiry)

    set_overdraft_limit = verb(commands.set_overdraft_limit)
    set_time_zone = verb(commands.set_time_zone)
    freeze_account = verb(commands.freeze_account)
    unfreeze_account = verb(commands.unfreeze_account)
    close_account = verb(commands.close_account)
    reopen_account = verb(commands.reopen_account)
