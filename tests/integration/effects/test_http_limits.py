"""How far an HTTP call goes: redirects, addresses, times and sizes, each against a real peer."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from lowtide.effects import build
from lowtide.errors import TaskFailed
from lowtide.model.command import Perform
from tests.peers import Answer, Request, peer

pytestmark = pytest.mark.anyio


async def call(uri: str, *, allow: dict[str, Any] | None = None, policy: Any = None, **given: Any) -> Any:
    effects = build(**{"allow_loopback": True, **(allow or {})})
    arguments = {"method": "get", "endpoint": {"uri": uri, "authentication": policy}, **given}
    try:
        return await effects.perform(Perform(id="x@1", call="http", arguments=arguments, reference="/do/0/x"), "e/x@1")
    finally:
        await effects.close()


async def failure(uri: str, **given: Any) -> tuple[str, int, str]:
    with pytest.raises(TaskFailed) as failed:
        await call(uri, **given)
    error = failed.value.error
    return error.type.rpartition("/")[2], error.status, str(error.detail)


def to(location: str, status: int = 302) -> Callable[[Request], Answer]:
    """Redirects ``/`` there; everything else is welcome."""

    def answer(request: Request) -> Answer:
        if request.path == "/":
            return status, b"", {"Location": location}
        return 200, {"path": request.path, "method": request.method, "body": request.body.decode()}

    return answer


# ---------------------------------------------------------------- redirects


async def test_a_redirect_is_an_error_unless_it_is_allowed() -> None:
    with peer(to("/new")) as server:
        assert (await failure(server.url))[:2] == ("communication", 302)
        assert len(server.requests) == 1
        assert (await call(server.url, redirect=True))["path"] == "/new"


@pytest.mark.parametrize(
    ("status", "method", "then"),
    [(301, "post", "GET"), (302, "post", "GET"), (303, "put", "GET"), (307, "post", "POST"), (308, "put", "PUT")],
)
async def test_a_redirect_changes_the_method_as_http_says(status: int, method: str, then: str) -> None:
    with peer(to("/new?a=b%20c", status)) as server:
        seen = await call(server.url, redirect=True, method=method, body={"a": 1})
    body = '{"a":1}' if then != "GET" else ""
    assert seen == {"path": "/new?a=b%20c", "method": then, "body": body}
    assert ("content-type" in server.requests[1].headers) == (then != "GET")


@pytest.mark.parametrize(("status", "headers"), [(300, {"Location": "/new"}), (304, {}), (302, {})])
async def test_a_redirect_that_leads_nowhere_is_a_result(status: int, headers: dict[str, str]) -> None:
    with peer(lambda request: (status, b"", headers)) as server:
        assert (await call(server.url, redirect=True, output="response"))["statusCode"] == status


async def test_the_response_tells_of_the_last_request() -> None:
    with peer(to("/new")) as server:
        shown = await call(server.url, redirect=True, output="response")
    assert shown["request"]["uri"] == f"{server.url}/new"


async def test_credentials_and_keys_stay_at_their_origin() -> None:
    policy = {"basic": {"username": "ada", "password": "s3cret"}}
    headers = {"Cookie": "a=b", "X-Api-Key": "k", "Accept": "text/plain"}
    with peer() as other, peer(to(f"{other.url}/new")) as server:
        await call(server.url, redirect=True, policy=policy, headers=headers)
    kept, sent = server.requests[0].headers, other.requests[0].headers
    assert {"authorization", "cookie", "x-api-key", "accept"} <= kept.keys()
    assert not {"authorization", "cookie", "x-api-key"} & sent.keys()
    assert sent["accept"] == "text/plain"
    assert sent["idempotency-key"] == kept["idempotency-key"]


async def test_credentials_are_sent_again_at_the_same_origin_and_never_after_another() -> None:
    policy = {"bearer": {"token": "s3cret"}}
    with peer() as server, peer(to(f"{server.url}/back")) as other:
        server.answer = to("/next")
        await call(server.url, redirect=True, policy=policy)
        server.answer = to(other.url)
        await call(server.url, redirect=True, policy=policy)
    assert [request.headers.get("authorization") for request in server.requests] == ["Bearer s3cret"] * 3 + [None]
    assert "authorization" not in other.requests[0].headers


@pytest.mark.parametrize(
    ("location", "kind"),
    [
        ("http://169.254.169.254/latest/meta-data", "authorization"),
        ("http://[fe80::1]/", "authorization"),
        ("http://2852039166/", "authorization"),
        ("http://metadata.test/", "authorization"),
        ("//metadata.test/", "authorization"),
        ("file:///etc/passwd", "configuration"),
        ("http://[nonsense/", "configuration"),
        ("/", "communication"),
    ],
)
async def test_a_redirect_leads_nowhere_that_a_call_may_not_go(names: None, location: str, kind: str) -> None:
    with peer(to(location)) as server:
        assert (await failure(server.url, redirect=True))[0] == kind
    assert len(server.requests) <= 11


# ---------------------------------------------------------------- addresses


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A name server of the test's own: names below ``.test`` have the addresses of this table."""
    known = {
        "metadata.test": ["169.254.169.254"],
        "both.test": ["93.184.216.34", "169.254.169.254"],
        "here.test": ["127.0.0.1"],
        "mapped.test": ["::ffff:169.254.169.254"],
        "multicast.test": ["224.0.0.1"],
    }
    real = socket.getaddrinfo

    def resolve(host: Any, port: Any, *more: Any, **other: Any) -> Any:
        if str(host) not in known:
            return real(host, port, *more, **other)
        return [answer for address in known[str(host)] for answer in real(address, port, *more, **other)]

    with monkeypatch.context() as patched:
        patched.setattr(socket, "getaddrinfo", resolve)
        yield


