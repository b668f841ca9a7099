"""The package as a whole: what it imports, and that its examples run."""

import doctest
import importlib
import pkgutil
import subprocess
import sys

import pytest

import aiocredits
from aiocredits import pricing

MODULES = sorted(module.name for module in pkgutil.iter_modules(pricing.__path__))

SCRIPT = """
import sys, types
sys.modules["aiocredits"] = package = types.ModuleType("aiocredits")
package.__path__ = sys.argv[1:]  # without the imports of its __init__
import aiocredits.pricing
print(*sys.modules)
"""

LOUD = {"aiosqlite", "anyio", "asyncio", "asyncpg", "logging", "pydantic", "random", "sqlite3"}


def test_importing_prices_imports_neither_pydantic_nor_anything_with_effects() -> None:
    run = [sys.executable, "-c", SCRIPT, *aiocredits.__path__]
    loaded = set(subprocess.run(run, capture_output=True, text=True, check=True).stdout.split())
    assert LOUD.isdisjoint(loaded)
    rooms = {name.split(".")[1] for name in loaded if name.startswith("aiocredits.")}
    assert rooms == {"pricing", "_amounts", "errors", "types"}


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_the_docstrings_run(name: str) -> None:
    module = importlib.import_module(f"aiocredits.pricing.{name}")
    assert doctest.testmod(module).failed == 0


def test_what_is_exported_is_there() -> None:
    assert len(set(pricing.__all__)) == len(pricing.__all__)
    assert all(hasattr(pricing, name) for name in pricing.__all__)
