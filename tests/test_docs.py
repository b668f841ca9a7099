"""Every example that README, pages and docstrings show is run, and prints what it says it prints.

A page is a script: its ``python`` blocks run in order, in one namespace and in an empty directory.
A ``text`` block right below one shows what that one prints. ``await`` may stand at the top, on one
event loop a page. A block that cannot run here has its reason in a comment above it::

    <!-- not run: needs an account at a payment provider -->
"""

import ast
import asyncio
import contextlib
import importlib
import inspect
import io
import itertools
import re
import textwrap
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from types import CodeType, SimpleNamespace

import pytest

import aiocredits
from aiocredits import CreditClient

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]

FENCE = re.compile(
    r"(?:^<!-- not run: (?P<reason>[^\n]+?) -->\n+)?"
    r"^```(?P<info>[^\n]*)\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
LINK = re.compile(r"(?<!!)\[[^\]]*\]\((?P<target>[^)\s]+)\)")
HEADING = re.compile(r"^#+ +(?P<text>.+)$", re.MULTILINE)


def compiled(code: str, path: Path) -> CodeType:
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    result: CodeType = compile(code, str(path), "exec", flags, dont_inherit=True)
    return result


@dataclass(frozen=True)
class Block:
    """A block of code on a page, and what the page says that it prints."""

    page: Path
    line: int
    code: str
    reason: str | None
    output: str | None

    def compiled(self) -> CodeType:
        # Empty lines in front, so that a traceback points to the line of the page.
        return compiled("\n" * (self.line - 1) + self.code, self.page)


def blocks_of(page: Path) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    fences = list(FENCE.finditer(text))
    for fence, following in itertools.zip_longest(fences, fences[1:]):
        if fence["info"] != "python":
            continue
        output = None
        if following and following["info"] == "text":
            between = text[fence.end() : following.start()]
            output = None if between.strip() else following["code"]
        line = text.count("\n", 0, fence.start("code")) + 1
        yield Block(page, line, fence["code"], fence["reason"], output)


def execute(code: CodeType, namespace: dict[str, object], runner: asyncio.Runner) -> str:
    """Run a block, awaiting what it awaits, and return what it printed."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        awaitable = eval(code, namespace)  # noqa: S307 - our own examples
        if inspect.iscoroutine(awaitable):
            runner.run(awaitable)
    return printed.getvalue()


def with_blocks(pages: list[Path]) -> list[Path]:
    return [page for page in pages if any(blocks_of(page))]


@pytest.mark.parametrize("page", with_blocks(PAGES), ids=lambda page: page.name)
def test_a_page_does_what_it_says(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AIOCREDITS_URL", raising=False)
    namespace: dict[str, object] = {"__name__": "__main__"}
    with asyncio.Runner() as runner:
        for block in blocks_of(page):
            code = block.compiled()
            if block.reason is not None:
                continue
            printed = execute(code, namespace, runner)
            if block.output is not None:
                assert printed.rstrip() == block.output.rstrip(), f"{page.name}:{block.line}"
        for value in namespace.values():
            if isinstance(value, CreditClient):
                runner.run(value.close())


# Docstrings


@dataclass(frozen=True)
class Example:
    """The indented part of a docstring, if it is Python."""

    name: str
    code: CodeType
    namespace: Mapping[str, object]


def examples_of(path: Path) -> Iterator[Example]:
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        lines = (ast.get_docstring(node) or "").splitlines()
        code = textwrap.dedent("\n".join(line for line in lines if line.startswith("    ")))
        try:
            executable = compiled(code, path)
        except SyntaxError:  # a drawing
            continue
        if code.strip():
            name = f"{module}.{getattr(node, 'name', '__doc__')}"
            yield Example(name, executable, vars(importlib.import_module(module)))


def docstring_examples() -> list[Example]:
    return [
        example
        for path in sorted((ROOT / "aiocredits").rglob("*.py"))
        for example in examples_of(path)
    ]


async def model(_: object) -> SimpleNamespace:
    """Stand in for whatever an example pays for."""
    return SimpleNamespace(text="an answer", cost=3)


STAND_INS: Mapping[str, object] = {
    "Decimal": Decimal,
    "Editor": object,
    "MyStorage": object,
    "model": model,
    "price": lambda _: 3,
    "pytest": pytest,
    "question": "why?",
    "timedelta": timedelta,
}


NOT_RUN = {
    "aiocredits._client.in_transaction": "needs PostgreSQL: see tests/postgres/test_transaction.py",
}


@pytest.mark.parametrize(
    "example",
    [example for example in docstring_examples() if example.name not in NOT_RUN],
    ids=lambda example: example.name,
)
def test_the_example_of_a_docstring_runs(
    example: Example, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with asyncio.Runner() as runner:
        client = runner.run(CreditClient("memory://").open())
        runner.run(client.add_credits("alice", 100, "to spend in examples"))
        public = {name: getattr(aiocredits, name) for name in dir(aiocredits)}
        given = {**public, **example.namespace, **STAND_INS, "client": client}
        execute(example.code, given, runner)
        runner.run(client.close())


def test_docstring_examples_are_found() -> None:
    names = {example.name for example in docstring_examples()}
    assert {"aiocredits.__doc__", "aiocredits._client.CreditClient", *NOT_RUN} <= names


# Links and commands


def anchor(heading: str) -> str:
    """Return the fragment by which a heading is linked to, on GitHub and in the built pages."""
    words = re.sub(r"[^\w\- ]", "", heading.strip().lower())
    return words.replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    prose = FENCE.sub("", page.read_text(encoding="utf-8"))
    for link in LINK.finditer(prose):
        path, _, fragment = link["target"].partition("#")
        if "://" in path:
            continue
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page.name} links to {link['target']}"
        if fragment:
            headings = HEADING.findall(target.read_text(encoding="utf-8"))
            assert fragment in map(anchor, headings), f"{page.name} links to {link['target']}"


def test_the_tests_that_the_guarantees_name_exist() -> None:
    page = (ROOT / "docs" / "guarantees.md").read_text(encoding="utf-8")
    tests = [*(ROOT / "tests").rglob("*.py"), *(ROOT / "aiocredits" / "testing").rglob("*.py")]
    written = "\n".join(path.read_text(encoding="utf-8") for path in tests)
    named = re.findall(r"`(test_\w+)`", page)
    assert named
    assert [name for name in named if f"def {name}(" not in written] == []
    for path in re.findall(r"`((?:tests|benchmarks)/[\w/]+\.py)`", page):
        assert (ROOT / path).exists(), path


def test_readme_gives_the_commands_that_the_gate_relies_on() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = [fence["code"].strip() for fence in FENCE.finditer(readme) if fence["info"] == "sh"]
    environment = "python3 -m venv .venv"
    story = ".venv/bin/pip install . && .venv/bin/python examples/quickstart.py"
    suite = ".venv/bin/pip install '.[test]' && .venv/bin/python -m pytest"
    assert f"{environment} && {story}" in commands
    assert suite in commands

    # The gate runs the suite in the same way, after installing at least as much.
    gate = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert gate.rstrip().endswith("python -m pytest")
    assert ".[dev]" in gate
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    assert "test" in extras
    assert any(re.match(r"aiocredits\[.*\btest\b.*\]", need) for need in extras["dev"])


def test_readme_quotes_the_licence_and_python_of_the_package() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert f"Python {project['requires-python'].removeprefix('>=')}" in readme
    assert project["license"] == "Apache-2.0"
    assert "Apache License 2.0" in readme
