"""``call: http`` against a server that says whatever a test wants, byte for byte."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
from collections.abc import AsyncIterator
from typing import Any

import pytest

from lowtide.effects import build
from lowtide.effects.address import check_host
from lowtide.errors import TaskFailed
from lowtide.model.command import Perform
from lowtide.model.error import Error
from lowtide.wire import json

pytestmark = pytest.mark.anyio


class Server:
    """Answers every request with ``reply`` and keeps what it was sent."""

    def __init__(self, reply: bytes, delay: float) -> None:
        self.reply, self.delay = reply, delay
        self.received = b""
        self.port = 0
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.received += await reader.read(65_536)
        with contextlib.suppress(ConnectionError):
            await asyncio.wait({self.ended}, timeout=self.delay)
            writer.write(self.reply)
            await writer.drain()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


@contextlib.asynccontextmanager
async def serving(head: str, body: bytes = b"", *, delay: float = 0.0) -> AsyncIterator[Server]:
    length = f"Content-Length: {len(body)}\r\nConnection: close\r\n"
    made = Server(head.replace("\n", "\r\n").encode("latin-1") + length.encode() + b"\r\n" + body, delay)
    server = await asyncio.start_server(made.answer, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    async with server:
        yield made
        made.ended.set_result(None)
        await asyncio.sleep(0.01)


OK = "HTTP/1.1 200 OK\n"
JSON = OK + "Content-Type: application/json\n"


async def call(server: Server, path: str = "/", *, timeout: int | None = None, limit: int = 1000, **given: Any) -> Any:
    effects = build(allow_loopback=True, max_response_bytes=limit)
    arguments = {"method": "get", "endpoint": f"http://127.0.0.1:{server.port}{path}", **given}
    try:
        result = await effects.perform(
            Perform(id="x", call="http", arguments=arguments, reference="/do/0/x", timeout=timeout), "e/do/0/x@1"
        )
        json.encode(result)
        return result
    finally:
        await effects.close()


async def failure(server: Server, path: str = "/", **given: Any) -> Error:
    with pytest.raises(TaskFailed) as failed:
        await call(server, path, **given)
    json.encode(failed.value.error)
    return failed.value.error


async def test_query_and_endpoint_are_merged_and_values_without_one_are_left_out() -> None:
    async with serving(JSON, b"{}") as server:
        await call(
            server, "/a?x=1", query={"y": [1, "b"], "o": {"k": 1}, "no": None, "t": True}, headers={"a": None, "b": 2}
        )
    head = server.received.decode()
    assert head.startswith("GET /a?x=1&y=1&y=b&o=%7B%22k%22:1%7D&t=true HTTP/1.1")
    assert "\r\nb: 2\r\n" in head
    assert "\r\na: " not in head


@pytest.mark.parametrize("given", [{"query": "x"}, {"headers": [1]}])
async def test_headers_and_query_must_be_objects(given: dict[str, Any]) -> None:
    async with serving(JSON, b"{}") as server:
        assert (await failure(server, **given)).type.endswith("/configuration")


@pytest.mark.parametrize(
    "given", [{"headers": {"a": "x\r\nb: c"}}, {"headers": {"a\r\nb": "c"}}, {"method": "GET / X\r\n"}]
)
async def test_nobody_smuggles_headers_in(given: dict[str, Any]) -> None:
    async with serving(JSON, b"{}") as server:
        await failure(server, **given)
    assert server.received == b""


async def test_an_authors_own_idempotency_key_is_the_only_one() -> None:
    async with serving(JSON, b"{}") as server:
        await call(server, headers={"idempotency-key": "mine"})
    assert server.received.lower().count(b"idempotency-key") == 1


async def test_headers_in_latin_1_become_text_and_repeated_ones_are_joined() -> None:
    async with serving(JSON + "X-Name: caf\xe9\nX-Two: 1\nX-Two: 2\n", b"{}") as server:
        headers = (await call(server, output="response"))["headers"]
    assert (headers["X-Name"], headers["X-Two"]) == ("caf\xe9", "1, 2")


async def test_a_reason_that_is_not_ascii_still_is_an_error_that_can_be_kept() -> None:
    async with serving("HTTP/1.1 404 Caf\xe9\nContent-Type: text/plain\n", b"gone") as server:
        error = await failure(server)
    assert (error.status, error.title) == (404, "Caf\xe9")


async def test_a_password_in_the_endpoint_is_shown_nowhere() -> None:
    async with serving("HTTP/1.1 500 No\n") as server:
        assert "secret" not in str(await failure(server, endpoint=f"http://me:secret@127.0.0.1:{server.port}/"))
    async with serving(JSON, b"{}") as server:
        shown = await call(server, endpoint=f"http://me:secret@127.0.0.1:{server.port}/", output="response")
    assert "secret" not in str(shown)


@pytest.mark.parametrize(
    ("head", "body", "content"),
    [
        (JSON, b"\xef\xbb\xbf[1]", [1]),
        (OK + "Content-Type: application/json; charset=utf-16\n", '["é"]'.encode("utf-16"), ["é"]),
        (OK + "Content-Type: text/plain; charset=iso-8859-1\n", b"caf\xe9", "café"),
        (OK + "Content-Type: text/plain; charset=hex\n", b"ff", "ff"),
        (OK + "Content-Type: text/plain; charset=nonsense\n", b"ff", "ff"),
        (OK + "Content-Type: application/octet-stream\n", b"\xff", "/w=="),
        ("HTTP/1.1 204 No Content\n", b"", None),
    ],
)
async def test_content_is_read_as_it_says(head: str, body: bytes, content: Any) -> None:
    async with serving(head, body) as server:
        assert await call(server) == content


async def test_head_has_no_content() -> None:
    async with serving(JSON) as server:
        assert await call(server, method="head") is None


@pytest.mark.parametrize("body", [b"{", b"[1e999]", b"[" * 5000])
async def test_json_that_is_none_is_a_communication_error(body: bytes) -> None:
    async with serving(JSON, body) as server:
        assert (await failure(server, limit=10_000)).type.endswith("/communication")


async def test_a_large_response_is_cut_off_also_when_it_is_compressed() -> None:
    async with serving(JSON, b"x" * 2000) as server:
        assert "larger than 1000" in str((await failure(server)).detail)
    async with serving(JSON + "Content-Encoding: gzip\n", gzip.compress(b"0" * 50_000_000)) as server:
        assert (await failure(server)).type.endswith("/communication")


async def test_silence_is_a_timeout() -> None:
    async with serving(JSON, b"{}", delay=5) as server:
        assert (await failure(server, timeout=100)).status == 408


async def test_who_does_not_exist_or_speaks_no_tls_is_a_communication_error() -> None:
    async with serving(JSON, b"{}") as server:
        assert (await failure(server, endpoint="http://nobody.invalid/")).type.endswith("/communication")
        error = await failure(server, endpoint=f"https://127.0.0.1:{server.port}/")
        assert error.type.endswith("/communication")


@pytest.mark.parametrize(
    "host",
    """
    127.0.0.1 127.1 127.0.0.01 0177.0.0.1 0x7f.1 0x7f000001 2130706433 127.0.0.1. ::1 ::ffff:127.0.0.1
    ::ffff:7f00:1 2002:7f00:1:: 0.0.0.0 0 169.254.169.254 0xa9fea9fe fe80::1 fe80::1%eth0 fd00:ec2::254
    100.100.100.200 64:ff9b::a9fe:a9fe
    """.split(),  # noqa: SIM905 - two dozen addresses read better as text
)
def test_addresses_are_refused_however_they_are_written(host: str) -> None:
    with pytest.raises(TaskFailed) as refused:
        check_host(host, allow_loopback=False)
    assert refused.value.error.status == 403


@pytest.mark.parametrize("host", ["example.com", "10.0.0.1", "93.184.216.34", "2606:2800:220:1::1", "face.b00c"])
def test_other_addresses_and_names_are_not(host: str) -> None:
    check_host(host, allow_loopback=False)
