"""Openings: what the entries of an account add up to, up to one of them, so that they can go."""

from collections.abc import Mapping
from typing import NamedTuple

from aiocredits._amounts import Micros
from aiocredits._model import Account, Books, Charge, Grant, Hold


class Digest(NamedTuple):
    """Any number of rows in one number: they can be proved by it, in any order, and not read."""

    size: int = 0
    total: int = 0


NOTHING = Digest()


class Opening(NamedTuple):
    """An account after its entry `account.version`: where whoever reads its entries may begin.

    It does not grow with history: in full it has only what later entries may still be about. What
    has ended for good, and what was spent on each day, is kept elsewhere and proved by its digest.
    """

    account: Account
    grants: tuple[Grant, ...] = ()
    """Those that are open, and ended ones that usage reported late or a refund may reach."""
    holds: tuple[Hold, ...] = ()
    """Those that are open."""
    charges: tuple[Charge, ...] = ()
    """Those that are owed for, and those that entries after the opening are about."""
    totals: Mapping[str, Micros] = {}
    """Micro-credits by where they came from or went to, over the life of the account."""
    ended_grants: Digest = NOTHING
    ended_holds: Digest = NOTHING
    usage: Digest = NOTHING
    seal: str = ""
    """The digest of all else, as it was written."""

    @property
    def books(self) -> Books:
        """The books that it opens with."""
        return Books(
            self.account,
            {grant.number: grant for grant in self.grants},
            {hold.number: hold for hold in self.holds},
            {charge.number: charge for charge in self.charges},
        )
