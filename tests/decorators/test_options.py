"""What the options of a charge do."""

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import pytest

from aiocredits import CreditClient, consume_credits, current_hold
from aiocredits.errors import InsufficientCreditsError, OverdraftLimitError, UsageError
from aiocredits.pricing import flat, per_character, per_token, tiered
from aiocredits.types import IfShort
from tests.decorators.books import START, USER, BoomError, kinds, opened, settled


class TestKeys:
    async def test_calls_with_one_key_are_charged_once(self) -> None:
        @consume_credits(5, idempotency_key="order:{order}")
        async def work(user_id: str, order: int) -> int:
            return order

        async with opened() as client:
            assert [await work(USER, 7), await work(USER, 7), await work(USER, 7)] == [7, 7, 7]
            assert await settled(client) == 5
            await work(USER, 8)
            assert await settled(client) == 10

    async def test_at_the_same_time(self) -> None:
        @consume_credits(5, idempotency_key="order")
        async def work(user_id: str, order: str) -> None:
            await asyncio.sleep(0)

        async with opened() as client:
            await asyncio.gather(*(work(USER, "7") for _ in range(20)))
            assert await settled(client) == 5

    async def test_what_failed_is_charged_again_and_once(self) -> None:
        @consume_credits(5, idempotency_key="order")
        async def work(user_id: str, order: str, *, fail: bool = False) -> None:
            if fail:
                raise BoomError

        async with opened() as client:
            for _ in range(3):
                with pytest.raises(BoomError):
                    await work(USER, "7", fail=True)
            assert await settled(client) == 0
            for _ in range(3):
                await work(USER, "7")
            assert await settled(client) == 5
            with pytest.raises(BoomError):
                await work(USER, "7", fail=True)
            assert await settled(client) == 5

    async def test_one_fails_and_one_succeeds(self) -> None:
        """The first gives its charge back while the second, which shares it, is at work."""
        failed, entered = asyncio.Event(), asyncio.Event()

        @consume_credits(5, idempotency_key="order")
        async def work(user_id: str, order: str, *, first: bool) -> None:
            if first:
                await entered.wait()
                raise BoomError
            entered.set()
            await failed.wait()

        async with opened() as client:
            one = asyncio.create_task(work(USER, "7", first=True))
            while not await kinds(client):  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0)
            two = asyncio.create_task(work(USER, "7", first=False))
            with pytest.raises(BoomError):
                await one
            failed.set()
            await two
            assert await settled(client) == 5

    async def test_cancelled_and_tried_again(self) -> None:
        @consume_credits(5, idempotency_key="order")
        async def work(user_id: str, order: str) -> None: ...

        for steps in range(8):
            async with opened() as client:
                task = asyncio.create_task(work(USER, "7"))
                for _ in range(steps):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.wait({task})
                await work(USER, "7")
                await work(USER, "7")
                assert await settled(client) == 5

    async def test_no_key(self) -> None:
        @consume_credits(5, idempotency_key=lambda order: order)
        async def work(user_id: str, order: str | None) -> None: ...

        async with opened() as client:
            await work(USER, None)
            await work(USER, None)
            assert await settled(client) == 10

    async def test_by_result(self) -> None:
        @consume_credits(per_character(1, of="result"), limit=50, idempotency_key="order")
        async def work(user_id: str, order: str, length: int) -> str:
            if not length:
                raise BoomError
            return "x" * length

        async with opened() as client:
            with pytest.raises(BoomError):
                await work(USER, "7", 0)
            assert await settled(client) == 0
            await work(USER, "7", 20)
            assert await settled(client) == 20
            await work(USER, "7", 30)
            assert await settled(client) == 20
            await asyncio.gather(*(work(USER, "8", 10 + n) for n in range(5)))
            assert 10 <= await settled(client) - 20 <= 14

    async def test_streams(self) -> None:
        @consume_credits(per_character(1, of="result"), idempotency_key="order")
        async def work(user_id: str, order: str) -> AsyncGenerator[str]:
            yield "x" * 20
            yield "x" * 20

        async with opened() as client:
            for _ in range(3):
                assert len([text async for text in work(USER, "7")]) == 2
            assert await settled(client) == 40


