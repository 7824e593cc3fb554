"""The internet of a test: every host that it names is served by this process, over plain HTTP and over TLS.

Documents and the standard's conformance kit name literal hosts (``https://petstore.swagger.io``). Nothing in the
product is replaced to serve them here: while an :class:`Internet` is open, names resolve to this process, and its own
certificate authority is trusted. A name that no site has does not resolve; the real network is never asked.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qsl, urlsplit

import trustme

from tests.eventually import eventually

__all__ = ["Answer", "Internet", "Request", "Site"]


@dataclass(frozen=True)
class Request:
    """What came: ``target`` is the path with its query as sent; header names are in small letters."""

    method: str
    scheme: str
    host: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Answer:
    """``body``: bytes as they are, text as text, anything else as JSON; ``after`` seconds of real time."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    after: float = 0.0


Site = Callable[[Request], Answer]


class Internet:
    """``sites`` by host name; ``requests`` is all that came, in order."""

    def __init__(self) -> None:
        self.sites: dict[str, Site] = {}
        self.requests: list[Request] = []
        self._hurried = threading.Event()
        self._answering = 0
        self._count = threading.Lock()
        self._authority = trustme.CA()
        self._trusted = False
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._plain = self._serve("http")
        self._secure = self._serve("https")

    def forget(self) -> None:
        """Begin anew: no sites, no requests."""
        self.sites.clear()
        self.requests.clear()

    @contextlib.contextmanager
    def reachable(self) -> Iterator[None]:
        """While open, names resolve to the sites, and their certificates are trusted."""
        self._be_trusted()
        real = socket.getaddrinfo

        def resolve(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
            name = host.decode() if isinstance(host, bytes) else host
            if name in self.sites:
                server = self._secure if port == 443 else self._plain
                address = ("127.0.0.1", server.server_port)
                return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", address)]
            if name in {None, "localhost"} or str(name).startswith("127."):
                return real(host, port, *args, **kwargs)
            raise socket.gaierror(socket.EAI_NONAME, f"no site of this test is called {name}")

        with patch("socket.getaddrinfo", resolve):
            yield

    def _be_trusted(self) -> None:
        if self._trusted:
            return
        import aiohttp.connector

        # The context that all of aiohttp's sessions share unless they are given one.
        self._authority.configure_trust(aiohttp.connector._SSL_CONTEXT_VERIFIED)
        self._trusted = True

    async def settle(self) -> None:
        """Let slow answers end now, so that connections that were given up can be closed by both sides."""
        if self._answering:
            self._hurried.set()
            async for attempt in eventually(pause=0.005):
                with attempt:
                    assert not self._answering
            await asyncio.sleep(0.05)
            self._hurried.clear()

    def close(self) -> None:
        self._hurried.set()
        for server in (self._plain, self._secure):
            server.shutdown()
            server.server_close()

    def _serve(self, scheme: str) -> ThreadingHTTPServer:
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self, scheme))
        server.daemon_threads = True
        if scheme == "https":
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.sni_callback = self._identify  # a certificate for whatever name is asked for
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        return server

    def _identify(self, connection: ssl.SSLObject | ssl.SSLSocket, name: str | None, _: ssl.SSLContext) -> None:
        with self._count:  # of two that ask at once, neither may see a context without its certificate
            known = self._contexts.get(str(name))
            if known is None:
                known = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                self._authority.issue_cert(str(name)).configure_cert(known)
                self._contexts[str(name)] = known
        connection.context = known

    def answer(self, request: Request) -> Answer:
        self.requests.append(request)
        site = self.sites.get(request.host)
        answer = Answer(502, f"no site of this test is called {request.host}") if site is None else site(request)
        if answer.after:
            self._hurried.wait(answer.after)
        return answer

    @contextlib.contextmanager
    def answering(self) -> Iterator[None]:
        with self._count:
            self._answering += 1
        yield
        with self._count:
            self._answering -= 1


def _handler(internet: Internet, scheme: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            host = headers.get("host", "").partition(":")[0]
            with internet.answering():
                answer = internet.answer(Request(self.command, scheme, host, self.path, headers, body))
                # A caller that gave up is no trouble of the site's.
                with contextlib.suppress(BrokenPipeError, ConnectionResetError, ssl.SSLError):
                    self._send(answer)

        def _send(self, answer: Answer) -> None:
            kind, content = _content(answer.body)
            self.send_response(answer.status)
            for name, value in {"Content-Type": kind, **answer.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = do_OPTIONS = _answer

        def handle_one_request(self) -> None:
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                super().handle_one_request()
                return
            self.close_connection = True

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler


def _content(body: Any) -> tuple[str, bytes]:
    if isinstance(body, bytes):
        return "application/octet-stream", body
    if isinstance(body, str):
        return "text/plain; charset=utf-8", body.encode()
    return "application/json", b"" if body is None else json.dumps(body).encode()
