"""The schemes of one process together: what effects use."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Final

from lowtide.effects.auth import basic, bearer, oauth2
from lowtide.effects.auth.configuration import configuration_of
from lowtide.effects.auth.credentials import Credentials, Sending
from lowtide.effects.auth.digest import Digest, Nonces
from lowtide.effects.auth.oidc import WELL_KNOWN, Discovery
from lowtide.effects.auth.signing import Signer
from lowtide.effects.auth.tokens import Endpoints, Tokens
from lowtide.effects.web import Web
from lowtide.errors import TaskFailed
from lowtide.model.base import JSON
from lowtide.model.error import standard_error

if TYPE_CHECKING:
    from aiohttp import ClientResponse
    from yarl import URL

    from lowtide.runtime.clock import Clock

__all__ = ["Authenticator"]

_SCHEMES: Final = ("basic", "bearer", "digest", "oauth2", "oidc")
_ANSWERS: Final = 2
"""How often a 401 is answered: a stale nonce may need a second time."""


class Authenticator:
    """Keeps tokens, discovery documents and nonces. ``seconds`` bounds each request to an authorization server;
    ``clock`` dates signed assertions: without one, none can be signed."""

    def __init__(self, web: Web, *, seconds: float, clock: Clock | None = None) -> None:
        self._web = web
        self._clock = clock
        self._nonces = Nonces()
        self._tokens = Tokens(web, seconds, self._signer)
        self._discovery = Discovery(web, seconds)

    def credentials(self, policy: JSON) -> Credentials | None:
        """For an evaluated authentication policy; ``None`` where there is no policy.

        Raises ``TaskFailed``: ``configuration`` for what is no policy, ``authentication`` for one that lacks values.
        """
        match policy:
            case None:
                return None
            case {"basic": configuration}:
                return basic.credentials(configuration)
            case {"bearer": configuration}:
                return bearer.credentials(configuration)
            case {"digest": configuration}:
                return Digest(configuration, self._nonces)
            case {"oauth2": configuration}:
                return self._access_token(configuration, "oauth2")
            case {"oidc": configuration}:
                return self._access_token(configuration, "oidc")
        detail = f"an authentication needs one of {', '.join(_SCHEMES)}, or the name of one in `use.authentications`"
        raise TaskFailed(standard_error("configuration", detail))

    async def header(self, policy: JSON) -> str | None:
        """The ``Authorization`` value for what is not HTTP, or asks no questions.

        Raises as :meth:`credentials`, and ``configuration`` for ``digest``, which only answers questions.
        """
        from yarl import URL

        credentials = self.credentials(policy)
        if isinstance(credentials, Digest):
            raise TaskFailed(standard_error("configuration", "digest authentication is for HTTP calls alone"))
        return None if credentials is None else await credentials.offer(Sending("GET", URL("http://nowhere/")))

    @contextlib.asynccontextmanager
    async def request(
        self,
        method: str,
        url: URL,
        *,
        credentials: Credentials | None,
        seconds: float,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        stream: bool = False,
    ) -> AsyncIterator[ClientResponse]:
        """As ``Web.request``, authenticated: a 401 is answered where the scheme has an answer."""
        sending, sent = Sending(method, url, body), dict(headers or {})
        value = None if credentials is None else await credentials.offer(sending)
        for left in range(_ANSWERS, -1, -1):
            authorized = sent if value is None else {**_without_authorization(sent), "Authorization": value}
            async with self._web.request(
                method, url, seconds=seconds, headers=authorized, body=body, stream=stream
            ) as response:
                if response.status == 401 and credentials is not None and left:
                    challenges = tuple(response.headers.getall("WWW-Authenticate", ()))
                    value = await credentials.answer(sending, challenges)
                    if value is not None:
                        await self._web.read(response)  # so that the connection can be used again
                        continue
                yield response
                return

    async def close(self) -> None:
        await self._tokens.close()
        await self._discovery.close()

    def _signer(self) -> Signer:
        if self._clock is None:
            detail = "a client's assertion cannot be signed here: this process was given no clock"
            raise TaskFailed(standard_error("configuration", detail))
        return Signer(self._clock)

    def _access_token(self, configuration: JSON, scheme: str) -> Credentials:
        asked, key = configuration_of(configuration, scheme)
        published = scheme == "oidc" or (asked.authority.endswith(WELL_KNOWN) and asked.endpoints is None)

        async def find() -> Endpoints:
            return await self._discovery.endpoints(asked) if published else oauth2.endpoints(asked)

        return oauth2.AccessToken(asked, key, find, self._tokens)


def _without_authorization(headers: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() != "authorization"}
