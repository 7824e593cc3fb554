"""How a client proves to an authorization server who it is (RFC 6749, 2.3; RFC 7523; OpenID Connect Core, 9)."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable
from typing import Final, assert_never
from urllib.parse import quote_plus

from lowtide.effects.auth.configuration import Client
from lowtide.effects.auth.signing import Signer
from lowtide.errors import TaskFailed
from lowtide.model.error import standard_error

__all__ = ["authenticate"]

_JWT: Final = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+")
_ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

Proof = tuple[dict[str, str], dict[str, str]]


def authenticate(client: Client, endpoint: str, signer: Callable[[], Signer]) -> Proof:
    """Headers and parameters to add to a request to ``endpoint``.

    Raises ``TaskFailed`` (``configuration``) where the client lacks what its method needs.
    """
    method = client.authentication or "client_secret_post"
    match method:
        case "none":
            return {}, {"client_id": client.id} if client.id else {}
        case "client_secret_post":
            named = {"client_id": _id(client)}
            return {}, {**named, "client_secret": client.secret} if client.secret else named
        case "client_secret_basic":
            pair = f"{quote_plus(_id(client))}:{quote_plus(_secret(client, method))}"
            return {"Authorization": "Basic " + b64encode(pair.encode()).decode()}, {}
        case "client_secret_jwt":
            return {}, _asserted(client, signer().with_secret(_secret(client, method), _id(client), endpoint))
        case "private_key_jwt":
            if not client.assertion:
                raise _lacking("assertion", method)
            if isinstance(client.assertion, str) and _JWT.fullmatch(client.assertion.strip()):
                return {}, _asserted(client, client.assertion.strip())
            return {}, _asserted(client, signer().with_key(client.assertion, _id(client), endpoint))
        case _:
            assert_never(method)


def _asserted(client: Client, assertion: str) -> dict[str, str]:
    named = {"client_id": client.id} if client.id else {}
    return {**named, "client_assertion_type": _ASSERTION_TYPE, "client_assertion": assertion}


def _id(client: Client) -> str:
    if not client.id:
        raise _lacking("id", client.authentication or "client_secret_post")
    return client.id


def _secret(client: Client, method: str) -> str:
    if not client.secret:
        raise _lacking("secret", method)
    return client.secret


def _lacking(member: str, method: str) -> TaskFailed:
    return TaskFailed(standard_error("configuration", f"`client.authentication: {method}` needs `client.{member}`"))
