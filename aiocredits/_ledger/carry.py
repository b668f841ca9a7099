"""What a storage may keep of one batch for the next, so that it need not load it again."""

from datetime import datetime

from aiocredits._model import OPEN_GRANT_STATES, Books, Grant


def carried_over(books: Books) -> Books | None:
    """Return an account with its open grants, or None if the next batch has to load it.

    It stays bounded: what has ended is left out, and so are holds and charges, which are loaded
    when they are named. An account in debt needs the charges that it owes for.
    """
    if books.account.overdraft_micros:
        return None
    for grant in books.grants.values():
        if grant.state not in OPEN_GRANT_STATES:
            return Books(books.account, _open_grants(books))
    if not books.holds and not books.charges:
        return books
    return Books(books.account, books.grants)


def _open_grants(books: Books) -> dict[int, Grant]:
    return {
        number: grant for number, grant in books.grants.items() if grant.state in OPEN_GRANT_STATES
    }


def suffices(books: Books, at: datetime) -> bool:
    """Tell whether carried books are all that there is to know at `at`: nothing is due by then."""
    due_at = books.account.due_at
    return due_at is None or (due_at > at and due_at > books.account.at)
