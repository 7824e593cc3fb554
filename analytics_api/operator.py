"""Who may ask about all namespaces at once: whoever shows the operator's token.

Questions below ``/v1/namespaces/{namespace}`` are the tenant's; what stands in front of this API lets each tenant
through to its own. A question across namespaces names none, so that no such rule could tell whose it is: it proves
itself.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from hmac import compare_digest
from typing import Annotated, Final

from fastapi import Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from lowtide.errors import AuthRequired, Misconfigured

__all__ = ["operator"]

_SHORTEST: Final = 16

_bearer = HTTPBearer(auto_error=False, description="The operator's token: LOWTIDE_OPERATOR_TOKEN of this server.")

Shown = Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]


def operator(token: bytes) -> Callable[[Shown], Awaitable[None]]:
    """A dependency that lets nobody through but the holder of ``token``, and nobody at all where it is empty.

    Raises :class:`lowtide.errors.Misconfigured` where the token is too short to be one.
    """
    if token and len(token) < _SHORTEST:
        raise Misconfigured(f"LOWTIDE_OPERATOR_TOKEN has less than {_SHORTEST} bytes: openssl rand -hex 32 makes one")

    async def require(shown: Shown) -> None:
        if not token:
            raise AuthRequired("this server answers nobody about all namespaces; set LOWTIDE_OPERATOR_TOKEN for that")
        # Compared whatever it is, so that the time that it takes tells nothing.
        if not compare_digest(token, b"" if shown is None else shown.credentials.encode("utf-8", "replace")):
            raise AuthRequired(
                "show the operator's token: Authorization: Bearer …; a tenant asks about its own namespace"
            )

    return require
