"""What a batch needs to know before it can be decided."""

from collections.abc import Sequence
from datetime import datetime

from aiocredits._commands import (
    ActivateGrant,
    CaptureHold,
    Command,
    Consume,
    ExtendHold,
    FailGrant,
    Refund,
    ReleaseHold,
    RevokeGrant,
    SetExpiry,
    Transfer,
    singles,
)
from aiocredits._ledger.state import KeyOf, NumberOf, Scope
from aiocredits._names import is_new_key


def scope_of(commands: Sequence[Command], *, every_key: bool = False) -> Scope:
    """Return what the commands touch.

    A key that the library made up is new unless a write is repeated, so it is not looked up at
    first: a storage that repeats a write, or whose unique index meets such a key, decides with
    `every_key`. What a caller repeats, after an `OutcomeUnknownError`, is always looked up.
    """
    accounts: set[str] = set()
    keys: set[KeyOf] = set()
    grants: set[NumberOf] = set()
    holds: set[NumberOf] = set()
    charges: set[NumberOf] = set()
    late: dict[str, datetime] = {}
    for command in singles(commands):
        account = command.account
        accounts.add(account)
        if every_key or not is_new_key(command.key):
            keys.add((account, command.key))
        match command:
            case Consume():
                if command.occurred_at is not None:
                    late[account] = min(late.get(account, command.occurred_at), command.occurred_at)
            case CaptureHold() | ReleaseHold() | ExtendHold():
                holds.add((account, command.hold))
            case Refund():
                charges.add((account, command.charge))
            case ActivateGrant() | FailGrant() | RevokeGrant() | SetExpiry():
                grants.add((account, command.grant))
            case Transfer():
                accounts.add(command.target)
            case _:
                pass
    return Scope(
        tuple(sorted(accounts)),
        tuple(sorted(keys)),
        tuple(sorted(grants)),
        tuple(sorted(holds)),
        tuple(sorted(charges)),
        tuple(sorted(late.items())),
    )
