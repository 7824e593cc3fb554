"""Redis: the channel's address is a channel of its publish/subscribe.

Redis delivers at most once: what is published while nobody is subscribed is lost. Its messages have no headers.
``path`` of the server's address is the number of the database.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from lowtide.effects.asyncapi.link import Feed, Link, Place, failed, translated
from lowtide.effects.asyncapi.message import Incoming, Outgoing
from lowtide.model.base import JSON

__all__ = ["publish", "subscribe"]


async def publish(link: Link, message: Outgoing) -> None:
    message.without_headers("redis")
    async with _connected(link) as client:
        await client.publish(link.target.address, message.body)


@contextlib.asynccontextmanager
async def subscribe(link: Link, cursor: dict[str, JSON]) -> AsyncIterator[Feed]:
    async with _connected(link) as client:
        async with client.pubsub() as subscription:
            await subscription.subscribe(link.target.address)
            await anext(subscription.listen())  # that it is there
            yield Feed(_messages(link, subscription))


async def _messages(link: Link, subscription: Any) -> AsyncIterator[Incoming]:
    async for message in subscription.listen():
        if message["type"] == "message":
            if len(message["data"]) > link.limit:
                raise failed(link.target, f"a message is larger than {link.limit} bytes")
            yield Incoming(message["data"])


@contextlib.asynccontextmanager
async def _connected(link: Link) -> AsyncIterator[Any]:
    from redis.asyncio import Connection, ConnectionPool, Redis
    from redis.exceptions import AuthenticationError, NoPermissionError, RedisError
    from redis.exceptions import TimeoutError as Late

    place, login = await link.place(), await link.login()
    database = link.target.server.path.strip("/")
    pool: Any = ConnectionPool(
        connection_class=_guarded(link, place, Connection),
        host=place.ip,
        port=place.port,
        db=int(database) if database.isdecimal() else 0,
        username=login.username,
        password=login.password or login.token,
        socket_connect_timeout=link.connect,
    )
    try:
        with translated(link.target, RedisError):
            try:
                client = Redis(connection_pool=pool)
                await client.ping()
                yield client
            except AuthenticationError as error:
                raise failed(link.target, str(error), "authentication") from error
            except NoPermissionError as error:
                raise failed(link.target, str(error), "authorization") from error
            except Late as error:
                raise failed(link.target, str(error), "timeout") from error
    finally:
        await pool.disconnect()


def _guarded(link: Link, place: Place, base: type[Any]) -> type[Any]:
    """Connections that speak TLS with the name that the document gave."""
    context = link.tls(place)

    class Guarded(base):  # type: ignore[misc]  # the base is a class that is only known here
        def _connection_arguments(self) -> dict[str, Any]:
            return {**super()._connection_arguments(), **({} if context is None else {"ssl": context})}

    return Guarded
