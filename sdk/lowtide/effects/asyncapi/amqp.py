"""AMQP 0-9-1: by the channel's binding, the address is a queue (``is: queue``) or a routing key (the default).

Bindings: ``exchange.name``, ``exchange.vhost`` (else the path of the server's address) and ``queue.name`` of the
channel; ``deliveryMode``, ``priority``, ``expiration``, ``replyTo``, ``mandatory`` and ``ack`` of the operation.
Exchanges and queues are used as they are, never declared: they are the broker's own. A routing key is subscribed to by
a queue of this subscription alone, which goes with it, bound to the exchange.

A publication returns when the broker has confirmed it; one that no queue takes is an error unless ``mandatory: false``.
Messages are consumed at least once: each is acknowledged after what it led to is in the journal, and one that was not
is given to somebody again when the connection ends.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, Final

from lowtide.effects.asyncapi.link import Feed, Link, failed, translated
from lowtide.effects.asyncapi.message import Incoming, Outgoing
from lowtide.model.base import JSON

if TYPE_CHECKING:
    from aio_pika.abc import AbstractChannel, AbstractQueue

__all__ = ["publish", "subscribe"]

_PREFETCH: Final = 100


async def publish(link: Link, message: Outgoing) -> None:
    from aio_pika import DeliveryMode, Message

    operation = link.target.operation
    sent = Message(
        message.body,
        headers=dict(message.headers),
        content_type=message.content_type,
        message_id=message.key,
        correlation_id=message.correlation,
        delivery_mode=DeliveryMode.NOT_PERSISTENT if operation.get("deliveryMode") == 1 else DeliveryMode.PERSISTENT,
        priority=operation.get("priority"),
        expiration=None if operation.get("expiration") is None else operation["expiration"] / 1000,
        reply_to=operation.get("replyTo"),
    )
    async with _channel(link) as channel:
        name, key = _exchange(link), link.target.address
        if _is_queue(link):
            name, key = "", _queue(link)
        exchange = channel.default_exchange if not name else await channel.get_exchange(name, ensure=False)
        mandatory = operation.get("mandatory") is not False
        await exchange.publish(sent, key, mandatory=mandatory, timeout=link.seconds)


@contextlib.asynccontextmanager
async def subscribe(link: Link, cursor: dict[str, JSON]) -> AsyncIterator[Feed]:
    async with _channel(link) as channel:
        await channel.set_qos(prefetch_count=_PREFETCH)
        queue: AbstractQueue
        if _is_queue(link) or not _exchange(link):
            queue = await channel.get_queue(_queue(link))  # asks the broker whether it is there
        else:
            queue = await channel.declare_queue(exclusive=True, auto_delete=True)
            await queue.bind(_exchange(link), link.target.address)
        async with queue.iterator(no_ack=link.target.operation.get("ack") is False) as messages:
            yield Feed(_messages(link, messages), None if link.target.operation.get("ack") is False else _acknowledge)


async def _messages(link: Link, messages: Any) -> AsyncIterator[Incoming]:
    async for message in messages:
        if len(message.body) > link.limit:
            await message.reject(requeue=False)
            raise failed(link.target, f"a message is larger than {link.limit} bytes; it was rejected")
        headers = {name: _text(value) for name, value in (message.headers or {}).items()}
        yield Incoming(message.body, headers, message.content_type, message.correlation_id, token=message)
    raise failed(link.target, "the connection was closed")


async def _acknowledge(messages: list[Incoming]) -> None:
    for message in messages:
        await message.token.ack()


@contextlib.asynccontextmanager
async def _channel(link: Link) -> AsyncIterator[AbstractChannel]:
    import aio_pika
    from aio_pika.exceptions import (
        AMQPError,
        AuthenticationError,
        ChannelClosed,
        ChannelNotFoundEntity,
        DeliveryError,
        ProbableAuthenticationError,
    )
    from aiormq.exceptions import ChannelAccessRefused

    place, login = await link.place(), await link.login()
    exchange = link.target.channel.get("exchange")
    vhost = exchange.get("vhost") if isinstance(exchange, dict) else None
    with translated(link.target, AMQPError):
        try:
            connection = await aio_pika.connect(
                host=place.ip,
                port=place.port,
                login=login.username or ("guest" if login.token is None else ""),
                password=login.password or login.token or "guest",
                virtualhost=str(vhost or link.target.server.path.removeprefix("/") or "/"),
                ssl=link.target.server.tls,
                ssl_context=link.tls(place),
                timeout=link.connect,
            )
            async with connection:
                yield await connection.channel(on_return_raises=True)
        except (AuthenticationError, ProbableAuthenticationError) as error:
            raise failed(link.target, str(error), "authentication") from error
        except ChannelAccessRefused as error:
            raise failed(link.target, str(error), "authorization") from error
        except ChannelNotFoundEntity as error:
            raise failed(link.target, str(error), status=404) from error
        except DeliveryError as error:
            raise failed(link.target, f"no queue took the message ({error})", status=404) from error
        except ChannelClosed as error:
            raise failed(link.target, str(error)) from error


def _is_queue(link: Link) -> bool:
    return link.target.channel.get("is") == "queue"


def _exchange(link: Link) -> str:
    exchange = link.target.channel.get("exchange")
    return str(exchange.get("name") or "") if isinstance(exchange, dict) else ""


def _queue(link: Link) -> str:
    queue = link.target.channel.get("queue")
    return str((queue.get("name") if isinstance(queue, dict) else None) or link.target.address)


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return value if isinstance(value, str) else str(value)
