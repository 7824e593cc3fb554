"""External resources (dsl-reference.md, "External Resource"): over http(s), or from files where that is allowed.

``file:///srv/greet.proto`` is absolute; ``file://app/greet.proto``, as the standard's examples write it, and
``file:greet.proto`` stand below the base folder.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urljoin, urlsplit

from lowtide.effects.auth import Authenticator
from lowtide.effects.web import Web, http_url, refusal
from lowtide.errors import TaskFailed
from lowtide.model.base import JSON, Value
from lowtide.model.error import standard_error

__all__ = ["Resource", "Resources", "beside"]

_HOPS: Final = 5
_KEPT: Final = 64
_FRESH: Final = 60.0  # seconds for which a resource is used without being asked for again


class Resource(Value, frozen=True):
    """``uri`` is where it was found, after redirects; ``asked`` what the workflow named."""

    uri: str
    body: bytes
    asked: str
    authentication: JSON = None
    content_type: str = ""

    @property
    def text(self) -> str:
        return self.body.decode("utf-8-sig", errors="replace")


class Resources:
    """Fetches resources and keeps those of the web for a minute. ``base`` is the folder of relative file URIs."""

    def __init__(
        self,
        web: Web,
        authenticator: Authenticator,
        *,
        seconds: float,
        allow_files: bool = False,
        base: Path | None = None,
    ) -> None:
        self._web = web
        self._authenticator = authenticator
        self._seconds = seconds
        self._allow_files = allow_files
        self._base = base
        self._kept: OrderedDict[tuple[str, str], tuple[float, Resource]] = OrderedDict()

    async def fetch(self, resource: JSON, what: str) -> Resource:
        """``resource`` is evaluated: ``{endpoint: …}``, or an endpoint itself; ``what`` names it in errors.

        Raises ``TaskFailed``: ``configuration`` (no usable URI, no such file), ``authorization`` (files or the address
        are not allowed), ``authentication``, ``timeout`` or ``communication`` with the status that was answered.
        """
        endpoint = resource["endpoint"] if isinstance(resource, dict) and "endpoint" in resource else resource
        uri, policy = endpoint, None
        if isinstance(endpoint, dict):
            uri, policy = endpoint.get("uri"), endpoint.get("authentication")
        if isinstance(uri, str) and uri.lower().startswith("file:"):
            return await self._from_file(uri, what)
        return await self._from_web(uri, policy, what)

    async def _from_file(self, uri: str, what: str) -> Resource:
        if not self._allow_files:
            detail = (
                f"{what} is {uri!r}, and files may not be read; an operator can allow it with LOWTIDE_ALLOW_FILES=true"
            )
            raise TaskFailed(standard_error("authorization", detail))
        parts = urlsplit(uri)
        host = "" if parts.netloc == "localhost" else parts.netloc
        path = (self._base or Path()) / unquote(host + parts.path)
        try:
            body = await asyncio.to_thread(_read, path, self._web.limit)
        except OSError as error:
            detail = f"{what} is {uri!r}, and {path} cannot be read: {error.strerror or error}"
            raise TaskFailed(standard_error("configuration", detail)) from error
        self._web.check_size(len(body), uri)
        return Resource(uri, body, uri)

    async def _from_web(self, uri: JSON, policy: JSON, what: str) -> Resource:
        url = http_url(uri, f"{what}: its endpoint")
        credentials = self._authenticator.credentials(policy)
        key, now = (str(uri), repr(policy)), asyncio.get_running_loop().time()
        found = self._kept.get(key)
        if found is not None and now - found[0] < _FRESH:
            return found[1]
        origin, target = url.origin(), url
        for _ in range(_HOPS):
            meant = credentials if target.origin() == origin else None  # nobody else is shown them
            async with self._authenticator.request("GET", target, credentials=meant, seconds=self._seconds) as response:
                location = response.headers.get("Location")
                if 300 <= response.status < 400 and location:
                    target = http_url(urljoin(str(target), location), f"{what}: the redirect of {uri}")
                    continue
                body = await self._web.read(response)
                if not 200 <= response.status < 300:
                    detail = f"{what}: GET {target.with_query(None)} answered {response.status} {response.reason}"
                    raise TaskFailed(refusal(response.status, response.reason, detail))
                kind = response.headers.get("Content-Type", "")
                fetched = Resource(str(target), body, str(uri), policy, kind)
                self._keep(key, now, fetched)
                return fetched
        raise TaskFailed(standard_error("communication", f"{what}: {uri} redirects more than {_HOPS} times"))

    def _keep(self, key: tuple[str, str], now: float, resource: Resource) -> None:
        self._kept[key] = (now, resource)
        self._kept.move_to_end(key)
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)


def beside(resource: Resource, path: str) -> JSON:
    """The resource at ``path``, relative to the folder of another; asked for with the same authentication where it is
    at the same origin."""
    if resource.uri.lower().startswith("file:"):
        return {"endpoint": f"{resource.uri.rpartition('/')[0]}/{path}" if "/" in resource.uri else f"file:{path}"}
    uri = urljoin(resource.uri, path)
    same = urlsplit(uri)[:2] == urlsplit(resource.asked)[:2]
    return {"endpoint": {"uri": uri, "authentication": resource.authentication if same else None}}


def _read(path: Path, limit: int) -> bytes:
    with path.open("rb") as file:
        return file.read(limit + 1)
