"""What protocols are given: a target whose host was resolved and checked, credentials, limits."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from base64 import b64decode
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from lowtide.effects.address import resolve
from lowtide.effects.asyncapi.message import Incoming
from lowtide.effects.asyncapi.target import Target
from lowtide.effects.auth import Authenticator, Credentials
from lowtide.effects.web import Web
from lowtide.errors import TaskFailed
from lowtide.model.base import JSON, Value
from lowtide.model.error import StandardType, standard_error

__all__ = ["Feed", "Link", "Login", "Named", "Place", "failed", "translated", "unless"]

T = TypeVar("T")


class Login(Value, frozen=True):
    """From ``basic``: a user's name and password; from ``bearer``, ``oauth2`` and ``oidc``: a token."""

    username: str | None = None
    password: str | None = None
    token: str | None = None


class Place(Value, frozen=True):
    """``ip`` is the checked address of ``host`` that answers."""

    host: str
    ip: str
    port: int


@dataclass(frozen=True)
class Feed:
    """A subscription's messages, as they come. They end where the other side says that there are no more.

    ``acknowledge`` tells the broker that messages have been dealt with; those that it was not told of when the feed is
    closed are the broker's again. ``None`` where the protocol knows no such thing.
    """

    incoming: AsyncIterator[Incoming]
    acknowledge: Callable[[list[Incoming]], Awaitable[None]] | None = None


class Link:
    """``limit`` bounds the bytes of one message; ``seconds`` a publication, ``connect`` the making of a connection."""

    def __init__(
        self, target: Target, policy: JSON, *, web: Web, authenticator: Authenticator, seconds: float, connect: float
    ) -> None:
        self.target = target
        self.web = web
        self.authenticator = authenticator
        self.credentials: Credentials | None = authenticator.credentials(policy)
        self.limit = web.limit
        self.seconds = seconds
        self.connect = min(connect, seconds)
        self._policy = policy

    async def login(self) -> Login:
        """Raises ``TaskFailed`` (``configuration``) for ``digest``, which is for HTTP alone."""
        kind, _, value = (await self.authenticator.header(self._policy) or "").partition(" ")
        if kind == "Basic":
            username, _, password = b64decode(value).decode().partition(":")
            return Login(username=username, password=password)
        return Login(token=value) if kind == "Bearer" else Login()

    async def place(self) -> Place:
        """The server's checked address; see :meth:`place_of`."""
        return await self.place_of(self.target.server.host, self.target.server.port)

    async def place_of(self, host: str, port: int) -> Place:
        """The first address of a host at which anybody listens.

        Raises ``TaskFailed``: ``authorization`` (an address that workflows may not reach), ``communication`` or
        ``timeout`` (nobody there).
        """
        what = f"the {self.target.server.protocol} server"
        addresses = await resolve(host, port, what, allow_loopback=self.web.allow_loopback)
        reason: OSError | None = None
        for ip, _ in addresses:
            try:
                async with asyncio.timeout(self.connect):
                    _, writer = await asyncio.open_connection(ip, port)
                writer.transport.abort()
                return Place(host, ip, port)
            except OSError as error:  # TimeoutError is one of them
                reason = error
        if isinstance(reason, TimeoutError):
            detail = f"{self.target.shown}: no connection within {self.connect:g} s"
            raise TaskFailed(standard_error("timeout", detail)) from reason
        raise failed(self.target, f"no connection ({reason})") from reason

    def tls(self, *places: Place) -> Named | None:
        """For connections to checked addresses: servers prove the names that the document gave them."""
        if not self.target.server.tls:
            return None
        context = Named()
        context.load_default_certs()
        context.names = {place.ip: place.host for place in places}
        context.wrapped = []
        return context


class Named(ssl.SSLContext):
    """Client libraries know the address that they dial alone: the name that belongs to it is put in its place."""

    names: dict[str, str]
    wrapped: list[ssl.SSLSocket]

    def __new__(cls) -> Named:
        return super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)

    def wrap_socket(self, *args: Any, **kwargs: Any) -> ssl.SSLSocket:
        wrapped = super().wrap_socket(*args, **self._meant(kwargs))
        self.wrapped.append(wrapped)
        return wrapped

    def close(self) -> None:
        """Of sockets that a library forgets when their handshake fails."""
        for wrapped in self.wrapped:
            wrapped.close()

    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        return super().wrap_bio(*args, **self._meant(kwargs))

    def _meant(self, options: dict[str, Any]) -> dict[str, Any]:
        dialled = options.get("server_hostname")
        return {**options, "server_hostname": self.names.get(str(dialled), dialled)}


def failed(
    target: Target, detail: str, kind: StandardType = "communication", *, status: int | None = None
) -> TaskFailed:
    return TaskFailed(standard_error(kind, f"{target.shown}: {detail}", status=status))


async def unless(broken: asyncio.Future[TaskFailed], coming: Awaitable[T]) -> T:
    """What comes, unless the connection breaks before."""
    task = asyncio.ensure_future(coming)
    try:
        await asyncio.wait((task, broken), return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise broken.result()
    finally:
        task.cancel()


@contextlib.contextmanager
def translated(target: Target, *foreign: type[Exception]) -> Iterator[None]:
    """What a client library raises, and the protocol has no better words for, as errors of the standard."""
    try:
        yield
    except TaskFailed:
        raise
    except ssl.SSLError as error:
        raise failed(target, f"no TLS connection ({error})") from error
    except TimeoutError as error:
        raise failed(target, f"no answer in time ({str(error) or type(error).__name__})", "timeout") from error
    except Exception as error:
        if not isinstance(error, (OSError, EOFError, *foreign)):
            raise
        raise failed(target, str(error) or type(error).__name__) from error
