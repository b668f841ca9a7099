"""Whatever can be called can be decorated, and stays what it was."""

import functools
import inspect
from collections.abc import AsyncGenerator, Coroutine, Generator
from decimal import Decimal
from typing import Any

import pytest

from aiocredits import SyncCreditClient, consume_credits, credit_aware, require_credits
from aiocredits.errors import ConfigurationError, UsageError
from tests.decorators.books import START, USER, opened, settled

charge = consume_credits(5, "Service")


class Service:
    """Has methods of all kinds, decorated above and below the descriptor."""

    @charge
    async def method(self, user_id: str) -> str:
        return f"{type(self).__name__} {user_id}"

    @classmethod
    @charge
    async def below(cls, user_id: str) -> str:
        return cls.__name__

    @charge
    @classmethod
    async def above(cls, user_id: str) -> str:
        return cls.__name__

    @staticmethod
    @charge
    async def static_below(user_id: str) -> str:
        return user_id

    @charge
    @staticmethod
    async def static_above(user_id: str) -> str:
        return user_id


class Callable:
    async def __call__(self, user_id: str) -> str:
        return user_id


class CallableStream:
    async def __call__(self, user_id: str) -> AsyncGenerator[int]:
        yield 1


async def _partial(greeting: str, user_id: str) -> str:
    return f"{greeting} {user_id}"


@pytest.mark.parametrize(
    ("function", "answer"),
    [
        (Service().method, "Service alice"),
        (Service.below, "Service"),
        (Service.above, "Service"),
        (Service.static_below, "alice"),
        (Service.static_above, "alice"),
        (charge(Callable()), "alice"),
        (charge(functools.partial(_partial, "hi")), "hi alice"),
        (charge(functools.partial(Callable())), "alice"),
        (charge(functools.partial(functools.partial(_partial, "hi"), user_id="alice")), "hi alice"),
        (charge(Service().method.__wrapped__.__get__(Service())), "Service alice"),  # type: ignore[attr-defined]
    ],
)
async def test_coroutines_of_all_kinds(function: Any, answer: str) -> None:
    async with opened() as client:
        keywords = {} if getattr(function.__wrapped__, "keywords", None) else {"user_id": USER}
        assert inspect.iscoroutinefunction(function)
        assert await function(**keywords) == answer
        assert await settled(client) == 5


async def test_callable_object_that_streams() -> None:
    async with opened() as client:
        stream = charge(CallableStream())
        assert inspect.isasyncgenfunction(stream)
        assert [item async for item in stream(USER)] == [1]
        assert await settled(client) == 5


def test_what_a_function_is_can_still_be_seen() -> None:
    @charge
    def function(user_id: str, /, count: int = 3, *rest: int, flag: bool = False) -> str:
        """Do it."""
        return user_id

    @charge
    def generator(user_id: str) -> Generator[int]:
        yield 1

    assert function.__name__ == "function"
    assert function.__doc__ == "Do it."
    wanted = "(user_id: str, /, count: int = 3, *rest: int, flag: bool = False) -> str"
    assert str(inspect.signature(function)) == wanted
    assert inspect.isgeneratorfunction(generator)
    assert not inspect.iscoroutinefunction(function)


async def test_async_generator_keeps_send_and_throw() -> None:
    async with opened() as client:

        @charge
        async def echo(user_id: str) -> AsyncGenerator[str, str]:
            said = yield "begin"
            while said != "end":
                try:
                    said = yield said.upper()
                except KeyError as error:
                    said = yield f"caught {error.args[0]}"

        stream = echo(USER)
        assert await anext(stream) == "begin"
        assert await stream.asend("hi") == "HI"
        assert await stream.athrow(KeyError("x")) == "caught x"
        with pytest.raises(StopAsyncIteration):
            await stream.asend("end")
        assert await settled(client) == 5


def test_generator_keeps_send_throw_and_return() -> None:
    @charge
    def echo(user_id: str) -> Generator[str, str, str]:
        said = yield "begin"
        try:
            said = yield said.upper()
        except KeyError:
            said = yield "caught"
        return said

    def delegate() -> Generator[str, str, str]:
        return (yield from echo(USER))

    with SyncCreditClient("memory://") as client:
        client.add_credits(USER, START)
        stream = delegate()
        assert next(stream) == "begin"
        assert stream.send("hi") == "HI"
        assert stream.throw(KeyError()) == "caught"
        with pytest.raises(StopIteration) as stop:
            stream.send("bye")
        assert stop.value.value == "bye"
        assert client.get_user_balance(USER) == START - 5


