"""MQTT 3.1.1 (``mqtt``) and 5 (``mqtt5``): the channel's address is a topic, or a filter of topics with wildcards.

Bindings: ``qos`` (1 without one) and ``retain`` of the operation; ``clientId`` and ``cleanSession`` of the server.
A message is acknowledged when it arrives, by the client library: at most once for the workflow, should its process die
then. With a ``clientId`` and ``cleanSession: false`` the broker keeps what comes while nobody is connected.
MQTT 5 carries headers as user properties; MQTT 3.1.1 has none.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, Final

from lowtide.effects.asyncapi.link import Feed, Link, failed, translated
from lowtide.effects.asyncapi.message import Incoming, Outgoing
from lowtide.model.base import JSON

if TYPE_CHECKING:
    from aiomqtt import Client, Message

__all__ = ["publish", "subscribe"]

_HELD: Final = 10_000
"""Messages that wait in this process; what comes when there are so many is dropped by the client library."""

_REFUSED: Final = {
    4: "authentication",
    5: "authorization",
    134: "authentication",
    135: "authorization",
    140: "authentication",
}
"""Reason codes of CONNACK, of both versions."""


async def publish(link: Link, message: Outgoing) -> None:
    properties = _properties(link, message)
    async with _connected(link) as client:
        await client.publish(
            link.target.address,
            message.body,
            qos=_qos(link),
            retain=bool(link.target.operation.get("retain")),
            properties=properties,
            timeout=link.seconds,
        )


@contextlib.asynccontextmanager
async def subscribe(link: Link, cursor: dict[str, JSON]) -> AsyncIterator[Feed]:
    async with _connected(link, subscriber=True) as client:
        granted = await client.subscribe(link.target.address, qos=_qos(link), timeout=link.connect)
        refused = [str(one) for one in granted if _code(one) >= 128]
        if refused:
            raise failed(link.target, f"the subscription was refused: {refused[0]}", "authorization")
        yield Feed(_messages(link, client))


async def _messages(link: Link, client: Client) -> AsyncIterator[Incoming]:
    async for message in client.messages:
        body = _bytes(message.payload)
        if len(body) > link.limit:
            raise failed(link.target, f"a message is larger than {link.limit} bytes")
        yield _incoming(body, message)


def _incoming(body: bytes, message: Message) -> Incoming:
    given: Any = message.properties
    headers = dict(getattr(given, "UserProperty", None) or [])
    correlation = getattr(given, "CorrelationData", None)
    return Incoming(
        body,
        headers,
        getattr(given, "ContentType", None),
        None if correlation is None else correlation.decode(errors="replace"),
    )


@contextlib.asynccontextmanager
async def _connected(link: Link, *, subscriber: bool = False) -> AsyncIterator[Client]:
    from aiomqtt import Client, MqttCodeError, MqttError, ProtocolVersion

    place, login = await link.place(), await link.login()
    five = link.target.server.protocol == "mqtt5"
    bindings = link.target.server_bindings
    identifier = bindings.get("clientId") if subscriber else None  # one client's name: its subscriber's
    clean = bool(bindings.get("cleanSession", True)) or identifier is None
    options: dict[str, Any] = {"clean_start": clean} if five else {"clean_session": clean}
    if five and not clean:
        options["properties"] = _kept_session(bindings)
    context = link.tls(place)
    with translated(link.target, MqttError), contextlib.closing(context) if context else contextlib.nullcontext():
        try:
            async with Client(
                place.ip,
                place.port,
                username=login.username,
                password=login.password or login.token,
                identifier=None if identifier is None else str(identifier),
                protocol=ProtocolVersion.V5 if five else ProtocolVersion.V311,
                timeout=link.connect,
                max_queued_incoming_messages=_HELD,
                tls_context=context,
                **options,
            ) as client:
                yield client
        except MqttCodeError as error:
            kind: Any = _REFUSED.get(_code(error.rc), "communication")
            raise failed(link.target, str(error), kind) from error


def _kept_session(bindings: dict[str, JSON]) -> Any:
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.properties import Properties

    make: Any = Properties
    properties = make(PacketTypes.CONNECT)
    properties.SessionExpiryInterval = int(bindings.get("sessionExpiryInterval") or 24 * 3600)
    return properties


def _properties(link: Link, message: Outgoing) -> Any:
    if link.target.server.protocol != "mqtt5":
        message.without_headers("MQTT 3.1.1")
        return None
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.properties import Properties

    make: Any = Properties
    properties = make(PacketTypes.PUBLISH)
    properties.ContentType = message.content_type
    properties.UserProperty = list(message.headers.items())
    if message.correlation is not None:
        properties.CorrelationData = message.correlation.encode()
    if link.target.operation.get("messageExpiryInterval") is not None:
        properties.MessageExpiryInterval = int(link.target.operation["messageExpiryInterval"])
    return properties


def _qos(link: Link) -> int:
    given = link.target.operation.get("qos", 1)
    return given if given in (0, 1, 2) else 1


def _code(reason: object) -> int:
    """Of MQTT 3.1.1 a number, of MQTT 5 a reason that has one."""
    found = getattr(reason, "value", reason)
    return found if isinstance(found, int) else 0


def _bytes(payload: object) -> bytes:
    if isinstance(payload, bytes | bytearray):
        return bytes(payload)
    return b"" if payload is None else str(payload).encode()
