"""What a `credit_aware` function is told."""

from decimal import Decimal
from typing import TypedDict


class CreditInfo(TypedDict):
    """What a call costs, and what is left."""

    current_balance: Decimal
    """What the user can spend, after the charge."""
    credits: Decimal
    """What was charged, or reserved."""
