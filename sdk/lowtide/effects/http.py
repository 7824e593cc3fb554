"""``call: http`` (dsl-reference.md, "HTTP Call").

Redirects are not followed: with ``redirect: true`` a response of 300 to 399 is a result, else an error. A status that
is an error becomes ``communication`` with that status; a time-out ``timeout``; no connection ``communication``.
"""

from __future__ import annotations

import contextlib
from base64 import b64encode
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec

from lowtide.effects.address import GuardedResolver, check_host
from lowtide.effects.auth import authorization
from lowtide.effects.content import body_of, content_of
from lowtide.errors import TaskFailed
from lowtide.model.base import JSON
from lowtide.model.command import Perform
from lowtide.model.error import standard_error

if TYPE_CHECKING:
    from aiohttp import ClientResponse, ClientSession

__all__ = ["HttpCall"]


class HttpCall:
    """One connection pool per process, made when the first call is sent."""

    def __init__(self, *, allow_loopback: bool, timeout: float, max_response_bytes: int) -> None:
        self._allow_loopback = allow_loopback
        self._timeout = timeout
        self._limit = max_response_bytes
        self._session: ClientSession | None = None

    async def perform(self, command: Perform, idempotency_key: str) -> JSON:
        """Send the request; the output is as ``with.output`` asks (content, raw or response)."""
        request = _Request(command.arguments)
        check_host(request.host, allow_loopback=self._allow_loopback)
        headers = request.headers
        if not any(name.lower() == "idempotency-key" for name in headers):
            headers = {"Idempotency-Key": quote(idempotency_key, safe="/@:.-_~!#"), **headers}
        seconds = self._timeout if command.timeout is None else command.timeout / 1000
        import aiohttp

        try:
            async with self._opened().request(
                request.method,
                request.url,
                headers=headers,
                data=request.body,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=seconds, connect=min(seconds, 10.0)),
            ) as response:
                body = await self._read(response)
                return _output(request, response, body, headers)
        except TimeoutError as error:
            detail = f"{request.method} {request.shown} gave no answer within {seconds:g} s"
            raise TaskFailed(standard_error("timeout", detail)) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            cause = error.__cause__ or error.__context__
            if isinstance(cause, TaskFailed):
                raise cause from error
            detail = f"{request.method} {request.shown} failed: {str(error) or type(error).__name__}"
            raise TaskFailed(standard_error("communication", detail)) from error

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _opened(self) -> ClientSession:
        if self._session is None:
            import aiohttp
            from aiohttp.resolver import ThreadedResolver

            guarded: Any = GuardedResolver(ThreadedResolver(), allow_loopback=self._allow_loopback)
            connector = aiohttp.TCPConnector(limit=0, limit_per_host=0, resolver=guarded, ttl_dns_cache=10)
            self._session = aiohttp.ClientSession(
                connector=connector, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=True
            )
        return self._session

    async def _read(self, response: ClientResponse) -> bytes:
        parts: list[bytes] = []
        size = 0
        async for part in response.content.iter_chunked(65_536):
            size += len(part)
            if size > self._limit:
                detail = f"the response of {response.url.host}{response.url.path} is larger than {self._limit} bytes"
                raise TaskFailed(standard_error("communication", detail))
            parts.append(part)
        return b"".join(parts)


class _Request:
    """The evaluated arguments of the task, checked."""

    def __init__(self, arguments: JSON) -> None:
        from yarl import URL

        endpoint = arguments.get("endpoint")
        uri, policy = endpoint, None
        if isinstance(endpoint, dict):
            uri, policy = endpoint.get("uri"), endpoint.get("authentication")
        if not isinstance(uri, str):
            raise TaskFailed(standard_error("configuration", "`with.endpoint` must give a URI"))
        try:
            url = URL(uri)
        except ValueError as error:
            raise TaskFailed(standard_error("configuration", f"`with.endpoint`: {uri!r} is no URI: {error}")) from error
        if url.scheme not in {"http", "https"} or not url.host:
            detail = f"`with.endpoint` must be an http or https URI with a host, it is {uri!r}"
            raise TaskFailed(standard_error("configuration", detail))
        query = [(name, _text(value)) for name, given in _members(arguments, "query") for value in _each(given)]
        self.url = url.update_query(query) if query else url
        self.host = url.host
        self.shown = f"{url.scheme}://{url.host_port_subcomponent}{url.path}"
        self.method = str(arguments.get("method", "get")).upper()
        self.headers = {name: _text(value) for name, value in _members(arguments, "headers")}
        given = next((value for name, value in self.headers.items() if name.lower() == "content-type"), None)
        self.body, content_type = body_of(arguments.get("body"), given)
        if content_type is not None and given is None and self.body is not None:
            self.headers["Content-Type"] = content_type
        if policy is not None:
            self.headers["Authorization"] = authorization(policy)
        self.output = arguments.get("output") or "content"
        self.redirect = bool(arguments.get("redirect", False))


def _output(request: _Request, response: ClientResponse, body: bytes, sent: dict[str, str]) -> JSON:
    accepted = 400 if request.redirect else 300
    kind = response.headers.get("Content-Type", "")
    charset, reason = _charset(response), _whole(response.reason or "")
    if not 200 <= response.status < accepted:
        text = body[:500].decode(charset, errors="replace")
        detail = f"{request.method} {request.shown} answered {response.status} {reason}: {text}".rstrip(": ")
        title = reason or "Communication Error"
        raise TaskFailed(standard_error("communication", detail, status=response.status, title=title))
    if request.output == "raw":
        return b64encode(body).decode()
    content = content_of(body, kind, charset)
    if request.output == "content":
        return content
    shown = {name: value for name, value in sent.items() if name.lower() != "authorization"}
    return {
        "request": {"method": request.method, "uri": str(request.url.with_user(None)), "headers": shown},
        "statusCode": response.status,
        "headers": {_whole(name): _whole(", ".join(response.headers.getall(name))) for name in response.headers},
        "content": content,
    }


def _charset(response: ClientResponse) -> str:
    """What the response says of itself, where that is a name of a way to write text."""
    with contextlib.suppress(LookupError, RuntimeError):
        charset = response.get_encoding()
        b"00".decode(charset, errors="replace")  # a codec that is none of text is refused here
        return charset
    return "utf-8"


def _whole(text: str) -> str:
    """Header bytes that are not UTF-8 are Latin-1 (RFC 9110, 5.5); half characters fit into no JSON."""
    try:
        return text.encode("utf-8", "surrogateescape").decode()
    except UnicodeError:
        return text.encode("utf-8", "surrogateescape").decode("latin-1")


def _members(arguments: JSON, name: str) -> list[tuple[str, JSON]]:
    """The members of ``with.headers`` or ``with.query`` that have a value."""
    given = arguments.get(name)
    if given is None:
        return []
    if not isinstance(given, dict):
        raise TaskFailed(standard_error("configuration", f"`with.{name}` must be an object of names and values"))
    return [(key, value) for key, value in given.items() if value is not None]


def _each(given: JSON) -> list[JSON]:
    """A parameter with several values is sent once for each."""
    return [value for value in given if value is not None] if isinstance(given, list) else [given]


def _text(value: JSON) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
