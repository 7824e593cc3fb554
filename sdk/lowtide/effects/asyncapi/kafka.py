"""Kafka: the channel's address is a topic, unless its binding names another.

Bindings: ``key`` of the message (a constant of its schema: ``const``, or the first of ``enum`` or ``examples``, or its
``default``), ``groupId`` and ``clientId`` of the operation (schemas likewise).

With a group, messages are consumed at least once: offsets are committed after what the messages led to is in the
journal; a new group begins with the oldest message. Without a group a subscription begins with what comes after it.
Both go on at the cursor, an offset for each partition, when the execution moves to another process. A publication
returns when all replicas in sync have it.

Brokers tell clients of other brokers: each address is resolved and checked before it is dialled.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, Final

from lowtide.effects.asyncapi.link import Feed, Link, Place, failed, translated, unless
from lowtide.effects.asyncapi.message import Incoming, Outgoing
from lowtide.errors import TaskFailed
from lowtide.model.base import JSON

__all__ = ["publish", "subscribe"]

_MECHANISMS: Final = {"scramSha256": "SCRAM-SHA-256", "scramSha512": "SCRAM-SHA-512", "plain": "PLAIN"}


async def publish(link: Link, message: Outgoing) -> None:
    from aiokafka import AIOKafkaProducer

    async with _settings(link) as settings:
        limit = max(link.limit, len(message.body) + 1024)
        producer = AIOKafkaProducer(**settings, acks="all", max_request_size=limit)
        async with _started(link, producer):
            key = _constant(link.target.message.get("key"))
            headers = [("content-type", message.content_type.encode())]
            headers += [(name, value.encode()) for name, value in message.headers.items()]
            key_bytes = None if key is None else str(key).encode()
            await producer.send_and_wait(_topic(link), message.body, key=key_bytes, headers=headers)


@contextlib.asynccontextmanager
async def subscribe(link: Link, cursor: dict[str, JSON]) -> AsyncIterator[Feed]:
    from aiokafka import AIOKafkaConsumer, TopicPartition

    group = _constant(link.target.operation.get("groupId"))
    async with _settings(link) as settings:
        consumer = AIOKafkaConsumer(
            **settings,
            group_id=None if group is None else str(group),
            enable_auto_commit=False,
            auto_offset_reset="latest" if group is None else "earliest",
            max_partition_fetch_bytes=link.limit,
        )
        async with _started(link, consumer) as refused:
            topic = _topic(link)
            known = {TopicPartition(topic, int(number)): offset for number, offset in cursor.items()}
            partitions = await unless(refused, _partitions(link, consumer, topic))
            if group is None:
                consumer.assign(partitions)
                for partition in partitions:
                    if partition in known:
                        consumer.seek(partition, known[partition])
                    else:
                        await consumer.seek_to_end(partition)
            else:
                consumer.subscribe([topic], listener=_going_on(consumer, known))
            yield Feed(_messages(consumer, refused), None if group is None else _committing(consumer))


async def _messages(consumer: Any, refused: asyncio.Future[TaskFailed]) -> AsyncIterator[Incoming]:
    while True:
        record = await unless(refused, consumer.getone())
        headers = {name: value.decode(errors="replace") for name, value in record.headers}
        yield Incoming(
            record.value or b"",
            headers,
            position=(str(record.partition), record.offset + 1),
            token=(record.topic, record.partition, record.offset + 1),
        )


def _going_on(consumer: Any, known: dict[Any, int]) -> Any:
    from aiokafka.abc import ConsumerRebalanceListener

    class GoingOn(ConsumerRebalanceListener):  # type: ignore[misc]  # the library has no types
        """A partition that comes to this member goes on where the journal is, not where the group was told."""

        async def on_partitions_revoked(self, revoked: Any) -> None:
            pass

        async def on_partitions_assigned(self, assigned: Any) -> None:
            for partition in assigned:
                if partition in known:
                    consumer.seek(partition, known[partition])

    return GoingOn()


def _committing(consumer: Any) -> Any:
    from aiokafka import TopicPartition
    from aiokafka.errors import CommitFailedError, IllegalStateError

    async def acknowledge(messages: list[Incoming]) -> None:
        offsets = {TopicPartition(topic, number): offset for topic, number, offset in (one.token for one in messages)}
        # A partition that went to another member of the group: it begins where the last commit is.
        with contextlib.suppress(CommitFailedError, IllegalStateError):
            await consumer.commit(offsets)

    return acknowledge


async def _partitions(link: Link, consumer: Any, topic: str) -> list[Any]:
    from aiokafka import TopicPartition

    await consumer.topics()
    numbers = consumer.partitions_for_topic(topic)
    if not numbers:
        raise failed(link.target, f"there is no topic {topic!r}", status=404)
    return [TopicPartition(topic, number) for number in sorted(numbers)]


@contextlib.asynccontextmanager
async def _settings(link: Link) -> AsyncIterator[dict[str, Any]]:
    """What producers and consumers have in common; what goes wrong meanwhile is translated."""
    from aiokafka.errors import (
        KafkaError,
        SaslAuthenticationFailed,
        TopicAuthorizationFailedError,
        UnknownTopicOrPartitionError,
    )

    place, login = await link.place(), await link.login()
    context = link.tls(place)
    settings: dict[str, Any] = {
        "bootstrap_servers": f"{f'[{place.ip}]' if ':' in place.ip else place.ip}:{place.port}",
        "client_id": str(_constant(link.target.operation.get("clientId")) or "lowtide"),
        "request_timeout_ms": max(1000, round(link.seconds * 1000)),
        "ssl_context": context,
        "security_protocol": "PLAINTEXT" if context is None else "SSL",
    }
    if login.username is not None or login.token is not None:
        settings |= _sasl(link, login.username, login.password, login.token)
        settings["security_protocol"] = "SASL_PLAINTEXT" if context is None else "SASL_SSL"
    with translated(link.target, KafkaError):
        try:
            yield settings
        except SaslAuthenticationFailed as error:
            raise failed(link.target, str(error), "authentication") from error
        except TopicAuthorizationFailedError as error:
            raise failed(link.target, str(error), "authorization") from error
        except UnknownTopicOrPartitionError as error:
            raise failed(link.target, str(error), status=404) from error


def _sasl(link: Link, username: str | None, password: str | None, token: str | None) -> dict[str, Any]:
    if token is not None:
        return {"sasl_mechanism": "OAUTHBEARER", "sasl_oauth_token_provider": _token(token)}
    mechanism = next((_MECHANISMS[one] for one in link.target.schemes if one in _MECHANISMS), "PLAIN")
    return {"sasl_mechanism": mechanism, "sasl_plain_username": username, "sasl_plain_password": password}


def _token(token: str) -> Any:
    from aiokafka.abc import AbstractTokenProvider

    class Given(AbstractTokenProvider):  # type: ignore[misc]  # the library has no types
        async def token(self) -> str:
            return token

    return Given()


@contextlib.asynccontextmanager
async def _started(link: Link, peer: Any) -> AsyncIterator[asyncio.Future[TaskFailed]]:
    """A producer or consumer that dials checked addresses alone; what it yields is done once one was refused."""
    from aiokafka.errors import KafkaError

    client = peer._client if hasattr(peer, "_client") else peer.client
    broker_of, connection_of = client.cluster.broker_metadata, client._get_conn
    checked: dict[tuple[str, int], Place] = {}
    refused: asyncio.Future[TaskFailed] = asyncio.get_running_loop().create_future()

    def broker_metadata(node: Any) -> Any:
        broker = broker_of(node)
        place = None if broker is None else checked.get((broker.host, broker.port))
        return broker if place is None else broker._replace(host=place.ip)

    async def connection(node: Any, **options: Any) -> Any:
        broker = broker_of(node)
        if broker is not None and (broker.host, broker.port) not in checked:
            try:
                place = checked[broker.host, broker.port] = await link.place_of(broker.host, broker.port)
            except TaskFailed as failure:
                if not refused.done():
                    refused.set_result(failure)
                raise
            names = getattr(client._ssl_context, "names", None)
            if names is not None:
                names[place.ip] = place.host
        return await connection_of(node, **options)

    client.cluster.broker_metadata, client._get_conn = broker_metadata, connection
    try:
        await peer.start()
        yield refused
    except KafkaError as error:  # what the library's own tasks make of it
        if refused.done():
            raise refused.result() from error
        raise
    finally:
        await peer.stop()


def _topic(link: Link) -> str:
    return str(link.target.channel.get("topic") or link.target.address)


def _constant(schema: JSON) -> JSON:
    """The value that a binding's schema allows, where it is but one."""
    if not isinstance(schema, dict):
        return schema
    for name in ("const", "default"):
        if schema.get(name) is not None:
            return schema[name]
    for name in ("enum", "examples"):
        if isinstance(schema.get(name), list) and schema[name]:
            return schema[name][0]
    return None