@pytest.mark.parametrize("name", ["metadata.test", "both.test", "mapped.test", "multicast.test"])
async def test_a_name_of_a_forbidden_address_is_refused(names: None, name: str) -> None:
    assert (await failure(f"http://{name}/"))[:2] == ("authorization", 403)


@pytest.mark.parametrize("host", ["here.test", "localhost", "127.0.0.1", "[::1]"])
async def test_loopback_is_refused_unless_the_operator_allows_it(names: None, host: str) -> None:
    with peer() as server:
        uri = server.url.replace("127.0.0.1", host)
        kind, status, detail = await failure(uri, allow={"allow_loopback": False})
        assert (kind, status) == ("authorization", 403)
        assert "LOWTIDE_ALLOW_LOOPBACK" in detail
        assert server.requests == []
        if host != "[::1]":
            assert await call(uri) == {}


# ---------------------------------------------------------------- times


@contextlib.asynccontextmanager
async def saying(*parts: bytes, every: float = 0.0) -> AsyncIterator[str]:
    """A server that says its parts to whoever comes, and then nothing more."""
    loop = asyncio.get_running_loop()

    async def serve(listening: socket.socket) -> None:
        connection, _ = await loop.sock_accept(listening)
        with connection:
            await loop.sock_recv(connection, 65_536)
            for part in parts:
                await loop.sock_sendall(connection, part)
                await asyncio.sleep(every)
            await asyncio.sleep(10)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        serving = asyncio.ensure_future(serve(listening))
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
        finally:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)


_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
_CHUNK = b"5\r\nhello\r\n"


async def test_a_connection_that_is_not_made_is_a_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, contextlib.ExitStack() as crowd:
        for _ in range(3):
            waiting = crowd.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        uri = f"http://127.0.0.1:{full.getsockname()[1]}/"
        kind, status, detail = await failure(uri, allow={"http_connect_timeout": 0.2})
    assert (kind, status) == ("timeout", 408)
    assert "no connection within 0.2 s" in detail


@pytest.mark.parametrize("parts", [(), (_HEAD,), (_HEAD, _CHUNK)])
async def test_silence_is_a_timeout(parts: tuple[bytes, ...]) -> None:
    async with saying(*parts) as uri:
        kind, status, detail = await failure(uri, allow={"http_read_timeout": 0.2})
    assert (kind, status) == ("timeout", 408)
    assert "nothing came for 0.2 s" in detail


async def test_an_answer_that_never_ends_is_a_timeout_of_the_whole_call() -> None:
    async with saying(_HEAD, *[_CHUNK] * 100, every=0.05) as uri:
        kind, status, detail = await failure(uri, allow={"http_timeout": 0.3})
    assert (kind, status) == ("timeout", 408)
    assert "no answer within 0.3 s" in detail


async def test_redirects_do_not_buy_time() -> None:
    def slowly(request: Request) -> Answer:
        pause.wait(0.1)
        return 302, b"", {"Location": "/again"}

    pause = threading.Event()
    with peer(slowly) as server:
        assert (await failure(server.url, redirect=True, allow={"http_timeout": 0.35}))[0] == "timeout"
    assert len(server.requests) <= 5


# ---------------------------------------------------------------- sizes


async def test_an_answer_without_a_length_is_cut_off_at_the_limit() -> None:
    async with saying(_HEAD, *[_CHUNK] * 100) as uri:
        kind, _, detail = await failure(uri, allow={"max_response_bytes": 100})
    assert kind == "communication"
    assert "larger than 100 bytes" in detail


async def test_an_answer_that_says_it_is_too_long_is_not_read() -> None:
    async with saying(b"HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n") as uri:
        assert "larger than 100 bytes" in (await failure(uri, allow={"max_response_bytes": 100}))[2]


async def test_a_head_may_tell_of_more_than_the_limit() -> None:
    async with saying(b"HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n") as uri:
        assert await call(uri, method="head", allow={"max_response_bytes": 100}) is None


async def test_an_answer_that_breaks_off_is_a_communication_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        asked = asyncio.ensure_future(failure(f"http://127.0.0.1:{listening.getsockname()[1]}/"))
        connection, _ = await asyncio.get_running_loop().sock_accept(listening)
        with connection:
            await asyncio.get_running_loop().sock_sendall(connection, _HEAD + _CHUNK)
        assert (await asked)[:2] == ("communication", 500)
