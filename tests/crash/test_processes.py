"""Several processes on one file: nothing is overspent, nothing is lost, nobody sees a lock."""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from aiocredits import CreditClient
from aiocredits.errors import InsufficientCreditsError

ROOT = Path(__file__).parent.parent.parent
PROGRAM = Path(__file__).parent / "program.py"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


@contextmanager
def started(*arguments: object) -> Iterator["subprocess.Popen[str]"]:
    """Start the program, and leave none behind."""
    process = subprocess.Popen(
        [sys.executable, str(PROGRAM), *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=ENVIRONMENT,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def line_of(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "books.db"


def client_of(file: Path) -> CreditClient:
    return CreditClient(f"sqlite:///{file}")


async def test_200_tasks_on_one_account_never_overspend(file: Path) -> None:
    async with client_of(file) as client:
        await client.add_credits("alice", 150)

        async def one() -> int | None:
            try:
                return (await client.consume_credits("alice", 1)).version
            except InsufficientCreditsError:
                return None

        versions = await asyncio.gather(*(one() for _ in range(200)))
        assert sorted(v for v in versions if v is not None) == [*range(2, 152)]
        assert await client.get_user_balance("alice") == 0
        assert (await client.verify()).ok


def test_four_processes_on_one_account_never_overspend_and_see_no_lock(file: Path) -> None:
    async def prepare() -> None:
        async with client_of(file) as client:
            await client.add_credits("alice", 500)

    async def check() -> None:
        async with client_of(file) as client:
            verification = await client.verify()
            assert (verification.ok, verification.entries) == (True, 501)
            assert await client.get_user_balance("alice") == 0

    asyncio.run(prepare())
    total: Counter[str] = Counter()
    with (
        started("spend", file, 200) as a,
        started("spend", file, 200) as b,
        started("spend", file, 200) as c,
        started("spend", file, 200) as d,
    ):
        processes = (a, b, c, d)
        assert [line_of(process) for process in processes] == ["ready"] * 4
        for process in processes:  # all are there: now at once
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        for process in processes:
            total.update(json.loads(line_of(process)))
    assert total == {"accepted": 500, "refused": 300}
    asyncio.run(check())


def test_processes_that_make_a_file_at_once_agree_on_its_tables(file: Path) -> None:
    with (
        started("spend", file, 1) as a,
        started("spend", file, 1) as b,
        started("spend", file, 1) as c,
        started("spend", file, 1) as d,
    ):
        assert [line_of(process) for process in (a, b, c, d)] == ["ready"] * 4


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_a_process_that_is_killed_loses_nothing_that_it_acknowledged(file: Path) -> None:
    """And each key that it may or may not have used acts once when it is used again."""
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    tried: set[str] = set()
    acknowledged: dict[str, int] = {}

    async def prepare() -> None:
        async with client_of(file) as client:
            await client.add_credits("alice", 1_000_000)

    async def check(cycle_tried: set[str]) -> None:
        async with client_of(file) as client:
            assert (await client.verify("alice")).ok
            written = {e.key: e.version async for e in client.entries("alice") if e.key}
            lost = {k: v for k, v in acknowledged.items() if written.get(k) != v}
            assert lost == {}, f"seed {seed}"
            assert written.keys() - {None} <= tried | {k for k in written if k.startswith("~")}
            for key in cycle_tried:
                receipt = await client.consume_credits("alice", 1, idempotency_key=key)
                assert receipt.replayed == (key in written), f"seed {seed}"
            keys = [e.key async for e in client.entries("alice") if e.kind == "consume"]
            assert sorted(filter(None, keys)) == sorted(tried), f"seed {seed}"
            assert await client.get_user_balance("alice") == 1_000_000 - len(tried)

    asyncio.run(prepare())
    for cycle in range(8):
        with started("write_until_killed", file, cycle) as process:
            assert process.stdout is not None
            lines = [line_of(process) for _ in range(chance.randint(20, 600))]
            process.kill()
            lines += process.stdout.read().splitlines()
        assert process.returncode == -signal.SIGKILL
        cycle_tried = {line.split()[1] for line in lines if line.startswith("try ")}
        tried |= cycle_tried
        for line in lines:
            if line.startswith("ack "):
                _, key, version = line.split()
                acknowledged[key] = int(version)
        asyncio.run(check(cycle_tried))
    assert acknowledged
    assert len(acknowledged) < len(tried)  # some were under way each time


@pytest.mark.parametrize(
    ("verb", "status"),
    [("forget_to_close", 0), ("leave_while_writing", 0), ("raise_in_the_block", 3)],
)
def test_a_client_that_nobody_closes_does_not_keep_the_interpreter(
    file: Path, verb: str, status: int
) -> None:
    ended = subprocess.run(
        [sys.executable, str(PROGRAM), verb, str(file)],
        capture_output=True,
        check=False,
        env=ENVIRONMENT,
        text=True,
        timeout=10,
    )
    assert (ended.returncode, ended.stderr) == (status, "")

    async def check() -> None:
        async with client_of(file) as client:
            assert await client.get_user_balance("alice") >= 1
            assert (await client.verify()).ok

    asyncio.run(check())
