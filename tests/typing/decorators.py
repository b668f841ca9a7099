"""What type checkers see of decorated functions: exactly what they saw before. Never run."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Generator, Iterator
from decimal import Decimal
from functools import partial
from typing import Any, ParamSpec, Protocol, TypeVar, Unpack, assert_type

from aiocredits import (
    ChargeOptions,
    CreditClient,
    CreditHold,
    CreditInfo,
    CreditStatus,
    Receipt,
    SyncCreditClient,
    SyncCreditHold,
    ai_analysis_credits,
    ai_chat_credits,
    ai_generation_credits,
    consume_credits,
    credit_aware,
    current_hold,
    file_conversion_credits,
    file_processing_credits,
    file_upload_credits,
    get_user_credit_status,
    quick_credit_check,
    quick_credit_consumption,
    require_credits,
    sync,
    workflow_credits,
)
from aiocredits.pricing import per_character

P = ParamSpec("P")
T = TypeVar("T")

# Shapes


@consume_credits(5, "Service")
async def coroutine(user_id: str, count: int = 0, *, flag: bool = False) -> str:
    return user_id


@consume_credits("2.5", "Service")
def function(user_id: str, /, *rest: int) -> Decimal:
    return Decimal(1)


@consume_credits(Decimal(1))
async def async_generator(user_id: str) -> AsyncGenerator[bytes, int]:
    yield b""


@consume_credits(1)
async def async_iterator(user_id: str) -> AsyncIterator[bytes]:
    yield b""


@consume_credits(1)
def generator(user_id: str) -> Generator[bytes, int, str]:
    yield b""
    return ""


@consume_credits(1)
def iterator(user_id: str) -> Iterator[bytes]:
    yield b""


assert_type(function("a", 1, 2), Decimal)
assert_type(async_generator("a"), AsyncGenerator[bytes, int])
assert_type(async_iterator("a"), AsyncIterator[bytes])
assert_type(generator("a"), Generator[bytes, int, str])
assert_type(iterator("a"), Iterator[bytes])


class Named(Protocol):
    """Names and defaults of the parameters are kept, not only their types."""

    def __call__(
        self, user_id: str, count: int = 0, *, flag: bool = False
    ) -> Coroutine[Any, Any, str]: ...


kept: Named = coroutine

coroutine()  # type: ignore[call-arg, unused-coroutine]  # pyright: ignore[reportCallIssue, reportUnusedCoroutine]
function(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
function(user_id="a")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


class Service:
    @consume_credits(5, user="self.owner")
    async def method(self, text: str) -> str:
        return text

    @classmethod
    @consume_credits(5)
    async def class_method(cls, user_id: str) -> type["Service"]:
        return cls

    @staticmethod
    @consume_credits(5)
    def static_method(user_id: str) -> int:
        return len(user_id)


assert_type(Service.static_method("a"), int)
Service().method(1)  # type: ignore[arg-type, unused-coroutine]  # pyright: ignore[reportArgumentType, reportUnusedCoroutine]


class Job:
    async def __call__(self, user_id: str) -> int:
        return 1


assert_type(consume_credits(5)(partial(function, "a"))(1), Decimal)

# Decorators


@require_credits(10, "Premium Service", user="user_id", unit="images")
async def required(user_id: str) -> str:
    return user_id


@credit_aware(5, "Service")
async def aware(user_id: str, credit_info: CreditInfo | None = None) -> Decimal:
    return credit_info["current_balance"] - credit_info["credits"] if credit_info else Decimal(0)


@ai_chat_credits("message", minimum=1)
async def chat(user_id: str, message: str) -> str:
    return message


@ai_analysis_credits("data")
async def analyse(user_id: str, data: bytes) -> int:
    return len(data)


@ai_generation_credits(limit="length", on_exhausted="stop", on_error="keep")
async def generate(user_id: str, length: int) -> AsyncGenerator[str]:
    assert_type(current_hold(), CreditHold)
    yield "x" * length


@file_processing_credits("file_size")
def process(user_id: str, file_size: int) -> None:
    assert_type(sync.current_hold(), SyncCreditHold)


@file_upload_credits("files")
def upload(user_id: str, files: list[str]) -> None: ...


@file_conversion_credits()
def convert(user_id: str) -> bytes:
    return b""


@workflow_credits("complex", client=SyncCreditClient)
def workflow(user_id: str, steps: list[str]) -> int:
    return len(steps)


assert_type(generate("a", 1), AsyncGenerator[str])
assert_type(process("a", 1), None)
assert_type(upload("a", []), None)
assert_type(convert("a"), bytes)
assert_type(workflow("a", []), int)


async def awaited() -> None:
    assert_type(await coroutine("a", 1, flag=True), str)
    assert_type(await Service().method("a"), str)
    assert_type(await Service.class_method("a"), type[Service])
    assert_type(await required("a"), str)
    assert_type(await aware("a"), Decimal)
    assert_type(await chat("a", "b"), str)
    assert_type(await analyse("a", b""), int)
    assert_type(await consume_credits(5)(Job())(user_id="a"), int)


# Options


def who(request: str) -> str:
    return request


def policy(error: BaseException) -> sync.Verdict:
    return "keep" if isinstance(error, ValueError) else "refund"


@consume_credits(
    per_character(1, of="text"),
    "Service",
    user=who,
    actor="member.id",
    client=lambda: CreditClient("memory://"),
    idempotency_key="order:{order}",
    on_error=policy,
    on_disconnect="refund",
    if_short="partial",
    timeout=60,
)
async def with_options(text: str, request: str, member: Job, order: int) -> None: ...


consume_credits(5, if_short="never")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
consume_credits(5, usr="user_id")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
consume_credits(0.5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
require_credits(5, on_error="keep")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]

# Quick functions


async def quick() -> None:
    assert_type(await quick_credit_check("a", 5), bool)
    assert_type(await quick_credit_consumption("a", 5, "report"), Receipt)
    assert_type(await get_user_credit_status("a"), CreditStatus)


assert_type(sync.quick_credit_check("a", 5), bool)
assert_type(sync.quick_credit_consumption("a", 5, "report"), Receipt)
assert_type(sync.get_user_credit_status("a"), CreditStatus)

# The synchronous client

with SyncCreditClient() as client:
    assert_type(client, SyncCreditClient)
    assert_type(client.add_credits("a", 5, priority=1), Receipt)
    assert_type(client.get_user_balance("a"), Decimal)
    assert_type(client.can_afford("a", 5), bool)
    assert_type(client.get_user_credit_status("a").balance, Decimal)
    assert_type([entry.version for entry in client.entries("a")], list[int])
    client.add_credits("a")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    client.consume_credits("a", 5, servce="x")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    with client.hold("a", 5) as hold:
        assert_type(hold, SyncCreditHold)
        assert_type(hold.capture(1), Receipt)

# Decorators of one's own


def charged(
    price: int, **options: Unpack[ChargeOptions]
) -> Callable[[Callable[P, T]], Callable[P, T]]:
    return consume_credits(price, "Mine", **options)


@charged(5, user="owner")
def own(owner: str) -> bytes:
    return b""


assert_type(own("a"), bytes)
