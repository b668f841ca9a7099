"""What happens by the passing of time alone.

Nothing here needs a scheduler: whoever looks at an account first lets happen what is due, each
thing dated at its own instant. So it makes no difference who looked in between, or whether.
"""

from collections.abc import Iterator
from datetime import datetime

from aiocredits._ledger.draft import Draft
from aiocredits._ledger.landing import give_back, land
from aiocredits._model import Books, Slice, total

# At one instant holds end first, then grants, and then others begin.
_TIMEOUT, _EXPIRY, _START = range(3)


def project(books: Books, at: datetime) -> Books:
    """Return the books as they are at `at` if nobody asks anything of them until then."""
    draft = Draft(books, at)
    settle(draft)
    return draft.books()


def settle(draft: Draft) -> None:
    """Let everything happen that is due by the instant of the draft."""
    if draft.due_at is None or draft.due_at > draft.at:
        return
    draft.due_at = None
    for instant, event, number in sorted(_due(draft)):
        match event:
            case _ if event == _TIMEOUT:
                _time_out(draft, number, instant)
            case _ if event == _EXPIRY:
                _expire(draft, number, instant)
            case _:
                _start(draft, number, instant)
    for ahead in _ahead(draft):
        draft.due_by(ahead)
    draft.account = draft.account._replace(due_at=draft.due_at)


def _due(draft: Draft) -> Iterator[tuple[datetime, int, int]]:
    for number, hold in draft.holds.items():
        if hold.state == "open" and hold.expires_at <= draft.at:
            yield hold.expires_at, _TIMEOUT, number
    for number, grant in draft.grants.items():
        if grant.state not in {"live", "scheduled", "pending"}:
            continue
        if grant.expires_at is not None and grant.expires_at <= draft.at:
            yield grant.expires_at, _EXPIRY, number
        if grant.state == "scheduled" and grant.effective_at <= draft.at:
            yield grant.effective_at, _START, number


def _ahead(draft: Draft) -> Iterator[datetime | None]:
    yield draft.before.next_timeout
    for hold in draft.holds.values():
        if hold.state == "open":
            yield hold.expires_at
    for grant in draft.grants.values():
        if grant.state in {"live", "scheduled", "pending"}:
            yield grant.expires_at
        if grant.state == "scheduled":
            yield grant.effective_at


def _time_out(draft: Draft, number: int, instant: datetime) -> None:
    hold = draft.holds[number]
    draft.put_hold(hold.left_with((), "expired"))
    landing = give_back(draft, hold.slices, from_hold=True, at=instant)
    held = total(hold.slices)
    draft.post(
        "timeout",
        held,
        available=landing.available,
        held=-held,
        overdraft=landing.overdraft,
        slices=hold.slices,
        subject=number,
        service=hold.service,
        actor=hold.actor,
        detail=landing.detail or None,
        at=instant,
    )


def _expire(draft: Draft, number: int, instant: datetime) -> None:
    grant = draft.grants[number]
    left = grant.remaining_micros
    if grant.state == "pending":
        draft.put_grant(grant._replace(state="expired", remaining_micros=0))
        draft.post("cancel", left, subject=number, detail={"state": "expired"}, at=instant)
        return
    # Spent between two looks, and so no longer live: there is nothing left to expire.
    if grant.state != "live":
        return
    draft.put_grant(
        grant._replace(
            state="expiring" if grant.held_micros else "expired",
            remaining_micros=0,
            lapsed_micros=grant.lapsed_micros + left,
        )
    )
    draft.post(
        "expire",
        left,
        available=-left,
        slices=(Slice(number, left),) if left else (),
        subject=number,
        at=instant,
    )


def _start(draft: Draft, number: int, instant: datetime) -> None:
    grant = draft.grants[number]
    draft.put_grant(grant._replace(state="live"))
    landing = land(draft, grant.remaining_micros)
    draft.post(
        "grant",
        grant.remaining_micros,
        available=landing.available,
        overdraft=landing.overdraft,
        slices=(Slice(number, grant.remaining_micros),),
        subject=number,
        detail=landing.detail or None,
        at=instant,
    )
