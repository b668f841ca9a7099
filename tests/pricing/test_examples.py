"""What each kind of price costs, by example."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from aiocredits.pricing import (
    CATALOGUE,
    KB,
    MB,
    KiB,
    MiB,
    Price,
    catalogue,
    flat,
    package,
    per_byte,
    per_character,
    per_item,
    per_kilobyte,
    per_megabyte,
    per_second,
    per_step,
    per_token,
    tiered,
    volume,
)

GRADUATED = tiered([(1_000, "0.01"), (10_000, "0.008"), (None, "0.005")], of="n")
BY_VOLUME = volume([(100, 1), (1_000, "0.5"), (None, "0.1")], of="n")


@pytest.mark.parametrize(
    ("price", "usage", "total"),
    [
        # In proportion
        (per_character("0.01"), {"characters": 250}, "2.5"),
        (per_character("0.01"), {"characters": "hello"}, "0.05"),
        (per_byte("0.000001"), {"bytes": b"abc"}, "0.000003"),
        (per_kilobyte("0.5"), {"bytes": 1_500}, "0.75"),
        (per_kilobyte(1, unit="KiB"), {"bytes": 1_536}, "1.5"),
        (per_megabyte("0.5"), {"bytes": 3 * MB}, "1.5"),
        (per_megabyte(1, unit="MiB"), {"bytes": 3 * MiB}, "3"),
        (per_step(2), {"steps": 3}, "6"),
        (per_second("0.02"), {"seconds": Decimal("1.5")}, "0.03"),
        (per_second(6, per=60), {"seconds": timedelta(milliseconds=90_500)}, "9.05"),
        (per_item(2, of="files"), {"files": ["a", "b"]}, "4"),
        # In started blocks
        (per_character(1, every=100), {"characters": 0}, "0"),
        (per_character(1, every=100), {"characters": 1}, "1"),
        (per_character(1, every=100), {"characters": 100}, "1"),
        (per_character(1, every=100), {"characters": 101}, "2"),
        (per_kilobyte(1, every=1), {"bytes": KB + 1}, "2"),
        (per_kilobyte(1, every=64, unit="KiB"), {"bytes": 64 * KiB}, "1"),
        (per_megabyte(1, every=1), {"bytes": 1}, "1"),
        (per_second(1, every=60), {"seconds": Decimal("60.000001")}, "2"),
        (package(5, size=100, of="images"), {"images": 101}, "10"),
        # Tokens
        (per_token(input="0.15", per=MB), {"input_tokens": 2_000}, "0.0003"),
        (
            per_token(input=1, output=2, cached="0.5", every=1_000),
            {"input_tokens": 1, "output_tokens": 1_001, "cached_tokens": 0},
            "5",
        ),
        (per_token(output=1, minimum=5), {"output_tokens": 4}, "5"),
        # Tiers: the bound belongs to the tier below
        (GRADUATED, {"n": 0}, "0"),
        (GRADUATED, {"n": 1_000}, "10"),
        (GRADUATED, {"n": 1_001}, "10.008"),
        (GRADUATED, {"n": 11_000}, "87"),
        (BY_VOLUME, {"n": 0}, "0"),
        (BY_VOLUME, {"n": 100}, "100"),
        (BY_VOLUME, {"n": 101}, "50.5"),
        (BY_VOLUME, {"n": 2_000}, "200"),
        (tiered([(1, 2), (None, 1)], of="f", unit="MB"), {"f": 1_500_000}, "2.5"),
        (tiered([(1, 2), (None, 1)], of="f", unit="MB", every=1), {"f": 1_500_000}, "3"),
        (tiered([(100, 1), (None, "0.5")], of="n", every=50), {"n": 151}, "3"),
        # Composed
        (flat(2), {}, "2"),
        (flat(1) + per_step(2) + per_item("0.5"), {"steps": 2, "items": 1}, "5.5"),
        (per_step(1).minimum(5), {"steps": 3}, "5"),
        (per_step(1).minimum(5), {"steps": 0}, "5"),
        (per_step(1, minimum=5), {"steps": 7}, "7"),
        (per_step(1).maximum(5), {"steps": 7}, "5"),
        (per_step(1).free(10, of="steps"), {"steps": 9}, "0"),
        (per_step(1).free(10, of="steps"), {"steps": 11}, "1"),
        (per_character(1, every=100).free(50, of="characters"), {"characters": 151}, "2"),
        (per_step(1).multiply("1.2"), {"steps": 5}, "6"),
        (flat(1).multiply(0), {}, "0"),
        # Rounded once, at the end
        (per_step(1, per=3), {"steps": 1}, "0.333334"),
        (per_step(1, per=3) + per_item(2, per=3), {"steps": 1, "items": 1}, "1"),
        (per_step(1, per=3).multiply(3), {"steps": 1}, "1"),
        (per_character("0.00000001"), {"characters": 1}, "0.000001"),
        (flat("0.125").round("0.01"), {}, "0.13"),
        (flat("0.125").round("0.01", "down"), {}, "0.12"),
        (flat("0.125").round("0.01", "half_even"), {}, "0.12"),
        (flat("0.135").round("0.01", "half_even"), {}, "0.14"),
        (flat("7.01").round(5), {}, "10"),
    ],
)
def test_a_usage_costs(price: Price, usage: dict[str, object], total: str) -> None:
    assert str(price.quote(**usage).total) == total


@pytest.mark.parametrize(
    ("name", "usage", "total"),
    [
        ("ai_chat", {"message": ""}, 0),
        ("ai_chat", {"message": "x" * 100}, 1),
        ("ai_chat", {"message": "x" * 101}, 2),
        ("file_processing", {"file_size": 0}, 0),
        ("file_processing", {"file_size": 1_000_000}, 1),
        ("file_processing", {"file_size": 1_000_001}, 2),
        ("ai_analysis", {"data": b"x" * 1_000}, 1),
        ("ai_analysis", {"data": b"x" * 1_001}, 2),
        ("ai_generation", {"result": "x" * 100}, 2),
        ("ai_generation", {"result": "x" * 101}, 4),
        ("file_upload", {}, 2),
        ("file_conversion", {}, 3),
        ("workflow_simple", {"steps": 5}, 1),
        ("workflow_simple", {"steps": 6}, 2),
        ("workflow_complex", {"steps": 6}, 6),
        ("workflow_ai", {"ai_steps": 6}, 12),
    ],
)
def test_the_catalogue(name: str, usage: dict[str, object], total: int) -> None:
    assert CATALOGUE[name].quote(**usage).total == total


def test_the_catalogue_measures_other_parameters_and_has_floors() -> None:
    assert catalogue.file_upload(of="files").quote(files=["a", "b", "c"]).total == 6
    assert catalogue.file_conversion(of="files").quote(files=2).total == 6
    assert catalogue.ai_chat(of="prompt", minimum=1).quote(prompt="").total == 1


def test_a_character_is_a_code_point() -> None:
    price = per_character(1)
    assert price.quote(characters="né").total == 2
    assert price.quote(characters="👩‍🚀").total == 3


class Upload:
    def __init__(self, size: int | None) -> None:
        self.size = size


class Array:
    """As numpy's: its size counts elements."""

    size = 3
    nbytes = 12


