"""The built-in catalogue: prices to start from, a function each and all of them by name.

A started block counts: 101 characters are 2 credits at 1 per 100. ``of=`` names the parameter to
measure where yours has another name.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from aiocredits.pricing.compose import Rule
from aiocredits.pricing.rules import (
    flat,
    per_character,
    per_item,
    per_kilobyte,
    per_megabyte,
    per_step,
)
from aiocredits.types import Amount


def ai_chat(*, of: str = "message", minimum: Amount | None = None) -> Rule:
    """Price a chat at 1 per 100 characters of the message.

    >>> ai_chat().quote(message="x" * 101).total
    Decimal('2')
    """
    return per_character(1, every=100, of=of, minimum=minimum)


def ai_generation(*, of: str = "result", minimum: Amount | None = None) -> Rule:
    """Price a generation at 2 per 100 characters of the result."""
    return per_character(2, every=100, of=of, minimum=minimum)


def ai_analysis(*, of: str = "data", minimum: Amount | None = None) -> Rule:
    """Price an analysis at 1 per KB (10^3 bytes)."""
    return per_kilobyte(1, every=1, of=of, minimum=minimum)


def file_processing(*, of: str = "file_size", minimum: Amount | None = None) -> Rule:
    """Price the processing of a file at 1 per MB (10^6 bytes)."""
    return per_megabyte(1, every=1, of=of, minimum=minimum)


def file_upload(*, of: str | None = None) -> Rule:
    """Price an upload at 2 per file: one file a call, or those of the collection `of`.

    >>> file_upload().quote().total, file_upload(of="files").quote(files=["a", "b"]).total
    (Decimal('2'), Decimal('4'))
    """
    return flat(2) if of is None else per_item(2, of=of)


def file_conversion(*, of: str | None = None) -> Rule:
    """Price a conversion at 3 per file: one file a call, or those of the collection `of`."""
    return flat(3) if of is None else per_item(3, of=of)


def workflow_simple(*, of: str = "steps", minimum: Amount | None = None) -> Rule:
    """Price a simple workflow at 1 per 5 steps."""
    return per_step(1, every=5, of=of, minimum=minimum)


def workflow_complex(*, of: str = "steps", minimum: Amount | None = None) -> Rule:
    """Price a complex workflow at 1 per step."""
    return per_step(1, of=of, minimum=minimum)


def workflow_ai(*, of: str = "ai_steps", minimum: Amount | None = None) -> Rule:
    """Price an AI-powered workflow at 2 per AI step."""
    return per_step(2, of=of, minimum=minimum)


CATALOGUE: Final[Mapping[str, Rule]] = MappingProxyType(
    {
        "ai_analysis": ai_analysis(),
        "ai_chat": ai_chat(),
        "ai_generation": ai_generation(),
        "file_conversion": file_conversion(),
        "file_processing": file_processing(),
        "file_upload": file_upload(),
        "workflow_ai": workflow_ai(),
        "workflow_complex": workflow_complex(),
        "workflow_simple": workflow_simple(),
    }
)