async def test_a_call_that_does_not_fit_is_not_charged() -> None:
    async with opened() as client:
        with pytest.raises(TypeError, match="user_id"):
            await Service().method()  # type: ignore[call-arg]
        with pytest.raises(TypeError, match=r"method\(\) too many"):
            await Service().method(USER, 3)  # type: ignore[call-arg]
        assert await settled(client) == 0


async def test_refused_before_the_work() -> None:
    async with opened(4) as client:
        ran = False

        @charge
        async def work(user_id: str) -> None:
            nonlocal ran
            ran = True

        with pytest.raises(Exception, match="needs 5") as caught:
            await work(USER)
        assert not ran
        assert caught.value.shortfall == 1  # type: ignore[attr-defined]
        assert await client.get_user_balance(USER) == 4


def test_plain_function_that_returns_a_coroutine_is_refused_and_given_back() -> None:
    async def behind(user_id: str) -> str:
        return user_id

    def plain(user_id: str) -> Coroutine[Any, Any, str]:
        return behind(user_id)

    decorated = charge(plain)
    with SyncCreditClient("memory://") as client:
        client.add_credits(USER, START)
        with pytest.raises(UsageError, match="async def"):
            _ = decorated(USER)
        assert client.get_user_balance(USER) == START


def test_what_cannot_be_decorated() -> None:
    with pytest.raises(ConfigurationError, match="is a class"):
        charge(Service)
    with pytest.raises(ConfigurationError, match="with its price"):
        consume_credits(lambda user_id: 5)(7)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="below @property"):
        charge(property(lambda self: 1))  # type: ignore[arg-type]


class TestRequireCredits:
    async def test_it_only_looks(self) -> None:
        @require_credits(10, "Premium Service")
        async def open_editor(user_id: str) -> str:
            return "editor"

        @require_credits(10, "Premium Service")
        async def stream(user_id: str) -> AsyncGenerator[int]:
            yield 1

        async with opened() as client:
            assert await open_editor(USER) == "editor"
            assert [item async for item in stream(USER)] == [1]
            assert await settled(client) == 0
            with pytest.raises(Exception, match="needs 10 credits for 'Premium Service'"):
                await open_editor("bob")
            await client.freeze_account(USER)
            with pytest.raises(Exception, match="frozen"):
                await open_editor(USER)
            await client.close_account(USER)
            with pytest.raises(Exception, match="closed"):
                await open_editor(USER)

    def test_in_synchronous_code(self) -> None:
        @require_credits(10)
        def open_editor(user_id: str) -> str:
            return "editor"

        with SyncCreditClient("memory://") as client:
            client.add_credits(USER, 10)
            assert open_editor(USER) == "editor"
            with pytest.raises(Exception, match="needs 10"):
                open_editor("bob")


class TestCreditAware:
    async def test_the_function_is_told(self) -> None:
        @credit_aware(5, "Service")
        async def decorated(user_id: str, credit_info: dict[str, Decimal], extra: int = 0) -> Any:
            return credit_info, extra

        work: Any = decorated
        async with opened():
            told, extra = await work(USER, 7)
            assert told == {"current_balance": START - 5, "credits": 5}
            assert extra == 7
        assert "credit_info" not in inspect.signature(work).parameters
        assert "credit_info" not in work.__annotations__

    async def test_nothing_is_passed_that_was_not_asked_for(self) -> None:
        @credit_aware(5, "Service")
        async def work(user_id: str, **others: object) -> object:
            return others

        async with opened() as client:
            assert await work(USER) == {}
            assert await settled(client) == 5

    async def test_a_stream_is_told_what_is_reserved(self) -> None:
        @credit_aware(5)
        async def work(
            user_id: str, *, credit_info: dict[str, Decimal] | None = None
        ) -> AsyncGenerator[object]:
            yield credit_info

        async with opened():
            told = [info async for info in work(USER)]
            assert told == [{"current_balance": START - 5, "credits": 5}]

    def test_in_synchronous_code(self) -> None:
        @credit_aware(5)
        def work(user_id: str, credit_info: dict[str, Decimal] | None = None) -> object:
            return credit_info

        with SyncCreditClient("memory://") as client:
            client.add_credits(USER, 100)
            assert work(USER) == {"current_balance": 95, "credits": 5}

    async def test_free(self) -> None:
        @credit_aware()
        async def work(user_id: str, credit_info: dict[str, Decimal] | None = None) -> object:
            return credit_info

        async with opened() as client:
            assert await work(USER) == {"current_balance": START, "credits": 0}
            assert await settled(client) == 0