class AsyncUpload:
    """As Starlette's: async methods around a plain file."""

    size = None

    def __init__(self, file: object) -> None:
        self.file = file

    async def read(self, size: int = -1) -> bytes:
        raise NotImplementedError

    async def seek(self, offset: int) -> None:
        raise NotImplementedError


def test_bytes_are_measured_wherever_they_are(tmp_path: Path) -> None:
    price = per_byte(1, of="file")
    path = tmp_path / "file"
    path.write_bytes(b"x" * 12)
    with path.open("rb") as file:
        file.seek(5)
        buffers = [bytes(12), bytearray(12), memoryview(bytes(24)).cast("H"), path, file]
        measured = [
            price.measure("file", it) for it in (*buffers, Upload(12), Array(), AsyncUpload(file))
        ]
        assert file.tell() == 5
    assert measured == [12, 12, 24, 12, 12, 12, 12, 12]


def test_a_stream_is_measured_in_chunks_and_priced_as_a_whole() -> None:
    price = per_character(1, every=100, of="result")
    chunks = ["x" * 60, "x" * 40, "x"]
    length = sum(price.measure("result", chunk) for chunk in chunks)
    assert price.quote(result=length) == price.quote(result="".join(chunks))
    assert price.quote(result=length).total == 2


def test_a_price_names_its_quantities_once_each() -> None:
    price = flat(1) + per_step(1, of="a") + per_item(1, of="b") + per_step(2, of="a")
    assert price.quantities == ("a", "b")
    assert flat(1).quantities == ()


def test_quantities_that_a_price_does_not_need_are_ignored() -> None:
    assert flat(1).quote(message="hello").total == 1


def test_a_package_is_a_started_block_of_items() -> None:
    assert package(5, size=100, of="images") == per_item(5, every=100, of="images")


def test_an_explanation_shows_every_part() -> None:
    price = (
        (flat(1) + per_megabyte("0.5", of="upload") + per_step(1, of="steps", every=5))
        .free(2, of="steps")
        .multiply("1.5")
        .maximum(3)
        .minimum(2)
        .round("0.01")
    )
    assert price.quote(upload=1, steps=3).explain() == (
        "steps: 2 steps free\n"
        "flat: 1\n"
        "upload: 1 byte, 0.000001 * 0.5 per MB = 0.0000005\n"
        "steps: 1 step, 1 * 1 per started 5 steps = 1\n"
        "multiply 1.5: +1.00000025\n"
        "maximum 3: -0.00000075\n"
        "total: 3"
    )
    assert price.quote(upload=0, steps=0).explain() == (
        "flat: 1\n"
        "upload: 0 bytes, 0 * 0.5 per MB = 0\n"
        "steps: 0 steps, 0 * 1 per started 5 steps = 0\n"
        "multiply 1.5: +0.5\n"
        "minimum 2: +0.5\n"
        "total: 2"
    )


def test_a_part_is_a_quantity_a_rate_and_an_amount() -> None:
    quote = per_step(1, per=3, of="steps").quote(steps=2)
    part, rounding = quote.parts
    assert (part.of, part.unit, part.rate) == ("steps", "step", Decimal(1))
    assert part.quantity == 2
    assert part.amount == Decimal("0.6666666666666666666666666667")
    assert rounding.kind == "round"
    assert quote.total == Decimal("0.666667")


def test_an_upper_bound_measures_its_limits() -> None:
    price = per_character(1, every=100, of="message") + per_step(1)
    assert price.upper_bound(message="x" * 101, steps=4).total == 6


def test_the_upper_bound_of_a_volume_price_is_below_its_limit() -> None:
    bound = BY_VOLUME.upper_bound(n=500)
    assert bound.total == 250
    assert BY_VOLUME.upper_bound(n=150).total == 100
    assert BY_VOLUME.free(10, of="n").upper_bound(n=150).total == 100
    assert volume([(1, 2), (None, 1)], of="f", unit="MB").upper_bound(f=1_200_000).total == 2
    in_blocks = volume([(5, 10), (None, 1)], of="n", every=3)
    assert in_blocks.quote(n=5).total == 2
    assert in_blocks.upper_bound(n=5).total == in_blocks.quote(n=3).total == 10
