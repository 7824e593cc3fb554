"""AsyncAPI over HTTP and WebSockets, against real servers of aiohttp."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import WSMsgType, web

from tests.eventually import eventually
from tests.integration.effects.asyncapi.described import Described, failure, output

pytestmark = pytest.mark.anyio


class Site:
    """``received``: requests and frames that came; ``feeds``: what each path answers with, piece by piece."""

    def __init__(self) -> None:
        self.received: list[dict[str, Any]] = []
        self.kind = "application/x-ndjson"
        self.pieces: list[bytes] = []
        self.stays = False
        self.left = asyncio.Event()
        self.port = 0

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.received.append({"method": request.method, "path": request.path, "headers": request.headers, "body": body})
        if request.headers.get("Authorization", "Bearer right") != "Bearer right":
            return web.Response(status=401)
        return web.Response(status=202)

    async def stream(self, request: web.Request) -> web.StreamResponse:
        self.received.append({"method": request.method, "headers": request.headers})
        response = web.StreamResponse(headers={"Content-Type": self.kind})
        await response.prepare(request)
        try:
            for piece in self.pieces:
                await response.write(piece)
                await asyncio.sleep(0.01)
            if self.stays:
                await asyncio.Event().wait()
        finally:
            self.left.set()
        return response

    async def socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        for piece in self.pieces:
            await socket.send_str(piece.decode())
        if not self.pieces or self.stays:
            async for frame in socket:
                if frame.type == WSMsgType.TEXT:
                    self.received.append({"headers": request.headers, "body": frame.data})
            self.left.set()
        return socket


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    made = Site()
    app = web.Application()
    app.router.add_post("/api/things", made.take)
    app.router.add_put("/api/things", made.take)
    app.router.add_get("/api/things", made.stream)
    app.router.add_get("/socket/things", made.socket)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    listening = web.TCPSite(runner, "127.0.0.1", 0)
    await listening.start()
    assert runner.addresses
    made.port = runner.addresses[0][1]
    yield made
    await runner.cleanup()


def described(site: Site, folder: Path, protocol: str = "http", **bindings: Any) -> Described:
    path = "/api" if protocol == "http" else "/socket"
    return Described(folder, protocol, f"127.0.0.1:{site.port}", server={"pathname": path}, **bindings)


def lines(*values: Any) -> list[bytes]:
    return [json.dumps(value).encode() + b"\n" for value in values]


async def test_a_message_is_posted_with_its_headers(site: Site, tmp_path: Path) -> None:
    message = {"payload": {"n": 1}, "headers": {"kind": "order"}}
    assert output(await described(site, tmp_path).publish(message)) == message
    (request,) = site.received
    assert (request["method"], request["path"]) == ("POST", "/api/things")
    assert json.loads(request["body"]) == {"n": 1}
    assert request["headers"]["kind"] == "order"
    assert request["headers"]["content-type"] == "application/json"
    assert request["headers"]["idempotency-key"].endswith("/do/0/x@1.1")


async def test_the_binding_gives_the_method(site: Site, tmp_path: Path) -> None:
    output(await described(site, tmp_path, operation={"method": "PUT"}).publish({"payload": 1}))
    assert site.received[0]["method"] == "PUT"


async def test_a_message_is_published_with_the_task_s_authentication(site: Site, tmp_path: Path) -> None:
    thing = described(site, tmp_path)
    output(await thing.publish({"payload": 1}, authentication={"bearer": {"token": "right"}}))
    kind, status, detail = failure(await thing.publish({"payload": 1}, authentication={"bearer": {"token": "wrong"}}))
    assert (kind, status) == ("authentication", 401)
    assert "wrong" not in detail


@pytest.mark.parametrize("cut", [1, 2, 7, 1000])
async def test_lines_of_an_answer_are_messages_and_its_end_is_an_end(site: Site, tmp_path: Path, cut: int) -> None:
    whole = b"".join(lines({"n": 1}, {"n": 2})) + b"\n  \nno json"
    site.pieces = [whole[start : start + cut] for start in range(0, len(whole), cut)]
    consumed = output(await described(site, tmp_path).subscribe({"consume": {"while": "true"}}))
    assert [message["payload"] for message in consumed] == [{"n": 1}, {"n": 2}, "no json"]


async def test_server_sent_events_are_messages(site: Site, tmp_path: Path) -> None:
    site.kind, site.stays = "text/event-stream", True
    site.pieces = [b': hello\n\nid: 7\ndata: {"n": 1}\n\n', b"event: x\ndata: {\ndata: }\n\ndata: plain\n\n"]
    consumed = output(await described(site, tmp_path).subscribe({"consume": {"amount": 3}}))
    assert [message["payload"] for message in consumed] == [{"n": 1}, {}, "plain"]
    async with asyncio.timeout(10):
        await site.left.wait()  # the connection was closed, although the server would have gone on


async def test_a_json_document_is_one_message(site: Site, tmp_path: Path) -> None:
    site.kind, site.pieces = "application/json", [b"[\n1,", b"\n2]\n"]
    consumed = output(await described(site, tmp_path).subscribe({"consume": {"while": "true"}}))
    assert [message["payload"] for message in consumed] == [[1, 2]]


async def test_a_stream_that_ends_before_the_amount_is_an_error(site: Site, tmp_path: Path) -> None:
    site.pieces = lines(1)
    kind, _, detail = failure(await described(site, tmp_path).subscribe({"consume": {"amount": 2}}))
    assert kind == "communication"
    assert "after 1 of the 2" in detail


async def test_foreach_goes_on_with_the_messages_that_came_meanwhile(site: Site, tmp_path: Path) -> None:
    site.pieces, site.stays = lines(1, 2, 3), True
    do = [{"pause": {"wait": {"milliseconds": 30}}}, {"double": {"set": {"n": "${ $m.payload * 2 }"}}}]
    subscription = {"consume": {"amount": 3}, "foreach": {"item": "m", "do": do}}
    assert output(await described(site, tmp_path).subscribe(subscription)) == [{"n": 2}, {"n": 4}, {"n": 6}]
    assert len(site.received) == 1  # one connection for all of them


async def test_a_refused_subscription_has_the_type_of_its_status(site: Site, tmp_path: Path) -> None:
    thing = described(site, tmp_path)
    thing.document["channels"]["c"]["address"] = "nothing"
    assert failure(await thing.subscribe({"consume": {"amount": 1}}))[:2] == ("communication", 404)


async def test_a_line_that_never_ends_is_refused(site: Site, tmp_path: Path) -> None:
    site.pieces, site.stays = [b"x" * 3000] * 3, True
    thing = described(site, tmp_path)
    thing.allowed = {"max_response_bytes": 5000}
    kind, _, detail = failure(await thing.subscribe({"consume": {"amount": 1}}))
    assert kind == "communication"
    assert "larger than 5000 bytes" in detail


async def test_a_frame_is_sent_over_a_websocket(site: Site, tmp_path: Path) -> None:
    thing = described(site, tmp_path, "ws")
    output(await thing.publish({"payload": {"n": 1}, "headers": {"kind": "order"}}))
    async with asyncio.timeout(10):
        await site.left.wait()
    (frame,) = site.received
    assert json.loads(frame["body"]) == {"n": 1}
    assert frame["headers"]["kind"] == "order"


async def test_frames_of_a_websocket_are_messages(site: Site, tmp_path: Path) -> None:
    site.pieces, site.stays = [b'{"n": 1}', b"plain", b"more"], True
    consumed = output(await described(site, tmp_path, "ws").subscribe({"consume": {"amount": 2}}))
    assert [message["payload"] for message in consumed] == [{"n": 1}, "plain"]
    async with asyncio.timeout(10):
        await site.left.wait()


async def test_a_websocket_that_is_closed_normally_is_an_end(site: Site, tmp_path: Path) -> None:
    site.pieces = [b"1", b"2"]
    consumed = output(await described(site, tmp_path, "ws").subscribe({"consume": {"while": "true"}}))
    assert [message["payload"] for message in consumed] == [1, 2]


async def test_a_frame_that_is_too_large_is_an_error(site: Site, tmp_path: Path) -> None:
    site.pieces = [b"x" * 6000]
    thing = described(site, tmp_path, "ws")
    thing.allowed = {"max_response_bytes": 5000}
    kind, _, detail = failure(await thing.subscribe({"consume": {"amount": 1}}))
    assert kind == "communication"
    assert "WebSocket broke" in detail


async def test_a_path_that_speaks_no_websocket_is_an_error_with_its_status(site: Site, tmp_path: Path) -> None:
    thing = described(site, tmp_path, "ws")
    thing.document["channels"]["c"]["address"] = "nothing"
    assert failure(await thing.subscribe({"consume": {"amount": 1}}))[:2] == ("communication", 404)


@pytest.mark.parametrize("protocol", ["http", "ws"])
async def test_loopback_is_refused_unless_it_is_allowed(site: Site, tmp_path: Path, protocol: str) -> None:
    thing = described(site, tmp_path, protocol)
    thing.allowed = {"allow_loopback": False}
    assert failure(await thing.publish({"payload": 1}))[:2] == ("authorization", 403)
    assert failure(await thing.subscribe({"consume": {"amount": 1}}))[:2] == ("authorization", 403)


async def test_a_cancelled_subscription_closes_its_connection(site: Site, tmp_path: Path) -> None:
    site.stays = True
    thing = described(site, tmp_path)
    subscribing = asyncio.ensure_future(thing.subscribe({"consume": {"amount": 1, "for": {"seconds": 60}}}))
    async with asyncio.timeout(10):
        async for attempt in eventually():
            with attempt:
                assert site.received
        subscribing.cancel()
        await site.left.wait()
