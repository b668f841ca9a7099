"""The aliases that callers annotate with."""

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Literal, TypeAlias
from uuid import UUID

UserId: TypeAlias = int | str | UUID
"""Whose credits. The canonical text is the name: ``7`` and ``"7"`` are one account."""

Amount: TypeAlias = int | Decimal | str
"""Credits: positive, at most six decimals. A ``float`` is refused."""

Clock: TypeAlias = Callable[[], datetime]
"""Returns the present as an aware datetime; injected, so that tests own the time."""

JsonScalar: TypeAlias = str | int | bool | None
Metadata: TypeAlias = Mapping[str, JsonScalar]
"""A flat mapping kept beside an entry. It explains a movement and never decides one."""

Category: TypeAlias = Literal["paid", "promo"]
"""Whether a grant was bought or given: promo burns first among equals."""

IfShort: TypeAlias = Literal["reject", "partial", "overdraft"]
"""What a charge does when the credits do not suffice."""

IfOver: TypeAlias = Literal["reject", "available", "cap", "overdraft"]
"""What a capture above its hold does."""
