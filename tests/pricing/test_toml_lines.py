"""The lines of a TOML text."""

import tomllib

from hypothesis import given

from aiocredits.pricing._toml_lines import lines_of_toml
from tests.pricing.trees import Tree, book_of, trees

TEXT = '''\
# comment [not.a.table]
title = "a # no comment, = no key ] } ,"
'literal key' = 'c:\\path\\' # comment
a.b."c.d" = 1
multi = """
x = 1 "quoted" \\"""
[y]
"""""
raw = \'\'\'
] } # '' \'\'\'
date = 2026-11-01 00:00:00Z
[table] # comment
array = [ # comment
  1, "two", [3,
    4],
  { x = 1, y = [5] },

  2026-11-01T00:00:00Z,
]
[ spaced . "table" ]
bool = true
[[list]]
x = 1
[list.sub]
y = 2
[[list]]
x = 3
[[list.deep]]
z = 4
[[list.deep]]
z = { }
'''

LINES = {
    ("title",): 2,
    ("literal key",): 3,
    ("a", "b", "c.d"): 4,
    ("multi",): 5,
    ("raw",): 9,
    ("date",): 11,
    ("table",): 12,
    ("table", "array"): 13,
    ("table", "array", 1): 14,
    ("table", "array", 2, 1): 15,
    ("table", "array", 3, "y", 0): 16,
    ("table", "array", 4): 18,
    ("spaced", "table"): 20,
    ("spaced", "table", "bool"): 21,
    ("list", 0, "x"): 23,
    ("list", 0, "sub", "y"): 25,
    ("list", 1, "x"): 27,
    ("list", 1, "deep", 0, "z"): 29,
    ("list", 1, "deep", 1): 30,
    ("list", 1, "deep", 1, "z"): 31,
}


def leaves(data: object, path: tuple[str | int, ...] = ()) -> set[tuple[str | int, ...]]:
    match data:
        case dict() if data:
            return set().union(*(leaves(item, (*path, key)) for key, item in data.items()))
        case list() if data:
            return set().union(*(leaves(item, (*path, i)) for i, item in enumerate(data)))
        case _:
            return {path}


def test_each_value_has_its_line() -> None:
    lines = lines_of_toml(TEXT)
    assert {path: lines.get(path) for path in LINES} == LINES
    assert leaves(tomllib.loads(TEXT)) <= lines.keys()


def test_windows_line_ends() -> None:
    assert lines_of_toml("a = 1\r\nb = [\r\n 1 ]\r\n")["b", 0] == 3


@given(trees)
def test_every_value_of_a_book_has_a_line(tree: Tree) -> None:
    text = book_of(tree).to_toml()
    lines = lines_of_toml(text)
    paths = leaves(tomllib.loads(text))
    assert paths <= lines.keys()
    rows = text.splitlines()
    for path in paths:
        assert str(path[-1]) in rows[lines[path] - 1]
