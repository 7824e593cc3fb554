"""HTTP to Lowtide's own APIs: JSON in and out, problem documents raised as errors of our tree.

aiohttp is imported when a session opens, so that importing a client costs nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import quote

from lowtide.clients.problems import error_of
from lowtide.errors import LowtideError, Unavailable
from lowtide.model.base import JSON
from lowtide.wire import json
from lowtide.wire.sse import EventStream

if TYPE_CHECKING:
    from aiohttp import ClientSession

__all__ = ["Answer", "HttpClient", "path_of"]

_FIRST_PAUSE: Final = 0.2
_LONGEST_PAUSE: Final = 3.0
_SILENT: Final = 60.0
"""Seconds without a byte after which a stream is given up: servers say something every fifteen."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful response; ``body`` is its JSON, or its text where it is not JSON, ``None`` where empty."""

    status: int
    headers: Mapping[str, str]
    body: JSON


class HttpClient:
    """One server's API over one connection pool: ``async with HttpClient(url) as client``.

    ``timeout`` is seconds per request. ``attempts`` counts tries of a request that may be sent again while the server
    is unavailable, with pauses that double from 0.2 s to 3 s between them.
    """

    def __init__(self, server: str, *, timeout: float = 30.0, attempts: int = 1) -> None:
        self.server = server.rstrip("/")
        self._timeout = timeout
        self._attempts = attempts
        self._session: ClientSession | None = None

    async def __aenter__(self) -> Self:
        from aiohttp import ClientSession

        self._session = ClientSession()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | int | None] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        again: bool = True,
        longer: float = 0.0,
    ) -> Answer:
        """One request. ``again``: it may safely be sent twice; ``longer``: seconds on top of the usual timeout.

        Raises the error that the server's problem document names, :class:`lowtide.errors.Unavailable` where nothing
        answers in time.
        """
        pause = _FIRST_PAUSE
        for left in reversed(range(self._attempts if again else 1)):
            try:
                return await self._send(method, path, query or {}, body, headers or {}, self._timeout + longer)
            except LowtideError as error:
                if not (error.retryable and left):
                    raise
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def events(
        self, path: str, *, query: Mapping[str, str | int | None] | None = None, after: str | None = None
    ) -> AsyncIterator[tuple[JSON, str]]:
        """Server-sent events of one connection: data and id, until the server ends it. ``after``: a ``Last-Event-ID``.

        Raises as :meth:`request`; where nothing at all comes for a minute, :class:`lowtide.errors.Unavailable`.
        """
        from aiohttp import ClientError, ClientTimeout

        if self._session is None:
            raise RuntimeError("open the client first: async with client")
        given = {name: str(value) for name, value in (query or {}).items() if value is not None}
        headers = {"accept": "text/event-stream", **({} if after is None else {"last-event-id": after})}
        read = EventStream()
        timeout = ClientTimeout(total=None, sock_connect=self._timeout, sock_read=_SILENT)
        try:
            async with self._session.get(
                self.server + path, params=given, headers=headers, timeout=timeout
            ) as response:
                if response.status >= 400:
                    raise error_of(response.status, await response.read(), f"GET {self.server}{path}")
                async for chunk in response.content.iter_any():
                    for data, id_ in zip(read.feed(chunk), read.ids, strict=True):
                        yield json.parse(data), id_
        except (ClientError, TimeoutError) as error:
            raise Unavailable(f"the stream of {self.server}{path} broke: {str(error) or 'nothing comes'}") from error

    async def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str | int | None],
        body: bytes | None,
        headers: Mapping[str, str],
        timeout: float,
    ) -> Answer:
        from aiohttp import ClientConnectionError, ClientError, ClientTimeout

        if self._session is None:
            raise RuntimeError("open the client first: async with client")
        given = {name: str(value) for name, value in query.items() if value is not None}
        try:
            async with self._session.request(
                method,
                self.server + path,
                params=given,
                data=body,
                headers=headers,
                timeout=ClientTimeout(total=timeout),
            ) as response:
                content = await response.read()
                if response.status >= 400:
                    raise error_of(response.status, content, f"{method} {self.server}{path}")
                is_json = "json" in response.content_type
                decoded = (json.parse(content) if is_json else content.decode()) if content else None
                return Answer(response.status, dict(response.headers), decoded)
        except TimeoutError as error:
            raise Unavailable(f"{self.server} gave no answer to {method} {path} within {timeout:g} s") from error
        except ClientConnectionError as error:
            raise Unavailable(
                f"nothing answers at {self.server} ({error}); is `lowtide up` running? "
                "Another server is named with --server or LOWTIDE_SERVER"
            ) from error
        except (ClientError, ValueError) as error:
            raise Unavailable(f"{method} {self.server}{path} failed: {error}") from error


def path_of(*parts: str) -> str:
    """``path_of("v1", "namespaces", "a b")`` is ``/v1/namespaces/a%20b``."""
    return "".join("/" + quote(part, safe="") for part in parts)
