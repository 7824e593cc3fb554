"""JSON-RPC 2.0 over HTTP, as MCP and A2A speak it: one request, answered by JSON or by a stream of events."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Final

import msgspec

from lowtide.effects.web import Web, refusal
from lowtide.errors import TaskFailed
from lowtide.model.base import JSON
from lowtide.model.error import standard_error
from lowtide.wire.sse import EventStream

if TYPE_CHECKING:
    from aiohttp import ClientResponse

__all__ = ["HEADERS", "call", "messages", "note", "parsed", "result"]

HEADERS: Final[Mapping[str, str]] = {
    "Content-Type": "application/json",
    "Accept": "application/json, text/event-stream",
}


def call(identifier: str | int, method: str, params: JSON = None) -> dict[str, JSON]:
    """A request. ``params`` are left out where they are ``null``."""
    return {"jsonrpc": "2.0", "id": identifier, "method": method, **({} if params is None else {"params": params})}


def note(method: str) -> dict[str, JSON]:
    """A notification: nobody answers it."""
    return {"jsonrpc": "2.0", "method": method}


def result(message: dict[str, JSON], what: str) -> JSON:
    """The result of an answer; ``null`` where it has neither result nor error, as some write it.

    Raises ``TaskFailed`` (``runtime``) with the code and words of an error.
    """
    error = message.get("error")
    if error is None and "id" in message:
        return message.get("result")
    if not isinstance(error, dict):
        raise TaskFailed(standard_error("runtime", f"{what} was answered without a result: {_short(message)}"))
    data = f": {_short(error['data'])}" if error.get("data") is not None else ""
    said = error.get("message") or "no message"
    raise TaskFailed(standard_error("runtime", f"{what} failed: {said} (code {error.get('code')}){data}"))


def parsed(text: str | bytes, what: str) -> dict[str, JSON]:
    """One message. Raises ``TaskFailed`` (``communication``) where it is none."""
    try:
        return msgspec.json.decode(text, type=dict)
    except msgspec.DecodeError as error:
        detail = f"{what} was answered by what is no JSON-RPC message: {error}"
        raise TaskFailed(standard_error("communication", detail)) from error


async def messages(response: ClientResponse, web: Web, what: str) -> AsyncIterator[dict[str, JSON]]:
    """All messages of an answer, as they come.

    Raises ``TaskFailed``: for a status that is none of success the error in its body (``runtime``), or else the one
    that fits the status; ``communication`` where the answer is too large or malformed.
    """
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if not 200 <= response.status < 300:
        body = await web.read(response)
        with contextlib.suppress(msgspec.DecodeError):
            message = msgspec.json.decode(body)
            if isinstance(message, dict) and isinstance(message.get("error"), dict):
                result(message, what)
        said = body[:500].decode(errors="replace").strip()
        detail = f"{what} was answered {response.status} {response.reason}" + (f": {said}" if said else "")
        raise TaskFailed(refusal(response.status, response.reason, detail))
    if kind != "text/event-stream":
        body = await web.read(response)
        if body:
            yield parsed(body, what)
        return
    stream, size = EventStream(), 0
    async for chunk in response.content.iter_any():
        size += len(chunk)
        web.check_size(size, what)
        for data in stream.feed(chunk):
            if data:
                yield parsed(data, what)


def _short(value: JSON) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= 500 else f"{text[:500]}…"
