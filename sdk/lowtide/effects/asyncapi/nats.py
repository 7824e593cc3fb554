"""NATS: the channel's address is a subject; ``queue`` of the operation's binding is the queue group.

Core NATS delivers at most once: what is published while nobody is subscribed is lost. A publication carries the
idempotency key as ``Nats-Msg-Id`` too, by which a JetStream stream that takes the subject drops repetitions.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from lowtide.effects.asyncapi.link import Feed, Link, failed, translated, unless
from lowtide.effects.asyncapi.message import Incoming, Outgoing
from lowtide.errors import TaskFailed
from lowtide.model.base import JSON

__all__ = ["publish", "subscribe"]


async def publish(link: Link, message: Outgoing) -> None:
    async with _connected(link) as (client, broken):
        headers = {**message.headers, "Content-Type": message.content_type, "Nats-Msg-Id": message.key}
        await client.publish(link.target.address, message.body, headers=headers)
        await client.flush(timeout=link.seconds)
        await asyncio.sleep(0)
        if broken.done():
            raise broken.result()


@contextlib.asynccontextmanager
async def subscribe(link: Link, cursor: dict[str, JSON]) -> AsyncIterator[Feed]:
    async with _connected(link) as (client, broken):
        subscription = await client.subscribe(
            link.target.address, queue=str(link.target.operation.get("queue") or ""), pending_bytes_limit=8 * link.limit
        )
        await client.flush(timeout=link.connect)
        yield Feed(_messages(subscription, broken))


async def _messages(subscription: Any, broken: asyncio.Future[TaskFailed]) -> AsyncIterator[Incoming]:
    incoming = aiter(subscription.messages)
    while True:
        message = await unless(broken, anext(incoming))
        yield Incoming(message.data, dict(message.headers or {}))


@contextlib.asynccontextmanager
async def _connected(link: Link) -> AsyncIterator[tuple[Any, asyncio.Future[TaskFailed]]]:
    """A connection, and what breaks it."""
    from nats.aio.client import Client
    from nats.errors import Error

    place, login = await link.place(), await link.login()
    broken: asyncio.Future[TaskFailed] = asyncio.get_running_loop().create_future()

    async def failing(error: Exception) -> None:
        if not broken.done():
            broken.set_result(_failure(link, error))

    async def closed() -> None:
        await failing(ConnectionError("the connection was closed"))

    client: Any = Client()
    with translated(link.target, Error):
        try:
            await client.connect(
                f"{'tls' if link.target.server.tls else 'nats'}://{_bracketed(place.ip)}:{place.port}",
                user=login.username,
                password=login.password,
                token=login.token,
                tls=link.tls(place),
                tls_hostname=place.host if link.target.server.tls else None,
                connect_timeout=max(1, round(link.connect)),
                allow_reconnect=False,  # the servers that a cluster tells of were not checked
                error_cb=failing,
                closed_cb=closed,
            )
            yield client, broken
        except Error as error:
            raise _failure(link, error) from error
        finally:
            await client.close()
            if client._transport is not None:
                client._transport.close()  # which stays open where it was refused, or the server went away


def _failure(link: Link, error: Exception) -> TaskFailed:
    text = str(error) or type(error).__name__
    if "authorization" in text.lower() or "authentication" in text.lower():
        return failed(link.target, text, "authentication")
    if "permissions violation" in text.lower():
        return failed(link.target, text, "authorization")
    return failed(link.target, text)


def _bracketed(ip: str) -> str:
    return f"[{ip}]" if ":" in ip else ip
