"""Every example runs, and the one that tells a story tells it as the documentation does."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
STORY = re.compile(
    r"^<!-- printed by examples/quickstart.py -->\n+```text\n(.*?)^```$", re.MULTILINE | re.DOTALL
)


def run(example: Path, directory: Path) -> str:
    # From another directory, as a user would who copied the file; and so that what it writes by
    # mistake does not land in the checkout.
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
    environment.pop("AIOCREDITS_URL", None)
    finished = subprocess.run(
        [sys.executable, "-W", "error", str(example)],
        cwd=directory,
        env=environment,
        capture_output=True,
        check=False,
        encoding="utf-8",
        timeout=100,
    )
    assert finished.returncode == 0, finished.stderr
    assert finished.stderr == ""
    return finished.stdout


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_an_example_runs(example: Path, tmp_path: Path) -> None:
    assert run(example, tmp_path)


def test_the_quickstart_leaves_nothing_behind(tmp_path: Path) -> None:
    run(ROOT / "examples" / "quickstart.py", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_quickstart_prints_what_its_page_shows(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "quickstart.md").read_text(encoding="utf-8")
    (shown,) = STORY.findall(page)
    assert run(ROOT / "examples" / "quickstart.py", tmp_path).strip() == shown.strip()
