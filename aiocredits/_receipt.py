"""The receipt: what one accepted command did."""

from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from aiocredits._amounts import Micros, to_credits
from aiocredits._model import Slices
from aiocredits._names import make_id, split_account


class Receipt(NamedTuple):
    """What one accepted command did."""

    account: str
    number: int
    """The number of the command's own entry; 0 if there was nothing to write."""
    kind: str
    amount_micros: Micros
    version: int
    """The account's version after the command."""
    at: datetime
    available_micros: Micros
    held_micros: Micros
    overdraft_micros: Micros
    taken: Slices = ()
    key: str = ""
    shortfall_micros: Micros = 0
    expired_micros: Micros = 0
    """What was given back to grants that had ended, and so was lost at once."""
    expires_at: datetime | None = None
    """When the hold times out, or the grant ends, that the command set a time for."""
    replayed: bool = False
    """Whether the key was known, so that this is the answer of the first call."""
    linked: "tuple[Receipt, ...]" = ()
    """The receipts of the members of a group; of a transfer, the receiver's."""

    @property
    def id(self) -> str:
        """What a later call names: the charge to refund, the hold to capture, the grant."""
        return make_id(self.account, self.number)

    @property
    def user_id(self) -> str:
        """Whose account it was."""
        return split_account(self.account)[0]

    @property
    def unit(self) -> str:
        """What the account counts."""
        return split_account(self.account)[1]

    @property
    def slices(self) -> list[tuple[str, Decimal]]:
        """What was taken or given back: pairs of a grant's id and credits, in burn order."""
        return [(make_id(self.account, grant), to_credits(micros)) for grant, micros in self.taken]

    @property
    def amount(self) -> Decimal:
        """How many credits were moved."""
        return to_credits(self.amount_micros)

    @property
    def balance(self) -> Decimal:
        """What could be spent after it, in credits."""
        return to_credits(self.available_micros)

    @property
    def held(self) -> Decimal:
        """What is reserved, in credits."""
        return to_credits(self.held_micros)

    @property
    def overdraft(self) -> Decimal:
        """What is owed, in credits."""
        return to_credits(self.overdraft_micros)

    @property
    def shortfall(self) -> Decimal:
        """How much less was taken than was asked for, in credits."""
        return to_credits(self.shortfall_micros)

    @property
    def expired(self) -> Decimal:
        """What was lost at once, in credits."""
        return to_credits(self.expired_micros)