class TestOnError:
    @pytest.mark.parametrize(
        ("policy", "spent"),
        [
            ("refund", 0),
            ("keep", 5),
            (lambda error: "keep" if isinstance(error, BoomError) else "refund", 5),
            (lambda error: "refund", 0),
        ],
    )
    async def test_known_price(self, policy: Any, spent: int) -> None:
        @consume_credits(5, on_error=policy)
        async def work(user_id: str) -> None:
            raise BoomError

        async with opened() as client:
            with pytest.raises(BoomError):
                await work(USER)
            assert await settled(client) == spent

    @pytest.mark.parametrize(("policy", "spent"), [("refund", 0), ("keep", 30)])
    @pytest.mark.parametrize("used", [None, 12])
    async def test_by_result(self, policy: Any, spent: int, used: int | None) -> None:
        @consume_credits(per_character(1, of="result"), limit=30, on_error=policy)
        async def work(user_id: str) -> str:
            if used:
                current_hold().use(used)
            raise BoomError

        async with opened() as client:
            with pytest.raises(BoomError):
                await work(USER)
            assert await settled(client) == (used if spent and used else spent)

    @pytest.mark.parametrize(
        ("end", "options", "spent"),
        [
            ("raise", {}, 0),
            ("raise", {"on_error": "keep"}, 20),
            ("leave", {}, 20),
            ("leave", {"on_disconnect": "refund"}, 0),
            ("leave", {"on_disconnect": lambda error: "refund"}, 0),
            ("leave", {"on_error": "keep", "on_disconnect": "refund"}, 0),
        ],
    )
    async def test_streams(self, end: Literal["raise", "leave"], options: Any, spent: int) -> None:
        @consume_credits(per_character(1, of="result"), **options)
        async def work(user_id: str) -> AsyncGenerator[str]:
            yield "x" * 10
            yield "x" * 10
            raise BoomError

        async with opened() as client:
            stream = work(USER)
            assert [await anext(stream), await anext(stream)]
            if end == "raise":
                with pytest.raises(BoomError):
                    await anext(stream)
            await stream.aclose()
            assert await settled(client) == spent

    async def test_a_policy_that_fails_keeps_nothing(self) -> None:
        def policy(error: BaseException) -> Any:
            raise RuntimeError("oops")

        @consume_credits(5, on_error=policy)
        async def work(user_id: str) -> None:
            raise BoomError

        async with opened() as client:
            with pytest.raises(BoomError) as caught:
                await work(USER)
            assert "oops" in caught.value.__notes__[0]
            assert await settled(client) == 0

    async def test_a_refund_that_fails_is_noted(self, caplog: pytest.LogCaptureFixture) -> None:
        @consume_credits(5)
        async def work(user_id: str, client: CreditClient) -> None:
            await client.close_account(user_id)
            raise BoomError

        async with opened() as client:
            with pytest.raises(BoomError) as caught:
                await work(USER, client)
            assert "could not be settled" in caught.value.__notes__[0]
        assert "could not be settled" in caplog.text


class TestIfShort:
    @pytest.mark.parametrize(
        ("if_short", "balance", "debt"), [("partial", 0, 0), ("overdraft", 0, 3)]
    )
    @pytest.mark.parametrize("kind", ["known", "by result", "stream"])
    async def test_it_goes_on(self, if_short: IfShort, balance: int, debt: int, kind: str) -> None:
        @consume_credits(8, if_short=if_short)
        async def known(user_id: str) -> str:
            return "x" * 8

        @consume_credits(per_character(1, of="result"), if_short=if_short)
        async def by_result(user_id: str) -> str:
            return "x" * 8

        @consume_credits(per_character(1, of="result"), if_short=if_short)
        async def stream(user_id: str) -> AsyncGenerator[str]:
            for _ in range(8):
                yield "x"

        async with opened(5) as client:
            await client.set_overdraft_limit(USER, 10)
            match kind:
                case "known":
                    await known(USER)
                case "by result":
                    await by_result(USER)
                case _:
                    assert len([text async for text in stream(USER)]) == 8
            found = await client.get_balance(USER)
            assert found.available == balance
            assert (found.held, found.overdraft) == (Decimal(0), Decimal(debt))

    async def test_debt_from_the_first_character(self) -> None:
        @consume_credits(per_character(1, of="result"), if_short="overdraft")
        async def work(user_id: str) -> str:
            return "xx"

        async with opened() as client:
            await client.set_overdraft_limit("bob", 10)
            await work("bob")
            assert (await client.get_balance("bob")).overdraft == 2
            with pytest.raises(OverdraftLimitError):
                await work("carol")


