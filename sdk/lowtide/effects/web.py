"""HTTP for all effects: one guarded connection pool, limits on time and size, faults as standard errors."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from lowtide.effects.address import GuardedResolver, check_host
from lowtide.errors import TaskFailed
from lowtide.model.error import Error, standard_error

if TYPE_CHECKING:
    from aiohttp import ClientResponse, ClientSession, ClientWebSocketResponse
    from yarl import URL

__all__ = ["Web", "http_url", "refusal"]

_HEARTBEAT: Final = 20.0
"""Seconds between the pings by which a WebSocket notices that nobody is there any more."""


class Web:
    """``limit`` bounds the bytes of one answer; ``connect_timeout`` and ``read_timeout`` are the seconds to wait for a
    connection and for each next byte. The pool is opened when the first request is sent."""

    def __init__(
        self, *, allow_loopback: bool, limit: int, connect_timeout: float = 10.0, read_timeout: float = 120.0
    ) -> None:
        self.allow_loopback = allow_loopback
        self.limit = limit
        self._connect = connect_timeout
        self._read = read_timeout
        self._session: ClientSession | None = None

    @contextlib.asynccontextmanager
    async def request(
        self,
        method: str,
        url: URL,
        *,
        seconds: float,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        stream: bool = False,
    ) -> AsyncIterator[ClientResponse]:
        """One answer, of any status; redirects are not followed. ``seconds`` bounds it whole, its body included;
        of a ``stream``, until it begins: then it may last, and be silent, for as long as it likes.

        It says in which trace it is made, if in any, and ``headers`` do not.

        Raises ``TaskFailed``: ``timeout``, ``communication`` (no connection, no TLS, a broken answer) or
        ``authorization`` (an address that workflows may not reach).
        """
        import aiohttp

        from lowtide.telemetry.tracing import current
        from lowtide.wire.traces import written

        check_host(url.host or "", allow_loopback=self.allow_loopback)
        shown = f"{method} {url.scheme}://{url.authority.rpartition('@')[2]}{url.path}"
        whole, each = (None, None) if stream else (seconds, self._read)
        timeout = aiohttp.ClientTimeout(total=whole, connect=self._connect, sock_read=each)
        told = {**written(current()), **(headers or {})}
        sending = self._opened().request(method, url, headers=told, data=body, allow_redirects=False, timeout=timeout)
        try:
            async with contextlib.AsyncExitStack() as stack:
                async with asyncio.timeout(seconds if stream else None):
                    response = await stack.enter_async_context(sending)
                yield response
        except aiohttp.ConnectionTimeoutError as error:
            detail = f"{shown}: no connection within {min(seconds, self._connect):g} s"
            raise TaskFailed(standard_error("timeout", detail)) from error
        except aiohttp.SocketTimeoutError as error:
            raise TaskFailed(standard_error("timeout", f"{shown}: nothing came for {self._read:g} s")) from error
        except TimeoutError as error:
            raise TaskFailed(standard_error("timeout", f"{shown} gave no answer within {seconds:g} s")) from error
        except (aiohttp.ClientError, OSError) as error:
            detail = f"{shown} failed: {str(error) or type(error).__name__}"
            raise TaskFailed(standard_error("communication", detail)) from error

    @contextlib.asynccontextmanager
    async def websocket(
        self, url: URL, *, headers: Mapping[str, str], protocols: Iterable[str] = (), seconds: float
    ) -> AsyncIterator[ClientWebSocketResponse]:
        """A WebSocket, open within ``seconds``; no message of it may be larger than the limit.

        Raises as :meth:`request`, and where the server refuses, the error that fits its status.
        """
        import aiohttp

        check_host(url.host or "", allow_loopback=self.allow_loopback)
        shown = f"the WebSocket {url.scheme}://{url.authority.rpartition('@')[2]}{url.path}"
        opening = self._opened().ws_connect(
            url, headers=headers, protocols=protocols, max_msg_size=self.limit, heartbeat=_HEARTBEAT
        )
        try:
            async with contextlib.AsyncExitStack() as stack:
                async with asyncio.timeout(min(seconds, self._connect)):
                    opened = await stack.enter_async_context(opening)
                yield opened
        except aiohttp.WSServerHandshakeError as error:
            detail = f"{shown} was refused: {error.status} {error.message}"
            raise TaskFailed(refusal(error.status, None, detail)) from error
        except TimeoutError as error:
            detail = f"{shown} did not open within {min(seconds, self._connect):g} s"
            raise TaskFailed(standard_error("timeout", detail)) from error
        except (aiohttp.ClientError, OSError) as error:
            detail = f"{shown} failed: {str(error) or type(error).__name__}"
            raise TaskFailed(standard_error("communication", detail)) from error

    async def read(self, response: ClientResponse) -> bytes:
        """The body, within the limit. Raises ``TaskFailed`` (``communication``) where it is larger."""
        where = str(response.url.with_user(None).with_query(None))
        if response.method != "HEAD":
            self.check_size(response.content_length or 0, where)
        parts: list[bytes] = []
        size = 0
        async for part in response.content.iter_chunked(65_536):
            size += len(part)
            self.check_size(size, where)
            parts.append(part)
        return b"".join(parts)

    def check_size(self, size: int, where: str) -> None:
        """Raises ``TaskFailed`` (``communication``) where ``size`` bytes are more than one answer may have."""
        if size > self.limit:
            raise TaskFailed(
                standard_error("communication", f"the answer of {where} is larger than {self.limit} bytes")
            )

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _opened(self) -> ClientSession:
        if self._session is None:
            import aiohttp
            from aiohttp.resolver import ThreadedResolver

            guarded: Any = GuardedResolver(ThreadedResolver(), allow_loopback=self.allow_loopback)
            connector = aiohttp.TCPConnector(limit=0, limit_per_host=0, resolver=guarded, ttl_dns_cache=10)
            self._session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        return self._session


def http_url(uri: object, what: str) -> URL:
    """Raises ``TaskFailed`` (``configuration``) where ``uri`` is no absolute http or https URI."""
    from yarl import URL

    try:
        url = URL(uri) if isinstance(uri, str) else None
    except ValueError:
        url = None
    if url is None or url.scheme not in {"http", "https"} or not url.host:
        detail = f"{what} must be an http or https URI with a host, it is {uri!r}"
        raise TaskFailed(standard_error("configuration", detail))
    return url


def refusal(status: int, reason: str | None, detail: str) -> Error:
    """The error for an HTTP status that is none of success: its own status, and the type that fits it."""
    match status:
        case 401:
            return standard_error("authentication", detail, title=reason)
        case 403:
            return standard_error("authorization", detail, title=reason)
        case _:
            return standard_error("communication", detail, status=status, title=reason)
