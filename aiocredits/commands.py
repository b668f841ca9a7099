"""Every write, as a value: what the client's verbs send, and what `apply_all` takes a group of.

    from aiocredits import commands

    await client.apply_all(
        commands.consume_credits("alice", 5, "one report"),
        commands.add_credits("bob", 1, "his share"),
    )

Each function has the name, the arguments and the meaning of the client's verb, does no I/O, and
raises an `InvalidInputError` for what no books would take.

All take ``idempotency_key``: the same call with the same key acts once and answers the same, from
any process and at any time later. Amounts are credits with up to six decimals, never floats.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal

from aiocredits import _commands as data
from aiocredits._amounts import to_micros, to_micros_or_zero
from aiocredits._checks import (
    Duration,
    check_choice,
    check_duration,
    check_instant,
    check_member,
    check_metadata,
    check_priority,
    check_scope,
    check_text,
    check_unit_cost,
)
from aiocredits._model import DEFAULT_PRIORITY
from aiocredits._names import CREDITS, account_name, check_key, new_key, parse_id
from aiocredits.types import Amount, Category, IfOver, IfShort, Metadata, UserId

DEFAULT_TIMEOUT = timedelta(minutes=15)


def add_credits(
    user_id: UserId,
    credits: Amount,
    description: str = "",
    *,
    priority: int = DEFAULT_PRIORITY,
    category: Category = "paid",
    unit_cost: Decimal | int | str | None = None,
    scope: Iterable[str] | None = None,
    effective_at: datetime | None = None,
    expires_at: datetime | None = None,
    pending: bool = False,
    unit: str = CREDITS,
    metadata: Metadata | None = None,
    idempotency_key: str | None = None,
) -> data.AddGrant:
    """Add a grant of credits, spendable from `effective_at` until just before `expires_at`.

    `priority` is 0 (burns first) to 100. `unit_cost` is what the user paid for one credit, in
    money. `scope` names the services that the grant may pay for, where not all. A `pending` grant
    waits for `activate_grant`. Raises `InvalidExpiryError` if nothing of it could ever be spent,
    and `AccountClosedError`.
    """
    check_choice("category", category, Category)
    return data.AddGrant(
        account_name(user_id, unit),
        _key(idempotency_key),
        to_micros(credits),
        check_text("description", description),
        check_priority(priority),
        category,
        check_unit_cost(unit_cost),
        check_scope(scope),
        check_instant("effective_at", effective_at),
        check_instant("expires_at", expires_at),
        pending,
        check_metadata(metadata),
    )


def consume_credits(
    user_id: UserId,
    credits: Amount,
    description: str = "",
    *,
    service: str | None = None,
    actor: str | None = None,
    if_short: IfShort = "reject",
    occurred_at: datetime | None = None,
    unit: str = CREDITS,
    metadata: Metadata | None = None,
    idempotency_key: str | None = None,
) -> data.Consume:
    """Charge `credits`, in one step with the check that they are there.

    `if_short` says what happens when they are not: ``"reject"`` (the default) raises
    `InsufficientCreditsError`; ``"partial"`` takes what there is and reports the `shortfall`;
    ``"overdraft"`` goes into debt up to the account's limit, or raises `OverdraftLimitError`.
    `occurred_at` charges usage that is reported late to the grants that were valid then. Raises
    `AccountFrozenError` and `AccountClosedError`.
    """
    if if_short != "reject":
        check_choice("if_short", if_short, IfShort)
    return data.Consume(
        account_name(user_id, unit),
        _key(idempotency_key),
        to_micros(credits),
        check_text("description", description),
        check_member("service", service),
        check_member("actor", actor),
        if_short,
        check_instant("occurred_at", occurred_at),
        check_metadata(metadata),
    )


def hold_credits(
    user_id: UserId,
    credits: Amount,
    description: str = "",
    *,
    timeout: Duration = DEFAULT_TIMEOUT,
    service: str | None = None,
    actor: str | None = None,
    if_short: IfShort = "reject",
    unit: str = CREDITS,
    metadata: Metadata | None = None,
    idempotency_key: str | None = None,
) -> data.PlaceHold:
    """Reserve `credits` so that nobody else can spend them; the receipt's `id` names the hold.

    After `timeout` (15 minutes unless said otherwise, 30 days at most) the hold ends by itself and
    its credits are free again. ``if_short="partial"`` holds what there is. Raises
    `InsufficientCreditsError`, `AccountFrozenError`, `AccountClosedError`, `InvalidExpiryError`.
    """
    if if_short != "reject":
        check_choice("if_short", if_short, IfShort)
    return data.PlaceHold(
        account_name(user_id, unit),
        _key(idempotency_key),
        to_micros(credits),
        check_duration("timeout", timeout),
        check_text("description", description),
        check_member("service", service),
        check_member("actor", actor),
        if_short,
        check_metadata(metadata),
    )


def capture_hold(
    hold_id: str,
    credits: Amount | None = None,
    description: str = "",
    *,
    final: bool = True,
    if_over: IfOver = "reject",
    metadata: Metadata | None = None,
    idempotency_key: str | None = None,
) -> data.CaptureHold:
    """Charge what was used of a hold, all of it unless said otherwise, and free the rest.

    With ``final=False`` the rest stays held for further captures. Above the hold, `if_over` says
    what happens: ``"reject"`` (the default) raises `CaptureExceedsHoldError`, ``"available"`` takes
    more if there is more, ``"cap"`` takes the hold, ``"overdraft"`` goes into debt. Raises
    `HoldExpiredError`, `HoldClosedError`, `NotFoundError`.
    """
    if if_over != "reject":
        check_choice("if_over", if_over, IfOver)
    hold = parse_id(hold_id)
    return data.CaptureHold(
        hold.account,
        _key(idempotency_key),
        hold.number,
        None if credits is None else to_micros(credits),
        final,
        if_over,
        check_text("description", description),
        check_metadata(metadata),
    )


def release_hold(hold_id: str, *, idempotency_key: str | None = None) -> data.ReleaseHold:
    """Free what a hold still reserves; one that has ended stays as it is."""
    hold = parse_id(hold_id)
    return data.ReleaseHold(hold.account, _key(idempotency_key), hold.number)


def extend_hold(
    hold_id: str,
    *,
    timeout: Duration | None = None,
    credits: Amount | None = None,
    idempotency_key: str | None = None,
) -> data.ExtendHold:
    """Give a hold another `timeout`, counted from now, or more credits, or both.

    Raises `HoldExpiredError`, `HoldClosedError`, `InsufficientCreditsError`.
    """
    hold = parse_id(hold_id)
    return data.ExtendHold(
        hold.account,
        _key(idempotency_key),
        hold.number,
        None if timeout is None else check_duration("timeout", timeout),
        0 if credits is None else to_micros(credits),
    )


def refund_credits(
    charge_id: str,
    credits: Amount | None = None,
    description: str = "",
    *,
    metadata: Metadata | None = None,
    idempotency_key: str | None = None,
) -> data.Refund:
    """Give back a charge, all that is left of it unless said otherwise, to the grants that paid.

    `charge_id` is the `id` of a receipt of `consume_credits` or `capture_hold`. What goes back to a
    grant that has ended is lost at once; the receipt's `expired` says how much. Raises
    `RefundExceedsChargeError`, `NotFoundError`, `AccountClosedError`.
    """
    charge = parse_id(charge_id)
    return data.Refund(
        charge.account,
        _key(idempotency_key),
        charge.number,
        None if credits is None else to_micros(credits),
        check_text("description", description),
        check_metadata(metadata),
    )


def revoke_grant(
    grant_id: str,
    credits: Amount | None = None,
    description: str = "",
    *,
    metadata: Metadata | None = None,
    idempotency_key: str | None = None,
) -> data.RevokeGrant:
    """Forfeit what is unspent of a grant, or a part of it; what was spent stays spent."""
    grant = parse_id(grant_id)
    return data.RevokeGrant(
        grant.account,
        _key(idempotency_key),
        grant.number,
        None if credits is None else to_micros(credits),
        check_text("description", description),
        check_metadata(metadata),
    )


def activate_grant(grant_id: str, *, idempotency_key: str | None = None) -> data.ActivateGrant:
    """Make a pending grant spendable; doing it twice changes nothing.

    Raises `GrantClosedError` for one that failed, expired or was revoked.
    """
    grant = parse_id(grant_id)
    return data.ActivateGrant(grant.account, _key(idempotency_key), grant.number)


def fail_grant(grant_id: str, *, idempotency_key: str | None = None) -> data.FailGrant:
    """End a pending grant whose payment failed, for good."""
    grant = parse_id(grant_id)
    return data.FailGrant(grant.account, _key(idempotency_key), grant.number)


def set_expiry(
    grant_id: str, expires_at: datetime | None, *, idempotency_key: str | None = None
) -> data.SetExpiry:
    """Move the end of a grant that is alive; None means never.

    Raises `GrantClosedError`, and `InvalidExpiryError` for an instant that has passed.
    """
    grant = parse_id(grant_id)
    instant = check_instant("expires_at", expires_at)
    return data.SetExpiry(grant.account, _key(idempotency_key), grant.number, instant)


def transfer_credits(
    from_user_id: UserId,
    to_user_id: UserId,
    credits: Amount,
    description: str = "",
    *,
    unit: str = CREDITS,
    metadata: Metadata | None = None,
    idempotency_key: str | None = None,
) -> data.Transfer:
    """Move credits in one step; they keep priority, expiry, category, cost and scope.

    The receipt is the sender's; ``receipt.linked[0]`` is the receiver's. Raises
    `InsufficientCreditsError`, `AccountFrozenError`, `AccountClosedError`.
    """
    return data.Transfer(
        account_name(from_user_id, unit),
        _key(idempotency_key),
        account_name(to_user_id, unit),
        to_micros(credits),
        check_text("description", description),
        check_metadata(metadata),
    )


def set_overdraft_limit(
    user_id: UserId, credits: Amount, *, unit: str = CREDITS, idempotency_key: str | None = None
) -> data.Configure:
    """Allow debt up to `credits`, 0 for none; what is owed already stays owed."""
    return data.Configure(
        account_name(user_id, unit),
        _key(idempotency_key),
        overdraft_limit_micros=to_micros_or_zero(credits),
    )


def set_time_zone(
    user_id: UserId, time_zone: str, *, unit: str = CREDITS, idempotency_key: str | None = None
) -> data.Configure:
    """Set the IANA zone in which the account's days and months are counted; it begins as UTC."""
    return data.Configure(
        account_name(user_id, unit),
        _key(idempotency_key),
        time_zone=check_text("time_zone", time_zone),
    )


def freeze_account(
    user_id: UserId, *, unit: str = CREDITS, idempotency_key: str | None = None
) -> data.Configure:
    """Take no new charges or holds; what is held can still be captured or released."""
    account = account_name(user_id, unit)
    return data.Configure(account, _key(idempotency_key), "frozen", "open")


def unfreeze_account(
    user_id: UserId, *, unit: str = CREDITS, idempotency_key: str | None = None
) -> data.Configure:
    """Undo `freeze_account`."""
    account = account_name(user_id, unit)
    return data.Configure(account, _key(idempotency_key), "open", "frozen")


def close_account(
    user_id: UserId, *, unit: str = CREDITS, idempotency_key: str | None = None
) -> data.Configure:
    """Take nothing any more but releases, expiry and `reopen_account`."""
    account = account_name(user_id, unit)
    return data.Configure(account, _key(idempotency_key), "closed")


def reopen_account(
    user_id: UserId, *, unit: str = CREDITS, idempotency_key: str | None = None
) -> data.Configure:
    """Undo `close_account`."""
    account = account_name(user_id, unit)
    return data.Configure(account, _key(idempotency_key), "open", "closed")


def _key(idempotency_key: str | None) -> str:
    return new_key() if idempotency_key is None else check_key(idempotency_key)
