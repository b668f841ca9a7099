"""The decorators with a price from the catalogue, in both spellings."""

import io
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from aiocredits import (
    SyncCreditClient,
    ai_analysis_credits,
    ai_chat_credits,
    ai_generation_credits,
    file_conversion_credits,
    file_processing_credits,
    file_upload_credits,
    workflow_credits,
)
from aiocredits.errors import ConfigurationError
from tests.decorators.books import START, USER, opened, settled


class Upload:
    """Looks as Starlette's does."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.file = io.BytesIO()


CASES: list[tuple[Any, str, Any, int]] = [
    (ai_chat_credits("message"), "message", "", 0),
    (ai_chat_credits("message"), "message", "x" * 100, 1),
    (ai_chat_credits("message"), "message", "x" * 101, 2),
    (ai_chat_credits(minimum=5), "message", "x", 5),
    (ai_analysis_credits("data"), "data", b"x" * 1001, 2),
    (ai_analysis_credits("size"), "size", 1000, 1),
    (file_processing_credits("file_size"), "file_size", 1_000_001, 2),
    (file_processing_credits("data"), "data", b"x", 1),
    (file_processing_credits("upload"), "upload", Upload(3_000_000), 3),
    (file_processing_credits("upload.size"), "upload", Upload(3_000_000), 3),
    (file_upload_credits(), "file", b"x", 2),
    (file_upload_credits("files"), "files", ["a", "b"], 4),
    (file_conversion_credits(), "file", b"x", 3),
    (file_conversion_credits("files"), "files", ["a", "b"], 6),
    (workflow_credits(), "steps", 6, 2),
    (workflow_credits("simple"), "steps", ["a"] * 5, 1),
    (workflow_credits("complex"), "steps", 6, 6),
    (workflow_credits("ai"), "ai_steps", 6, 12),
    (workflow_credits("ai", "steps"), "steps", 6, 12),
    (ai_generation_credits(), "prompt", "x" * 101, 4),
    (ai_generation_credits("draft"), "draft", "x", 2),
]
every_case = pytest.mark.parametrize(("decorate", "name", "value", "credits"), CASES)


def function_of(name: str, *, kind: str) -> Any:
    names: dict[str, Any] = {}
    exec(f"{kind} function(user_id, {name}): return {name}", names)  # noqa: S102 - our own text
    return names["function"]


@every_case
async def test_coroutines(decorate: Any, name: str, value: Any, credits: int) -> None:
    async with opened() as client:
        await decorate(function_of(name, kind="async def"))(USER, value)
        assert await settled(client) == credits


@every_case
def test_functions(decorate: Any, name: str, value: Any, credits: int) -> None:
    with SyncCreditClient("memory://") as client:
        client.add_credits(USER, START)
        decorate(function_of(name, kind="def"))(USER, value)
        assert START - client.get_user_balance(USER) == credits


@pytest.mark.parametrize(
    ("decorate", "name", "value", "credits"),
    [case for case in CASES if case[1] not in {"file", "prompt"}],
)
def test_the_argument_is_checked_when_decorating(
    decorate: Any, name: str, value: Any, credits: int
) -> None:
    def work(user_id: str) -> None: ...

    with pytest.raises(ConfigurationError, match="has no parameter"):
        decorate(work)


async def test_a_path(tmp_path: Path) -> None:
    @file_processing_credits("path")
    async def process(user_id: str, path: Path) -> None: ...

    file = tmp_path / "file"
    file.write_bytes(b"x" * 1_000_001)
    async with opened() as client:
        await process(USER, file)
        assert await settled(client) == 2


async def test_generation_chunk_by_chunk() -> None:
    @ai_generation_credits()
    async def write(user_id: str) -> AsyncGenerator[str]:
        for _ in range(101):
            yield "x"

    async with opened() as client:
        assert len([text async for text in write(USER)]) == 101
        assert await settled(client) == 4


def test_workflows_have_three_kinds() -> None:
    with pytest.raises(ConfigurationError, match="'simple', 'complex' or 'ai'"):
        workflow_credits("hard")  # type: ignore[arg-type]
