"""OpenID Connect: as OAuth 2, with the endpoints that the authority publishes (OpenID Connect Discovery, section 4)."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from lowtide.effects.auth.configuration import Configuration
from lowtide.effects.auth.kept import Kept
from lowtide.effects.auth.tokens import Endpoints
from lowtide.effects.web import Web, http_url
from lowtide.errors import TaskFailed
from lowtide.model.error import standard_error

__all__ = ["WELL_KNOWN", "Discovery"]

WELL_KNOWN: Final = "/.well-known/openid-configuration"
_FRESH: Final = 3_600.0


class Discovery:
    """What authorities publish, asked for once an hour."""

    def __init__(self, web: Web, seconds: float) -> None:
        self._web = web
        self._seconds = seconds
        self._kept: Kept[dict[str, Any]] = Kept()

    async def endpoints(self, asked: Configuration) -> Endpoints:
        """The authority may be given with or without the well-known path.

        Raises ``TaskFailed``: ``communication`` where what is published is no configuration, ``authentication`` where
        its issuer is none of ``issuers``.
        """
        base = asked.authority.rstrip("/")
        uri = base if base.endswith(WELL_KNOWN) else base + WELL_KNOWN
        published, _ = await self._kept.get(uri, lambda _: self._fetch(uri))
        if asked.issuers and published.get("issuer") not in asked.issuers:
            detail = f"the issuer that {uri} names is none of `issuers`"
            raise TaskFailed(standard_error("authentication", detail))
        introspection = published.get("introspection_endpoint")
        return Endpoints(
            token=published["token_endpoint"], introspection=introspection if isinstance(introspection, str) else None
        )

    async def close(self) -> None:
        await self._kept.close()

    async def _fetch(self, uri: str) -> tuple[dict[str, Any], float]:
        url = http_url(uri, "the authority")
        headers = {"Accept": "application/json"}
        async with self._web.request("GET", url, seconds=self._seconds, headers=headers) as response:
            status, body = response.status, await self._web.read(response)
        if status != 200:
            raise TaskFailed(standard_error("communication", f"{uri} answered {status}", status=status))
        try:
            published = msgspec.json.decode(body, type=dict[str, Any])
        except msgspec.MsgspecError:
            published = {}
        if not isinstance(published.get("token_endpoint"), str):
            raise TaskFailed(standard_error("communication", f"{uri} publishes no configuration with a token_endpoint"))
        return published, _FRESH
