"""Asking an authorization server for access tokens, and keeping them while they are good (RFC 6749, section 5)."""

from __future__ import annotations

from base64 import urlsafe_b64decode
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

import msgspec

from lowtide.effects.auth.client import authenticate
from lowtide.effects.auth.configuration import Configuration
from lowtide.effects.auth.credentials import mask
from lowtide.effects.auth.grants import Parameters, parameters, refreshing
from lowtide.effects.auth.kept import Kept
from lowtide.effects.auth.signing import Signer
from lowtide.effects.web import Web, http_url
from lowtide.errors import TaskFailed
from lowtide.model.error import StandardType, standard_error

__all__ = ["Endpoints", "Token", "Tokens", "lifetime"]

_UNSAID: Final = 300.0  # seconds that a token is kept whose lifetime nobody told
_LONGEST: Final = 86_400.0
_FORBIDDEN: Final = frozenset({"access_denied", "invalid_scope", "invalid_target", "unauthorized_client"})
_MISTAKEN: Final = frozenset({"invalid_request", "unsupported_grant_type"})


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where an authorization server is asked; ``introspection`` where there is such a place."""

    token: str
    introspection: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Token:
    """``refresh`` gets the next one without the grant."""

    value: str
    refresh: str | None = None


class Tokens:
    """The tokens of one process. ``seconds`` bounds each request; ``signer`` is made when an assertion is signed."""

    def __init__(self, web: Web, seconds: float, signer: Callable[[], Signer]) -> None:
        self._web = web
        self._seconds = seconds
        self._signer = signer
        self._kept: Kept[Token] = Kept()

    async def get(
        self,
        asked: Configuration,
        key: str,
        find: Callable[[], Awaitable[Endpoints]],
        *,
        instead_of: Token | None = None,
    ) -> tuple[Token, bool]:
        """A token, and whether it was kept from before.

        Raises ``TaskFailed``: ``authentication`` or ``authorization`` where the server refuses, ``configuration`` where
        the request cannot be made, ``communication`` and ``timeout`` as any request.
        """

        async def fetch(last: Token | None) -> tuple[Token, float]:
            endpoints = await find()
            if last is not None and last.refresh:
                try:
                    return await self._ask(asked, endpoints, refreshing(asked, last.refresh), last.refresh)
                except TaskFailed as failure:
                    if failure.error.status not in (400, 401, 403):
                        raise
            return await self._ask(asked, endpoints, parameters(asked), None)

        return await self._kept.get(key, fetch, instead_of=instead_of)

    async def close(self) -> None:
        await self._kept.close()

    async def _ask(
        self, asked: Configuration, endpoints: Endpoints, wanted: Parameters, refresh: str | None
    ) -> tuple[Token, float]:
        """``refresh`` stays good unless a new one is given."""
        status, answer = await self._post(asked, endpoints.token, wanted)
        where = f"the authorization server at {endpoints.token}"
        value = answer.get("access_token")
        if not 200 <= status < 300 or not isinstance(value, str) or not value:
            raise TaskFailed(_refused(where, status, answer, (*asked.secrets, refresh or "")))
        kind = answer.get("token_type", "Bearer")
        if str(kind).lower() != "bearer":
            detail = f"{where} gave a token of type {str(kind)[:40]!r}; only Bearer tokens can be used"
            raise TaskFailed(standard_error("authentication", detail))
        await self._check_issuer(asked, endpoints, value, where)
        new = answer.get("refresh_token")
        return Token(value, new if isinstance(new, str) and new else refresh), lifetime(answer.get("expires_in"))

    async def _post(self, asked: Configuration, uri: str, wanted: Parameters) -> tuple[int, dict[str, Any]]:
        url = http_url(uri, "the endpoint of the authorization server")
        headers, proof = authenticate(asked.who, uri, self._signer)
        encoding = (asked.request and asked.request.encoding) or "application/x-www-form-urlencoded"
        sent = {**wanted, **proof}
        body = msgspec.json.encode(sent) if encoding == "application/json" else urlencode(sent, doseq=True).encode()
        headers = {"Accept": "application/json", "Content-Type": encoding, **headers}
        async with self._web.request("POST", url, seconds=self._seconds, headers=headers, body=body) as response:
            return response.status, _object(await self._web.read(response))

    async def _check_issuer(self, asked: Configuration, endpoints: Endpoints, token: str, where: str) -> None:
        """Where ``issuers`` are given, the token must be of one. It came from the server itself, over its connection:
        its signature says nothing more (OpenID Connect Core, 3.1.3.7)."""
        if not asked.issuers:
            return
        issuer = _claims(token).get("iss")
        if issuer is None and endpoints.introspection is not None:
            _, answer = await self._post(asked, endpoints.introspection, {"token": token})
            issuer = answer.get("iss")
        if issuer not in asked.issuers:
            found = "nobody says who issued" if issuer is None else "another issuer than `issuers` lists made"
            raise TaskFailed(standard_error("authentication", f"{found} the token that {where} gave"))


def _refused(where: str, status: int, answer: dict[str, Any], secrets: tuple[str, ...]) -> Any:
    code, description = (str(answer.get(name) or "")[:200] for name in ("error", "error_description"))
    told = mask(": ".join(part for part in (code, description) if part), secrets)
    if 200 <= status < 300:
        return standard_error("authentication", f"{where} gave no token" + (f": {told}" if told else ""))
    kind: StandardType = "communication"
    if code in _FORBIDDEN or status == 403:
        kind = "authorization"
    elif code in _MISTAKEN:
        kind = "configuration"
    elif status in (400, 401):
        kind = "authentication"
    detail = f"{where} refused with {status}" + (f": {told}" if told else "")
    return standard_error(kind, detail, status=status if kind == "communication" else None)


def lifetime(seconds: object) -> float:
    """How long a token is kept: a little less than it lives, so that it does not end on its way."""
    try:
        told = _UNSAID if seconds is None else float(str(seconds))
    except ValueError:
        told = _UNSAID
    told = min(max(told, 0.0), _LONGEST)
    return told - min(30.0, told / 10)


def _claims(token: str) -> dict[str, Any]:
    """Of a JWT; of any other token, none."""
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        return _object(urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except ValueError:
        return {}


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return {}
    return value if isinstance(value, dict) else {}
