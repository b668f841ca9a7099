"""What a storage may keep of one batch for the next, so that it need not load it again."""

from collections.abc import Mapping
from datetime import datetime
from itertools import islice

from aiocredits._model import NO_HOLDS, OPEN_GRANT_STATES, Books, Hold

MAX_HOLDS = 2048
"""How many open holds of one account are worth remembering."""


def carried_over(books: Books, holds: Mapping[int, Hold] = NO_HOLDS) -> Books | None:
    """Return an account with its open grants, or None if the next batch has to load it.

    It stays bounded: what has ended is left out, and so are charges, and all but the given holds:
    they are loaded when they are named. An account in debt needs the charges that it owes for.
    """
    if books.account.overdraft_micros:
        return None
    grants = books.grants
    for grant in grants.values():
        if grant.state not in OPEN_GRANT_STATES:
            grants = {n: grant for n, grant in grants.items() if grant.state in OPEN_GRANT_STATES}
            break
    else:
        if books.holds is holds and not books.charges:
            return books
    return Books(books.account, grants, holds)


def remembered(books: Books) -> Books | None:
    """Return what to remember of an account that was loaded or decided, None for nothing."""
    holds = books.holds
    if holds:
        still = {number: hold for number, hold in holds.items() if hold.state == "open"}
        if len(still) < len(holds):
            holds = still or NO_HOLDS
    if len(holds) > MAX_HOLDS:
        holds = dict(islice(holds.items(), len(holds) - MAX_HOLDS, None))
    return carried_over(books, holds)


def suffices(books: Books, at: datetime) -> bool:
    """Tell whether carried books are all that there is to know at `at`: nothing is due by then."""
    due_at = books.account.due_at
    return due_at is None or (due_at > at and due_at > books.account.at)
