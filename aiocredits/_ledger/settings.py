"""What an account is allowed: open, frozen or closed; its overdraft limit; its time zone."""

from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from aiocredits._commands import Configure
from aiocredits._ledger.draft import Draft
from aiocredits._ledger.keys import nothing_to_do, receipt_of, terms_of
from aiocredits._receipt import Receipt
from aiocredits.errors import InvalidInputError


def configure(draft: Draft, command: Configure) -> Receipt:
    """Change the settings of an account; a closed one can only be reopened, or closed again."""
    old = draft.account
    reopens_or_closes = command.status == "closed" or command.only_from == "closed"
    if not reopens_or_closes:
        draft.require_not_closed()
    status = command.status or old.status
    if command.only_from is not None and command.only_from != old.status:
        status = old.status
    limit = command.overdraft_limit_micros
    new = old._replace(
        status=status,
        overdraft_limit_micros=old.overdraft_limit_micros if limit is None else limit,
        time_zone=_known_zone(command.time_zone) or old.time_zone,
    )
    if new == old:
        return nothing_to_do(draft, command.key)
    draft.account = new
    entry = draft.post(
        "configure",
        0,
        key=command.key,
        terms=terms_of(command),
        detail={
            "status": new.status,
            "overdraft_limit_micros": new.overdraft_limit_micros,
            "time_zone": new.time_zone,
        },
    )
    return receipt_of(entry)


def _known_zone(name: str | None) -> str | None:
    if name is not None:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise InvalidInputError(
                f'time zone {name!r} is not known here: use an IANA name, as in "Europe/Berlin"'
            ) from None
    return name
