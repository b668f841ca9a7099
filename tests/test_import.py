"""What importing the package brings along, and what it offers."""

import json
import subprocess
import sys
import types

import pytest

import aiocredits
from aiocredits import commands, errors

HEAVY = {
    *("aiosqlite", "asyncpg", "sqlite3", "_sqlite3"),
    *("pydantic", "yaml", "dateutil", "stamina"),
    *("fastapi", "starlette", "litestar", "django", "flask", "httpx", "uvloop"),
    *("aiocredits.storages.memory", "aiocredits.storages.sqlite", "aiocredits.storages.postgres"),
    *("aiocredits.pricing", "aiocredits.testing", "hypothesis", "pytest"),
}


def imported_with(statement: str) -> set[str]:
    """Return the modules of a fresh interpreter after `statement`."""
    script = f"import sys, json; {statement}; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    return set(json.loads(done.stdout))


def test_importing_the_package_imports_no_driver_and_no_framework() -> None:
    assert imported_with("import aiocredits") & HEAVY == set()


def test_a_storage_is_imported_when_a_url_names_it() -> None:
    modules = imported_with("import aiocredits; aiocredits.CreditClient('memory://')")
    assert "aiocredits.storages.memory" in modules
    assert not modules & {"sqlite3", "asyncpg", "aiosqlite"}


def test_every_public_name_is_there_and_documented() -> None:
    assert {"CreditClient", "CreditHold", "Receipt", "Entry", "Grant", "Hold"} <= set(
        aiocredits.__all__
    )
    for name in aiocredits.__all__:
        value = getattr(aiocredits, name)
        if isinstance(value, type | types.FunctionType):
            assert value.__doc__, name
    assert list(aiocredits.__all__) == sorted(aiocredits.__all__)
    assert set(aiocredits.__all__) == {
        name
        for name, value in vars(aiocredits).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType)
    }


def test_what_is_imported_later_is_listed_and_what_is_not_there_is_refused() -> None:
    assert set(aiocredits.__all__) <= set(dir(aiocredits))
    with pytest.raises(AttributeError, match="has no attribute 'consume_credit'"):
        _ = aiocredits.consume_credit  # type: ignore[attr-defined]


def test_every_verb_of_the_client_is_a_command_of_the_same_signature() -> None:
    verbs = [
        name
        for name, value in vars(commands).items()
        if isinstance(value, types.FunctionType)
        and value.__module__ == commands.__name__
        and not name.startswith("_")
    ]
    assert len(verbs) == 18
    for name in verbs:
        method = getattr(aiocredits.CreditClient, name)
        assert method.__doc__ == getattr(commands, name).__doc__


def test_the_tree_of_errors_is_the_one_in_the_docstring() -> None:
    drawn = [line for line in (errors.__doc__ or "").splitlines() if "Error" in line]
    named = {word for line in drawn for word in line.split() if word.endswith("Error")}
    kinds = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, errors.CreditError)
    }
    assert kinds <= named
