"""`SyncCreditClient` is `CreditClient` without ``await``."""

import inspect
import threading
from collections.abc import Generator
from pathlib import Path

import pytest

from aiocredits import CreditClient, CreditHold, SyncCreditClient, SyncCreditHold, commands
from aiocredits.errors import InsufficientCreditsError, UsageError
from aiocredits.storages.memory import MemoryStorage

USER = "alice"
# What is about event loops has no twin, nor has what other parts of the package use.
ONLY_ASYNC = {
    *("loop", "sibling", "submit", "read", "now", "credit_price"),
    "in_transaction",  # takes an asynchronous connection of the caller's
    *("settled", "held_micros", "used_micros", "place_now", "capture_now", "release_now"),
}
ONLY_SYNC = {"client", "beside", "receipt"}


def public_names(kind: type) -> set[str]:
    return {name for name in dir(kind) if not name.startswith("_")}


def signature_of(kind: type, name: str) -> list[tuple[str, object, object]]:
    parameters = inspect.signature(getattr(kind, name)).parameters.values()
    return [(p.name, p.kind, p.default) for p in parameters]


@pytest.mark.parametrize(
    ("asynchronous", "synchronous"),
    [(CreditClient, SyncCreditClient), (CreditHold, SyncCreditHold)],
)
class TestTwins:
    def test_names(self, asynchronous: type, synchronous: type) -> None:
        assert public_names(asynchronous) - public_names(synchronous) <= ONLY_ASYNC
        assert public_names(synchronous) - public_names(asynchronous) <= ONLY_SYNC

    def test_signatures(self, asynchronous: type, synchronous: type) -> None:
        for name in public_names(asynchronous) & public_names(synchronous):
            if not inspect.isfunction(getattr(asynchronous, name)):
                continue
            assert signature_of(asynchronous, name) == signature_of(synchronous, name), name
            assert not inspect.iscoroutinefunction(getattr(synchronous, name)), name

    def test_making_one(self, asynchronous: type, synchronous: type) -> None:
        if asynchronous is CreditClient:
            assert signature_of(asynchronous, "__init__") == signature_of(synchronous, "__init__")


@pytest.fixture
def client(tmp_path: Path) -> Generator[SyncCreditClient]:
    with SyncCreditClient(f"sqlite:///{tmp_path / 'credits.db'}") as client:
        client.add_credits(USER, 100, "welcome")
        yield client
        assert client.verify().ok


def test_verbs(client: SyncCreditClient) -> None:
    receipt = client.consume_credits(USER, "2.5", "one report", service="reports")
    assert receipt.balance == client.get_user_balance(USER) == 97.5
    assert client.can_afford(USER, 97)
    assert not client.can_afford(USER, 98)
    client.refund_credits(receipt.id, 1)
    status = client.get_user_credit_status(USER)
    assert status["balance"] == status.balance == 98.5
    assert status.summary["monthly_spent"] == 1.5
    one, two = client.apply_all(
        commands.consume_credits(USER, 1), commands.add_credits("bob", 1, "his share")
    )
    assert (one.user_id, two.user_id) == (USER, "bob")
    with pytest.raises(InsufficientCreditsError, match=r"needs 1000 credits and has 97\.5"):
        client.consume_credits(USER, 1000)
    assert client.run_maintenance().accounts == 0
    assert client.verify(USER).ok


def test_iterators(client: SyncCreditClient) -> None:
    for number in range(1200):
        client.consume_credits(USER, "0.01", str(number))
    assert [entry.version for entry in client.entries(USER)] == list(range(1, 1202))
    assert next(client.entries(USER, newest_first=True)).description == "1199"
    assert [grant.description for grant in client.grants(USER)] == ["welcome"]
    assert list(client.holds(USER)) == []
    unread = client.entries(USER)
    next(unread)
    del unread


def test_holds(client: SyncCreditClient) -> None:
    with client.hold(USER, 20) as hold:
        assert hold.credits == 20
        assert client.get_user_balance(USER) == 80
        hold.use(3)
        hold.extend(credits=5)
        assert hold.used == 3
    assert hold.receipt is not None
    assert hold.receipt.amount == 3
    with pytest.raises(KeyError), client.hold(USER, 20):
        raise KeyError
    with client.hold(USER, 20) as hold:
        hold.capture(5, final=False)
        with client.resume_hold(hold.id) as again:
            again.release()
        assert [held.state for held in client.holds(USER)] == ["captured", "released", "released"]
        hold.release()
    assert client.get_user_balance(USER) == 92


def test_life() -> None:
    client = SyncCreditClient(MemoryStorage())
    client.close()  # was never open
    client.add_credits(USER, 5)  # opens it
    client.open()
    client.close()
    client.close()
    with pytest.raises(UsageError, match="has been closed"):
        client.get_user_balance(USER)
    with client as again:
        assert again.get_user_balance(USER) == 5


def test_the_asynchronous_client_says_what_to_write() -> None:
    with pytest.raises(UsageError, match=r"with SyncCreditClient\(\)"), CreditClient("memory://"):
        pass


def test_threads_share_one() -> None:
    client = SyncCreditClient("memory://")
    client.add_credits(USER, 100)
    threads = [
        threading.Thread(target=lambda: [client.consume_credits(USER, 1) for _ in range(10)])
        for _ in range(10)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert client.get_user_balance(USER) == 0
    client.close()


def test_opened_once_by_many_threads() -> None:
    client = SyncCreditClient("memory://")
    barrier = threading.Barrier(8)

    def work() -> None:
        barrier.wait()
        client.add_credits(USER, 1)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert client.get_user_balance(USER) == 8
    client.close()
