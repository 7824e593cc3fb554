"""The HTTP clients against a real server that answers as orchestrate does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from lowtide.clients.analytics import Analytics
from lowtide.clients.orchestrate import Orchestrate
from lowtide.errors import Conflict, InvalidDocument, LowtideError, NotFound, Unavailable

pytestmark = pytest.mark.anyio

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def _served(handler: Handler) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    try:
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


def _problem(status: int, code: str, **members: object) -> web.Response:
    document = {"title": "A title", "status": status, "code": code, "detail": "why", **members}
    return web.json_response(document, status=status, content_type="application/problem+json")


async def test_a_start_carries_input_version_wait_and_idempotency_key() -> None:
    seen: dict[str, object] = {}

    async def answer(request: web.Request) -> web.Response:
        seen.update(
            path=request.path_qs, key=request.headers["idempotency-key"], body=await request.json(), how=request.method
        )
        return web.json_response({"id": "1", "phase": "pending"}, status=202)

    async with _served(answer) as url, Orchestrate(url) as api:
        started = await api.start("shop", "order", {"id": 7}, version="1.0.0", wait=2.5, key="order-7")
    assert started == {"id": "1", "phase": "pending"}
    path = "/v1/namespaces/shop/workflows/order/executions?version=1.0.0&wait=2.5s"
    assert seen == {"path": path, "key": "order-7", "body": {"id": 7}, "how": "POST"}


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (404, "not_found", NotFound),
        (409, "conflict", Conflict),
        (503, "unavailable", Unavailable),
        (404, "from.the.future", NotFound),
        (500, "internal", LowtideError),
    ],
)
async def test_a_problem_document_becomes_the_error_it_came_from(
    status: int, code: str, expected: type[LowtideError]
) -> None:
    async def answer(_: web.Request) -> web.Response:
        return _problem(status, code)

    async with _served(answer) as url, Orchestrate(url) as api:
        with pytest.raises(expected, match="A title: why") as raised:
            await api.execution("shop", "1")
    assert type(raised.value) is expected


async def test_mistakes_of_a_document_come_back_line_by_line() -> None:
    found = {"line": 3, "column": 5, "severity": "error", "message": "no such task", "mend": "name one of: a, b"}

    async def answer(_: web.Request) -> web.Response:
        return _problem(422, "document.invalid", problems=[found])

    async with _served(answer) as url, Orchestrate(url) as api:
        with pytest.raises(InvalidDocument) as raised:
            await api.deploy("shop", "document: {}")
    assert raised.value.problems == ["document:3:5: no such task; name one of: a, b"]


async def test_a_server_that_comes_back_is_asked_again_only_where_that_is_safe() -> None:
    calls: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        calls.append(request.method)
        return _problem(503, "unavailable") if len(calls) % 2 else web.json_response({"id": "1"})

    async with _served(answer) as url, Orchestrate(url, attempts=3) as api:
        assert await api.start("shop", "order", key="k") == {"id": "1"}
        with pytest.raises(Unavailable):
            await api.start("shop", "order")
    assert len(calls) == 3


async def test_where_nothing_answers_the_error_says_how_to_mend_it() -> None:
    async with Orchestrate("http://127.0.0.1:1") as api:
        with pytest.raises(Unavailable, match="lowtide up"):
            await api.execution("shop", "1")


async def test_a_server_that_hangs_is_given_up_after_the_timeout() -> None:
    async def answer(_: web.Request) -> web.Response:
        await asyncio.sleep(0.5)
        return web.json_response({})

    async with _served(answer) as url, Orchestrate(url, timeout=0.05) as api:
        with pytest.raises(Unavailable, match=r"within 0\.05 s"):
            await api.execution("shop", "1")


async def test_all_pages_of_a_list_are_read() -> None:
    async def answer(request: web.Request) -> web.Response:
        cursor = int(request.query.get("cursor", 0))
        return web.json_response({"items": [{"id": cursor}], "next": str(cursor + 1) if cursor < 2 else None})

    async with _served(answer) as url, Orchestrate(url) as api:
        assert [item["id"] async for item in api.all_executions("shop")] == [0, 1, 2]


async def test_names_are_escaped_in_paths() -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.json_response({"path": request.raw_path})

    async with _served(answer) as url, Analytics(url) as api:
        assert await api.timeline("shop", "a/b c") == {"path": "/v1/namespaces/shop/executions/a%2Fb%20c/timeline"}
