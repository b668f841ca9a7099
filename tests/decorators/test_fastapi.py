"""FastAPI sees the signature that it knows, and every kind of endpoint is charged."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI, Request
from fastapi.responses import JSONResponse, StreamingResponse
from fastapi.testclient import TestClient

from aiocredits import (
    CreditClient,
    ai_chat_credits,
    ai_generation_credits,
    consume_credits,
    credit_aware,
    require_credits,
)
from aiocredits.errors import InsufficientCreditsError
from tests.decorators.books import START


@dataclass
class User:
    id: str


async def current_user(x_user: str = "alice") -> User:
    return User(x_user)


CurrentUser = Annotated[User, Depends(current_user)]


@ai_generation_credits()
async def generate(user_id: str, count: int) -> AsyncGenerator[str]:
    for _ in range(count):
        yield "x" * 50


@ai_generation_credits()
def generate_in_a_thread(user_id: str, count: int) -> Generator[str]:
    for _ in range(count):
        yield "x" * 50


def make_app() -> FastAPI:  # noqa: C901 - a list of endpoints
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with CreditClient("memory://") as client:
            await client.add_credits("alice", START)
            app.state.client = client
            yield
            assert (await client.verify()).ok

    app = FastAPI(lifespan=lifespan)

    @app.exception_handler(InsufficientCreditsError)
    async def refuse(request: Request, error: InsufficientCreditsError) -> JSONResponse:
        return JSONResponse({"detail": str(error), "missing": str(error.shortfall)}, 402)

    @app.get("/coroutine")
    @consume_credits(5, "Service", user="user.id")
    async def coroutine(user: CurrentUser, text: str = "hi") -> str:
        return text

    @app.get("/function")
    @consume_credits(5, "Service", user="user.id")
    def function(user: CurrentUser, text: str = "hi") -> str:
        return text

    @app.get("/priced")
    @ai_chat_credits("message")
    async def priced(user_id: str, message: str) -> str:
        return message

    @app.get("/required")
    @require_credits(10, "Premium Service")
    async def required(user_id: str) -> str:
        return "premium"

    @app.get("/aware")
    @credit_aware(5, "Service")
    async def aware(user_id: str, credit_info: dict[str, Decimal]) -> dict[str, str]:
        return {name: str(value) for name, value in credit_info.items()}

    @app.get("/aware-function")
    @credit_aware(5, "Service")
    def aware_function(user_id: str, credit_info: dict[str, Decimal]) -> dict[str, str]:
        return {name: str(value) for name, value in credit_info.items()}

    @app.get("/stream")
    async def stream(user_id: str, count: int) -> StreamingResponse:
        return StreamingResponse(generate(user_id, count))

    @app.get("/stream-in-a-thread")
    async def stream_in_a_thread(user_id: str, count: int) -> StreamingResponse:
        return StreamingResponse(generate_in_a_thread(user_id, count))

    @app.get("/balance")
    async def balance(request: Request, user_id: str) -> str:
        client: CreditClient = request.app.state.client
        assert (await client.get_balance(user_id)).held == 0
        return str(await client.get_user_balance(user_id))

    return app


@pytest.fixture
def web() -> Iterator[TestClient]:
    with TestClient(make_app()) as web:
        yield web


@pytest.mark.parametrize(
    ("path", "cost"),
    [
        ("/coroutine?text=ho", 5),
        ("/function?text=ho", 5),
        (f"/priced?user_id=alice&message={'x' * 101}", 2),
        ("/required?user_id=alice", 0),
        ("/aware?user_id=alice", 5),
        ("/aware-function?user_id=alice", 5),
        ("/stream?user_id=alice&count=5", 6),
        ("/stream-in-a-thread?user_id=alice&count=5", 6),
    ],
)
def test_endpoints(web: TestClient, path: str, cost: int) -> None:
    answer = web.get(path)
    assert answer.status_code == 200, answer.text
    assert web.get("/balance?user_id=alice").json() == str(START - cost)


def test_refusals(web: TestClient) -> None:
    for path in ("/coroutine?x_user=bob", "/function?x_user=bob"):
        answer = web.get(path)
        assert answer.status_code == 402
        assert answer.json()["missing"] == "5"
        assert "'bob' needs 5 credits" in answer.json()["detail"]


def test_credit_info_is_not_a_parameter_of_the_endpoint(web: TestClient) -> None:
    schema = web.get("/openapi.json").json()
    for path in ("/aware", "/aware-function"):
        names = [each["name"] for each in schema["paths"][path]["get"]["parameters"]]
        assert names == ["user_id"]
    assert web.get("/aware?user_id=alice").json() == {"current_balance": "995", "credits": "5"}


@pytest.mark.parametrize("path", ["/stream", "/stream-in-a-thread"])
async def test_the_client_disconnects(path: str) -> None:
    """Charged for what was sent, whoever ends the stream, and nothing stays held."""
    app = make_app()
    async with app.router.lifespan_context(app):
        client: CreditClient = app.state.client
        sent: list[bytes] = []
        enough = asyncio.Event()

        async def receive() -> dict[str, Any]:
            await enough.wait()
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message.get("body", b""))
            if len(b"".join(sent)) >= 150:
                enough.set()
                await asyncio.Event().wait()

        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "GET",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "scheme": "http",
            "query_string": b"user_id=alice&count=1000",
            "headers": [],
            "client": ("test", 1),
            "server": ("test", 80),
            "state": {},
        }
        await app(scope, receive, send)  # type: ignore[arg-type]
        gc.collect()
        async with asyncio.timeout(10):
            while (await client.get_balance("alice")).held:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0)
        assert len(b"".join(sent)) == 150
        assert START - await client.get_user_balance("alice") == 4
