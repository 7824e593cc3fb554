"""An authorization server of the tests' own (OAuth 2, OpenID Connect), over real HTTP, and a service that trusts it."""

from __future__ import annotations

import contextlib
import json
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, unquote_plus

from tests.peers import Answer, Peer, Request

__all__ = ["Authority", "authority"]


class Authority:
    """``asked`` are the token requests, as {parameter: value}, with ``basic`` for a client that came by header.

    ``/service`` lets in whoever brings a live token. The tests turn what they are about: ``lifetime`` (seconds, or
    ``None`` to keep quiet), ``refreshes``, ``issuer`` (tokens become JWTs), ``introspected``, ``refusal`` (an answer to
    all who ask for tokens).
    """

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.live: set[str] = set()
        self.refresh_tokens: set[str] = set()
        self.lifetime: int | None = 3600
        self.refreshes = False
        self.issuer: str | None = None
        self.introspected: dict[str, Any] = {}
        self.refusal: Answer | None = None
        self.discoveries = 0
        self.peer = Peer(self._answer)

    @property
    def url(self) -> str:
        return self.peer.url

    @property
    def service(self) -> str:
        return f"{self.url}/service"

    @property
    def served(self) -> list[str]:
        """The ``Authorization`` headers that the service was sent."""
        return [one.headers.get("authorization", "") for one in self.peer.requests if one.path.startswith("/service")]

    def revoke(self) -> None:
        self.live.clear()

    def _answer(self, request: Request) -> Answer:
        match request.path:
            case "/.well-known/openid-configuration":
                self.discoveries += 1
                endpoints = {
                    "token_endpoint": f"{self.url}/connect/token",
                    "introspection_endpoint": f"{self.url}/look",
                }
                return 200, {"issuer": self.url, **endpoints}
            case "/oauth2/token" | "/connect/token" | "/realms/a/oauth2/token":
                return self._token(request)
            case "/look":
                return 200, {"active": True, **self.introspected}
            case _:
                token = request.headers.get("authorization", "").removeprefix("Bearer ")
                if token in self.live:
                    return 200, {"welcome": True}
                return 401, {"sorry": token}, {"WWW-Authenticate": 'Bearer error="invalid_token"'}

    def _token(self, request: Request) -> Answer:
        asked = _parameters(request)
        self.asked.append(asked)
        if self.refusal is not None:
            return self.refusal
        if asked["grant_type"] == "refresh_token" and asked["refresh_token"] not in self.refresh_tokens:
            return 400, {"error": "invalid_grant", "error_description": f"{asked['refresh_token']} is not known"}
        token = f"token-{len(self.asked)}"
        if self.issuer is not None:
            token = ".".join(_coded(part) for part in ({"alg": "none"}, {"iss": self.issuer, "n": token}, "unsigned"))
        self.live.add(token)
        given: dict[str, Any] = {"access_token": token, "token_type": "bearer"}
        if self.lifetime is not None:
            given["expires_in"] = self.lifetime
        if self.refreshes:
            given["refresh_token"] = f"refresh-{len(self.asked)}"
            self.refresh_tokens.add(given["refresh_token"])
        return 200, given


def _parameters(request: Request) -> dict[str, Any]:
    if request.headers["content-type"] == "application/json":
        asked = dict(request.json)
    else:
        many = parse_qs(request.body.decode(), strict_parsing=True)
        asked = {name: values[0] if len(values) == 1 else values for name, values in many.items()}
    if "authorization" in request.headers:
        pair = b64decode(request.headers["authorization"].removeprefix("Basic ")).decode()
        asked["basic"] = tuple(unquote_plus(part) for part in pair.split(":"))
    return asked


def _coded(part: Any) -> str:
    return urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


@contextlib.contextmanager
def authority() -> Iterator[Authority]:
    made = Authority()
    try:
        yield made
    finally:
        made.peer.close()
