"""OAuth 2 (RFC 6749, RFC 8693): Bearer tokens from an authority's token endpoint."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from lowtide.effects.auth.configuration import Configuration
from lowtide.effects.auth.credentials import Sending
from lowtide.effects.auth.tokens import Endpoints, Token, Tokens

__all__ = ["AccessToken", "endpoints"]


class AccessToken:
    """The credentials of one call, of oauth2 and oidc alike; ``find`` gives the endpoints when they are needed.

    A token that was kept and is refused is replaced once: it may have been revoked. A new one that is refused is not.
    """

    def __init__(
        self, asked: Configuration, key: str, find: Callable[[], Awaitable[Endpoints]], tokens: Tokens
    ) -> None:
        self._asked = asked
        self._key = key
        self._find = find
        self._tokens = tokens
        self._token: Token | None = None
        self._kept = False

    @property
    def secrets(self) -> tuple[str, ...]:
        return self._asked.secrets if self._token is None else (*self._asked.secrets, self._token.value)

    async def offer(self, sending: Sending) -> str | None:
        return await self._next(None)

    async def answer(self, sending: Sending, challenges: tuple[str, ...]) -> str | None:
        return await self._next(self._token) if self._kept else None

    async def _next(self, instead_of: Token | None) -> str:
        self._token, self._kept = await self._tokens.get(self._asked, self._key, self._find, instead_of=instead_of)
        return f"Bearer {self._token.value}"


def endpoints(asked: Configuration) -> Endpoints:
    """Relative to the authority, below its path; one that is a whole URI stands for itself."""
    given = asked.endpoints
    return Endpoints(
        token=_below(asked.authority, (given and given.token) or "/oauth2/token"),
        introspection=_below(asked.authority, given.introspection) if given and given.introspection else None,
    )


def _below(authority: str, path: str) -> str:
    return path if urlsplit(path).scheme else f"{authority.rstrip('/')}/{path.lstrip('/')}"
