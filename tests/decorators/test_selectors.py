"""Which argument is the user, the actor and the key: found when decorating."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest

from aiocredits import consume_credits
from aiocredits.errors import ConfigurationError, UsageError
from aiocredits.pricing import per_character, per_token
from tests.decorators.books import opened


@dataclass
class User:
    id: str


@dataclass
class Request:
    user: User | None


async def charged(function: Any, *args: Any, account: str = "alice", **kwargs: Any) -> None:
    """Call `function` and see that it was this account that paid."""
    async with opened() as client:
        await client.add_credits(account, 10)
        before = await client.get_user_balance(account)
        await function(*args, **kwargs)
        assert await client.get_user_balance(account) == before - 5


async def test_user_id_is_the_default() -> None:
    @consume_credits(5)
    async def work(text: str, user_id: str = "alice") -> None: ...

    await charged(work, "text")
    await charged(work, "text", "bob", account="bob")
    await charged(work, "text", user_id="bob", account="bob")


@pytest.mark.parametrize(
    ("selector", "account"),
    [
        ("request.user.id", "alice"),
        ("{org}:{request.user.id}", "acme:alice"),
        ("org", "acme"),
        ("claims.sub", "carol"),
        (lambda request: request.user.id, "alice"),
        (lambda org, claims, suffix="!": org + claims["sub"] + suffix, "acmecarol!"),
        (lambda *args, **kwargs: kwargs["org"], "acme"),
    ],
)
async def test_selectors(selector: Any, account: str) -> None:
    @consume_credits(5, user=selector)
    async def work(request: Request, *, org: str, claims: dict[str, str]) -> None: ...

    request = Request(User("alice"))
    await charged(work, request, org="acme", claims={"sub": "carol"}, account=account)


async def test_self() -> None:
    class Visit:
        user = User("alice")

        @consume_credits(5, user="self.user.id")
        async def work(self) -> None: ...

    await charged(Visit().work)


async def test_ids_of_other_types() -> None:
    @consume_credits(5)
    async def work(user_id: object) -> None: ...

    await charged(work, 7, account="7")
    await charged(work, UUID(int=7), account=str(UUID(int=7)))


async def test_keywords_that_nobody_declared() -> None:
    @consume_credits(5)
    async def work(**kwargs: object) -> None: ...

    await charged(work, user_id="alice")
    async with opened():
        with pytest.raises(UsageError, match="names the argument 'user_id'"):
            await work()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "has no parameter 'user_id', which user='user_id' names; its parameters are: account"),
        ({"user": "acount"}, "no parameter 'acount'"),
        ({"user": "{acount}:x"}, "no parameter 'acount'"),
        ({"user": "{account!r}"}, "in braces stands the name"),
        ({"user": "{}"}, "in braces stands the name"),
        ({"user": "{account"}, "expected '}'"),
        ({"user": "account."}, "dotted path"),
        ({"user": 7}, "name a parameter"),
        ({"user": lambda acount: 1}, "no parameter 'acount', which the callable of user= names"),
        ({"user": lambda account, /: 1}, "drop the '/'"),
        ({"user": "account", "actor": "member"}, "no parameter 'member'"),
        ({"user": "account", "idempotency_key": "order"}, "no parameter 'order'"),
        ({"user": "account", "usr": "account"}, "unknown option 'usr'; there are: actor"),
        ({"user": "account", "if_short": "rejct"}, "if_short='rejct'"),
        ({"user": "account", "on_error": "ignore"}, "on_error='ignore'"),
        ({"user": "account", "on_exhausted": "wait"}, "on_exhausted='wait'"),
        ({"user": "account", "client": 7}, "client=7"),
        ({"user": "account", "unit": "My Unit"}, "unit 'My Unit'"),
        ({"user": "account", "timeout": "soon"}, "timeout='soon'"),
        ({"user": "account", "estimate": 5, "limit": 5}, "give one"),
        ({"user": "account", "limit": 5}, "drop limit="),
        ({"user": "account", "usage": {"a": "b"}}, "give it a rule"),
        ({"user": "account", "estimate": lambda length: length}, "no parameter 'length'"),
    ],
)
def test_mistakes_are_found_when_decorating(options: Any, message: str) -> None:
    async def work(account: str) -> None: ...

    with pytest.raises(ConfigurationError) as caught:
        consume_credits(5, **options)(work)
    assert message in str(caught.value)


async def test_coroutine_functions_select_nothing() -> None:
    async def who(account: str) -> str:
        return account

    with pytest.raises(ConfigurationError, match="use 'def'"):
        consume_credits(5, user=who)(who)


@pytest.mark.parametrize(
    ("price", "options", "message"),
    [
        (per_character(1, of="mesage"), {}, "no parameter 'mesage', which the price names"),
        (per_character(1, of="a b"), {}, "not a name"),
        (
            per_token(input=1),
            {"usage": {"output_tokens": "x"}},
            "the price measures 'input_tokens'",
        ),
        (lambda mesage: 1, {}, "no parameter 'mesage'"),
        (lambda result: 1, {}, "say with estimate="),
    ],
)
def test_prices_that_name_nothing(price: Any, options: Any, message: str) -> None:
    async def work(user_id: str, message: str) -> None: ...

    with pytest.raises(ConfigurationError, match=message):
        consume_credits(price, **options)(work)


@pytest.mark.parametrize("price", [0.5, -1, True, "five", float("nan"), None])
def test_prices_that_are_none(price: Any) -> None:
    async def work(user_id: str) -> None: ...

    with pytest.raises(ValueError):  # noqa: PT011 - InvalidAmountError, whose texts have tests
        consume_credits(price)(work)


async def test_what_only_a_call_can_show() -> None:
    @consume_credits(5, user="request.user.id")
    async def work(request: Request) -> None: ...

    @consume_credits(5, user="{org}:x")
    async def other(org: str | None) -> None: ...

    async with opened() as client:
        with pytest.raises(UsageError, match="a NoneType has no 'id'"):
            await work(Request(None))
        with pytest.raises(UsageError, match="is None, which names nobody"):
            await other(None)
        with pytest.raises(ValueError, match="user_id None"):
            await consume_credits(5)(_nobody)(None)
        assert await client.get_user_balance("alice") == 1000


async def _nobody(user_id: object) -> None: ...
