"""``call: http`` (dsl-reference.md, "HTTP Call").

With ``redirect: true`` redirects are followed, each hop guarded as the first; credentials stay at the origin that they
were meant for, and a 300 to 399 that leads nowhere is a result. Otherwise such a status is an error.

401 becomes ``authentication``, 403 ``authorization``, any other status that is an error ``communication`` with that
status; a time-out ``timeout``; no connection ``communication``.
"""

from __future__ import annotations

import asyncio
import contextlib
from base64 import b64encode
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import msgspec

from lowtide.effects.auth import Authenticator, Credentials, mask
from lowtide.effects.content import body_of, content_of
from lowtide.effects.web import Web, http_url, refusal
from lowtide.errors import TaskFailed
from lowtide.model.base import JSON
from lowtide.model.command import Perform
from lowtide.model.error import standard_error

if TYPE_CHECKING:
    from aiohttp import ClientResponse

__all__ = ["HttpCall"]

_HOPS: Final = 10
_FOLLOWED: Final = frozenset({301, 302, 303, 307, 308})
_CARRIED: Final = frozenset(
    {
        "accept",
        "accept-language",
        "content-encoding",
        "content-language",
        "content-type",
        "idempotency-key",
        "user-agent",
    }
)
"""Headers that follow a redirect to another origin; any other may hold a key that is meant for the first."""

_HIDDEN: Final = frozenset({"authorization", "cookie", "proxy-authorization"})
"""Headers that ``output: response`` does not show."""


class HttpCall:
    """``timeout``: seconds of a call, its redirects and tokens included, unless its task sets another."""

    def __init__(self, web: Web, authenticator: Authenticator, *, timeout: float) -> None:
        self._web = web
        self._authenticator = authenticator
        self._timeout = timeout

    async def perform(self, command: Perform, idempotency_key: str) -> JSON:
        """Send the request; the output is as ``with.output`` asks (content, raw or response)."""
        request = _Request(command.arguments)
        if not any(name.lower() == "idempotency-key" for name in request.headers):
            request.headers["Idempotency-Key"] = quote(idempotency_key, safe="/@:.-_~!#")
        seconds = self._timeout if command.timeout is None else command.timeout / 1000
        credentials = self._authenticator.credentials(request.policy)
        try:
            async with asyncio.timeout(seconds):
                return await self._send(request, credentials, seconds)
        except TimeoutError as error:
            detail = f"{request.method} {request.shown} gave no answer within {seconds:g} s"
            raise TaskFailed(standard_error("timeout", detail)) from error
        except ValueError as error:
            detail = f"{request.method} {request.shown} cannot be sent: {error}"
            raise TaskFailed(standard_error("configuration", detail)) from error
        except TaskFailed as failure:
            masked = mask(failure.error.detail or "", credentials.secrets if credentials is not None else ())
            raise TaskFailed(msgspec.structs.replace(failure.error, detail=masked)) from None

    async def _send(self, request: _Request, credentials: Credentials | None, seconds: float) -> JSON:
        for _ in range(_HOPS + 1):
            async with self._authenticator.request(
                request.method,
                request.url,
                credentials=credentials,
                seconds=seconds,
                headers=request.headers,
                body=request.body,
            ) as response:
                location = response.headers.get("Location") if response.status in _FOLLOWED else None
                if location is None or not request.redirect:
                    return _output(request, response, await self._web.read(response))
            if not request.follow(location, response.status):
                credentials = None
        detail = f"{request.method} {request.shown} redirects more than {_HOPS} times"
        raise TaskFailed(standard_error("communication", detail))


class _Request:
    """The evaluated arguments of the task, checked; after a redirect, the request that follows it."""

    def __init__(self, arguments: JSON) -> None:
        endpoint = arguments.get("endpoint")
        uri, self.policy = endpoint, None
        if isinstance(endpoint, dict):
            uri, self.policy = endpoint.get("uri"), endpoint.get("authentication")
        url = http_url(uri, "`with.endpoint`")
        if url.user is not None:
            self.policy = self.policy or {"basic": {"username": url.user, "password": url.password}}
            url = url.with_user(None)
        query = [(name, _text(value)) for name, given in _members(arguments, "query") for value in _each(given)]
        self.url = url.update_query(query) if query else url
        self.method = str(arguments.get("method", "get")).upper()
        self.headers = {name: _text(value) for name, value in _members(arguments, "headers")}
        given = next((value for name, value in self.headers.items() if name.lower() == "content-type"), None)
        self.body, content_type = body_of(arguments.get("body"), given)
        if content_type is not None and given is None and self.body is not None:
            self.headers["Content-Type"] = content_type
        self.output = arguments.get("output") or "content"
        self.redirect = bool(arguments.get("redirect", False))

    @property
    def shown(self) -> str:
        """The URI without what may be secret in it."""
        return str(self.url.with_query(None).with_fragment(None))

    def follow(self, location: str, status: int) -> bool:
        """Become the request that a redirect asks for (RFC 9110, 15.4); whether it stays at the same origin."""
        from yarl import URL

        try:
            target = self.url.join(URL(location))
        except ValueError:
            target = URL()
        target = http_url(str(target), f"the redirect of {self.shown}")
        same = target.origin() == self.url.origin()
        become_get = status == 303 or (status in (301, 302) and self.method == "POST")
        if become_get and self.method != "HEAD":
            self.method, self.body = "GET", None
        if self.body is None:
            self.headers = {name: value for name, value in self.headers.items() if name.lower()[:8] != "content-"}
        if not same:
            self.headers = {name: value for name, value in self.headers.items() if name.lower() in _CARRIED}
        self.url = target.with_user(None)
        return same


def _output(request: _Request, response: ClientResponse, body: bytes) -> JSON:
    accepted = 400 if request.redirect else 300
    kind = response.headers.get("Content-Type", "")
    charset = _charset(response)
    if not 200 <= response.status < accepted:
        raise _refusal(request, response, body[:500].decode(charset, errors="replace"))
    if request.output == "raw":
        return b64encode(body).decode()
    try:
        content = content_of(body, kind, charset)
    except ValueError as error:
        detail = f"{request.method} {request.shown} failed: {error}"
        raise TaskFailed(standard_error("communication", detail)) from error
    if request.output == "content":
        return content
    shown = {name: value for name, value in request.headers.items() if name.lower() not in _HIDDEN}
    return {
        "request": {"method": request.method, "uri": str(request.url), "headers": shown},
        "statusCode": response.status,
        "headers": {_whole(name): _whole(", ".join(response.headers.getall(name))) for name in response.headers},
        "content": content,
    }


def _refusal(request: _Request, response: ClientResponse, text: str) -> TaskFailed:
    reason = _whole(response.reason or "")
    detail = f"{request.method} {request.shown} answered {response.status} {reason}: {text}".rstrip(": ")
    return TaskFailed(refusal(response.status, reason, detail))


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
