"""Books: layers, dates, files, and the same tree in three notations."""

import json
import sys
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest
import yaml
from hypothesis import given

from aiocredits.errors import ConfigurationError, InvalidInputError
from aiocredits.pricing import (
    CATALOGUE,
    PriceBook,
    PriceList,
    Rule,
    flat,
    make_rounding,
    package,
    per_character,
    per_token,
    tiered,
)
from tests.pricing.trees import Tree, book_of, trees

NOVEMBER = datetime(2026, 11, 1, tzinfo=UTC)
DECEMBER = datetime(2026, 12, 1, tzinfo=UTC)

TOML = """
id = "2026-11"
version = 3
effective_from = 2026-11-01T01:00:00+01:00
rounding = { to = 0.01 }

[prices]
chat = { kind = "per_character", rate = 1, every = 100, of = "message", minimum = 0.5 }
llm = { kind = "per_token", input = "0.15", output = 0.60, per = 1_000_000 }
images = { kind = "package", rate = 5, size = 100, of = "images" }

[prices.steps]
kind = "tiered"
of = "steps"
unit = "step"
tiers = [ { upto = 1000, rate = "0.01" }, { rate = "0.005" } ]

[plans.pro.chat]
kind = "round"
to = 1
mode = "down"
price = { kind = "sum", prices = [
    { kind = "flat", amount = 0.7 },
    { kind = "flat", amount = 1 },
] }

[accounts.7]
chat = { kind = "flat", amount = 0 }
"""

YAML = """
id: 2026-11
version: 3
effective_from: 2026-11-01T00:00:00Z
rounding: {to: 0.01}
prices:
  chat: {kind: per_character, rate: 1, every: 100, of: message, minimum: 0.5}
  llm: {kind: per_token, input: "0.15", output: 0.60, per: 1000000}
  images: {kind: package, rate: 5, size: 100, of: images}
  steps:
    kind: tiered
    of: steps
    unit: step
    tiers:
      - {upto: 1000, rate: 0.01}
      - {rate: 0.005}
plans:
  pro:
    chat:
      kind: round
      to: 1
      mode: down
      price: {kind: sum, prices: [{kind: flat, amount: 0.7}, {kind: flat, amount: 1}]}
accounts:
  7:
    chat: {kind: flat, amount: 0}
"""

BOOK = PriceBook(
    "2026-11",
    "3",
    effective_from=NOVEMBER,
    rounding=make_rounding("0.01"),
    prices={
        "chat": per_character(1, every=100, of="message", minimum="0.5"),
        "llm": per_token(input="0.15", output="0.60", per=1_000_000),
        "images": package(5, size=100, of="images"),
        "steps": tiered([(1000, "0.01"), (None, "0.005")], of="steps", unit="step"),
    },
    plans={"pro": {"chat": (flat("0.7") + flat(1)).round(1, "down")}},
    accounts={"7": {"chat": flat(0)}},
)


def test_the_tree_is_the_same_in_toml_yaml_and_python() -> None:
    assert PriceBook.from_toml(TOML) == BOOK
    assert PriceBook.from_yaml(YAML) == BOOK
    assert PriceBook.from_toml(BOOK.to_toml()) == BOOK


def test_files_are_loaded_by_their_suffix(tmp_path: Path) -> None:
    for name, text in (("a.toml", TOML), ("a.yaml", YAML), ("a.YML", YAML)):
        path = tmp_path / name
        path.write_text(text)
        assert PriceBook.load(path) == BOOK
        assert PriceBook.load(str(path)) == BOOK


@given(trees)
def test_a_book_survives_yaml(tree: Tree) -> None:
    book = book_of(tree)
    assert PriceBook.from_yaml(yaml.safe_dump(book.to_dict())) == book


@pytest.mark.parametrize(
    "price",
    [
        flat(1).minimum(2).maximum(5),
        flat(1).maximum(5).minimum(2),
        flat(1).minimum(2).minimum(3),
        flat(1).maximum(5).minimum(2).maximum(4).minimum(3),
        flat(1).maximum(5).multiply(2).minimum(2),
    ],
)
def test_limits_keep_their_order_in_toml(price: Rule) -> None:
    book = PriceBook("b", prices={"x": price})
    assert PriceBook.from_toml(book.to_toml()) == book


def test_toml_is_written_a_price_a_line() -> None:
    book = PriceBook("b", prices={"chat": CATALOGUE["ai_chat"]}, plans={"a b": {"x": flat("0.10")}})
    assert book.to_toml() == (
        'id = "b"\n'
        'version = "1"\n'
        "\n"
        "[prices]\n"
        'chat = { kind = "per_character", rate = "1", of = "message", every = 100 }\n'
        "\n"
        '[plans."a b"]\n'
        'x = { kind = "flat", amount = "0.10" }\n'
    )


