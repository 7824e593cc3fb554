"""How large the body of a request may be: an ASGI middleware, free of any web framework."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, TypeAlias

from lowtide.errors import TooLarge

from . import json, problem

__all__ = ["BodyLimit"]

_Message: TypeAlias = MutableMapping[str, Any]
_Receive: TypeAlias = Callable[[], Awaitable[_Message]]
_Send: TypeAlias = Callable[[_Message], Awaitable[None]]
_App: TypeAlias = Callable[[_Message, _Receive, _Send], Awaitable[None]]


class BodyLimit:
    """Counts a body while it streams in, before anything parses it; ``exempt`` paths have their own limit.

    What says itself that it is too large is answered at once; else the application's read raises
    :class:`lowtide.errors.TooLarge`.
    """

    def __init__(self, app: _App, *, limit: int, exempt: Mapping[str, int] | None = None) -> None:
        self._app = app
        self._limit = limit
        self._exempt = exempt or {}

    async def __call__(self, scope: _Message, receive: _Receive, send: _Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        limit = self._exempt.get(scope["path"], self._limit)
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        error = TooLarge(f"the body has more than {limit} bytes; send less, or a reference to it")
        if declared.isdigit() and int(declared) > limit:
            return await _refuse(error, send)
        taken = 0

        async def counted() -> _Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > limit:
                raise error
            return message

        return await self._app(scope, counted, send)


async def _refuse(error: TooLarge, send: _Send) -> None:
    document = problem.of_error(error)
    body = json.encode(document)
    told = {**problem.headers(document), "content-length": str(len(body))}
    headers = [(name.lower().encode(), value.encode()) for name, value in told.items()]
    await send({"type": "http.response.start", "status": document["status"], "headers": headers})
    await send({"type": "http.response.body", "body": body})
