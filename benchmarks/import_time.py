"""How long `import aiocredits` takes, beyond what the interpreter itself needs.

    python benchmarks/import_time.py [--quick]

Bare interpreters and interpreters that import the package are started in turns, with bytecode that
is compiled already. Said besides: the modules that take longest, by ``-X importtime``.
"""

import os
import statistics
import subprocess
import sys
import time

from measure import Json, finish, milliseconds, options, requirement

IMPORT = "import aiocredits"
TOO_MANY = ("aiosqlite", "asyncpg", "fastapi", "pydantic", "sqlite3", "starlette", "yaml")
"""What is only imported by those who use it."""


# Installers compile what they install; where writing bytecode is turned off, a checkout would be
# compiled anew in each round, and the compiler would be measured.
ENVIRONMENT = {
    name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"
}


def start(code: str, *flags: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *flags, "-c", code]
    return subprocess.run(  # noqa: S603
        command, check=True, capture_output=True, text=True, env=ENVIRONMENT
    )


def seconds_for(code: str) -> float:
    began = time.perf_counter()
    start(code)
    return time.perf_counter() - began


def slowest_modules(count: int) -> list[Json]:
    """Return the modules that take longest by themselves, with their milliseconds."""
    lines = start(IMPORT, "-X", "importtime").stderr.splitlines()[1:]
    columns = (line.removeprefix("import time:").split("|") for line in lines)
    modules = [(int(own) / 1000, name.strip()) for own, _, name in columns if own.strip().isdigit()]
    return [{"module": name, "ms": own} for own, name in sorted(modules, reverse=True)[:count]]


def imported_too_many() -> list[Json]:
    """Return which drivers and frameworks came along."""
    names = start(f"{IMPORT}, sys; print(*sys.modules)").stdout.split()
    return [name for name in TOO_MANY if name in names]


def main() -> None:
    arguments = options(__doc__).parse_args()
    rounds = 10 if arguments.quick else 40
    seconds_for(IMPORT)  # compiles
    pairs = [(seconds_for("pass"), seconds_for(IMPORT)) for _ in range(rounds)]
    import_ms = milliseconds(statistics.median(full - bare for bare, full in pairs))
    along = imported_too_many()
    report: dict[str, Json] = {
        "benchmark": "import_time",
        "python": sys.version.split()[0],
        "bare_ms": milliseconds(statistics.median(bare for bare, _ in pairs)),
        "import_ms": import_ms,
        "slowest_modules": slowest_modules(10),
        "drivers_and_frameworks": along,
    }
    required = [
        requirement("import aiocredits: milliseconds", import_ms, at_most=120),
        requirement("drivers and frameworks imported", len(along), at_most=0),
    ]
    finish(report, required)


if __name__ == "__main__":
    main()
