"""WebSockets: a message is one frame; headers are those of the handshake, where alone there are any.

A publication opens a connection, sends its frame and closes. A subscription ends when the server closes normally.
Nothing is acknowledged: what is sent while nobody is connected is lost.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final

from lowtide.effects.asyncapi.link import Feed, Link, failed
from lowtide.effects.asyncapi.message import Incoming, Outgoing
from lowtide.effects.auth.credentials import Sending
from lowtide.effects.web import http_url
from lowtide.model.base import JSON

if TYPE_CHECKING:
    from aiohttp import ClientWebSocketResponse

__all__ = ["publish", "subscribe"]

_NORMAL: Final = frozenset({1000, 1001, 1005})


async def publish(link: Link, message: Outgoing) -> None:
    async with _opened(link, message.headers) as socket:
        if message.content_type.startswith("application/octet-stream"):
            await socket.send_bytes(message.body)
        else:
            await socket.send_str(message.body.decode())
        await socket.close()  # returns once the server has closed too: it has read what was sent


@contextlib.asynccontextmanager
async def subscribe(link: Link, cursor: dict[str, JSON]) -> AsyncIterator[Feed]:
    async with _opened(link, {}) as socket:
        yield Feed(_messages(link, socket))


async def _messages(link: Link, socket: ClientWebSocketResponse) -> AsyncIterator[Incoming]:
    from aiohttp import WSMsgType

    async for frame in socket:
        if frame.type == WSMsgType.TEXT:
            yield Incoming(frame.data.encode())
        elif frame.type == WSMsgType.BINARY:
            yield Incoming(frame.data)
    if socket.close_code not in _NORMAL:
        reason = socket.exception() or f"it was closed with code {socket.close_code}"
        raise failed(link.target, f"the WebSocket broke: {reason}")


@contextlib.asynccontextmanager
async def _opened(link: Link, headers: dict[str, str]) -> AsyncIterator[ClientWebSocketResponse]:
    server = link.target.server
    host = f"[{server.host}]" if ":" in server.host else server.host
    path = "/".join(part.strip("/") for part in (server.path, link.target.address) if part.strip("/"))
    url = http_url(f"http{'s' if server.tls else ''}://{host}:{server.port}/{path}", "the server's address")
    offered = None if link.credentials is None else await link.credentials.offer(Sending("GET", url))
    authorized = headers if offered is None else {**headers, "Authorization": offered}
    async with link.web.websocket(url, headers=authorized, seconds=link.seconds) as socket:
        yield socket
