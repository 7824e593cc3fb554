"""What ``oauth2`` and ``oidc`` are configured with (dsl-reference.md, "OAUTH2 Authentication"), evaluated."""

from __future__ import annotations

from hashlib import sha256
from typing import Any, Literal

import msgspec

from lowtide.errors import TaskFailed
from lowtide.model.base import JSON
from lowtide.model.error import standard_error

__all__ = ["Client", "Configuration", "Grant", "SecurityToken", "configuration_of"]

Grant = Literal[
    "authorization_code",
    "client_credentials",
    "password",
    "refresh_token",
    "urn:ietf:params:oauth:grant-type:token-exchange",
]

_Method = Literal["client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt", "none"]


class _Part(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    pass


class Client(_Part, frozen=True, kw_only=True):
    """``assertion``: a signed JWT, or what one is signed with: a private key in PEM or as a JWK."""

    id: str | None = None
    secret: str | None = None
    assertion: str | dict[str, Any] | None = None
    authentication: _Method | None = None


class Endpoints(_Part, frozen=True, kw_only=True):
    token: str | None = None
    revocation: str | None = None
    introspection: str | None = None


class Request(_Part, frozen=True, kw_only=True):
    encoding: Literal["application/x-www-form-urlencoded", "application/json"] | None = None


class SecurityToken(_Part, frozen=True, kw_only=True):
    token: str
    type: str | None = None


class Configuration(_Part, frozen=True, kw_only=True):
    """The standard's members, and two that only a secret can hold: ``redirect_uri`` and ``code_verifier``, which the
    exchange of an authorization code repeats where its authorization request had them.

    The code of ``authorization_code`` and the token of ``refresh_token`` are ``subject.token``: the standard has no
    member of their own for them.
    """

    authority: str
    grant: Grant
    client: Client | None = None
    endpoints: Endpoints | None = None
    request: Request | None = None
    issuers: list[str] | None = None
    scopes: list[str] | str | None = None
    audiences: list[str] | str | None = None
    username: str | None = None
    password: str | None = None
    subject: SecurityToken | None = None
    actor: SecurityToken | None = None
    redirect_uri: str | None = None
    code_verifier: str | None = None

    @property
    def who(self) -> Client:
        return self.client or Client()

    @property
    def secrets(self) -> tuple[str, ...]:
        """Texts that nobody may see."""
        found = [self.who.secret, self.password, self.code_verifier]
        found += [token.token for token in (self.subject, self.actor) if token is not None]
        found += [self.who.assertion] if isinstance(self.who.assertion, str) else []
        return tuple(text for text in found if text)


def configuration_of(value: JSON, scheme: str) -> tuple[Configuration, str]:
    """The configuration, and a key that two configurations share only when everything in them is the same.

    Raises ``TaskFailed`` (``configuration``) naming the member that does not fit, never its value.
    """
    try:
        read = msgspec.convert(value, Configuration)
    except msgspec.ValidationError as error:
        raise TaskFailed(standard_error("configuration", f"{scheme} authentication: {_told(error)}")) from None
    canonical = msgspec.json.encode([scheme, value], order="deterministic")
    return read, sha256(canonical).hexdigest()


def _told(error: msgspec.ValidationError) -> str:
    """msgspec names what it found only for choices, where the text is no secret but may be anything."""
    what, _, where = str(error).partition(" - at ")
    what = "Invalid value" if what.startswith("Invalid enum value") else what
    return f"{what} at `{where.strip('`').removeprefix('$.')}`" if where else what
