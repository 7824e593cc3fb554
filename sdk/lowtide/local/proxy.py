"""Pass one HTTP request on to a process, and its response back, streaming both.

Header fields that belong to one connection stay behind (RFC 9110, 7.6.1); everything else passes unchanged, in order,
also when it is repeated. Nothing is decompressed and nothing is followed.
"""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import (
    ClientConnectorError,
    ClientError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    DummyCookieJar,
    TCPConnector,
    web,
)
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from lowtide.model.base import JSON
from lowtide.wire import problem

__all__ = [
    "ATTEMPTS",
    "NOTICED",
    "REPEATABLE",
    "WHOLE",
    "Broken",
    "NotTaken",
    "body_of",
    "forward",
    "gone_away",
    "new_session",
    "repeatable",
]

_CONNECTION_FIELDS: Final = frozenset(
    {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "expect"}
)
ATTEMPTS: Final = 3
"""How many processes are given a request that none of them takes."""

NOTICED: Final = 0.05
"""Seconds after which a process that died is known to be dead."""

WHOLE: Final = 256 * 1024
"""Bodies up to this size are read before they are sent, and can be sent again."""

REPEATABLE: Final = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
"""Methods that do no harm when they are performed twice (RFC 9110, 9.2.2)."""


class NotTaken(Exception):
    """The process did not take the request: it may be given to another one."""


class Broken(Exception):
    """The process went away with the request, or just before it came."""


def new_session() -> ClientSession:
    """Connections are kept for less time than our servers keep theirs, so that none is used while it is closed."""
    return ClientSession(
        connector=TCPConnector(limit=0, keepalive_timeout=3.0),
        timeout=ClientTimeout(total=None, sock_connect=5.0),
        auto_decompress=False,
        cookie_jar=DummyCookieJar(),
        skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
    )


async def forward(
    session: ClientSession, request: web.BaseRequest, base: str, path: str, body: bytes | None, prefix: str = ""
) -> web.StreamResponse:
    """``path`` is the raw path with its query; ``body`` is ``None`` where the request's own stream is to be sent.

    Raises :class:`NotTaken` or :class:`Broken` as long as the client has got nothing; later it cuts the connection.
    """
    headers = _kept(request.headers)
    headers["X-Forwarded-For"] = request.remote or ""
    headers["X-Forwarded-Proto"] = request.scheme
    if prefix:
        headers["X-Forwarded-Prefix"] = prefix
    data = request.content if body is None else body or None
    if body is not None and not body and "Content-Length" in headers:
        del headers["Content-Length"]
    try:
        upstream = await session.request(
            request.method, URL(base + path, encoded=True), headers=headers, data=data, allow_redirects=False
        )
    except ClientConnectorError as error:
        raise NotTaken(str(error)) from error
    except (ClientError, OSError) as error:
        raise Broken(str(error) or "the connection was closed") from error
    async with upstream:
        return await _respond(request, upstream)


async def _respond(request: web.BaseRequest, upstream: ClientResponse) -> web.StreamResponse:
    response = web.StreamResponse(status=upstream.status, reason=upstream.reason, headers=_kept(upstream.headers))
    begun = False
    try:
        async for chunk in upstream.content.iter_any():
            if not begun:
                begun = True
                await response.prepare(request)
            await response.write(chunk)
        if not begun:
            begun = True
            await response.prepare(request)
        await response.write_eof()
    except (ClientError, OSError) as error:  # of either side
        if not begun:
            raise Broken(str(error) or "the connection was closed") from error
        _cut(request)
    except asyncio.CancelledError:
        _cut(request)
        raise
    return response


def _cut(request: web.BaseRequest) -> None:
    """So that the client sees a response that was cut off, and not one that is whole."""
    if request.transport is not None:
        request.transport.abort()


def _kept(headers: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    named = {name.strip().lower() for value in headers.getall("Connection", ()) for name in value.split(",")}
    dropped = _CONNECTION_FIELDS | named
    return CIMultiDict((name, value) for name, value in headers.items() if name.lower() not in dropped)


def repeatable(request: web.BaseRequest) -> bool:
    """Whether it does no harm when the request is performed twice (RFC 9110, 9.2.2, or its sender's own word)."""
    return request.method in REPEATABLE or "Idempotency-Key" in request.headers


def gone_away(service: str, why: str) -> dict[str, JSON]:
    """What a client is told whose request went away with its process."""
    return problem.of_status(502, f"{service} went away with this request: {why}")


async def body_of(request: web.BaseRequest) -> bytes | None:
    """A small body as a whole; ``None`` where it is large or of unknown length, and is to be streamed."""
    if request.headers.get("Expect", "").lower() == "100-continue" and request.transport is not None:
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    if not request.can_read_body:
        return b""
    length = request.content_length
    return await request.read() if length is not None and length <= WHOLE else None