class TestWhatIsReserved:
    async def test_the_upper_bound(self) -> None:
        held = []

        @consume_credits(flat(1) + per_character(1, of="result"), limit="length")
        async def work(user_id: str, length: int) -> str:
            held.append(current_hold().credits)
            return "x" * (length // 2)

        async with opened() as client:
            await work(USER, 40)
            assert held == [41]
            assert await settled(client) == 21
            with pytest.raises(InsufficientCreditsError):
                await work(USER, START)

    async def test_an_estimate(self) -> None:
        @consume_credits(
            lambda result, scale=1: scale * len(result), estimate=lambda length: length * 2
        )
        async def work(user_id: str, length: int) -> str:
            assert current_hold().credits == length * 2
            return "x" * length

        async with opened() as client:
            await work(USER, 10)
            assert await settled(client) == 10

    async def test_nothing_costs_nothing(self) -> None:
        @consume_credits(per_character(1, of="message") + per_character(1, every=10, of="result"))
        async def work(user_id: str, message: str) -> str:
            return message

        @consume_credits(per_character(1, of="message"))
        async def known(user_id: str, message: str) -> str:
            return message

        async with opened() as client:
            await work(USER, "")
            await known(USER, "")
            assert await settled(client) == 0
            await work(USER, "abc")
            assert await settled(client) == 4

    async def test_usage_found_elsewhere(self) -> None:
        class Answer:
            usage = MappingProxyType({"input": 1000, "output": 500})

        price = per_token(input="0.001", output="0.002")

        @consume_credits(
            price,
            limit=1000,
            usage={
                "input_tokens": "result.usage.input",
                "output_tokens": "result.usage.output",
            },
        )
        async def work(user_id: str) -> Answer:
            assert current_hold().credits == 3
            return Answer()

        async with opened() as client:
            await work(USER)
            assert await settled(client) == 2

    async def test_what_the_function_used_counts(self) -> None:
        @consume_credits(5, estimate=20)
        async def work(user_id: str, used: int | None) -> None:
            if used is not None:
                current_hold().use(used)

        async with opened() as client:
            await work(USER, 7)
            assert await settled(client) == 7
            await work(USER, None)
            assert await settled(client) == 12

    async def test_the_function_settles_itself(self) -> None:
        @consume_credits(5, estimate=20)
        async def work(user_id: str) -> None:
            await current_hold().capture(3)

        async with opened() as client:
            await work(USER)
            assert await settled(client) == 3

    async def test_no_hold(self) -> None:
        @consume_credits(5)
        async def work(user_id: str) -> None:
            current_hold()

        async with opened() as client:
            with pytest.raises(UsageError, match="nothing is held here"):
                await work(USER)
            assert await settled(client) == 0

    async def test_a_stream_leaves_no_hold_with_its_reader(self) -> None:
        @consume_credits(5)
        async def work(user_id: str) -> AsyncGenerator[object]:
            yield current_hold().credits

        async with opened():
            async for credits in work(USER):
                assert credits == 5
                with pytest.raises(UsageError):
                    current_hold()

    async def test_a_result_that_cannot_be_measured(self) -> None:
        @consume_credits(per_character(1, of="result"))
        async def work(user_id: str) -> object:
            return None

        async with opened() as client:
            with pytest.raises(ValueError, match="'result' is None"):
                await work(USER)
            assert await settled(client) == 0


class TestOnExhausted:
    """The user has 25 credits; a text costs 10."""

    @pytest.mark.parametrize(
        ("options", "delivered", "spent", "error"),
        [
            ({}, 2, 20, InsufficientCreditsError),
            ({"on_exhausted": "extend"}, 2, 20, InsufficientCreditsError),
            ({"on_exhausted": "stop"}, 0, 0, None),
            ({"on_exhausted": "stop", "estimate": 10}, 1, 10, None),
            ({"on_exhausted": "stop", "estimate": 25}, 2, 20, None),
            ({"on_exhausted": "raise", "estimate": 15}, 1, 10, InsufficientCreditsError),
            ({"on_exhausted": "overdraft"}, 4, 40, None),
            ({"on_exhausted": "extend", "on_error": "refund"}, 2, 20, InsufficientCreditsError),
        ],
    )
    async def test_streams(self, options: Any, delivered: int, spent: int, error: Any) -> None:
        finished = False

        @consume_credits(per_character(1, of="result"), **options)
        async def work(user_id: str) -> AsyncGenerator[str]:
            nonlocal finished
            try:
                for _ in range(4):
                    yield "x" * 10
            finally:
                finished = True

        async with opened(25) as client:
            await client.set_overdraft_limit(USER, 100)
            got: list[str] = []
            with pytest.raises(error) if error else nullcontext():
                async for text in work(USER):
                    got.append(text)  # noqa: PERF401 - a comprehension would lose them
            assert finished
            assert len(got) == delivered
            found = await client.get_balance(USER)
            assert found.held == 0
            assert 25 - found.available + found.overdraft == spent

    async def test_beyond_the_overdraft(self) -> None:
        @consume_credits(per_character(1, of="result"), on_exhausted="overdraft")
        async def work(user_id: str) -> AsyncGenerator[str]:
            yield "x" * 40

        async with opened(25) as client:
            with pytest.raises(OverdraftLimitError):
                assert [text async for text in work(USER)]
            assert (await client.get_balance(USER)).held == 0

    @pytest.mark.parametrize(
        ("options", "spent", "refused"),
        [
            ({}, 25, False),
            ({"on_exhausted": "stop", "estimate": 10}, 10, False),
            ({"on_exhausted": "raise", "estimate": 10}, 0, True),
        ],
    )
    async def test_calls(self, options: Any, spent: int, refused: object) -> None:
        @consume_credits(per_character(1, of="result"), **options)
        async def work(user_id: str, length: int) -> str:
            return "x" * length

        async with opened(25) as client:
            if refused:
                with pytest.raises(InsufficientCreditsError):
                    await work(USER, 25)
            else:
                await work(USER, 25)
            assert 25 - await client.get_user_balance(USER) == spent
            assert (await client.get_balance(USER)).held == 0

    async def test_a_result_that_cannot_be_paid_costs_nothing(self) -> None:
        @consume_credits(per_character(1, of="result"))
        async def work(user_id: str) -> str:
            return "x" * 26

        async with opened(25) as client:
            with pytest.raises(InsufficientCreditsError):
                await work(USER)
            assert (await client.get_balance(USER)).available == 25

    async def test_a_long_stream_asks_a_few_times(self) -> None:
        @consume_credits(per_character(1, of="result"))
        async def work(user_id: str) -> AsyncGenerator[str]:
            for _ in range(900):
                yield "x"

        async with opened() as client:
            assert len([text async for text in work(USER)]) == 900
            assert await settled(client) == 900
            assert len(await kinds(client)) < 20

    async def test_a_volume_price_that_falls(self) -> None:
        @consume_credits(tiered([(10, 1), (None, "0.5")], of="result"), limit=100)
        async def work(user_id: str) -> AsyncGenerator[int]:
            for _ in range(5):
                yield 4

        async with opened() as client:
            assert len([n async for n in work(USER)]) == 5
            assert await settled(client) == 15


async def test_service_actor_and_unit() -> None:
    @consume_credits(2, "Images", actor="member", unit="images")
    async def work(user_id: str, member: int) -> None: ...

    async with opened() as client:
        await client.add_credits(USER, 10, unit="images")
        await work(USER, 7)
        entry = [entry async for entry in client.entries(USER, unit="images")][-1]
        assert (entry.service, entry.actor, entry.description) == ("Images", "7", "Images")
        assert await client.get_user_balance(USER, unit="images") == 8


class TestClients:
    async def test_given(self) -> None:
        async with CreditClient("memory://") as one, CreditClient("memory://") as other:
            for client in (one, other):
                await client.add_credits(USER, 10)

            @consume_credits(5, client=one)
            async def given(user_id: str) -> None: ...

            @consume_credits(5, client=lambda: one)
            async def asked(user_id: str) -> None: ...

            @consume_credits(1)
            async def current(user_id: str) -> None: ...

            await given(USER)
            await asked(USER)
            assert await one.get_user_balance(USER) == 0
            await current(USER)
            assert await other.get_user_balance(USER) == 9
            with one.use(), pytest.raises(InsufficientCreditsError):
                await asyncio.create_task(current(USER))
            assert await other.get_user_balance(USER) == 9


class TestTimeouts:
    """A stream whose items come ten minutes apart, with a hold of fifteen."""

    @pytest.mark.parametrize("away", [0, 20, 60])
    async def test_streams_keep_their_hold(
        self, away: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        minutes = 0
        monkeypatch.setattr("aiocredits._decorators.stream.monotonic", lambda: minutes * 60.0)
        begin = datetime(2026, 1, 1, tzinfo=UTC)

        @consume_credits(per_character(1, of="result"))
        async def work(user_id: str) -> AsyncGenerator[str]:
            nonlocal minutes
            for _ in range(6):
                yield "x" * 10
                minutes += 10

        async with CreditClient(
            "memory://", clock=lambda: begin + timedelta(minutes=minutes)
        ) as client:
            await client.add_credits(USER, START)
            async for _ in work(USER):
                if minutes == 30:
                    minutes += away
            assert await settled(client) == 60
            assert (await client.verify()).ok

    async def test_a_call_that_took_too_long(self) -> None:
        minutes = 0
        begin = datetime(2026, 1, 1, tzinfo=UTC)

        @consume_credits(per_character(1, of="result"), timeout=timedelta(minutes=5))
        async def work(user_id: str) -> str:
            nonlocal minutes
            minutes += 6
            return "x" * 10

        async with CreditClient(
            "memory://", clock=lambda: begin + timedelta(minutes=minutes)
        ) as client:
            await client.add_credits(USER, START)
            await work(USER)
            assert await settled(client) == 10
            assert (await client.verify()).ok


@pytest.mark.parametrize("seed", range(3))
async def test_cancelled_at_any_moment(seed: int, tmp_path: Path) -> None:
    """A hundred calls and streams, each cancelled somewhere: charged are those that ended."""
    chance = random.Random(seed)

    @consume_credits(5)
    async def work(user_id: str) -> int:
        await asyncio.sleep(0)
        return 5

    @consume_credits(per_character(1, of="result"), estimate=3, on_disconnect="refund")
    async def stream(user_id: str) -> AsyncGenerator[str]:
        for _ in range(5):
            await asyncio.sleep(0)
            yield "x"

    async def call() -> int:
        return await work(USER)

    async def read() -> int:
        return len([text async for text in stream(USER)])

    async with CreditClient(f"sqlite:///{tmp_path / 'credits.db'}") as client:
        await client.add_credits(USER, START)
        tasks = [asyncio.create_task(chance.choice([call, read])()) for _ in range(100)]
        while pending := [task for task in tasks if not task.done()]:
            if chance.random() < 0.3:
                chance.choice(pending).cancel()
            await asyncio.sleep(chance.choice([0, 0, 0.001]))
        spent = await settled(client)
        least = sum(task.result() for task in tasks if not task.cancelled())
        # A stream that is cancelled while it is charged at its end has been delivered.
        most = least + 5 * sum(task.cancelled() for task in tasks)
        assert least <= spent <= most
        assert (spent - least) % 5 == 0
        assert (await client.verify()).ok
