"""A book that is wrong: every problem in one error, with its line and its path."""

from pathlib import Path

import pytest

from aiocredits.errors import ConfigurationError
from aiocredits.pricing import PriceBook

HEAD = 'id = "b"\n[prices]\n'  # what follows begins on line 3


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("x = { kind = 'flat', amount = -1 }", "line 3, prices.x.amount: amount -1: nothing"),
        ("x = { kind = 'flat', amount = nan }", "line 3, prices.x.amount: .* not a finite number"),
        ("x = { kind = 'flat', amount = true }", "line 3, prices.x.amount: .* is a bool"),
        ("x = { kind = 'flat' }", "line 3, prices.x.amount: is missing"),
        ("x = { kind = 'flat', amont = 1 }", "line 3, prices.x.amont: is not known here"),
        ("x = { kind = 'flt' }", "line 3, prices.x: kind 'flt' is none of 'flat', 'per_character'"),
        ("x = { amount = 1 }", "line 3, prices.x: has no kind"),
        ("x = 1", "line 3, prices.x: is 1, where a table is needed"),
        ("'' = { kind = 'flat', amount = 1 }", "line 3, prices.'': .* a name is text of 1 to 255"),
        (
            "x = { kind = 'per_step', rate = 1, every = 0 }",
            r"line 3, prices.x.every: .* greater than or equal to 1 \(it is 0\)",
        ),
        (
            "x = { kind = 'per_step', rate = 1, every = '5' }",
            r"line 3, prices.x.every: .* valid integer \(it is '5'\)",
        ),
        (
            "x = { kind = 'per_step', rate = 1, every = 2, per = 2 }",
            "line 3, prices.x: per=2 .* choose one",
        ),
        (
            "x = { kind = 'per_megabyte', rate = 1, unit = 'KB' }",
            "line 3, prices.x.unit: Input should be 'MB' or 'MiB'",
        ),
        (
            (
                "\n[prices.x]\nkind = 'tiered'\nof = 'n'\ntiers = [\n { upto = 5, rate = 1 },\n"
                " { upto = 3, rate = 1 },\n { rate = 1 },\n]"
            ),
            "line 4, prices.x: the bounds of tiers rise",
        ),
        (
            (
                "\n[prices.x]\nkind = 'tiered'\nof = 'n'\ntiers = [\n { upto = 5, rate = 1 },\n"
                " { upto = 9, rate = 'much' },\n { rate = 1 },\n]"
            ),
            "line 9, prices.x.tiers.1.rate: rate 'much' is not a number",
        ),
        (
            (
                "\n[prices.x]\nkind = 'free'\nquantity = 1\nof = 'n'\n"
                "[prices.x.price]\nkind = 'sum'\n"
                "prices = [\n { kind = 'flat', amount = 1 },\n { kind = 'flat', amount = '-1' },\n]"
            ),
            "line 12, prices.x.price.prices.1.amount: amount '-1'",
        ),
        (
            "x = { kind = 'sum', prices = [] }",
            "line 3, prices.x.prices: .* at least 1 item",
        ),
        (
            "x = { kind = 'round', to = '0.0000001', price = { kind = 'flat', amount = 1 } }",
            "line 3, prices.x: .* 6 decimals",
        ),
        (
            "x = { kind = 'multiply', factor = 2, price = { kind = 'round', to = 1 } }",
            "line 3, prices.x.price: kind 'round' is none of",
        ),
        ("x.kind = 'flat'\nx.amount = -1", "line 4, prices.x.amount: amount -1"),
        (
            "[plans.pro]\nx = { kind = 'flat', amount = -1 }",
            "line 4, plans.pro.x.amount: amount -1",
        ),
        (
            "[accounts.'a.b'.x]\nkind = 'flat'\namount = '1,5'",
            "line 5, accounts.a.b.x.amount: amount '1,5' is not a number",
        ),
        ("[rounding]\nto = 0", "line 3, rounding: .* above zero"),
        ("[rounding]\nto = 1\nmode = 'nearest'", "line 5, rounding.mode: Input should be 'up'"),
    ],
)
def test_a_problem_is_shown_with_its_line_and_path(text: str, problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem) as caught:
        PriceBook.from_toml(HEAD + text, source="prices.toml")
    assert str(caught.value).startswith("prices.toml is not a price book:\n  line ")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[prices]", "id: is missing"),
        ("id = 'b'", "prices: is missing"),
        ("id = 7\n[prices]", "line 1, id: id 7: a name is text"),
        ("id = 'b'\nprice = 1\n[prices]", "line 2, price: is not known here"),
        ("id = 'b'\nversion = true\n[prices]", "line 2, version: "),
        ("id = 'b'\neffective_from = 2026-11-01T00:00:00\n[prices]", "line 2, .* timezone"),
        ("id = 'b'\neffective_from = 0001-01-01T00:00:00+01:00\n[prices]", "line 2, .*years 1"),
    ],
)
def test_a_problem_of_the_head(text: str, problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        PriceBook.from_toml(text)


def test_all_problems_are_shown_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        PriceBook.from_toml(HEAD + "x = 1\ny = 2\nz = { kind = 'flat', amount = 'z' }")
    assert str(caught.value) == (
        "TOML text is not a price book:\n"
        "  line 3, prices.x: is 1, where a table is needed\n"
        "  line 4, prices.y: is 2, where a table is needed\n"
        "  line 5, prices.z.amount: amount 'z' is not a number"
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "id: b\nprices:\n  x:\n    kind: flat\n    amount: -0.5\n",
            "line 5, prices.x.amount: amount -0.5: nothing",
        ),
        (
            (
                "id: b\nprices:\n  x:\n    kind: sum\n    prices:\n"
                "      - {kind: flat, amount: 1}\n"
                "      - {kind: flat, amount: .nan}\n"
            ),
            "line 7, prices.x.prices.1.amount: amount '.nan' is not a number",
        ),
        ("id: b\nprices:\n  x: {kind: flat}\n", "line 3, prices.x.amount: is missing"),
        (
            "id: b\nprices:\n  x: &x {kind: flat, amount: -1}\n  y: *x\n",
            "line 3, prices.y.amount: amount -1",
        ),
        ("id: b\nprices:\n  x: {kind: flat, amount: 0x10}\n", "amount '0x10' is not a number"),
        ("id: b\nid: c\nprices: {}\n", "'id' is given twice"),
        ("id: [", "is not YAML"),
        ("id: !!python/object:os.system x", "is not YAML"),
        ("id: b\nprices: &p\n  x: *p\n", "prices.x"),
        ("[1]", "the book: is .*, where a table is needed"),
        ("", "the book: is None, where a table is needed"),
    ],
)
def test_a_problem_in_yaml(text: str, problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        PriceBook.from_yaml(text)


def test_yaml_numbers_are_exact() -> None:
    text = "id: b\nprices: {x: {kind: flat, amount: 0.1}, y: {kind: flat, amount: 010}}"
    book = PriceBook.from_yaml(text)
    assert str(book.price("x").quote().total) == "0.1"
    assert book.price("y").quote().total == 10


def test_a_float_of_python_is_refused() -> None:
    tree = {"kind": "flat", "amount": 0.1}
    with pytest.raises(ConfigurationError, match=r'prices.x.amount: .*use Decimal\("0.1"\)'):
        PriceBook.from_dict({"id": "b", "prices": {"x": tree}}, source="settings")


def test_text_that_is_no_toml_is_shown_with_its_line() -> None:
    with pytest.raises(ConfigurationError, match=r"p.toml is not TOML: .*line 2"):
        PriceBook.from_toml("id = 'b'\nprices = = 1", source="p.toml")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError, match=r"none\.toml cannot be read"):
        PriceBook.load(tmp_path / "none.toml")
    with pytest.raises(ConfigurationError, match=r"binary\.toml cannot be read"):
        PriceBook.load(binary)
    with pytest.raises(ConfigurationError, match=r"a \.toml, a \.yaml or a \.yml file"):
        PriceBook.load(tmp_path / "book.json")
