"""On which line of a TOML text each value stands.

`tomllib` does not say. This walks a text that it has already accepted, so the grammar here is only
as fine as finding the beginnings of values needs.
"""

import re
import tomllib
from collections.abc import Iterator
from typing import TypeAlias

Path: TypeAlias = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_STRING = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}'  # up to two quotes may stand before the closing three
    r"|'''.*?'{3,5}"
    r'|"(?:\\.|[^"\\])*"'
    r"|'[^']*'",
    re.DOTALL,
)
_BARE = re.compile(r"[^,\]}\n#]+")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def lines_of_toml(text: str) -> dict[Path, int]:
    """Return the line, from 1, of each key and each array item."""
    scanner = _Scanner(text)
    scanner.scan_document()
    return scanner.lines


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.lines: dict[Path, int] = {}
        self.lengths: dict[Path, int] = {}  # of arrays of tables

    def scan_document(self) -> None:
        table: Path = ()
        while self.skip_blank() and self.position < len(self.text):
            if self.takes("[["):
                table = self.scan_header(repeated=True)
            elif self.takes("["):
                table = self.scan_header(repeated=False)
            else:
                self.scan_pair(table)

    def scan_header(self, *, repeated: bool) -> Path:
        self.skip_blank()
        start = self.position
        path: Path = ()
        keys = list(self.scan_keys())
        for key in keys[:-1]:
            path = self.latest((*path, key))
        path = (*path, keys[-1])
        if repeated:
            self.lengths[path] = self.lengths.get(path, 0) + 1
        path = self.latest(path)
        self.mark(path, start)
        self.position += 2 if repeated else 1
        return path

    def latest(self, path: Path) -> Path:
        return (*path, self.lengths[path] - 1) if path in self.lengths else path

    def scan_pair(self, table: Path) -> None:
        start = self.position
        path = table
        for key in self.scan_keys():
            path = (*path, key)
            self.mark(path, start)
        self.takes("=")
        self.scan_value(path)

    def scan_keys(self) -> Iterator[str]:
        while True:
            self.skip_blank()
            if quoted := _STRING.match(self.text, self.position):
                yield tomllib.loads(f"key = {quoted[0]}")["key"]
                self.position = quoted.end()
            elif bare := _BARE_KEY.match(self.text, self.position):
                yield bare[0]
                self.position = bare.end()
            self.skip_blank()
            if not self.takes("."):
                return

    def scan_value(self, path: Path) -> None:
        self.skip_blank()
        if self.takes("["):
            self.scan_array(path)
        elif self.takes("{"):
            self.scan_inline_table(path)
        else:
            scalar = _STRING.match(self.text, self.position) or _BARE.match(
                self.text, self.position
            )
            self.position = scalar.end() if scalar else len(self.text)

    def scan_array(self, path: Path) -> None:
        index = 0
        while self.skip_blank() and not self.takes("]"):
            self.mark((*path, index), self.position)
            self.scan_value((*path, index))
            self.skip_blank()
            self.takes(",")
            index += 1

    def scan_inline_table(self, path: Path) -> None:
        while self.skip_blank() and not self.takes("}"):
            self.scan_pair(path)
            self.skip_blank()
            self.takes(",")

    def skip_blank(self) -> bool:
        blank = _BLANK.match(self.text, self.position)
        self.position = blank.end() if blank else self.position
        return True

    def takes(self, token: str) -> bool:
        if self.text.startswith(token, self.position):
            self.position += len(token)
            return True
        return False

    def mark(self, path: Path, position: int) -> None:
        self.lines.setdefault(path, self.text.count("\n", 0, position) + 1)