def test_an_account_wins_over_its_plan_and_a_plan_over_the_book() -> None:
    def total(**who: str | int) -> object:
        return BOOK.price("chat", **who).quote(message="x" * 201).total  # type: ignore[arg-type]

    assert total() == 3
    assert total(plan="pro") == 1
    assert total(plan="none of its own") == 3
    assert total(plan="pro", user_id="7") == total(plan="pro", user_id=7) == 0
    assert BOOK.price("chat", user_id=UUID(int=7)).quote(message="").total == flat("0.5").amount  # type: ignore[attr-defined]


def test_the_book_rounds_what_does_not_round_itself() -> None:
    usage = {"input_tokens": 1_000, "output_tokens": 0}
    assert str(BOOK.price("llm").quote(**usage).total) == "0.01"
    assert BOOK.price("chat", plan="pro").quote().total == 1


def test_a_quote_says_where_its_price_stands() -> None:
    quote = BOOK.price("chat").quote(message="hello")
    assert (quote.book, quote.version, quote.sku) == ("2026-11", "3", "chat")
    assert quote.explain().endswith("total: 1 (chat, book 2026-11, version 3)")
    bound = BOOK.price("chat").upper_bound(message=500)
    assert (bound.total, bound.book) == (Decimal(5), "2026-11")


def test_a_service_without_a_price_is_never_free() -> None:
    with pytest.raises(ConfigurationError, match="no price for 'chta': did you mean 'chat'"):
        BOOK.price("chta")
    with pytest.raises(ConfigurationError, match="no price for 'xyz': it has chat, llm"):
        BOOK.price("xyz")
    assert BOOK.find_price("xyz") is None


def test_a_book_is_in_force_from_its_instant_on() -> None:
    assert not BOOK.is_in_force(NOVEMBER - timedelta(microseconds=1))
    assert BOOK.is_in_force(NOVEMBER)
    assert BOOK.price("chat", at=NOVEMBER).sku == "chat"
    with pytest.raises(ConfigurationError, match="in force from 2026-11-01"):
        BOOK.price("chat", at=NOVEMBER - timedelta(days=1))
    with pytest.raises(InvalidInputError, match="aware datetime"):
        BOOK.price("chat", at=datetime(2026, 11, 2))  # noqa: DTZ001 - what is refused


def test_a_list_picks_the_last_book_that_has_begun() -> None:
    first = PriceBook("ever", prices={"x": flat(1)})
    last = PriceBook("12", prices={"x": flat(3)}, effective_from=DECEMBER)
    prices = PriceList(last, first, BOOK)
    assert [book.id for book in prices.books] == ["ever", "2026-11", "12"]
    assert prices.at(NOVEMBER - timedelta(microseconds=1)) is first
    assert prices.at(NOVEMBER) is BOOK
    assert prices.price("x", at=DECEMBER.astimezone(timezone(timedelta(hours=9)))).book == "12"
    with pytest.raises(ConfigurationError, match="no book is in force at 2026-11-01"):
        PriceList(last).at(NOVEMBER)


def test_two_books_cannot_begin_together() -> None:
    with pytest.raises(ConfigurationError, match="'a' and 'b' are both in force"):
        PriceList(PriceBook("a", prices={}), PriceBook("b", prices={}))
    with pytest.raises(ConfigurationError, match="without books"):
        PriceList()


def test_a_book_does_not_change() -> None:
    prices = {"x": flat(1)}
    book = PriceBook("b", prices=prices)
    prices["x"] = flat(2)
    assert book.price("x").quote().total == 1
    with pytest.raises(TypeError):
        book.prices["x"] = flat(2)  # type: ignore[index]


def test_a_book_in_python_is_checked_too() -> None:
    with pytest.raises(ConfigurationError, match="price of 'x' is a int"):
        PriceBook("b", prices={"x": 2})  # type: ignore[dict-item]
    with pytest.raises(ConfigurationError, match="price of 'x' is a Listed"):
        PriceBook("b", prices={"x": BOOK.price("chat")})  # type: ignore[dict-item]
    with pytest.raises(InvalidInputError, match="aware datetime"):
        PriceBook("b", prices={}, effective_from=datetime(2026, 1, 1))  # noqa: DTZ001 - refused
    with pytest.raises(InvalidInputError, match="book id ''"):
        PriceBook("", prices={})


def test_the_json_schema_knows_every_kind() -> None:
    schema = json.dumps(PriceBook.json_schema())
    for kind in ("per_character", "per_token", "tiered", "volume", "package", "free", "round"):
        assert f'"{kind}"' in schema


def test_yaml_without_pyyaml_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "aiocredits.pricing._yaml", None)
    with pytest.raises(ConfigurationError, match=r'pip install "aiocredits\[yaml\]"'):
        PriceBook.from_yaml(YAML)
