"""Compare a wheel with the package it was built from: `python .ci/check_wheel.py WHEEL`."""

import sys
from pathlib import Path
from zipfile import ZipFile

PACKAGE = "aiocredits"
IGNORED = {"__pycache__"}


def files_of_package(root: Path) -> set[str]:
    """Return the files of the package in the checkout, named as in a wheel."""
    return {
        path.relative_to(root).as_posix()
        for path in (root / PACKAGE).rglob("*")
        if path.is_file() and IGNORED.isdisjoint(path.parts)
    }


def files_of_wheel(wheel: Path) -> set[str]:
    """Return the files of a wheel, less its own metadata."""
    with ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


def problems(expected: set[str], actual: set[str]) -> list[str]:
    """Return what is wrong with a wheel, a line each."""
    # Equal sets would also pass for a package that lost its data: what must be there is asked for.
    kinds = ("/py.typed", ".sql")
    return [
        *(f"missing: {name}" for name in sorted(expected - actual)),
        *(f"not of the package: {name}" for name in sorted(actual - expected)),
        *(f"no *{kind}" for kind in kinds if not any(name.endswith(kind) for name in actual)),
    ]


def main() -> None:
    """Print what the wheel holds, or exit with what is wrong with it."""
    actual = files_of_wheel(Path(sys.argv[1]))
    if found := problems(files_of_package(Path(__file__).parent.parent), actual):
        sys.exit("\n".join(found))
    print(f"{len(actual)} files, all of {PACKAGE} and nothing else")


if __name__ == "__main__":
    main()
