"""The end of the interpreter, and forks: scripts that are run."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from aiocredits import SyncCreditClient
from tests.decorators.books import START, USER

BEGIN = """
import asyncio, os, sys, threading, warnings
from aiocredits import CreditClient, SyncCreditClient, consume_credits
from aiocredits.pricing import per_character

URL = sys.argv[1]

@consume_credits(per_character(1, of="result"), "Service")
def stream(user_id):
    yield "x" * 10
    yield "x" * 10

@consume_credits(per_character(1, of="result"), "Service")
async def astream(user_id):
    yield "x" * 10
    yield "x" * 10

@consume_credits(5, "Service")
def work(user_id):
    return 1
"""


def run_script(url: str, body: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error::RuntimeWarning", "-c", BEGIN + textwrap.dedent(body), url],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return done.stdout


@pytest.fixture
def url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'credits.db'}"
    with SyncCreditClient(url) as client:
        client.add_credits(USER, START)
    return url


def spent(url: str) -> int:
    with SyncCreditClient(url) as client:
        assert client.verify().ok
        assert client.get_balance(USER).held == 0
        return int(START - client.get_user_balance(USER))


def test_nobody_closes_anything(url: str) -> None:
    run_script(url, "client = SyncCreditClient(URL); client.open(); work('alice')")
    assert spent(url) == 5


def test_a_stream_is_left_open(url: str) -> None:
    run_script(
        url,
        """
        client = SyncCreditClient(URL)
        client.open()
        left = stream("alice")
        next(left)
        """,
    )
    assert spent(url) == 10


def test_an_async_stream_is_left_open(url: str) -> None:
    run_script(
        url,
        """
        left = []
        async def main():
            async with CreditClient(URL):
                left.append(astream("alice"))
                await anext(left[0])
        asyncio.run(main())
        """,
    )
    assert spent(url) == 10


def test_the_script_ends_with_an_error(url: str) -> None:
    run_script(
        url,
        """
        client = SyncCreditClient(URL)
        client.open()
        left = stream("alice")
        next(left)
        sys.excepthook = lambda *error: None
        try:
            raise SystemExit(0)
        finally:
            next(left)
        """,
    )
    assert spent(url) == 20


def test_threads_outlive_the_main_one(url: str) -> None:
    run_script(
        url,
        """
        client = SyncCreditClient(URL)
        def later():
            threading.main_thread().join()
            for _ in range(3):
                work("alice")
        client.open()
        threading.Thread(target=later).start()
        """,
    )
    assert spent(url) == 15


def test_no_loop_at_all_and_the_client_opens_itself(url: str) -> None:
    out = run_script(
        url,
        """
        client = SyncCreditClient(URL)
        @consume_credits(5, client=client)
        def job(user_id):
            return "done"
        print(job("alice"))
        """,
    )
    assert out == "done\n"
    assert spent(url) == 5


@pytest.mark.skipif(not hasattr(sys, "getswitchinterval") or sys.platform == "win32", reason="fork")
def test_forked_workers(url: str) -> None:
    run_script(
        url,
        """
        client = SyncCreditClient(URL)
        @consume_credits(5, client=client)
        def job(user_id):
            return "done"
        job("alice")
        # Python warns of the threads, which stay behind: that is what is tested.
        warnings.simplefilter("ignore", DeprecationWarning)
        children = []
        for _ in range(3):
            pid = os.fork()
            if not pid:
                job("alice")
                client.close()
                os._exit(0)
            children.append(pid)
        for pid in children:
            assert os.waitpid(pid, 0)[1] == 0
        job("alice")
        """,
    )
    assert spent(url) == 25
