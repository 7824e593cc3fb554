"""Publishing to a Broker: what arrives there, and what its answers mean."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from lowtide.clients.broker import Broker
from lowtide.errors import InvalidEvent, LowtideError, TooLarge, Unavailable
from lowtide.wire.cloudevents import BATCH, CloudEvent, from_json, read, read_all

EVENT: dict[str, Any] = {"specversion": "1.0", "id": "grün 1%", "source": "/s", "type": "t", "data": {"n": 1.0}}


async def published(answer: Callable[[web.Request], Awaitable[web.Response]], event: dict[str, Any]) -> None:
    app = web.Application()
    app.router.add_post("/", answer)
    async with TestServer(app) as server, Broker(str(server.make_url("/")), timeout=0.5) as broker:
        await broker.publish(event)


def test_an_event_arrives_as_it_was_given() -> None:
    arrived: list[CloudEvent] = []

    async def take(request: web.Request) -> web.Response:
        arrived.append(read(request.headers.items(), await request.read()))
        return web.Response(status=202)

    asyncio.run(published(take, EVENT))
    assert arrived[0].as_json() == {**EVENT, "datacontenttype": "application/json"}


def test_an_event_without_data_gets_no_content_type() -> None:
    arrived: list[CloudEvent] = []

    async def take(request: web.Request) -> web.Response:
        arrived.append(read(request.headers.items(), await request.read()))
        return web.Response(status=202)

    bare = {name: value for name, value in EVENT.items() if name != "data"}
    asyncio.run(published(take, bare))
    assert arrived[0].as_json() == bare


@pytest.mark.parametrize(
    ("status", "error"),
    [(400, InvalidEvent), (413, TooLarge), (404, Unavailable), (429, Unavailable), (503, Unavailable)],
)
def test_a_refusal_says_whether_to_try_again(status: int, error: type[LowtideError]) -> None:
    async def refuse(_: web.Request) -> web.Response:
        return web.Response(status=status, text="because")

    with pytest.raises(error):
        asyncio.run(published(refuse, EVENT))


THREE = [from_json({**EVENT, "id": str(number)}) for number in range(3)]


@asynccontextmanager
async def asking(answer: Callable[[web.Request], Awaitable[web.Response]]) -> AsyncIterator[Broker]:
    app = web.Application()
    app.router.add_post("/", answer)
    async with TestServer(app) as server, Broker(str(server.make_url("/")), timeout=5) as broker:
        yield broker


def test_several_events_are_one_request() -> None:
    arrived: list[list[str]] = []

    async def take(request: web.Request) -> web.Response:
        arrived.append([event.id for event in read_all(request.headers.items(), await request.read())])
        return web.Response(status=202)

    async def send() -> None:
        async with asking(take) as broker:
            await broker.send_all(THREE)

    asyncio.run(send())
    assert arrived == [["0", "1", "2"]]


@pytest.mark.parametrize("status", [400, 415, 500])
def test_a_broker_without_batches_gets_them_one_by_one_and_is_not_asked_again(status: int) -> None:
    arrived: list[str] = []

    async def take(request: web.Request) -> web.Response:
        arrived.append(request.content_type)
        return web.Response(status=status if request.content_type == BATCH else 202)

    async def send() -> None:
        async with asking(take) as broker:
            await broker.send_all(THREE)
            await broker.send_all(THREE)

    asyncio.run(send())
    assert [kind == BATCH for kind in arrived] == [True, *[False] * 6]


def test_a_broker_that_was_away_is_offered_batches_again() -> None:
    arrived: list[str] = []

    async def take(request: web.Request) -> web.Response:
        arrived.append(request.content_type)
        return web.Response(status=503 if len(arrived) < 3 else 202)

    async def send() -> None:
        async with asking(take) as broker:
            with pytest.raises(Unavailable):
                await broker.send_all(THREE)
            await broker.send_all(THREE)

    asyncio.run(send())
    assert [kind == BATCH for kind in arrived] == [True, False, True]


def test_no_answer_in_time_is_unavailable() -> None:
    async def sleep(_: web.Request) -> web.Response:
        await asyncio.sleep(5)
        return web.Response()

    with pytest.raises(Unavailable, match="did not answer"):
        asyncio.run(published(sleep, EVENT))


def test_nobody_there_is_unavailable() -> None:
    async def publish() -> None:
        async with Broker("http://127.0.0.1:1/") as broker:
            await broker.publish(EVENT)

    with pytest.raises(Unavailable, match="cannot be reached"):
        asyncio.run(publish())


def test_importing_it_does_not_import_an_http_client() -> None:
    program = "import sys, lowtide.clients.broker; print('aiohttp' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "False"
