"""Decorators with a price from the built-in catalogue.

The first argument names what is measured: a parameter, a path into one (``"body.text"``), or
``"result"``. A started block counts, and nothing costs nothing unless `minimum` says otherwise.
"""
# ruff: noqa: PLC0415 - prices take time to import, and are needed only by those who use them

from collections.abc import Callable
from typing import Literal, ParamSpec, TypeAlias, TypeVar, Unpack, get_args

from aiocredits._decorators.decorator import decorator
from aiocredits._decorators.options import ChargeOptions, Options
from aiocredits.errors import ConfigurationError
from aiocredits.types import Amount

P = ParamSpec("P")
T = TypeVar("T")

WorkflowKind: TypeAlias = Literal["simple", "complex", "ai"]


def ai_chat_credits(
    of: str = "message",
    service: str = "AI Chat",
    *,
    minimum: Amount | None = None,
    **options: Unpack[ChargeOptions],
) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Charge 1 credit per 100 characters of the message.

        @ai_chat_credits("message")
        async def chat(user_id: str, message: str) -> str: ...

    A character is a Unicode code point. The price is known before the work.
    """
    from aiocredits.pricing.catalogue import ai_chat

    return decorator(ai_chat(of=of, minimum=minimum), service, Options.of(options))


def ai_analysis_credits(
    of: str = "data",
    service: str = "AI Analysis",
    *,
    minimum: Amount | None = None,
    **options: Unpack[ChargeOptions],
) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Charge 1 credit per KB (10^3 bytes) of what is analysed.

    It is measured in bytes: a number of them, a buffer, a path, an upload; a text is encoded first.
    """
    from aiocredits.pricing.catalogue import ai_analysis

    return decorator(ai_analysis(of=of, minimum=minimum), service, Options.of(options))


def ai_generation_credits(
    of: str = "result",
    service: str = "AI Generation",
    *,
    minimum: Amount | None = None,
    **options: Unpack[ChargeOptions],
) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Charge 2 credits per 100 characters that the function returns, or a stream delivers.

        @ai_generation_credits(limit="length")
        async def write(user_id: str, topic: str, length: int) -> str: ...

    Until that is known, the price of `limit` characters is reserved, or of one.
    """
    from aiocredits.pricing.catalogue import ai_generation

    return decorator(ai_generation(of=of, minimum=minimum), service, Options.of(options))


def file_processing_credits(
    of: str = "file_size",
    service: str = "File Processing",
    *,
    minimum: Amount | None = None,
    **options: Unpack[ChargeOptions],
) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Charge 1 credit per MB (10^6 bytes) of a file.

        @file_processing_credits("file_size")
        async def process(user_id: str, file_size: int) -> None: ...

    The file is given as a number of bytes, a buffer, a path or an upload.
    """
    from aiocredits.pricing.catalogue import file_processing

    return decorator(file_processing(of=of, minimum=minimum), service, Options.of(options))


def file_upload_credits(
    of: str | None = None, service: str = "File Upload", **options: Unpack[ChargeOptions]
) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Charge 2 credits per file: one a call, or those in the collection `of`."""
    from aiocredits.pricing.catalogue import file_upload

    return decorator(file_upload(of=of), service, Options.of(options))


def file_conversion_credits(
    of: str | None = None, service: str = "File Conversion", **options: Unpack[ChargeOptions]
) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Charge 3 credits per file: one a call, or those in the collection `of`."""
    from aiocredits.pricing.catalogue import file_conversion

    return decorator(file_conversion(of=of), service, Options.of(options))


def workflow_credits(
    kind: WorkflowKind = "simple",
    of: str | None = None,
    service: str = "Workflow",
    *,
    minimum: Amount | None = None,
    **options: Unpack[ChargeOptions],
) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Charge a workflow by its steps, given as a number or as the collection of them.

        @workflow_credits("complex")
        async def run(user_id: str, steps: list[str]) -> None: ...

    ``"simple"`` is 1 credit per 5 steps, ``"complex"`` 1 per step, ``"ai"`` 2 per AI step. `of` is
    ``"steps"`` unless said otherwise, and ``"ai_steps"`` for the last.
    """
    from aiocredits.pricing import catalogue

    if kind not in get_args(WorkflowKind):
        raise ConfigurationError(
            f"workflow_credits({kind!r}): a workflow is 'simple', 'complex' or 'ai'"
        )
    rule = {
        "simple": catalogue.workflow_simple,
        "complex": catalogue.workflow_complex,
        "ai": catalogue.workflow_ai,
    }[kind]
    of = of or ("ai_steps" if kind == "ai" else "steps")
    return decorator(rule(of=of, minimum=minimum), service, Options.of(options))
