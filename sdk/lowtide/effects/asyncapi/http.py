"""HTTP and HTTPS: a message is a request; a subscription is one GET whose answer goes on.

The body of the answer is a stream of messages: server-sent events (``text/event-stream``), else lines
(``application/x-ndjson`` and any other), or a single JSON document (``application/json``). Nothing is polled. The end
of the body is the end of the subscription. An event's ``id`` is the cursor: a connection that is opened anew, after the
execution moved to another process, sends it as ``Last-Event-ID``. Nothing is acknowledged.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from lowtide.effects.asyncapi.link import Feed, Link
from lowtide.effects.asyncapi.message import Incoming, Outgoing
from lowtide.effects.web import http_url, refusal
from lowtide.errors import TaskFailed
from lowtide.model.base import JSON
from lowtide.wire.sse import EventStream

if TYPE_CHECKING:
    from aiohttp import ClientResponse
    from yarl import URL

__all__ = ["publish", "subscribe"]

_EVENTS: Final = "text/event-stream"


async def publish(link: Link, message: Outgoing) -> None:
    """By the method of the operation's binding, POST without one; any status of success will do."""
    method = str(link.target.operation.get("method") or "POST").upper()
    headers = {**message.headers, "Content-Type": message.content_type}
    async with link.authenticator.request(
        method,
        _url(link, "http"),
        credentials=link.credentials,
        seconds=link.seconds,
        headers=headers,
        body=message.body,
    ) as response:
        await _check(link, response)
        await link.web.read(response)


@contextlib.asynccontextmanager
async def subscribe(link: Link, cursor: dict[str, JSON]) -> AsyncIterator[Feed]:
    method = str(link.target.operation.get("method") or "GET").upper()
    headers = {"Accept": f"{_EVENTS}, application/x-ndjson, application/json;q=0.9, */*;q=0.5"}
    if cursor.get("id"):
        headers["Last-Event-ID"] = quote(str(cursor["id"]), safe=" /@:.-_~!#+=,;")
    async with link.authenticator.request(
        method,
        _url(link, "http"),
        credentials=link.credentials,
        seconds=link.connect,
        headers=headers,
        stream=True,
    ) as response:
        await _check(link, response)
        yield Feed(_messages(link, response))


async def _messages(link: Link, response: ClientResponse) -> AsyncIterator[Incoming]:
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        body = await link.web.read(response)
        if body:
            yield Incoming(body, content_type=kind)
        return
    if kind == _EVENTS:
        stream, size = EventStream(), 0
        async for chunk in response.content.iter_any():
            size += len(chunk)
            data = stream.feed(chunk)
            for text, identifier in zip(data, stream.ids, strict=True):
                yield Incoming(text.encode(), position=("id", identifier) if identifier else None)
            size = 0 if data else size
            link.web.check_size(size, link.target.shown)
        return
    rest = b""
    async for chunk in response.content.iter_any():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if line.strip():
                yield Incoming(line.strip())
        link.web.check_size(len(rest), link.target.shown)
    if rest.strip():
        yield Incoming(rest.strip())


async def _check(link: Link, response: ClientResponse) -> None:
    if not 200 <= response.status < 300:
        said = (await link.web.read(response))[:500].decode(errors="replace").strip()
        detail = f"{link.target.shown} answered {response.status} {response.reason}" + (f": {said}" if said else "")
        raise TaskFailed(refusal(response.status, response.reason, detail))


def _url(link: Link, scheme: str) -> URL:
    server = link.target.server
    host = f"[{server.host}]" if ":" in server.host else server.host
    path = "/".join(part.strip("/") for part in (server.path, link.target.address) if part.strip("/"))
    return http_url(f"{scheme}{'s' if server.tls else ''}://{host}:{server.port}/{path}", "the server's address")
